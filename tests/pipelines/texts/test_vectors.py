import io
import json
import sys

import numpy as np
import pytest

from interlingua.align import EmbeddingFileError, Embeddings
from interlingua.pipelines.texts.vectors import Origin, VectorFile, check_output_name, read_vectors, write_vectors

ORIGIN = Origin("an encoder", "fi", "query", "a space")
VECTORS = np.array([[1.0, 0.5], [0.25, -1.0], [3.0, 2.0]], np.float32)


@pytest.fixture
def stdin(monkeypatch):
    def give(content):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(content))))

    return give


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_npy_files_come_back_with_their_origin(tmp_path):
    write_vectors(tmp_path / "a.npy", VectorFile(VECTORS, origin=ORIGIN))
    read = read_vectors(tmp_path / "a.npy")
    np.testing.assert_array_equal(read.vectors, VECTORS)
    assert read.origin == ORIGIN
    assert read.embeddings is None
    assert len(read_vectors(tmp_path / "a.npy", limit=2).vectors) == 2


def test_a_stale_or_broken_note_is_not_believed_and_said(tmp_path):
    write_vectors(tmp_path / "a.npy", VectorFile(VECTORS, origin=ORIGIN))
    note = tmp_path / "a.npy.json"
    whole = note.read_text(encoding="utf-8")
    np.save(tmp_path / "a.npy", VECTORS + 1)  # by somebody else, who leaves the note
    with pytest.warns(UserWarning, match=r"a\.npy\.json speaks of another file: a\.npy was damaged or replaced since"):
        assert read_vectors(tmp_path / "a.npy").origin == Origin()
    np.save(tmp_path / "a.npy", VECTORS)
    assert read_vectors(tmp_path / "a.npy").origin == ORIGIN
    with (tmp_path / "a.npy").open("ab") as file:
        file.write(bytes(1000))
    with pytest.warns(UserWarning, match="speaks of another file"):
        np.testing.assert_array_equal(read_vectors(tmp_path / "a.npy").vectors, VECTORS)
    np.save(tmp_path / "a.npy", VECTORS)
    other = whole.replace(f'"{ORIGIN.language}"', '"xx"')
    assert other != whole
    for broken in ("", "[]", "3", '{"sha256": 1}', whole[:-30], json.dumps(json.loads(whole) | {"sha256": "0"}), other):
        note.write_text(broken, encoding="utf-8")
        with pytest.warns(UserWarning, match=r"a\.npy\.json (is damaged|speaks of another file)"):
            assert read_vectors(tmp_path / "a.npy").origin == Origin()
    unsigned = json.loads(whole)
    del unsigned["note_sha256"]
    note.write_text(json.dumps(unsigned), encoding="utf-8")
    assert read_vectors(tmp_path / "a.npy").origin == ORIGIN  # of an earlier release
    note.write_bytes(b"\xff\xfe")
    with pytest.warns(UserWarning, match="is damaged"):
        assert read_vectors(tmp_path / "a.npy").origin == Origin()
    note.unlink()
    assert read_vectors(tmp_path / "a.npy").origin == Origin()


@pytest.mark.parametrize("name", ["a.vec", "a.npz", "a.safetensors", "a.vec.gz", "a.glove", "a.bin"])
def test_labelled_formats_keep_labels_and_values(tmp_path, name):
    words = Embeddings(("a", "b", "c"), VECTORS, "fi")
    write_vectors(tmp_path / name, VectorFile(VECTORS * 2, words, ORIGIN))
    read = read_vectors(tmp_path / name)
    assert read.embeddings.labels == ("a", "b", "c")
    np.testing.assert_array_equal(read.vectors, VECTORS * 2)
    assert read.origin == Origin()
    assert [path.name for path in tmp_path.iterdir()] == [name]  # nothing is left beside it


def test_vectors_without_labels_cannot_be_written_as_text(tmp_path):
    with pytest.raises(ValueError, match=r"without labels can be written as \.npy only, not as a\.vec; name it OUT"):
        write_vectors(tmp_path / "a.vec", VectorFile(VECTORS))
    assert list(tmp_path.iterdir()) == []


def test_integers_and_doubles_become_float32_and_the_format_is_told_by_content(tmp_path):
    for dtype in (np.int32, np.float64, np.float16):
        (tmp_path / "a.dat").write_bytes(npy(VECTORS.astype(dtype)))
        read = read_vectors(tmp_path / "a.dat").vectors
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, VECTORS.astype(dtype).astype(np.float32))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy(VECTORS)[:-3], "is no whole .npy file"),
        (npy(VECTORS)[:20], "is no whole .npy file"),
        (b"", "is no whole .npy file"),
        (b"PK\x03\x04 not numpy", "is no whole .npy file"),
        (npy(VECTORS).replace(b"}", b"("), "is no whole .npy file"),
        (
            npy(VECTORS).replace(b"(3, 2), }        ", b"(900000000, 2), }"),
            "promises 7200000000 bytes of numbers and 24 f",
        ),
        (npy(np.arange(3.0)), r"must hold one vector a row, of shape \(n, d\), but holds float64 of shape \(3,\)"),
        (npy(np.zeros((3, 0))), r"of shape \(3, 0\)"),
        (npy(np.array([["a"]])), "but holds <U1"),
        (npy(np.array([[1.0], [np.nan]])), "row 1 holds NaN or infinity"),
        (npy(np.array([[1e300]])), "row 0 holds NaN or infinity"),
    ],
)
def test_bad_npy_files_are_refused_by_name(tmp_path, content, message):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.npy.*{message}"):
        read_vectors(tmp_path / "a.npy")


def test_standard_input_gives_text_or_npy(stdin):
    stdin(b"2 2\nthe 1 2\nsun 3 4\n")
    assert read_vectors("-").embeddings.labels == ("the", "sun")
    stdin(npy(VECTORS))
    np.testing.assert_array_equal(read_vectors("-").vectors, VECTORS)
    stdin(npy(VECTORS)[:-1])
    with pytest.raises(ValueError, match="standard input is no whole"):
        read_vectors("-")


def test_malformed_rows_are_dropped_on_request(tmp_path):
    (tmp_path / "a.vec").write_text("3 2\nthe 1 2\nsun 3\nmoon 5 6\n")
    with pytest.raises(EmbeddingFileError, match="line 3"):
        read_vectors(tmp_path / "a.vec")
    assert read_vectors(tmp_path / "a.vec", skip_malformed=True).embeddings.labels == ("the", "moon")


def test_names_of_outputs_tell_the_format():
    for name in ("a.vec", "a.VEC.gz", "a.npy", "folder.d/a.npz", "a.safetensors"):
        check_output_name(name)
    for name in ("a", "a.csv", "folder.vec/a"):
        with pytest.raises(ValueError, match=r"tells no format; end it in one of \.vec"):
            check_output_name(name)
