"""What each of the README's two commands costs on a fresh clone: wall time and disk.

    python -m interlingua.benchmarks setup

For each, clones this repository into a temporary folder of its own, with an empty environment, an empty cache of
packages and an empty cache of vectors, and runs `make demo` or `make test` there. Wall time includes getting the
packages, so it depends on the network and on the build of torch, which the rows name.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .measure import Case, watch


def folder_mb(folder: Path) -> float:
    """Return the size of all files below a folder in MB (10^6 bytes); a file linked twice counts once.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a").write_bytes(bytes(2_000_000))
    ...     folder_mb(Path(folder))
    2.0
    """
    sizes: dict[tuple[int, int], int] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            status = os.lstat(Path(parent) / name)
            sizes[status.st_dev, status.st_ino] = status.st_size
    return sum(sizes.values()) / 1e6


def run() -> Iterator[Case]:
    """Clone and run each command.

    Raises
    ------
    subprocess.CalledProcessError
        If a command fails; its output is on standard error.
    """
    for target in ("demo", "test"):
        yield _run_target(target)


def _run_target(target: str) -> Case:
    import resource

    make, git = shutil.which("make") or "make", shutil.which("git") or "git"
    with tempfile.TemporaryDirectory() as place:
        clone, cache, packages = (Path(place) / name for name in ("interlingua", "cache", "packages"))
        subprocess.run([git, "clone", "--quiet", str(Path(__file__).resolve().parents[2]), str(clone)], check=True)
        surroundings = {key: os.environ[key] for key in os.environ.keys() - {"VIRTUAL_ENV", "INTERLINGUA_DATA"}}
        surroundings |= {"INTERLINGUA_CACHE": str(cache), "PIP_CACHE_DIR": str(packages)}
        with watch() as running:
            subprocess.run([make, target], cwd=clone, env=surroundings, check=True, stdout=sys.stderr)
        python = clone / ".venv" / "bin" / "python"
        version = (
            "import importlib.metadata as m; "
            "print(''.join('torch ' + each.version for each in m.distributions(name='torch')) or 'no torch')"
        )
        torch = subprocess.run([python, "-c", version], check=True, capture_output=True, text=True).stdout.strip()
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
        figures = {
            "minutes": running.seconds / 60,
            "disk MB": folder_mb(clone) + folder_mb(cache),
            "of it packages MB": folder_mb(clone / ".venv"),
        }
    machine = f"{os.cpu_count()} cores, {torch}"
    return Case(task="set up and run", data=f"fresh clone, make {target}", method=machine, figures=figures, n=1,
                seconds=running.seconds, peak_mb=peak)  # fmt: skip


BENCHMARKS = {"setup": run}
