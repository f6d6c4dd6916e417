"""What lets several threads share a collection: readers beside each other, writers one after the other."""

import os
import threading
from collections.abc import Callable
from threading import get_ident
from types import TracebackType
from typing import Any
from weakref import WeakSet


class SharedLock:
    """Readers together, or one writer alone; whoever is inside may enter again.

    Neither side can keep the other out: a writer that waits goes before readers that come later, and readers that
    waited for a writer go before the next one. In a forked process nobody else is inside; what a thread of the parent
    was changing at that moment can only be refused.

    Attributes
    ----------
    reading, writing : context managers
    keeping : context manager
        As `reading`, for what takes long: a writer that waits for its end lets readers pass.

    Examples
    --------
    >>> lock = SharedLock()
    >>> with lock.writing, lock.reading:
    ...     pass
    >>> with lock.reading, lock.writing:
    ...     pass
    Traceback (most recent call last):
    ...
    RuntimeError: this thread reads what it is about to change; end the reading first
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()  # taken by itself, at half the cost, where nobody is waited for
        self._gate = threading.Condition(self._mutex)
        self._readers: dict[int, int] = {}  # by thread, how often it has entered
        self._blocked: set[int] = set()  # readers that wait
        self._owed: set[int] = set()  # those of them whose turn comes before the next writer's
        self._keepers: list[int] = []  # their threads
        self._writer = self._depth = 0  # its thread, and how often it has entered
        self._waiting = 0  # writers
        self._torn = False
        self.reading = _Side(self._enter_reading, self._leave_reading)
        self.keeping = _Side(self._enter_keeping, self._leave_keeping)
        self.writing = _Side(self._enter_writing, self._leave_writing)
        _LOCKS.add(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()  # a copy of what is locked has a lock of its own

    def _enter_reading(self) -> None:
        me = get_ident()
        with self._mutex:
            inside = self._readers.get(me, 0)
            if not inside and self._writer != me:
                self._refuse_torn()
                if self._shut(me):
                    self._wait_to_read(me)
            self._readers[me] = inside + 1

    def _leave_reading(self) -> None:
        me = get_ident()
        with self._mutex:
            self._readers[me] -= 1
            if not self._readers[me]:
                del self._readers[me]
                if self._waiting and not self._readers:
                    self._gate.notify_all()

    def _enter_keeping(self) -> None:
        self._enter_reading()
        with self._mutex:
            self._keepers.append(get_ident())
            self._gate.notify_all()

    def _leave_keeping(self) -> None:
        with self._mutex:
            self._keepers.remove(get_ident())
        self._leave_reading()

    def _enter_writing(self) -> None:
        me = get_ident()
        with self._mutex:
            if self._writer != me:
                self._refuse_torn()
                if me in self._readers:
                    raise RuntimeError("this thread reads what it is about to change; end the reading first")
                self._waiting += 1
                try:
                    while self._writer or self._readers or self._owed:
                        self._gate.wait()
                except BaseException:
                    self._gate.notify_all()  # those that waited for this one
                    raise
                finally:
                    self._waiting -= 1
                self._writer = me
            self._depth += 1

    def _leave_writing(self) -> None:
        with self._mutex:
            self._depth -= 1
            if not self._depth:
                self._writer = 0
                self._owed |= self._blocked
                self._gate.notify_all()

    def _shut(self, me: int) -> bool:
        return bool(self._writer or (self._waiting and not self._keepers and me not in self._owed))

    def _wait_to_read(self, me: int) -> None:
        self._blocked.add(me)
        try:
            while self._shut(me):
                self._gate.wait()
        except BaseException:
            self._gate.notify_all()  # a writer may have let this one go first
            raise
        finally:
            self._blocked.discard(me)
            self._owed.discard(me)

    def _refuse_torn(self) -> None:
        if self._torn:
            raise RuntimeError(
                "another thread was changing this when the process was forked, and the copy is half-changed; load it "
                "anew in the forked process, or fork before threads start (multiprocessing: the method 'spawn')"
            )

    def _forked(self) -> None:
        me = get_ident()
        self._torn = self._torn or self._writer not in (0, me)
        self._mutex = threading.Lock()
        self._gate = threading.Condition(self._mutex)
        self._readers = {me: self._readers[me]} if me in self._readers else {}
        self._keepers = [each for each in self._keepers if each == me]
        self._blocked, self._owed, self._waiting = set(), set(), 0


class _Side:
    """One way into a lock."""

    __slots__ = ("_enter", "_leave")

    def __init__(self, enter: Callable[[], None], leave: Callable[[], None]) -> None:
        self._enter = enter
        self._leave = leave

    def __enter__(self) -> None:
        self._enter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()


_LOCKS: WeakSet[SharedLock] = WeakSet()


def _forget_other_threads() -> None:
    for lock in list(_LOCKS):
        lock._forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)
