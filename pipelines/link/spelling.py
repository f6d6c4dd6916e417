"""How names are spelt: in Latin letters whatever their script, and how alike two names are so."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from anyascii import anyascii
from numpy.typing import NDArray
from scipy import sparse

from interlingua.pipelines.texts.characters import count_groups, hashed_groups, rarity, weighted
from interlingua.pipelines.texts.languages import main_script

_HASHED = 1 << 18
_SIZES = (2, 3)
_PLACES = 64
_ALPHABET = {letter: row for row, letter in enumerate(" abcdefghijklmnopqrstuvwxyz0123456789")}
_SYLLABIC = ("HANGUL SYLLABLE ", "HIRAGANA LETTER ", "KATAKANA LETTER ")
_ABUGIDAS = ("DEVANAGARI", "BENGALI", "GUJARATI", "GURMUKHI", "ORIYA", "TAMIL", "TELUGU", "KANNADA", "MALAYALAM",
             "SINHALA")  # fmt: skip
_ALIKE = (("sh", "s"), ("ch", "c"), ("kh", "h"), ("gh", "g"), ("th", "t"), ("ph", "f"), ("ts", "c"), ("zh", "j"),
          ("dh", "d"), ("ck", "k"), ("qu", "k"), ("x", "ks"), ("q", "k"), ("v", "w"), ("c", "k"))  # fmt: skip
# the mark of a long vowel, what joins or parts letters but no words, and the point between syllables in Tibetan
_WRITTEN_OTHERWISE = {ord(each): None for each in "ー\u200c\u200d\u2060\ufeff\u00ad་"}
_TOGETHER = (("ու", "u"), ("եւ", "ev"))  # two letters of Armenian that are one sound
_READ, _READING = "CJK", 0.65  # the script whose characters have readings, and what these tell
_SYLLABLES = 3  # from which on they tell that
_VOWELS = "aeiouwyh"
_HEARD = (("sh", "s"), ("zh", "k"), ("ch", "k"), ("th", "t"), ("ph", "f"), ("kh", "k"), ("gh", "k"), ("ng", "n"),
          ("ts", "s"), ("tz", "s"), ("dj", "k"), ("ge", "ke"), ("gi", "ki"), ("ce", "se"), ("ci", "si"))  # fmt: skip
_KINDS = str.maketrans(dict(zip("bvdgcqjzxr", "pftkkkkssl", strict=True)) | dict.fromkeys(_VOWELS))
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


def romanized(name: str) -> str:
    """Return a rough spelling in Latin letters, from the names of the characters in Unicode or anyascii's table.

    For comparing only: accents are dropped, vowels that a script does not write are missing, Chinese characters have
    their commonest Mandarin reading. What is left holds letters and digits of ASCII, and single spaces.

    Examples
    --------
    >>> romanized("Грузия"), romanized("조지아"), romanized("ジョージア"), romanized("格鲁吉亚")
    ('gruziya', 'jojia', 'jiyojia', 'gelujiya')
    >>> romanized("ลอนดอน"), romanized("አዲስ አበባ"), romanized("Երևան"), romanized("ᏣᎳᎩ"), romanized("Kırıkkale")
    ('london', 'adis abeba', 'erevan', 'tsalagi', 'kirikkale')
    """
    written = unicodedata.normalize("NFKC", name).casefold().translate(_WRITTEN_OTHERWISE)
    for letters, sound in _TOGETHER:
        written = written.replace(letters, sound)
    return " ".join("".join(_sound(each) for each in written).split())


@dataclass(frozen=True)
class SpeltNames:
    """What names are in Latin letters.

    Attributes
    ----------
    letters, sounds : list of n str
        Romanized, and the kinds of their consonants.
    counts : (n, groups) sparse array
        How often each has each group of characters.
    """

    letters: list[str]
    sounds: list[str]
    counts: sparse.csr_array

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything as arrays, for `from_arrays`."""
        texts = {"letters": self.letters, "sounds": self.sounds}
        packed = {name: np.frombuffer(json.dumps(each).encode(), np.uint8) for name, each in texts.items()}
        counted = {"groups": self.counts.indices, "ends": self.counts.indptr}
        return {**packed, **counted, "counts": self.counts.data.astype(np.uint16)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], n: int) -> SpeltNames:
        """Return what `to_arrays` wrote of n names; ValueError if it is of others."""
        letters, sounds = (json.loads(arrays[name].tobytes()) for name in ("letters", "sounds"))
        if len(letters) != n or len(sounds) != n or len(arrays["ends"]) != n + 1:
            raise ValueError(f"the spellings are not of {n} names")
        parts = arrays["counts"].astype(np.float32), arrays["groups"], arrays["ends"]
        return cls(letters, sounds, sparse.csr_array(parts, shape=(n, _HASHED)))


def spelt_names(names: Sequence[str]) -> SpeltNames:
    """Return what names are in Latin letters."""
    letters = [romanized(name) for name in names]
    return SpeltNames(letters, [_sounds(each) for each in letters], _grams(letters))


class SpellingIndex:
    """Names in Latin letters: by groups of two and three characters and their consonants, and letter by letter.

    Parameters
    ----------
    names : sequence of str
    weights : array, optional
        Of the groups; by default how rare they are among the names.
    known : SpeltNames, optional
        What `spelt_names` makes of the names, which takes nearly all of the time.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        weights: NDArray[np.float32] | None = None,
        known: SpeltNames | None = None,
    ) -> None:
        self.spelt = spelt_names(names) if known is None else known
        self.weights = rarity(self.spelt.counts) if weights is None else weights
        self._names = weighted(self.spelt.counts, self.weights).T.tocsr()
        self._letters, self._sounds = _Letters(self.spelt.letters), _Letters(self.spelt.sounds)

    def with_more(self, names: Sequence[str]) -> SpellingIndex:
        """Return an index of these names and others, behind them; the weights stay."""
        more, made = SpellingIndex(names, weights=self.weights), copy(self)
        made.spelt = SpeltNames(
            self.spelt.letters + more.spelt.letters,
            self.spelt.sounds + more.spelt.sounds,
            sparse.vstack([self.spelt.counts, more.spelt.counts], format="csr"),
        )
        made._names = sparse.hstack([self._names, more._names], format="csr")
        made._letters, made._sounds = self._letters.with_more(more._letters), self._sounds.with_more(more._sounds)
        return made

    def scores(self, mentions: Sequence[str]) -> NDArray[np.float32]:
        """Return cosines from 0 to 1 of the groups of mentions and names, (m, n); rare groups weigh more.

        Of Chinese characters two thirds of it, and less where they are fewer than three: their readings are often of a
        meaning, or of another language, and one or two syllables are like many names by chance.
        """
        spelt = [romanized(each) for each in mentions]
        asked, n = weighted(_grams(spelt), self.weights), self._names.shape[1]
        found = np.zeros((len(spelt), n), np.float32)
        for row in range(len(spelt)):  # a sparse product of arrays lists all that it finds, twice
            part = slice(asked.indptr[row], asked.indptr[row + 1])
            held = [slice(*self._names.indptr[group : group + 2]) for group in asked.indices[part]]
            if held:
                shares = [weight * self._names.data[each] for weight, each in zip(asked.data[part], held)]
                places = np.concatenate([self._names.indices[each] for each in held])
                found[row] = np.bincount(places, np.concatenate(shares), minlength=n)
        found *= np.array([[_telling(each)] for each in mentions], np.float32).reshape(-1, 1)
        return found

    def likeness(self, mention: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return how alike a mention and some names are letter by letter, (2, rows), from 0 to 1.

        Twice the length of the longest common subsequence of the letters, over the length of both; first of all
        letters, then of kinds of consonants, but for Chinese characters 0: they write a foreign name in the syllables
        that Chinese has, l for r and b for p.
        """
        spelt = romanized(mention)
        letters = self._letters.likeness(spelt, rows)
        if main_script(mention) != _READ:
            return np.stack([letters, np.zeros_like(letters)])
        return np.stack([_telling(mention) * letters, self._sounds.likeness(_sounds(spelt), rows)])


class _Letters:
    """Texts of ASCII letters, digits and spaces as bits: which of the first 64 places hold which letter."""

    def __init__(self, texts: Sequence[str]) -> None:
        cut = [text[:_PLACES] for text in texts]
        self._lengths = np.array([len(text) for text in cut], np.int64)
        self._places = np.zeros((len(_ALPHABET), len(texts)), np.uint64)
        rows = np.repeat(np.arange(len(texts)), self._lengths)
        places = np.concatenate([np.arange(n, dtype=np.uint64) for n in self._lengths.tolist()] or [np.zeros(0, int)])
        letters = np.array([_ALPHABET[letter] for text in cut for letter in text], np.int64)
        np.bitwise_or.at(self._places, (letters, rows), np.uint64(1) << places.astype(np.uint64))

    def with_more(self, others: _Letters) -> _Letters:
        """Return these texts, and others behind them."""
        made = copy(self)
        made._lengths = np.concatenate([self._lengths, others._lengths])
        made._places = np.concatenate([self._places, others._places], axis=1)
        return made

    def likeness(self, text: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return twice the longest common subsequence over both lengths, by bits (Hyyrö 2004), for some rows."""
        held = {letter: self._places[_ALPHABET[letter]].take(rows) for letter in set(text[:_PLACES])}
        left = np.full(len(rows), ~np.uint64(0))
        for letter in text[:_PLACES]:
            met = left & held[letter]
            left = (left + met) | (left - met)
        common = np.unpackbits((~left).view(np.uint8).reshape(-1, 8), axis=1).sum(axis=1, dtype=np.float32)
        found: NDArray[np.float32] = 2 * common / np.maximum(self._lengths[rows] + min(len(text), _PLACES), 1)
        return found.astype(np.float32)


def _telling(name: str) -> float:
    """Return how much the spelling of a name tells."""
    if main_script(name) != _READ:
        return 1.0
    return _READING * min(1.0, sum(map(str.isalpha, name)) / _SYLLABLES)


def _grams(spelt: Sequence[str]) -> sparse.csr_array:
    rows = [[text for word in each.split() for text in (f" {word} ", f"~{_skeleton(word)} ")] for each in spelt]
    return count_groups(hashed_groups(rows, _SIZES), _HASHED)


def _sounds(spelt: str) -> str:
    """Return the kinds of consonants of words, with an "a" for a vowel at the beginning."""
    return " ".join(_kinds(word) for word in spelt.split())


@cache
def _kinds(word: str) -> str:
    heard = word
    for letters, sound in _HEARD:
        heard = heard.replace(letters, sound)
    heard = ("a" if word[0] in _VOWELS else "") + heard.translate(_KINDS)
    return "".join(each for each, before in zip(heard, " " + heard, strict=False) if each != before)


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
    if plain.isascii() and plain.isalnum():
        return plain
    called = unicodedata.name(character, "")
    for start in _SYLLABIC:
        if called.startswith(start) and (sound := called.removeprefix(start).removeprefix("SMALL ")).isalpha():
            return _kana(sound.lower())
    if called.startswith("CJK UNIFIED IDEOGRAPH"):
        return anyascii(character).lower()
    script, _, rest = called.partition(" ")
    _, letter, sound = rest.partition("LETTER ")
    if script in _SOUNDS and letter:
        return _letter(script, sound.partition(" WITH ")[0])
    spoken = (sound.removesuffix("A") or sound) if letter else rest.partition("VOWEL SIGN ")[2]
    if script in _ABUGIDAS and spoken.isalpha():  # not "VOCALIC R"
        return spoken.lower()
    if unicodedata.category(character)[0] not in "LMN":
        return "" if "SIGN" in called else " "
    return "".join(each for each in anyascii(character).lower() if each.isalnum())


def _letter(script: str, name: str) -> str:
    special = _SOUNDS[script].get(name)
    return name[:1].lower() if special is None else special


def _kana(sound: str) -> str:
    return {"zi": "ji", "si": "shi", "ti": "chi", "tu": "tsu", "hu": "fu", "di": "ji", "du": "zu"}.get(sound, sound)
