"""String ids and metadata of a collection's rows, by column."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from functools import cached_property, partial
from itertools import chain
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.index.engines.base import shorten
from interlingua.index.engines.flat import write_array
from interlingua.index.folder import FileWriter

_DEEPEST = 32
_LONGEST_INT = 1024  # bits; Python itself refuses to print integers of some 14 000
_ABSENT = -1
_FEW = 64  # rows that are removed one by one
_MUTABLE = (list, dict)
_AT_ONCE = 1024  # texts


class MetadataTable:
    """Rows of a string id and a JSON dictionary, found by string id or by number.

    Each row gets a number, rising while the table lives; an index knows rows by it. Each field is a column of int32
    codes into the list of its distinct values, so that a repeated value is kept once and a filter compares codes.

    Memory a row: about 150 bytes for the id, 4 bytes a field, and each distinct value once (about 100 bytes more than
    the value itself). Adding m rows to n: O(m) Python steps a field and a copy of the codes; removing: O(n).
    Saved as ``rows.json``, ``row_ids.npy`` and ``codes.npy``.

    Examples
    --------
    >>> table = MetadataTable()
    >>> table.append(["a", "b"], table.check(["a", "b"], [{"language": "sw"}, {"language": "zh", "year": 2020}]))
    array([0, 1])
    >>> table.metadata(table.rows(["b"]))
    [{'language': 'zh', 'year': 2020}]
    """

    def __init__(self) -> None:
        self.ids: list[str] = []
        self._numbers: NDArray[np.int64] = np.empty(0, dtype=np.int64)  # ascending
        self._number_of: dict[str, int] = {}
        self._columns: dict[str, _Column] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, id: object) -> bool:
        return id in self._number_of

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields that rows have, or had."""
        return tuple(self._columns)

    @property
    def state(self) -> tuple[int, int]:
        """Two numbers that are others after any change of the rows."""
        return self._next, len(self)

    def check(
        self, ids: Sequence[str], metadata: Sequence[Mapping[str, Any]] | None, *, replace: bool = False
    ) -> list[dict[str, Any]]:
        """Return the metadata of new rows, copied; nothing of the table changes.

        Raises
        ------
        TypeError
            If an id is not a string, or a value not of JSON's types.
        ValueError
            If numbers differ, ids repeat, or, without `replace`, are there already.
        """
        if isinstance(ids, str):
            raise TypeError("ids must be a sequence of strings, not one string")
        if not are_texts(ids):
            for id in ids:
                if not isinstance(id, str):
                    raise TypeError(f"ids must be strings, but {id!r} is of type {type(id).__name__}")
                _check_text(id)
        if len(set(ids)) < len(ids):
            seen: set[str] = set()
            repeated = [id for id in ids if id in seen or seen.add(id)]  # type: ignore[func-returns-value] # add is None
            raise ValueError(f"ids must not repeat, but these do: {shorten(repeated)}")
        held = [] if replace else [id for id in ids if id in self._number_of]
        if held:
            raise ValueError(f"ids are in the collection already: {shorten(held)}; use upsert to replace them")
        if metadata is None:
            return [{} for _ in ids]
        if isinstance(metadata, Mapping) or len(metadata) != len(ids):
            raise ValueError(f"metadata must be one dictionary an id ({len(ids)}), but there are {len(metadata)}")
        if are_flat(metadata):
            return [dict(row) for row in metadata]
        rows = []
        for id, row in zip(ids, metadata):
            if not isinstance(row, Mapping):
                raise TypeError(f"metadata of {id!r} must be a dictionary, not {type(row).__name__}")
            rows.append(check_json(dict(row), f"metadata of {id!r}"))
        return rows

    def append(self, ids: Sequence[str], rows: Sequence[dict[str, Any]]) -> NDArray[np.int64]:
        """Add checked rows and return their numbers; an id that is there already now means the new row."""
        numbers = self.next_numbers(len(ids))
        for name in dict.fromkeys(chain.from_iterable(rows)):
            if name not in self._columns:
                self._columns[name] = _Column(np.full(len(self), _ABSENT, dtype=np.int32))
        for name, column in self._columns.items():
            column.append(rows, name)
        self.ids.extend(ids)
        self._numbers = np.concatenate([self._numbers, numbers])
        self._number_of.update(zip(ids, numbers.tolist()))
        self._next += len(ids)
        return numbers

    def next_numbers(self, count: int) -> NDArray[np.int64]:
        """Return the numbers that the next `count` rows will get."""
        return np.arange(self._next, self._next + count, dtype=np.int64)

    def numbers(self, ids: Iterable[str]) -> NDArray[np.int64]:
        """Return the row numbers of string ids.

        Raises
        ------
        KeyError
            If one is not in the collection.
        """
        wanted = [ids] if isinstance(ids, str) else list(ids)
        missing = [id for id in wanted if id not in self._number_of]
        if missing:
            raise KeyError(f"ids are not in the collection: {shorten(missing)}")
        return np.array([self._number_of[id] for id in wanted], dtype=np.int64)

    def numbers_held(self, ids: Iterable[str]) -> NDArray[np.int64]:
        """Return the row numbers of those of the ids that are in the collection."""
        return np.array([self._number_of[id] for id in ids if id in self._number_of], dtype=np.int64)

    def rows(self, ids: Iterable[str]) -> NDArray[np.int64]:
        """Return the positions of string ids in the columns."""
        return self.rows_of(self.numbers(ids))

    def rows_of(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the positions of row numbers, which must be there."""
        held = self._numbers
        if len(held) and held[-1] - held[0] == len(held) - 1:  # without gaps
            rows: NDArray[np.int64] = numbers - held[0]
            return rows
        return np.searchsorted(self._numbers, numbers).astype(np.int64)

    def numbers_where(self, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the numbers of the rows that `mask` (n,) selects."""
        return self._numbers[mask]

    def remove(self, numbers: NDArray[np.int64]) -> None:
        """Forget the rows of these numbers."""
        rows = np.unique(self.rows_of(numbers))
        for row in rows.tolist():
            # subtle: after an upsert the id already means the new row, which stays
            if self._number_of.get(self.ids[row]) == int(self._numbers[row]):
                del self._number_of[self.ids[row]]
        keep = np.ones(len(self), dtype=bool)
        keep[rows] = False
        if len(rows) <= _FEW:
            for row in rows[::-1].tolist():
                del self.ids[row]
        else:
            self.ids = [self.ids[row] for row in np.flatnonzero(keep).tolist()]
        self._numbers = self._numbers[keep]
        for column in self._columns.values():
            column.keep(keep)

    def metadata(self, rows: NDArray[np.int64]) -> list[dict[str, Any]]:
        """Return a copy of the metadata of each row."""
        return self.reader(rows)()

    def reader(self, rows: NDArray[np.int64]) -> Callable[[], list[dict[str, Any]]]:
        """Return what makes a copy of each row's metadata as it is now, whatever changes before it is called."""
        # subtle: codes are never changed in place, and a list of values only grows or is left for another one
        columns = [(name, column.codes, column.values) for name, column in self._columns.items()]

        def read() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = [{} for _ in rows]
            for name, codes, values in columns:
                for row, code in zip(found, codes[rows].tolist()):
                    if code != _ABSENT:
                        kept = values[code]
                        row[name] = deepcopy(kept) if type(kept) in _MUTABLE else kept
            return found

        return read

    def column(self, field: str, rows: NDArray[np.int64] | slice) -> tuple[NDArray[np.int32], list[Any]]:
        """Return each row's code of a field, -1 where it has none, and the value of each code; change neither."""
        column = self._columns[field]
        return column.codes[rows], column.values

    def counts(self, field: str) -> list[tuple[Any, int]]:
        """Return the distinct values of a field that rows have, each with the number of its rows, most first."""
        return list(self._columns[field].counts())

    def matches(self, field: str, wanted: Iterable[Any]) -> NDArray[np.bool_]:
        """Return which rows (n,) have one of the `wanted` values in `field`, or in a list there."""
        column = self._columns[field]
        keys = [key for value in wanted for key in value_key(value)]
        codes = [column.code_of[key] for key in keys if key in column.code_of]
        codes += [code for key in keys for code in column.lists_with.get(key, ())]
        return column.has(codes)

    def lies_between(self, field: str, least: float | str | None, most: float | str | None) -> NDArray[np.bool_]:
        """Return which rows (n,) have a value of the bounds' type between them, both included; None is no bound."""
        column = self._columns[field]
        kinds = (str,) if isinstance(most if least is None else least, str) else (int, float)
        codes = [
            code
            for code, value in enumerate(column.values)
            if type(value) in kinds and (least is None or value >= least) and (most is None or value <= most)
        ]
        return column.has(codes)

    def files(self) -> Mapping[str, FileWriter]:
        """Return the writers of the table's files."""
        codes = [column.codes for column in self._columns.values()]
        stacked = np.stack(codes) if codes else np.empty((0, len(self)), dtype=np.int32)
        return {
            "rows.json": self._write_rows,
            "row_ids.npy": partial(write_array, self._numbers),
            "codes.npy": partial(write_array, stacked),
        }

    @classmethod
    def read(cls, files: Mapping[str, Path], naming: Callable[[Path], Any]) -> "MetadataTable":
        """Return the table whose `files` were written; `naming` is put around the parsing of each."""
        table = cls()
        with naming(files["row_ids.npy"]):
            table._numbers = np.load(files["row_ids.npy"], allow_pickle=False)
            if table._numbers.dtype != np.int64 or table._numbers.ndim != 1:
                raise ValueError("it holds no row of int64 numbers")
            table._next = int(table._numbers[-1]) + 1 if len(table._numbers) else 0
        with naming(files["codes.npy"]):
            codes = np.load(files["codes.npy"], allow_pickle=False)
            if codes.dtype != np.int32 or codes.ndim != 2 or codes.shape[1] != len(table._numbers):
                raise ValueError(f"its shape {codes.shape} does not fit {len(table._numbers)} rows")
        with naming(files["rows.json"]):
            saved = json.loads(files["rows.json"].read_text(encoding="utf-8"))  # without its bytes beside it
            table._next = max(table._next, int(saved.get("next", 0)))
            table.ids = list(saved["ids"])
            table._number_of = dict(zip(table.ids, table._numbers.tolist(), strict=True))
            for field, column_codes in zip(saved["fields"], codes, strict=True):
                table._columns[field["name"]] = _Column(column_codes.copy(), field["values"])
        return table

    def _write_rows(self, path: Path) -> None:
        fields = [{"name": name, "values": column.values} for name, column in self._columns.items()]
        with path.open("w", encoding="utf-8", newline="\n") as stream:
            stream.write(
                json.dumps({"ids": self.ids, "fields": fields, "next": self._next}, ensure_ascii=False, allow_nan=False)
            )


class _Column:
    """One field: a code a row, -1 where the row has no such field, and the value of each code."""

    def __init__(self, codes: NDArray[np.int32], values: list[Any] | None = None) -> None:
        self.codes = codes
        self.values: list[Any] = [] if values is None else values
        self._counted: tuple[NDArray[np.int32], list[tuple[Any, int]]] | None = None

    @cached_property
    def code_of(self) -> dict[Any, int]:
        """The code of each value, by its key; made when it is asked for, since most fields are never filtered by."""
        return {_key(value): code for code, value in enumerate(self.values)}

    @cached_property
    def lists_with(self) -> dict[Any, list[int]]:
        """The codes of the lists that hold a value."""
        found: dict[Any, list[int]] = {}
        for code, value in enumerate(self.values):
            _note_members(found, code, value)
        return found

    def append(self, rows: Sequence[dict[str, Any]], name: str) -> None:
        codes = np.full(len(rows), _ABSENT, dtype=np.int32)
        code_of, lists_with = self.code_of, self.lists_with  # of the values before
        given = [row.get(name) for row in rows]
        if set(map(type, given)) == {str}:  # keys of themselves
            for value in dict.fromkeys(given):
                if code_of.setdefault(value, len(self.values)) == len(self.values):
                    self.values.append(value)
            codes[:] = list(map(code_of.__getitem__, given))
            self.codes = np.concatenate([self.codes, codes])
            return
        for position, row in enumerate(rows):
            if name in row:
                key = _key(row[name])
                code = code_of.setdefault(key, len(self.values))
                if code == len(self.values):
                    self.values.append(row[name])
                    _note_members(lists_with, code, row[name])
                codes[position] = code
        self.codes = np.concatenate([self.codes, codes])

    def counts(self) -> list[tuple[Any, int]]:
        """Return the values with the number of their rows, most first; counted once for each state of the rows."""
        known = self._counted
        if known is not None and known[0] is self.codes:
            return known[1]
        slots = self.codes + 1  # the first is that of rows without the field
        counts, first = np.bincount(slots, minlength=len(self.values) + 1), np.zeros(len(self.values) + 1, np.int64)
        first[slots[::-1]] = np.arange(len(slots))[::-1]
        present = np.flatnonzero(counts[1:])
        order = np.lexsort((first[1:][present], -counts[1:][present]))
        counted = [(self.values[code], int(counts[code + 1])) for code in present[order].tolist()]
        self._counted = self.codes, counted  # subtle: codes are never changed in place
        return counted

    def has(self, codes: Sequence[int]) -> NDArray[np.bool_]:
        """Return which rows (n,) have one of the codes."""
        if len(codes) == 1:
            return np.asarray(self.codes == codes[0])
        wanted = np.zeros(len(self.values) + 1, dtype=bool)  # the last is that of rows without the field
        wanted[list(codes)] = True
        return wanted[self.codes]

    def keep(self, mask: NDArray[np.bool_]) -> None:
        self.codes = self.codes[mask]
        if len(self.values) > 2 * len(self.codes) + 16:  # most values belong to rows that are gone
            used = np.unique(self.codes[self.codes != _ABSENT])
            recoded = np.searchsorted(used, self.codes).astype(np.int32)
            values = [self.values[code] for code in used.tolist()]
            codes = np.where(self.codes == _ABSENT, _ABSENT, recoded).astype(np.int32)
            self.__dict__.clear()
            self.__init__(codes, values)  # type: ignore[misc] # starts anew


def _note_members(lists_with: dict[Any, list[int]], code: int, value: Any) -> None:
    if type(value) is list:
        for key in {_key(member) for member in value if type(member) not in _MUTABLE}:
            lists_with.setdefault(key, []).append(code)


def check_json(value: Any, name: str, depth: int = 0) -> Any:
    """Return a copy of a value that JSON gives back unchanged; NumPy's scalars become Python's.

    Raises
    ------
    TypeError
        If it, or something inside it, is not a str, int, float, bool, None, list or dict with string keys.
    ValueError
        If a number is NaN, infinite or of more than 1024 bits, a text is not valid Unicode, or the nesting more than
        32 deep.

    Examples
    --------
    >>> check_json({"tags": ("a", "b")}, "metadata of 'x'")
    Traceback (most recent call last):
    ...
    TypeError: metadata of 'x'['tags'] is a tuple; JSON keeps str, int, float, bool, None, list and dict
    """
    if depth > _DEEPEST:
        raise ValueError(f"{name} is nested more than {_DEEPEST} deep")
    value = plain(value)
    kind = type(value)
    if kind is str:
        return _check_text(value)
    if kind is bool or value is None:
        return value
    if kind is int:
        if value.bit_length() > _LONGEST_INT:
            raise ValueError(f"{name} is an integer of {value.bit_length()} bits; keep it as text")
        return value
    if kind is float:
        if not np.isfinite(value):
            raise ValueError(f"{name} is {value}, which JSON cannot keep; leave the field out or use None")
        return value
    if kind is list:
        return [check_json(item, f"{name}[{position}]", depth + 1) for position, item in enumerate(value)]
    if kind is dict:
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{name} has the key {key!r}; keys must be strings")
            _check_text(key)
        return {str(key): check_json(item, f"{name}[{key!r}]", depth + 1) for key, item in value.items()}
    raise TypeError(f"{name} is a {kind.__name__}; JSON keeps str, int, float, bool, None, list and dict")


def are_texts(values: Sequence[Any]) -> bool:
    """Return whether all are strings that `check_json` takes, which is told of many at once; not of a subclass."""
    if not set(map(type, values)) <= {str}:
        return False
    try:
        for start in range(0, len(values), _AT_ONCE):
            "".join(values[start : start + _AT_ONCE]).encode()
    except UnicodeEncodeError:  # subtle: two halves never make a whole, so that no lone surrogate is hidden
        return False
    return True


def are_flat(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether all are dictionaries of texts, numbers, truths and None that `check_json` gives back as they are.

    Where it says no, there may be nothing wrong: `check_json` knows.
    """
    if not set(map(type, rows)) <= {dict}:
        return False
    if not are_texts(list(dict.fromkeys(chain.from_iterable(rows)))):
        return False
    texts: list[str] = []
    for value in chain.from_iterable(row.values() for row in rows):
        kind = type(value)
        if kind is str:
            texts.append(value)
        elif kind is int:
            if value.bit_length() > _LONGEST_INT:
                return False
        elif kind is float:
            if not isfinite(value):
                return False
        elif value is not None and kind is not bool:
            return False
    return are_texts(texts)


def plain(value: Any) -> Any:
    """Return a NumPy scalar as Python's own, and anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def value_key(value: Any) -> list[Any]:
    """Return under which keys a wanted value may be stored: 2020 also finds 2020.0, and 0 -0.0, but True not 1."""
    if type(value) in (int, float) and value == 0:
        return [_key(0), _key(0.0), _key(-0.0)]
    if type(value) is int and abs(value) < 2**53:
        return [_key(value), _key(float(value))]
    if type(value) is float and value.is_integer():
        return [_key(value), _key(int(value))]
    return [_key(value)]


def _key(value: Any) -> Any:
    # Python holds 1, 1.0 and True for equal, and 0.0 and -0.0; JSON does not
    kind = type(value)
    if kind is str or value is None:
        return value
    if kind is int or kind is bool:
        return (kind, value)
    return (kind, repr(value) if kind is float else json.dumps(value, ensure_ascii=False))


def _check_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"{text!r} is no valid Unicode text (a lone surrogate); decode it with the right encoding"
        ) from None
    return text
