"""Decimal numbers of text as arrays, many at a time: as `float` reads them, several times as fast.

A number of at most 15 digits without an exponent is a whole number below 2^53 over a power of ten, which one division
rounds as `float` does. Eight digits are eight bytes, which one 64-bit word holds: pairs, quadruples and then all eight
are put together by multiplying the whole word. Other numbers are read by `float`, one by one.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NUMBER = re.compile(
    rb"[+-]?(?:[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?|nan|inf)", re.IGNORECASE
)
# subtle: no two of its parts may match the same digits, or a long run of them takes time that grows as its square
_WORD = 8
_PADDING = b"0" * 2 * _WORD  # so that the words before the first number are there
_BLANK, _POINT, _MINUS, _PLUS = b" .-+"
_FEW = 8  # at most one of so many numbers is read by `float` before all are
_LARGEST = float(2**53)
_POWERS = 10.0 ** np.arange(2 * _WORD + 1)
_ZEROS = np.uint64(0x3030303030303030)
_TENS, _SIXES = np.uint64(0xF0F0F0F0F0F0F0F0), np.uint64(0x0606060606060606)
# the last n bytes of a word in memory are its highest
_KEPT = np.array([(0xFFFFFFFFFFFFFFFF << 8 * (_WORD - n)) & 0xFFFFFFFFFFFFFFFF for n in range(_WORD + 1)], np.uint64)
_JOINED = tuple(
    (np.uint64(factor), np.uint64(shift), np.uint64(mask))
    for factor, shift, mask in (
        (10, 8, 0x00FF00FF00FF00FF),
        (100, 16, 0x0000FFFF0000FFFF),
        (10_000, 32, 0x00000000FFFFFFFF),
    )
)


def parse_rows(texts: Sequence[bytes], width: int) -> NDArray[np.float64] | None:
    """Return the numbers (n, width) of rows with one blank between each two, or None if one is anything else.

    Parameters
    ----------
    texts : sequence of n bytes
    width : int
        Numbers in a row.

    Examples
    --------
    >>> parse_rows([b"1 -0.25", b".5 1e3"], 2).tolist()
    [[1.0, -0.25], [0.5, 1000.0]]
    >>> parse_rows([b"1 1_000"], 2) is None
    True
    """
    if not texts:
        return np.empty((0, width))
    padded = b" ".join((_PADDING, *texts, b""))
    raw = np.frombuffer(padded, np.uint8)
    ends = np.flatnonzero(raw == _BLANK)[1:]
    lasts = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)) + 1) + len(_PADDING)
    if len(ends) != width * len(texts) or bool((ends[width - 1 :: width] != lasts).any()):
        return None
    values = _parse(padded, raw, ends)
    return None if values is None else values.reshape(-1, width)


def _parse(padded: bytes, raw: NDArray[np.uint8], ends: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Return the numbers that end where `ends` says; the first begins behind the padding and a blank."""
    count = len(ends)
    starts = np.empty_like(ends)
    starts[0], starts[1:] = len(_PADDING) + 1, ends[:-1] + 1
    points = _points(raw, starts, ends)
    first = raw[starts]
    negative = first == _MINUS
    n_whole = points - starts - (negative | (first == _PLUS))
    n_parts = np.maximum(ends - points - 1, 0)
    plain = (n_whole >= 0) & (n_whole <= _WORD) & (n_parts <= 2 * _WORD) & (n_whole + n_parts > 0)
    words = np.ndarray((len(padded) - _WORD + 1,), "<u8", padded, strides=(1,))
    n_low = np.minimum(n_parts, _WORD)
    whole, digits = _digits(words, points, n_whole if plain.all() else np.where(plain, n_whole, 0))
    low, more_digits = _digits(words, ends, n_low)
    plain &= digits
    plain &= more_digits
    if n_parts.max() > _WORD:
        high, digits = _digits(words, ends - _WORD, np.clip(n_parts - _WORD, 0, _WORD))
        high *= _POWERS[_WORD]
        low += high
        plain &= digits
    scale = _POWERS[np.minimum(n_parts, 2 * _WORD)]
    values: NDArray[np.float64] = whole * scale + low
    plain &= values < _LARGEST
    values /= scale
    np.negative(values, out=values, where=negative)
    others = np.flatnonzero(~plain)
    if len(others) * _FEW > count:
        return _by_float(padded[len(_PADDING) + 1 : -1], count)
    for place in others.tolist():
        number = padded[starts[place] : ends[place]]
        if not NUMBER.fullmatch(number):
            return None
        values[place] = float(number)
    return values


def _points(raw: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where the decimal point of each number stands, or its end."""
    found = np.flatnonzero(raw == _POINT)
    if len(found) == len(ends) and bool((found >= starts).all() and (found < ends).all()):
        return found
    points = ends.copy()
    points[np.searchsorted(ends, found)] = found
    return points


def _digits(
    words: NDArray[np.uint64], ends: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_] | bool]:
    """Return the numbers that up to eight digits before each end make, and whether all of them are digits."""
    word = words[ends - _WORD]
    word ^= _ZEROS  # a digit's byte is 0x30 to 0x39, and now 0 to 9
    least = counts[0]
    word &= _KEPT[least] if bool((counts == least).all()) else _KEPT[counts]
    # more than 9 has a high half, or gets one when 6 is added
    odd = word + _SIXES
    odd |= word
    odd &= _TENS
    good = odd == 0 if odd.any() else True
    for factor, shift, mask in _JOINED:
        np.right_shift(word, shift, out=odd)
        word *= factor
        word += odd
        word &= mask
    return word.astype(np.float64), good


def _by_float(text: bytes, count: int) -> NDArray[np.float64] | None:
    # subtle: float() accepts 1_000, and split() breaks at more than the blanks that were counted.
    if any(odd in text for odd in (b"  ", b"_", b"\r", b"\v", b"\f")) or text[:1] == b" ":
        return None
    try:
        values = np.fromiter(map(float, text.split()), dtype=np.float64)
    except ValueError:
        return None
    return values if values.size == count else None


_DECIMALS, _MOST_DIGITS = 12, 9
_EXACT_TENS = 10.0 ** np.arange(_DECIMALS + 1)  # of 28 bits but for powers of two: times a float32, still exact
_LEAST, _MOST = 1e-4, 9.5  # of what is written without an exponent, and with one digit before the point
_FOURS = np.frombuffer("".join(f"{number:04d}" for number in range(10_000)).encode(), np.uint32)
_ENDING = np.array([4 - len(f"{number:04d}".rstrip("0")) for number in range(10_000)])  # zeros
_BEFORE = np.frombuffer("".join(f" -{number}." for number in range(10)).encode(), np.uint32)


def _kept_bytes() -> NDArray[np.complex128]:
    """Return which of the 16 bytes of a number stay, as one element: by the zeros at its end, and by its sign."""
    kept = np.zeros((2, _DECIMALS + 1, 16), bool)
    for negative in range(2):
        for ending in range(_DECIMALS + 1):
            kept[negative, ending, : 16 - ending] = True
            kept[negative, ending, 1], kept[negative, ending, 3] = negative, ending < _DECIMALS
    return kept.view(np.complex128).ravel()


_STAYING = _kept_bytes()


def format_rows(rows: NDArray[np.float32], digits: int) -> list[bytes]:
    """Return each row of numbers as text between blanks, as ``%.9g`` writes it for 9 digits, in half of the time.

    A float32 of 24 bits times a power of ten of 28 is exact in 53, so that rounding it to a whole number rounds as
    printing does. Rows with a number that needs an exponent, or two digits before the point, are printed one by one.

    Examples
    --------
    >>> format_rows(np.array([[0.5, -0.1], [3e7, 0]], np.float32), 9)
    [b'0.5 -0.100000001', b'30000000 0']
    """
    pattern = b" ".join([b"%%.%dg" % digits] * rows.shape[1])
    size = np.abs(rows).astype(np.float64)
    quick = np.flatnonzero((((size >= _LEAST) & (size < _MOST)) | (size == 0)).all(axis=1) & (digits <= _MOST_DIGITS))
    if len(quick) < len(rows):
        made = [b""] * len(rows)
        for row, text in zip(quick.tolist(), format_rows(rows[quick], digits) if len(quick) else ()):
            made[row] = text
        return [text or pattern % tuple(row) for text, row in zip(made, rows.tolist())]
    wide = size.ravel()
    before = sum((wide >= least).astype(np.int64) for least in (1.0, 0.1, 0.01, 0.001)) - 4  # the first digit's place
    whole = np.rint(wide * _EXACT_TENS[digits - 1 - before]) * _EXACT_TENS[_DECIMALS - digits + 1 + before]
    words = np.empty((len(wide), 4), np.uint32)  # blank, sign, digit and point; then the decimals
    left, ending = whole.astype(np.int64), np.zeros(len(wide), np.int64)
    for place in range(3, 0, -1):
        rest = left // 10_000
        four = left - 10_000 * rest
        words[:, place] = _FOURS.take(four)
        ending += np.where(ending == _DECIMALS - 4 * place, _ENDING.take(four), 0)
        left = rest
    words[:, 0] = _BEFORE.take(left)
    characters = words.view(np.uint8)
    characters.reshape(*rows.shape, 16)[:, 0, 0] = ord("\n")
    kept = _STAYING.take(ending + (_DECIMALS + 1) * np.signbit(rows.ravel())).view(bool)
    return characters.ravel().compress(kept).tobytes().split(b"\n")[1:]
