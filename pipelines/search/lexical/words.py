"""The words of texts in any script, and the pieces of words that texts are found by.

Words are those of Unicode's rules for text segmentation [1]_, in lower case and compatibility form. Scripts that write
no blanks between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese, Tibetan), and Korean, whose endings grow on, give
pairs of neighbouring characters. Marks that people leave out (the vowels of Arabic and Hebrew) are left out, and the
digits of every script are 0 to 9.

References
----------
.. [1] Unicode Standard Annex #29, "Unicode text segmentation".
"""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

import regex

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}ー〆"
_FIRST_UNSPACED = "\u0e00"  # no script without blanks lies before
_PART = regex.compile(rf"(?P<run>[{_UNSPACED}][{_UNSPACED}\p{{M}}]*+)|[^{_UNSPACED}]++")
_WORD = regex.compile(r"(?w)\b\w.*?\b", regex.DOTALL)  # (?w): by Unicode's rules, not between \w and \W
# What is written together without being one word: versions, paths, names of files, C++.
_TOGETHER = regex.compile(r"\w++(?:(?:[-._/:@+#~]++\w++)++[+#]*+|[+#]++)")
_CLUSTER = regex.compile(r"\X")
_LEFT_OUT = regex.compile("[\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u00ad\u200c\u200d\u2060\ufeff]")
_DIGIT = regex.compile(r"[^\P{Nd}0-9]")
_SIZE = 4  # characters of a piece, blanks at the ends of a word counted
_WHOLE = "="  # before what is found as a whole; in no piece of a word, which has no sign


def folded(text: str) -> str:
    """Return a text in the form in which it is compared.

    Examples
    --------
    >>> folded("Straße ＡＢＣ ١٢"), folded("İzmir")
    ('strasse abc 12', 'izmir')
    """
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).replace("i\u0307", "i")
    return str(_DIGIT.sub(lambda found: str(unicodedata.decimal(found[0])), _LEFT_OUT.sub("", plain)))


def words(text: str) -> list[str]:
    """Return the words of a text in order; of what is written without blanks, pairs of neighbouring characters.

    Examples
    --------
    >>> words("Was er will: 水, 人人生而自由, v2.0")
    ['was', 'er', 'will', '水', '人人', '人生', '生而', '而自', '自由', 'v2.0']
    """
    return [word for word, _ in _words(folded(text))]


def pieces(text: str) -> list[str]:
    """Return what a text is found by: groups of four characters of its words, so that inflected words meet.

    A word's ends count as blanks. What has a digit or is written together out of several words is there as a whole too,
    after ``=``.

    Examples
    --------
    >>> pieces("gehen"), pieces("C++"), pieces("自由に")
    ([' geh', 'gehe', 'ehen', 'hen '], [' c ', '=c++'], ['自由', '由に'])
    """
    plain = folded(text)
    found: list[str] = []
    for word, is_pair in _words(plain):
        if is_pair:
            found.append(word)
        else:
            found += _spelt(word)
    return found + [_WHOLE + each for each in _together(plain)]


def pieces_of(word: str) -> list[str]:
    """Return the pieces of one word of `words`.

    Examples
    --------
    >>> pieces_of("be"), pieces_of("x11"), pieces_of("自由")
    ([' be '], [' x11', 'x11 ', '=x11'], ['自由'])
    """
    return [word] if is_unspaced(word) else list(_spelt(word))


def is_unspaced(word: str) -> bool:
    """Tell whether a word is of a script that writes no blanks between words.

    Examples
    --------
    >>> is_unspaced("水"), is_unspaced("water")
    (True, False)
    """
    match = _PART.match(word)
    return match is not None and match["run"] is not None


@lru_cache(maxsize=1 << 16)
def _spelt(word: str) -> tuple[str, ...]:
    whole = (_WHOLE + word,) if any(each.isdigit() for each in word) and not _TOGETHER.fullmatch(word) else ()
    padded = f" {word} "
    return tuple([padded[start : start + _SIZE] for start in range(max(1, len(padded) - _SIZE + 1))]) + whole


def _together(plain: str) -> Iterator[str]:
    for part in plain.split():
        if not part.isalnum():
            yield from _TOGETHER.findall(part)


def _words(plain: str) -> Iterator[tuple[str, bool]]:
    if not plain or max(plain) < _FIRST_UNSPACED:
        yield from ((word, False) for word in _WORD.findall(plain))
        return
    for part in _PART.finditer(plain):
        if part["run"] is None:
            yield from ((word, False) for word in _WORD.findall(part[0]))
            continue
        clusters = _CLUSTER.findall(part[0])
        if len(clusters) == 1:
            yield clusters[0], True
        yield from ((first + second, True) for first, second in pairwise(clusters))
