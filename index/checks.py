"""Checks at the border: vectors, ids and k are looked at once, before anything is touched."""

from collections.abc import Sized
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .metric import Metric

__all__ = ["check_dimension", "check_ids", "check_k", "check_rows", "check_vectors", "shorten"]

# Squared distances of two vectors reach 4 times their largest squared norm, and must stay float32.
_LARGEST_SQUARED_NORM = float(np.finfo(np.float32).max) / 4

# A unit vector whose entries are rounded to float32 has a squared norm within (1 ± 2^-24)^2 of 1.
_UNIT = 2.0**-23 * 1.001


def check_vectors(vectors: ArrayLike, dimension: int, metric: Metric, *, name: str = "vectors") -> NDArray[np.float32]:
    """Return `vectors` as an (n, d) float32 array in C order, of unit length for `cosine`.

    The input is not modified; where nothing needs changing it is returned itself. Vectors that are of unit length to
    float32 are left as they are, so that what was scaled once is not changed by being scaled again.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If the array is empty or not (n, `dimension`), holds NaN or infinities or values beyond float32,
        or, for `cosine`, a zero vector.

    Examples
    --------
    >>> check_vectors([[3.0, 4.0]], 2, Metric.COSINE)
    array([[0.6, 0.8]], dtype=float32)
    >>> check_vectors([[0.0, 0.0]], 2, Metric.COSINE)
    Traceback (most recent call last):
    ...
    ValueError: vectors row 0 is a zero vector, which has no cosine; leave such rows out or use metric 'ip'
    """
    array = np.asarray(vectors)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must hold real numbers, not {array.dtype}")
    if array.ndim != 2:
        hint = f"; for one vector write {name}[None, :]" if array.ndim == 1 else ""
        raise ValueError(f"{name} must be an (n, {dimension}) array, but its shape is {array.shape}{hint}")
    if array.shape[1] != dimension:
        raise ValueError(
            f"{name} and the index differ in dimension ({array.shape[1]} vs {dimension}); "
            "encode both with the same model and the same shared space"
        )
    if len(array) == 0:
        raise ValueError(f"{name} is empty (shape {array.shape}); give at least one row")
    with np.errstate(over="ignore"):  # float64 beyond float32 becomes inf and is refused below
        single: NDArray[np.float32] = np.ascontiguousarray(array, dtype=np.float32)
    squared = np.einsum("ij,ij->i", single, single, dtype=np.float64)
    least, most = squared.min(), squared.max()  # subtle: NaN, if one is
    if not most <= _LARGEST_SQUARED_NORM:
        bad = np.flatnonzero(~(squared <= _LARGEST_SQUARED_NORM))
        raise ValueError(
            f"{name} row {bad[0]} holds NaN, infinite or too large values ({bad.size} such rows of "
            f"{len(array)}); remove or repair them first"
        )
    if metric is not Metric.COSINE or (1 - least <= _UNIT and most - 1 <= _UNIT):
        return single
    if least == 0:
        raise ValueError(
            f"{name} row {np.argmin(squared)} is a zero vector, which has no cosine; leave such rows out or use "
            "metric 'ip'"
        )
    other = np.abs(squared - 1) > _UNIT
    unit: NDArray[np.float32] = (single / np.sqrt(np.where(other, squared, 1.0))[:, None]).astype(np.float32)
    return unit


def check_rows(ids: Sized, vectors: ArrayLike, dimension: int, metric: Metric) -> NDArray[np.float32]:
    """Return `vectors` as `check_vectors` does, one for each of the checked ids.

    Raises
    ------
    ValueError
        If their numbers differ, or as `check_vectors`.
    """
    checked = check_vectors(vectors, dimension, metric)
    if len(checked) != len(ids):
        raise ValueError(f"ids and vectors differ in number ({len(ids)} vs {len(checked)})")
    return checked


def check_ids(ids: ArrayLike, *, name: str = "ids", unique: bool = True) -> NDArray[np.int64]:
    """Return `ids` as an (n,) int64 array of numbers >= 0, itself where it is one.

    Raises
    ------
    TypeError
        If they are not integers.
    ValueError
        If they are not one-dimensional, negative, or, with `unique`, repeated.
    """
    array = np.asarray(ids)
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, not {array.dtype}")
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, but its shape is {array.shape}")
    if array.dtype.kind == "u" and array.size and array.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{name} must fit into int64, but the largest is {array.max()}")
    whole: NDArray[np.int64] = array.astype(np.int64, copy=False)
    if whole.size and whole.min() < 0:
        raise ValueError(f"{name} must be >= 0 (-1 marks a missing result), but one is {whole.min()}")
    if unique:
        distinct, counts = np.unique(whole, return_counts=True)
        if len(distinct) < len(whole):
            raise ValueError(f"{name} must not repeat, but these do: {shorten(distinct[counts > 1].tolist())}")
    return whole


def check_k(k: int, *, name: str = "k") -> int:
    """Return `k`, the number of results a query, as an int of at least 1."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer):
        raise TypeError(f"{name} must be an integer, not {type(k).__name__}")
    if k < 1:
        raise ValueError(f"{name} must be at least 1, but is {k}")
    return int(k)


def check_dimension(dimension: int) -> int:
    """Return `dimension` as an int of at least 1."""
    if isinstance(dimension, bool) or not isinstance(dimension, int | np.integer):
        raise TypeError(f"dimension must be an integer, not {type(dimension).__name__}")
    if dimension < 1:
        raise ValueError(f"dimension must be at least 1, but is {dimension}")
    return int(dimension)


def shorten(values: list[Any], limit: int = 3) -> str:
    """Return the first values for an error text, and how many more there are.

    Examples
    --------
    >>> shorten(["a", "b", "c", "d", "e"])
    "'a', 'b', 'c' and 2 more"
    """
    text = ", ".join(repr(value) for value in values[:limit])
    return text if len(values) <= limit else f"{text} and {len(values) - limit} more"
