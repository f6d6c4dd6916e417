"""Pickles are read without being run: plain values alone, and records of the classes that were named."""

import collections
import datetime
import os
import pickle
import uuid

import numpy as np
import pytest

from interlingua.pipelines.stores.base import StoreError
from interlingua.pipelines.stores.pickles import Kept, read_pickle

VALUES = [
    None, True, False, 0, -1, 255, 65536, -(2**31), 2**40, -(2**80), 2.5, float("inf"), "", "zwölf 漢字", "x" * 70_000,
    b"", b"\x00\xff", b"y" * 300, [], [1, "a", [2.0, None]], (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), {},
    {"a": {"b": [1]}, 3: (4,)}, set(), {1, "two"}, list(range(3000)), {str(n): n for n in range(3000)},
]  # fmt: skip


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_come_out_as_pickle_itself_gives_them(protocol):
    shared = ["same"]
    for value in [*VALUES, [shared, shared], {"a": shared, "b": shared}]:
        if protocol < 4 and (isinstance(value, set) or (protocol < 3 and isinstance(value, bytes))):
            continue  # older protocols call functions for these
        data = pickle.dumps(value, protocol)
        assert read_pickle(data, (), name="p") == pickle.loads(data)  # noqa: S301 - our own


class Point:
    def __init__(self, **fields):
        self.__dict__.update(fields)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_an_object_of_a_named_class_is_a_record(protocol):
    name = f"{Point.__module__}.Point"
    found = read_pickle(pickle.dumps({"p": Point(id=3, tags=["a"])}, protocol), {name}, name="p")["p"]
    assert isinstance(found, Kept)
    assert (found.name, found.field("id"), found.field("tags"), found.field("none")) == (name, 3, ["a"], None)


class Runs:
    def __init__(self, called, *arguments):
        self.given = called, arguments

    def __reduce__(self):
        return self.given


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize(
    "value",
    [
        Runs(os.system, "touch marker"),
        Runs(eval, "open('marker', 'w')"),
        Runs(getattr, {}, "clear"),
        Point(id=Runs(os.mkdir, "marker")),
        collections.OrderedDict(a=1),
        datetime.date(2024, 1, 1),
        uuid.UUID(int=1),
        np.zeros(2),
    ],
    ids=["system", "eval", "getattr", "nested", "OrderedDict", "date", "UUID", "array"],
)
def test_anything_else_is_refused_and_nothing_runs(value, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = pickle.dumps(value, protocol)
    with pytest.raises(StoreError, match=r"names '.*', which loading it would run|is not read"):
        read_pickle(data, {f"{Point.__module__}.Point"}, name="p")
    assert not list(tmp_path.iterdir())


def test_a_damaged_pickle_is_said_to_be_one():
    data = pickle.dumps({"a": [1, 2, 3], "b": "text" * 20})
    for cut in range(len(data)):
        with pytest.raises(StoreError, match="p is damaged"):
            read_pickle(data[:cut], (), name="p")
    named = b"cos\nsystem\n.", b"\x80\x04\x8c\x02os\x8c\x06system\x93.", b"ios\nsystem\n."
    for code in (*named, b"\x82\x01.", b"P1\n."):
        with pytest.raises(StoreError, match=r"^p "):
            read_pickle(code, (), name="p")
