"""Generalised Procrustes: one rotation a language, all learned at once from dictionaries between any of them."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import as_matrix, take_known, to_numpy
from interlingua.align.linalg import svd
from interlingua.align.space import Normalization, SharedSpace, SpaceMap
from interlingua.align.word.methods import Callback
from interlingua.align.word.methods.procrustes import check_directions, check_pairs

Products = Mapping[tuple[str, str], NDArray[np.float64]]
Pairs = Mapping[tuple[str, str], NDArray[np.int64]]


def joint_rotations(
    products: Products,
    dimensions: Mapping[str, int],
    *,
    max_iterations: int = 200,
    tolerance: float = 1e-7,
    callback: Callback | None = None,
) -> tuple[dict[str, NDArray[np.float64]], tuple[dict[str, float], ...]]:
    """Find one semi-orthogonal map a space that maximises the sum of all paired inner products.

    With A_ab = sum over pairs (x, y) of spaces a and b of x yᵀ, it climbs

        f(R) = sum over ab of trace(R_aᵀ A_ab R_b),   R_a R_aᵀ = I,

    one space at a time: with the others fixed, the best R_a is U Vᵀ of the thin singular value decomposition
    sum over b of A_ab R_b = U S Vᵀ, so that f never falls. For complete rows that is the classical generalised
    Procrustes problem [1]_: sum over a of ||X_a R_a - mean||² is smallest where f is largest.

    Parameters
    ----------
    products : mapping of (str, str) to (d_a, d_b) array of float64
        A_ab, each unordered pair of spaces once.
    dimensions : mapping of str to int
        d of each space, in the order in which they take turns. The common space has the largest.
    max_iterations : int
        Rounds over all spaces.
    tolerance : float
        Stop when a round raises f by less than this share.
    callback : callable, optional
        Called with {"iteration", "objective"} after each round.

    Returns
    -------
    rotations : dict of str to (d_a, D) array of float64
        That of the space with the largest dimension (the first of equals) begins as the identity.
    history : tuple of dict
        What the callback got; f is divided by the largest it could be, sum of the nuclear norms of A_ab, and so
        lies at most at 1.

    Raises
    ------
    ValueError
        If a space is tied to the others by no pair, directly or not.

    Warns
    -----
    RuntimeWarning
        If `max_iterations` rounds did not reach `tolerance`.

    References
    ----------
    .. [1] Gower (1975), "Generalized Procrustes analysis", Psychometrika 40. doi:10.1007/BF02291478
    """
    towards: dict[str, dict[str, NDArray[np.float64]]] = {name: {} for name in dimensions}
    for (a, b), product in products.items():
        towards[a][b], towards[b][a] = product, product.T
    common = max(dimensions.values())
    rotations = _first_rotations(towards, dimensions, common)
    bound = sum(float(svd(product)[1].sum()) for product in products.values()) or 1.0
    history: list[dict[str, float]] = []
    previous = -np.inf
    for iteration in range(1, max_iterations + 1):
        for name in dimensions:
            rotations[name] = _polar(_pull(towards[name], rotations, dimensions[name], common))
        objective = sum(float(np.sum(rotations[a] * (p @ rotations[b]))) for (a, b), p in products.items()) / bound
        history.append({"iteration": iteration, "objective": objective})
        if callback is not None:
            callback(history[-1])
        if objective - previous <= tolerance * abs(objective):
            break
        previous = objective
    else:
        if len(dimensions) > 2:  # two spaces are solved in closed form by the first round
            warnings.warn(
                f"the joint rotation still rose after max_iterations={max_iterations} rounds "
                f"(objective {objective:.6f}, tolerance={tolerance}); raise max_iterations or tolerance",
                RuntimeWarning,
                stacklevel=3,
            )
    return rotations, tuple(history)


def cross_products(vectors: Mapping[str, Any], pairs: Pairs) -> dict[tuple[str, str], NDArray[np.float64]]:
    """Return the sum of x yᵀ over the pairs of each two languages, in float64."""
    return {
        (a, b): vectors[a][rows[:, 0]].astype(np.float64).T @ vectors[b][rows[:, 1]].astype(np.float64)
        for (a, b), rows in pairs.items()
    }


def named_pairs(pairs: Mapping[tuple[str, str], Any], counts: Mapping[str, int]) -> dict[tuple[str, str], Any]:
    """Check pairwise dictionaries and return them as int64, each two languages once.

    Parameters
    ----------
    pairs : mapping of (language, language) to (p, 2) array of int
        Rows of the first and of the second language.
    counts : mapping of str to int
        Size of each vocabulary.

    Raises
    ------
    ValueError
        If a language is unknown or tied to itself, or as in `check_pairs`.
    """
    merged: dict[tuple[str, str], list[NDArray[np.int64]]] = {}
    for (a, b), rows in pairs.items():
        if a not in counts or b not in counts or a == b:
            raise ValueError(
                f"each dictionary joins two different languages with vectors ({', '.join(counts)}), but one joins "
                f"{a!r} and {b!r}"
            )
        checked = check_pairs(rows, counts[a], counts[b])
        if (b, a) in merged:
            merged[b, a].append(checked[:, ::-1])
        else:
            merged.setdefault((a, b), []).append(checked)
    return {key: np.concatenate(parts) for key, parts in merged.items()}


def compose_pairs(pairs: Pairs, languages: Sequence[str]) -> dict[tuple[str, str], NDArray[np.int64]]:
    """Return the dictionaries that follow through a third language, where there is no direct one.

    A word of a and a word of b are a pair if some word of a third language is paired with both. Each pair is there
    once; a third language's word with many translations gives all combinations.

    Examples
    --------
    >>> pairs = {("en", "fr"): np.array([[0, 5], [1, 6]]), ("en", "ru"): np.array([[1, 7], [1, 8]])}
    >>> {key: rows.tolist() for key, rows in compose_pairs(pairs, ["en", "fr", "ru"]).items()}
    {('fr', 'ru'): [[6, 7], [6, 8]]}
    """
    both = dict(pairs) | {(b, a): rows[:, ::-1] for (a, b), rows in pairs.items()}
    found: dict[tuple[str, str], NDArray[np.int64]] = {}
    for place, a in enumerate(languages):
        for b in languages[place + 1 :]:
            if (a, b) in both:
                continue
            parts = [_join(both[via, a], both[via, b]) for via in languages if (via, a) in both and (via, b) in both]
            if sum(map(len, parts)):
                found[a, b] = np.unique(np.concatenate(parts), axis=0)
    return found


def pairs_of_rows(rows: Any, languages: Sequence[str], counts: Mapping[str, int]) -> dict[tuple[str, str], Any]:
    """Return the pairs of each two languages in n-way rows; -1 stands for a missing word.

    Raises
    ------
    ValueError
        If the shape is not (p, number of languages), or a row number is out of range.
    """
    table = np.asarray(rows)
    if table.ndim != 2 or table.shape[1] != len(languages) or not np.issubdtype(table.dtype, np.integer):
        raise ValueError(
            f"rows must be integers of shape (p, {len(languages)}), a column for each of {', '.join(languages)}, "
            f"but have shape {table.shape} and type {table.dtype}"
        )
    if table.size and table.min() < -1:
        raise ValueError(f"rows hold row numbers, or -1 for a missing word, but one is {table.min()}")
    found = {}
    for (i, a), (j, b) in _combinations(languages):
        both = table[(table[:, i] >= 0) & (table[:, j] >= 0)][:, [i, j]]
        if len(both):
            found[a, b] = check_pairs(both, counts[a], counts[b])
    return found


def vocabularies(vectors: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
    """Return the vectors of each language as float32 NumPy arrays, and refuse fewer than two languages."""
    if len(vectors) < 2:
        raise ValueError(f"at least two languages are needed, but there is {', '.join(vectors) or 'none'}")
    return {name: to_numpy(as_matrix(each, f"vectors of {name!r}")) for name, each in vectors.items()}


def _join(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pair the second columns of rows that agree in the first."""
    by_word: dict[int, list[int]] = {}
    for via, word in right.tolist():
        by_word.setdefault(via, []).append(word)
    joined = [(word, other) for via, word in left.tolist() for other in by_word.get(via, ())]
    return np.array(joined, np.int64).reshape(-1, 2)


def _first_rotations(
    towards: Mapping[str, Mapping[str, NDArray[np.float64]]], dimensions: Mapping[str, int], common: int
) -> dict[str, NDArray[np.float64]]:
    """Begin with the largest space as it is, and fit each next one to those that are placed already."""
    root = max(dimensions, key=lambda name: dimensions[name])
    rotations = {root: np.eye(dimensions[root], common)}
    while len(rotations) < len(dimensions):
        reachable = [name for name in dimensions if name not in rotations and rotations.keys() & towards[name].keys()]
        if not reachable:
            left = ", ".join(name for name in dimensions if name not in rotations)
            raise ValueError(
                f"no dictionary ties {left} to {', '.join(rotations)}; give pairs that join all languages into one "
                "network, directly or through others"
            )
        name = max(
            reachable, key=lambda each: sum(len(towards[each][other]) for other in rotations.keys() & towards[each])
        )
        rotations[name] = _polar(_pull(towards[name], rotations, dimensions[name], common))
    return rotations


def _pull(
    towards: Mapping[str, NDArray[np.float64]], rotations: Mapping[str, NDArray[np.float64]], rows: int, columns: int
) -> NDArray[np.float64]:
    """Sum A_ab R_b over the placed neighbours b."""
    total = np.zeros((rows, columns))
    for other, product in towards.items():
        if other in rotations:
            total += product @ rotations[other]
    return total


def _polar(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    u, _, vt = svd(matrix)
    result: NDArray[np.float64] = u @ vt
    return result


def _combinations(languages: Sequence[str]) -> Iterable[tuple[tuple[int, str], tuple[int, str]]]:
    numbered = list(enumerate(languages))
    return ((first, second) for first in numbered for second in numbered[first[0] + 1 :])


@dataclass(kw_only=True, eq=False)
class GeneralizedProcrustes:
    """Align many languages at once by one orthogonal map each, from dictionaries between any of them.

    The maps maximise the sum of inner products over all translation pairs (see `joint_rotations`), so that no
    language is the centre. Dimensions may differ; the common space has the largest [1]_.

    Parameters
    ----------
    normalize : str or tuple of {"unit", "centre"}
        Steps on every language before, learned on the whole vocabularies (see `Normalization`).
    compose : bool
        Two languages without a dictionary of their own get the pairs that share a word of a third. Without them,
        what a language has beyond the dimension of its only partner would be turned arbitrarily.
    max_iterations, tolerance
        When to stop, as in `joint_rotations`.

    Attributes
    ----------
    space_ : SharedSpace
        The maps of all languages, after `fit`.
    history_ : tuple of dict
        Iteration and objective, which never falls, as a share of what each dictionary alone could reach.

    References
    ----------
    .. [1] Kementchedjhieva, Ruder, Cotterell and Søgaard (2018), "Generalizing Procrustes analysis for better
       bilingual dictionary induction", CoNLL. doi:10.18653/v1/K18-1021

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(60, 4)).astype(np.float32)
    >>> turned = {name: x @ np.linalg.qr(rng.normal(size=(4, 4)))[0].astype(np.float32) for name in ("en", "fr", "ru")}
    >>> same = np.stack([np.arange(30)] * 2, axis=1)
    >>> space = GeneralizedProcrustes().fit(turned, {("en", "fr"): same, ("fr", "ru"): same}).space_
    >>> bool(np.allclose(space.transform(turned["en"], "en"), space.transform(turned["ru"], "ru"), atol=1e-5))
    True
    """

    normalize: str | tuple[Any, ...] = "unit-centre-unit"
    compose: bool = True
    max_iterations: int = 200
    tolerance: float = 1e-7

    def fit(
        self,
        vectors: Mapping[str, Any],
        pairs: Mapping[tuple[str, str], Any] | None = None,
        *,
        rows: Any | None = None,
        callback: Callback | None = None,
    ) -> "GeneralizedProcrustes":
        """Learn all maps.

        Parameters
        ----------
        vectors : mapping of str to (n, d) array
            The whole vocabulary of each language, most frequent first; at least two.
        pairs : mapping of (language, language) to (p, 2) array of int, optional
            Dictionaries. All languages must hang together.
        rows : (q, number of languages) array of int, optional
            N-way dictionary: in each row the words that mean the same, in the order of `vectors`; -1 where a language
            has none. Both may be given.
        callback : callable, optional
            Called with {"iteration", "objective"} after each round.

        Raises
        ------
        ValueError
            If neither is given, a row is out of range, or a language hangs on nothing.
        """
        arrays = vocabularies(vectors)
        counts = {name: len(each) for name, each in arrays.items()}
        given = named_pairs(pairs or {}, counts)
        if rows is not None:
            for key, found in pairs_of_rows(rows, tuple(arrays), counts).items():
                given = named_pairs(given | {key: np.concatenate([given.get(key, found[:0]), found])}, counts)
        if not given:
            raise ValueError("at least one pair is needed, but neither pairs nor rows hold any")
        n_given = sum(map(len, given.values()))
        if self.compose:
            given |= compose_pairs(given, tuple(arrays))
        for name, each in arrays.items():
            check_directions(take_known(each), f"the vectors of {name!r}")
        steps = {name: Normalization.fit(each, self.normalize) for name, each in arrays.items()}
        normal = {name: steps[name].transform(each) for name, each in arrays.items()}
        rotations, self.history_ = joint_rotations(
            cross_products(normal, given),
            {name: each.shape[1] for name, each in arrays.items()},
            max_iterations=self.max_iterations,
            tolerance=self.tolerance,
            callback=callback,
        )
        self.space_ = SharedSpace(
            {name: SpaceMap(steps[name], rotations[name].astype(np.float32)) for name in arrays},
            method="generalized-procrustes",
            provenance={"pairs": n_given, "composed_pairs": sum(map(len, given.values())) - n_given},
        )
        return self
