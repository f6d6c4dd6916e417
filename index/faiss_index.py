"""FAISS, flat and HNSW, behind the contract of `VectorIndex`."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .checks import check_dimension, check_k, check_vectors
from .faiss_config import FaissConfig, FaissFlatConfig, HNSWConfig, faiss_threads, load_faiss
from .flat import pad_result, write_array
from .id_table import IdTable
from .metric import Metric
from .result import SearchResult
from .vector_index import FileWriter, IndexSpec, UnsupportedOperation

__all__ = ["FaissIndex"]


class FaissIndex:
    """A FAISS index: exact (`FaissFlatConfig`) or a graph (`HNSWConfig`).

    Flat: search O(n d) a query, 4 d + 8 bytes a vector, remove O(n d). HNSW: search about
    O(ef_search M d log n) a query, 4 d + 8 M + 8 bytes a vector and more, remove O(n) with a rebuild now and then.
    Scores are float32 throughout; exact ties may come in any order, unlike in `FlatIndex`.

    HNSW finds most of the true neighbours, not all. Yet it never returns fewer than k while k allowed vectors are
    there: a query that the graph leaves short is answered by an exact scan.

    Parameters
    ----------
    dimension : int
        Length d of each vector.
    metric : Metric or str
        ``cosine`` scales vectors and queries to unit length itself.
    config : FaissFlatConfig or HNSWConfig

    Examples
    --------
    >>> index = FaissIndex(2, "cosine", HNSWConfig(threads=1))
    >>> index.add([5, 6], [[2.0, 0.0], [1.0, 1.0]])
    >>> index.search([[10.0, 0.0]], k=3).ids.tolist()
    [[5, 6, -1]]
    """

    def __init__(self, dimension: int, metric: Metric | str = Metric.COSINE, config: FaissConfig | None = None) -> None:
        self._dimension = check_dimension(dimension)
        self._metric = Metric.parse(metric)
        self._config: FaissConfig = FaissFlatConfig() if config is None else config
        self._table = IdTable()
        self._n_dead = 0
        self._faiss = self._empty()

    @property
    def spec(self) -> IndexSpec:
        """Kind, dimension, metric and configuration."""
        kind = "hnsw" if isinstance(self._config, HNSWConfig) else "faiss-flat"
        return IndexSpec(kind, self._dimension, self._metric, self._config.to_json())

    @property
    def dimension(self) -> int:
        """Length d of each vector."""
        return self._dimension

    @property
    def metric(self) -> Metric:
        """How vectors are compared."""
        return self._metric

    @property
    def config(self) -> FaissConfig:
        """The configuration; assign another to change what does not shape the graph, such as `ef_search`."""
        return self._config

    @config.setter
    def config(self, config: FaissConfig) -> None:
        old = self._config
        same_shape = type(config) is type(old)
        if isinstance(config, HNSWConfig) and isinstance(old, HNSWConfig):
            same_shape = (config.M, config.ef_construction) == (old.M, old.ef_construction)
        if not same_shape:
            raise UnsupportedOperation(f"an index built with {old} cannot become one with {config}; build a new one")
        self._config = config

    def __len__(self) -> int:
        return len(self._table.ids) - self._n_dead

    def add(self, ids: ArrayLike, vectors: ArrayLike) -> None:
        """Add vectors (n, d) under new ids (n,)."""
        checked = check_vectors(vectors, self._dimension, self._metric)
        new_ids = self._table.new(ids, len(checked))
        with faiss_threads(self._config.threads):
            self._faiss.add(checked)
        self._table.append(new_ids)

    def remove(self, ids: ArrayLike) -> None:
        """Remove vectors by id; HNSW marks them dead and builds the graph anew past `rebuild_share`."""
        positions = np.unique(self._table.known(ids))
        if isinstance(self._config, FaissFlatConfig):
            mask = np.ones(len(self._table.ids), dtype=bool)
            mask[positions] = False
            self._faiss.remove_ids(_selector(~mask))  # keeps the order of the others
            self._table.keep(mask)
            return
        self._table.kill(positions)
        self._n_dead += len(positions)
        if self._n_dead > self._config.rebuild_share * len(self._table.ids):
            self._rebuild()

    def search(self, queries: ArrayLike, k: int, *, allowed: ArrayLike | None = None) -> SearchResult:
        """Return the k best ids of each query (n, d), among those in `allowed` if given."""
        k = check_k(k)
        checked = check_vectors(queries, self._dimension, self._metric, name="queries")
        mask = self._candidates(allowed)
        n_candidates = len(self) if mask is None else int(np.count_nonzero(mask))
        width = min(k, n_candidates)
        if width == 0:
            nothing = np.empty((len(checked), 0), dtype=np.int64)
            return pad_result(self._table.ids, nothing, nothing.astype(np.float32), k, self._metric)
        with faiss_threads(self._config.threads):
            if isinstance(self._config, FaissFlatConfig):
                positions, scores = self._search_exactly(checked, width, mask)
            else:
                positions, scores = self._search_graph(checked, width, mask, n_candidates)
        return pad_result(self._table.ids, positions, scores, k, self._metric)

    def reconstruct(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Return a copy of the stored vectors (n, d), of unit length for `cosine`."""
        return self._vectors(self._table.known(ids))

    def files(self) -> Mapping[str, FileWriter]:
        """Return the writers of ``index.faiss`` and ``ids.npy`` (by position, -1 for removed vectors)."""
        return {"index.faiss": self._write, "ids.npy": partial(write_array, self._table.ids)}

    @classmethod
    def read(cls, files: Mapping[str, Path], spec: IndexSpec, config: FaissConfig | None = None) -> "FaissIndex":
        """Return the index whose `files` were written.

        FAISS believes what it reads: check the files' checksums before.
        """
        faiss = load_faiss()

        index = cls(spec.dimension, spec.metric, config)
        stored = faiss.read_index(str(files["index.faiss"]))
        expected = index._faiss
        if type(stored) is not type(expected) or stored.metric_type != expected.metric_type:
            raise ValueError(f"the file holds a {type(stored).__name__}, not the {spec.kind} index of the manifest")
        index._table = IdTable(np.load(files["ids.npy"], allow_pickle=False))
        if (stored.ntotal, stored.d) != (len(index._table.ids), spec.dimension):
            raise ValueError(
                f"the file holds {stored.ntotal} vectors of dimension {stored.d}, "
                f"not {len(index._table.ids)} of {spec.dimension}"
            )
        index._faiss, index._n_dead = stored, index._table.n_dead
        return index

    def _empty(self) -> Any:
        faiss = load_faiss()

        by_distance = self._metric is Metric.L2
        if isinstance(self._config, FaissFlatConfig):
            return (faiss.IndexFlatL2 if by_distance else faiss.IndexFlatIP)(self._dimension)
        metric = faiss.METRIC_L2 if by_distance else faiss.METRIC_INNER_PRODUCT
        graph = faiss.IndexHNSWFlat(self._dimension, self._config.M, metric)
        graph.hnsw.efConstruction = self._config.ef_construction
        return graph

    def _candidates(self, allowed: ArrayLike | None) -> NDArray[np.bool_] | None:
        """Return which positions may be found; None for all of them."""
        positions = self._table.allowed(allowed)
        if positions is None:
            return None if self._n_dead == 0 else self._table.ids >= 0
        mask = np.zeros(len(self._table.ids), dtype=bool)
        mask[positions] = True
        return mask

    def _search_exactly(
        self, queries: NDArray[np.float32], width: int, mask: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        faiss = load_faiss()

        flat = self._faiss if isinstance(self._config, FaissFlatConfig) else self._faiss.storage
        params = None if mask is None else faiss.SearchParameters(sel=_selector(mask))
        values, positions = flat.search(queries, width, params=params)
        return positions, self._as_scores(values)

    def _search_graph(
        self, queries: NDArray[np.float32], width: int, mask: NDArray[np.bool_] | None, n_candidates: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        faiss = load_faiss()

        config = self._config
        if not isinstance(config, HNSWConfig):  # pragma: no cover - the caller has looked
            raise UnsupportedOperation("a flat index has no graph")
        n_total = len(self._table.ids)
        narrow = n_candidates < n_total and n_candidates <= config.exact_share * n_total
        if narrow or config.ef_search >= n_total:
            return self._search_exactly(queries, width, mask)
        # Nodes that may not be returned still take part in the walk: widen it in proportion.
        effort = min(int(np.ceil(config.ef_search * n_total / n_candidates)), n_total)
        selector = None if mask is None else _selector(mask)
        params = faiss.SearchParametersHNSW(efSearch=max(effort, width), sel=selector)
        values, positions = self._faiss.search(queries, width, params=params)
        scores = self._as_scores(values)
        short = np.flatnonzero((positions < 0).any(axis=1))
        if short.size:
            positions[short], scores[short] = self._search_exactly(queries[short], width, mask)
        return positions, scores

    def _as_scores(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        return -values if self._metric is Metric.L2 else values

    def _vectors(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        if not len(positions):
            return np.empty((0, self._dimension), dtype=np.float32)
        vectors: NDArray[np.float32] = self._faiss.reconstruct_batch(positions)
        return vectors

    def _rebuild(self) -> None:
        living = np.flatnonzero(self._table.ids >= 0)
        fresh = self._empty()
        if len(living):
            with faiss_threads(self._config.threads):
                fresh.add(self._vectors(living))
        self._table.keep(self._table.ids >= 0)
        self._table = IdTable(self._table.ids)  # ascending again, perhaps
        self._faiss, self._n_dead = fresh, 0

    def _write(self, path: Path) -> None:
        faiss = load_faiss()

        faiss.write_index(self._faiss, str(path))


def _selector(mask: NDArray[np.bool_]) -> Any:
    faiss = load_faiss()

    return faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
