"""Cut a text into words of a given vocabulary, with spaces or without."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator
from functools import lru_cache

__all__ = ["WordSegmenter", "is_unspaced", "text_runs"]

# First and last code points of the scripts that write no spaces between words.
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3400, 0x4DBF),  # Han, as are the next
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
_LONGEST_UNSPACED = 12  # characters; no dictionary word of these scripts that matters is longer


class WordSegmenter:
    """Finds the words of a vocabulary in texts.

    Between spaces, in this order: the piece as it stands, then without the punctuation around it, then its
    runs of letters, marks and digits; each as written, else in lower case. In scripts without spaces
    (Han, Kana, Thai, Lao, Khmer, Myanmar) an unknown run is cut by the longest match from the left.

    Examples
    --------
    >>> list(WordSegmenter({"l", "eau", "U.S."}).words("L'eau, U.S."))
    ['l', 'eau', 'U.S.']
    >>> list(WordSegmenter({"火车", "火车票", "买"}).words("我买火车票。"))
    ['买', '火车票']
    """

    def __init__(self, vocabulary: Collection[str]) -> None:
        self._vocabulary = vocabulary
        lengths = (len(word) for word in vocabulary if word and is_unspaced(word[0]))
        self._longest = min(max(lengths, default=0), _LONGEST_UNSPACED)

    def words(self, text: str) -> Iterator[str]:
        """Yield the known words of the text, in order and with repetitions."""
        for piece in unicodedata.normalize("NFC", text).split():
            whole = self._known(piece) or self._known(_strip(piece))
            if whole is not None:
                yield whole
                continue
            for run in text_runs(piece):
                word = self._known(run)
                if word is not None:
                    yield word
                elif any(is_unspaced(character) for character in run):
                    yield from self._longest_matches(run)

    def _known(self, word: str) -> str | None:
        if word in self._vocabulary:
            return word
        lower = word.lower()
        return lower if lower in self._vocabulary else None

    def _longest_matches(self, run: str) -> Iterator[str]:
        start = 0
        while start < len(run):
            for length in range(min(self._longest, len(run) - start), 0, -1):
                word = self._known(run[start : start + length])
                if word is not None:
                    yield word
                    start += length
                    break
            else:
                start += 1


def text_runs(text: str) -> list[str]:
    """Return the runs of letters, marks and digits of a text.

    Examples
    --------
    >>> text_runs("L'été, enfin: 2026!")
    ['L', 'été', 'enfin', '2026']
    """
    return "".join(character if _is_word_character(character) else " " for character in text).split()


@lru_cache(maxsize=65536)
def _is_word_character(character: str) -> bool:
    # subtle: \w of `re` leaves out the vowel signs (Mc, Mn) of Indic scripts and Thai, and would cut words there
    return unicodedata.category(character)[0] in "LMN"


@lru_cache(maxsize=65536)
def is_unspaced(character: str) -> bool:
    """Tell whether a character is of a script that writes no spaces between words; the empty string is of none."""
    return bool(character) and any(first <= ord(character) <= last for first, last in _UNSPACED)


def _strip(piece: str) -> str:
    start, end = 0, len(piece)
    while start < end and not _is_word_character(piece[start]):
        start += 1
    while end > start and not _is_word_character(piece[end - 1]):
        end -= 1
    return piece[start:end]
