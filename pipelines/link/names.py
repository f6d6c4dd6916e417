"""The names of all entities as arrays: how near each is to a mention, and how alike in spelling, in any script."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from anyascii import anyascii
from numpy.typing import NDArray
from scipy import sparse

from interlingua.pipelines.texts.characters import count_groups, hashed_groups, rarity, weighted
from interlingua.pipelines.texts.languages import MULTIPLE, matches

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
_NEIGHBORS = 10
_SAMPLE = 4096
_BLOCK = 1 << 25  # cosines held at a time
_FEW = 10
_PRIOR = 10.0  # names' worth of the index in the mean of mentions


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
        self._weights = rarity(counts)
        self._names = weighted(counts, self._weights).T.tocsr()

    def scores(self, mentions: Sequence[str]) -> NDArray[np.float32]:
        """Return cosines from 0 to 1 of mentions and names, (m, n)."""
        found: NDArray[np.float32] = (weighted(_grams(mentions), self._weights) @ self._names).toarray()
        return found


def _grams(names: Sequence[str]) -> sparse.csr_array:
    rows = [
        [text for word in romanized(name).split() for text in (f" {word} ", f"~{_skeleton(word)} ")] for name in names
    ]
    return count_groups(hashed_groups(rows, _SIZES), _HASHED)


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


@dataclass(frozen=True)
class Nearness:
    """The candidates of one mention.

    Attributes
    ----------
    owners : (c,) array of int64
        Rows of entities.
    name, spelling : (c,) array of float32
        Of the entity's nearest name.
    exact, script, language : (c,) array of bool
        Whether a name is written alike, whether the nearest name is in another script than the mention, and whether it
        is in the mention's language.
    """

    owners: NDArray[np.int64]
    name: NDArray[np.float32]
    spelling: NDArray[np.float32]
    exact: NDArray[np.bool_]
    script: NDArray[np.bool_]
    language: NDArray[np.bool_]


class NameTable:
    """Names, grouped by the entity that has them.

    The nearness of a mention x and a name y is cos(x, y) - (r(x) + r(y)) / 2, half of CSLS [1]_: r(y) is the mean
    cosine of y and the ten nearest entities but its own, r(x) that of the mention; an entity counts once, with its
    nearest name. Vectors are freed of the mean of all names first: half of every cosine is the encoder's own. Mentions
    are freed of the mean of those in their script that are looked up together, drawn towards that of the names by ten
    of these: what a script's names share is their language, which no name in another is near to.

    Parameters
    ----------
    names : sequence of str
    languages : sequence of str
        "" where unknown.
    owners : (n,) array
        The row of each name's entity.
    vectors : (n, d) array
        Of unit length.

    References
    ----------
    .. [1] Conneau, Lample, Ranzato, Denoyer and Jégou (2018), "Word translation without parallel data", ICLR.
       arXiv:1710.04087
    """

    def __init__(
        self, names: Sequence[str], languages: Sequence[str], owners: NDArray[np.int64], vectors: NDArray[np.float32]
    ) -> None:
        order = np.argsort(owners, kind="stable")
        self.names = [names[row] for row in order]
        self.languages = np.array([languages[row] for row in order], dtype=object)
        self._scripts = np.array([main_script(name) for name in self.names], dtype=object)
        self.owners = np.asarray(owners, np.int64)[order]
        self._starts = np.flatnonzero(np.r_[True, self.owners[1:] != self.owners[:-1]])
        self._entities = self.owners[self._starts]
        self._sizes = np.diff(np.r_[self._starts, len(self.owners)])
        self.mean = vectors.mean(axis=0) if len(set(self.owners.tolist())) >= _FEW else np.zeros(vectors.shape[1])
        self.vectors = centred(vectors[order], self.mean)
        self._spelling = SpellingIndex(self.names)
        self._exact: dict[str, list[int]] = {}
        for row, name in enumerate(self.names):
            self._exact.setdefault(folded_name(name), []).append(row)
        self._spoken: dict[str, NDArray[np.bool_]] = {}  # for the language asked for last
        self._hubness = self._measure_hubness()

    def near(
        self,
        mentions: Sequence[str],
        vectors: NDArray[np.float32],
        *,
        language: str | None = None,
        allowed: NDArray[np.bool_] | None = None,
        hidden: Sequence[Sequence[int]] | None = None,
        n: int = 50,
        prepared: bool = False,
    ) -> list[Nearness]:
        """Return the candidates of each mention, at least `n` where there are as many entities.

        Parameters
        ----------
        mentions : sequence of str
        vectors : (m, d) array
            As the encoder gave them.
        language : str, optional
            Of the mentions.
        allowed : (entities,) array of bool, optional
            Who may be a candidate.
        hidden : sequence of sequences of int, optional
            For each mention the rows of names that shall not be seen.
        prepared : bool
            Whether the vectors are centred already.
        """
        block = max(1, _BLOCK // max(1, len(self.names)))
        queries = vectors if prepared else centred_by_script(mentions, vectors, self.mean)
        found = []
        for start in range(0, len(mentions), block):
            part = slice(start, start + block)
            cosines = queries[part] @ self.vectors.T
            spellings = self._spelling.scores(mentions[part])
            for row, mention in enumerate(mentions[part]):
                unseen = [] if hidden is None else list(hidden[start + row])
                found.append(self._candidates(mention, cosines[row], spellings[row], language, allowed, unseen, n))
        return found

    def _candidates(
        self,
        mention: str,
        cosines: NDArray[np.float32],
        spellings: NDArray[np.float32],
        language: str | None,
        allowed: NDArray[np.bool_] | None,
        hidden: list[int],
        n: int,
    ) -> Nearness:
        cosines[hidden], spellings[hidden] = -2.0, -1.0
        own = _mean_of_best(np.maximum.reduceat(cosines, self._starts), _NEIGHBORS)
        near = cosines - 0.5 * (own + self._hubness)
        exact = np.zeros(len(self.names), bool)
        exact[self._exact.get(folded_name(mention), [])] = True
        exact[hidden] = False
        spoken = self._spoken_in(language)
        named = np.maximum.reduceat(near, self._starts)
        spelt = np.maximum.reduceat(spellings, self._starts)
        alike = np.maximum.reduceat(exact, self._starts)
        best = np.maximum.reduceat(cosines, self._starts) > -2  # entities with a name that is seen
        best &= True if allowed is None else allowed[self._entities]
        chosen = np.zeros(len(named), bool)
        for scores in (named, spelt):
            ranked = np.where(best, scores, -np.inf)
            chosen[np.argpartition(-ranked, min(n, len(ranked)) - 1)[:n]] = True
        groups = np.flatnonzero((chosen | alike) & best)
        nearest = np.array(
            [
                start + int(np.argmax(near[start : start + size]))
                for start, size in zip(self._starts[groups], self._sizes[groups])
            ],
            np.int64,
        )
        other = self._scripts[nearest] != main_script(mention)
        return Nearness(self._entities[groups], named[groups], spelt[groups], alike[groups], other, spoken[nearest])

    def _spoken_in(self, language: str | None) -> NDArray[np.bool_]:
        """Return which names (n,) are in a language, or "mul" where their entity has none in it."""
        if language is None:
            return np.zeros(len(self.names), bool)
        if language not in self._spoken:
            tags = list(dict.fromkeys(self.languages.tolist()))
            spoken = np.isin(self.languages, [tag for tag in tags if matches(language, tag)])
            lacking = np.repeat(~np.logical_or.reduceat(spoken, self._starts), self._sizes)
            self._spoken = {language: spoken | (lacking & (self.languages == MULTIPLE))}
        return self._spoken[language]

    def _measure_hubness(self) -> NDArray[np.float32]:
        """Return r of each name, against all entities or a sample of them."""
        sample = np.arange(len(self._starts))
        if len(self.names) > _SAMPLE:
            sample = np.sort(
                np.random.default_rng(0).permutation(sample)[: max(1, _SAMPLE * len(sample) // len(self.names))]
            )
        rows = np.concatenate([np.arange(self._starts[g], self._starts[g] + self._sizes[g]) for g in sample])
        starts = np.r_[0, np.cumsum(self._sizes[sample])[:-1]]
        found = np.zeros(len(self.names), np.float32)
        block = max(1, _BLOCK // len(rows))
        for start in range(0, len(self.names), block):
            cosines = np.maximum.reduceat(self.vectors[start : start + block] @ self.vectors[rows].T, starts, axis=1)
            cosines[self.owners[start : start + block, None] == self._entities[sample][None]] = -2.0
            found[start : start + block] = [_mean_of_best(each, _NEIGHBORS) for each in cosines]
        return found


def centred(vectors: NDArray[np.float32], mean: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the vectors less the mean, of unit length again."""
    moved = vectors - mean
    found: NDArray[np.float32] = (moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9)).astype(
        np.float32
    )
    return found


def centred_by_script(
    texts: Sequence[str], vectors: NDArray[np.float32], mean: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Return vectors less the mean of those in their script, which is drawn towards `mean`, of unit length again."""
    scripts = np.array([main_script(each) for each in texts])
    found = np.empty(vectors.shape, np.float32)
    for script in set(scripts.tolist()):
        rows = np.flatnonzero(scripts == script)
        own = (vectors[rows].sum(axis=0) + _PRIOR * mean) / (len(rows) + _PRIOR)
        found[rows] = centred(vectors[rows], own)
    return found


def _mean_of_best(scores: NDArray[np.float32], k: int) -> float:
    """Return the mean of the k best of those above -2; 0 where there are fewer than two."""
    seen = scores[scores > -1.5]
    if len(seen) < 2:
        return 0.0
    k = min(k, len(seen) - 1) if len(seen) <= k else k
    return float(np.partition(seen, len(seen) - k)[-k:].mean())
