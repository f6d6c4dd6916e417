"""Which id stands at which position of an index."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .checks import check_ids, shorten

__all__ = ["IdTable"]

_DEAD = -1


class IdTable:
    """Ids by position, and positions by id, without a Python object per row.

    Finding m ids among n costs O(m) while ids have no gaps, O(m log n) while they grow with the position, as they do in
    a `Collection`; else the first look-up after a change sorts the ids in O(n log n). Memory: 8 bytes a row, 16 if
    sorting was needed.

    Examples
    --------
    >>> table = IdTable()
    >>> table.append(np.array([10, 30, 20]))
    >>> table.positions(np.array([20, 10, 99]))
    array([ 2,  0, -1])
    """

    def __init__(self, ids: NDArray[np.int64] | None = None) -> None:
        self.ids: NDArray[np.int64] = np.empty(0, dtype=np.int64) if ids is None else ids
        self._order: NDArray[np.int64] | None = None
        self._ascending = bool(np.all(np.diff(self.ids) > 0))

    @property
    def _without_gaps(self) -> bool:
        return self._ascending and bool(len(self.ids)) and int(self.ids[-1]) - int(self.ids[0]) == len(self.ids) - 1

    @property
    def n_dead(self) -> int:
        """How many positions hold no id any more; O(n)."""
        return int(np.count_nonzero(self.ids == _DEAD))

    def append(self, ids: NDArray[np.int64]) -> None:
        """Put new ids at the next positions."""
        ascending = self._ascending and bool(np.all(np.diff(ids) > 0))
        if ascending and len(self.ids) and len(ids):
            ascending = bool(ids[0] > self.ids[-1])
        self.ids = np.concatenate([self.ids, ids])
        self._order, self._ascending = None, ascending

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Drop the positions where `mask` is false; the others move up."""
        self.ids = self.ids[mask]
        self._order = None

    def kill(self, positions: NDArray[np.int64]) -> None:
        """Leave the positions in place without an id."""
        self.ids = self.ids.copy()
        self.ids[positions] = _DEAD
        self._order, self._ascending = None, False

    def at(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the ids at these positions, which must be there."""
        return positions + self.ids[0] if self._without_gaps else self.ids[positions]

    def positions(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the position of each id, -1 where it is not held."""
        if not len(self.ids):
            return np.full(len(ids), -1, dtype=np.int64)
        if self._without_gaps:
            offsets = ids - self.ids[0]
            held = (ids >= self.ids[0]) & (ids <= self.ids[-1])
            return np.where(held, offsets, -1).astype(np.int64, copy=False)
        if self._ascending:
            slots = np.searchsorted(self.ids, ids).clip(max=len(self.ids) - 1)
            found = slots
        else:
            if self._order is None:
                self._order = np.argsort(self.ids, kind="stable")
            slots = np.searchsorted(self.ids, ids, sorter=self._order).clip(max=len(self.ids) - 1)
            found = self._order[slots]
        return np.where(self.ids[found] == ids, found, -1).astype(np.int64)

    def new(self, ids: ArrayLike, n_vectors: int) -> NDArray[np.int64]:
        """Return checked ids for `n_vectors` vectors to add.

        Raises
        ------
        ValueError
            If their number differs, they repeat, or one is held already.
        """
        checked = check_ids(ids)
        if len(checked) != n_vectors:
            raise ValueError(f"ids and vectors differ in number ({len(checked)} vs {n_vectors})")
        held = checked[self.positions(checked) >= 0]
        if held.size:
            raise ValueError(f"ids are in the index already: {shorten(held.tolist())}; remove them first")
        return checked

    def known(self, ids: ArrayLike) -> NDArray[np.int64]:
        """Return the positions of ids that must all be held.

        Raises
        ------
        KeyError
            If one is not.
        """
        checked = check_ids(ids, unique=False)
        positions = self.positions(checked)
        if (positions < 0).any():
            raise KeyError(f"ids are not in the index: {shorten(checked[positions < 0].tolist())}")
        return positions

    def allowed(self, ids: ArrayLike | None) -> NDArray[np.int64] | None:
        """Return the ascending positions of those ids that are held; None for None (no filter)."""
        if ids is None:
            return None
        checked = check_ids(ids, name="allowed", unique=False)
        held = self._without_gaps and len(checked) and self.ids[0] <= checked[0] and checked[-1] <= self.ids[-1]
        if held and bool(np.all(checked[1:] > checked[:-1])):
            return checked - self.ids[0] if self.ids[0] else checked
        positions = self.positions(checked)
        positions = positions[positions >= 0]
        return positions if bool(np.all(np.diff(positions) > 0)) else np.unique(positions)
