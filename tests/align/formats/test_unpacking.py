"""Compressed files are read as far as their size lets expect."""

import gzip
import io

import numpy as np
import pytest

from interlingua.align import Embeddings
from interlingua.align.formats import unpacking
from interlingua.align.formats.unpacking import LARGEST_EXPANSION, Unpacked


class TooMuchError(Exception):
    pass


def fail(what):
    raise TooMuchError(what)


def unpacked(content):
    return Unpacked(io.BytesIO(content), lambda file: gzip.GzipFile(fileobj=file), fail)


def test_what_compresses_as_texts_do_is_read_whole(monkeypatch):
    monkeypatch.setattr(unpacking, "EXPANDS_FREELY", 1000)
    content = np.random.default_rng(0).bytes(50_000) + b"word " * 10_000
    with unpacked(gzip.compress(content)) as file:
        assert file.read() == content
        assert file.readable()


def test_little_data_may_expand_as_they_like():
    content = b"\n" * 1_000_000
    assert len(gzip.compress(content)) * LARGEST_EXPANSION < len(content)
    with unpacked(gzip.compress(content)) as file:
        assert file.read() == content


def test_what_expands_without_end_is_stopped_early(monkeypatch):
    monkeypatch.setattr(unpacking, "EXPANDS_FREELY", 100_000)
    bomb = gzip.compress(b"\n" * 10_000_000)
    given = []
    with unpacked(bomb) as file, pytest.raises(TooMuchError, match="more than 200 times its size"):
        given.extend(iter(lambda: len(file.read(1 << 16)), 0))
    assert sum(given) <= max(100_000, LARGEST_EXPANSION * len(bomb))


@pytest.mark.parametrize("unit", [b"\n", b"word 1 2 3\n", b" \n"])
def test_a_file_of_vectors_that_is_all_repetition_is_refused_by_name(tmp_path, monkeypatch, unit):
    monkeypatch.setattr(unpacking, "EXPANDS_FREELY", 100_000)
    path = tmp_path / "bomb.vec.gz"
    path.write_bytes(gzip.compress(b"2 3\nword 1 2 3\n" + unit * 300_000))
    with pytest.raises(ValueError, match=r"bomb\.vec\.gz: the compressed file expands to more than 200 times its size"):
        Embeddings.read(path)


def test_long_lines_are_not_held_by_thousands(tmp_path, monkeypatch):
    """4096 lines are parsed at once, but not where each of them is as long as a line may be."""
    monkeypatch.setattr("interlingua.align.formats.text.LONGEST_LINE", 200)
    path = tmp_path / "long.vec"
    rows = [f"w{number} {'1.' + '0' * 60} 2 3" for number in range(20)]
    path.write_text("\n".join(["20 3", *rows]) + "\n")
    read = Embeddings.read(path)
    assert read.labels == tuple(f"w{number}" for number in range(20))
    np.testing.assert_array_equal(read.vectors, np.tile([1.0, 2.0, 3.0], (20, 1)))
