"""A classifier of vectors that carries over to other languages: a linear head mixed with its nearest known vectors."""

from __future__ import annotations

from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin  # after the check that names the extra
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from interlingua.align import top_k
from interlingua.align.arrays import require

require("sklearn", extra="classify")


Method = Literal["logistic", "prototype", "knn", "mixed"]
_STRENGTHS = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)
_NEIGHBOURS, _WARMTHS, _SHARES = (5, 15, 30), (0.05, 0.1), (0.3, 0.6)
_TEMPERATURES = np.geomspace(0.02, 5.0, 49)
_FOLDS = 10


class VectorClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Classify vectors by what vectors with labels lie where; a scikit-learn estimator.

    The probability of class c at x is a mixture of a logistic regression and of the k nearest known vectors x_i,

        p(c | x) = (1 - s) softmax_c(W x + b) + s sum_i w_i [y_i = c],   w_i ~ exp(cos(x, x_i) / t),

    sharpened or softened to p^(1/T) / sum p^(1/T). The strength of the regression, k, t, s and T are chosen by
    ten-fold cross-validation on the training vectors: the first as the strongest regularisation within one standard
    error of the best, for a head that clings to its language carries over less; T by the likelihood of vectors held
    out (temperature scaling, Guo et al. 2017).

    Parameters
    ----------
    method : {"mixed", "logistic", "prototype", "knn"}
        The mixture, one of its parts alone, or the softmax of cosines with the means of the classes.
    strength : float, optional
        C of the logistic regression; None chooses.
    calibrate : bool
        Whether to choose T; else T = 1.
    seed : int
        Draws the folds.

    Attributes
    ----------
    classes_ : (c,) array
    weights_, biases_ : (c, d) and (c,) arrays
        Of the linear part.
    vectors_, targets_ : (n, d) and (n, c) arrays
        The known unit vectors and their classes as zeros and ones.
    mix_ : tuple of (int, float, float)
        k, t and s.
    temperature_ : float

    Raises
    ------
    ValueError
        From `fit`: with less than two classes, or an unknown method.

    References
    ----------
    Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> centres = np.eye(2, 8)
    >>> labels = np.repeat(["cat", "dog"], 40)
    >>> vectors = np.repeat(centres, 40, axis=0) + 0.2 * rng.standard_normal((80, 8))
    >>> classifier = VectorClassifier().fit(vectors, labels)
    >>> classifier.predict(centres).tolist()
    ['cat', 'dog']
    """

    def __init__(
        self, method: Method = "mixed", *, strength: float | None = None, calibrate: bool = True, seed: int = 0
    ) -> None:
        self.method = method
        self.strength = strength
        self.calibrate = calibrate
        self.seed = seed

    def fit(self, X: ArrayLike, y: ArrayLike) -> VectorClassifier:
        """Learn from vectors (n, d) and their classes (n,)."""
        if self.method not in ("logistic", "prototype", "knn", "mixed"):
            raise ValueError(f"method must be 'mixed', 'logistic', 'prototype' or 'knn', got {self.method!r}")
        vectors, labels = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(labels)
        self.classes_, columns = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"a classifier needs at least 2 classes, but all {len(labels)} labels are one class")
        folds = _folds(columns, self.seed)
        strength = self.strength
        if strength is None:
            strength = self._choose_strength(vectors, columns, folds) if self._is_linear else 1.0
        self.strength_ = float(strength)
        self.mix_ = {"knn": (min(15, len(columns)), 0.1, 1.0)}.get(self.method, (1, 0.1, 0.0))
        self.temperature_ = 1.0
        if self.method == "mixed" and folds.max() > 0:
            self.mix_ = self._choose_mix(vectors, columns, folds)
        if self.calibrate and folds.max() > 0:
            held_out = self._held_out(vectors, columns, folds, (self.mix_,))[0]
            self.temperature_ = _best_temperature(held_out, columns)
        self._store(vectors, columns)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the probability of each class, (n, c); columns as in `classes_`."""
        check_is_fitted(self)
        vectors = validate_data(self, X, dtype=np.float32, reset=False)
        return _sharpen(self._mixture(vectors, self.mix_), self.temperature_)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the likeliest class of each vector, (n,)."""
        found = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[found])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = False
        return tags

    @property
    def _is_linear(self) -> bool:
        return self.method in ("logistic", "mixed")

    def _store(self, vectors: NDArray[np.float32], columns: NDArray[np.intp]) -> None:
        """Fit the parts on all that is given."""
        n_classes = len(self.classes_)
        self.vectors_ = _unit(vectors)
        self.targets_ = np.eye(n_classes, dtype=np.float32)[columns]
        if self._is_linear:
            self.weights_, self.biases_ = _logistic(vectors, columns, self.strength_, n_classes)
        elif self.method == "prototype":
            means = self.targets_.T @ self.vectors_
            self.weights_ = 10.0 * _unit(means).astype(np.float64)
            self.biases_ = np.zeros(n_classes)
        else:
            self.weights_ = np.zeros((n_classes, vectors.shape[1]))
            self.biases_ = np.zeros(n_classes)

    def _mixture(self, vectors: NDArray[np.float32], mix: tuple[int, float, float]) -> NDArray[np.float64]:
        units = _unit(vectors) if self.method != "logistic" else vectors
        linear = units if self.method == "prototype" else vectors
        own = _softmax(linear @ self.weights_.T + self.biases_)
        k, warmth, share = mix
        if share == 0:
            return own
        near = top_k(units, self.vectors_, min(k, len(self.vectors_)))
        weights = np.exp((near.scores - near.scores[:, :1]).astype(np.float64) / warmth)
        weights /= weights.sum(axis=1, keepdims=True)
        return np.asarray((1 - share) * own + share * np.einsum("nk,nkc->nc", weights, self.targets_[near.ids]))

    def _held_out(
        self,
        vectors: NDArray[np.float32],
        columns: NDArray[np.intp],
        folds: NDArray[np.intp],
        mixes: tuple[tuple[int, float, float], ...],
    ) -> NDArray[np.float64]:
        """Return the probabilities of each vector by what was learned without its fold, (mixes, n, c)."""
        part = VectorClassifier(self.method)
        part.classes_, part.strength_ = self.classes_, self.strength_
        found = np.zeros((len(mixes), len(columns), len(self.classes_)))
        for fold in range(int(folds.max()) + 1):
            out = folds == fold
            part._store(vectors[~out], columns[~out])
            for number, mix in enumerate(mixes):
                found[number, out] = part._mixture(vectors[out], mix)
        return found

    def _choose_strength(
        self,
        vectors: NDArray[np.float32],
        columns: NDArray[np.intp],
        folds: NDArray[np.intp],
    ) -> float:
        n_folds = int(folds.max()) + 1
        if n_folds == 1:
            return 1.0
        scores = {}
        for strength in _STRENGTHS:
            self.strength_ = strength
            right = self._held_out(vectors, columns, folds, ((1, 0.1, 0.0),))[0].argmax(axis=1) == columns
            scores[strength] = np.array([right[folds == fold].mean() for fold in range(n_folds)])
        best = max(scores, key=lambda each: float(scores[each].mean()))
        least = scores[best].mean() - scores[best].std(ddof=1) / np.sqrt(n_folds)
        return min(each for each, found in scores.items() if found.mean() >= least)

    def _choose_mix(
        self,
        vectors: NDArray[np.float32],
        columns: NDArray[np.intp],
        folds: NDArray[np.intp],
    ) -> tuple[int, float, float]:
        mixes = tuple(product(_NEIGHBOURS, _WARMTHS, _SHARES))
        found = self._held_out(vectors, columns, folds, mixes)
        return mixes[int(np.argmax((found.argmax(axis=2) == columns).mean(axis=1)))]


def _folds(columns: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    """Return the fold of each row: at most ten, stratified so that each class is left in every training part."""
    n_folds = int(min(_FOLDS, np.bincount(columns).min()))
    if n_folds < 2:
        return np.zeros(len(columns), dtype=np.intp)  # a class of one: nothing can be held out
    order = np.random.default_rng(seed).permutation(len(columns))
    order = order[np.argsort(columns[order], kind="stable")]
    folds = np.empty(len(columns), dtype=np.intp)
    folds[order] = np.arange(len(columns)) % n_folds
    return folds


def _logistic(
    vectors: NDArray[np.float32], columns: NDArray[np.intp], strength: float, n: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return weights (n, d) and biases (n,) whose softmax is the regression's probability."""
    linear = require("sklearn.linear_model", extra="classify")
    model = linear.LogisticRegression(C=strength, max_iter=1000).fit(vectors, columns)
    coefficients, intercepts = np.asarray(model.coef_, np.float64), np.asarray(model.intercept_, np.float64)
    if n == 2:  # one row, of the second class against the first
        coefficients, intercepts = np.vstack([0 * coefficients, coefficients]), np.r_[0.0, intercepts]
    return coefficients, intercepts


def _best_temperature(probabilities: NDArray[np.float64], columns: NDArray[np.intp]) -> float:
    """Return the T of the greatest likelihood."""
    rows = np.arange(len(columns))
    likelihoods = [np.log(_sharpen(probabilities, each)[rows, columns] + 1e-12).mean() for each in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmax(likelihoods))])


def _sharpen(probabilities: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    return _softmax(np.log(np.maximum(probabilities, 1e-12)) / temperature)


def _softmax(scores: NDArray[Any]) -> NDArray[np.float64]:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True), dtype=np.float64)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1), dtype=np.float32)
