"""Rows of a collection that are ranked by 2 x·y - r(y), where each target y brings its own r.

How that lies in an index is known here alone: who wants the vectors of such a collection asks `own_vectors`, who makes
one `ranked_collection` and `laid_out`.

In a search, r is how near a passage is to everything in its language.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from dataclasses import replace as changed
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import unit_rows
from interlingua.align.neighbors import fold_csls, fold_query
from interlingua.index import Collection, CollectionStore
from interlingua.index.collection.journal import Change
from interlingua.index.collection.parts import array_to_bytes, bytes_to_array
from interlingua.index.engines.base import CollectionResult, Metric, SearchResult
from interlingua.index.threads import SharedLock

from .copies import EQUAL, distinct_places, distinct_rows, nearness

#: Of index that a collection of texts may have; see `interlingua.index.create_index`.
IndexKind = Literal["flat", "faiss-flat", "hnsw", "ivf-flat", "ivf-pq", "ivf-rabitq"]
_NUMBERS, _MEANS = "hub-rows.npy", "hub-means.npy"
#: Kinds of index that may pass over a row.
APPROXIMATE = ("hnsw", "ivf-flat", "ivf-pq", "ivf-rabitq")
_CANDIDATES = 100  # by cosine, in inverted lists
_OVERSAMPLING, _FEWEST = 8, 80  # by the folded score, in graphs
_SEEN, _SEEN_OF_MANY, _MANY = 256, 100, 8  # best rows that are seen where the mean of the nearest is asked for as well
_FEW_OF_ALL = 8  # more than this part of all rows is not looked at one by one
_FEW_CHANGES = 1024  # rows
_ROUNDING = 1e-5
_ROWS_READ = 16_384
_NUMBERS_AT_ONCE = 1 << 22


#: Where a `HubCorrectedCollection` keeps what it is.
ATTRIBUTE = "hub_correction"
_RANKED = ("search", "memory", "answers")  # pipelines whose collections are ranked


def folds(kind: str) -> bool:
    """Return whether an index of this kind can hold the correction in its vectors; inverted lists cannot."""
    return not kind.startswith("ivf")


def ranked_spec(kind: str, dimension: int) -> tuple[int, Metric]:
    """Return columns and metric of an index that ranks rows of `dimension` numbers; see `CorrectedRows`."""
    return (dimension + 1, Metric.IP) if folds(kind) else (dimension, Metric.COSINE)


def ranked_collection(kind: str, dimension: int, config: Any = None) -> Collection:
    """Return an empty collection for `CorrectedRows`; `kind` and `config` as `create_index`."""
    return Collection.create(*ranked_spec(kind, dimension), kind, config)


def laid_out(rows: NDArray[np.float32], means: NDArray[np.float32], *, folded: bool) -> NDArray[np.float32]:
    """Return unit rows (n, d) with their r (n,) as an index holds them that has r in its vectors, or not."""
    return np.asarray(fold_csls(rows, means) if folded else rows, np.float32)


def own_vectors(collection: Collection, ids: Sequence[str] | None = None) -> NDArray[np.float32]:
    """Return the vectors (n, d) of rows, by default of all, without what ranks them by CSLS.

    Those of a collection that is not ranked are returned as they are kept.

    Raises
    ------
    KeyError
        If an id is not in the collection.
    """
    wanted = collection.ids if ids is None else ids
    about = collection.attributes
    if about.get("pipeline") in _RANKED or ATTRIBUTE in about:
        return CorrectedRows(collection).vectors(wanted)
    return collection.vectors(wanted)


class CorrectedRows:
    """What ranks the rows of a collection by 2 x·y - r(y), and keeps each r beside its row.

    `ranked_collection` makes the collection:

    - Exact indexes and graphs (metric ``ip``, d + 1 columns) hold the folded vector [2 y, -r], and one inner-product
      search answers. r is the last number of the vector. Graphs find less in folded vectors than in others, so 8 k
      candidates are asked for, at least 80, which raises the effort; those of short numbers (``float16``, ``sq8``) are
      scored again with r as it was.
    - Inverted lists (metric ``cosine``, d columns) hold y itself, since folding spoils their cells: the 100 best by
      cosine (2 k where that is more) are scored again.

    Scores are as exact as the index keeps y. Threads may share them, as they may a `Collection`.

    Parameters
    ----------
    collection : Collection
        Empty, or to be followed by `restore_means`.
    store : CollectionStore, optional
        Has `collection` open; changes then go through it.
    """

    def __init__(self, collection: Collection, store: CollectionStore | None = None) -> None:
        self.collection = collection
        self.store = store
        spec = collection.index.spec
        self.folds = collection.metric is Metric.IP  # whether r is a column of the vectors
        self._whole = self.folds and spec.config.get("storage", "float32") == "float32"
        self._changes = SharedLock()  # changes one after the other
        self._mean_of: dict[int, float] = {}  # by the row's number: a row that is replaced has another one than before
        self._column: _Column | None = None  # every r that the vectors hold, once it is asked for

    @property
    def dimension(self) -> int:
        """Length d of targets and queries."""
        return self.collection.dimension - self.folds

    @property
    def whole(self) -> bool:
        """Whether the vectors hold every r, to the last bit."""
        return self._whole

    def reading(self) -> AbstractContextManager[Any]:
        """Hold the rows in one state."""
        return self.collection.lock.reading

    def put(
        self,
        ids: Sequence[str],
        rows: NDArray[np.float32],
        means: NDArray[np.float32],
        metadata: Sequence[Mapping[str, Any]] | None,
        *,
        replace: bool,
    ) -> None:
        """Add unit rows (n, d) with their r (n,), in place of rows of the same ids with `replace`."""
        target = self.collection if self.store is None else self.store
        names = [ids] if isinstance(ids, str) else [str(id) for id in ids]
        with self._changes.writing:
            begin = self.collection.state[0]
            coming = range(begin, begin + len(names))
            outdated = self._numbers_held(names)
            if not self._whole:  # subtle: before the row itself, since a store may save right after it
                self._mean_of.update(zip(coming, means.tolist()))
            column = self._column_before(names)
            try:
                put = target.upsert if replace else target.add
                put(ids, laid_out(rows, means, folded=self.folds), metadata)
                if column is not None:
                    self._column = column.extended(coming, means, self.collection.state)
            except BaseException:
                outdated = list(coming)
                raise
            finally:
                self._forget(outdated)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove rows by id; `KeyError` if one is not there, and nothing is removed."""
        with self._changes.writing:
            outdated = self._numbers_held([ids] if isinstance(ids, str) else [str(id) for id in ids])
            (self.collection if self.store is None else self.store).remove(ids)
            self._forget(outdated)

    def means(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Return the r of rows, shape (n,); `KeyError` if an id is unknown."""
        if self._whole:
            return -self.collection.vectors(ids)[:, -1] if len(ids) else np.empty(0, np.float32)
        with self.reading():
            numbers = self.collection.numbers_of(ids).tolist()
            return np.array([self._mean_of[number] for number in numbers], dtype=np.float32)

    def vectors(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Return y as it is kept, shape (n, d); what the index has rounded is brought back to unit length."""
        if not len(ids):
            return np.empty((0, self.dimension), np.float32)
        kept = self.collection.vectors(ids)
        rows: NDArray[np.float32] = kept[:, :-1] / np.float32(2) if self.folds else kept
        return rows if self._whole else unit_rows(rows)

    def vectors_of(self, lists: Sequence[Sequence[str]]) -> list[NDArray[np.float32]]:
        """Return the `vectors` of each of several lists of ids, read at once."""
        ends = np.cumsum([len(ids) for ids in lists])
        return np.split(self.vectors([id for ids in lists for id in ids]), ends[:-1])

    def search(self, queries: NDArray[np.float32], k: int = 10, **filters: Any) -> CollectionResult:
        """Return the k best rows of unit queries (n, d) by 2 x·y - r; filters as `Collection.search`."""
        asked = fold_query(queries) if self.folds else queries
        if k < 1 or self.collection.index.spec.kind not in APPROXIMATE:
            return self.collection.search(asked, k, **filters)
        wide = max(_FEWEST, _OVERSAMPLING * k) if self.folds else max(_CANDIDATES, 2 * k)
        with self.reading():
            found = self.collection.search(asked, wide, **filters)
            k = min(k, found.scores.shape[1])
            if not self._whole:
                return self._rescored(queries, found, k)
        ids = tuple([each[:k] for each in found.ids])
        read = lambda: [row for rows in found.metadata for row in rows[:k]]  # noqa: E731
        return CollectionResult.deferred(ids, found.scores[:, :k], read, found.metric)

    def search_with_nearness(
        self,
        queries: NDArray[np.float32],
        k: int,
        neighborhood: int,
        thresholds: Mapping[str, float],
        **filters: Any,
    ) -> tuple[CollectionResult, NDArray[np.float32]]:
        """Return what `search` does, and what `nearness` does of `neighborhood` rows, which no filter concerns.

        Exact indexes are scanned once where there is no filter: a row that is not among the best by 2 x·y - r may be
        among the nearest only if its r is large, and those rows are few.
        """
        with self.reading():
            filtered = any(each is not None for each in filters.values())
            if k < 1 or filtered or not self._whole or self.collection.index.spec.kind in APPROXIMATE:
                return self.search(queries, k, **filters), self.nearness(queries, neighborhood, thresholds)
            width = min(max(k, _SEEN if len(queries) < _MANY else _SEEN_OF_MANY), len(self.collection))
            found = self.collection.index.search(fold_query(queries), width)
            best = SearchResult(found.ids[:, :k], found.scores[:, :k], found.metric)
            near = self._nearest_after(queries, min(neighborhood, len(self.collection)), found)
            return self.collection.result_of(best), self.nearness(queries, neighborhood, thresholds, near)

    def _nearest_after(self, queries: NDArray[np.float32], count: int, found: SearchResult) -> CollectionResult:
        """Return what `search_by_cosine` does, from the best of all rows by 2 x·y - r and those that may be nearer."""
        n_rows, width, numbers = len(self.collection), found.ids.shape[1], found.ids
        column = self._column = self._column_now()
        own = column.of(numbers)
        cosines = (found.scores + own) / 2
        if width < n_rows:
            if count > width:
                return self.search_by_cosine(queries, count)
            least = np.partition(cosines, width - count, axis=1)[:, width - count]
            # an unseen row is nearer than the least only if 2 least - r < score of the last one seen
            bound = float((2 * least - found.scores[:, -1]).min()) - _ROUNDING
            near = column.at_least(bound)
            if len(near) > n_rows // _FEW_OF_ALL:
                return self.search_by_cosine(queries, count)
            if len(near):
                more = self.collection.index.search(_halves(queries), min(count, len(near)), allowed=near)
                cosines = np.concatenate([np.where(own < bound, cosines, -np.inf), more.scores], axis=1)
                numbers = np.concatenate([numbers, more.ids], axis=1)
        order = np.lexsort((numbers, -cosines), axis=1)[:, :count]
        ids, scores = np.take_along_axis(numbers, order, axis=1), np.take_along_axis(cosines, order, axis=1)
        return self.collection.result_of(SearchResult(ids, np.asarray(scores, np.float32), found.metric))

    def _column_now(self) -> "_Column":
        kept, state = self._column, self.collection.state
        if kept is not None and kept.state == state:
            return kept
        numbers = self.collection.numbers
        index, blocks = self.collection.index, range(0, len(numbers), _ROWS_READ)
        means = [-index.reconstruct(numbers[start : start + _ROWS_READ])[:, -1] for start in blocks]
        return _Column(state, numbers, np.concatenate(means))

    def _column_before(self, names: Sequence[str]) -> "_Column | None":
        """Return the column without the rows of these ids; None where it is not there, or is better read anew."""
        column = self._column
        if column is None or column.state != self.collection.state or len(names) > _FEW_CHANGES:
            return None
        with self.reading():
            held = [name for name in names if name in self.collection]
            return column.without(self.collection.numbers_of(held), len(self.collection))

    def search_by_cosine(self, queries: NDArray[np.float32], k: int, **filters: Any) -> CollectionResult:
        """Return the k best rows of unit queries (n, d) by cosine."""
        return self.collection.search(_halves(queries) if self.folds else queries, k, **filters)

    def nearness(
        self,
        queries: NDArray[np.float32],
        k: int,
        thresholds: Mapping[str, float],
        nearest: CollectionResult | None = None,
    ) -> NDArray[np.float32]:
        """Return the mean cosine (n,) of each unit query and its k nearest rows, of which copies count once.

        Parameters
        ----------
        queries : (n, d) array
        k : int
        thresholds : mapping of str to float
            For each language, from which cosine two of its rows are copies; in others, where they are equal.
        nearest : CollectionResult, optional
            What `search_by_cosine` returns for these queries and k.
        """
        means = np.zeros(len(queries), np.float32)
        waiting, width = np.arange(len(queries)), k
        with self.reading():
            while len(waiting):
                width, left = min(width, len(self.collection)), []
                found, nearest = nearest or self.search_by_cosine(queries[waiting], width), None
                kept = self._distinct(found.ids, k, thresholds)
                for length in set(map(len, kept)) - {0}:
                    same = [place for place, places in enumerate(kept) if len(places) == length]
                    chosen = np.array([kept[place] for place in same])
                    means[waiting[same]] = found.scores[np.array(same)[:, None], chosen].mean(axis=1)
                if width < len(self.collection):
                    few = (len(places) < min(k, len(ids)) for places, ids in zip(kept, found.ids))
                    left = [number for number, more in zip(waiting.tolist(), few) if more]
                waiting, width = np.array(left, np.int64), 4 * width
        return means

    def _distinct(self, found: Sequence[Sequence[str]], k: int, thresholds: Mapping[str, float]) -> list[Sequence[int]]:
        """Return for each list of ids the places of the first k rows that are no copies of one before."""
        least = min(thresholds.values(), default=EQUAL)
        kept: list[Sequence[int]] = [range(min(k, len(ids))) for ids in found]
        width = max(map(len, found), default=0)
        step = max(1, _NUMBERS_AT_ONCE // max(width * self.dimension, 1))
        for start in range(0, len(found), step):
            rows = self.vectors_of(found[start : start + step])
            for place in _with_near_rows(rows, least):
                spoken = [str(row.get("language")) for row in self.collection.get(found[start + place])]
                near = [thresholds.get(each, EQUAL) for each in spoken]
                kept[start + place] = distinct_places(rows[place], k, near, spoken)
        return kept

    def attachments(self) -> dict[str, bytes]:
        """Return what `restore_means` reads: every r that the vectors do not hold, and the numbers of their rows."""
        if self._whole:
            return {}
        with self.reading():
            numbers = self.collection.numbers
            means = np.array([self._mean_of[number] for number in numbers.tolist()], dtype=np.float32)
        return {_MEANS: array_to_bytes(means), _NUMBERS: array_to_bytes(numbers)}

    def take_means(self, means: NDArray[np.float32]) -> None:
        """Take the r (n,) of all rows, in the order of the collection's ids, of rows that were put in without."""
        if not self._whole:
            self._mean_of = dict(zip(self.collection.numbers.tolist(), means.tolist(), strict=True))

    def restore_means(
        self, changes: Iterable[Change], measure: Callable[[NDArray[np.float32], Sequence[str]], NDArray[np.float32]]
    ) -> None:
        """Take every r from the collection's attachments and from the journal's changes since.

        Parameters
        ----------
        changes : iterable of Change
            Those that the collection has, and its attachments have not.
        measure : callable
            Unit rows (n, d) and their ids -> r (n,). For rows of a journal of inverted lists, and for rows that were
            put into the saved collection by other means: theirs is measured on the vectors as they are kept.
        """
        if self._whole:
            return
        kept, held = self.collection.attachments, dict(zip(self.collection.ids, self.collection.numbers.tolist()))
        if _MEANS in kept:
            means = bytes_to_array(kept[_MEANS])
            numbers = bytes_to_array(kept[_NUMBERS]) if _NUMBERS in kept else self.collection.numbers
            if numbers.shape != means.shape:
                raise ValueError(f"{len(means)} hub corrections do not fit {len(numbers)} rows; build the folder again")
            self._mean_of = dict(zip(numbers.tolist(), means.tolist()))
        for change in changes:
            if change.vectors is not None:
                own = -change.vectors[:, -1] if self.folds else measure(change.vectors, change.ids)
                self._mean_of.update((held[id], mean) for id, mean in zip(change.ids, own.tolist()) if id in held)
        if missing := [id for id, number in held.items() if number not in self._mean_of]:
            measured = measure(self.vectors(missing), missing)
            self._mean_of.update((held[id], mean) for id, mean in zip(missing, measured.tolist()))
        self._mean_of = {number: self._mean_of[number] for number in held.values()}

    def _numbers_held(self, ids: Iterable[str]) -> list[int]:
        """Return the numbers of those of the ids that have an r here."""
        if self._whole:
            return []
        with self.reading():
            return [int(self.collection.numbers_of([id])[0]) for id in ids if id in self.collection]

    def _forget(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._mean_of.pop(number, None)

    def _rescored(self, queries: NDArray[np.float32], found: CollectionResult, k: int) -> CollectionResult:
        distinct = list(dict.fromkeys(id for ids in found.ids for id in ids))
        row_of = {id: row for row, id in enumerate(distinct)}
        vectors, means = self.vectors(distinct), self.means(distinct)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        orders = []
        for number, ids in enumerate(found.ids):
            rows = [row_of[id] for id in ids]
            own = 2 * (vectors[rows] @ queries[number]) - means[rows]
            orders.append(np.argsort(-own, kind="stable")[:k].tolist())
            scores[number, : len(orders[-1])] = own[orders[-1]]
        kept = tuple([tuple([ids[place] for place in order]) for ids, order in zip(found.ids, orders)])

        def read() -> list[dict[str, Any]]:
            return [row[place] for row, order in zip(found.metadata, orders) for place in order]

        return CollectionResult.deferred(kept, scores, read, Metric.IP)


def _with_near_rows(lists: Sequence[NDArray[np.float32]], least: float) -> list[int]:
    """Return the numbers of the lists of rows in which two have a cosine of `least` or more."""
    found: list[int] = []
    for length in {len(rows) for rows in lists} - {0, 1}:
        numbers = np.array([number for number, rows in enumerate(lists) if len(rows) == length])
        own = np.stack([lists[number] for number in numbers.tolist()])
        first, second = np.triu_indices(length, 1)
        near = (own @ own.transpose(0, 2, 1))[:, first, second].max(axis=1) >= least
        found += numbers[near].tolist()
    return found


def _halves(queries: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return queries that score folded rows by cosine: [x / 2, 0] · [2 y, -r] = x · y."""
    return np.concatenate([queries / 2, np.zeros((len(queries), 1), np.float32)], axis=1)


@dataclass(frozen=True)
class _Column:
    """The r of rows by their ascending numbers, in one state of a collection; -inf for rows that are gone."""

    state: tuple[int, int]
    numbers: NDArray[np.int64]
    means: NDArray[np.float32]

    def of(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.means[np.searchsorted(self.numbers, numbers)]

    def at_least(self, bound: float) -> NDArray[np.int64]:
        return self.numbers[self.means >= bound]

    def without(self, numbers: NDArray[np.int64], n_rows: int) -> "_Column | None":
        if len(self.numbers) > n_rows * 5 // 4 + _FEW_CHANGES:
            return None
        means = self.means.copy()
        means[np.searchsorted(self.numbers, numbers)] = -np.inf
        return changed(self, means=means)

    def extended(self, numbers: range, means: NDArray[np.float32], state: tuple[int, int]) -> "_Column":
        more = np.arange(numbers.start, numbers.stop, dtype=np.int64)
        return _Column(state, np.concatenate([self.numbers, more]), np.concatenate([self.means, means]))


_SAMPLE = 2048


def sample_languages(
    vectors: NDArray[np.float32], languages: Sequence[str], *, neighborhood: int, seed: int
) -> dict[str, NDArray[np.float32]]:
    """Return for each language with more than `neighborhood` vectors at most 2,048 of them, copies left out.

    With fewer, what is measured says more about the few than about hubs: of three texts, an exact match may come last.
    """
    rng = np.random.default_rng(seed)
    samples = {}
    for language, rows in rows_by_language(languages).items():
        own = vectors[np.asarray(rows)[distinct_rows(vectors[rows])]]
        if len(own) > neighborhood:
            drawn = own[np.sort(rng.permutation(len(own))[:_SAMPLE])]
            # among many rows, copies that are not frequent are still there
            samples[language] = drawn[distinct_rows(drawn)] if len(own) > _SAMPLE else drawn
    return samples


def measure_hubness(
    vectors: NDArray[np.float32],
    languages: Sequence[str],
    background: Mapping[str, NDArray[np.float32]],
    neighborhood: int,
    thresholds: Mapping[str, float] | None = None,
) -> NDArray[np.float32]:
    """Return the mean cosine of each row and the nearest background rows of its language, its own copies left out.

    Parameters
    ----------
    vectors : (n, d) array
        Unit rows.
    languages : sequence of n str
        Their languages.
    background : mapping of str to (b, d) array
        From `sample_languages`.
    neighborhood : int
        Neighbours in the mean; where there are fewer, all.
    thresholds : mapping of str to float, optional
        `copy_threshold` of each background, where that is known.

    Returns
    -------
    (n,) array of float32
        NaN for rows of a language without a background.
    """
    hubness = np.full(len(vectors), np.nan, np.float32)
    for language, rows in rows_by_language(languages).items():
        if language in background:
            known = None if thresholds is None else thresholds[language]
            own = background[language]
            hubness[rows] = nearness(vectors[rows], own, neighborhood, apart=True, threshold=known)
    return hubness


def hubness_of(
    vectors: NDArray[np.float32],
    languages: Sequence[str],
    background: Mapping[str, NDArray[np.float32]],
    neighborhood: int,
    typical: Callable[[], float],
    thresholds: Mapping[str, float] | None = None,
) -> NDArray[np.float32]:
    """Return the r (n,) of rows: their hubness, what is `typical` for a language without background, or 0 without any.

    Parameters
    ----------
    vectors, languages, background, neighborhood, thresholds
        As in `measure_hubness`; without any background the ranking is by cosine.
    typical : callable
        Gives `typical_hubness`; called only where it is needed.
    """
    if not background:
        return np.zeros(len(vectors), np.float32)
    hubness = measure_hubness(vectors, languages, background, neighborhood, thresholds)
    unknown = np.isnan(hubness)
    if unknown.any():
        hubness[unknown] = typical()
    return hubness


def typical_hubness(background: Mapping[str, NDArray[np.float32]], neighborhood: int) -> float:
    """Return the mean hubness of the background itself: what neither raises nor lowers a passage."""
    measured = [
        measure_hubness(rows, [name] * len(rows), background, neighborhood) for name, rows in background.items()
    ]
    return float(np.concatenate(measured).mean()) if measured else 0.0


def rows_by_language(languages: Sequence[str]) -> dict[str, list[int]]:
    """Return the rows of each language, in the order of first appearance."""
    code_of = {language: code for code, language in enumerate(dict.fromkeys(languages))}
    codes = np.fromiter(map(code_of.__getitem__, languages), np.int64, len(languages))
    order = np.argsort(codes, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(codes, minlength=len(code_of)))[:-1])
    return {language: part.tolist() for language, part in zip(code_of, parts)}
