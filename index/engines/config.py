"""How FAISS builds and searches an index: one frozen configuration a kind, and what is taken where it does not say."""

from dataclasses import asdict, dataclass, fields
from math import cbrt, ceil, sqrt
from typing import Any, ClassVar

_OF_THE_MACHINE = ("threads", "device")
_NUMBERS = ("float32", "float16", "sq8")
_CHOICES = {"storage": _NUMBERS, "refine": _NUMBERS, "device": ("auto", "cpu", "cuda")}
_SHARES = ("rebuild_share", "exact_share")
_FACTORS = ("refine_factor",)
_CODES = 16


@dataclass(frozen=True)
class _Config:
    """Checks every field by its name; where None is the default it may be given too."""

    kind: ClassVar[str]
    shape: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is None and each.default is None:
                continue
            if rule := _broken_rule(each.name, value):
                raise ValueError(f"{each.name} must {rule}{', or None' * (each.default is None)}, but is {value!r}")

    def to_json(self) -> dict[str, Any]:
        """Return the settings that belong to the index and not to the machine."""
        return {name: value for name, value in asdict(self).items() if name not in _OF_THE_MACHINE}


def _broken_rule(name: str, value: Any) -> str:
    """Return what a value should be and is not, or nothing."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if name in _CHOICES:
        return "" if value in _CHOICES[name] else f"be one of {', '.join(map(repr, _CHOICES[name]))}"
    if name in _SHARES:
        return "" if number and 0 <= value <= 1 else "lie between 0 and 1"
    if name in _FACTORS:
        return "" if number and 1 <= value < float("inf") else "be a number of at least 1"
    least = 2 if name == "M" else 1
    return "" if number and isinstance(value, int) and value >= least else f"be an integer of at least {least}"


@dataclass(frozen=True)
class FaissFlatConfig(_Config):
    """Exact search by FAISS.

    Attributes
    ----------
    threads : int, optional
        OpenMP threads while FAISS works, put back afterwards; None leaves the process's setting. Not saved.
    device : {"auto", "cpu", "cuda"}
        Where searches without a filter run: on a GPU if FAISS sees one, never, or nowhere else. Not saved; the index is
        held and saved as one of the CPU, and the GPU has a copy of it.
    """

    kind: ClassVar[str] = "faiss-flat"
    threads: int | None = None
    device: str = "auto"


@dataclass(frozen=True)
class HNSWConfig(_Config):
    """Approximate search over a graph of near neighbours (hierarchical navigable small world).

    Attributes
    ----------
    M : int
        Links of a node on each level, twice as many on the lowest: 8 M bytes a vector and a little more.
    ef_construction : int
        Candidates kept while a vector is linked in; higher builds a better graph, more slowly.
    storage : {"float32", "float16", "sq8"}
        How a vector's numbers are kept: 4, 2 or 1 bytes each. Scores are as exact as what is kept; ``sq8`` cuts each
        dimension's range into 256 steps. The range is learned from the first `train_size` vectors, or a sample of all
        (`FaissIndex.learn`), and widened for what lies outside; what is there then keeps the steps that it had.
    train_size : int
        Until so many vectors are there, ``sq8`` waits and search is exact.
    ef_search : int, optional
        Candidates kept while searching, at least k. None takes 0.6 sqrt(n) of n vectors, at least 128, and (k / 10)^1/3
        times that where k is more than 10. A filter that allows m of n vectors multiplies a number by n / m, and what
        None takes by sqrt(2 n / m), or n / m where that is less. With as many as there are vectors the search is an
        exact scan: faster than to walk the whole graph, and it finds what no link reaches (short vectors, for `ip`).
    rebuild_share : float
        FAISS cannot take vectors out of the graph: removed ones stay as links without being found. When more
        than this share of all is dead, the graph is built anew from the living.
    exact_share : float, optional
        A filter that leaves at most this share of the vectors is answered by an exact scan of those. None decides by
        count: a scan reads the m vectors left, a walk about ef_search n / m nodes, and 3 sqrt(ef_search n) vectors is
        where both took the same time (100,000 x 384, one thread); below that the scan is the cheaper and exact. Where
        ef_search is None as well, so that the walk is shorter, it is (9 ef_search sqrt(n))^2/3.
    threads : int, optional
        As in `FaissFlatConfig`. With more than one the graph differs a little from build to build.

    References
    ----------
    Malkov and Yashunin 2020, DOI 10.1109/TPAMI.2018.2889473.
    """

    kind: ClassVar[str] = "hnsw"
    shape: ClassVar[tuple[str, ...]] = ("M", "ef_construction", "storage", "train_size")
    M: int = 32
    ef_construction: int = 200
    ef_search: int | None = None
    storage: str = "float32"
    train_size: int = 2000
    rebuild_share: float = 0.25
    exact_share: float | None = None
    threads: int | None = None


@dataclass(frozen=True)
class IVFConfig(_Config):
    """Search only the lists near the query: k-means cells of the space (inverted file), each vector kept whole.

    Until `train_size` vectors are there, search is exact; then the cells are learned from them, or before from a sample
    of all (`FaissIndex.learn`). When a tenth of the vectors lies farther from the cells than what these were learned
    from, as many cells are learned anew from all that is there, and again twice while the index grows by half: an `add`
    that takes as long as a build.

    Attributes
    ----------
    n_lists : int, optional
        Cells; None takes about 4 sqrt(n) for the n vectors that are there when the cells are learned.
    nprobe : int, optional
        Cells searched for a query. None takes 3 sqrt(n_lists), at least 16, and raises it for k as `ef_search` and for
        filters by sqrt(n / m).
    train_size : int
        Vectors to learn the cells from; 39 or more a cell, else they are poor.
    rebuild_share, threads
        As in `HNSWConfig`.
    exact_share : float, optional
        As in `HNSWConfig`; None scans where the filter leaves at most as many vectors as a search without one reads:
        nprobe n / n_lists vectors and n_lists centres; 2.5 times as many where lists hold codes and nprobe is a number.
    device : {"auto", "cpu", "cuda"}
        As in `FaissFlatConfig`; lists of codes are searched on the CPU.

    References
    ----------
    Jégou, Douze and Schmid 2011, DOI 10.1109/TPAMI.2010.57.
    """

    kind: ClassVar[str] = "ivf-flat"
    shape: ClassVar[tuple[str, ...]] = ("n_lists", "train_size")
    n_lists: int | None = None
    nprobe: int | None = None
    train_size: int = 10_000
    rebuild_share: float = 0.25
    exact_share: float | None = None
    threads: int | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_lists is not None and self.n_lists > self.train_size:
            raise ValueError(
                f"{self.n_lists} cells cannot be learned from {self.train_size} vectors; "
                f"give train_size of {39 * self.n_lists} or more"
            )


@dataclass(frozen=True)
class _RefinedConfig(IVFConfig):
    """Short codes find `refine_factor` k candidates, which the kept vectors put in order."""

    refine: str = "sq8"
    refine_factor: float | None = None


@dataclass(frozen=True)
class IVFPQConfig(_RefinedConfig):
    """Inverted lists of product-quantised codes, 4 bits for two dimensions, scanned by SIMD (fast scan).

    Codes are of vectors less their cell's centre, for ``ip`` and ``cosine``; of whole vectors for ``l2``.

    Attributes
    ----------
    code_size : int, optional
        Sub-vectors m; must divide the dimension. None takes the largest divisor of at most d / 2.
    refine : {"sq8", "float16", "float32"}
        How the vectors that order the candidates are kept: 1, 2 or 4 bytes a dimension.
    refine_factor : float, optional
        Candidates taken from the codes, for each result; None takes sqrt(n) / 2 candidates in all, at least 8 a result.

    References
    ----------
    André, Kermarrec and Le Scouarnec 2017, DOI 10.1145/3078971.3078992.
    """

    kind: ClassVar[str] = "ivf-pq"
    shape: ClassVar[tuple[str, ...]] = ("n_lists", "train_size", "code_size", "refine")
    code_size: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.train_size < _CODES:
            raise ValueError(
                f"train_size must be an integer of at least {_CODES}, the values of a code of 4 bits, but is "
                f"{self.train_size!r}"
            )

    def sub_vectors(self, dimension: int) -> int:
        """Return `code_size`, or the number that None takes."""
        return self.code_size or max(m for m in range(1, max(dimension // 2, 1) + 1) if dimension % m == 0)


@dataclass(frozen=True)
class IVFRaBitQConfig(_RefinedConfig):
    """Inverted lists of one bit a dimension (RaBitQ), scanned by SIMD; `refine` as in `IVFPQConfig`.

    References
    ----------
    Gao and Long 2024, DOI 10.1145/3654970.
    """

    kind: ClassVar[str] = "ivf-rabitq"
    shape: ClassVar[tuple[str, ...]] = ("n_lists", "train_size", "refine")


FaissConfig = FaissFlatConfig | HNSWConfig | IVFConfig  # the last also stands for its two refined kinds

CONFIGS: dict[str, type[FaissConfig]] = {
    each.kind: each for each in (FaissFlatConfig, HNSWConfig, IVFConfig, IVFPQConfig, IVFRaBitQConfig)
}
"""The configuration of each kind of FAISS index."""

_LEAST_EFFORT, _LEAST_PROBES = 128, 16
_GRAPH_COST = 3.0  # see exact_share in HNSWConfig
_CODE_COST = 2.5  # see exact_share in IVFConfig


def graph_effort(n: int, k: int = 10) -> int:
    """Return ``ef_search`` for k results of a graph of n vectors: 0.6 sqrt(n), at least 128, more beyond 10 results.

    Examples
    --------
    >>> [graph_effort(n) for n in (10_000, 200_000, 1_000_000)]
    [128, 269, 600]
    >>> graph_effort(10_000, k=80)
    256
    """
    return ceil(max(_LEAST_EFFORT, 0.6 * sqrt(n)) * _growth(k))


def probes(n_lists: int, k: int = 10) -> int:
    """Return ``nprobe`` for k results of so many lists: 3 sqrt(n_lists), at least 16, more beyond 10 results.

    Examples
    --------
    >>> [probes(n_lists) for n_lists in (8, 400, 4000)]
    [8, 60, 190]
    """
    return min(n_lists, ceil(max(_LEAST_PROBES, 3 * sqrt(n_lists)) * _growth(k)))


def refine_factor(n: int, k: int) -> float:
    """Return how many candidates a result the codes yield to be put in order, among n vectors, for k results.

    Examples
    --------
    >>> [refine_factor(n, 10) for n in (10_000, 200_000, 1_000_000)]
    [8.0, 22.4, 50.0]
    """
    return max(8.0, ceil(sqrt(n) / 2) / max(k, 10))


def widened(effort: int, config: Any, k: int, widening: float) -> int:
    """Return the effort that a filter needs which leaves one of `widening` vectors.

    What may not be returned is still walked through. An effort that was set is multiplied by w = `widening`; one that
    was chosen by size has room to spare: in lists it takes sqrt(w), in a graph w up to two and sqrt(2 w) beyond, but
    enough to meet 4 k vectors that pass.

    Examples
    --------
    >>> widened(100, HNSWConfig(ef_search=100), 10, 8.0), widened(100, HNSWConfig(), 10, 8.0)
    (800, 400)
    """
    graph = isinstance(config, HNSWConfig)
    if (config.ef_search if graph else config.nprobe) is not None or widening == 1:
        return ceil(effort * widening)
    return ceil(max(effort * min(widening, sqrt(2 * widening)), 4 * k * widening) if graph else effort * sqrt(widening))


def scan_limit(config: Any, n: int, n_lists: int) -> float:
    """Return of how many allowed vectors a scan is cheaper than an approximate search of all n."""
    if config.exact_share is not None:
        return float(config.exact_share * n)
    if isinstance(config, HNSWConfig):
        if config.ef_search is not None:
            return _GRAPH_COST * sqrt(config.ef_search * n)
        return float((_GRAPH_COST**2 * graph_effort(n) * sqrt(n)) ** (2 / 3))
    read = min(config.nprobe or probes(n_lists), n_lists) * n / n_lists + n_lists
    return float(read if config.kind == "ivf-flat" or config.nprobe is None else _CODE_COST * read)


def _growth(k: int) -> float:
    return cbrt(max(k / 10, 1))  # the 100th neighbour is harder to find than the tenth, though not ten times
