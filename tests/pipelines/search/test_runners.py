import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from interlingua.index import Collection
from interlingua.pipelines.search import RayRunner, build_index

PROGRAM = Path(__file__).with_name("two_nodes.py")


def test_a_runner_needs_a_share_of_a_cpu():
    with pytest.raises(ValueError, match="cpus must be positive"):
        RayRunner(cpus=0)


_WRONG = """
from interlingua.pipelines.search import RayRunner

def fail(task):
    raise {error}

try:
    list(RayRunner().run(fail, [0]))
except Exception as error:
    print(type(error).__name__, error, sep="|")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("ValueError('a.jsonl, line 3: no text')", "ValueError|a.jsonl, line 3: no text"),
        ("FileNotFoundError('there is no a.vec')", "FileNotFoundError|there is no a.vec"),
    ],
)
def test_a_wrong_input_is_told_by_ray_as_without_it(error, told):
    pytest.importorskip("ray.data")
    command = [sys.executable, "-c", _WRONG.format(error=error)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert ran.stdout.splitlines()[-1:] == [told], ran.stderr[-2000:]


@pytest.mark.slow
def test_two_nodes_build_what_one_process_builds_though_a_worker_and_a_node_die(corpus, tmp_path):
    pytest.importorskip("ray.data")
    inputs = [str(file) for file in corpus.files]
    command = [sys.executable, PROGRAM, tmp_path / "ray", corpus.encoder, *inputs]
    ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=900)
    assert ran.returncode == 0, ran.stderr[-2000:]
    told = json.loads((tmp_path / "ray.json").read_text())
    assert told["records"] == 300
    assert told["done"] < told["shards"]  # the node died on the way
    assert (tmp_path / "ray.died").exists()
    build_index(inputs, tmp_path / "one", encoder_name=corpus.encoder, kind="ivf-flat", shards=12)
    one, two = (Collection.load(tmp_path / name) for name in ("one", "ray"))
    assert one.ids == two.ids
    assert one.get(one.ids) == two.get(one.ids)
    np.testing.assert_array_equal(one.vectors(one.ids), two.vectors(one.ids))
    queries = one.vectors(one.ids[:20])
    assert one.search(queries).ids == two.search(queries).ids
