"""What so many vectors need: memory, disk, hours and milliseconds, from stated rates."""

from dataclasses import dataclass
from math import ceil, log2

from interlingua.index import HNSWConfig, recommend
from interlingua.index.engines.choose import index_bytes
from interlingua.index.engines.config import FaissFlatConfig, graph_effort, probes


@dataclass(frozen=True)
class Assumptions:
    """Rates and machines that a plan assumes; replace them by your own.

    Attributes
    ----------
    cores : int
        That encode and build, all machines together; perfect scaling is assumed.
    sentences_per_second : float
        A core encodes: 170 with multilingual-e5-small in bfloat16 on a Zen 4 core.
    flops : float
        A core, in products of matrices: 84e9 by FAISS on such a core, one thread.
    links_per_second : float
        A core follows in a graph of vectors of 384 dimensions: 3.1e6, from 50,000 vectors linked in 25.5 seconds with
        M = 16 and ef_construction = 100.
    bytes_per_second : float
        A core reads and scores, of lists in memory: 5e9; not measured.
    machine_bytes : float
        Memory of a machine.
    row_bytes : float
        What a collection keeps in memory beside the index for each row: an id (150), its fields' codes and a short
        text.
    """

    cores: int = 32
    sentences_per_second: float = 170.0
    flops: float = 84e9
    links_per_second: float = 3.1e6
    bytes_per_second: float = 5e9
    machine_bytes: float = 256e9
    row_bytes: float = 300.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"{name} must be positive, but is {value!r}")


@dataclass(frozen=True)
class CapacityPlan:
    """What n vectors of dimension d need.

    Attributes
    ----------
    n, dimension : int
    engine : str
        What serves them.
    machines : int
        Of `Assumptions.machine_bytes`, without replicas.
    kind : str
        Of index.
    memory_gb : float
        Index and rows, in 10^9 bytes.
    disk_gb : float
        While it is built: raw vectors as float32, filled shards, and the merged index.
    encode_hours, build_hours : float
        On all cores; building is training, assignment to lists or linking, not reading and writing.
    query_ms : float
        On one core; what is computed and read, without network and re-ranking.
    """

    n: int
    dimension: int
    engine: str
    machines: int
    kind: str
    memory_gb: float
    disk_gb: float
    encode_hours: float
    build_hours: float
    query_ms: float


def capacity_plan(n: int, dimension: int = 384, assumptions: Assumptions | None = None) -> CapacityPlan:
    """Return what n vectors need; arithmetic, not a measurement.

    The kind is `recommend`'s, its bytes are `index_bytes`'. With d the dimension, c cells, t training vectors and p
    probed cells: training by 25 rounds of k-means costs 50 t c d operations, assignment 2 n c d, a query 2 c d and
    n p / c codes read. A graph follows M ef log2(n) / 15.6 links to take in or to find a vector; log2 of the
    50,000 vectors of the measured rate is 15.6.

    Parameters
    ----------
    n : int
        Vectors.
    dimension : int
        Numbers in each.
    assumptions : Assumptions, optional
        By default those of `Assumptions`.

    Examples
    --------
    >>> plan = capacity_plan(10**9, 384)
    >>> plan.engine, plan.kind, plan.machines
    ('Milvus cluster', 'ivf-pq', 4)
    """
    rates = assumptions or Assumptions()
    advised = recommend(n, dimension)
    config, kind = advised.config, advised.kind
    size = index_bytes(config, n, dimension)
    if isinstance(config, FaissFlatConfig):
        building, query = 0.0, 2.0 * n * dimension / rates.flops
    elif isinstance(config, HNSWConfig):
        growth = max(log2(n) / 15.6, 1)
        step = dimension / 384 / rates.links_per_second
        building = config.M * config.ef_construction * growth * n * step * rates.flops
        query = config.M * (config.ef_search or graph_effort(n)) * growth * step
    else:
        cells = config.n_lists or 1
        building = 2.0 * dimension * cells * (25 * config.train_size + n)
        codes = (
            n * (config.nprobe or probes(cells)) / cells * (dimension / 4 if kind == "ivf-pq" else dimension / 8 + 8)
        )
        query = 2.0 * cells * dimension / rates.flops + codes / rates.bytes_per_second
    memory = size + n * rates.row_bytes
    machines = ceil(memory / rates.machine_bytes)
    raw = 4.0 * n * dimension
    return CapacityPlan(
        n=n,
        dimension=dimension,
        engine="FAISS, one machine" if machines == 1 else "Milvus cluster",
        machines=machines,
        kind=kind,
        memory_gb=memory / 1e9,
        disk_gb=(raw + 2 * size + n * rates.row_bytes) / 1e9,
        encode_hours=n / (rates.sentences_per_second * rates.cores) / 3600,
        build_hours=building / (rates.flops * rates.cores) / 3600,
        query_ms=1000 * query,
    )
