"""Tell when training has made all sentences alike: the loss may still look well, retrieval is lost."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import as_matrix, to_numpy, unit_rows

__all__ = ["CollapseError", "CollapseSigns", "CollapseWarning", "collapse_signs"]

_HIGHEST_COSINE = 0.9
_SMALLEST_SHARE_OF_RANK = 0.1
_LOSS_OF_CHANCE = 0.98
_WAY_OUT = "lower the learning rate, raise the penalty, or give larger batches and other pairs"


class CollapseError(RuntimeError):
    """The vectors of different sentences have become alike."""


class CollapseWarning(UserWarning):
    """The vectors of different sentences have become alike, and training was stopped before."""


@dataclass(frozen=True)
class CollapseSigns:
    """What a collapse shows in.

    Attributes
    ----------
    mean_cosine : float
        Of two different sentences: 1 when all are one point.
    effective_rank : float
        exp(entropy of the normalised squared singular values) of the unit rows [1]_: from 1, all on one line, to d.

    References
    ----------
    .. [1] Roy and Vetterli (2007), "The effective rank: a measure of effective dimensionality", EUSIPCO.
    """

    mean_cosine: float
    effective_rank: float

    def reasons(
        self, start: "CollapseSigns", *, loss: float | None = None, batch_size: int | None = None
    ) -> tuple[str, ...]:
        """Return why this is a collapse, seen from the state before training; nothing if it is none.

        Parameters
        ----------
        start : CollapseSigns
            Before training.
        loss : float, optional
            The contrastive loss without its margin.
        batch_size : int, optional
            Candidates that it was computed over: log n is the loss of a guess.
        """
        found = []
        if self.mean_cosine > max(_HIGHEST_COSINE, start.mean_cosine + (1 - start.mean_cosine) / 2):
            found.append(f"different sentences have a mean cosine of {self.mean_cosine:.2f}")
        if self.effective_rank < _SMALLEST_SHARE_OF_RANK * start.effective_rank:
            found.append(f"the effective rank fell from {start.effective_rank:.1f} to {self.effective_rank:.1f}")
        if loss is not None and not math.isfinite(loss):
            found.append(f"the loss is {loss}")
        elif loss is not None and batch_size and batch_size > 1 and loss > _LOSS_OF_CHANCE * math.log(batch_size):
            found.append(f"the loss is {loss:.2f}, that of a guess among {batch_size}")
        return tuple(found)

    @staticmethod
    def message(reasons: tuple[str, ...], step: int) -> str:
        """Return what to tell the user: where, why and the way out."""
        return f"training collapsed by step {step}: {'; '.join(reasons)}; {_WAY_OUT}"


def collapse_signs(vectors: Any) -> CollapseSigns:
    """Measure the signs on vectors of different sentences.

    Parameters
    ----------
    vectors : (n, d) array
        Two rows or more.

    Examples
    --------
    >>> collapse_signs(np.eye(4, dtype=np.float32))
    CollapseSigns(mean_cosine=0.0, effective_rank=4.0)
    >>> signs = collapse_signs(np.ones((4, 4), dtype=np.float32))
    >>> round(signs.mean_cosine, 6), round(signs.effective_rank, 6)
    (1.0, 1.0)
    """
    rows = np.asarray(unit_rows(to_numpy(as_matrix(vectors, "vectors"))), np.float64)
    n = len(rows)
    if n < 2:
        raise ValueError(f"signs of a collapse need the vectors of two sentences or more, but there are {n}")
    mean_cosine = (float((rows.sum(axis=0) ** 2).sum()) - n) / (n * (n - 1))
    spectrum = np.maximum(np.linalg.eigvalsh(rows.T @ rows if rows.shape[1] <= n else rows @ rows.T), 0)
    shares = spectrum[spectrum > 0] / spectrum.sum()
    return CollapseSigns(round(mean_cosine, 12), float(round(np.exp(-(shares * np.log(shares)).sum()), 9)))
