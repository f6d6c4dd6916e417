"""How FAISS is to build and search an index, and with how many threads."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any

__all__ = ["FaissConfig", "FaissFlatConfig", "HNSWConfig", "faiss_threads", "load_faiss"]


@dataclass(frozen=True)
class FaissFlatConfig:
    """Exact search by FAISS.

    Attributes
    ----------
    threads : int, optional
        OpenMP threads while FAISS works, put back afterwards; None leaves the process's setting. Not saved.
    """

    threads: int | None = None

    def __post_init__(self) -> None:
        _check_threads(self.threads)

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
    ef_search : int
        Candidates kept while searching, at least k. With as many as there are vectors the search is an exact scan:
        faster than to walk the whole graph, and it finds what no link reaches (short vectors, for `ip`).
    rebuild_share : float
        FAISS cannot take vectors out of the graph: removed ones stay as links without being found. When more
        than this share of all is dead, the graph is built anew from the living.
    exact_share : float
        A filter that leaves at most this share of the vectors is answered by an exact scan, as a graph walk would
        find too few of them.
    threads : int, optional
        As in `FaissFlatConfig`. With more than one the graph differs a little from build to build.

    References
    ----------
    Malkov and Yashunin 2020, DOI 10.1109/TPAMI.2018.2889473.
    """

    M: int = 32
    ef_construction: int = 200
    ef_search: int = 128
    rebuild_share: float = 0.25
    exact_share: float = 0.1
    threads: int | None = None

    def __post_init__(self) -> None:
        _check_threads(self.threads)
        for name, least in (("M", 2), ("ef_construction", 1), ("ef_search", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name} must be an integer of at least {least}, but is {value!r}")
        for name in ("rebuild_share", "exact_share"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                raise ValueError(f"{name} must lie between 0 and 1, but is {value!r}")

    def to_json(self) -> dict[str, Any]:
        """Return the settings that belong to the index and not to the machine."""
        return {name: value for name, value in asdict(self).items() if name != "threads"}


FaissConfig = FaissFlatConfig | HNSWConfig


def load_faiss() -> Any:
    """Return the module, imported at its first use; untyped, since its stubs know half of what it can do."""
    return import_module("faiss")


@contextmanager
def faiss_threads(threads: int | None) -> Iterator[None]:
    """Let FAISS use `threads` OpenMP threads inside the block, and as many as before after it.

    The setting belongs to the whole process, and where torch was imported before faiss it is torch's as well;
    hence it is put back. Processes that used OpenMP must not fork: start helpers with the method "spawn".
    """
    if threads is None:
        yield
        return
    faiss = load_faiss()
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(threads)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _check_threads(threads: int | None) -> None:
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise ValueError(f"threads must be an integer of at least 1, or None, but is {threads!r}")
