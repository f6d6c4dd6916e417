"""FAISS behind the contract of `VectorIndex`: exact, a graph, or inverted lists.

FAISS is imported at its first use, with as many threads as asked for. Where its GPU build is installed, searches run on
a GPU; the index itself stays on the CPU.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interlingua.index.folder import FileWriter
from interlingua.index.threads import SharedLock

from .base import (
    Described,
    IndexSpec,
    Metric,
    SearchResult,
    UnsupportedOperation,
    check_k,
    check_vectors,
    refuse_mapped,
)
from .config import (
    FaissConfig,
    FaissFlatConfig,
    HNSWConfig,
    graph_effort,
    probes,
    refine_factor,
    scan_limit,
    widened,
)
from .flat import DEAD_SHARE, pad_result, write_array
from .ids import IdTable
from .nodes import Nodes, read_nodes
from .scan import faiss_threads, few, load_faiss, scan, selector
from .training import (
    Drift,
    build_trained,
    exact_index,
    faiss_class,
    flat_rows,
    lookup_storage,
    needs_training,
    sample_size,
    stored_dimension,
    take_ranges,
    widen,
    with_zeros,
)

GPU_KINDS = ("faiss-flat", "ivf-flat")
LARGEST_GPU_K = 2048  # FAISS refuses more on a GPU


def gpu_wanted(config: FaissConfig) -> bool:
    """Return whether an index of this configuration is to search on a GPU.

    ``device="auto"`` takes one where FAISS sees one and knows the kind there (exact search, and inverted lists of whole
    vectors); ``"cuda"`` insists; ``"cpu"`` never does.

    Raises
    ------
    RuntimeError
        If ``"cuda"`` is asked for and FAISS sees no GPU.
    """
    device = getattr(config, "device", "cpu")  # graphs and short codes have no such setting
    if device == "cpu" or config.kind not in GPU_KINDS:
        return False
    faiss = load_faiss()
    seen = faiss.get_num_gpus() if hasattr(faiss, "get_num_gpus") else 0
    if device == "cuda" and not seen:
        raise RuntimeError(
            "device='cuda' needs a GPU that FAISS can use, and it sees none; install faiss-gpu-cu12 in place of "
            "faiss-cpu, or give device='cpu'"
        )
    return bool(seen)


def to_gpu(index: Any) -> Any:
    """Return a copy of a FAISS index on the first GPU; it keeps what memory it needs as long as it lives."""
    faiss = load_faiss()
    return faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)


_WIDER = 3  # candidates a result that are scored again where vectors are kept as bytes
_QUERY_BLOCK = 256
_BLOCK = 65_536  # vectors that are put in at a time


class FaissIndex(Described):
    """A FAISS index of the kind that its configuration says.

    ====================== ================================= ==================================
    configuration          search a query                    bytes a vector, and 8 for its id
    ====================== ================================= ==================================
    `FaissFlatConfig`      O(n d), exact                     4 d
    `HNSWConfig`           O(ef_search M d log n)            4, 2 or 1 times d, + 8 M and more
    `IVFConfig`            O((n_lists + n nprobe/n_lists) d) 4 d + 16
    `IVFPQConfig`          the same, d/4 for the codes       d/4 + refine (d or 4 d) + 8
    `IVFRaBitQConfig`      the same, d/8 for the codes       d/8 + refine (d or 4 d) + 16
    ====================== ================================= ==================================

    Scores are float32 throughout, and as exact as the vectors are kept (bytes are brought back to unit length for
    ``cosine``); exact ties may come in any order, unlike in
    `FlatIndex`. Kinds that must learn from vectors first (inverted lists, ``sq8``) search exactly until `train_size`
    of them are there. Removed vectors stay, unfound, until more than `rebuild_share` of all are dead. In a graph, equal
    vectors share a node, see `interlingua.index.engines.nodes`.

    All kinds but the first find most of the true neighbours, not all. Yet none returns fewer than k while k allowed
    vectors are there: a query that is left short is answered by an exact scan.

    Parameters
    ----------
    dimension : int
        Length d of each vector.
    metric : Metric or str
        ``cosine`` scales vectors and queries to unit length itself.
    config : FaissFlatConfig, HNSWConfig, IVFConfig, IVFPQConfig or IVFRaBitQConfig

    Examples
    --------
    >>> index = FaissIndex(2, "cosine", HNSWConfig(threads=1))
    >>> index.add([5, 6], [[2.0, 0.0], [1.0, 1.0]])
    >>> index.search([[10.0, 0.0]], k=3).ids.tolist()
    [[5, 6, -1]]
    """

    def __init__(self, dimension: int, metric: Metric | str = Metric.COSINE, config: FaissConfig | None = None) -> None:
        super().__init__(dimension, metric)
        self._config: FaissConfig = FaissFlatConfig() if config is None else config
        self._table = IdTable()
        self._nodes = Nodes()  # the places of vectors in FAISS's index, for each position in the table
        self._living_nodes: tuple[tuple[int, int], NDArray[np.bool_]] | None = None  # in one state of the table
        self._mapped = False
        self._on_gpu = gpu_wanted(self._config)
        self._gpu_copy: Any = None  # of what is there now; any change drops it
        self._gpu_turn = SharedLock()  # on a GPU, FAISS takes one search at a time
        self._drift = Drift()
        self._waits = needs_training(self._config)  # a flat index stands in until there is enough to learn from
        self._faiss = (
            exact_index(dimension, self._metric) if self._waits else self._built(np.empty((0, dimension), np.float32))
        )

    @property
    def spec(self) -> IndexSpec:
        """Kind, dimension, metric and configuration."""
        return IndexSpec(self._config.kind, self._dimension, self._metric, self._config.to_json())

    @property
    def config(self) -> FaissConfig:
        """The configuration; assign another to change what does not shape the graph, such as `ef_search`."""
        return self._config

    @config.setter
    def config(self, config: FaissConfig) -> None:
        old = self._config
        if type(config) is not type(old) or any(getattr(config, name) != getattr(old, name) for name in old.shape):
            raise UnsupportedOperation(f"an index built with {old} cannot become one with {config}; build a new one")
        self._config, self._on_gpu, self._gpu_copy = config, gpu_wanted(config), None

    @property
    def trained(self) -> bool:
        """Whether the index has what it must learn; until then its search is exact."""
        return not self._waits

    @property
    def n_lists(self) -> int:
        """Number of inverted lists; 0 for kinds without, and before they are learned."""
        faiss = load_faiss()
        lists = faiss.try_extract_index_ivf(self._faiss)
        return 0 if lists is None else int(lists.nlist)

    @property
    def n_nodes(self) -> int:
        """How many vectors are held, removed ones that are still there among them; in a graph, of equal ones one."""
        return int(self._faiss.ntotal)

    @property
    def effort(self) -> int:
        """``ef_search`` or ``nprobe`` for 10 results without a filter, as set or as chosen; 0 where search is exact."""
        return 0 if self._exact or self._waits else self._effort(10)

    def __len__(self) -> int:
        return len(self._table) - self._table.n_dead

    def add(self, ids: ArrayLike, vectors: ArrayLike) -> None:
        """Add vectors (n, d) under new ids (n,)."""
        self._check_writable()
        checked = check_vectors(vectors, self._dimension, self._metric)
        new_ids = self._table.new(ids, len(checked))
        with faiss_threads(self._config.threads):
            if self._waits and self._faiss.ntotal + len(checked) >= self._config.train_size:  # type: ignore[union-attr] # those that wait have it
                everything = np.concatenate([self._vectors(np.arange(self._faiss.ntotal)), checked])
                fresh, nodes = self._built(everything), Nodes()
                self._put_in(fresh, everything, nodes)
                self._faiss, self._nodes, self._waits = fresh, nodes, False
            elif self._in_lists and self._drift.exceeded(self._faiss, checked):
                self._learn_anew(checked)
            else:
                self._put_in(self._faiss, checked, self._nodes)
        self._table.append(new_ids)

    def learn(self, sample: ArrayLike) -> None:
        """Learn cells, codes and ranges from a sample (n, d) of all that will be added, before anything is.

        Without it they are learned from the first `train_size` vectors that are added. What else comes is noticed:
        ranges are widened and cells are learned anew, see `interlingua.index.engines.training`. An index that has
        vectors, or nothing to learn, is left as it is.
        """
        self._check_writable()
        if self._waits and not len(self._table):
            checked = check_vectors(sample, self._dimension, self._metric, name="sample")
            with faiss_threads(self._config.threads):
                self._faiss, self._waits = self._built(checked), False

    def remove(self, ids: ArrayLike) -> None:
        """Remove vectors by id: marked dead, and dropped for good past `rebuild_share` (a tenth, of exact search)."""
        self._check_writable()
        positions = np.unique(self._table.known(ids))
        if self._waits or (self._exact and self._on_gpu):  # what waits is learned from, and a GPU gets all anew
            self._drop(positions)
            return
        if self._exact:
            flat_rows(self._faiss)[positions] = np.nan  # FAISS finds nothing there, and nothing of it stays
        self._table.kill(positions)
        share = DEAD_SHARE if isinstance(self._config, FaissFlatConfig) else self._config.rebuild_share
        living = self._table.living
        n_empty = 0 if living is None else int(np.count_nonzero(~self._nodes.held(living, self.n_nodes)))
        if self._table.n_dead > share * len(self._table) or n_empty > share * self.n_nodes:
            self.compact()

    def compact(self) -> None:
        """Drop removed vectors for good: the graph is built anew, the lists are filled anew with what they learned.

        A graph that holds equal vectors many times, as earlier versions saved it, is built anew with one node for all.
        """
        self._check_writable()
        living = self._table.living
        repeats = self._in_graph and self._nodes.repeat(self._faiss)
        if living is None and not repeats:
            return
        positions = np.arange(len(self._table)) if living is None else np.flatnonzero(living)
        if self._exact and living is not None:
            self._drop(np.flatnonzero(~living))
            return
        chosen, which = self._nodes.distinct(positions)
        if repeats or len(chosen) < self.n_nodes:
            with faiss_threads(self._config.threads):
                self._faiss, nodes = self._filled_anew(self._vectors(chosen))
            self._nodes = nodes.taken(which)
        else:
            self._nodes = self._nodes.taken(positions)
        self._table = IdTable(self._table.ids[positions])  # ascending again, perhaps
        self._living_nodes = None

    def search(self, queries: ArrayLike, k: int, *, allowed: ArrayLike | None = None) -> SearchResult:
        """Return the k best ids of each query (n, d), among those in `allowed` if given."""
        k = check_k(k)
        checked = check_vectors(queries, self._dimension, self._metric, name="queries")
        rows, mask, n_candidates = self._reachable(allowed)
        checked = with_zeros(checked, self._faiss.d)
        width = min(k, n_candidates)
        if width == 0:
            nothing = np.empty((len(checked), 0), dtype=np.int64)
            return pad_result(self._table, nothing, nothing.astype(np.float32), k, self._metric)
        with faiss_threads(self._config.threads):
            if self._on_gpu and mask is None and width <= LARGEST_GPU_K and not self._waits:
                positions, scores = self._search_on_gpu(checked, width)
            elif self._exact or self._waits:
                positions, scores = self._search_exactly(checked, width, mask)
            else:
                wide = min(_WIDER * width, n_candidates) if self._rounded else width
                positions, scores = self._search_approximately(checked, width, wide, mask, n_candidates)
            if self._rounded:
                positions, scores = self._scored_again(checked, positions, width)
        positions, scores = self._nodes.rows(positions, scores, k, rows)
        return pad_result(self._table, positions, scores, k, self._metric)

    def search_exactly(self, queries: ArrayLike, k: int) -> SearchResult:
        """Return the k best ids by a scan of all that is kept: O(n d) a query, the truth that `tune` compares with."""
        checked = check_vectors(queries, self._dimension, self._metric, name="queries")
        checked = with_zeros(checked, self._faiss.d)
        rows, mask, n_candidates = self._reachable(None)
        width = min(check_k(k), n_candidates)
        wide = min(_WIDER * width, n_candidates) if self._rounded else width
        with faiss_threads(self._config.threads):
            positions, scores = self._search_exactly(checked, wide, mask)
            if self._rounded:
                positions, scores = self._scored_again(checked, positions, width)
        positions, scores = self._nodes.rows(positions, scores, k, rows)
        return pad_result(self._table, positions, scores, k, self._metric)

    def reconstruct(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Return a copy of the stored vectors (n, d), of unit length for `cosine`."""
        return self._vectors(self._nodes.at(self._table.known(ids)))

    def files(self) -> Mapping[str, FileWriter]:
        """Return the writers of ``index.faiss`` and ``ids.npy`` (by position, -1 for removed vectors).

        Where vectors of a graph share a node, ``nodes.npy`` holds the node of each position; else they are the same.
        """
        ids, nodes = self._nodes.ids_by_node(self._table.ids), self._nodes.of
        files: dict[str, FileWriter] = {"index.faiss": self._write}
        if ids is not None or nodes is None:
            return {**files, "ids.npy": partial(write_array, self._table.ids if ids is None else ids)}
        return {**files, "ids.npy": partial(write_array, self._table.ids), "nodes.npy": partial(write_array, nodes)}

    @classmethod
    def read(
        cls, files: Mapping[str, Path], spec: IndexSpec, config: FaissConfig | None = None, *, mapped: bool = False
    ) -> "FaissIndex":
        """Return the index whose `files` were written.

        FAISS believes what it reads: check the files' checksums before.

        Parameters
        ----------
        files : mapping of str to Path
        spec : IndexSpec
        config : FaissConfig, optional
        mapped : bool
            Leave the vectors on the disk and let the system page them in; such an index refuses to be written to.
        """
        faiss = load_faiss()

        index = cls(spec.dimension, spec.metric, config)
        path = str(files["index.faiss"])
        stored = faiss.read_index(path, faiss.IO_FLAG_MMAP_IFC) if mapped else faiss.read_index(path)
        index._table = IdTable(np.load(files["ids.npy"], allow_pickle=False))
        waits = index._waits and type(stored) is type(index._faiss)
        expected = type(index._faiss).__name__ if waits else faiss_class(index._config, index._metric)
        measure = faiss.METRIC_L2 if index._metric is Metric.L2 else faiss.METRIC_INNER_PRODUCT
        if type(stored).__name__ != expected or stored.metric_type != measure:
            raise ValueError(f"the file holds a {type(stored).__name__}, not the {spec.kind} index of the manifest")
        if "nodes.npy" in files:
            index._nodes = read_nodes(files["nodes.npy"], stored, len(index._table))
        widths = (spec.dimension, stored_dimension(index._config, spec.dimension))
        if (index._nodes.of is None and stored.ntotal != len(index._table)) or stored.d not in widths:
            raise ValueError(
                f"the file holds {stored.ntotal} vectors of dimension {stored.d}, "
                f"not {len(index._table)} of {spec.dimension}"
            )
        index._faiss, index._waits, index._mapped = stored, waits, mapped
        return index

    def _effort(self, k: int) -> int:
        config: Any = self._config  # not the flat one
        if isinstance(config, HNSWConfig):
            return config.ef_search or graph_effort(self.n_nodes, k)
        return config.nprobe or probes(self.n_lists, k)

    def _built(self, sample: NDArray[np.float32]) -> Any:
        return build_trained(self._config, self._dimension, self._metric, sample)

    @property
    def _in_lists(self) -> bool:
        return not self._waits and not isinstance(self._config, FaissFlatConfig | HNSWConfig)

    @property
    def _in_graph(self) -> bool:
        return not self._waits and isinstance(self._config, HNSWConfig)

    @staticmethod
    def _put_in(index: Any, vectors: NDArray[np.float32], nodes: Nodes) -> None:
        vectors = with_zeros(vectors, index.d)
        if widen(index, vectors):
            nodes.forget_codes()
        if hasattr(index, "hnsw"):
            nodes.put(index, vectors)
        else:
            index.add(vectors)

    def _filled_anew(self, vectors: NDArray[np.float32]) -> tuple[Any, Nodes]:
        """Return another index that has learned the same and holds these vectors, and where they are in it."""
        # subtle: codes of 8 bits give the same codes again when what they decode to is coded once more
        fresh, nodes = load_faiss().clone_index(self._faiss), Nodes()
        fresh.reset()  # keeps what was learned
        vectors = with_zeros(vectors, fresh.d)
        if len(vectors) and self._in_graph:
            nodes.put(fresh, vectors)
        elif len(vectors):
            fresh.add(vectors)
        return fresh, nodes

    def _learn_anew(self, coming: NDArray[np.float32]) -> None:
        """Learn as many cells from what is there and what comes, and put both in; removed vectors are dropped."""
        config: Any = self._config  # of inverted lists
        same = replace(config, n_lists=self.n_lists, train_size=max(config.train_size, self.n_lists))
        mask = self._table.living
        living = np.arange(len(self._table)) if mask is None else np.flatnonzero(mask)
        total = len(living) + len(coming)
        chosen = np.unique(np.linspace(0, total - 1, sample_size(config, total) or total).astype(np.int64))
        old, new = chosen[chosen < len(living)], chosen[chosen >= len(living)] - len(living)
        sample = np.concatenate([self._vectors(living[old]), coming[new]])
        fresh = build_trained(same, self._dimension, self._metric, sample)
        take_ranges(fresh, self._faiss)
        for start in range(0, len(living), _BLOCK):
            fresh.add(self._vectors(living[start : start + _BLOCK]))
        self._put_in(fresh, coming, self._nodes)
        self._table = IdTable(self._table.ids[living])
        self._faiss, self._drift = fresh, self._drift.after(fresh)

    def _check_writable(self) -> None:
        """Refuse to change a mapped index; whatever comes after makes the GPU's copy outdated."""
        self._gpu_copy = None
        refuse_mapped(self._mapped)

    def _candidates(self, allowed: ArrayLike | None) -> NDArray[np.bool_] | None:
        """Return which positions may be found; None for all of them."""
        positions = self._table.allowed(allowed)
        if positions is None:
            return None if self._exact else self._table.living
        mask = np.zeros(len(self._table), dtype=bool)
        mask[positions] = True
        return mask

    def _reachable(self, allowed: ArrayLike | None) -> tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None, int]:
        """Return which positions may be found, which nodes hold them, None for all of them, and how many nodes do."""
        rows = self._candidates(allowed)
        if rows is None:
            return None, None, len(self) if self._nodes.of is None else self.n_nodes
        state = (len(self._table), self._table.n_dead)
        if allowed is not None or self._nodes.of is None:
            mask = self._nodes.held(rows, self.n_nodes)
        elif (known := self._living_nodes) is not None and known[0] == state:
            mask = known[1]
        else:
            mask = self._nodes.held(rows, self.n_nodes)
            self._living_nodes = state, mask
        return rows, mask, int(np.count_nonzero(mask))

    def _search_exactly(
        self, queries: NDArray[np.float32], width: int, mask: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Scan all that is kept; as exact as it is kept."""
        faiss = load_faiss()

        storage = lookup_storage(self._faiss)
        # subtle: whole vectors are looked up one by one where their positions are listed; of codes all are gone through
        listed = isinstance(storage, faiss.IndexFlat)
        if listed and mask is not None and not few(queries, self._metric):
            return scan(queries, flat_rows(storage), width, self._metric, np.flatnonzero(mask))
        allowed = None if mask is None else selector(mask, listed=listed)
        if storage is None:
            params = faiss.SearchParametersIVF(nprobe=self._faiss.nlist, sel=allowed)
            values, positions = self._faiss.search(queries, width, params=params)
            return positions, self._as_scores(values)
        if allowed is None and listed and few(queries, self._metric):
            allowed = faiss.IDSelectorAll()
        params = None if allowed is None else faiss.SearchParameters(sel=allowed)
        values, positions = storage.search(queries, width, params=params)
        if mask is None and self._exact and self._table.n_dead and bool((self._table.at(positions) < 0).any()):
            return self._search_exactly(queries, width, self._table.living)  # should FAISS ever find what is no number
        return positions, self._as_scores(values)

    def _search_on_gpu(self, queries: NDArray[np.float32], width: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        config: Any = self._config
        params = None if isinstance(config, FaissFlatConfig) else self._parameters(config, None, width, 1.0)
        with self._gpu_turn.writing:
            if self._gpu_copy is None:
                self._gpu_copy = to_gpu(self._faiss)
            values, positions = self._gpu_copy.search(queries, width, params=params)
        scores = self._as_scores(values)
        if positions.min() < 0:
            short = np.flatnonzero((positions < 0).any(axis=1))
            positions[short], scores[short] = self._search_exactly(queries[short], width, None)
        return positions, scores

    def _search_approximately(
        self, queries: NDArray[np.float32], width: int, wide: int, mask: NDArray[np.bool_] | None, n_candidates: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return up to `wide` candidates, with the effort that `width` of them need."""
        n_total = self.n_nodes
        config: Any = self._config  # not the flat one
        narrow = n_candidates < n_total and n_candidates <= scan_limit(config, n_total, self.n_lists)
        whole = isinstance(config, HNSWConfig) and self._effort(width) >= n_total
        if narrow or whole:
            return self._search_exactly(queries, wide, mask)
        params = self._parameters(config, None if mask is None else selector(mask), width, n_total / n_candidates, wide)
        values, positions = self._faiss.search(queries, wide, params=params)
        scores = self._as_scores(values)
        if positions[:, width - 1].min() < 0:
            short = np.flatnonzero(positions[:, width - 1] < 0)
            positions[short], scores[short] = self._search_exactly(queries[short], wide, mask)
        return positions, scores

    @property
    def _exact(self) -> bool:
        """Whether this is the kind that always compares with every vector."""
        return isinstance(self._config, FaissFlatConfig)

    def _drop(self, positions: NDArray[np.int64]) -> None:
        """Drop positions of an exact index; the others move up in their order."""
        mask = np.ones(len(self._table), dtype=bool)
        mask[positions] = False
        self._faiss.remove_ids(selector(~mask))
        self._table.keep(mask)

    @property
    def _rounded(self) -> bool:
        """Whether unit vectors are kept as bytes, which changes their lengths."""
        config: Any = self._config
        kept = getattr(config, "storage", getattr(config, "refine", ""))
        return kept == "sq8" and self._metric is Metric.COSINE and not self._waits

    def _scored_again(
        self, queries: NDArray[np.float32], positions: NDArray[np.int64], width: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the `width` best of the candidates, their vectors brought back to unit length: most of the error."""
        best = np.full((len(queries), width), -1, dtype=np.int64)
        scores = np.full((len(queries), width), -np.inf, dtype=np.float32)
        for start in range(0, len(queries), _QUERY_BLOCK):
            rows = slice(start, start + _QUERY_BLOCK)
            found = positions[rows]
            vectors = self._vectors(found.clip(min=0).ravel()).reshape(*found.shape, self._dimension)
            lengths = np.sqrt(np.einsum("ijk,ijk->ij", vectors, vectors))
            own = np.einsum("ijk,ik->ij", vectors, queries[rows, : self._dimension]) / lengths
            own = np.where(found >= 0, own, -np.inf)
            order = np.argsort(-own, axis=1, kind="stable")[:, :width]
            best[rows] = np.take_along_axis(found, order, axis=1)
            scores[rows] = np.take_along_axis(own, order, axis=1)
        return best, scores

    def _parameters(self, config: Any, allowed: Any, width: int, widening: float, wide: int = 0) -> Any:
        """Return how to search; what may not be returned is still walked through, so widen the search for it."""
        faiss = load_faiss()

        n_total, effort = self.n_nodes, widened(self._effort(width), config, width, widening)
        if isinstance(config, HNSWConfig):
            return faiss.SearchParametersHNSW(efSearch=max(min(effort, n_total), width, wide), sel=allowed)
        params = faiss.SearchParametersIVF(nprobe=min(effort, self.n_lists), sel=allowed)
        if config.kind == "ivf-flat":
            return params
        candidates = (config.refine_factor or refine_factor(n_total, width)) * width
        return faiss.IndexRefineSearchParameters(
            k_factor=max(candidates / max(width, wide), 1), base_index_params=params
        )

    def _as_scores(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        return -values if self._metric is Metric.L2 else values

    def _vectors(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        if not len(positions):
            return np.empty((0, self._dimension), dtype=np.float32)
        vectors: NDArray[np.float32] = self._faiss.reconstruct_batch(positions)
        return np.ascontiguousarray(vectors[:, : self._dimension])

    def _write(self, path: Path) -> None:
        load_faiss().write_index(self._faiss, str(path))
