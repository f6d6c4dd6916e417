"""Measure on one GPU within eight minutes, part by part.

    python -m interlingua.benchmarks gpu [--minutes 8] [--only PART] [--toy]

Each part is a process of its own with its share of the time; it writes its rows to ``results/gpu.json`` as it makes
them, so that what was measured is kept whatever ends the run. A part whose library is missing says so and is left out.
What would take longer than is left is made smaller, and the row says how large it was. Without a GPU, or with
``--toy``, everything runs at toy size on the CPU, and nothing is written.
"""

import importlib
import subprocess
import time
from collections.abc import Callable, Iterator

from rich.console import Console

from interlingua.align.arrays import MissingExtraError, require, torch_device
from interlingua.benchmarks.harness.measure import Case, calling, result_rows
from interlingua.benchmarks.harness.report import write_results
from interlingua.pipelines.commands.output import table

#: Function and share of the time of each part, in the order of their running.
PARTS: dict[str, tuple[str, float]] = {
    "encoding": ("encoding:encoding", 0.09),
    "search-torch": ("search:search_torch", 0.12),
    "search-cupy": ("search:search_cupy", 0.12),
    "search-faiss": ("search:search_faiss", 0.08),
    "maps": ("learning:maps", 0.07),
    "head": ("learning:head", 0.05),
    "fine-tuning": ("learning:fine_tuning", 0.11),
    "pre-training": ("learning:pre_training", 0.18),
    "adversarial": ("learning:adversarial", 0.18),
}
_GRACE = 5.0  # seconds to end by itself
_TOY_SECONDS = 60.0


def gpu(*, toy: bool = False, only: str = "", minutes: float = 8.0) -> int:
    """Run the parts and write their rows.

    Parameters
    ----------
    toy : bool
        Small sizes on the CPU; nothing is written.
    only : str
        One part alone.
    minutes : float
        For all of them.
    """
    console = Console(stderr=True)
    if only and only not in PARTS:
        console.print(f"there is no part {only!r}; there are: {', '.join(PARTS)}")
        return 2
    device = "cpu" if toy else torch_device("auto")
    if device != "cuda" and not toy:
        console.print("there is no GPU here: toy sizes on the CPU, nothing is written")
    failed = 0
    for name, (_, share) in PARTS.items():
        if only and name != only:
            continue
        seconds = _TOY_SECONDS if device != "cuda" else 60 * minutes * (1.0 if only else share)
        here = f"{__name__}:run_part"
        try:
            code = subprocess.run(
                calling(here, name, device, seconds), check=False, timeout=seconds + _GRACE
            ).returncode
        except subprocess.TimeoutExpired:
            console.print(f"{name}: ended after {seconds:.0f} s; the rows that it had made are kept")
            code = 0
        failed += bool(code)
    return int(bool(failed))


def run_part(name: str, device: str, seconds: float) -> None:
    """Run one part here; print its rows and, on a GPU, write each as it is made.

    Parameters
    ----------
    name : str
        A key of `PARTS`.
    device : str
        "cuda", or "cpu" for toy sizes.
    seconds : float
        What it may take.
    """
    module, _, function = PARTS[name][0].partition(":")
    part: Callable[[str, float], Iterator[Case]] = getattr(
        importlib.import_module(f"interlingua.benchmarks.gpu.{module}"), function
    )
    console = Console(stderr=True, width=160)
    begun = time.perf_counter()
    try:
        for case in part(device, seconds):
            rows = result_rows([case], "python -m interlingua.benchmarks gpu")
            shown = [(each["data"], each["method"], each["metric"], f"{each['value']:.5g}", each["n"]) for each in rows]
            console.print(table("data", "method", "metric", "value>", "n>", rows=shown))
            if device == "cuda":
                write_results("gpu", rows, others_stay=True)
    except MissingExtraError as error:
        console.print(f"{name}: left out; {error}")
    console.print(f"{name}: {time.perf_counter() - begun:.1f} s of {seconds:.0f}")


def machine(device: str) -> str:
    """Return what a row says that it was measured on."""
    torch = require("torch", extra="torch")
    return str(torch.cuda.get_device_name()) if device == "cuda" else "a CPU, toy size"


def finish(device: str) -> None:
    """Wait until a GPU has done all that it was given."""
    if device == "cuda":
        require("torch", extra="torch").cuda.synchronize()
