import json
import os
import subprocess
import sys
from itertools import count

import numpy as np
import pytest

from interlingua.index import Collection, create_index
from interlingua.index.engines.base import Metric
from interlingua.index.milvus.client import MilvusConfig, connect

DIMENSION = 12
_COUNTER = count()
N_VECTORS = 300
# One thread, so that graphs are the same every time. HNSW searches by a scan at full effort and else by the graph.
# The lists are learned while the vectors come in, and searched whole: every kind must then give the exact answer.
LISTS = {"threads": 1, "exact_share": 0.02, "n_lists": 4, "nprobe": 4, "train_size": 200}
CONFIGS = {
    "flat": ("flat", None),
    "faiss-flat": ("faiss-flat", {"threads": 1}),
    "hnsw-full-effort": ("hnsw", {"threads": 1, "M": 16, "ef_construction": 100, "ef_search": N_VECTORS}),
    "hnsw-graph": (
        "hnsw",
        {"threads": 1, "M": 16, "ef_construction": 100, "ef_search": N_VECTORS - 1, "exact_share": 0.1},
    ),
    "ivf-flat": ("ivf-flat", LISTS),
    "ivf-pq": ("ivf-pq", {**LISTS, "refine": "float32", "refine_factor": 300.0}),
    "ivf-rabitq": ("ivf-rabitq", {**LISTS, "refine": "float32", "refine_factor": 300.0}),
    "ivf-untrained": ("ivf-pq", {"threads": 1}),
    "milvus-lite": ("milvus", {}),
    "milvus-server": ("milvus", {}),
}


@pytest.fixture(
    params=[pytest.param(name, marks=[pytest.mark.slow] if name.startswith("milvus") else []) for name in CONFIGS]
)
def engine(request):
    """The name of an index with its configuration; each test of one sees all of them."""
    return request.param


@pytest.fixture
def engines():
    """Kind and configuration of each of them."""
    return CONFIGS


@pytest.fixture
def configured(request, engine):
    """Kind and configuration of an index."""
    kind, config = CONFIGS[engine]
    return (kind, request.getfixturevalue("fresh_milvus")(engine)) if kind == "milvus" else (kind, config)


@pytest.fixture(scope="session")
def fresh_milvus(request):
    """A function that returns the configuration of a new collection on "milvus-lite" or "milvus-server"."""
    made = []

    def fresh(where):
        if where == "milvus-lite":
            return {"uri": request.getfixturevalue("milvus_file"), "collection": f"c{next(_COUNTER)}"}
        uri = os.environ.get("INTERLINGUA_MILVUS_URI")
        if not uri:
            pytest.skip("INTERLINGUA_MILVUS_URI names no Milvus server; see docs/milvus.md")
        pem = os.environ.get("INTERLINGUA_MILVUS_PEM", "")
        made.append({"uri": uri, "server_pem_path": pem, "collection": f"test_{os.getpid()}_{next(_COUNTER)}"})
        return made[-1]

    yield fresh
    for config in made:
        connect(MilvusConfig(**config)).drop_collection(config["collection"])


@pytest.fixture(params=["milvus-lite", "milvus-server"])
def milvus(request, fresh_milvus):
    """The configuration of a new collection, on either."""
    return fresh_milvus(request.param)


@pytest.fixture(scope="session")
def milvus_file(tmp_path_factory):
    """One folder of Milvus Lite for all tests, which takes half a second to open."""
    pytest.importorskip("milvus_lite")
    return str(tmp_path_factory.mktemp("milvus") / "tests.db")


@pytest.fixture(params=["flat", "faiss-flat", "hnsw", "ivf-flat", "ivf-pq"])
def kind(request):
    return request.param


@pytest.fixture(params=[str(metric) for metric in Metric])
def metric(request):
    return request.param


@pytest.fixture
def empty_index(configured, metric):
    kind, config = configured
    return create_index(kind, DIMENSION, metric, config)


@pytest.fixture
def vectors():
    return np.random.default_rng(1).normal(size=(N_VECTORS, DIMENSION)).astype(np.float32)


@pytest.fixture
def ids():
    """Neither dense nor ascending."""
    return np.random.default_rng(2).permutation(10 * N_VECTORS)[:N_VECTORS].astype(np.int64)


@pytest.fixture
def queries():
    return np.random.default_rng(3).normal(size=(17, DIMENSION)).astype(np.float32)


@pytest.fixture
def index(empty_index, ids, vectors):
    """An index that the test may change."""
    empty_index.add(ids, vectors)
    return empty_index


@pytest.fixture(scope="session")
def _filled():
    return {}


@pytest.fixture
def filled(request, engine, metric, _filled):
    """The same as `index`, made once for all tests, which leave it as it is."""
    if (engine, metric) not in _filled:
        # what one process has written must be there for the next one
        name = "filled_by_another_process" if engine == "milvus-lite" else "index"
        _filled[engine, metric] = request.getfixturevalue(name)
    return _filled[engine, metric]


@pytest.fixture
def filled_by_another_process(metric, ids, vectors, _written_by_another_process):
    """The same vectors as a process that has ended has added them."""
    config = _written_by_another_process(ids, vectors)
    return create_index("milvus", DIMENSION, metric, {**config, "collection": metric})


@pytest.fixture(scope="session")
def _written_by_another_process(tmp_path_factory):
    """A function that has one process write a collection for each metric, the first time it is asked."""
    folder = tmp_path_factory.mktemp("milvus")
    config = {"uri": str(folder / "rows.db")}

    def write(ids, vectors):
        if not (folder / "rows.npz").exists():
            np.savez(folder / "rows.npz", ids=ids, vectors=vectors)
            in_another_process(_FILL, folder / "rows.npz", json.dumps(config), *Metric)
        return config

    return write


_FILL = """
import json, sys
import numpy as np
from interlingua.index import create_index
rows = np.load(sys.argv[1])
for metric in sys.argv[3:]:
    config = {**json.loads(sys.argv[2]), "collection": metric}
    create_index("milvus", rows["vectors"].shape[1], metric, config).add(rows["ids"], rows["vectors"])
"""


def in_another_process(code, *arguments):
    """Run Python code and return what it prints."""
    call = [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)]
    return subprocess.run(call, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def another_process():
    """A function that runs Python code with arguments in a process of its own."""
    return in_another_process


@pytest.fixture
def make_collection():
    """A function that makes a small collection with metadata, attributes and an attachment."""
    return _make_collection


@pytest.fixture
def collection(kind):
    return _make_collection(kind)


def _make_collection(kind="flat", n=40, *, metric="cosine", version=1):
    made = Collection.create(DIMENSION, metric, kind, {"threads": 1} if kind != "flat" else None)
    rng = np.random.default_rng(version)
    made.add(
        [f"дом-{row}" for row in range(n)],
        rng.normal(size=(n, DIMENSION)),
        [{"language": ["sw", "zh", "fi"][row % 3], "text": f"文 {row}", "row": row} for row in range(n)],
    )
    made.attributes = {"encoder": "élan", "version": version}
    made.attachments = {"space.safetensors": bytes(range(256)) * 4}
    return made
