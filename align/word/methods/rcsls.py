"""Relaxed CSLS: train the map on the criterion that ranks translations."""

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import namespace, take_rows, to_numpy, unit_rows
from interlingua.align.linalg import svd
from interlingua.align.neighbors import top_k
from interlingua.align.space import SharedSpace, SpaceMap
from interlingua.align.word.evaluation import lexicon_score

from . import Callback, WordMethod
from .multi_step import MultiStep, Shrinkage
from .procrustes import check_fit, normalized, orthogonal_map

_ARMIJO = 1e-4
_SMALLEST_STEP = 1e-6
_PATIENCE = 3
_FEWEST_HELD_OUT = 20
_HELD_OUT_BACKGROUND = 5000
_BLOCK = 1024


def relaxed_csls(
    matrix: Any, source: Any, target: Any, all_source: Any, all_target: Any, *, neighborhood: int = 10
) -> tuple[float, Any]:
    """Return the relaxed CSLS loss of a map and its subgradient.

    f(W) = 1/p sum_i [ -2 x_i W y_iᵀ + 1/k sum_{y in N_T(x_i W)} x_i W yᵀ + 1/k sum_{x in N_S(y_i)} x W y_iᵀ ]

    with N_T the k targets nearest to x_i W and N_S the k sources whose images are nearest to y_i, by inner product
    [1]_. It is convex in W. The gradient takes the neighbours as they are at W.

    Parameters
    ----------
    matrix : (d_source, d_target) array
        W.
    source, target : (p, d_source) and (p, d_target) array
        The pairs, row by row.
    all_source, all_target : (n, d_source) and (m, d_target) array
        Where neighbours are searched: the vocabularies, or their frequent part.
    neighborhood : int
        k.

    Returns
    -------
    tuple of float and (d_source, d_target) array of float32
        The loss, lower is better, and its gradient in the namespace of the inputs.

    References
    ----------
    .. [1] Joulin, Bojanowski, Mikolov, Jégou and Grave (2018), "Loss in translation: learning bilingual word
       mapping with a retrieval criterion", EMNLP. doi:10.18653/v1/D18-1330
    """
    xp = namespace(source, target)
    mapped = source @ matrix
    to_target = top_k(mapped, all_target, neighborhood)
    to_source = top_k(target, all_source @ matrix, neighborhood)
    # float64: the loss is the small difference of large sums, and the line search compares it
    own = np.einsum("ij,ij->i", to_numpy(mapped), to_numpy(target), dtype=np.float64)
    loss = float(
        (-2 * own + to_target.scores.mean(axis=1, dtype=float) + to_source.scores.mean(axis=1, dtype=float)).mean()
    )
    pull = -2 * target + _mean_rows(xp, all_target, to_target.ids)
    push = _mean_rows(xp, all_source, to_source.ids)
    gradient = xp.matrix_transpose(source) @ pull + xp.matrix_transpose(push) @ target
    return loss, gradient / float(source.shape[0])


@dataclass(kw_only=True, eq=False)
class RCSLS(WordMethod):
    """Align two spaces by minimising the relaxed CSLS loss, from translation pairs.

    Full-batch subgradient descent from a closed-form solution. Each step is found by backtracking until the loss,
    with its neighbours searched anew, falls by Armijo's condition; a step that does not is never taken. The loss has
    no lower bound without a constraint and few pairs overfit it, so part of the source words is held out: descent
    stops when their translations are no longer ranked better, and is then repeated with all pairs for as many steps
    as were best. Source and target may differ in dimension.

    Parameters
    ----------
    normalize : str or tuple of {"unit", "centre"}
        Steps on both sides before, learned on the whole vocabularies (see `Normalization`).
    start : {"multi-step", "procrustes"}
        Where to start. From "multi-step", W is learned on unit vectors in that common space, and both languages
        are mapped; from "procrustes", in the target's space, as published.
    shrinkage : "auto", float or pair of float
        Of the covariances in "multi-step" (see `MultiStep`).
    n_iterations : int
        At most this many steps.
    largest_change : float
        Longest step, as a share of the norm of W. The loss is homogeneous: once it is negative, it falls without
        end as W grows, which changes no ranking; so the line search must not be free to run along that ray.
    neighborhood : int
        k, the neighbours in the loss.
    vocabulary : int, optional
        Neighbours are searched among this many most frequent words a side; None for all.
    constraint : {"none", "spectral"}
        "spectral" cuts the singular values of W to at most one after each step, which bounds the loss from below.
    held_out : float
        Share of the source words to stop by, in [0, 1). With 0, or where fewer than 20 words would be held out, all
        `n_iterations` are done.
    seed : int
        Chooses the words held out.
    callback : callable, optional
        Called with ``iteration``, ``objective`` and ``step`` after each iteration, and with ``held_out_mrr`` while
        words are held out; where they are, iterations begin again at 0 for the final fit.

    Attributes
    ----------
    space_ : SharedSpace
        The maps of both languages, after `fit`.
    matrix_ : (d, d') array of float32
        W, from the space of the start.
    history_ : tuple of dict
        What the callback got; iteration 0 is the start. With words held out, the trial that was stopped by them.
    n_iterations_ : int
        Steps taken in the final fit.

    References
    ----------
    .. [1] Joulin, Bojanowski, Mikolov, Jégou and Grave (2018), "Loss in translation: learning bilingual word
       mapping with a retrieval criterion", EMNLP. doi:10.18653/v1/D18-1330

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> french = rng.normal(size=(200, 6)).astype(np.float32)
    >>> english = french @ np.linalg.qr(rng.normal(size=(6, 6)))[0].astype(np.float32)
    >>> pairs = np.stack([np.arange(60), np.arange(60)], axis=1)
    >>> aligner = RCSLS(n_iterations=3, held_out=0, start="procrustes").fit(english, french, pairs)
    >>> aligner.history_[3]["objective"] < aligner.history_[0]["objective"]
    True
    """

    name: ClassVar[str] = "rcsls"

    normalize: str | tuple[Any, ...] = "iterative"
    start: Literal["multi-step", "procrustes"] = "multi-step"
    shrinkage: Shrinkage | Literal["auto"] = "auto"
    n_iterations: int = 20
    largest_change: float = 0.05
    neighborhood: int = 10
    vocabulary: int | None = None
    constraint: Literal["none", "spectral"] = "none"
    held_out: float = 0.1
    seed: int = 0
    callback: Callback | None = None

    def fit(self, source: Any, target: Any, pairs: Any, *, names: tuple[str, str] = ("source", "target")) -> "RCSLS":
        """Learn the map.

        Parameters
        ----------
        source : (n, d_source) array
            The whole source vocabulary, most frequent first.
        target : (m, d_target) array
            The whole target vocabulary.
        pairs : (p, 2) array of int
            Rows of source and target that translate each other.
        names : tuple of two str
            What the two languages are called in the shared space.

        Raises
        ------
        ValueError
            If a pair points outside the vocabularies, there is none, or a parameter is out of range.

        Warns
        -----
        UserWarning
            If the held-out words were still ranked better after `n_iterations`.
        """
        source, target, rows = check_fit(source, target, pairs, names)
        self._check_parameters()
        (source_steps, target_steps), (x, y) = normalized(source, target, self.normalize)
        shrinkage = self.shrinkage
        train, held = self._split(rows)
        trial: list[dict[str, float]] = []
        steps: float = self.n_iterations
        if len(held):
            space = self._start(x, y, train, shrinkage)
            shrinkage = space.shrinkage
            self._descend(space, train, self.n_iterations, held, trial)
            steps = max(trial, key=lambda entry: entry["held_out_mrr"])["iteration"]
            if steps == self.n_iterations:
                warnings.warn(
                    f"RCSLS: held-out translations were still ranked better after {steps} iterations; "
                    "raise n_iterations",
                    stacklevel=2,
                )
        space = self._start(x, y, rows, shrinkage)
        final: list[dict[str, float]] = []
        self.matrix_ = self._descend(space, rows, int(steps), rows[:0], final)
        self.history_ = tuple(trial or final)
        self.n_iterations_ = len(final) - 1
        source_map = self.matrix_ if space.source_map is None else space.source_map @ self.matrix_
        self.space_ = SharedSpace(
            {
                names[0]: SpaceMap(source_steps, to_numpy(source_map)),
                names[1]: SpaceMap(target_steps, None if space.target_map is None else to_numpy(space.target_map)),
            },
            method="rcsls",
            provenance={"pairs": int(rows.shape[0]), "iterations": self.n_iterations_},
        )
        return self

    def _check_parameters(self) -> None:
        for name, value, allowed in (
            ("start", self.start, ("multi-step", "procrustes")),
            ("constraint", self.constraint, ("none", "spectral")),
        ):
            if value not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, but is {value!r}")
        if not 0 <= self.held_out < 1:
            raise ValueError(f"held_out must lie in [0, 1), but is {self.held_out}")
        if not self.largest_change > 0:
            raise ValueError(f"largest_change must be positive, but is {self.largest_change}")
        if self.n_iterations < 1:
            raise ValueError(f"n_iterations must be at least 1, but is {self.n_iterations}")

    def _split(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pairs to learn from and pairs to stop by; no source word is in both."""
        words = np.unique(rows[:, 0])
        count = round(self.held_out * words.size)
        if count < _FEWEST_HELD_OUT:
            return rows, rows[:0]
        out = np.isin(rows[:, 0], np.random.default_rng(self.seed).choice(words, count, replace=False))
        return rows[~out], rows[out]

    def _start(self, x: Any, y: Any, rows: NDArray[np.int64], shrinkage: Shrinkage | Literal["auto"]) -> "_Start":
        xp = namespace(x, y)
        if self.start == "multi-step":
            aligner = MultiStep(normalize="none", shrinkage=shrinkage, seed=self.seed).fit(x, y, rows)
            first, second = (
                xp.asarray(aligner.space_.maps[side].matrix, device=x.device) for side in ("source", "target")
            )
            matrix = xp.eye(int(first.shape[1]), dtype=xp.float32, device=x.device)
            return _Start(unit_rows(x @ first), unit_rows(y @ second), matrix, first, second, aligner.shrinkage_)
        a, b = take_rows(x, rows[:, 0]), take_rows(y, rows[:, 1])
        return _Start(unit_rows(x), unit_rows(y), orthogonal_map(a, b), None, None, shrinkage)

    def _descend(
        self,
        space: "_Start",
        rows: NDArray[np.int64],
        n_iterations: int,
        held: NDArray[np.int64],
        history: list[dict[str, float]],
    ) -> Any:
        """Take the steps, note them in `history`, return the last matrix."""
        xp = namespace(space.x, space.y)
        a, b = take_rows(space.x, rows[:, 0]), take_rows(space.y, rows[:, 1])
        near_x, near_y = (_first_rows(side, self.vocabulary) for side in (space.x, space.y))

        def evaluate(candidate: Any) -> tuple[float, Any]:
            return relaxed_csls(candidate, a, b, near_x, near_y, neighborhood=self.neighborhood)

        def note(step: float) -> None:
            entry: dict[str, float] = {"iteration": len(history), "objective": loss, "step": step}
            if len(held):
                entry["held_out_mrr"] = _held_out_rank(space, matrix, held)
            history.append(entry)
            if self.callback is not None:
                self.callback(dict(entry))

        matrix = space.matrix
        loss, gradient = evaluate(matrix)
        note(0.0)
        step = 0.0
        while len(history) <= n_iterations:
            size = float(xp.sqrt(xp.sum(gradient * gradient)))
            if size == 0.0:
                break
            longest = self.largest_change * float(xp.sqrt(xp.sum(matrix * matrix))) / size
            step = min(2 * step, longest) if step else longest
            while step >= _SMALLEST_STEP * longest:
                candidate = self._constrained(matrix - step * gradient)
                moved = float(xp.sum((candidate - matrix) ** 2))
                candidate_loss, candidate_gradient = evaluate(candidate)
                if candidate_loss <= loss - _ARMIJO * moved / step and moved > 0:
                    break
                step /= 2
            else:
                break  # no step makes the loss fall: a minimum, as far as float32 can tell
            matrix, loss, gradient = candidate, candidate_loss, candidate_gradient
            note(step)
            if len(held) and _best_iteration(history) <= len(history) - 1 - _PATIENCE:
                break
        return matrix

    def _constrained(self, matrix: Any) -> Any:
        if self.constraint == "none":
            return matrix
        xp = namespace(matrix)
        u, s, vt = svd(xp.astype(matrix, xp.float64))
        return xp.astype((u * xp.minimum(s, xp.ones_like(s))) @ vt, xp.float32)


@dataclass(frozen=True)
class _Start:
    """Unit rows of both vocabularies in the space of the start, W there, and the maps that lead to it."""

    x: Any
    y: Any
    matrix: Any
    source_map: Any
    target_map: Any
    shrinkage: Shrinkage | Literal["auto"]


def _best_iteration(history: list[dict[str, float]]) -> int:
    """Return the first iteration with the best held-out rank."""
    return int(np.argmax([entry["held_out_mrr"] for entry in history]))


def _held_out_rank(space: _Start, matrix: Any, held: NDArray[np.int64]) -> float:
    """Mean reciprocal rank of the held-out translations, hubs measured against the frequent source words."""
    xp = namespace(space.x, space.y)
    words, position = np.unique(held[:, 0], return_inverse=True)
    gold: dict[int, list[int]] = {}
    for word, translation in zip(position.tolist(), held[:, 1].tolist(), strict=True):
        gold.setdefault(word, []).append(translation)
    sources = xp.concat([take_rows(space.x, words), _first_rows(space.x, _HELD_OUT_BACKGROUND)], axis=0)
    right = {word: np.array(translations, np.int64) for word, translations in gold.items()}
    return lexicon_score(unit_rows(sources @ matrix), space.y, right).mrr


def _first_rows(matrix: Any, count: int | None) -> Any:
    return matrix if count is None else matrix[: min(count, int(matrix.shape[0])), :]


def _mean_rows(xp: Any, matrix: Any, ids: NDArray[np.int64]) -> Any:
    """Mean of the rows named by each row of `ids`, in blocks."""
    n, k = ids.shape
    parts = []
    for first in range(0, n, _BLOCK):
        block = ids[first : first + _BLOCK]
        rows = xp.reshape(take_rows(matrix, block.ravel()), (block.shape[0], k, int(matrix.shape[1])))
        parts.append(xp.mean(rows, axis=1))
    return xp.concat(parts, axis=0)
