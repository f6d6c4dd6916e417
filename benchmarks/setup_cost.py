"""What the README's two commands cost on a fresh clone: wall time and disk.

    python -m interlingua.benchmarks.setup_cost

Clones this repository into a temporary folder and runs `make demo` and `make test` there, each setting up what it
needs, with an empty cache of its own. Wall time includes downloading the packages.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .measure import run_benchmark, watch
from .report import row

__all__ = ["folder_mb", "main", "run"]

COMMAND = "python -m interlingua.benchmarks.setup_cost"


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


def run() -> list[dict[str, Any]]:
    """Clone, run both commands, and return the result rows.

    Raises
    ------
    subprocess.CalledProcessError
        If a command fails; its output is on standard error.
    """
    make = shutil.which("make") or "make"
    git = shutil.which("git") or "git"
    rows = []
    with tempfile.TemporaryDirectory() as place:
        clone, cache = Path(place) / "interlingua", Path(place) / "cache"
        subprocess.run([git, "clone", "--quiet", str(Path(__file__).resolve().parents[1]), str(clone)], check=True)
        surroundings = {key: os.environ[key] for key in os.environ.keys() - {"VIRTUAL_ENV", "INTERLINGUA_DATA"}}
        surroundings["INTERLINGUA_CACHE"] = str(cache)
        for target in ("demo", "test"):
            with watch() as running:
                subprocess.run([make, target], cwd=clone, env=surroundings, check=True, stdout=sys.stderr)
            rows += [
                row(
                    task="set up and run",
                    data=f"fresh clone, make {target}",
                    method=f"{os.cpu_count()} cores",
                    metric=metric,
                    value=value,
                    n=1,
                    command=COMMAND,
                    seconds=running.seconds,
                )
                for metric, value in (("minutes", running.seconds / 60), ("disk MB", folder_mb(Path(place))))
            ]
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Run the command in the module's docstring."""
    return run_benchmark("setup", run, arguments)


if __name__ == "__main__":
    sys.exit(main())
