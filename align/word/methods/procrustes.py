"""Orthogonal Procrustes: the rotation that brings translation pairs together."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import as_matrix, known_rows, namespace, take_known, take_rows, to_numpy, unit_rows
from interlingua.align.linalg import svd
from interlingua.align.space import Normalization, SharedSpace, SpaceMap

from . import WordMethod

_ROUNDING = 1e-6  # between unit vectors of one direction
_FIRST = 64  # vectors that are looked at before all are


def orthogonal_map(source: Any, target: Any) -> Any:
    """Find the semi-orthogonal W that maximises the sum of inner products of x_i W and y_i.

    With A the source rows and B the target rows, W = U Vᵀ from the thin singular value decomposition
    Aᵀ B = U S Vᵀ [1]_. For equal dimensions W is orthogonal and also minimises ||A W - B||_F; from d_source to a
    larger d_target it is an isometric embedding, W Wᵀ = I; to a smaller one a projection, Wᵀ W = I.

    Parameters
    ----------
    source : (p, d_source) array
        One row a pair.
    target : (p, d_target) array
        The translations, row by row. A pair given twice counts twice.

    Returns
    -------
    (d_source, d_target) array of float32
        In the namespace of the inputs. The determinant may be -1: reflections are allowed.

    Raises
    ------
    ValueError
        If the numbers of rows differ or there is no row.

    Notes
    -----
    The decomposition runs in float64. With fewer independent pairs than dimensions the part of W that the pairs
    do not determine is orthogonal but arbitrary.

    References
    ----------
    .. [1] Schönemann (1966), "A generalized solution of the orthogonal Procrustes problem", Psychometrika 31.
       doi:10.1007/BF02289451

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(50, 3)).astype(np.float32)
    >>> rotation = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]], dtype=np.float32)
    >>> bool(np.allclose(orthogonal_map(x, x @ rotation), rotation, atol=1e-6))
    True
    """
    source, target = as_matrix(source, "source"), as_matrix(target, "target")
    if source.shape[0] != target.shape[0] or source.shape[0] == 0:
        raise ValueError(
            f"source and target must have one row for each pair, at least one, "
            f"but have {source.shape[0]} and {target.shape[0]} rows"
        )
    xp = namespace(source, target)
    products = xp.matrix_transpose(xp.astype(source, xp.float64)) @ xp.astype(target, xp.float64)
    u, _, vt = svd(products)
    return xp.astype(u @ vt, xp.float32)


@dataclass(kw_only=True, eq=False)
class Procrustes(WordMethod):
    """Align two spaces of word vectors by an orthogonal map, from translation pairs.

    The common space is the target's; the source is rotated into it. Source and target may differ in dimension.

    Parameters
    ----------
    normalize : str or tuple of {"unit", "centre"}
        Steps on both sides before the rotation, learned on the whole vocabularies (see `Normalization`).

    Attributes
    ----------
    space_ : SharedSpace
        The maps of both languages, after `fit`.
    matrix_ : (d_source, d_target) array of float32
        The rotation.

    See Also
    --------
    orthogonal_map : the closed form alone.

    References
    ----------
    .. [1] Xing, Wang, Liu and Lin (2015), "Normalized word embedding and orthogonal transform for bilingual word
       translation", NAACL. doi:10.3115/v1/N15-1104
    .. [2] Artetxe, Labaka and Agirre (2016), "Learning principled bilingual mappings of word embeddings while
       preserving monolingual invariance", EMNLP. doi:10.18653/v1/D16-1250

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> french = rng.normal(size=(200, 4)).astype(np.float32)
    >>> english = french @ np.linalg.qr(rng.normal(size=(4, 4)))[0].astype(np.float32)
    >>> pairs = np.stack([np.arange(20), np.arange(20)], axis=1)
    >>> space = Procrustes().fit(english, french, pairs, names=("en", "fr")).space_
    >>> close = space.transform(english[150:], "en") * space.transform(french[150:], "fr")
    >>> bool(close.sum(axis=1).min() > 0.999)
    True
    """

    name: ClassVar[str] = "procrustes"

    normalize: str | tuple[Any, ...] = "unit-centre-unit"

    def fit(
        self, source: Any, target: Any, pairs: Any, *, names: tuple[str, str] = ("source", "target")
    ) -> "Procrustes":
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
            If a pair points outside the vocabularies, there is none, or the two names are equal.
        """
        source, target, rows = check_fit(source, target, pairs, names)
        source_steps = Normalization.fit(source, self.normalize)
        target_steps = Normalization.fit(target, self.normalize)
        self.matrix_ = orthogonal_map(
            source_steps.transform(take_rows(source, rows[:, 0])),
            target_steps.transform(take_rows(target, rows[:, 1])),
        )
        self.space_ = SharedSpace(
            {names[0]: SpaceMap(source_steps, to_numpy(self.matrix_)), names[1]: SpaceMap(target_steps)},
            method="procrustes",
            provenance={"pairs": int(rows.shape[0])},
        )
        return self


def check_fit(source: Any, target: Any, pairs: Any, names: tuple[str, str]) -> tuple[Any, Any, NDArray[np.int64]]:
    """Return what an aligner's `fit` is given: the vocabularies as `check_vocabularies` and the pairs in their rows.

    Raises
    ------
    ValueError
        If the languages share a name, no pair has both vectors, a side has one direction only, or as `as_matrix` and
        `check_pairs`.
    """
    source, target, rows, _ = check_weighted_fit(source, target, pairs, None, names)
    return source, target, rows


def check_weighted_fit(
    source: Any, target: Any, pairs: Any, weights: Any, names: tuple[str, str]
) -> tuple[Any, Any, NDArray[np.int64], NDArray[np.float64]]:
    """Return what `check_fit` does, and the weights of the pairs that are left (see `check_weights`)."""
    matrices = _matrices(source, target, names)
    rows = check_pairs(pairs, int(matrices[0].shape[0]), int(matrices[1].shape[0]))
    shares = check_weights(weights, len(rows))
    known = [known_rows(each) for each in matrices]
    places = [_places(each, int(matrix.shape[0])) for each, matrix in zip(known, matrices, strict=True)]
    rows = np.stack(
        [rows[:, side] if each is None else each[rows[:, side]] for side, each in enumerate(places)], axis=1
    )
    kept = (rows >= 0).all(axis=1)
    if not kept.any():
        raise ValueError(
            f"at least one pair with both vectors is needed, but in each of {len(rows)} pairs one is all zeros"
        )
    shares = shares if kept.all() else check_weights(shares[kept], int(kept.sum()))
    first, second = (
        matrix if some is None else take_rows(matrix, some) for matrix, some in zip(matrices, known, strict=True)
    )
    check_directions(first, "source")
    check_directions(second, "target")
    return first, second, rows[kept], shares


def check_vocabularies(source: Any, target: Any, names: tuple[str, str]) -> tuple[Any, Any]:
    """Return both vocabularies as `as_matrix` does, without the words that have no vector, whose rows are zero.

    Raises
    ------
    ValueError
        If the languages share a name, a side has no vector or one direction only, or as `as_matrix`.
    """
    first, second = (take_known(each) for each in _matrices(source, target, names))
    for each, name in ((first, "source"), (second, "target")):
        if each.shape[0] == 0:
            raise ValueError(f"{name} must hold vectors, but no word has a vector: there is no row, or all are zero")
        check_directions(each, name)
    return first, second


def given_rows(pairs: NDArray[np.int64], source: Any, target: Any) -> NDArray[np.int64]:
    """Return pairs of words with vectors as rows of the vocabularies that were given (see `check_fit`)."""
    known = [known_rows(as_matrix(each, name)) for each, name in ((source, "source"), (target, "target"))]
    return np.stack(
        [pairs[:, side] if each is None else each[pairs[:, side]] for side, each in enumerate(known)], axis=1
    )


def _matrices(source: Any, target: Any, names: tuple[str, str]) -> tuple[Any, Any]:
    if names[0] == names[1]:
        raise ValueError(f"the two languages need two names, but both are called {names[0]!r}")
    return as_matrix(source, "source"), as_matrix(target, "target")


def _places(known: NDArray[np.int64] | None, n: int) -> NDArray[np.int64] | None:
    """Return where each of `n` rows stands among the known ones, -1 for the others; None where all are known."""
    if known is None:
        return None
    places = np.full(n, -1, np.int64)
    places[known] = np.arange(known.size)
    return places


def normalized(
    source: Any, target: Any, steps: str | tuple[Any, ...]
) -> tuple[tuple[Normalization, Normalization], tuple[Any, Any]]:
    """Learn the steps on both vocabularies; return these, and the vocabularies after them."""
    first, second = (Normalization.fit(each, steps) for each in (source, target))
    return (first, second), (first.transform(source), second.transform(target))


def check_directions(matrix: Any, name: str) -> None:
    """Raise ValueError if all vectors have one direction, so that nothing but rounding is left without their mean."""
    xp = namespace(matrix)

    def equal(rows: Any) -> bool:
        unit = unit_rows(rows)
        return bool(xp.max(xp.abs(unit - unit[:1, :])) <= _ROUNDING)

    if matrix.shape[0] > 1 and equal(matrix[: min(_FIRST, int(matrix.shape[0])), :]) and equal(matrix):
        raise ValueError(
            f"{name} must hold vectors of several directions, but all {matrix.shape[0]} have the same; look at what "
            "made them"
        )


def check_weights(weights: Any, n_pairs: int) -> NDArray[np.float64]:
    """Return the weights of the pairs divided by their sum; None makes all equal.

    Raises
    ------
    ValueError
        If there is not one for each pair, one is negative or not finite, or all are zero.

    Examples
    --------
    >>> check_weights([3, 1], 2).tolist()
    [0.75, 0.25]
    """
    if weights is None:
        return np.full(n_pairs, 1.0 / n_pairs)
    values = np.asarray(to_numpy(weights) if hasattr(weights, "shape") else weights, np.float64)
    if values.shape != (n_pairs,):
        raise ValueError(f"weights must be one number for each of the {n_pairs} pairs, but have shape {values.shape}")
    if not np.isfinite(values).all() or values.min() < 0 or values.max() == 0:
        raise ValueError(
            f"weights must be finite, not negative, and not all zero, but lie between {values.min()} and {values.max()}"
        )
    return np.asarray(values / values.sum())


def check_pairs(pairs: Any, n_source: int, n_target: int) -> NDArray[np.int64]:
    """Return `pairs` as a (p, 2) array of int64 with p >= 1 and every row inside the vocabularies."""
    rows = np.asarray(to_numpy(pairs) if hasattr(pairs, "shape") else pairs)
    if rows.size == 0:
        raise ValueError(
            "at least one pair is needed, but none was given; does the dictionary use the vocabulary's spelling "
            "(lower case)?"
        )
    if rows.ndim != 2 or rows.shape[1] != 2 or not np.issubdtype(rows.dtype, np.integer):
        raise ValueError(
            f"pairs must be integers of shape (p, 2), source row and target row, "
            f"but have shape {rows.shape} and type {rows.dtype}"
        )
    for side, count, name in ((0, n_source, "source"), (1, n_target, "target")):
        if rows[:, side].min() < 0 or rows[:, side].max() >= count:
            raise ValueError(
                f"pairs must point to {name} rows 0 to {count - 1}, "
                f"but hold {rows[:, side].min()} to {rows[:, side].max()}"
            )
    return rows.astype(np.int64)
