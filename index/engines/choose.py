"""Which index: make one by name, keep it in a folder, recommend a kind, and tune its search effort."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import ceil, sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interlingua.index.folder import MANIFEST_NAME, CorruptCollectionError, naming, read_folder, write_folder
from interlingua.index.milvus.client import MilvusConfig, saved_fields
from interlingua.index.milvus.engine import MilvusIndex
from interlingua.index.milvus.servers import named_by

from .base import IndexSpec, Metric, UnsupportedOperation, VectorIndex, check_dimension, check_k, check_vectors
from .config import (
    CONFIGS,
    FaissConfig,
    FaissFlatConfig,
    HNSWConfig,
    IVFConfig,
    IVFPQConfig,
    IVFRaBitQConfig,
    graph_effort,
    probes,
)
from .faiss import FaissIndex
from .flat import FlatIndex
from .training import stored_dimension

INDEX_KINDS = ("flat", *CONFIGS, "milvus")


def create_index(
    kind: str,
    dimension: int,
    metric: Metric | str = Metric.COSINE,
    config: FaissConfig | MilvusConfig | Mapping[str, Any] | None = None,
) -> VectorIndex:
    """Return an empty index.

    Parameters
    ----------
    kind : {"flat", "faiss-flat", "hnsw", "ivf-flat", "ivf-pq", "ivf-rabitq", "milvus"}
        Exact in NumPy (the reference); exact in FAISS (fast, to some 200 000 vectors); a graph (above that);
        inverted lists of whole vectors or of short codes (where the graph's memory is too much). `recommend` chooses.
        ``milvus`` leaves the vectors to a Milvus file, server or cluster.
    dimension : int
        Length of each vector.
    metric : Metric or str
    config : configuration of the kind (`HNSWConfig`, ...) or a mapping of its fields, optional
        ``flat`` takes none.

    Raises
    ------
    ValueError
        If kind, metric, dimension or config are not as above.

    Examples
    --------
    >>> create_index("hnsw", 384, "ip", {"ef_search": 64}).spec.kind
    'hnsw'
    """
    if kind == "flat":
        if config:
            raise ValueError(f"kind 'flat' takes no config, but {config!r} was given")
        return FlatIndex(dimension, metric)
    parsed = _parse_config(kind, config)
    if isinstance(parsed, MilvusConfig):
        return MilvusIndex(dimension, metric, parsed)
    return FaissIndex(dimension, metric, parsed)


def save_index(index: VectorIndex, path: str | Path) -> None:
    """Write `index` into the folder `path`, with checksums and whole or not at all; see `write_folder`."""
    contents = {"type": "index", "count": len(index), **spec_to_json(index.spec)}
    write_folder(Path(path), contents=contents, files=index.files())


def load_index(path: str | Path, *, threads: int | None = None, mapped: bool = False) -> VectorIndex:
    """Return the index that `save_index` wrote.

    Parameters
    ----------
    path : str or Path
    threads : int, optional
        For FAISS, see `FaissFlatConfig`.
    mapped : bool
        Leave the vectors on the disk; such an index can only be read.

    Raises
    ------
    CorruptCollectionError
        If a file is missing, altered or foreign; the text names it.
    UnsupportedOperation
        If `mapped`, and the vectors are with Milvus.
    """

    def parse(contents: dict[str, Any], files: dict[str, Path]) -> VectorIndex:
        with naming(Path(path) / MANIFEST_NAME):
            if contents["type"] != "index":
                raise ValueError(f"it describes a {contents['type']!r}, not an index; use Collection.load")
            spec, count = spec_from_json(contents)
        return read_index(files, spec, count, threads=threads, mapped=mapped)

    return read_folder(Path(path), parse)


def read_index(
    files: Mapping[str, Path], spec: IndexSpec, count: int, *, threads: int | None = None, mapped: bool = False
) -> VectorIndex:
    """Return the index of `spec` from its verified files."""
    if mapped and spec.kind == "milvus":
        raise UnsupportedOperation("an index of kind 'milvus' cannot be mapped from its file; load it without mapping")
    name = {"flat": "vectors.npy", "milvus": "milvus.json"}.get(spec.kind, "index.faiss")
    if missing := ({name} if spec.kind == "milvus" else {name, "ids.npy"}) - set(files):
        raise CorruptCollectionError(f"manifest.json lists no {', '.join(sorted(missing))}; build the folder again")
    index: VectorIndex
    with naming(files[name]):
        if spec.kind == "flat":
            index = FlatIndex.read(files, spec, mapped=mapped)
        elif spec.kind == "milvus":
            with named_by(files[name].parent):
                index = create_index(spec.kind, spec.dimension, spec.metric, spec.config)
        else:
            config: Any = _parse_config(spec.kind, {**spec.config, "threads": threads})
            index = FaissIndex.read(files, spec, config, mapped=mapped)
        if len(index) != count:
            raise ValueError(f"it holds {len(index)} vectors where manifest.json says {count!r}")
    return index


def spec_to_json(spec: IndexSpec) -> dict[str, Any]:
    """Return the fields of `spec` for a manifest."""
    return {
        "kind": spec.kind,
        "dimension": spec.dimension,
        "metric": str(spec.metric),
        "config": spec.config,
    }


def spec_from_json(fields: Mapping[str, Any]) -> tuple[IndexSpec, int]:
    """Return the spec in a manifest's fields, checked, and the number of vectors."""
    config = fields["config"]
    if fields["kind"] == "milvus" and isinstance(config, dict):
        config = saved_fields(config)
    spec = IndexSpec(fields["kind"], fields["dimension"], Metric.parse(fields["metric"]), config)
    if not isinstance(spec.config, dict):
        raise TypeError(f"its config is a {type(spec.config).__name__}, not a dictionary")
    count = fields["count"]
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise TypeError(f"its count is {count!r}, not a number of vectors")
    if spec.kind == "flat":
        create_index(spec.kind, spec.dimension, spec.metric, spec.config)  # refuses what cannot be made
    else:
        _parse_config(spec.kind, spec.config)
        check_dimension(spec.dimension)
    return spec, count


def _parse_config(
    kind: str, config: FaissConfig | MilvusConfig | Mapping[str, Any] | None
) -> FaissConfig | MilvusConfig:
    types: dict[str, Any] = {**CONFIGS, "milvus": MilvusConfig}
    if kind not in types:
        raise ValueError(f"unknown kind of index {kind!r}; choose one of {', '.join(map(repr, INDEX_KINDS))}")
    parsed: FaissConfig | MilvusConfig
    if config is not None and not isinstance(config, Mapping):
        if type(config) is not types[kind]:
            raise ValueError(f"kind {kind!r} needs a {types[kind].__name__}, but the config is {config!r}")
        return config
    try:
        parsed = types[kind](**(config or {}))
    except TypeError as error:
        raise ValueError(f"config of kind {kind!r} not understood: {error}") from None
    return parsed


_EXACT_LIMIT = 200_000  # exact search of so many vectors of 384 dimensions takes some milliseconds a query
_GRAPH_LIMIT = 20_000_000  # a graph of more takes a day to build on few cores
_SMALLEST_RECALL, _LARGEST_RECALL = 0.5, 0.999


@dataclass(frozen=True)
class Recommendation:
    """A kind of index, its configuration, its predicted size, and why.

    Attributes
    ----------
    kind : str
        For `create_index`.
    config : configuration of the kind
    memory_bytes : int
        Predicted size of the index in memory, its ids included; see `index_bytes`.
    reason : str
        One sentence.
    """

    kind: str
    config: FaissConfig
    memory_bytes: int
    reason: str


def recommend(n: int, dimension: int, *, memory_bytes: float | None = None, recall: float = 0.95) -> Recommendation:
    """Return the kind of index for n vectors, with its predicted memory and the reason.

    Exact search while it is fast enough or recall must be 1; then a graph, of whole numbers, else of bytes; then
    inverted lists of short codes with bytes to re-order, else of one bit a dimension. The first that fits is taken.
    `tune` then finds the search effort that reaches the recall on the vectors themselves.

    Parameters
    ----------
    n, dimension : int
        Number of vectors when the index is full, and their length d.
    memory_bytes : float, optional
        What the index may take; None for as much as it needs.
    recall : float
        Wanted share of the true neighbours, 0.5 to 1; 1 asks for exact search.

    Raises
    ------
    ValueError
        If an argument is out of range.
    UnsupportedOperation
        If nothing fits; the text says what the smallest needs.

    Examples
    --------
    >>> recommend(50_000, 384).kind
    'faiss-flat'
    >>> recommend(1_000_000, 384).config
    HNSWConfig(M=32, ef_construction=200, ef_search=600, storage='float32', train_size=2000, rebuild_share=0.25, \
exact_share=None, threads=None)
    >>> recommend(1_000_000, 384, memory_bytes=1e9).reason
    'a graph over 1,000,000 vectors kept as bytes: 668 MB, where whole numbers take 1,820 MB of the 1,000 MB allowed'
    """
    for name, value in (("n", n), ("dimension", dimension)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be an integer of at least 1, but is {value!r}")
    if not _SMALLEST_RECALL <= recall <= 1:
        raise ValueError(f"recall must lie between {_SMALLEST_RECALL} and 1, but is {recall!r}")
    allowed = float("inf") if memory_bytes is None else float(memory_bytes)
    if not allowed > 0:
        raise ValueError(f"memory_bytes must be positive, but is {memory_bytes!r}")
    tried: list[tuple[str, int]] = []
    for config, words in _candidates(n, recall):
        size = index_bytes(config, n, dimension)
        if size <= allowed:
            reason = words.format(n=f"{n:,}", size=_megabytes(size))
            if tried:
                what, least = tried[-1]
                reason += f", where {what} take {_megabytes(least)} of the {_megabytes(allowed)} allowed"
            return Recommendation(config.kind, config, size, reason)
        tried.append((_KEPT[_kept(config)], size))
    what, least = min(tried, key=lambda each: each[1])
    raise UnsupportedOperation(
        f"{n:,} vectors of dimension {dimension} need {_megabytes(least)} ({what}), but {_megabytes(allowed)} are "
        "allowed; map the index from disk (load_index(..., mapped=True)), reduce the dimension, or use several machines"
    )


def index_bytes(config: FaissConfig, n: int, dimension: int) -> int:
    """Return the predicted bytes of an index of n vectors, ids included, working memory while it is built not.

    Constants follow FAISS' layout: 8 M bytes of links on the lowest level and 4 M / (M - 1) above it, each vector;
    4 bits a sub-vector; d / 8 + 8 bytes a RaBitQ code; 8 bytes an id, twice in inverted lists.
    """
    kept = stored_dimension(config, dimension)
    numbers = {"float32": 4 * kept, "float16": 2 * kept, "sq8": kept}
    each: float = 8.0
    shared: float = 0
    if isinstance(config, FaissFlatConfig):
        each += numbers["float32"]
    elif isinstance(config, HNSWConfig):
        each += numbers[config.storage] + 8 * config.M + 4 * config.M / (config.M - 1) + 16
    else:
        each += 8
        shared = 4 * dimension * (config.n_lists or 4 * sqrt(n))
        if isinstance(config, IVFPQConfig):
            each += config.sub_vectors(dimension) / 2 + numbers[config.refine]
            shared += 4 * 16 * dimension
        elif isinstance(config, IVFRaBitQConfig):
            each += dimension / 8 + 8 + numbers[config.refine]
        else:
            each += numbers["float32"] + 8
    return ceil(n * each + shared)


_KEPT = {"float32": "whole numbers", "sq8": "bytes", "ivf-pq": "codes of two dimensions", "ivf-rabitq": "bits"}


def _kept(config: FaissConfig) -> str:
    return config.storage if isinstance(config, HNSWConfig) else config.kind if config.kind in _KEPT else "float32"


def _candidates(n: int, recall: float) -> Iterator[tuple[FaissConfig, str]]:
    """Yield configurations with the words for them, best first."""
    if n <= _EXACT_LIMIT or recall > _LARGEST_RECALL:
        yield FaissFlatConfig(), "exact search of {n} vectors: {size}"
        if recall > _LARGEST_RECALL:
            return
    if n <= _GRAPH_LIMIT:
        usual = graph_effort(n)
        effort = usual // 2 if recall < 0.9 else usual if recall <= 0.97 else 2 * usual
        yield HNSWConfig(ef_search=effort), "a graph over {n} vectors: {size}"
        yield HNSWConfig(ef_search=effort, storage="sq8"), "a graph over {n} vectors kept as bytes: {size}"
    n_lists = max(1, min(round(4 * sqrt(n)), 262_144, n // 39))
    lists: dict[str, Any] = {"n_lists": n_lists, "nprobe": probes(n_lists), "train_size": min(n, 50 * n_lists)}
    yield IVFPQConfig(**lists), "inverted lists over {n} vectors, codes re-ordered by bytes: {size}"
    yield IVFRaBitQConfig(**lists), "inverted lists over {n} vectors, one bit a dimension re-ordered by bytes: {size}"


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.0f} MB"


@dataclass(frozen=True)
class Tuning:
    """What `tune` found.

    Attributes
    ----------
    parameter : str
        ``ef_search`` or ``nprobe``.
    effort : int
        The smallest value that reached the recall, else the largest tried.
    recall : float
        Reached with it, on the queries given.
    reached : bool
        Whether that is the wanted recall.
    curve : tuple of (int, float)
        Every effort tried with its recall, ascending.
    """

    parameter: str
    effort: int
    recall: float
    reached: bool
    curve: tuple[tuple[int, float], ...]


def tune(
    index: FaissIndex, queries: ArrayLike, *, recall: float = 0.95, k: int = 10, exact: VectorIndex | None = None
) -> Tuning:
    """Set the index to the smallest effort whose recall@k on the queries is at least `recall`.

    Recall@k is the share of the k best ids by exact search that the index finds. Efforts double until it is reached
    and are then halved in between: about 2 log2(effort) searches of all queries, and one exact one.

    Parameters
    ----------
    index : FaissIndex
        A graph or inverted lists; its `config` is replaced by one with the effort found.
    queries : (n, d) array
        A sample of real queries, some hundreds; not the stored vectors themselves, which are found too easily.
    recall : float
        More than 0, at most 1.
    k : int
    exact : VectorIndex, optional
        Holds the same ids and answers exactly. Without it, exact is a scan of what the index keeps: for indexes
        that keep bytes, the loss by that is then not seen.

    Returns
    -------
    Tuning
        With `reached` false where even the largest effort falls short: refine more, or build a better index.

    Raises
    ------
    UnsupportedOperation
        If the index has no effort to set.
    ValueError
        If recall, k or the queries are out of range.

    Examples
    --------
    >>> from interlingua.index import FaissIndex, HNSWConfig
    >>> vectors = np.random.default_rng(0).normal(size=(2000, 16)).astype(np.float32)
    >>> index = FaissIndex(16, "cosine", HNSWConfig(M=8, ef_construction=40, threads=1))
    >>> index.add(np.arange(2000), vectors)
    >>> found = tune(index, vectors[:50] + 0.5, recall=0.9)
    >>> found.reached, index.config.ef_search == found.effort
    (True, True)
    """
    if not 0 < recall <= 1:
        raise ValueError(f"recall must be more than 0 and at most 1, but is {recall!r}")
    config = index.config
    parameter = "ef_search" if isinstance(config, HNSWConfig) else "nprobe"
    if not isinstance(config, HNSWConfig | IVFConfig) or not index.trained or not len(index):
        raise UnsupportedOperation("this index searches exactly and has no effort to tune")
    k = min(check_k(k), len(index))
    checked = check_vectors(queries, index.dimension, index.metric, name="queries")
    truth = (index.search_exactly(checked, k) if exact is None else exact.search(checked, k)).ids
    tried: dict[int, float] = {}

    def measure(effort: int) -> float:
        if effort not in tried:
            index.config = with_effort(config, effort)
            tried[effort] = recall_at_k(index.search(checked, k).ids, truth)
        return tried[effort]

    # subtle: an effort of all vectors is an exact scan, which says nothing of the graph
    largest = max(min(len(index), index.n_nodes) - 1, 1) if parameter == "ef_search" else index.n_lists
    low, high = 0, min(k if parameter == "ef_search" else 1, largest)
    while measure(high) < recall and high < largest:
        low, high = high, min(2 * high, largest)
    reached = tried[high] >= recall
    while reached and high - low > max(1, high // 16):
        middle = (low + high) // 2
        low, high = (low, middle) if measure(middle) >= recall else (middle, high)
    index.config = with_effort(config, high)
    return Tuning(parameter, high, tried[high], reached, tuple(sorted(tried.items())))


def recall_at_k(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Return the mean share of each row of `truth` (n, k) that the same row of `found` (n, k) holds.

    Examples
    --------
    >>> recall_at_k(np.array([[1, 2], [3, 4]]), np.array([[2, 1], [3, 9]]))
    0.75
    """
    hits = [np.isin(right, got).mean() for got, right in zip(found, truth)]
    return float(np.mean(hits))


def with_effort(config: HNSWConfig | IVFConfig, effort: int) -> HNSWConfig | IVFConfig:
    """Return a configuration that searches so hard: ``ef_search`` of a graph, ``nprobe`` of lists."""
    return replace(config, ef_search=effort) if isinstance(config, HNSWConfig) else replace(config, nprobe=effort)
