"""What a run was made of, so that `all` does not repeat what would come out the same.

Beside the results of a benchmark stands a note, ``.done/NAME.json``: the state it was measured in, a digest of the
results, how long it took, the exit code, and the environment. The state is a digest of the project's source, the
options, the installed libraries, and names and sizes of the files of the data sets.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from .datasets import data_root
from .report import environment

DONE = ".done"
_ROOT = Path(__file__).parents[2]
_ROOMS = ("align", "index", "pipelines", "benchmarks")


@dataclass(frozen=True)
class Run:
    """One run of a benchmark to its end.

    Attributes
    ----------
    state : str
        What it was made of; see `state`.
    results : str
        Digest of the file that it wrote.
    seconds : float
        Wall-clock time.
    code : int
        Exit code: 0, or 1 where a goal was missed.
    environment : dict of str to str
        Machine and versions.
    """

    state: str
    results: str
    seconds: float
    code: int
    environment: dict[str, str]


def state(name: str, options: Mapping[str, Any]) -> str:
    """Return a digest of all that the figures of a benchmark depend on, but the machine.

    Parameters
    ----------
    name : str
        Of the benchmark.
    options : mapping of str to object
        What it is called with.
    """
    parts = [name, repr(sorted((key, str(value)) for key, value in options.items())), _source(), _libraries(), _data()]
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


def digest(path: Path) -> str:
    """Return the digest of a file's bytes."""
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


def finished(path: Path, wanted: str) -> Run | None:
    """Return the run that wrote the results `path` in the state `wanted`, if they are still what it wrote."""
    note = path.parent / DONE / path.name
    if not note.exists() or not path.exists():
        return None
    try:
        run = Run(**json.loads(note.read_text(encoding="utf-8")))
    except (ValueError, TypeError):  # half written, or of another version: measured again
        return None
    return run if run.state == wanted and run.results == digest(path) else None


def note_finished(path: Path, wanted: str, seconds: float, code: int) -> None:
    """Write down that the results `path` are a whole run of the state `wanted`."""
    from interlingua.align.files import replacing

    note = path.parent / DONE / path.name
    note.parent.mkdir(exist_ok=True)
    run = Run(wanted, digest(path), round(seconds, 2), code, environment())
    with replacing(note) as file:
        file.write(json.dumps(asdict(run), indent=1).encode())


@cache
def _source() -> str:
    found = hashlib.blake2b(digest_size=16)
    for room in _ROOMS:
        for path in sorted((_ROOT / room).rglob("*")):
            if path.is_file() and path.suffix not in (".pyc", ".pyi") and "results" not in path.parts:
                found.update(f"{path.relative_to(_ROOT)}\0".encode() + path.read_bytes())
    return found.hexdigest()


@cache
def _libraries() -> str:
    return repr(sorted((str(each.name).lower(), each.version) for each in metadata.distributions()))


def _data() -> str:
    root = data_root()
    return repr(
        sorted((str(path.relative_to(root)), path.stat().st_size) for path in root.rglob("*") if path.is_file())
    )
