"""The plain values in a pickle, read without running it.

Some programs keep ids and texts as pickles, and loading a pickle runs what it says. Here its operations are decoded by
`pickletools` and followed by hand: texts, numbers, lists, tuples, sets and dictionaries are built; an object of a class
that was named beforehand is a `Kept`, a record of what the pickle says of it; anything else is refused.
"""

import pickletools
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from .base import StoreError

_MARK: Any = object()
_VALUES = frozenset(
    [
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "STRING", "BINSTRING", "SHORT_BINSTRING"),
    ]
)
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": set,
    "MARK": lambda: _MARK,
}


@dataclass
class Kept:
    """An object of a pickle: its class or function as "module.name", its arguments, and its state."""

    name: str
    arguments: tuple[Any, ...] = ()
    state: Any = None

    def field(self, name: str) -> Any:
        """Return an attribute of the object, as its state or its named arguments hold it; None where it has none."""
        for each in (self.state, *self.arguments):
            if isinstance(each, dict):
                inner = each.get("__dict__")
                if isinstance(inner, dict) and name in inner:
                    return inner[name]
                if name in each:
                    return each[name]
        return None


@dataclass(frozen=True)
class _Named:
    name: str


def read_pickle(data: bytes, allowed: Collection[str], *, name: str) -> Any:
    """Return the values in a pickle; objects of `allowed` classes are `Kept`.

    Parameters
    ----------
    data : bytes
    allowed : collection of str
        Classes and functions that may be named, such as "langchain_core.documents.base.Document".
    name : str
        What errors call it.

    Raises
    ------
    StoreError
        If it names another class or function, or is no pickle.

    Examples
    --------
    >>> import pickle
    >>> read_pickle(pickle.dumps({"a": [1, "zwei"]}), (), name="it")
    {'a': [1, 'zwei']}
    """
    machine = _Machine(frozenset(allowed), name)
    try:
        for code, argument, _ in pickletools.genops(data):
            machine.step(code.name, argument)
        (found,) = machine.stack
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(
            f"{name} is damaged, or no pickle of plain values ({type(error).__name__}: {error})"
        ) from error
    return found


class _Machine:
    """The stack and the memo of a pickle that is followed."""

    def __init__(self, allowed: frozenset[str], name: str) -> None:
        self.allowed, self.name = allowed, name
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def step(self, code: str, argument: Any) -> None:
        """Follow one operation."""
        if code in _VALUES:
            self.stack.append(argument)
        elif code in _CONSTANTS:
            self.stack.append(_CONSTANTS[code]())
        elif code in ("PROTO", "FRAME", "STOP"):
            return
        elif code in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[len(self.memo) if argument is None else int(argument)] = self.stack[-1]
        elif code in ("GET", "BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[int(argument)])
        elif (done := getattr(self, f"_{code.lower()}", None)) is not None:
            done(argument) if code == "GLOBAL" else done()
        else:
            raise StoreError(f"{self.name} holds more than plain values (the operation {code}), and is not read")

    def _marked(self) -> list[Any]:
        at = max(place for place, each in enumerate(self.stack) if each is _MARK)
        found = self.stack[at + 1 :]
        del self.stack[at:]
        return found

    def _pop(self) -> Any:
        return self.stack.pop()

    def _pop_mark(self) -> None:
        self._marked()

    def _dup(self) -> None:
        self.stack.append(self.stack[-1])

    def _list(self) -> None:
        self.stack.append(self._marked())

    def _tuple(self) -> None:
        self.stack.append(tuple(self._marked()))

    def _tuple1(self) -> None:
        self._last(1)

    def _tuple2(self) -> None:
        self._last(2)

    def _tuple3(self) -> None:
        self._last(3)

    def _last(self, count: int) -> None:
        found = tuple(self.stack[-count:])
        del self.stack[-count:]
        self.stack.append(found)

    def _dict(self) -> None:
        items = self._marked()
        self.stack.append(dict(zip(items[::2], items[1::2], strict=True)))

    def _append(self) -> None:
        value = self.stack.pop()
        self._of(list).append(value)

    def _appends(self) -> None:
        values = self._marked()
        self._of(list).extend(values)

    def _additems(self) -> None:
        values = self._marked()
        self._of(set).update(values)

    def _setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._of(dict)[key] = value

    def _setitems(self) -> None:
        items = self._marked()
        self._of(dict).update(zip(items[::2], items[1::2], strict=True))

    def _of(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise StoreError(f"{self.name} fills an object that is no {kind.__name__}, and is not read")
        return self.stack[-1]

    def _global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._name(module, name)

    def _stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self._name(str(module), str(name))

    def _name(self, module: str, name: str) -> None:
        found = f"{module}.{name}"
        if found not in self.allowed:
            raise StoreError(
                f"{self.name} names {found!r:.120}, which loading it would run; only plain values are read. Copy the "
                "vectors and texts out with the program that wrote it, to a parquet file for instance"
            )
        self.stack.append(_Named(found))

    def _reduce(self) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        self._make(called, tuple(arguments))

    def _newobj(self) -> None:
        self._reduce()

    def _newobj_ex(self) -> None:
        named, arguments, called = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self._make(called, (*arguments, named))

    def _make(self, called: Any, arguments: tuple[Any, ...]) -> None:
        if not isinstance(called, _Named):
            raise StoreError(f"{self.name} calls what is no class, and is not read")
        self.stack.append(Kept(called.name, arguments))

    def _build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], Kept):
            raise StoreError(f"{self.name} sets the state of what is no object, and is not read")
        self.stack[-1].state = state
