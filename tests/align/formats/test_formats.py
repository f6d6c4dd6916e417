"""Every file format against bytes made by hand, and every way in which a file can be broken."""

import gzip
import io
import json
import re
import struct
import time
import zipfile

import numpy as np
import pytest

from interlingua.align.formats import arrays, text
from interlingua.align.formats.detect import _WRITTEN as FORMATS
from interlingua.align.formats.detect import check_labels, detect_format
from interlingua.align.formats.rows import EmbeddingFileError
from interlingua.align.vocabulary import Embeddings

NBSP, IDEOGRAPHIC, NEXT_LINE, LINE_SEPARATOR = "\u00a0", "\u3000", "\u0085", "\u2028"
ODD_LABELS = ("the", NBSP, IDEOGRAPHIC, NEXT_LINE, LINE_SEPARATOR, f"10{NBSP}000", "#", "漢字", "naïve", "-1.5", "0")
SUFFIXES = {
    "word2vec": ".vec",
    "glove": ".glove",
    "word2vec-binary": ".bin",
    "npz": ".npz",
    "safetensors": ".safetensors",
}


def hard_floats(n, d, seed=0):
    """Float32 values over the whole range of exponents, denormal numbers and the largest included."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2**32, size=(n, d), dtype=np.uint32)
    values = bits.view(np.float32).copy()
    values[~np.isfinite(values)] = np.float32(3.4028235e38)
    values[0, :3] = [-0.0, 1e-45, 1.1754944e-38][:d]
    return values


def by_hand(header, rows):
    text = f"{len(rows)} {len(rows[0][1])}\n" if header else ""
    return (text + "".join(f"{label} {' '.join(map(str, row))}\n" for label, row in rows)).encode()


ROWS = [("the", [0.5, -0.25, 3.0]), ("of", [1e-3, 2.0, -7.0]), ("a", [0.0, 1.0, 0.125])]
MATRIX = np.array([row for _, row in ROWS], dtype=np.float32)


def binary(rows, newline=b"\n", n=None):
    d = len(rows[0][1])
    packed = [label.encode() + b" " + struct.pack(f"<{d}f", *row) + newline for label, row in rows]
    return b"%d %d\n" % (len(rows) if n is None else n, d) + b"".join(packed)


def read(data, **options):
    return Embeddings.read(io.BytesIO(data), **options)


# round trips


@pytest.mark.parametrize(
    ("format", "packed"),
    [(format, "") for format in FORMATS] + [(format, ".gz") for format in ("word2vec", "glove", "word2vec-binary")],
)
def test_every_format_gives_back_every_bit_and_every_label(tmp_path, format, packed):
    written = Embeddings(ODD_LABELS, hard_floats(len(ODD_LABELS), 7), space="und")
    path = tmp_path / ("x" + SUFFIXES[format] + packed)
    written.write(path)
    path = path.rename(tmp_path / "no-name")  # the content tells the format
    again = Embeddings.read(path)
    assert again.labels == written.labels
    np.testing.assert_array_equal(again.vectors.view(np.uint32), written.vectors.view(np.uint32))
    assert again.report.format == format + ("+gzip" if packed else "")
    assert again.report.n_read == again.report.n_kept == len(ODD_LABELS)
    assert again.space == ("und" if format in ("npz", "safetensors") else "")
    assert Embeddings.read(path, space="other").space == "other"


@pytest.mark.parametrize("format", FORMATS)
def test_the_limit_gives_the_first_rows_in_every_format(tmp_path, format):
    written = Embeddings(tuple(f"w{i}" for i in range(9000)), hard_floats(9000, 2))
    path = tmp_path / ("x" + SUFFIXES[format])
    written.write(path)
    for limit in (1, 2, 8999, 9000, 20000):
        again = Embeddings.read(path, limit=limit)
        n = min(limit, 9000)
        assert again.labels == written.labels[:n]
        np.testing.assert_array_equal(again.vectors, written.vectors[:n])
        assert again.report.n_read == n


def test_equal_content_gives_equal_bytes(tmp_path):
    words = Embeddings(("a", "b"), hard_floats(2, 3))
    for name in ("x.vec.gz", "x.npz", "x.safetensors"):
        words.write(tmp_path / name)
        first = (tmp_path / name).read_bytes()
        words.write(tmp_path / name)
        assert (tmp_path / name).read_bytes() == first


# files made by hand


def test_word2vec_and_fasttext_text_are_read():
    np.testing.assert_array_equal(read(by_hand(True, ROWS)).vectors, MATRIX)
    fasttext = b"3 3\nthe 0.5 -0.25 3.0 \nof 1e-3 2 -7 \na 0.0 +1. .125 \n"  # a blank ends each line
    words = read(fasttext)
    assert words.labels == ("the", "of", "a")
    assert words.report.format == "word2vec"
    np.testing.assert_array_equal(words.vectors, MATRIX)


def test_windows_line_ends_tabs_byte_order_mark_and_blank_lines_do_not_matter():
    data = b"\xef\xbb\xbf3 3\r\nthe\t0.5\t-0.25\t3\r\n\r\nof 1e-3  2 -7\r\na 0 1 0.125"
    words = read(data)
    assert words.labels == ("the", "of", "a")
    np.testing.assert_array_equal(words.vectors, MATRIX)


def test_glove_labels_may_hold_blanks_and_are_split_from_the_right():
    rows = [
        ("the", [0.5, 1.5]),
        (". . .", [2.0, -1.0]),
        ("at name@domain.com", [0.25, 4.0]),
        (f"a{NBSP}b c", [1.0, 2.0]),
    ]
    words = read(by_hand(False, rows))
    assert words.labels == tuple(label for label, _ in rows)
    assert words.report.format == "glove"
    np.testing.assert_array_equal(words.vectors, np.array([row for _, row in rows], dtype=np.float32))


def test_the_dimension_without_header_is_the_commonest_not_that_of_the_first_line():
    words = read(b"2 0.5\nbad\nb 1 2\nc 3 4\nd 5 6\n", on_malformed="skip")
    assert words.labels == ("b", "c", "d")
    assert words.report.malformed_lines == (1, 2)


def test_one_dimensional_rows_of_integers_are_no_header():
    words = read(b"5 3\n7 2\n9 1\n")
    assert words.labels == ("5", "7", "9")
    assert words.vectors.ravel().tolist() == [3, 2, 1]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("newline", [b"\n", b""])
def test_word2vec_binary_is_read_with_and_without_newlines(newline, packed):
    rows = [("</s>", [0.5, -1.5]), ("日本", [2.0, struct.unpack("<f", b"\n a ")[0]]), (NBSP, [1e-20, 8.0])]
    data = binary(rows, newline)
    words = read(gzip.compress(data) if packed else data)
    assert words.labels == tuple(label for label, _ in rows)
    np.testing.assert_array_equal(words.vectors, np.array([row for _, row in rows], dtype=np.float32))


def test_word2vec_binary_rows_across_the_reading_buffer():
    n, d = 3000, 100  # 1.2 MB: the buffer ends within labels and vectors
    values = hard_floats(n, d)
    rows = [(f"w{i}", row) for i, row in enumerate(values.tolist())]
    words = read(binary(rows))
    assert words.labels == tuple(label for label, _ in rows)
    np.testing.assert_array_equal(words.vectors, values)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_simple_npz_layout_is_read(tmp_path, dtype, order):
    words = np.array([label for label, _ in ROWS])
    np.savez_compressed(tmp_path / "x.npz", words=words, vectors=np.array(MATRIX, dtype=dtype, order=order))
    again = Embeddings.read(tmp_path / "x.npz")
    assert again.labels == ("the", "of", "a")
    np.testing.assert_array_equal(again.vectors, MATRIX.astype(dtype).astype(np.float32))
    assert Embeddings.read(tmp_path / "x.npz", limit=2).labels == ("the", "of")


def test_npz_labels_may_be_byte_strings(tmp_path):
    np.savez(tmp_path / "x.npz", labels=np.array(["é".encode(), b"b"]), vectors=np.eye(2))
    assert Embeddings.read(tmp_path / "x.npz").labels == ("é", "b")


def test_safetensors_files_have_the_documented_layout(tmp_path):
    Embeddings(("é", "bc"), [[1.0, 2.0], [3.0, 4.0]], space="fra").write(tmp_path / "x.safetensors")
    data = (tmp_path / "x.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]

    def tensor(name):
        start, end = header[name]["data_offsets"]
        return header[name]["dtype"], header[name]["shape"], body[start:end]

    assert tensor("vectors") == ("F32", [2, 2], struct.pack("<4f", 1, 2, 3, 4))
    assert tensor("labels_utf8") == ("U8", [4], "ébc".encode())
    assert tensor("label_offsets") == ("I64", [3], struct.pack("<3q", 0, 2, 4))
    about = json.loads(header["__metadata__"]["interlingua-embeddings"])
    assert len(about.pop("sha256")) == 64
    assert about == {"format_version": 1, "space": "fra"}


def test_text_written_is_what_the_format_says(tmp_path):
    words = Embeddings(("a", "b"), [[0.1, 2.0], [-0.5, 1e-7]])
    words.write(tmp_path / "x.vec")
    assert (tmp_path / "x.vec").read_text() == "2 2\na 0.100000001 2\nb -0.5 1.00000001e-07\n"
    words.write(tmp_path / "x.txt", format="glove", digits=3)
    assert (tmp_path / "x.txt").read_text() == "a 0.1 2\nb -0.5 1e-07\n"


# streaming


class Counting(io.RawIOBase):
    """An endless stream of rows that counts the bytes taken from it."""

    def __init__(self, header, row):
        self.taken, self._pending, self._row, self._next = 0, header, row, 0

    def readable(self):
        return True

    def read(self, size=-1):
        if size < 0:
            message = "asked for all of an endless stream"
            raise AssertionError(message)
        while len(self._pending) < size:
            self._pending += self._row(self._next)
            self._next += 1
        data, self._pending = self._pending[:size], self._pending[size:]
        self.taken += len(data)
        return data


def test_text_beyond_the_limit_is_not_taken_from_the_stream():
    endless = Counting(b"2000000 300\n", lambda i: b"w%d" % i + b" 0.25" * 300 + b"\n")
    words = Embeddings.read(endless, limit=500)
    assert words.vectors.shape == (500, 300)
    assert words.labels[-1] == "w499"
    assert endless.taken < 500 * 1510 + 2**19  # what is kept, and the buffers


def test_binary_beyond_the_limit_is_not_taken_from_the_stream():
    endless = Counting(b"3000000 300\n", lambda i: b"w%d " % i + bytes(1200))
    words = Embeddings.read(endless, limit=500)
    assert words.vectors.shape == (500, 300)
    assert endless.taken < 500 * 1206 + 2**21


def test_garbage_beyond_the_limit_is_never_parsed():
    for header in (b"9 2\n", b""):
        data = header + b"a 1 2\nb 3 4\n" + b"garbage \xff\n" * 7
        assert read(data, limit=2).labels == ("a", "b")
        with pytest.raises(EmbeddingFileError):
            read(data, limit=3)


def test_a_header_that_promises_too_much_reserves_no_memory(tmp_path):
    path = tmp_path / "x.vec"
    path.write_bytes(b"999999999999999999 3\na 1 2 3\n")
    with pytest.raises(EmbeddingFileError, match=r"promises 999999999999999999 rows and the file holds 1"):
        Embeddings.read(path)
    path.write_bytes(b"999999999 300\n" + b"a " + bytes(1200))
    assert len(Embeddings.read(path, on_malformed="skip")) == 1


# malformed rows


@pytest.mark.parametrize("header", [b"", b"4 2\n"])
@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"x 1", r"expected a label and 2 values, found 1"),
        (b"x 1 2 3", r"expected a label and 2 values, found 3"),
        (b"x 0.1 0.2 0.3 0.4", r"expected a label and 2 values, found 4"),
        (b"x 1 two", r"value 2 of 2 is no number: b'two'"),
        (b"x 1.2.3 4", r"value 1 of 2 is no number: b'1.2.3'"),
        (b"x 1_0 4", r"value 1 of 2 is no number: b'1_0'"),
        (b"x 0x10 4", r"value 1 of 2 is no number"),
        ("x ١ 4".encode(), r"value 1 of 2 is no number"),
        (b"x 1\x0b2 4", r"value 1 of 2 is no number"),
        (b"x 1\r2 4", r"value 1 of 2 is no number"),
        (b"  1 2", r"the label is empty"),
        (b"1 2", r"expected a label and 2 values, found 1"),
        (b"\xe9t\xe9 1 2", r"label b'\\xe9t\\xe9' is not UTF-8.*errors='replace'"),
        (b"x 1 nan", r"the vector of 'x' holds NaN"),
        (b"x -inf 1", r"the vector of 'x' holds NaN"),
        (b"x 1e39 1", r"too large for float32"),
    ],
)
def test_a_bad_line_is_named_by_number_or_dropped_and_listed(header, bad, said):
    data = header + b"a 1 2\nb 3 4\n" + bad + b"\nc 5 6\n"
    line = 4 if header else 3
    with pytest.raises(EmbeddingFileError, match=rf"^<stream>, line {line}: .*{said}.*on_malformed='skip'"):
        read(data)
    words = read(data, on_malformed="skip")
    assert words.labels == ("a", "b", "c")
    np.testing.assert_array_equal(words.vectors, np.float32([[1, 2], [3, 4], [5, 6]]))
    report = words.report
    assert (report.n_read, report.n_kept, report.malformed + report.non_finite) == (4, 3, 1)
    assert report.malformed_lines + report.non_finite_lines == (line,)
    assert f"(at {line})" in report.summary()


def test_neighbouring_faults_that_make_up_for_each_other_are_both_found():
    # Each line has the blanks of two values; together they hold four, so that only the lines tell: one has too few
    # and one has three, if a vertical tab separates.
    data = b"a 1 2\nb 3 4\nc  1\nd 1 2\x0b9\ne 5 6\n"
    words = read(data, on_malformed="skip")
    assert words.labels == ("a", "b", "e")
    assert words.report.malformed_lines == (3, 4)


def test_only_the_first_twenty_bad_lines_are_listed_and_all_are_counted():
    data = b"50 2\n" + b"".join(b"w%d 1 2\n" % i for i in range(20)) + b"x y z\n" * 30
    words = read(data, on_malformed="skip")
    assert words.report.malformed == 30
    assert words.report.malformed_lines == tuple(range(22, 42))


def test_undecodable_labels_are_kept_on_request():
    words = read(b"a 1 2\n\xe9t\xe9 3 4\n", errors="replace")
    assert words.labels == ("a", "\ufffdt\ufffd")


def test_the_first_of_duplicates_is_kept_and_zero_vectors_too():
    words = read(b"a 1 2\nb 0 0\na 3 4\nc -0 0\na 0 0\n")
    assert words.labels == ("a", "b", "c")
    assert words["a"].tolist() == [1, 2]
    assert (words.report.duplicates, words.report.zero_vectors, words.report.n_read) == (2, 2, 5)
    assert "2 duplicates" in words.report.summary()
    assert "kept 2 zero vectors" in words.report.summary()


def test_a_duplicate_in_a_later_block_is_found():
    rows = b"".join(b"w%d %d 1\n" % (i % 8192, i) for i in range(9000))
    words = read(rows)
    assert len(words) == 8192  # a power of two: the first duplicate is the first row of a block
    assert words.report.duplicates == 808
    assert words["w0"].tolist() == [0, 1]
    assert words["w8191"].tolist() == [8191, 1]


# files that are cut short, damaged, or something else


@pytest.mark.parametrize("packed", [False, True])
def test_fewer_rows_than_promised_is_an_error_unless_the_limit_is_reached(packed):
    data = b"5 2\na 1 2\nb 3 4\n"
    data = gzip.compress(data) if packed else data
    with pytest.raises(EmbeddingFileError, match=r"promises 5 rows and the file holds 2.*on_malformed='skip'"):
        read(data)
    assert len(read(data, limit=2)) == 2
    report = read(data, on_malformed="skip").report
    assert (report.promised, report.n_kept) == (5, 2)
    assert "truncated" in report.summary()


def test_more_rows_than_promised_are_read_and_reported():
    report = read(b"1 2\na 1 2\nb 3 4\n").report
    assert report.n_kept == 2
    assert "promises only 1" in report.summary()


@pytest.mark.parametrize("cut", [3, 9, 12, 20])
def test_a_truncated_binary_file_is_refused_or_read_as_far_as_it_goes(cut):
    data = binary(ROWS)[:-cut]
    with pytest.raises(EmbeddingFileError, match=r"truncated\?.*on_malformed='skip'"):
        read(data)
    words = read(data, on_malformed="skip")
    n = len(words)
    assert n in (1, 2)
    np.testing.assert_array_equal(words.vectors, MATRIX[:n])


def test_malformed_binary_rows_are_named_by_row():
    good, bad = ("a", [1.0, 2.0]), ("b", [float("nan"), 1.0])
    with pytest.raises(EmbeddingFileError, match=r"row 2: .*'b' holds NaN"):
        read(binary([good, bad]))
    words = read(binary([good, bad, ("", [1.0, 1.0]), ("c", [3.0, 4.0])]), on_malformed="skip")
    assert words.labels == ("a", "c")
    assert (words.report.non_finite_lines, words.report.malformed_lines) == ((2,), (3,))


@pytest.mark.parametrize("header", [b"", b"3000 3\n"])
def test_a_truncated_gzip_file_is_refused_or_read_as_far_as_it_goes(header):
    values = hard_floats(3000, 3)
    rows = b"".join(b"w%d %.9g %.9g %.9g\n" % (i, *row) for i, row in enumerate(values.tolist()))
    data = gzip.compress(header + rows)
    with pytest.raises(EmbeddingFileError, match=r"damaged"):
        read(data[: len(data) // 2])
    words = read(data[: len(data) // 2], on_malformed="skip")
    assert 1000 < len(words) < 3000
    assert words.report.damage
    n = len(words) - 1  # the last line may be cut within its last number
    np.testing.assert_array_equal(words.vectors[:n], values[:n])
    assert len(read(data[: len(data) // 2], limit=500)) == 500


def test_a_damaged_gzip_file_is_refused():
    data = bytearray(gzip.compress(by_hand(True, ROWS)))
    data[-6] ^= 0xFF  # the checksum
    with pytest.raises(EmbeddingFileError, match="damaged"):
        read(bytes(data))
    with pytest.raises(EmbeddingFileError, match=r"damaged"):
        read(bytes(data[:12]))
    assert len(read(bytes(data), limit=2)) == 2  # the damage lies beyond what is wanted


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the file is empty"),
        (b"\xba\x16\x4f\x2f" + bytes(100), "fastText model"),
        (b"\x93NUMPY\x01\x00", "bare .npy"),
        ("the 1 2\n".encode("utf-16"), "UTF-16"),
        (b"3 0\na\n", "no row of numbers"),
        (b"<html>\n<p>404 not found</p>\n", "no row of numbers"),
        (b"5 3\n", "promises 5 rows and the file holds 0"),
        (b"\n\n", "no row of numbers"),
    ],
)
def test_what_is_no_file_of_embeddings_is_refused_by_name(tmp_path, data, said):
    path = tmp_path / "x.vec"
    path.write_bytes(data)
    with pytest.raises(EmbeddingFileError, match=rf"x\.vec.*{said}"):
        Embeddings.read(path)


def test_the_given_format_overrides_what_the_content_looks_like():
    words = read(b"5 2\n7 1\n", format="glove")
    assert words.labels == ("5", "7")
    with pytest.raises(EmbeddingFileError, match=r"line 1: .*begins with '<rows> <dimension>'.*format='glove'"):
        read(b"a 1 2\n", format="word2vec")
    with pytest.raises(EmbeddingFileError, match="word2vec binary file begins with"):
        read(b"a 1 2\n", format="word2vec-binary")
    with pytest.raises(ValueError, match="format must be one of"):
        read(b"a 1 2\n", format="text")


@pytest.mark.parametrize(
    "options", [{"limit": 0}, {"limit": -1}, {"on_malformed": "ignore"}, {"errors": "surrogateescape"}]
)
def test_bad_options_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        read(b"a 1 2\n", **options)


def test_detection_by_content_then_by_name():
    assert detect_format(by_hand(True, ROWS), "x.bin") == "word2vec"
    assert detect_format(by_hand(False, ROWS), "x.npz") == "glove"
    assert detect_format(binary(ROWS), "x.txt") == "word2vec-binary"
    printable = b"1 1\na " + b"AAAA"  # the float 12.078431 in ASCII bytes: only the name can tell
    assert detect_format(printable, "x.bin") == "word2vec-binary"
    assert detect_format(printable, "x.vec") == "word2vec"


# npz and safetensors


def test_arrays_of_objects_are_refused_unread(tmp_path):
    class Harm:
        def __reduce__(self):
            return (pytest.fail, ("code from the file was run",))

    path = tmp_path / "x.npz"
    np.savez(path, words=np.array([Harm(), Harm()], dtype=object), vectors=np.eye(2))
    with pytest.raises(EmbeddingFileError, match=r"'words' holds Python objects"):
        Embeddings.read(path)
    np.savez(path, words=np.array(["a", "b"]), vectors=np.array([[Harm()], [Harm()]], dtype=object))
    with pytest.raises(EmbeddingFileError, match=r"'vectors' holds Python objects"):
        Embeddings.read(path)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"vectors": np.eye(2)}, "no labels"),
        ({"words": np.array(["a", "b"])}, "no array named 'vectors'"),
        ({"words": np.array(["a"]), "vectors": np.eye(2)}, "2 rows and there are 1 labels"),
        ({"words": np.array(["a", "b", "c"]), "vectors": np.eye(2)}, "2 rows and there are 3 labels"),
        ({"words": np.array([1, 2]), "vectors": np.eye(2)}, "labels must be strings"),
        ({"words": np.array(["a", "b"]), "vectors": np.ones(2)}, r"\(rows, dimension\)"),
        ({"words": np.array(["a", "b"]), "vectors": np.array([["x"], ["y"]])}, "real numbers"),
        ({"words": np.array(["a", "b"]), "vectors": np.array([[1.0], [np.nan]])}, "row 2: .*NaN"),
        ({"words": np.array(["a", ""]), "vectors": np.eye(2)}, "row 2: the label is empty"),
        ({"words": np.array(["a", "b"]), "vectors": np.eye(2), "format_version": np.int64(9)}, "newer"),
        (
            {"labels_utf8": np.zeros(2, np.uint8), "label_offsets": np.array([0, 5, 2]), "vectors": np.eye(2)},
            "labels are damaged",
        ),
        (
            {"labels_utf8": np.full(2, 255, np.uint8), "label_offsets": np.array([0, 1, 2]), "vectors": np.eye(2)},
            "not UTF-8",
        ),
    ],
)
def test_npz_files_that_do_not_fit_are_refused(tmp_path, arrays, said):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(EmbeddingFileError, match=rf"x\.npz.*{said}"):
        Embeddings.read(tmp_path / "x.npz")


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_every_truncation_and_many_flipped_bytes_of_a_container_raise_our_error(tmp_path, suffix):
    path = tmp_path / ("x" + suffix)
    Embeddings(("aa", "bb", "cc"), hard_floats(3, 3)).write(path)
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for end in rng.integers(9, len(data), size=30).tolist():
        path.write_bytes(data[:end])
        with pytest.raises(EmbeddingFileError, match=r"x\."):
            Embeddings.read(path)
    path.write_bytes(data)
    refused, whole = 0, Embeddings.read(path)
    for position in rng.integers(0, len(data), size=100).tolist():
        mutated = bytearray(data)
        mutated[position] ^= 0xFF
        path.write_bytes(bytes(mutated))
        try:
            read = Embeddings.read(path)
            assert read.labels == whole.labels
            np.testing.assert_array_equal(read.vectors, whole.vectors)
        except EmbeddingFileError:
            refused += 1
    assert refused > 60


def test_safetensors_of_an_earlier_release_have_no_hash_and_are_read(tmp_path):
    from safetensors.numpy import load_file, save_file

    written = Embeddings(("aa", "bb", "cc"), hard_floats(3, 3), space="fra")
    written.write(tmp_path / "x.safetensors")
    tensors = load_file(tmp_path / "x.safetensors")
    about = {"interlingua-embeddings": json.dumps({"format_version": 1, "space": "fra"})}
    save_file(tensors, tmp_path / "x.safetensors", metadata=about)
    read = Embeddings.read(tmp_path / "x.safetensors")
    assert (read.labels, read.space) == (written.labels, "fra")
    np.testing.assert_array_equal(read.vectors, written.vectors)
    assert len(Embeddings.read(tmp_path / "x.safetensors", limit=2)) == 2


def test_safetensors_without_the_tensors_needed_is_refused(tmp_path):
    from safetensors.numpy import save_file

    save_file({"weight": np.eye(2, dtype=np.float32)}, tmp_path / "x.safetensors")
    with pytest.raises(EmbeddingFileError, match=r"tensors \['label_offsets', 'labels_utf8', 'vectors'\] are missing"):
        Embeddings.read(tmp_path / "x.safetensors")


def test_containers_are_not_read_from_streams_or_gzip(tmp_path):
    Embeddings(("a", "b"), np.eye(2)).write(tmp_path / "x.npz")
    data = (tmp_path / "x.npz").read_bytes()
    with pytest.raises(EmbeddingFileError, match="unpack it to a file"):
        read(data)
    (tmp_path / "x.npz.gz").write_bytes(gzip.compress(data))
    with pytest.raises(EmbeddingFileError, match="unpack it to a file"):
        Embeddings.read(tmp_path / "x.npz.gz")


# writing


@pytest.mark.parametrize(
    ("name", "label", "said"),
    [
        ("x.vec", "", "not empty"),
        ("x.vec", "a\nb", "line break"),
        ("x.glove", "a\rb", "line break"),
        ("x.vec", "New York", "hold no blank"),
        ("x.vec", "a\tb", "hold no blank"),
        ("x.bin", "New York", "neither blank nor line break"),
        ("x.bin", "", "not empty"),
        ("x.glove", "a ", "begin or end with a blank"),
        ("x.glove", "route 66", "separate numbers"),
        ("x.npz", "", "not empty"),
        ("x.safetensors", "", "not empty"),
        ("x.csv", "a", "tells no format"),
        ("x.npz.gz", "a", "not compressed"),
    ],
)
def test_what_would_not_be_read_back_is_not_written(tmp_path, name, label, said):
    with pytest.raises(ValueError, match=said):
        Embeddings((label, "other"), np.eye(2)).write(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_labels_with_blanks_and_line_breaks_survive_where_the_format_allows(tmp_path):
    Embeddings(("New York", "a  b", "c\td", f"{NBSP} x"), hard_floats(4, 3)).write(tmp_path / "x.glove")
    assert Embeddings.read(tmp_path / "x.glove").labels == ("New York", "a  b", "c\td", f"{NBSP} x")
    labels = ("New York", " a\n", "66 66", "\x00")
    for name in ("x.npz", "x.safetensors"):
        Embeddings(labels, hard_floats(4, 3)).write(tmp_path / name)
        assert Embeddings.read(tmp_path / name).labels == labels


@pytest.mark.parametrize(("name", "digits"), [("x.vec", 0), ("x.vec", 18), ("x.npz", 5), ("x.bin", 5)])
def test_digits_are_for_text(tmp_path, name, digits):
    with pytest.raises(ValueError, match="digits"):
        Embeddings(("a",), [[1.0]]).write(tmp_path / name, digits=digits)


# promises, bombs and damage


def bounded(call, *, most=64 << 20):
    """Run a call that must fail; return its error and check how much memory it took."""
    import tracemalloc

    tracemalloc.start()
    try:
        with pytest.raises(EmbeddingFileError) as caught:
            call()
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()
    return str(caught.value)


@pytest.mark.parametrize("on_malformed", ["raise", "skip"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("d", "said"), [(1_000_000, "but the first row holds 3"), (2 * 10**9, "more than the 1048576")]
)
def test_a_dimension_that_the_header_only_claims_costs_no_memory(tmp_path, on_malformed, packed, d, said):
    content = b"3 %d\nword 1 2 3\nother 4 5 6\n" % d
    path = tmp_path / ("d.vec.gz" if packed else "d.vec")
    path.write_bytes(gzip.compress(content) if packed else content)
    error = bounded(lambda: Embeddings.read(path, on_malformed=on_malformed))
    assert f"the header promises {d} values a row, {said}" in error
    assert str(path) in error


@pytest.mark.parametrize(("d", "said"), [(10**6, "the file has|truncated"), (2 * 10**9, "more than the 1048576")])
def test_a_binary_file_is_compared_with_its_header(tmp_path, d, said):
    path = tmp_path / "d.bin"
    path.write_bytes(b"3 %d\nword " % d + bytes(4000))
    assert re.search(said, bounded(lambda: Embeddings.read(path)))
    path.write_bytes(gzip.compress(b"3 %d\nword " % d + bytes(4000)))
    assert re.search(said, bounded(lambda: Embeddings.read(path)))


@pytest.mark.parametrize("on_malformed", ["raise", "skip"])
def test_an_endless_line_is_refused_early_with_its_number(tmp_path, monkeypatch, on_malformed):
    monkeypatch.setattr(text, "LONGEST_LINE", 1000)
    path = tmp_path / "x.vec.gz"
    path.write_bytes(gzip.compress(b"3 2\nthe 1 2\nof " + b"1" * 5_000_000))
    error = bounded(lambda: Embeddings.read(path, on_malformed=on_malformed), most=4 << 20)
    assert error.startswith(f"{path}, line 3: a row is a line of at most 1000 bytes, but this one is longer")
    monkeypatch.setattr(text, "LONGEST_LINE", len(b"the 1 2\n"))
    assert read(b"1 2\nthe 1 2\n").labels == ("the",)


def test_a_member_that_expands_far_beyond_its_size_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "_EXPANDS_FREELY", 100_000)
    path = tmp_path / "x.npz"
    for bomb in ({"format_version": np.zeros(1_000_000)}, {"words": np.array(["a" * 300_000])}):
        np.savez_compressed(path, **({"vectors": np.ones((1, 3)), "words": np.array(["a"])} | bomb))
        error = bounded(lambda: Embeddings.read(path), most=4 << 20)
        assert f"{path}: the member '{next(iter(bomb))}.npy' would expand from" in error
    rng = np.random.default_rng(0)
    np.savez_compressed(path, vectors=rng.normal(size=(4000, 30)), words=np.array([f"w{i}" for i in range(4000)]))
    assert len(Embeddings.read(path)) == 4000


def test_scalars_and_labels_of_archives_have_a_bound(tmp_path):
    path = tmp_path / "x.npz"
    whole = {"vectors": np.ones((1, 3)), "words": np.array(["a"])}
    np.savez(path, **whole | {"format_version": np.zeros(3)})
    with pytest.raises(EmbeddingFileError, match="the array 'format_version' must have at most 1 entries"):
        Embeddings.read(path)
    np.savez(path, **whole | {"words": np.array(["a" * 70_000])})
    with pytest.raises(EmbeddingFileError, match="labels of at most 65536 bytes"):
        Embeddings.read(path)


def test_a_damaged_header_in_an_archive_is_a_damaged_file(tmp_path):
    path = tmp_path / "x.npz"
    member = io.BytesIO()
    np.save(member, np.ones((1, 3), np.float32))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("vectors.npy", member.getvalue().replace(b"}", b"("))
    with pytest.raises(EmbeddingFileError, match=r"x\.npz: not a readable \.npz file of embeddings"):
        Embeddings.read(path)


def test_a_long_run_of_digits_takes_linear_time():
    line = b"word 1 " + b"1" * 200_000 + b"x\n"
    started = time.process_time()
    with pytest.raises(EmbeddingFileError, match="line 2: value 2 of 2 is no number"):
        read(b"2 2\n" + line)
    with pytest.raises(EmbeddingFileError, match="no row of numbers"):
        read(line, format="glove")
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "number", ["1", "1.", "1.5", ".5", "+1e3", "-1.5E-3", "nan", "-inf", "1e", "1.5.2", ".", "1_0"]
)
def test_what_is_a_number_is_what_float_takes_but_underscores(number):
    try:
        expected = np.isfinite(float(number)) or "n" in number
    except ValueError:
        expected = False
    assert bool(text.NUMBER.fullmatch(number.encode())) is (expected and "_" not in number)


def test_damage_is_said_of_the_file_that_is_there(tmp_path):
    path = tmp_path / "x.vec.gz"
    for content in (b"", b"\xff\xfea\x00"):
        path.write_bytes(gzip.compress(content))
        with pytest.raises(EmbeddingFileError, match=r"x\.vec\.gz: "):
            Embeddings.read(path)
    path.write_bytes(gzip.compress(b"1 1\na 1\n")[:6])
    with pytest.raises(EmbeddingFileError, match=r"x\.vec\.gz: the compressed file is damaged from the beginning"):
        Embeddings.read(path)


@pytest.mark.parametrize("name", ["x.floret", "x.txt", "x.vec"])
@pytest.mark.parametrize("on_malformed", ["raise", "skip"])
def test_a_floret_table_is_named(tmp_path, name, on_malformed):
    table = b"".join(b"%d 0.1 0.2 0.3\n" % row for row in range(30))
    (tmp_path / name).write_bytes(b"30 2 3 3 2 2166136261 < >\n" + table)
    with pytest.raises(EmbeddingFileError, match=rf"{name}, line 1: this is a table of floret.*print-word-vectors"):
        Embeddings.read(tmp_path / name, on_malformed=on_malformed)


@pytest.mark.parametrize(
    ("name", "label", "said"),
    [
        ("a.vec", "a b", "hold no blank"),
        ("a.vec.gz", "", "not empty"),
        ("a.bin", "a b", "neither blank nor line break"),
        ("a.glove", "a 1", "end in separate numbers"),
        ("a.npz", "", "at row 1"),
        ("a.safetensors", "", "at row 1"),
        ("a.csv", "a", "tells no format"),
    ],
)
def test_labels_are_checked_as_they_would_be_written(tmp_path, name, label, said):
    for call in (check_labels, lambda path, labels: Embeddings(labels, np.ones((2, 1))).write(path)):
        with pytest.raises(ValueError, match=said):
            call(tmp_path / name, ("x", label))
    assert list(tmp_path.iterdir()) == []
    if name != "a.csv":
        check_labels(tmp_path / name, ("x", "y"))
