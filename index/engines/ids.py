"""Which id lies at which position of an index, and the other way round."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .base import check_ids, shorten

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
        given = np.empty(0, dtype=np.int64) if ids is None else ids
        self._held: NDArray[np.int64] = given
        self._dead: NDArray[np.bool_] | None = None
        self.n_dead = 0  # positions that hold no id any more
        self._order: NDArray[np.int64] | None = None
        self._bury(given < 0)
        self._ascending = bool(np.all(np.diff(self._held) >= 0))

    def __len__(self) -> int:
        """Return how many positions there are, dead ones among them."""
        return len(self._held)

    @property
    def ids(self) -> NDArray[np.int64]:
        """The id at each position, -1 where there is none any more."""
        return self._held if self._dead is None else np.where(self._dead, _DEAD, self._held)

    @property
    def living(self) -> NDArray[np.bool_] | None:
        """Which positions hold an id; None for all of them."""
        return None if self._dead is None else ~self._dead

    @property
    def _without_gaps(self) -> bool:
        if not self._ascending or self._dead is not None or not len(self._held):
            return False
        return int(self._held[-1]) - int(self._held[0]) == len(self._held) - 1

    def append(self, ids: NDArray[np.int64]) -> None:
        """Put new ids at the next positions."""
        ascending = self._ascending and bool(np.all(np.diff(ids) > 0))
        if ascending and len(self._held) and len(ids):
            ascending = bool(ids[0] > self._held[-1])
        self._held = np.concatenate([self._held, ids])
        if self._dead is not None:
            self._dead = np.concatenate([self._dead, np.zeros(len(ids), dtype=bool)])
        self._order, self._ascending = None, ascending

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Drop the positions where `mask` is false; the others move up."""
        ids = self.ids[mask]
        self._dead, self.n_dead, self._order, self._held = None, 0, None, ids
        self._bury(ids < 0)

    def kill(self, positions: NDArray[np.int64]) -> None:
        """Leave the positions in place without an id."""
        dead = np.zeros(len(self._held), dtype=bool) if self._dead is None else self._dead.copy()
        dead[positions] = True
        self._bury(dead)
        self._order = None

    def _bury(self, dead: NDArray[np.bool_]) -> None:
        self.n_dead = int(np.count_nonzero(dead))
        if self.n_dead:
            # subtle: a dead position carries an id from before it: ids that rise go on rising, and of equal ones the
            # living is met first
            carried = np.maximum.accumulate(np.where(dead, _DEAD, self._held))
            self._held = np.where(dead, carried, self._held)
            self._dead = dead

    def at(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the ids at these positions, which must be there; -1 where there is none any more."""
        if self._without_gaps:
            return positions + int(self._held[0])
        found: NDArray[np.int64] = self._held[positions]
        return found if self._dead is None else np.where(self._dead[positions], _DEAD, found)

    def positions(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the position of each id, -1 where it is not held."""
        if not len(self._held):
            return np.full(len(ids), -1, dtype=np.int64)
        if self._without_gaps:
            offsets = ids - self._held[0]
            held = (ids >= self._held[0]) & (ids <= self._held[-1])
            return np.where(held, offsets, -1).astype(np.int64, copy=False)
        if self._ascending:
            slots = np.searchsorted(self._held, ids).clip(max=len(self._held) - 1)
            found = slots
        else:
            if self._order is None:
                self._order = np.argsort(self._held, kind="stable")
            slots = np.searchsorted(self._held, ids, sorter=self._order).clip(max=len(self._held) - 1)
            found = self._order[slots]
        held = self._held[found] == ids
        if self._dead is not None:
            held &= ~self._dead[found]
        return np.where(held, found, -1).astype(np.int64)

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
        first, last = (int(self._held[0]), int(self._held[-1])) if self._without_gaps else (0, -1)
        held = len(checked) and first <= checked[0] and checked[-1] <= last
        if held and bool(np.all(checked[1:] > checked[:-1])):
            return checked - first if first else checked
        positions = self.positions(checked)
        positions = positions[positions >= 0]
        return positions if bool(np.all(np.diff(positions) > 0)) else np.unique(positions)
