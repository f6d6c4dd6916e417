"""What altered files and folders do: bits flipped, ends cut, bytes put in, exchanged, headers edited.

    python -m interlingua.benchmarks mutations                       # 10,000 mutations
    python -m interlingua.benchmarks mutations --only "index of"     # examples whose name holds that; other rows stay

A small example of each kind is altered at one random place of one of its files and read in a process of its own, of
4 GB, which may crash or hang. A goal is missed if it does, if an error is none of ours or names no file, or if, in a
format that is ours, something else is read than was written. Of other formats that is counted: a letter may have been
altered.
"""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.benchmarks.harness.measure import Case, calling, watch

from .example import Example
from .examples import digest, examples

OUTCOMES = ("refused by name", "read as written", "read up to a cut", "read with a warning", "read otherwise",
            "refused without name", "raw error", "hang", "crash")  # fmt: skip
MUST_BE_ZERO = ("refused without name", "raw error", "hang", "crash")
_SECONDS = 20  # for one reading
_MEMORY = 4 << 30
_HEADER = 200  # bytes
_NOT_ALTERED = "writer.lock"


def run(only: str = "", n: int = 10_000, seed: int = 0) -> Iterator[Case]:
    """Alter the examples whose name holds `only`, `n` times in all."""
    chosen = {name: each for name, each in examples().items() if only in name}
    for place, (name, each) in enumerate(chosen.items()):
        share = n // len(chosen) + (place < n % len(chosen))
        with watch() as passed:
            counts = alter(name, share, seed)
        yield Case(task="mutations", data=name, method="our format" if each.own else "another's format", n=share,
                   figures={outcome: counts[outcome] for outcome in OUTCOMES}, seconds=passed.seconds)  # fmt: skip


def missed(rows: list[dict[str, Any]]) -> list[str]:
    """Say what crashed, hung, ended in a raw error or was read otherwise."""
    return [
        f"{each['data']}: {each['metric']} {each['value']:.0f}"
        for each in rows
        if each["value"]
        and (each["metric"] in MUST_BE_ZERO or (each["metric"] == "read otherwise" and each["method"] == "our format"))
    ]


def alter(name: str, n: int, seed: int, tell: Callable[[str], object] = lambda _: None) -> Counter[str]:
    """Return how often reading an altered example ended how.

    Parameters
    ----------
    name : str
        Of an example.
    n : int
        Mutations.
    seed : int
    tell : callable
        Gets a line about each outcome that is a fault, or may be one.
    """
    counts: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
    done = 0
    while done < n:
        process = subprocess.Popen(
            calling(f"{__name__}:read_altered", name, done, n, seed), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        with process, contextlib.closing(process.stdout) as said:  # type: ignore[type-var]
            if not said.readline():  # type: ignore[union-attr]
                raise RuntimeError(f"the example {name!r} could not be written and read before it was altered")
            for line in said:  # type: ignore[union-attr]
                outcome, told = json.loads(line)
                counts[outcome] += 1
                done += 1
                if told:
                    tell(f"{name}, mutation {done - 1}: {outcome}: {told}")
        if done < n and process.returncode:
            counts["hang" if process.returncode == -signal.SIGALRM else "crash"] += 1
            tell(f"{name}, mutation {done}: ended with {process.returncode}")
            done += 1
    return counts


def read_altered(name: str, first: int, stop: int, seed: int) -> None:
    """Be the process that reads: make the mutations from the first on, and write how each ended."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    example = examples()[name]
    with tempfile.TemporaryDirectory() as parent:
        (Path(parent) / "written").mkdir()
        written = example.make(Path(parent) / "written")
        wanted = digest(example.read(written))
        allowed = {digest(each) for each in example.earlier(written)} if example.earlier else set()
        _say(["ready"])
        for number in range(first, stop):
            shutil.rmtree(Path(parent) / "altered", ignore_errors=True)
            shutil.copytree(Path(parent) / "written", Path(parent) / "altered")
            path = Path(parent) / "altered" / written.name
            how = _alter_one(path, np.random.default_rng([seed, number]))
            signal.alarm(_SECONDS)  # which ends the process, whatever it does
            outcome, told = _outcome(example, path, wanted, allowed)
            signal.alarm(0)
            _say([outcome, f"{how}: {told}" if told else ""])


def _say(what: list[str]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _outcome(example: Example, path: Path, wanted: str, allowed: set[str]) -> tuple[str, str]:
    """Return how reading ended, and of what may be a fault what was said."""
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            found = digest(example.read(path))
    except (ValueError, OSError, ImportError) as error:
        ours = type(error).__module__.startswith("interlingua") or type(error) in (ValueError, FileNotFoundError)
        if not ours:
            return "raw error", f"{type(error).__name__}: {error}"
        named = (str(path) if path.is_dir() else path.name) in str(error)
        return ("refused by name", "") if named else ("refused without name", str(error))
    except Exception as error:  # whatever it is, it is counted and told
        return "raw error", f"{type(error).__name__}: {error}"
    if found == wanted:
        return "read as written", ""
    if found in allowed:
        return "read up to a cut", ""
    if warned:
        return "read with a warning", ""
    return "read otherwise", "" if not example.own else "other data"


def _alter_one(path: Path, rng: np.random.Generator) -> str:
    """Alter one file at one place, and return how."""
    files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
    if path.is_file():
        files = sorted(path.parent.iterdir())  # a note beside it
    files = [each for each in files if each.name != _NOT_ALTERED and each.stat().st_size]
    file = files[int(rng.integers(len(files)))]
    before = file.read_bytes()
    while True:
        change = _CHANGES[int(rng.integers(len(_CHANGES)))]
        after = change(bytearray(before), rng)
        if after != before:
            file.write_bytes(after)
            return f"{change.__name__.strip('_')} in {file.name}"


def _flip(content: bytearray, rng: np.random.Generator) -> bytes:
    content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    return bytes(content)


def _cut(content: bytearray, rng: np.random.Generator) -> bytes:
    return bytes(content[: int(rng.integers(len(content)))])


def _take_out(content: bytearray, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(len(content)))
    del content[start : start + int(rng.integers(1, 9))]
    return bytes(content)


def _put_in(content: bytearray, rng: np.random.Generator) -> bytes:
    place = int(rng.integers(len(content) + 1))
    content[place:place] = rng.bytes(int(rng.integers(1, 9)))
    return bytes(content)


def _exchange(content: bytearray, rng: np.random.Generator) -> bytes:
    one, other = rng.integers(len(content), size=2).tolist()
    content[one], content[other] = content[other], content[one]
    return bytes(content)


def _edit_header(content: bytearray, rng: np.random.Generator) -> bytes:
    """Write another digit where one stands near the beginning, or another byte."""
    digits = [place for place, each in enumerate(content[:_HEADER]) if 48 <= each <= 57]
    if digits and rng.random() < 0.7:
        content[digits[int(rng.integers(len(digits)))]] = int(rng.integers(48, 58))
    else:
        content[int(rng.integers(min(len(content), _HEADER)))] = int(rng.integers(256))
    return bytes(content)


def _repeat(content: bytearray, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(len(content)))
    part = content[start : start + int(rng.integers(1, 65))]
    content[start:start] = part
    return bytes(content)


_CHANGES = (_flip, _cut, _take_out, _put_in, _exchange, _edit_header, _repeat)
