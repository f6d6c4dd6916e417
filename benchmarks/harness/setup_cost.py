"""What the README's commands, and installing the package for its first lines of code, cost on a fresh clone.

    python -m interlingua.benchmarks setup [--only demo|test|install] [--before COMMIT]

For `make demo` and `make test`, clones this repository into a temporary folder of its own, with an empty environment,
an empty cache of packages and an empty cache of vectors, and runs the command there. Wall time includes getting the
packages, so it depends on the network and on the build of torch, which the rows name.

*install* is ``pip install "interlingua[offline]"`` from a clone in an environment of its own, with the versions in its
constraints.txt and an empty cache, then the first lines of Python in its README, twice; with ``--before`` the same of
an earlier commit. CPU seconds are those of all processes of a step: of wall time, the network and whatever else the
machine does would be the larger part.
"""

import os
import re
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


def run(only: str = "", before: str = "") -> Iterator[Case]:
    """Clone and run each command.

    Parameters
    ----------
    only : str
        "demo", "test" or "install"; by default all.
    before : str
        A commit to install as well.

    Raises
    ------
    subprocess.CalledProcessError
        If a command fails; its output is on standard error.
    """
    for target in ("demo", "test"):
        if only in ("", target):
            yield _run_target(target)
    if only in ("", "install"):
        for commit in ("HEAD", *([before] if before else [])):
            yield _install(commit)


def _install(commit: str) -> Case:
    """Install a commit with its extra `offline`, and run the first lines of Python in its README."""
    git = shutil.which("git") or "git"
    with tempfile.TemporaryDirectory() as place:
        clone, cache, packages, home = (Path(place) / name for name in ("interlingua", "cache", "packages", "env"))
        subprocess.run([git, "clone", "--quiet", str(Path(__file__).resolve().parents[2]), str(clone)], check=True)
        subprocess.run([git, "-C", str(clone), "checkout", "--quiet", commit], check=True)
        names = [git, "-C", str(clone), "rev-parse", "--short", "HEAD"]
        name = subprocess.run(names, check=True, capture_output=True, text=True).stdout.strip()
        surroundings = {key: os.environ[key] for key in os.environ.keys() - {"VIRTUAL_ENV", "PYTHONPATH"}}
        surroundings |= {"INTERLINGUA_CACHE": str(cache), "PIP_CACHE_DIR": str(packages)}
        python = str(home / "bin" / "python")
        pip = [python, "-m", "pip", "install", "--quiet", "--constraint", str(clone / "constraints.txt")]
        read = (clone / "README.md").read_text(encoding="utf-8")
        (Path(place) / "first.py").write_text(first_lines(read), encoding="utf-8")
        start = _cpu()
        with watch() as running:
            subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
            subprocess.run([*pip, f"{clone}[offline]"], check=True, env=surroundings, stdout=sys.stderr)
        installed = _cpu()
        figures = {"installing, CPU s": installed - start, "packages MB": folder_mb(home)}
        for run_of in ("first run", "second run"):
            begun = _cpu()
            subprocess.run(
                [python, str(Path(place) / "first.py")], check=True, env=surroundings, cwd=place, stdout=sys.stderr
            )
            figures[f"{run_of}, CPU s"] = _cpu() - begun
        figures["cache MB"] = folder_mb(cache)
    return Case(task="install and run", data='pip install "interlingua[offline]", README\'s first lines',
                method="now" if commit == "HEAD" else f"at {name}", figures=figures, n=1,
                seconds=running.seconds)  # fmt: skip


def first_lines(readme: str) -> str:
    r"""Return the first lines of Python in a page.

    Examples
    --------
    >>> first_lines("Text\n```python\nprint(1)\n```\nmore")
    'print(1)\n'
    """
    found = re.search(r"```python\n(.*?)```", readme, re.DOTALL)
    if found is None:
        raise ValueError("the page has no lines of Python between ```python and ```")
    return found[1]


def _cpu() -> float:
    """Return the CPU seconds of all processes that were waited for."""
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
