"""A translation memory: sentences with their translations, found again from any language."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import SharedSpace
from interlingua.align.matching import ScoreCalibration
from interlingua.index.threads import SharedLock
from interlingua.pipelines.encoders.base import Encoder, Role, check_texts
from interlingua.pipelines.encoders.load import encode_named, lasting_name, load_encoder
from interlingua.pipelines.search.copies import EQUAL, distinct_places, distinct_rows
from interlingua.pipelines.search.finding import SearchHit
from interlingua.pipelines.search.judged import judge, relevance_of
from interlingua.pipelines.search.languages import LanguageMethod, map_by_language
from interlingua.pipelines.search.parts import read_search, write_search
from interlingua.pipelines.search.ranked import IndexKind
from interlingua.pipelines.search.relevance import Relevance
from interlingua.pipelines.search.search import CrossLingualSearch
from interlingua.pipelines.stored import EncoderNote, encoder_of
from interlingua.pipelines.texts.characters import text_key, text_numbers
from interlingua.pipelines.texts.languages import matches, matching_languages
from interlingua.pipelines.texts.pairs import Pair
from interlingua.pipelines.texts.passages import Passage

_Exact = Mapping[str, tuple[str, ...]]  # ids by what `_as_compared` makes of their texts
_Calibrations = tuple[ScoreCalibration | None, ScoreCalibration | None]
_SIDES = ("source", "target")
_SAMPLE = 2000
_FEWEST = 20  # pairs from which a calibration can be learned
_NEAR = 10  # other pairs that a match is compared with
_LEAST = 0.05  # mean cosine of these, below which ratios say nothing


@dataclass(frozen=True)
class MemoryMatch:
    """A stored translation that was found.

    Attributes
    ----------
    pair : Pair
        As it was stored.
    matched : str
        Which side the query was found by: "source" or "target".
    exact : bool
        The query is that side, but for blanks.
    confidence : float
        Estimated probability that the two say the same, where one of two best matches does; 1 for an exact match. By
        the ratio of the cosine and the mean of the next 10; where the memory has fewer than 20 pairs by `Relevance`,
        which needs none. NaN where that knows too little of the encoder.
    similarity : float
        Of the spelling, 0 to 1: 2 M / T, M the characters in common in order, T those of both texts. What editors know
        as a fuzzy match; it tells little across languages.
    score, cosine : float
        Of `CrossLingualSearch`; infinite and 1 for an exact match.
    """

    pair: Pair
    matched: str
    exact: bool
    confidence: float
    similarity: float
    score: float
    cosine: float

    @property
    def translation(self) -> str:
        """The side that was not matched."""
        return self.pair.target if self.matched == "source" else self.pair.source

    @property
    def language(self) -> str:
        """Of the translation."""
        return self.pair.target_language if self.matched == "source" else self.pair.source_language


class TranslationMemory:
    """Sentence pairs, found by the meaning of a sentence in any language of the encoder.

    Both sides of each pair are indexed. A query in one of their languages finds its nearest sentence and thereby the
    translation; a query in a third language finds the pair all the same.

    Use `build` or `load`; the constructor takes the parts. Threads may share a memory, as they may a search.

    Parameters
    ----------
    search : CrossLingualSearch
        Over both sides, each with its translation as metadata.

    Examples
    --------
    ::

        memory = TranslationMemory.build(read_pairs("projects.tmx"))
        memory.save("projects.memory")
        memory.search(["Wo ist der Bahnhof?"], k=1)[0][0].translation
    """

    def __init__(self, search: CrossLingualSearch) -> None:
        self._search = search
        self._changes = SharedLock()  # one `add` after the other
        self._derived: tuple[Any, ...] = (None, None, None)  # the state that the two others were made of

    @classmethod
    def build(
        cls,
        pairs: Iterable[Pair],
        encoder: Encoder | None = None,
        *,
        encoder_name: str | Path | None = None,
        space: SharedSpace | LanguageMethod | None = "auto",
        kind: IndexKind = "flat",
        seed: int = 0,
        progress: bool = False,
    ) -> TranslationMemory:
        """Encode and index sentence pairs.

        Parameters
        ----------
        pairs : iterable of Pair
            Of any languages; a pair that is there twice is kept once.
        encoder, encoder_name, space, kind, seed, progress
            As in `CrossLingualSearch.build`.

        Raises
        ------
        ValueError
            If there is no pair, or from `CrossLingualSearch.build`.
        """
        given = _passages(pairs)
        if not given:
            raise ValueError("a memory needs at least one pair, but none was given")
        encoder = load_encoder(encoder_name) if encoder is None else encoder
        named: dict[str, Any] = {"encoder_name": lasting_name(encoder_name, encoder) or None, "progress": progress}
        named |= {"space": space, "kind": kind, "seed": seed, "lexical": False}
        return cls(CrossLingualSearch.build(given, _Symmetric(encoder), **named))

    def __len__(self) -> int:
        return len(self._search) // 2

    @property
    def languages(self) -> dict[str, int]:
        """Number of sentences in each language, most first."""
        return self._search.languages

    def add(self, pairs: Iterable[Pair], *, progress: bool = False) -> int:
        """Add pairs, those that are there already left as they are; return how many are new.

        They are mapped by the space that `build` made. Call `save` to keep them.

        Raises
        ------
        ValueError
            If the space lacks a language; nothing has changed then.
        """
        with self._changes.writing:
            new = [each for each in _passages(pairs) if each.id not in self._search.collection]
            self._search.upsert(new, progress=progress)
        return len(new) // 2

    def search(
        self,
        texts: Sequence[str],
        k: int = 3,
        *,
        language: str | None = None,
        to: str | None = None,
        least: float = 0.0,
    ) -> list[list[MemoryMatch]]:
        """Return the k best pairs for each text, exact matches first.

        Parameters
        ----------
        texts : sequence of str
        k : int
            Pairs a text, at most.
        language : str, optional
            Of the texts; guessed for each if not given.
        to : str, optional
            Only translations into this language; ``fr`` finds ``fr-FR`` too.
        least : float
            Leave out matches of a lower confidence, a probability from 0 to 1.

        Raises
        ------
        ValueError
            If k < 1, `least` is no probability, or there is no translation into `to`; the text names the languages that
            there are.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, but is {k}")
        if not 0 <= least <= 1:
            raise ValueError(f"least is a probability from 0 to 1, but is {least}")
        raw = encode_named(self._search.encoder, check_texts(texts), ["the text"] * len(texts), "query")
        spoken = [language] * len(raw) if language else self._search.guess_languages(raw, texts)
        with self._search.collection.lock.reading:
            return self._found(texts, raw, spoken, k, to, least)

    def _found(
        self,
        texts: Sequence[str],
        raw: NDArray[np.float32],
        asked_in: Sequence[str],
        k: int,
        to: str | None,
        least: float,
    ) -> list[list[MemoryMatch]]:
        wanted = None if to is None else self._languages_found_by(to)
        where = None if wanted is None else {"translation_language": wanted}
        vectors = map_by_language(self._search.question_space, raw, asked_in)
        found = self._hits(vectors, 2 * (k + _NEAR), where)
        answers, searched = [], self._search._finder.searched(where, None)
        for text, vector, spoken, hits in zip(texts, raw, asked_in, found, strict=True):
            judged = judge(self._search, self._relevance, vector, hits, searched, spoken)
            matches: dict[str, MemoryMatch] = {}
            for name in self._exact.get(_as_compared(text), ()):
                row = self._search.collection.get([name])[0]
                if wanted is None or row["translation_language"] in wanted:
                    matches.setdefault(_pair_of(name), _match(name, row, text, True, 1.0, float("inf"), 1.0))
            for hit, alone in zip(judged.hits, judged.probability.tolist(), strict=True):
                if len(matches) >= k:
                    break
                sure = self._confidence(hit, hits, spoken)
                sure = alone if math.isnan(sure) else sure
                if _pair_of(hit.id) in matches or sure < least:
                    continue
                row = {**hit.metadata, "text": hit.text, "language": hit.language}
                matches[_pair_of(hit.id)] = _match(hit.id, row, text, False, sure, hit.score, hit.cosine)
            answers.append(list(matches.values())[:k])
        return answers

    def _hits(self, vectors: NDArray[np.float32], width: int, where: Mapping[str, Any] | None) -> list[list[SearchHit]]:
        """Return for each vector the nearest sentences, until `width` of them differ."""
        found = self._search.search_vectors(vectors, width, where=where)
        wide, few = width, list(range(len(found)))
        while few := [n for n in few if len(found[n]) == wide and len(self._different(found[n])) < width]:
            if wide >= len(self._search):
                break
            wide = min(4 * wide, len(self._search))
            for number, hits in zip(few, self._search.search_vectors(vectors[few], wide, where=where)):
                found[number] = hits
        for number, hits in enumerate(found):
            if len(hits) > width and len(different := self._different(hits)) >= width:
                found[number] = hits[: hits.index(different[width - 1]) + 1]
        return found

    def save(self, folder: str | Path) -> None:
        """Write everything into a folder, whole or not at all."""
        with self._search.collection.lock.keeping:
            self._write(folder)

    def _write(self, folder: str | Path) -> None:
        search = self._search
        plain = search.encoder.encoder if isinstance(search.encoder, _Symmetric) else search.encoder
        note = EncoderNote.of(plain, search.encoder_name)
        write_search(folder, search.parts, note, "memory")

    @classmethod
    def load(
        cls,
        folder: str | Path,
        encoder: Encoder | str | Path | None = None,
        *,
        device: str = "auto",
        cache: bool = True,
    ) -> TranslationMemory:
        """Read what `save` wrote; the encoder is by default that which the folder names.

        Raises
        ------
        ValueError
            If the folder is no memory, is damaged, or its vectors come from another encoder.
        FileNotFoundError
            If the folder, or the file of the encoder, is not there.
        """
        parts, held = read_search(folder, "memory")
        encoder, name = encoder_of(folder, held.encoder, encoder, device=device, cache=cache)
        return cls(CrossLingualSearch.of_parts(parts, _Symmetric(encoder), name))

    def _languages_found_by(self, to: str) -> list[str]:
        known = [str(value) for value, _ in self._search.collection.counts("translation_language")]
        return matching_languages([to], known, what="translation")

    def _confidence(self, hit: SearchHit, hits: Sequence[SearchHit], spoken: str) -> float:
        """Return the confidence of a hit: how far its cosine is above those of the other pairs' nearest sentences.

        What weakens all cosines of a query, such as a language that the memory does not know, cancels out.
        """
        others = [
            each.cosine
            for each in self._different([hit, *hits])[1:]
            if each.language == hit.language and text_key(each.text) != text_key(hit.text)
        ][:_NEAR]
        calibration = self._calibrations[matches(spoken, hit.language)]
        if calibration is None or not others:
            return float("nan")
        margin = hit.cosine / max(float(np.mean(others)), _LEAST)
        return float(calibration.probability([margin])[0])

    def _different(self, hits: Sequence[SearchHit]) -> list[SearchHit]:
        """Return the hits of which none says what one before says, in the same language, or nearly so."""
        if len(hits) < 2:
            return list(hits)
        keys = {(hit.language, text_key(hit.text)): hit for hit in reversed(hits)}
        once = sorted(keys.values(), key=hits.index)
        spoken, near = [hit.language for hit in once], self._search.copy_thresholds
        rows = self._search.vectors([hit.id for hit in once])
        kept = distinct_places(rows, len(once), [near.get(each, EQUAL) for each in spoken], spoken)
        return [once[place] for place in kept]

    @cached_property
    def _relevance(self) -> Relevance | None:
        return relevance_of(self._search.encoder)

    @property
    def _exact(self) -> _Exact:
        return self._of_this_state()[0]

    @property
    def _calibrations(self) -> _Calibrations:
        return self._of_this_state()[1]

    def _of_this_state(self) -> tuple[_Exact, _Calibrations]:
        state, exact, calibrations = self._derived
        if state != (now := self._search.collection.state):
            exact, calibrations = self._by_text(), self._calibrated()
            self._derived = now, exact, calibrations
        return exact, calibrations

    def _by_text(self) -> _Exact:
        found: dict[str, list[str]] = {}
        ids = self._search.collection.ids
        for name, row in zip(ids, self._search.collection.get(ids), strict=True):
            found.setdefault(_as_compared(row["text"]), []).append(name)
        return {key: tuple(names) for key, names in found.items()}

    def _calibrated(self) -> _Calibrations:
        """Calibrations for hits in another language than the query's, and in its own.

        Planted pairs are the memory's own, of which no sentence is there twice, or nearly so; decoys are each
        sentence's nearest one that is not its translation, nor that of a copy, be it with other case or punctuation.
        Both are cosines relative to the mean cosine of the next `_NEAR` sentences.
        """
        names, texts = self._different_pairs()
        if len(names) < _FEWEST:
            return None, None
        left, right = (self._search.vectors([f"{name}.{side}" for name in names]) for side in _SIDES)
        once = np.intersect1d(distinct_rows(left), distinct_rows(right))
        left, right = left[once], right[once]
        one, other = text_numbers(*([side[number] for number in once.tolist()] for side in texts))
        same = (one[:, None] == one) | (other[:, None] == other) | (one[:, None] == other) | (other[:, None] == one)
        cosines = np.einsum("ij,ij->i", left, right)
        found: list[ScoreCalibration | None] = []
        for others in (right, left):
            near = -np.sort(-np.where(same, -1.0, left @ others.T), axis=1)[:, : _NEAR + 1]
            planted = cosines / np.maximum(near[:, :_NEAR].mean(axis=1), _LEAST)
            decoys = near[:, 0] / np.maximum(near[:, 1:].mean(axis=1), _LEAST)
            kept = (near[:, -1] > -1) & (one != other)
            found.append(ScoreCalibration.fit(planted[kept], decoys[kept]) if kept.sum() >= _FEWEST else None)
        return found[0], found[1]

    def _different_pairs(self) -> tuple[list[str], tuple[list[str], list[str]]]:
        """Return names and texts of at most `_SAMPLE` pairs, drawn; no two have a text in common on the same side."""
        units = sorted({_pair_of(name) for name in self._search.collection.ids})
        order = np.random.default_rng(0).permutation(len(units))
        kept: dict[int, tuple[str, str]] = {}
        seen: tuple[set[str], set[str]] = (set(), set())
        for start in range(0, len(order), _SAMPLE):
            drawn = np.sort(order[start : start + _SAMPLE]).tolist()
            sides = [self._search.collection.get([f"{units[number]}.{side}" for number in drawn]) for side in _SIDES]
            for number, source, target in zip(drawn, *sides, strict=True):
                keys = text_key(source["text"]), text_key(target["text"])
                if keys[0] in seen[0] or keys[1] in seen[1] or len(kept) == _SAMPLE:
                    continue
                kept[number] = source["text"], target["text"]
                for side, key in zip(seen, keys):
                    side.add(key)
            if len(kept) == _SAMPLE:
                break
        numbers = sorted(kept)
        texts = [kept[number][0] for number in numbers], [kept[number][1] for number in numbers]
        return [units[number] for number in numbers], texts


@dataclass(frozen=True)
class _Symmetric:
    """An encoder that takes queries and passages alike: both are sentences that may translate each other."""

    encoder: Encoder
    suffix = " (both sides alike)"

    @property
    def identity(self) -> str:
        return self.encoder.identity + self.suffix

    @property
    def dimension(self) -> int:
        return self.encoder.dimension

    @property
    def prompts(self) -> Mapping[str, str]:
        return dict.fromkeys(("symmetric", "query", "passage"), self.encoder.prompts["symmetric"])

    def encode(self, texts: Sequence[str], *, role: Role = "symmetric", progress: bool = False) -> NDArray[np.float32]:
        del role
        return self.encoder.encode(texts, progress=progress)


def _passages(pairs: Iterable[Pair]) -> list[Passage]:
    found: dict[str, Passage] = {}
    for pair in pairs:
        told = "\0".join((pair.source_language, pair.target_language, pair.source, pair.target))
        unit = blake2b(told.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
        for side, one, other in zip(_SIDES, (pair, pair.swapped), (pair.swapped, pair), strict=True):
            about = {"translation": other.source, "translation_language": other.source_language}
            found[f"{unit}.{side}"] = Passage(f"{unit}.{side}", one.source, one.source_language, about)
    return list(found.values())


def _match(
    name: str, row: Mapping[str, Any], text: str, exact: bool, sure: float, score: float, cosine: float
) -> MemoryMatch:
    side = name.rpartition(".")[2]
    pair = Pair(row["text"], row["translation"], row["language"], row["translation_language"])
    similarity = SequenceMatcher(None, text, row["text"], autojunk=False).ratio()
    return MemoryMatch(pair if side == "source" else pair.swapped, side, exact, sure, similarity, score, cosine)


def _pair_of(name: str) -> str:
    return name.rpartition(".")[0]


def _as_compared(text: str) -> str:
    """Return a text as exact matches compare it."""
    return " ".join(unicodedata.normalize("NFC", text).split())
