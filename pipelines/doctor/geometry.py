"""What the vectors of a store look like: lengths, directions, hubs, copies, and how they were rounded."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import unit_rows

_MOST = 3000
_NEIGHBOURS = 10
_SAME = 0.9999
_LEVELS = 256
_FEWEST = 8  # different numbers that tell how a row was rounded


@dataclass(frozen=True)
class Geometry:
    """Figures of the rows of a store; those over pairs are of 3,000 rows at most.

    Attributes
    ----------
    rows, dimension : int
    zero, not_finite : int
        Rows without a direction, and with NaN or infinity.
    shortest, longest : float
        Lengths of the vectors.
    mean_length : float
        Of the mean of the unit rows: 0 where all directions occur alike, 1 where all rows point the same way.
    mean_cosine : float
        Of two different rows.
    directions : float
        Directions that the variance is spread over: (sum of variances)^2 / sum of squares.
    hub : float
        How often the row that is a neighbour most often is one, among the ten nearest of each; 10 in the mean.
    copies : int
        Rows that another one equals.
    unused : int
        Numbers of a vector that are the same in all rows.
    precision : str
        "float32", or what the numbers were rounded to: "float16", "bfloat16", "int8", "binary".
    rounded : dict
        Where rows were rounded unlike: how many were to what.
    """

    rows: int
    dimension: int
    zero: int
    not_finite: int
    shortest: float
    longest: float
    mean_length: float
    mean_cosine: float
    directions: float
    hub: float
    copies: int
    unused: int
    precision: str
    rounded: dict[str, int] = field(default_factory=dict)

    def about(self) -> dict[str, Any]:
        """Return the figures as JSON can hold them."""
        return {name: round(each, 4) if isinstance(each, float) else each for name, each in vars(self).items()}


def geometry_of(vectors: NDArray[np.float32], *, seed: int = 0) -> Geometry:
    """Return the figures of some vectors (n, d).

    Raises
    ------
    ValueError
        If there are fewer than two rows with a direction.
    """
    given = np.asarray(vectors, np.float32)
    finite = np.isfinite(given).all(axis=1)
    lengths = np.linalg.norm(given, axis=1)
    sound = finite & (lengths > 0)
    if sound.sum() < 2:
        raise ValueError(
            f"two vectors or more tell what a store is, but {sound.sum()} of {len(given)} have a direction"
        )
    rows = np.asarray(unit_rows(given[sound]), np.float32)
    mean = rows.mean(axis=0)
    n = len(rows)
    told = precisions_of_rows(given[sound])
    kinds = np.unique(told[told != ""], return_counts=True)
    rng = np.random.default_rng(seed)
    some = rows[np.sort(rng.choice(n, _MOST, replace=False))] if n > _MOST else rows
    variances = np.maximum(np.linalg.eigvalsh(np.cov(some.T)), 0) if len(some) > 2 else np.ones(1)
    return Geometry(
        rows=len(given),
        dimension=given.shape[1],
        zero=int((finite & (lengths == 0)).sum()),
        not_finite=int((~finite).sum()),
        shortest=float(lengths[sound].min()),
        longest=float(lengths[sound].max()),
        mean_length=float(np.linalg.norm(mean)),
        mean_cosine=float((n * mean @ mean - 1) / (n - 1)),
        directions=float(variances.sum() ** 2 / max(np.square(variances).sum(), 1e-12)),
        hub=_most_neighboured(some),
        copies=len(rows) - len(np.unique(np.round(rows, 5), axis=0)),
        unused=int((np.ptp(given[finite], axis=0) == 0).sum()),
        precision=precision_of(given[sound][:_MOST]),
        rounded=dict(zip(*(each.tolist() for each in kinds), strict=True)) if len(kinds[0]) > 1 else {},
    )


def precisions_of_rows(rows: NDArray[np.float32]) -> NDArray[np.str_]:
    """Return what each row by itself was rounded to, as `precision_of`; "" where it has too few numbers to tell.

    A row of 8 bits is told where all its numbers have one scale without offset.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(3, 16)).astype(np.float32)
    >>> rows[1] = np.round(rows[1] * 127 / abs(rows[1]).max())
    >>> precisions_of_rows(rows).tolist()
    ['float32', 'int8', 'float32']
    """
    found = np.full(len(rows), "float32", dtype="<U8")
    for start in range(0, len(rows), _MOST):
        some = rows[start : start + _MOST]
        sizes = np.abs(some)
        kinds = found[start : start + _MOST]
        with np.errstate(over="ignore"):
            kinds[(some.astype(np.float16).astype(np.float32) == some).all(axis=1)] = "float16"
        kinds[((some.view(np.uint32) & 0xFFFF) == 0).all(axis=1)] = "bfloat16"
        least = np.where(sizes > 0, sizes, np.inf).min(axis=1, keepdims=True)
        scaled = some / np.where(sizes.max(axis=1, keepdims=True) > 0, sizes.max(axis=1, keepdims=True), 1)
        for steps in (_LEVELS // 2 - 1, _LEVELS // 2):
            kinds[(np.abs(scaled * steps - np.round(scaled * steps)) < 1e-3).all(axis=1)] = "int8"
        small = (some == np.round(some)).all(axis=1) & (sizes.max(axis=1) <= _LEVELS)
        kinds[small] = "int8"
        kinds[(sizes == least).all(axis=1)] = "binary"
        ordered = np.sort(sizes, axis=1)
        different = (np.diff(ordered, axis=1) > 0).sum(axis=1) + 1
        kinds[(different < _FEWEST) & (kinds != "binary")] = ""
    return found


def precision_of(rows: NDArray[np.float32]) -> str:
    """Return what the numbers were rounded to before they became float32.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(40, 16)).astype(np.float32)
    >>> precision_of(rows), precision_of(rows.astype(np.float16).astype(np.float32))
    ('float32', 'float16')
    """
    if len(np.unique(rows)) <= 2:
        return "binary"
    if (rows.view(np.uint32) & 0xFFFF == 0).all():
        return "int8" if _few_levels(rows) else "bfloat16"
    with np.errstate(over="ignore"):
        if (rows.astype(np.float16).astype(np.float32) == rows).all():
            return "int8" if _few_levels(rows) else "float16"
    return "int8" if _few_levels(rows) else "float32"


def _few_levels(rows: NDArray[np.float32]) -> bool:
    """Tell whether numbers lie on a scale of 256 steps, of all rows, of each number, or of each row."""
    if rows.size <= 8 * _LEVELS:
        return False
    if len(np.unique(rows)) <= _LEVELS:
        return True
    if len(rows) > 4 * _LEVELS and max(len(np.unique(each)) for each in rows[:, :16].T) <= _LEVELS:
        return True
    largest = np.abs(rows[:50]).max(axis=1, keepdims=True)
    scaled = rows[:50] / np.where(largest > 0, largest, 1) * (_LEVELS // 2 - 1)
    return bool(np.abs(scaled - np.round(scaled)).max() < 1e-3)


def _most_neighboured(rows: NDArray[np.float32]) -> float:
    if len(rows) <= _NEIGHBOURS:
        return float("nan")
    near = rows @ rows.T
    np.fill_diagonal(near, -2)
    found = np.argpartition(near, -_NEIGHBOURS, axis=1)[:, -_NEIGHBOURS:]
    return float(np.bincount(found.ravel(), minlength=len(rows)).max())
