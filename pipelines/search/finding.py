"""What a search does with the vectors of questions: find rows, rank them, and say what was found."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import SharedSpace
from interlingua.index import And, Collection, In, Range
from interlingua.index.collection.filters import Filter, Where, as_filter
from interlingua.index.engines.base import Batch, Hit
from interlingua.pipelines.texts.languages import languages_by_script
from interlingua.pipelines.texts.passages import RESERVED, UNDETERMINED

from . import windows as windowed
from .copies import copy_threshold
from .languages import balanced_search, levelled_search
from .lexical.fusion import SEEN, SEEN_IN_GRAPH, AskedWords
from .lexical.index import LexicalIndex
from .preference import FEWEST_TEXTS, OwnLanguages, ScoreSample, own_languages, preferred, wider
from .ranked import APPROXIMATE, CorrectedRows
from .rows import PlainRows, value_counts

_TOLD_BY = 1024  # rows whose scripts tell that of their languages


def check_asked(k: int, least: float | None) -> None:
    """Raise ValueError unless a question asks for a hit, with a least probability from 0 to 1 or none."""
    if k < 1:
        raise ValueError(f"k must be at least 1, but is {k}")
    if least is not None and not 0 <= least <= 1:
        raise ValueError(f"least is a probability from 0 to 1, but is {least}")


@dataclass(frozen=True)
class SearchHit:
    """A passage that was found.

    Attributes
    ----------
    id, text, language, metadata
        Of the passage.
    score : float
        What hits are ranked by: CSLS, or the cosine where the search ranks by cosine. Higher is better.
    cosine : float
        Cosine of question and passage in the shared space.
    window : (int, int) or None
        First character, and the one behind the last, of the part that was found, where the passage has windows; score
        and cosine are of this part.
    probability : float or None
        That it answers, where a search was asked to judge, see `CrossLingualSearch.search`; None: not asked, or the
        encoder cannot tell.
    copies : tuple of str
        Ids of passages of the same text and language, where they were joined, see `equals.search_joined`.
    """

    id: str
    text: str
    language: str
    score: float
    cosine: float
    metadata: Mapping[str, Any]
    window: tuple[int, int] | None = None
    probability: float | None = None
    copies: tuple[str, ...] = ()

    @property
    def found_text(self) -> str:
        """The part of the text that was found: its window, or all of it."""
        return self.text if self.window is None else self.text[slice(*self.window)]


@dataclass
class Finder:
    """Finds the rows of a search for the vectors of questions.

    Attributes
    ----------
    ranked : CorrectedRows
    space : SharedSpace or None
        That the rows were mapped by.
    background : mapping of str to (b, d) array
        What hubness was measured against; empty where rows are ranked by cosine.
    neighborhood : int
        Of the means of CSLS.
    windows : bool
        Whether a passage may have several rows.
    """

    ranked: CorrectedRows
    space: SharedSpace | None
    background: Mapping[str, NDArray[np.float32]]
    neighborhood: int
    windows: bool
    _sampled: tuple[int, ScoreSample] | None = field(default=None, init=False, repr=False)
    _said: tuple[int, dict[str, list[str]]] | None = field(default=None, init=False, repr=False)

    @cached_property
    def thresholds(self) -> dict[str, float]:
        """For each language of the background, the cosine from which two rows count as copies."""
        return {language: copy_threshold(rows) for language, rows in self.background.items()}

    def counts(self) -> dict[str, int]:
        """Return the number of passages in each language, most first."""
        counts = Counter(value_counts(self.ranked.collection, self.language_field))
        if self.windows:
            counts.subtract(value_counts(self.ranked.collection, windowed.LANGUAGE))
        return dict(counts.most_common())

    @property
    def language_field(self) -> str:
        """The metadata with a row's language."""
        return self.ranked.fields[1] if isinstance(self.ranked, PlainRows) else "language"

    def languages_of(self, texts: Sequence[str]) -> list[str]:
        """Return the language of each text where its script alone tells, among those of the first rows, else "und"."""
        n = len(self.ranked.collection)
        if self._said is None or self._said[0] != n:
            fields = self.ranked.fields if isinstance(self.ranked, PlainRows) else RESERVED
            said: dict[str, list[str]] = {}
            held: Any = self.ranked.collection
            for row in next(iter(held.batches(_TOLD_BY)), Batch((), np.empty((0, 0), np.float32), [])).metadata:
                text, language = (str(row.get(name, "")) for name in fields)
                if text and language not in ("", UNDETERMINED):
                    said.setdefault(language, []).append(text)
            self._said = n, said
        return languages_by_script(texts, self._said[1])

    def whole(
        self, vectors: NDArray[np.float32], k: int, find: Callable[[NDArray[np.float32], int], list[list[SearchHit]]]
    ) -> list[list[SearchHit]]:
        """Return the k best passages for each vector, of which only the best window counts; `find` finds rows."""
        wide = k
        while True:
            answers = find(vectors, wide)
            if not self.windows:
                return answers
            whole = [self._best_windows(hits, k) for hits in answers]
            if all(len(best) == k or len(hits) < wide for best, hits in zip(whole, answers)):
                return whole
            wide *= 4  # several windows of one passage have taken the place of others

    def best(
        self,
        vectors: NDArray[np.float32],
        k: int,
        *,
        where: Where | None,
        languages: list[str] | None,
        own: OwnLanguages | None,
        words: AskedWords | None = None,
    ) -> list[list[SearchHit]]:
        """Return the k best rows for each vector, by `words` too, its own languages preferred where `own` says so."""
        if own is not None and self.space is None:
            return self._levelled(vectors, k, own, where=where, languages=languages)
        width = k if own is None else wider(k, self.ranked.collection)
        depth = SEEN if self.exact else SEEN_IN_GRAPH
        width = width if words is None else max(width, depth)
        offsets = np.zeros(len(vectors), np.float32)
        if self.background:
            counted = self.neighborhood, self.thresholds
            plain, offsets = self.ranked.search_with_nearness(
                vectors, width, *counted, where=where, languages=languages
            )
        else:
            plain = self.ranked.search(vectors, width, where=where, languages=languages)
        found = [[(hit, hit.score) for hit in hits] for hits in plain]
        if words is not None:
            found = words.merged(vectors, found, where, languages, depth)
        if own is not None:
            alone = partial(self.ranked.search, where=where)
            found = preferred(vectors, k, own, found, field=self.language_field, search=alone, width=width, words=words)
        elif words is not None:
            found = [sorted(each, key=lambda hit: -hit[1])[:k] for each in found]
        return self._hits(vectors, found, offsets, moved=own is not None or words is not None)

    @property
    def exact(self) -> bool:
        """Whether every row is looked at."""
        held = self.ranked.collection
        return isinstance(held, Collection) and held.index.spec.kind not in APPROXIMATE

    def words(
        self,
        index: LexicalIndex | None,
        vectors: NDArray[np.float32],
        texts: Sequence[str] | None,
        asked_in: Sequence[str] | None,
        languages: list[str] | None,
    ) -> AskedWords | None:
        """Return what the words of questions say of the rows; None where no word is known, or there are none."""
        if index is None or texts is None:
            return None
        index.follow(self.ranked.collection, windowed.said_in)
        spoken = asked_in if asked_in is not None else [None] * len(texts)
        return AskedWords.of(self.ranked, index, texts, spoken, languages, self.sample.spread(vectors))

    def balanced(
        self, vectors: NDArray[np.float32], k: int, *, where: Where | None, languages: list[str] | None
    ) -> list[list[SearchHit]]:
        """Return the k best rows for each vector where the best of all languages are brought level."""
        spoken = list(self.counts()) if languages is None else languages
        found = balanced_search(self.ranked, vectors, k, languages=spoken, where=where, thresholds=self.thresholds)
        return self._hits(vectors, found, np.zeros(len(vectors), np.float32), moved=True)

    def _levelled(
        self,
        vectors: NDArray[np.float32],
        k: int,
        own: OwnLanguages,
        *,
        where: Where | None,
        languages: list[str] | None,
    ) -> list[list[SearchHit]]:
        """Return the k best rows where language is in the vectors: its level is taken from the scores."""
        spoken = list(self.counts()) if languages is None else languages
        level = self.sample.level(vectors)
        found = levelled_search(self.ranked, vectors, k, languages=spoken, where=where, level=level)
        offsets = np.zeros(len(vectors), np.float32)
        if self.background:
            offsets = self.ranked.nearness(vectors, self.neighborhood, self.thresholds)
        return self._hits(vectors, preferred(vectors, k, own, found, field=self.language_field), offsets, moved=True)

    def own_languages(
        self,
        vectors: NDArray[np.float32],
        asked_in: Sequence[str] | None,
        chosen: Sequence[str] | None,
        bonus: float,
        *,
        asked: bool,
    ) -> OwnLanguages | None:
        """Return which languages are the questions' own, and their bonus; None where nothing is preferred.

        Without being asked, only where languages were removed and there are enough texts.
        """
        if not asked and (self.space is None or asked_in is None or len(self.ranked.collection) < FEWEST_TEXTS):
            return None
        sample = self.sample
        held = dict.fromkeys([*sample.languages, *(self.space.languages if self.space is not None else ())])
        held = dict.fromkeys(name for name in held if chosen is None or name in chosen)
        own = {each: tuple(own_languages(each, held)) for each in set(asked_in or ())}
        mine = tuple(own[each] for each in asked_in) if asked_in is not None else ((),) * len(vectors)
        if self.space is not None and (bonus == 0 or not any(mine) or len(held) < 2):
            return None
        units = np.full(len(vectors), np.inf) if bonus == np.inf else bonus * sample.spread(vectors)
        return OwnLanguages(mine, units)

    @property
    def sample(self) -> ScoreSample:
        """Rows that tell how scores lie: of the background, else of the collection, anew when it has grown."""
        kept, n = self._sampled, len(self.ranked.collection)
        fixed = bool(self.background) and self.space is not None
        if kept is None or not (fixed or kept[0] <= n <= 1.25 * kept[0]):
            made = (
                ScoreSample.of_background(self.background)
                if fixed
                else ScoreSample.of_rows(self.ranked, self.language_field)
            )
            kept = self._sampled = n, made
        return kept[1]

    def _hits(
        self,
        vectors: NDArray[np.float32],
        found: Sequence[Sequence[tuple[Hit, float]]],
        offsets: NDArray[np.float32],
        *,
        moved: bool,
    ) -> list[list[SearchHit]]:
        """Return rows with their scores as hits; `moved`: a score is more than what rows are ranked by."""
        answers = []
        rows = self.ranked.vectors_of([[hit.id for hit, _ in hits] for hits in found])
        for number, hits in enumerate(found):
            cosines, scores = (rows[number] @ vectors[number]).clip(-1, 1), [each - offsets[number] for _, each in hits]
            if not self.background:
                twice = 1 if isinstance(self.ranked, PlainRows) else 2  # others are ranked by 2 p · q
                scores = [score / twice for score in scores] if moved else cosines.tolist()
            answers.append(
                [self._hit(hit.id, hit.metadata, *both) for (hit, _), *both in zip(hits, scores, cosines, strict=True)]
            )
        return answers

    def _hit(self, id: str, metadata: dict[str, Any], score: float, cosine: float) -> SearchHit:
        text, language = self.ranked.fields if isinstance(self.ranked, PlainRows) else RESERVED
        rest = dict(metadata)
        said = str(rest.pop(text, "")), str(rest.pop(language, UNDETERMINED))
        hit = SearchHit(id, *said, float(score), float(cosine), rest)
        if not self.windows:
            return hit
        rest = {key: value for key, value in rest.items() if key not in windowed.FIELDS}
        return replace(hit, id=windowed.passage_of(id, metadata), metadata=rest, window=windowed.span_of(metadata))

    def rows_of(self, hits: Sequence[SearchHit]) -> list[str]:
        """Return the ids of the rows that hits were found by, which are those of windows where passages have some."""
        later = [hit.id for hit in hits if hit.window is not None and hit.window[0] > 0]
        rows = windowed.rows_of_spans(self.ranked.collection, later) if later else {}
        return [rows.get((hit.id, hit.window), hit.id) for hit in hits]

    def searched(self, where: Where | None, languages: Sequence[str] | None) -> int:
        """Return among how many passages a search finds the best."""
        tree = as_filter(where)
        if tree is None:
            return sum(count for name, count in self.counts().items() if languages is None or name in languages)
        if languages is not None:
            tree = And(tree, In(self.language_field, list(languages)))
        rows = self._rows_where(tree)
        further = self._rows_where(And(tree, Range(windowed.OF, least=""))) if self.windows and rows else 0
        return rows - further

    def _rows_where(self, tree: Filter) -> int:
        collection: Any = self.ranked.collection
        try:
            if not isinstance(collection, Collection):
                return int(collection.count(tree))
            numbers = collection.numbers_where(tree)
        except ValueError:  # no row has a field of it
            return 0
        return len(collection) if numbers is None else len(numbers)

    def _best_windows(self, hits: Sequence[SearchHit], k: int) -> list[SearchHit]:
        """Return the best window of each passage as a hit, with the whole text."""
        best: dict[str, SearchHit] = {}
        for hit in hits:
            best.setdefault(hit.id, hit)
        kept = list(best.values())[:k]
        partial = [hit.id for hit in kept if hit.window is not None and hit.window[0] > 0]
        whole = dict(zip(partial, (str(row["text"]) for row in self.ranked.collection.get(partial))))
        return [replace(hit, text=whole.get(hit.id, hit.text)) for hit in kept]
