"""How alike two names are written, in whatever scripts."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache
from zlib import crc32

import numpy as np
from anyascii import anyascii
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["SpellingIndex", "folded_name", "main_script", "romanized"]

_HASHED = 1 << 18
_SIZES = (2, 3)
_SYLLABIC = ("HANGUL SYLLABLE ", "HIRAGANA LETTER ", "KATAKANA LETTER ")
_ABUGIDAS = ("DEVANAGARI", "BENGALI", "GUJARATI", "GURMUKHI", "ORIYA", "TAMIL", "TELUGU", "KANNADA", "MALAYALAM",
             "SINHALA")  # fmt: skip
_ALIKE = (("sh", "s"), ("ch", "c"), ("kh", "h"), ("gh", "g"), ("th", "t"), ("ph", "f"), ("ts", "c"), ("zh", "j"),
          ("dh", "d"), ("ck", "k"), ("qu", "k"), ("x", "ks"), ("q", "k"), ("v", "w"), ("c", "k"))  # fmt: skip
_FIRST_VOWELS = str.maketrans("eiou", "aaaa")
_NO_VOWELS = str.maketrans("", "", "aeiouwyj")
# sounds that a letter's name does not begin with; names as in the Unicode Character Database
_SOUNDS = {
    "CYRILLIC": {"IE": "e", "IO": "yo", "ER": "r", "EL": "l", "EM": "m", "EN": "n", "ES": "s", "EF": "f", "A": "a",
                 "I": "i", "O": "o", "U": "u", "E": "e", "YERU": "y", "SHORT I": "y", "HARD SIGN": "",
                 "SOFT SIGN": "", "HA": "kh", "ZHE": "zh", "CHE": "ch", "SHA": "sh", "SHCHA": "shch", "TSE": "ts",
                 "YU": "yu", "YA": "ya", "YI": "yi", "BYELORUSSIAN-UKRAINIAN I": "i", "UKRAINIAN IE": "ye",
                 "SHORT U": "w", "GHE": "g", "DJE": "dj", "GJE": "gj", "LJE": "lj", "NJE": "nj", "DZHE": "dzh",
                 "JE": "j", "DZE": "dz", "TSHE": "c", "KJE": "k"},
    "ARABIC": {"ALEF": "a", "AIN": "a", "GHAIN": "gh", "SHEEN": "sh", "KHAH": "kh", "THAL": "dh", "THEH": "th",
               "TCHEH": "ch", "JEH": "zh", "YEH": "i", "FARSI YEH": "i", "YEH BARREE": "e", "WAW": "u", "HAMZA": "",
               "KEHEH": "k", "NOON GHUNNA": "n", "HEH GOAL": "h", "HEH DOACHASHMEE": "h", "TEH MARBUTA": "a",
               "ALEF MAKSURA": "a", "TTEH": "t", "RREH": "r", "DDAL": "d", "GAF": "g"},
    "GREEK": {"ETA": "i", "THETA": "th", "XI": "x", "PHI": "f", "CHI": "ch", "PSI": "ps", "OMEGA": "o",
              "FINAL SIGMA": "s", "UPSILON": "y"},
    "HEBREW": {"ALEF": "a", "AYIN": "a", "SHIN": "sh", "TSADI": "ts", "FINAL TSADI": "ts", "VAV": "v", "YOD": "i",
               "HET": "kh", "FINAL KAF": "k", "FINAL MEM": "m", "FINAL NUN": "n", "FINAL PE": "f"},
    "GEORGIAN": {"ZHAR": "zh", "GHAN": "gh", "SHIN": "sh", "CHIN": "ch", "CAN": "ts", "JIL": "dz", "CIL": "ts",
                 "CHAR": "ch", "XAN": "kh", "JHAN": "j", "EN": "e", "IN": "i", "ON": "o", "UN": "u", "AN": "a"},
    "ARMENIAN": {"ECH": "e", "ET": "e", "INI": "i", "AYB": "a", "OH": "o", "VO": "o", "ZHE": "zh", "XEH": "kh",
                 "SHA": "sh", "CHA": "ch", "GHAD": "gh", "CA": "ts", "CO": "ts"},
}  # fmt: skip


def folded_name(name: str) -> str:
    """Return a name without what only looks different: width, case, marks of compatibility, spaces.

    Examples
    --------
    >>> folded_name("  ＧＥＯＲＧＩＡ ") == folded_name("Georgia")
    True
    """
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())


def romanized(name: str) -> str:
    """Return a rough spelling in Latin letters, from the names of the characters in Unicode.

    For comparing only: accents are dropped, vowels that a script does not write are missing, Chinese characters have
    their commonest Mandarin reading.

    Examples
    --------
    >>> romanized("Грузия"), romanized("조지아"), romanized("ジョージア"), romanized("格鲁吉亚")
    ('gruziya', 'jojia', 'jiyojia', 'gelujiya')
    """
    written = unicodedata.normalize("NFKC", name).casefold().replace("ー", "")  # the mark of a long vowel
    return "".join(_sound(each) for each in written)


def main_script(name: str) -> str:
    """Return the script of most letters, as Unicode's names of characters begin: "LATIN", "CJK", "" without letters.

    Examples
    --------
    >>> main_script("Грузия (Georgia, Грузинская ССР)"), main_script("2001")
    ('CYRILLIC', '')
    """
    found = Counter(unicodedata.name(each, "").partition(" ")[0] for each in name if each.isalpha())
    return found.most_common(1)[0][0] if found else ""


class SpellingIndex:
    """Names by their groups of two and three characters, in Latin letters and in consonants, rare ones weighing more.

    Parameters
    ----------
    names : sequence of str
    """

    def __init__(self, names: Sequence[str]) -> None:
        counts = _grams(names)
        with_gram = np.bincount(counts.indices, minlength=_HASHED)
        self._weights = (np.log((1 + len(names)) / (1 + with_gram)) + 1).astype(np.float32)
        self._names = self._weighted(counts).T.tocsr()

    def scores(self, mentions: Sequence[str]) -> NDArray[np.float32]:
        """Return cosines from 0 to 1 of mentions and names, (m, n)."""
        found: NDArray[np.float32] = (self._weighted(_grams(mentions)) @ self._names).toarray()
        return found

    def _weighted(self, counts: sparse.csr_array) -> sparse.csr_array:
        counts = counts.copy()
        counts.data *= self._weights[counts.indices]
        lengths = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
        counts.data /= np.repeat(np.maximum(lengths, 1e-12), np.diff(counts.indptr)).astype(np.float32)
        return counts


def _grams(names: Sequence[str]) -> sparse.csr_array:
    rows, columns = [], []
    for row, name in enumerate(names):
        for word in romanized(name).split():
            for text in (f" {word} ", f"~{_skeleton(word)} "):
                for size in _SIZES:
                    for start in range(max(1, len(text) - size + 1)):
                        rows.append(row)
                        columns.append(crc32(text[start : start + size].encode("utf-8", "surrogatepass")) % _HASHED)
    ones = np.ones(len(rows), np.float32)
    return sparse.csr_array((ones, (rows, columns)), shape=(len(names), _HASHED))


def _skeleton(word: str) -> str:
    """Return what scripts without vowels keep of a word: its consonants, those alike as one, and a first vowel."""
    for spelt, sound in _ALIKE:
        word = word.replace(spelt, sound)
    kept = word[:1].translate(_FIRST_VOWELS) + word[1:].translate(_NO_VOWELS)
    return "".join(each for each, before in zip(kept, " " + kept, strict=False) if each != before)


@cache
def _sound(character: str) -> str:
    if character.isascii():
        return character if character.isalnum() else " "
    plain = "".join(each for each in unicodedata.normalize("NFD", character) if not unicodedata.combining(each))
    if plain.isascii() and plain:
        return plain
    called = unicodedata.name(character, "")
    for start in _SYLLABIC:
        if called.startswith(start):
            return _kana(called.removeprefix(start).removeprefix("SMALL ").lower())
    if called.startswith("CJK UNIFIED IDEOGRAPH"):
        return anyascii(character).lower()
    script, _, rest = called.partition(" ")
    _, letter, sound = rest.partition("LETTER ")
    if script in _SOUNDS and letter:
        return _letter(script, sound.partition(" WITH ")[0])
    if script in _ABUGIDAS and (letter or "VOWEL SIGN " in rest):
        return (sound.removesuffix("A") or sound if letter else rest.rpartition("VOWEL SIGN ")[2]).lower()
    if script == "LATIN" and letter:
        return sound.partition(" ")[0].lower()
    return character if character.isalnum() else ("" if "MARK" in called or "SIGN" in called else " ")


def _letter(script: str, name: str) -> str:
    special = _SOUNDS[script].get(name)
    return name[:1].lower() if special is None else special


def _kana(sound: str) -> str:
    return {"zi": "ji", "si": "shi", "ti": "chi", "tu": "tsu", "hu": "fu", "di": "ji", "du": "zu"}.get(sound, sound)
