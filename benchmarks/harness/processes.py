"""Run a command in a process of its own and learn what it used."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# subtle: Linux counts what a process held before exec into its peak, so that a child of a large process seems large;
# the command is therefore a child of this small one. wait4 and not RUSAGE_CHILDREN, which keeps the largest so far.
_LAUNCHER = """
import json, os, resource, sys
report, cpu_limit, *command = sys.argv[1:]
if cpu_limit:
    resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_limit), int(cpu_limit) + 5))
pid = os.posix_spawnp(command[0], command, os.environ)
_, status, usage = os.wait4(pid, 0)
with open(report, "w") as file:
    json.dump([os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss], file)
"""


@dataclass(frozen=True)
class Usage:
    """What a process used.

    Attributes
    ----------
    cpu, seconds : float
        CPU seconds of all its threads and of the children it waited for, and wall-clock seconds.
    peak_mb : float
        Largest memory, in MB (10^6 bytes).
    code : int
        Exit code; negative for a signal, -9 if it ran out of time.
    output : str
        What it wrote to standard output.
    """

    cpu: float
    seconds: float
    peak_mb: float
    code: int
    output: str = ""


def run_measured(
    command: Sequence[str],
    *,
    directory: Path | None = None,
    limit: float | None = None,
    cpu_limit: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Usage:
    """Run a command and return what it used; its standard error is thrown away.

    Parameters
    ----------
    command : sequence of str
    directory : path, optional
        Where to run it.
    limit : float, optional
        Wall-clock seconds after which it is killed; then CPU seconds and peak are unknown, and NaN.
    environment : mapping of str to str, optional
        Variables set for it besides.
    cpu_limit : int, optional
        CPU seconds after which it is stopped (code -24); what it used is known.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "usage.json"
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", _LAUNCHER, str(report), str(cpu_limit or ""), *command],
            cwd=directory,
            env=None if environment is None else {**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return Usage(float("nan"), time.perf_counter() - start, float("nan"), -signal.SIGKILL)
        seconds = time.perf_counter() - start
        if not report.exists():
            raise FileNotFoundError(f"the command {command[0]!r} could not be started")
        code, cpu, peak = json.loads(report.read_text())
    return Usage(cpu, seconds, peak * (1 if sys.platform == "darwin" else 1024) / 1e6, code, output.decode())
