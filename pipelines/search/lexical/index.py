"""The words of a collection's rows, language by language, and what a question's words say of each row.

The scores of a question are brought to one scale in each language: z, how many standard deviations a text lies above
the mean of the question's scores over all texts of the language. A list of all languages together would be as biased
as raw vectors are: texts in the question's language share words with it, whatever they say. Three things bound z, so
that it means the same among 50 texts and among a million:

- sixteen texts without any of the words are counted in each language, so that few texts are no less than many;
- where the best z of a language is above 4, all are scaled until it is 4;
- where the best text holds little of what the question's words weigh, all are scaled down in proportion, to nothing
  where no word of the question is known.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.index import Collection
from interlingua.index.collection.parts import array_to_bytes, bytes_to_array
from interlingua.index.threads import SharedLock

from .bm25 import K1, LanguageTexts
from .lexicon import WordLexicon
from .words import pieces

_HIGHEST = 4.0  # z
_SILENT = 16  # texts that would say nothing, counted in each language: the only text of a language may be found as well
_COVERED = 0.3  # of what the question's words weigh: less of it in the best text makes the words of a language doubtful
_ANEW, _FEW = 1 / 8, 2048  # from what drift a language is indexed anew; with so few texts, at any
_ANEW_AT_SAVE = 1 / 64
_ROWS_READ = 4096
_NAME, _FILE = "lexical.json", "lexical-{}.npy"
_ARRAYS = ("numbers", "places", "weights", "texts", "starts")


@dataclass(frozen=True)
class RowTexts:
    """Which text each row has, of those of all languages one after the other.

    Attributes
    ----------
    rows : (n,) array of int64
        Ascending.
    texts : (n,) array of int64
    order : (n,) array of int64
        Places of the rows by their texts.
    """

    rows: NDArray[np.int64]
    texts: NDArray[np.int64]
    order: NDArray[np.int64]

    @classmethod
    def of(cls, languages: Iterable[LanguageTexts]) -> "RowTexts":
        """Return the rows of languages that are not gone."""
        rows, texts, begin = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
        for each in languages:
            living, own = each.living_texts
            rows.append(living)
            texts.append(own + begin)
            begin += each.n_texts
        order = np.argsort(np.concatenate(rows), kind="stable")
        ascending = np.concatenate(texts)[order]
        return cls(np.concatenate(rows)[order], ascending, np.argsort(ascending, kind="stable"))

    @cached_property
    def sorted_texts(self) -> NDArray[np.int64]:
        """The texts in ascending order."""
        return self.texts[self.order]

    def having(self, texts: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        """Return the first k rows that have these texts, in their order."""
        begin, end = (np.searchsorted(self.sorted_texts, texts, side) for side in ("left", "right"))
        found = [self.order[first:last] for first, last in zip(begin.tolist(), np.minimum(end, begin + k).tolist())]
        return self.rows[np.concatenate(found)[:k]] if found else self.rows[:0]


@dataclass(frozen=True)
class WordScores:
    """What a question's words say of rows.

    Attributes
    ----------
    z : (m,) array of float32
        Of each text, of those of all languages one after the other.
    """

    z: NDArray[np.float32]
    _held: RowTexts = field(repr=False)

    def of(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return z of rows by their numbers; 0 for rows that the index does not have."""
        found, rows = np.zeros(len(numbers), np.float32), self._held.rows
        if not len(rows):
            return found
        places = np.searchsorted(rows, numbers).clip(max=len(rows) - 1)
        held = rows[places] == numbers
        found[held] = self.z[self._held.texts[places[held]]]
        return found

    def best(self, k: int, allowed: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Return the numbers of the k rows with the highest z above 0, of those `allowed`, best first."""
        z = self.z if allowed is None else self.of(allowed)
        places = np.flatnonzero(z > 0)
        if len(places) > k:
            places = places[np.argpartition(-z[places], k - 1)[:k]]
        places = places[np.argsort(-z[places], kind="stable")]
        return self._held.having(places, k) if allowed is None else allowed[places]


class LexicalIndex:
    """The words of a collection's rows.

    It follows its collection by itself: rows that have come are indexed, and those that went are left out, when it is
    asked the next time. What `attachments` gives lies in the collection's folder; what a journal has added to that is
    indexed when the folder is loaded. Threads may share it.

    Parameters
    ----------
    lexicon : WordLexicon, optional
        Gives the question's words in other languages.
    """

    def __init__(self, lexicon: WordLexicon | None = None) -> None:
        self.lexicon = lexicon
        self._languages: dict[str, LanguageTexts] = {}
        self._lock = SharedLock()
        self._state: tuple[int, int] | None = None
        self._held = RowTexts.of(())

    def __len__(self) -> int:
        return sum(len(each.living) for each in self._languages.values())

    @property
    def languages(self) -> list[str]:
        """The languages of the texts."""
        return list(self._languages)

    def follow(self, collection: Collection, read: Callable[[Mapping[str, Any]], tuple[str, str]]) -> None:
        """Bring the index up to date with a collection.

        Parameters
        ----------
        collection : Collection
        read : callable
            Metadata of a row -> its text and language.
        """
        if self._state == collection.state:
            return
        with collection.lock.reading, self._lock.writing:  # in this order, which a search takes as well
            if self._state == (now := collection.state):
                return
            held = collection.numbers
            known = [each.living for each in self._languages.values()]
            before = np.concatenate(known) if known else np.empty(0, np.int64)
            gone = np.setdiff1d(before, held, assume_unique=True)
            if len(gone):
                for each in self._languages.values():
                    each.remove(gone)
            coming = np.setdiff1d(held, before, assume_unique=True)
            self._take(collection, coming, read)
            self._renew(collection, read, _ANEW)
            self._place()
            self._state = now

    def scores(
        self, question: str, asked_in: str | None = None, among: Iterable[str] | None = None
    ) -> WordScores | None:
        """Return what the words of a question say of the rows; None where no word of it is known.

        Parameters
        ----------
        question : str
        asked_in : str, optional
            Its language, from which the lexicon translates.
        among : iterable of str, optional
            Only texts in these languages.
        """
        wanted = None if among is None else set(among)
        plain = dict.fromkeys(pieces(question), 1.0)
        with self._lock.reading:
            found, seen = [], False
            for language, texts in self._languages.items():
                if (wanted is not None and language not in wanted) or not plain:
                    found.append(np.zeros(texts.n_texts, np.float32))
                    continue
                asked = plain
                if self.lexicon is not None and asked_in is not None:
                    asked = self.lexicon.pieces(question, asked_in, language)
                found.append(standard_scores(texts, asked))
                seen = seen or bool(found[-1].any())
            return WordScores(np.concatenate(found), self._held) if seen else None

    def attachments(
        self, collection: Collection, read: Callable[[Mapping[str, Any]], tuple[str, str]]
    ) -> dict[str, bytes]:
        """Return what `restored` reads, for a collection that is saved now."""
        self.follow(collection, read)
        with self._lock.writing:
            if any(each.drift > _ANEW_AT_SAVE for each in self._languages.values()):
                self._renew(collection, read, _ANEW_AT_SAVE)
                self._place()
            held = self._languages
            about = [
                {
                    "language": language,
                    "mean_length": texts.mean_length,
                    "rows": len(texts.numbers),
                    "weights": len(texts.weights),
                    "pieces": list(texts.tokens),
                }
                for language, texts in held.items()
            ]
            files = {
                _FILE.format(name): array_to_bytes(np.concatenate([getattr(texts, name) for texts in held.values()]))
                for name in (_ARRAYS if held else ())
            }
        head = json.dumps({"version": 1, "languages": about}, ensure_ascii=False).encode("utf-8", "surrogatepass")
        return {_NAME: head, **files, **(self.lexicon.attachments() if self.lexicon is not None else {})}

    @classmethod
    def restored(cls, files: Mapping[str, bytes], folder: object) -> "LexicalIndex | None":
        """Return what `attachments` gave, or None where there is none of it.

        Raises
        ------
        ValueError
            If it was written by a version after this one.
        """
        if _NAME not in files:
            return None
        head = json.loads(files[_NAME])
        if head["version"] != 1:
            raise ValueError(
                f"the words in {folder} are of version {head['version']}, and this interlingua reads 1; take a newer "
                "one, or build the folder again"
            )
        made = cls(WordLexicon.restored(files))
        held = {name: bytes_to_array(files[_FILE.format(name)]) for name in (_ARRAYS if head["languages"] else ())}
        begin = dict.fromkeys(_ARRAYS, 0)
        for about in head["languages"]:
            lengths = about["rows"], about["rows"], about["weights"], about["weights"], len(about["pieces"]) + 1
            parts = []
            for name, length in zip(_ARRAYS, lengths, strict=True):
                parts.append(held[name][begin[name] : begin[name] + length])
                begin[name] += length
            tokens = {piece: token for token, piece in enumerate(about["pieces"])}
            numbers, places, weights, texts, starts = parts
            kept = LanguageTexts(numbers, places, tokens, weights, texts, starts, about["mean_length"])
            made._languages[about["language"]] = kept
        made._place()
        return made

    def _take(
        self, collection: Collection, numbers: NDArray[np.int64], read: Callable[[Mapping[str, Any]], tuple[str, str]]
    ) -> None:
        """Add rows: to what is there of their language, or as a language that is new."""
        fresh: dict[str, tuple[list[int], list[list[str]]]] = {}
        for number, text, language in _texts(collection, numbers, read):
            if language in self._languages:
                self._languages[language].add(number, pieces(text))
            else:
                rows, cut = fresh.setdefault(language, ([], []))
                rows.append(number)
                cut.append(pieces(text))
        for language, (rows, cut) in fresh.items():
            self._languages[language] = LanguageTexts.of(rows, cut)

    def _renew(
        self, collection: Collection, read: Callable[[Mapping[str, Any]], tuple[str, str]], drift: float
    ) -> None:
        """Index languages anew from whose statistics the texts have gone far."""
        for language, texts in list(self._languages.items()):
            living = texts.living
            if not len(living):
                del self._languages[language]
            elif texts.drift > drift or (texts.drift and len(living) <= _FEW):
                held = sorted(_texts(collection, np.sort(living), read))
                self._languages[language] = LanguageTexts.of([n for n, _, _ in held], [pieces(t) for _, t, _ in held])

    def _place(self) -> None:
        self._held = RowTexts.of(self._languages.values())


def words_for(
    lexical: bool, lexicon: WordLexicon | Sequence[Mapping[str, str]] | None, milvus: object = None
) -> LexicalIndex | None:
    """Return an index without rows, for a search that is built; None where words are not to be indexed.

    Raises
    ------
    ValueError
        If a lexicon is given where no words are indexed, or its texts teach nothing.
    """
    if lexicon is not None and (not lexical or milvus is not None):
        reason = "words of rows in Milvus are not indexed" if milvus is not None else "no words are to be indexed"
        raise ValueError(f"a lexicon translates words, but {reason}; leave it out")
    if not lexical or milvus is not None:
        return None
    return LexicalIndex(
        lexicon if lexicon is None or isinstance(lexicon, WordLexicon) else WordLexicon.learned(lexicon)
    )


def standard_scores(texts: LanguageTexts, asked: Mapping[str, float]) -> NDArray[np.float32]:
    """Return z of each text of `scores_of_texts`, bounded as the module says; zeros where no piece is known."""
    scores = texts.scores_of_texts(asked)
    n, best = len(scores) + _SILENT, scores.max(initial=0.0)
    if best <= 0:
        return np.zeros(len(scores), np.float32)
    mean = scores.sum() / n
    spread = np.sqrt(scores @ scores / n - mean**2)
    weighed = texts.weighed(asked) / (1 + K1)
    scale = min(1.0, _HIGHEST * spread / (best - mean)) * min(1.0, best / (_COVERED * weighed))
    return np.asarray((scores - mean) * (scale / spread), np.float32)


def _texts(
    collection: Collection, numbers: NDArray[np.int64], read: Callable[[Mapping[str, Any]], tuple[str, str]]
) -> Iterable[tuple[int, str, str]]:
    """Yield number, text and language of rows by their ascending numbers."""
    places = np.searchsorted(collection.numbers, numbers).tolist()
    ids: Sequence[str] = collection.ids
    listed = numbers.tolist()
    for start in range(0, len(listed), _ROWS_READ):
        part = slice(start, start + _ROWS_READ)
        rows = collection.get([ids[place] for place in places[part]])
        for number, row in zip(listed[part], rows, strict=True):
            yield (number, *read(row))
