"""Who runs the same function on every shard: this process, or a Ray cluster."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from interlingua.align.arrays import require

#: Errors that are told as they are, of whatever process; all others are faults, and end with Ray's own page.
_TOLD: dict[str, type[Exception]] = {
    each.__name__: each for each in (FileNotFoundError, OSError, ValueError, TypeError)
}


class Runner(Protocol):
    """Runs a function once for each task, each at least once, in any order."""

    def run(self, function: Callable[[int], None], tasks: Sequence[int]) -> Iterator[int]:
        """Yield each task's number when it is done."""
        ...


class LocalRunner:
    """One task after the other in this process.

    Examples
    --------
    >>> done = []
    >>> list(LocalRunner().run(done.append, [3, 4])), done
    ([3, 4], [3, 4])
    """

    def run(self, function: Callable[[int], None], tasks: Sequence[int]) -> Iterator[int]:
        """Run the tasks and yield the number of each."""
        for task in tasks:
            function(task)
            yield task


class RayRunner:
    """A Ray Data job of one block a task.

    Ray runs a task again elsewhere when its worker or node dies, so `function` must be safe to repeat. All nodes must
    see the files under the same paths, and have this package.

    Parameters
    ----------
    address : str
        "local" starts Ray on this machine, bound to 127.0.0.1, and stops it afterwards; anything else is an address
        of a cluster, as in `ray.init`. Where this process is connected already, that cluster is used.
    cpus : float, above 0
        CPUs that Ray reserves for a task.
    """

    def __init__(self, address: str = "local", *, cpus: float = 1.0) -> None:
        if not cpus > 0:
            raise ValueError(f"cpus must be positive, but is {cpus!r}")
        self.address = address
        self.cpus = cpus

    def run(self, function: Callable[[int], None], tasks: Sequence[int]) -> Iterator[int]:
        """Run the tasks on the cluster and yield their numbers as they are done."""
        if not tasks:
            return
        with _connected(self.address):
            data = require("ray.data", extra="ray")
            context = data.DataContext.get_current()
            context.enable_progress_bars = False
            context.print_on_execution_start = False
            logging.getLogger("ray.data").setLevel(logging.ERROR)  # else it says that bars are disabled

            def run_batch(batch: dict[str, Any]) -> dict[str, Any]:
                # subtle: ray.data keeps no exception, only a page of text about it; a wrong input is told as a value
                kinds, texts = [], []
                for task in batch["item"]:
                    kind, text = "", ""
                    try:
                        function(int(task))
                    except tuple(_TOLD.values()) as error:
                        kind = next(name for name, each in _TOLD.items() if isinstance(error, each))
                        text = str(error)
                    kinds.append(kind)
                    texts.append(text)
                return {**batch, "kind": kinds, "text": texts}

            job = data.from_items(list(tasks), override_num_blocks=len(tasks)).map_batches(
                run_batch, batch_size=1, num_cpus=self.cpus
            )
            for row in job.iter_rows():
                if row["kind"]:
                    raise _TOLD[row["kind"]](row["text"])
                yield int(row["item"])


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = require("ray", extra="ray")
    if ray.is_initialized():
        yield ray
        return
    here = {"_node_ip_address": "127.0.0.1", "include_dashboard": False} if address == "local" else {}
    ray.init(address=address, log_to_driver=False, logging_level="ERROR", **here)
    try:
        yield ray
    finally:
        ray.shutdown()
