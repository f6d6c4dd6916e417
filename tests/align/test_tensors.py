import json
from dataclasses import replace

import numpy as np
import pytest

from interlingua.align.tensors import TensorFormat, tensors_hash


class GardenError(ValueError):
    pass


GARDEN = TensorFormat(
    kind="garden",
    key="garden",
    name="a garden",
    versions=(1, 2),
    error=GardenError,
    source="plant one",
    again="plant it again",
    header_hashed_since=2,
)
TENSORS = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.array([7], np.int64)}


def test_what_is_read_is_what_was_written(tmp_path):
    GARDEN.write(tmp_path / "x", TENSORS, {"herb": "ä"})
    tensors, header = GARDEN.read(tmp_path / "x")
    assert {name: each.tolist() for name, each in tensors.items()} == {"a": [7], "b": [[0, 1, 2], [3, 4, 5]]}
    assert (header["herb"], header["format_version"]) == ("ä", 2)


def test_equal_content_gives_equal_bytes_whatever_the_memory_order():
    turned = {name: np.asfortranarray(TENSORS[name]) for name in sorted(TENSORS)}
    assert GARDEN.to_bytes(TENSORS, {}) == GARDEN.to_bytes(turned, {})


@pytest.mark.parametrize(
    ("altered", "message"),
    [
        (lambda content: content[:5], "x is no garden or is damaged; restore it from a copy or plant it again"),
        (lambda content: content[:-1], "x is no garden or is damaged; restore it from a copy or plant it again"),
        (lambda content: content.replace(b"a garden", b"a meadow"), "x is a safetensors file but no garden; plant one"),
        (
            lambda content: content[:-2] + bytes([content[-2] ^ 1]) + content[-1:],
            "x is damaged: its numbers are not those that were saved; restore it from a copy or plant it again",
        ),
        (
            lambda content: content.replace(rb"_version\": 2", rb"_version\": 3"),
            "x has format version 3, but this release reads up to version 2; "
            "use the release that wrote it, or plant it again",
        ),
        (
            lambda content: content.replace(rb"tensors_sha256", rb"tensors_sha257"),
            "x is damaged: its numbers are not those that were saved; restore it from a copy or plant it again",
        ),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_by_name(altered, message):
    content = GARDEN.to_bytes(TENSORS, {})
    with pytest.raises(GardenError) as caught:
        GARDEN.from_bytes(altered(content), "x")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"mint", b"mist"),
        (rb"format_version\": 2", rb"format_version\": 1"),
        (b"header_sha256", b"header_sha257"),
        (b"herb", b"hera"),
    ],
)
def test_an_altered_header_is_refused(old, new):
    content = GARDEN.to_bytes(TENSORS, {"herb": "mint", "rows": (1, 2.5, None)})
    assert content.count(old) == 1
    with pytest.raises(GardenError, match="x is damaged: its header is not the one that was saved"):
        GARDEN.from_bytes(content.replace(old, new), "x")


def test_no_flipped_bit_of_a_file_gives_another_object():
    content = GARDEN.to_bytes(TENSORS, {"herb": "mint", "scores": {"en": 0.5}})
    whole = GARDEN.from_bytes(content, "x")
    for place in range(8 * len(content)):
        altered = bytearray(content)
        altered[place // 8] ^= 1 << place % 8
        try:
            tensors, header = GARDEN.from_bytes(bytes(altered), "x")
        except GardenError:
            continue
        assert header == whole[1]
        assert tensors_hash(tensors) == tensors_hash(whole[0])


def test_files_of_a_version_without_a_hash_of_the_header_are_read():
    content = GARDEN.to_bytes(TENSORS, {"herb": "mint"}, version=1)
    assert b"header_sha256" not in content
    assert GARDEN.from_bytes(content, "x")[1]["herb"] == "mint"


def test_another_kind_of_file_is_refused():
    other = replace(GARDEN, key="desert", name="a desert", kind="desert")
    with pytest.raises(GardenError, match="x is a safetensors file but no desert; plant one"):
        other.from_bytes(GARDEN.to_bytes(TENSORS, {}), "x")


def test_only_where_it_is_said_a_file_needs_neither_name_nor_hash():
    from safetensors.numpy import save

    old = save(TENSORS, {"garden": json.dumps({"format_version": 1, "herb": "mint"})})
    assert replace(GARDEN, unsigned=True).from_bytes(old, "x")[1]["herb"] == "mint"
    with pytest.raises(GardenError, match="no garden"):
        GARDEN.from_bytes(old, "x")


def test_a_header_that_makes_no_object_is_damage():
    with pytest.raises(GardenError, match="x is damaged: 'herb'; restore it"), GARDEN.building("x"):
        {}["herb"]


def test_the_hash_knows_names_shapes_types_and_values():
    base = {"a": np.zeros((2, 2), np.float32)}
    changed = [{"b": base["a"]}, {"a": np.zeros(4, np.float32)}, {"a": np.zeros((2, 2))}, {"a": base["a"] + 1}]
    assert len({tensors_hash(each) for each in [base, *changed]}) == 5
