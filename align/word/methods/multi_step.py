"""The multi-step pipeline: whiten, rotate, re-weight, de-whiten, reduce."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import namespace, take_rows, to_numpy, unit_rows
from interlingua.align.linalg import svd
from interlingua.align.space import Normalization, SharedSpace, SpaceMap
from interlingua.align.word.evaluation import reciprocal_ranks

from . import WordMethod
from .procrustes import check_weighted_fit


def rare_words(
    pairs: NDArray[np.int64], weights: NDArray[np.float64], share: float, *, fewest: int
) -> NDArray[np.int64]:
    """Return the source words to validate on: the rarest `share` of those that can be trusted, at least `fewest`.

    Rarer is a higher row number. Trusted are the words with a pair of the largest weight, such as gold pairs beside
    induced ones; where these are fewer than `fewest`, all words are. Fewer are returned only if there are no more.

    Examples
    --------
    >>> rows = np.stack([np.arange(10), np.arange(10)], axis=1)
    >>> rare_words(rows, np.ones(10), 0.3, fewest=2).tolist()
    [7, 8, 9]
    """
    # subtle: weights divided by their sum may differ in the last bit
    words = np.unique(pairs[weights >= weights.max() * (1 - 1e-9), 0])
    if words.size < fewest:
        words = np.unique(pairs[:, 0])
    return np.asarray(words[-max(fewest, round(share * words.size)) :])


#: Grid of "auto", from nearly the raw covariance to nearly none of its shape.
_SHRINKAGES = (0.01, 0.03, 0.1, 0.3, 0.6, 0.9)
#: What "auto" takes unless another is clearly better.
_USUAL = (0.1, 0.3)
_FOLDS = 3
_RARE_SHARE = 0.4
_MOST_RARE = 1600
_FEWEST_WORDS = 20
_FEW_PAIRS_SHRINKAGE = 0.4
_MOST_PAIRS = 5000
# subtle: eigenvalues are squares, so this drops directions weaker than 1e-5 of the strongest, float32's noise
_RANK_TOLERANCE = 1e-10

Shrinkage = float | tuple[float, float]


@dataclass(kw_only=True, eq=False)
class MultiStep(WordMethod):
    """Align two spaces by the multi-step pipeline of linear maps, from translation pairs.

    Both languages are mapped, and directions in which they agree are made longer. With A and B the rows of the p
    pairs after normalisation, w their weights, of sum one, and C_A = Aᵀ diag(w) A, C_B = Bᵀ diag(w) B shrunk, the
    steps are [1]_

    1. whiten: A C_A^-1/2 and B C_B^-1/2 have uncorrelated columns of equal variance;
    2. rotate: U S Vᵀ = C_A^-1/2 Aᵀ diag(w) B C_B^-1/2 (thin), columns x U and y V are correlated in pairs by S;
    3. re-weight: multiply by S^a and S^b;
    4. de-whiten: multiply by Uᵀ C_A^1/2 U and Vᵀ C_B^1/2 V (left out by default);
    5. reduce: keep the first columns.

    so that W_source = C_A^-1/2 U S^a, times Uᵀ C_A^1/2 U with step 4, and W_target likewise. The dimensions of source
    and target may differ; the common space has the smaller of the two.

    Parameters
    ----------
    normalize : str or tuple of {"unit", "centre"}
        Steps on both sides before, learned on the whole vocabularies (see `Normalization`).
    reweight_source, reweight_target : float
        The exponents a and b; 0 leaves the columns as they are.
    shrinkage : "auto", float or tuple of two float
        s in [0, 1]: C becomes (1 - s) C + s (trace(C) / d) I [2]_; a tuple gives source and target their own. It
        keeps the inverse bounded when there are few pairs. "auto" chooses both by cross-validation over the pairs;
        with fewer than 20 source words to validate on, it takes 0.4. 0 inverts only in the span of the pairs.
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
    validation_ : dict of tuple of two float to float
        Mean reciprocal rank of each (source, target) shrinkage tried; empty unless cross-validated.

    Notes
    -----
    The classical setting is ``dewhiten=True, reweight_source=0.5, reweight_target=0.5``, with a shrinkage of 0. The
    default leaves the common space whitened and takes exponents of 1: the inner product is then x C_A^-1/2 U S^2 Vᵀ
    C_B^-1/2 yᵀ, canonical correlation analysis with each pair of directions weighted by its squared correlation.
    De-whitening makes long again the directions in which one language alone varies most.

    The cross-validation (at most 5,000 pairs) ranks held-out source words among the targets of the dictionary, by
    CSLS; it sees no other data. It holds out only words of the rarest 40 % (higher row numbers, at most 1,600; those
    of the largest weight where weights differ), a third of them at a time: dictionaries list frequent words, but words
    to be translated are mostly rarer than those, and a setting that is best for frequent words is not best for rare
    ones. It tries equal values of 0.01 to 0.9 on both sides and climbs from the best of them to unequal ones; of all
    that come within two standard errors of the best (of the difference, word by word) it takes the nearest to
    (0.1, 0.3), since the best of many is partly the luckiest. Where the same spaces are fitted again and again, as in
    self-learning, give the shrinkage as numbers. Everything but the ranking is float64.

    With p < d pairs, p columns at most are not zero, for that many directions are all that the pairs can show.

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

    name: ClassVar[str] = "multi-step"

    normalize: str | tuple[Any, ...] = "iterative"
    reweight_source: float = 1.0
    reweight_target: float = 1.0
    shrinkage: Shrinkage | Literal["auto"] = "auto"
    dimension: int | None = None
    whiten: bool = True
    dewhiten: bool = False
    seed: int = 0

    def fit(
        self,
        source: Any,
        target: Any,
        pairs: Any,
        *,
        weights: Any = None,
        names: tuple[str, str] = ("source", "target"),
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
        weights : (p,) array of float, optional
            How much each pair counts, not negative; only their proportions matter.
        names : tuple of two str
            What the two languages are called in the shared space.

        Raises
        ------
        ValueError
            If a pair points outside the vocabularies, there is none, or a parameter is out of range.
        """
        source, target, rows, shares = check_weighted_fit(source, target, pairs, weights, names)
        self._check_parameters(min(int(source.shape[1]), int(target.shape[1])))
        source_steps = Normalization.fit(source, self.normalize)
        target_steps = Normalization.fit(target, self.normalize)
        a = source_steps.transform(take_rows(source, rows[:, 0]))
        b = target_steps.transform(take_rows(target, rows[:, 1]))
        self.validation_: dict[tuple[float, float], float] = {}
        self.shrinkage_ = self._choose_shrinkage(a, b, rows, shares)
        source_map, target_map, correlations = _Steps(a, b, shares, self).maps(self.shrinkage_)
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
        if self.shrinkage != "auto":
            _both_shrinkages(self.shrinkage)
        if self.dimension is not None and not 1 <= self.dimension <= smaller:
            raise ValueError(
                f"dimension must lie between 1 and the smaller dimension of the two spaces, {smaller}, "
                f"but is {self.dimension}; leave it out to keep all"
            )

    def _choose_shrinkage(
        self, a: Any, b: Any, rows: NDArray[np.int64], shares: NDArray[np.float64]
    ) -> tuple[float, float]:
        if not self.whiten:
            return 0.0, 0.0
        if self.shrinkage != "auto":
            return _both_shrinkages(self.shrinkage)
        if len(rows) > _MOST_PAIRS:
            # subtle: the heaviest first, so that gold pairs are never crowded out by induced ones
            order = np.random.default_rng(self.seed).permutation(len(rows))
            kept = np.sort(order[np.argsort(-shares[order], kind="stable")][:_MOST_PAIRS])
            a, b, rows, shares = take_rows(a, kept), take_rows(b, kept), rows[kept], shares[kept]
        words = rare_words(rows, shares, _RARE_SHARE, fewest=_FEWEST_WORDS)[-_MOST_RARE:]
        if words.size < _FEWEST_WORDS:
            return _FEW_PAIRS_SHRINKAGE, _FEW_PAIRS_SHRINKAGE
        ranks = _climb(_Validation(a, b, rows, shares, words, self))
        self.validation_ = {both: float(each.mean()) for both, each in ranks.items()}
        return _choose(ranks)


def _both_shrinkages(shrinkage: Any) -> tuple[float, float]:
    both = shrinkage if isinstance(shrinkage, tuple | list) else (shrinkage, shrinkage)
    if len(both) != 2 or not all(isinstance(each, int | float) and 0 <= float(each) <= 1 for each in both):
        raise ValueError(
            f"shrinkage must be 'auto' or lie in [0, 1], or be two such numbers for source and target, "
            f"but is {shrinkage!r}"
        )
    return float(both[0]), float(both[1])


class _Steps:
    """Products and eigenvectors of one set of pairs, from which the maps of any shrinkage follow cheaply."""

    def __init__(self, a: Any, b: Any, shares: NDArray[np.float64], settings: MultiStep) -> None:
        xp = self.xp = namespace(a, b)
        self.settings = settings
        a, b = xp.astype(a, xp.float64), xp.astype(b, xp.float64)
        weights = xp.asarray(shares[:, None], dtype=xp.float64, device=a.device)
        weighted = xp.matrix_transpose(weights * a)
        self.products = weighted @ b
        if settings.whiten:
            self.eigen = xp.linalg.eigh(weighted @ a), xp.linalg.eigh(xp.matrix_transpose(weights * b) @ b)
        self.powers: dict[tuple[int, float], tuple[Any, Any]] = {}

    def maps(self, shrinkage: tuple[float, float]) -> tuple[Any, Any, Any]:
        """Return the maps after steps 1 to 5, and the correlations."""
        xp, settings = self.xp, self.settings
        if settings.whiten:
            (whiten_a, colour_a), (whiten_b, colour_b) = (self._powers(side, shrinkage[side]) for side in (0, 1))
            u, s, vt = svd(whiten_a @ self.products @ whiten_b)
            first, second = whiten_a @ u, whiten_b @ xp.matrix_transpose(vt)
        else:
            u, s, vt = svd(self.products)
            first, second = u, xp.matrix_transpose(vt)
        first, second = first * s**settings.reweight_source, second * s**settings.reweight_target
        if settings.whiten and settings.dewhiten:
            first = first @ (xp.matrix_transpose(u) @ colour_a @ u)
            second = second @ (vt @ colour_b @ xp.matrix_transpose(vt))
        kept = settings.dimension or int(s.shape[0])
        return xp.astype(first[:, :kept], xp.float32), xp.astype(second[:, :kept], xp.float32), s[:kept]

    def _powers(self, side: int, shrinkage: float) -> tuple[Any, Any]:
        """C^-1/2 and C^1/2 of the shrunk covariance; the pseudo-inverse where it is singular."""
        if (side, shrinkage) not in self.powers:
            xp, (values, vectors) = self.xp, self.eigen[side]
            values = (1 - shrinkage) * xp.maximum(values, xp.zeros_like(values)) + shrinkage * xp.mean(values)
            kept = values > _RANK_TOLERANCE * xp.max(values)
            root = xp.sqrt(xp.where(kept, values, xp.ones_like(values)))
            inverse = xp.where(kept, 1.0 / root, xp.zeros_like(root))
            root = xp.where(kept, root, xp.zeros_like(root))
            transposed = xp.matrix_transpose(vectors)
            colour = (vectors * root) @ transposed if self.settings.dewhiten else None
            self.powers[side, shrinkage] = (vectors * inverse) @ transposed, colour
        return self.powers[side, shrinkage]


class _Validation:
    """The mean reciprocal rank of rare words, each held out in one fold."""

    def __init__(
        self,
        a: Any,
        b: Any,
        rows: NDArray[np.int64],
        shares: NDArray[np.float64],
        words: NDArray[np.int64],
        settings: MultiStep,
    ) -> None:
        _, first, translation_of = np.unique(rows[:, 1], return_index=True, return_inverse=True)
        self.candidates = take_rows(b, first)
        self.folds: list[tuple[_Steps, Any, tuple[NDArray[np.int64], NDArray[np.int64]]]] = []
        for held in np.array_split(np.random.default_rng(settings.seed).permutation(words), _FOLDS):
            out = np.isin(rows[:, 0], held)
            kept = np.flatnonzero(~out & (shares > 0))
            if not kept.size:
                continue
            steps = _Steps(take_rows(a, kept), take_rows(b, kept), shares[kept] / shares[kept].sum(), settings)
            _, at, query_of = np.unique(rows[out, 0], return_index=True, return_inverse=True)
            gold = (query_of.ravel(), translation_of.ravel()[out])
            self.folds.append((steps, take_rows(a, np.flatnonzero(out)[at]), gold))

    def __call__(self, shrinkage: tuple[float, float]) -> NDArray[np.float64]:
        """Return one reciprocal rank a word, 0 beyond the best ten."""
        parts = []
        for steps, queries, gold in self.folds:
            first, second, _ = steps.maps(shrinkage)
            candidates = unit_rows(self.candidates @ second)
            parts.append(_ranks(to_numpy(unit_rows(queries @ first)), to_numpy(candidates), gold))
        return reciprocal_ranks(np.concatenate(parts))


def _ranks(queries: Any, candidates: Any, gold: tuple[NDArray[np.int64], NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the rank by CSLS of the best gold candidate of each query, 0 beyond ten; the queries are all there are.

    A rank is the number of candidates that score higher, or as high and stand before, so that nothing is sorted.
    """
    scores = queries @ candidates.T
    k = min(10, len(queries))
    scores *= 2
    scores -= np.partition(scores.T, len(queries) - k, axis=1)[:, len(queries) - k :].mean(axis=1) / 2
    rows, columns = gold
    own = scores[rows, columns]
    if len(rows) > len(queries) or (rows != np.arange(len(rows))).any():
        scores = scores[rows]
    higher = np.count_nonzero(scores > own[:, None], axis=1)
    equal = np.flatnonzero(np.count_nonzero(scores >= own[:, None], axis=1) > higher + 1)
    before = np.arange(len(candidates)) < columns[equal, None]
    higher[equal] += np.count_nonzero((scores[equal] == own[equal, None]) & before, axis=1)
    best = np.full(len(queries), len(candidates))
    np.minimum.at(best, rows, higher)
    return np.where(best < 10, best + 1, 0).astype(np.int64)


def _climb(
    score: Callable[[tuple[float, float]], NDArray[np.float64]],
) -> dict[tuple[float, float], NDArray[np.float64]]:
    """Score equal shrinkages, then climb over the grid from the best to its neighbours."""
    grid = _SHRINKAGES
    tried = {_USUAL: score(_USUAL)}
    if bool((tried[_USUAL] == 1).all()):  # nothing can be gained
        return tried
    tried |= {both: score(both) for both in ((each, each) for each in grid)}
    while True:
        i, j = (grid.index(each) for each in max(tried, key=lambda both: float(tried[both].mean())))
        near = [
            (grid[k], grid[m])
            for k, m in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1))
            if 0 <= k < len(grid) and 0 <= m < len(grid) and (grid[k], grid[m]) not in tried
        ]
        if not near:
            return tried
        tried |= {both: score(both) for both in near}


def _choose(ranks: dict[tuple[float, float], NDArray[np.float64]]) -> tuple[float, float]:
    """Of those within two standard errors of the best, word by word, return the nearest to the usual pair."""
    best = max(ranks.values(), key=lambda each: float(each.mean()))
    near = [
        both for both, each in ranks.items() if (best - each).mean() <= 2 * (best - each).std() / np.sqrt(best.size)
    ]
    usual = np.log(_USUAL)
    return min(near, key=lambda both: (float(np.abs(np.log(both) - usual).sum()), both))
