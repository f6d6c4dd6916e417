"""Vectors of pieces whose mean over a text is nearest to the vector that an encoder gives the text: sparse ridge."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

_STEPS = 60
_DONE = 1e-4  # of the first residual


def bags_of(cut: Sequence[Sequence[int]], size: int) -> Any:
    """Return the (n, size) sparse array of the pieces' shares in each text; the unknown piece 0 has none.

    Parameters
    ----------
    cut : sequence of sequences of int
        The pieces of each text, by number.
    size : int

    Examples
    --------
    >>> bags_of([[1, 0, 2, 2, 1, 2, 1], []], 3).toarray().tolist()
    [[0.0, 0.5, 0.5], [0.0, 0.0, 0.0]]
    """
    from scipy import sparse

    known = [[piece for piece in each if piece] for each in cut]
    counts = np.array([len(each) for each in known], dtype=np.int64)
    columns = np.fromiter(chain.from_iterable(known), np.int64, count=int(counts.sum()))
    shares = np.repeat(1 / np.maximum(counts, 1), counts).astype(np.float32)
    bags = sparse.csr_array((shares, columns, np.concatenate([[0], np.cumsum(counts)])), shape=(len(cut), size))
    bags.sum_duplicates()
    return bags


def smooth_weights(bags: Any, a: float) -> NDArray[np.float32]:
    """Return a / (a + p) for each piece, p its share of all pieces (smooth inverse frequency).

    References
    ----------
    Arora, Liang, Ma 2017, A Simple but Tough-to-Beat Baseline for Sentence Embeddings, ICLR.
    """
    mass = np.asarray(bags.sum(axis=0), np.float64).ravel()
    shares = mass / max(mass.sum(), np.finfo(float).tiny)
    return np.asarray(a / (a + shares), np.float32)


def fit_rows(
    bags: Any, targets: NDArray[np.float32], start: NDArray[np.float32], *, doubt: float
) -> NDArray[np.float32]:
    """Return the table E that minimises sum_i n_i ||x_i E - y_i||^2 + doubt s ||E - c E_0||^2.

    It is (v, d). n_i is 1 / ||x_i||^2, about the number of pieces of a text, so that long texts count as much as their
    pieces do; s is the mean of n_i x_ip^2 over what is not zero, so that `doubt` counts occurrences: a piece of that
    many is half its start and half what the texts say. c scales the start E_0 to explain most. By conjugate gradients,
    all columns side by side, with the diagonal as preconditioner.

    Parameters
    ----------
    bags : (n, v) sparse array
        x, from `bags_of`.
    targets : (n, d) array
        y.
    start : (v, d) array
        E_0, what is believed of pieces before any text.
    doubt : float
    """
    squares = np.asarray(bags.multiply(bags).sum(axis=1), np.float32).ravel()
    scale = np.zeros_like(squares)
    np.divide(1, np.sqrt(squares), out=scale, where=squares > 0)
    from scipy import sparse

    rows = sparse.csr_array(sparse.diags_array(scale) @ bags).astype(np.float32)
    aims = targets * scale[:, None]
    first = np.asarray(rows @ start, np.float32)
    both = float(np.einsum("ij,ij->", first, first, dtype=np.float64))
    factor = float(np.einsum("ij,ij->", first, aims, dtype=np.float64)) / both if both > 0 else 0.0
    begun = (factor * start).astype(np.float32)
    penalty = np.float32(doubt * float(np.mean(rows.data**2)) if rows.nnz else 1.0)
    return begun + _solve(rows, aims - np.float32(factor) * first, penalty)


def _solve(rows: Any, rest: NDArray[np.float32], penalty: np.float32) -> NDArray[np.float32]:
    """Return the D that minimises ||rows D - rest||^2 + penalty ||D||^2."""
    turned = rows.T.tocsr()
    condition = 1 / (np.asarray(rows.multiply(rows).sum(axis=0), np.float32).ravel() + penalty)[:, None]
    residual = np.asarray(turned @ rest, np.float32)
    found = np.zeros_like(residual)
    conditioned = condition * residual
    direction = conditioned.copy()
    size = np.einsum("ij,ij->j", residual, conditioned)
    enough = _DONE**2 * float(size.max(initial=0.0))
    for _ in range(_STEPS):
        if float(size.max(initial=0.0)) <= enough:
            break
        image = np.asarray(turned @ (rows @ direction), np.float32) + penalty * direction
        step = size / np.maximum(np.einsum("ij,ij->j", direction, image), np.finfo(np.float32).tiny)
        found += step * direction
        residual -= step * image
        np.multiply(condition, residual, out=conditioned)
        fresh = np.einsum("ij,ij->j", residual, conditioned)
        direction *= fresh / np.maximum(size, np.finfo(np.float32).tiny)
        direction += conditioned
        size = fresh
    return found


def recall_at(
    questions: NDArray[np.float32], passages: NDArray[np.float32], answers: NDArray[np.int64], k: int = 10
) -> float:
    """Return the share of questions whose answer is among the k nearest passages by scalar product.

    Parameters
    ----------
    questions : (n, d) array
    passages : (m, d) array
    answers : (n,) array of int
        Row of the passage that answers.
    k : int

    Examples
    --------
    >>> recall_at(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), np.array([0, 0]), k=1)
    0.5
    """
    before = 0
    for start in range(0, len(questions), 1024):
        scores = questions[start : start + 1024] @ passages.T
        own = np.take_along_axis(scores, answers[start : start + 1024, None], axis=1)
        before += int(((scores > own).sum(axis=1) < k).sum())
    return before / max(len(questions), 1)
