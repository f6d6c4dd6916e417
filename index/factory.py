"""Make an index by name, and keep one in a folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .checks import check_dimension
from .faiss_config import CONFIGS, FaissConfig
from .faiss_index import FaissIndex
from .flat import FlatIndex
from .folder import read_folder, write_folder
from .manifest import CorruptCollectionError, naming
from .metric import Metric
from .milvus_client import MilvusConfig
from .milvus_index import MilvusIndex
from .vector_index import IndexSpec, UnsupportedOperation, VectorIndex

__all__ = ["INDEX_KINDS", "create_index", "load_index", "read_index", "save_index", "spec_from_json", "spec_to_json"]

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
        with naming(Path(path) / "manifest.json"):
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
    spec = IndexSpec(fields["kind"], fields["dimension"], Metric.parse(fields["metric"]), fields["config"])
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
