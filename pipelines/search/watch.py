"""How many of the rows that an exact search finds does a graph or a list find: watched on a sample of the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from interlingua.align.shares import share_interval
from interlingua.index import Collection, FaissIndex, HNSWConfig, IVFConfig
from interlingua.index.engines.base import Metric
from interlingua.index.engines.choose import with_effort
from interlingua.pipelines.stored import kind_of, open_collection

from .corrected import HubCorrectedCollection
from .parts import read_search
from .ranked import APPROXIMATE, ATTRIBUTE, CorrectedRows
from .rows import AnyCollection
from .search import CrossLingualSearch

_READ = 4096  # rows at once
_TIE = 1e-5  # what rounding makes of equal scores
_DOUBLINGS = 8


class Ranked(Protocol):
    """Rows that are ranked."""

    collection: Any

    def asked(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Return the questions that rows ask, (n, d)."""

    def found(self, questions: NDArray[np.float32], k: int) -> Sequence[Sequence[str]]:
        """Return the ids of the k best rows as a search finds them."""

    def scores(self, questions: NDArray[np.float32], ids: Sequence[str]) -> NDArray[np.float32]:
        """Return what these rows score with each question, (n, m)."""


@dataclass(frozen=True)
class RecallWatch:
    """What a search finds of what exact search finds.

    Attributes
    ----------
    kind : str
        Of the index; of rows in Milvus its index type.
    exact : bool
        Whether every row is compared: then recall is 1, and nothing was measured.
    rows, asked, k : int
        Rows, those of them that asked, and neighbours that each asked for.
    recall, low, high : float
        The mean share of the k nearest that was found, and its 95 % interval.
    parameter : str
        ``ef_search`` or ``nprobe``; "" where there is none to set here.
    effort : int
        Its value for 10 results, as set or as chosen.
    tried : tuple of (int, float)
        Other values with their recall on the same rows, where recall is less than wanted.
    """

    kind: str
    exact: bool
    rows: int
    asked: int
    k: int
    recall: float
    low: float
    high: float
    parameter: str = ""
    effort: int = 0
    tried: tuple[tuple[int, float], ...] = ()


def watch_recall(
    folder: str | Path, *, k: int = 10, sample: int = 500, seed: int = 0, least: float | None = None
) -> RecallWatch:
    """Measure how many of its nearest rows a search finds, asked by a sample of a collection's own rows.

    A row asks as it is kept, ranked as its collection ranks: by CSLS where that was built in, else by the metric. It is
    not counted itself, and of rows of equal score each is right. Rows find their neighbours a little more easily than
    questions of people do. Exact is a scan of the vectors as the index keeps them: what codes lose is not seen.

    Parameters
    ----------
    folder : str or Path
        Of a collection, ours or in Milvus.
    k : int
        Neighbours a row.
    sample : int
        Rows that ask, at most.
    seed : int
        Draws them.
    least : float, optional
        The recall that is wanted, 0.95 if not given: below it, higher efforts are tried.

    Raises
    ------
    ValueError
        If the folder is no collection, has fewer than two rows, or k, sample or least are out of range.
    """
    if k < 1 or sample < 1:
        raise ValueError(f"k and the sample must be at least 1, but are {k} and {sample}")
    if least is not None and not 0 < least <= 1:
        raise ValueError(f"least is a share above 0, at most 1, but is {least}")
    rows = _rows_of(Path(folder))
    names = rows.collection.ids
    if len(names) < 2:
        raise ValueError(f"{folder} has {len(names)} rows; recall takes two, of which one finds the other")
    k = min(k, len(names) - 1)
    kind, exact = _kind(rows.collection)
    if exact:
        return RecallWatch(kind, True, len(names), 0, k, 1.0, 1.0, 1.0)
    drawn = np.random.default_rng(seed).permutation(len(names))[:sample]
    trial = _Trial(rows, [names[place] for place in sorted(drawn.tolist())], k)
    shares = trial.shares()
    recall = float(shares.mean())
    low, high = share_interval(float(shares.sum()), len(shares))
    measured = RecallWatch(kind, False, len(names), len(shares), k, recall, low, high)
    wanted = 0.95 if least is None else least
    return _with_efforts(measured, rows.collection, trial, wanted)


class _Trial:
    """Rows that ask, and the score of the last of the k that exact search finds for each."""

    def __init__(self, rows: Ranked, names: Sequence[str], k: int) -> None:
        self.rows, self.names, self.k = rows, names, k
        self.questions = rows.asked(names)
        best = np.full((len(names), k), -np.inf, np.float32)
        for ids in _blocks(rows.collection.ids):
            scores = np.array(rows.scores(self.questions, ids))
            place = {id: column for column, id in enumerate(ids)}
            for row, name in enumerate(names):
                if name in place:
                    scores[row, place[name]] = -np.inf
            both = np.concatenate([best, scores], axis=1)
            best = -np.partition(-both, k - 1, axis=1)[:, :k]
        self.last = best[:, -1]

    def shares(self) -> NDArray[np.float64]:
        """Return the share of its k nearest that each row finds now."""
        found = self.rows.found(self.questions, self.k + 1)
        others = [[id for id in ids if id != name][: self.k] for name, ids in zip(self.names, found, strict=True)]
        known = list(dict.fromkeys(id for ids in others for id in ids))
        place = {id: column for column, id in enumerate(known)}
        least = self.last - _TIE * np.maximum(1, np.abs(self.last))
        right = self.rows.scores(self.questions, known) >= least[:, None] if known else np.zeros((len(others), 0), bool)
        return np.array([right[row, [place[id] for id in ids]].sum() / self.k for row, ids in enumerate(others)])


class _PlainRanked:
    """Rows that are ranked by their collection's metric."""

    def __init__(self, collection: AnyCollection) -> None:
        self.collection: Any = collection

    def asked(self, ids: Sequence[str]) -> NDArray[np.float32]:
        return np.asarray(self.collection.vectors(ids), np.float32)

    def found(self, questions: NDArray[np.float32], k: int) -> Sequence[Sequence[str]]:
        found: Sequence[Sequence[str]] = self.collection.search(questions, k).ids
        return found

    def scores(self, questions: NDArray[np.float32], ids: Sequence[str]) -> NDArray[np.float32]:
        kept = np.asarray(self.collection.vectors(ids), np.float32)
        products = questions @ kept.T
        if self.collection.metric is Metric.L2:
            products = 2 * products - (questions**2).sum(axis=1)[:, None] - (kept**2).sum(axis=1)
        elif self.collection.metric is Metric.COSINE:  # codes are not of unit length
            products = products / np.linalg.norm(kept, axis=1)
        return np.asarray(products, np.float32)


class _CorrectedRanked:
    """Rows that are ranked by 2 x·y - r(y)."""

    def __init__(self, rows: CorrectedRows) -> None:
        self.rows, self.collection = rows, rows.collection

    def asked(self, ids: Sequence[str]) -> NDArray[np.float32]:
        return self.rows.vectors(ids)

    def found(self, questions: NDArray[np.float32], k: int) -> Sequence[Sequence[str]]:
        return self.rows.search(questions, k).ids

    def scores(self, questions: NDArray[np.float32], ids: Sequence[str]) -> NDArray[np.float32]:
        return np.asarray(2 * questions @ self.rows.vectors(ids).T - self.rows.means(ids), np.float32)


def _rows_of(folder: Path) -> Ranked:
    kind = kind_of(folder)
    if kind in ("search", "memory", "answers"):
        parts, _ = read_search(folder, kind)
        nobody: Any = None  # encodes nothing here
        return _CorrectedRanked(CrossLingualSearch.of_parts(parts, nobody, "")._ranked)
    collection = open_collection(folder)
    if ATTRIBUTE in collection.attributes:
        return _CorrectedRanked(HubCorrectedCollection.load(folder)._ranked)
    return _PlainRanked(collection)


def _kind(collection: AnyCollection) -> tuple[str, bool]:
    """Return the kind of a collection's index, and whether it compares every row."""
    if not isinstance(collection, Collection):
        return collection.config.index_type, collection.config.index_type in ("FLAT", "BRUTE_FORCE")
    index = collection.index
    waits = isinstance(index, FaissIndex) and not index.trained
    return index.spec.kind, index.spec.kind not in APPROXIMATE or waits


def _with_efforts(measured: RecallWatch, collection: AnyCollection, trial: _Trial, wanted: float) -> RecallWatch:
    """Add which effort is set, and try higher ones where recall is less than wanted."""
    index = collection.index if isinstance(collection, Collection) else None
    config = index.config if isinstance(index, FaissIndex) else None
    if not isinstance(index, FaissIndex) or not isinstance(config, HNSWConfig | IVFConfig):
        return measured
    graph = isinstance(config, HNSWConfig)
    parameter, largest = ("ef_search", index.n_nodes - 1) if graph else ("nprobe", index.n_lists)
    effort, tried = index.effort, list[tuple[int, float]]()
    value = effort
    try:
        while measured.recall < wanted and value < largest and len(tried) < _DOUBLINGS:
            value = min(2 * value, largest)
            index.config = with_effort(config, value)
            tried.append((value, float(trial.shares().mean())))
            if tried[-1][1] >= wanted:
                break
    finally:
        index.config = config
    return replace(measured, parameter=parameter, effort=effort, tried=tuple(tried))


def _blocks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _READ):
        yield ids[start : start + _READ]
