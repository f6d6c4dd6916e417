"""Numbers read many at a time, beside `float`, bit by bit."""

import random

import numpy as np
import pytest

from interlingua.align import Embeddings
from interlingua.align.formats.numbers import format_rows, parse_rows
from interlingua.align.formats.rows import EmbeddingFileError

ODD = ("-0.0", "+.5", "5.", "-5.", "0", "-0", "+7", ".25", "00001.5", "1.0000000000000000", "99999999.99999999", "1e-5",
       "3E+4", "nan", "-inf", "123456789.5", "0.0000000000000001", "9007199254740993", "0.30000000000000004",
       "12345678.12345678", "123456789012345678901234567890", "0.00000000000000000000000001")  # fmt: skip


def number(rng):
    kind = rng.randrange(6)
    if kind == 0:
        return f"{rng.gauss(0, 0.1):.4f}"
    if kind == 1:
        return f"{np.float32(rng.gauss(0, 0.1)):.9g}"
    if kind == 2:
        return f"{rng.gauss(0, 1):.17g}"
    if kind == 3:
        return str(rng.randint(-(10 ** rng.randint(1, 20)), 10 ** rng.randint(1, 20)))
    return f"{rng.gauss(0, 1e3):.12f}" if kind == 4 else rng.choice(ODD)


@pytest.mark.parametrize("seed", range(40))
def test_numbers_are_those_of_float_to_the_last_bit(seed):
    rng = random.Random(seed)
    width, n_rows = rng.randint(1, 30), rng.randint(1, 20)
    if seed % 2:  # all of one form, as in most files
        rows = [[f"{rng.gauss(0, 3):.{seed % 17}f}" for _ in range(width)] for _ in range(n_rows)]
    else:
        rows = [[number(rng) for _ in range(width)] for _ in range(n_rows)]
    found = parse_rows([" ".join(row).encode() for row in rows], width)
    assert found.tobytes() == np.array([[float(each) for each in row] for row in rows]).tobytes()


@pytest.mark.parametrize("beside", [0, 30])
@pytest.mark.parametrize(
    "odd",
    ["1..5", "1_0", "--1", "1-", "1. ", "", "+", "-", ".", "1.2.3", "0x10", "\uff11", "1\t2", "1\r", "- 1", " 1",
     "1  2", "1,5", ":.5", "1/2", "1e", "e5", "1.5:", "1;5", "1.\x003", "./5", "0.5?", "\xb2"],
)  # fmt: skip
def test_what_is_no_number_is_none(odd, beside):
    for width in (1, 2, 3):
        assert parse_rows([" ".join(["0.5"] * beside + [odd]).encode()], width + beside) is None


def test_a_number_too_few_is_not_made_up_for_by_the_next_row():
    assert parse_rows([b"1 2 3", b"4"], 2) is None
    assert parse_rows([b"1 2", b"3 4"], 2).tolist() == [[1, 2], [3, 4]]
    assert parse_rows([], 2).shape == (0, 2)


@pytest.mark.parametrize("place", [3, 700, 1999])
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("w 1.5 2.5", "expected a label and 3 values, found 2 values"),
        ("w 1.5 2.5 3.5 4.5", "expected a label and 3 values, found 4 values"),
        ("w 1.5 x 3.5", "value 2 of 3 is no number: b'x'"),
        ("w 1.5 1_0 3.5", "value 2 of 3 is no number: b'1_0'"),
        ("w 1.5 nan 3.5", "holds NaN"),
        ("w 1.5 1e39 3.5", "too large for float32"),
    ],
)
def test_a_bad_line_is_named_wherever_it_stands(tmp_path, place, line, message):
    lines = [f"w{row} {row / 8} -0.25 {row}e-2" for row in range(2000)]
    lines[place] = line
    path = tmp_path / "x.vec"
    path.write_text("2000 3\n" + "\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(EmbeddingFileError, match=f"x.vec, line {place + 2}: .*") as raised:
        Embeddings.read(path)
    assert message in str(raised.value)
    kept = Embeddings.read(path, on_malformed="skip")
    assert len(kept) == 1999
    assert kept.vectors[5 if place > 5 else 4].tolist() == pytest.approx([5 / 8, -0.25, 0.05])


@pytest.mark.parametrize("digits", [1, 2, 5, 8, 9, 12])
def test_rows_are_written_as_printf_writes_them(digits):
    rng = np.random.default_rng(digits)
    drawn = rng.normal(size=400) * 10.0 ** rng.integers(-5, 2, 400)
    ties = rng.integers(1, 2**20, 400) / 2.0 ** rng.integers(1, 30, 400)  # a last 5 that is exact
    edges = [0.0, -0.0, 1e-4, 9.5, 9.4999, 0.99999, 0.0999999999, 1.0, -1.0, 0.5, 1e-5, 1e30, 1e-40, 2.5, 0.25, 9.5e-5]
    edges += [value * sign for value in (0.1, 0.01, 0.001, 1e-4, 0.95, 0.095, 0.9999999) for sign in (1, -1)]
    values = np.array([*drawn, *ties, *edges], np.float32)
    for width in (1, 2, 5):
        rows = values[: len(values) // width * width].reshape(-1, width)
        pattern = b" ".join([b"%%.%dg" % digits] * width)
        assert format_rows(rows, digits) == [pattern % tuple(row) for row in rows.tolist()]
    assert format_rows(values[:0].reshape(0, 3), digits) == []
