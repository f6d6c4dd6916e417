"""Build with two Ray nodes on this machine; a worker dies on the way, and then a node. A program of its own.

python two_nodes.py OUTPUT ENCODER INPUT...
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

os.environ |= {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_health_check_initial_delay_ms": "500",
    "RAY_health_check_period_ms": "500",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # else Ray takes the machine's outer address for 127.0.0.1
}

import ray
from ray.cluster_utils import Cluster

from interlingua.pipelines.search import RayRunner, build_index

SHARDS = 12


def main(output, encoder, *inputs):
    node = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 100_000_000, "node_ip_address": "127.0.0.1"}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        second = cluster.add_node(**node)
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        seen = {}

        def kill():
            encoded = Path(output + ".parts") / "encoded"
            while len(list(encoded.glob("*/manifest.json"))) < 2:
                time.sleep(0.005)
            seen["done"] = len(list(encoded.glob("*/manifest.json")))
            cluster.remove_node(second, allow_graceful=False)

        killer = threading.Thread(target=kill)
        killer.start()
        runner = DyingRunner(RayRunner(cpus=0.5), Path(output + ".died"))
        report = build_index(inputs, output, encoder_name=encoder, kind="ivf-flat", shards=SHARDS, runner=runner)
        killer.join()
        Path(output + ".json").write_text(json.dumps({"records": report.records, "shards": report.shards, **seen}))
    finally:
        ray.shutdown()
        cluster.shutdown()


class DyingRunner:
    """Kills the worker of the third task, once, in the middle of it."""

    def __init__(self, runner, note):
        self.runner, self.note = runner, note

    def run(self, function, tasks):
        note = self.note

        def dying(task):
            if task == 3 and not note.exists():
                note.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            function(task)

        return self.runner.run(dying, tasks)


if __name__ == "__main__":
    main(*sys.argv[1:])
