"""The multi-step pipeline: whiten, rotate, re-weight, de-whiten, reduce."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..arrays import as_matrix, namespace, to_numpy, unit_rows
from ..evaluation import lexicon_score
from ..normalization import Normalization
from ..shared_space import SharedSpace, SpaceMap
from .procrustes import check_pairs

__all__ = ["MultiStep", "multi_step_maps"]

#: What "auto" tries, from nearly the raw covariance to none of its shape.
_SHRINKAGES = (0.001, 0.01, 0.03, 0.1, 0.2, 0.4, 0.6, 0.8)
_FOLDS = 5
_FEWEST_WORDS = 20
_FEW_PAIRS_SHRINKAGE = 0.4
_MOST_PAIRS = 5000
# subtle: eigenvalues are squares, so this drops directions weaker than 1e-5 of the strongest, float32's noise
_RANK_TOLERANCE = 1e-10


class MultiStep:
    """Align two spaces by the multi-step pipeline of linear maps, from translation pairs.

    Both languages are mapped, and directions in which they agree are made longer. With A and B the rows of the p
    pairs after normalisation, and C_A = Aᵀ A / p, C_B = Bᵀ B / p shrunk, the steps are [1]_

    1. whiten: A C_A^-1/2 and B C_B^-1/2 have uncorrelated columns of equal variance;
    2. rotate: U S Vᵀ = C_A^-1/2 Aᵀ B C_B^-1/2 / p (thin), columns x U and y V are correlated in pairs by S;
    3. re-weight: multiply by S^a and S^b;
    4. de-whiten: multiply by Uᵀ C_A^1/2 U and Vᵀ C_B^1/2 V;
    5. reduce: keep the first columns.

    so that W_source = C_A^-1/2 U S^a Uᵀ C_A^1/2 U and W_target likewise. The dimensions of source and target may
    differ; the common space has the smaller of the two.

    Parameters
    ----------
    normalize : str or tuple of {"unit", "centre"}
        Steps on both sides before, learned on the whole vocabularies (see `Normalization`).
    reweight_source, reweight_target : float
        The exponents a and b; 0 leaves the columns as they are.
    shrinkage : "auto" or float
        s in [0, 1]: C becomes (1 - s) C + s (trace(C) / d) I [2]_. It keeps the inverse bounded when there are few
        pairs. "auto" takes the best of a few values by cross-validation over the pairs; with fewer than 20
        source words to validate on, it takes 0.4. 0 inverts only in the span of the pairs.
    dimension : int, optional
        Columns to keep: those in which the two languages agree most. By default all.
    whiten, dewhiten : bool
        Leave out step 1 and 4, or step 4. Neither one and exponents of 0 give orthogonal Procrustes; whitening
        without the way back and exponents of 0 is canonical correlation analysis.
    seed : int
        Chooses the folds of the cross-validation.

    Attributes
    ----------
    space_ : SharedSpace
        The maps of both languages, after `fit`.
    correlations_ : (k,) array of float64
        S, falling: how well the paired columns agree, in [0, 1] where step 1 is done.
    shrinkage_ : tuple of two float
        What was used for source and target.
    validation_ : dict of float to float
        Mean reciprocal rank of each shrinkage tried; empty unless cross-validated.

    Notes
    -----
    The cross-validation ranks the translations of held-out source words among the targets of the dictionary, by
    CSLS; it sees no other data. At most 5,000 pairs take part in it. It is nearly all the time of a fit: where the
    same spaces are fitted again and again, as in self-learning, give the shrinkage as a number. Everything but
    the ranking is float64.

    With fewer pairs than dimensions and a shrinkage of 0, what lies outside the span of the pairs is mapped to
    zero; the default never does that.

    References
    ----------
    .. [1] Artetxe, Labaka and Agirre (2018), "Generalizing and improving bilingual word embedding mappings with a
       multi-step framework of linear transformations", AAAI. doi:10.1609/aaai.v32i1.11992
    .. [2] Ledoit and Wolf (2004), "A well-conditioned estimator for large-dimensional covariance matrices",
       Journal of Multivariate Analysis 88. doi:10.1016/S0047-259X(03)00096-4

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> french = rng.normal(size=(200, 6)).astype(np.float32)
    >>> english = french @ rng.normal(size=(6, 4)).astype(np.float32)
    >>> pairs = np.stack([np.arange(60), np.arange(60)], axis=1)
    >>> aligner = MultiStep(normalize="none", shrinkage=0.0).fit(english, french, pairs, names=("en", "fr"))
    >>> aligner.space_.dimension, aligner.correlations_.round(4).tolist()
    (4, [1.0, 1.0, 1.0, 1.0])
    """

    def __init__(
        self,
        *,
        normalize: str | tuple[Any, ...] = "iterative",
        reweight_source: float = 0.5,
        reweight_target: float = 0.5,
        shrinkage: float | Literal["auto"] = "auto",
        dimension: int | None = None,
        whiten: bool = True,
        dewhiten: bool = True,
        seed: int = 0,
    ) -> None:
        self.normalize = normalize
        self.reweight_source = reweight_source
        self.reweight_target = reweight_target
        self.shrinkage = shrinkage
        self.dimension = dimension
        self.whiten = whiten
        self.dewhiten = dewhiten
        self.seed = seed

    def fit(
        self, source: Any, target: Any, pairs: Any, *, names: tuple[str, str] = ("source", "target")
    ) -> "MultiStep":
        """Learn both maps.

        Parameters
        ----------
        source : (n, d_source) array
            The whole source vocabulary, most frequent first.
        target : (m, d_target) array
            The whole target vocabulary.
        pairs : (p, 2) array of int
            Rows of source and target that translate each other. A pair given twice counts twice.
        names : tuple of two str
            What the two languages are called in the shared space.

        Raises
        ------
        ValueError
            If a pair points outside the vocabularies, there is none, or a parameter is out of range.
        """
        source, target = as_matrix(source, "source"), as_matrix(target, "target")
        rows = check_pairs(pairs, int(source.shape[0]), int(target.shape[0]))
        if names[0] == names[1]:
            raise ValueError(f"the two languages need two names, but both are called {names[0]!r}")
        self._check_parameters(min(int(source.shape[1]), int(target.shape[1])))
        source_steps = Normalization.fit(source, self.normalize)
        target_steps = Normalization.fit(target, self.normalize)
        xp = namespace(source, target)
        taken = [xp.asarray(rows[:, side], device=source.device) for side in (0, 1)]
        a = source_steps.transform(xp.take(source, taken[0], axis=0))
        b = target_steps.transform(xp.take(target, taken[1], axis=0))
        self.validation_: dict[float, float] = {}
        self.shrinkage_ = self._choose_shrinkage(a, b, rows)
        steps = _Steps(a, b, self)
        source_map, target_map, correlations = steps.maps(self.shrinkage_)
        self.correlations_ = np.asarray(to_numpy(correlations), np.float64)
        self.space_ = SharedSpace(
            {
                names[0]: SpaceMap(source_steps, to_numpy(source_map)),
                names[1]: SpaceMap(target_steps, to_numpy(target_map)),
            },
            method="multi-step",
            provenance={"pairs": int(rows.shape[0]), "shrinkage": list(self.shrinkage_)},
        )
        return self

    def _check_parameters(self, smaller: int) -> None:
        if self.shrinkage != "auto" and not (
            isinstance(self.shrinkage, int | float) and 0 <= float(self.shrinkage) <= 1
        ):
            raise ValueError(f"shrinkage must be 'auto' or lie in [0, 1], but is {self.shrinkage!r}")
        if self.dimension is not None and not 1 <= self.dimension <= smaller:
            raise ValueError(
                f"dimension must lie between 1 and the smaller dimension of the two spaces, {smaller}, "
                f"but is {self.dimension}; leave it out to keep all"
            )

    def _choose_shrinkage(self, a: Any, b: Any, rows: NDArray[np.int64]) -> tuple[float, float]:
        if not self.whiten:
            return 0.0, 0.0
        if self.shrinkage != "auto":
            return float(self.shrinkage), float(self.shrinkage)
        if len(rows) > _MOST_PAIRS:
            kept = np.sort(np.random.default_rng(self.seed).permutation(len(rows))[:_MOST_PAIRS])
            xp = namespace(a, b)
            chosen = xp.asarray(kept, device=a.device)
            a, b, rows = xp.take(a, chosen, axis=0), xp.take(b, chosen, axis=0), rows[kept]
        if np.unique(rows[:, 0]).size < _FEWEST_WORDS:
            return _FEW_PAIRS_SHRINKAGE, _FEW_PAIRS_SHRINKAGE
        self.validation_ = _cross_validate(a, b, rows, self)
        # the largest of equals: where the pairs cannot tell, the safer one
        best = max(self.validation_, key=lambda shrinkage: (self.validation_[shrinkage], shrinkage))
        return best, best


def multi_step_maps(source: Any, target: Any, *, shrinkage: float = 0.0, **parameters: Any) -> tuple[Any, Any, Any]:
    """Return both maps and the correlations for paired rows, without normalisation.

    Parameters
    ----------
    source : (p, d_source) array
        One row a pair.
    target : (p, d_target) array
        The translations, row by row.
    shrinkage : float
        For both covariances.
    **parameters
        `reweight_source`, `reweight_target`, `dimension`, `whiten`, `dewhiten` as in `MultiStep`.

    Returns
    -------
    tuple of (d_source, k) array of float32, (d_target, k) array of float32, (k,) array of float64
        In the namespace of the inputs; k is the smaller dimension, or `dimension`.

    Raises
    ------
    ValueError
        If the numbers of rows differ or there is no row.
    """
    source, target = as_matrix(source, "source"), as_matrix(target, "target")
    if source.shape[0] != target.shape[0] or source.shape[0] == 0:
        raise ValueError(
            f"source and target must have one row for each pair, at least one, "
            f"but have {source.shape[0]} and {target.shape[0]} rows"
        )
    settings = MultiStep(shrinkage=shrinkage, **parameters)
    settings._check_parameters(min(int(source.shape[1]), int(target.shape[1])))
    return _Steps(source, target, settings).maps((shrinkage, shrinkage))


class _Steps:
    """Products and eigenvectors of one set of pairs, from which the maps of any shrinkage follow cheaply."""

    def __init__(self, a: Any, b: Any, settings: MultiStep) -> None:
        xp = self.xp = namespace(a, b)
        self.settings = settings
        a, b = xp.astype(a, xp.float64), xp.astype(b, xp.float64)
        count = float(a.shape[0])
        self.products = xp.matrix_transpose(a) @ b / count
        if settings.whiten:
            self.eigen = [xp.linalg.eigh(xp.matrix_transpose(rows) @ rows / count) for rows in (a, b)]

    def maps(self, shrinkage: tuple[float, float]) -> tuple[Any, Any, Any]:
        """Return the maps after steps 1 to 5, and the correlations."""
        xp, settings = self.xp, self.settings
        if settings.whiten:
            (whiten_a, colour_a), (whiten_b, colour_b) = (
                self._powers(values, vectors, each)
                for (values, vectors), each in zip(self.eigen, shrinkage, strict=True)
            )
            u, s, vt = xp.linalg.svd(whiten_a @ self.products @ whiten_b, full_matrices=False)
            v = xp.matrix_transpose(vt)
            first, second = whiten_a @ u, whiten_b @ v
        else:
            u, s, vt = xp.linalg.svd(self.products, full_matrices=False)
            first, second = u, xp.matrix_transpose(vt)
        first, second = first * s**settings.reweight_source, second * s**settings.reweight_target
        if settings.whiten and settings.dewhiten:
            first = first @ (xp.matrix_transpose(u) @ colour_a @ u)
            second = second @ (vt @ colour_b @ xp.matrix_transpose(vt))
        kept = settings.dimension or int(s.shape[0])
        return xp.astype(first[:, :kept], xp.float32), xp.astype(second[:, :kept], xp.float32), s[:kept]

    def _powers(self, values: Any, vectors: Any, shrinkage: float) -> tuple[Any, Any]:
        """C^-1/2 and C^1/2 of the shrunk covariance; the pseudo-inverse where it is singular."""
        xp = self.xp
        values = (1 - shrinkage) * xp.maximum(values, xp.zeros_like(values)) + shrinkage * xp.mean(values)
        kept = values > _RANK_TOLERANCE * xp.max(values)
        root = xp.sqrt(xp.where(kept, values, xp.ones_like(values)))
        inverse = xp.where(kept, 1.0 / root, xp.zeros_like(root))
        root = xp.where(kept, root, xp.zeros_like(root))
        transposed = xp.matrix_transpose(vectors)
        return (vectors * inverse) @ transposed, (vectors * root) @ transposed


def _cross_validate(a: Any, b: Any, rows: NDArray[np.int64], settings: MultiStep) -> dict[float, float]:
    """Mean reciprocal rank of each shrinkage, over folds of the source words."""
    xp = namespace(a, b)
    words, first_a, word_of = np.unique(rows[:, 0], return_index=True, return_inverse=True)
    _, first_b, translation_of = np.unique(rows[:, 1], return_index=True, return_inverse=True)
    every_a = xp.take(a, xp.asarray(first_a, device=a.device), axis=0)
    every_b = xp.take(b, xp.asarray(first_b, device=b.device), axis=0)
    fold_of = np.random.default_rng(settings.seed).permutation(words.size) % _FOLDS
    totals = dict.fromkeys(_SHRINKAGES, 0.0)
    for fold in range(_FOLDS):
        held = fold_of[word_of] == fold
        train = xp.asarray(np.flatnonzero(~held), device=a.device)
        steps = _Steps(xp.take(a, train, axis=0), xp.take(b, train, axis=0), settings)
        gold: dict[int, list[int]] = {}
        for word, translation in zip(word_of[held].tolist(), translation_of[held].tolist(), strict=True):
            gold.setdefault(word, []).append(translation)
        right = {word: np.array(translations, np.int64) for word, translations in gold.items()}
        for shrinkage in _SHRINKAGES:
            first, second, _ = steps.maps((shrinkage, shrinkage))
            score = lexicon_score(unit_rows(every_a @ first), unit_rows(every_b @ second), right)
            totals[shrinkage] += score.mrr * score.n_words
    return {shrinkage: total / words.size for shrinkage, total in totals.items()}
