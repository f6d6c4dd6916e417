"""How FAISS is to build and search an index: one frozen configuration a kind."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

_STORAGE = ("float32", "float16", "sq8")
_REFINE = ("float32", "float16", "sq8")
_DEVICES = ("auto", "cpu", "cuda")
_OF_THE_MACHINE = ("threads", "device")


@dataclass(frozen=True)
class FaissFlatConfig:
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
    shape: ClassVar[tuple[str, ...]] = ()
    threads: int | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        _check_threads(self.threads)
        _check_choice("device", self.device, _DEVICES)

    def to_json(self) -> dict[str, Any]:
        """Return the settings that belong to the index and not to the machine."""
        return {}


@dataclass(frozen=True)
class HNSWConfig:
    """Approximate search over a graph of near neighbours (hierarchical navigable small world).

    Attributes
    ----------
    M : int
        Links of a node on each level, twice as many on the lowest: 8 M bytes a vector and a little more.
    ef_construction : int
        Candidates kept while a vector is linked in; higher builds a better graph, more slowly.
    storage : {"float32", "float16", "sq8"}
        How a vector's numbers are kept: 4, 2 or 1 bytes each. Scores are as exact as what is kept; ``sq8`` cuts each
        dimension's range, learned from the first `train_size` vectors, into 256 steps.
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

    def __post_init__(self) -> None:
        _check_threads(self.threads)
        _check_counts(self, M=2, ef_construction=1, train_size=1)
        _check_effort(self, "ef_search")
        _check_shares(self, "rebuild_share", "exact_share")
        _check_choice("storage", self.storage, _STORAGE)

    def to_json(self) -> dict[str, Any]:
        """Return the settings that belong to the index and not to the machine."""
        return {name: value for name, value in asdict(self).items() if name not in _OF_THE_MACHINE}


@dataclass(frozen=True)
class IVFConfig:
    """Search only the lists near the query: k-means cells of the space (inverted file), each vector kept whole.

    Until `train_size` vectors are there, search is exact; then the cells are learned from them, once. Vectors added
    later go into those cells: build anew when what is added has another distribution.

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
        _check_threads(self.threads)
        _check_choice("device", self.device, _DEVICES)
        _check_counts(self, train_size=1)
        _check_effort(self, "nprobe")
        if self.n_lists is not None:
            _check_counts(self, n_lists=1)
            if self.n_lists > self.train_size:
                raise ValueError(
                    f"{self.n_lists} cells cannot be learned from {self.train_size} vectors; "
                    f"give train_size of {39 * self.n_lists} or more"
                )
        _check_shares(self, "rebuild_share", "exact_share")

    def to_json(self) -> dict[str, Any]:
        """Return the settings that belong to the index and not to the machine."""
        return {name: value for name, value in asdict(self).items() if name not in _OF_THE_MACHINE}


@dataclass(frozen=True)
class _RefinedConfig(IVFConfig):
    """Short codes find `refine_factor` k candidates, which the kept vectors put in order."""

    refine: str = "sq8"
    refine_factor: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_choice("refine", self.refine, _REFINE)
        factor = 1 if self.refine_factor is None else self.refine_factor
        if isinstance(factor, bool) or not isinstance(factor, int | float) or not 1 <= factor < float("inf"):
            raise ValueError(f"refine_factor must be a number of at least 1, or None, but is {factor!r}")


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
        if self.code_size is not None:
            _check_counts(self, code_size=1)


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


def _check_threads(threads: int | None) -> None:
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise ValueError(f"threads must be an integer of at least 1, or None, but is {threads!r}")


def _check_counts(config: FaissConfig, **least: int) -> None:
    for name, lowest in least.items():
        value = getattr(config, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
            raise ValueError(f"{name} must be an integer of at least {lowest}, but is {value!r}")


def _check_effort(config: FaissConfig, name: str) -> None:
    if getattr(config, name) is not None:
        _check_counts(config, **{name: 1})


def _check_shares(config: FaissConfig, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        if name == "exact_share" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ValueError(f"{name} must lie between 0 and 1, but is {value!r}")


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, but is {value!r}")
