"""The service under load: many connections, then with changes meanwhile, then killed.

    python -m interlingua.benchmarks serve_load --seconds 60 --passages 20000

``interlingua serve`` runs in a process of its own on 127.0.0.1 over a collection of random unit vectors with short
texts, so that no hour goes into encoding passages; questions are different texts, which the bundled encoder encodes.
The client holds so many connections, on each of which one question follows the other; it shares the cores with the
service. *Of the encoder* is the share of what the encoder alone does of the same questions in batches of 64, measured
right before and right after on the same machine, without a service; what else the machine does falls on both.

*Killed*: while questions are asked, one more connection adds and removes passages one by one. Then the process gets
SIGKILL, and the folder is read: every passage whose adding was answered must be there, and none whose removal was.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.benchmarks.harness.measure import Case
from interlingua.index import Collection
from interlingua.pipelines.encoders.base import encoder_for
from interlingua.pipelines.encoders.load import load_encoder
from interlingua.pipelines.search.languages import everyday_questions
from interlingua.pipelines.search.parts import SearchParts, write_search
from interlingua.pipelines.search.ranked import laid_out, ranked_collection
from interlingua.pipelines.stored import EncoderNote

_BATCH, _ALONE = 64, 512  # questions at once, and of the encoder alone
_MUCH_LATER = 60.0  # seconds
_LANGUAGES = ("en", "sw", "zh", "fi")


def run(seconds: float = 60.0, connections: int = 64, passages: int = 20_000) -> Iterator[Case]:
    """Ask, ask while others change, and kill.

    Parameters
    ----------
    seconds : float
        Of asking; half of that with changes.
    connections : int
        That ask at the same time.
    passages : int
        In the collection.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "load"
        _make(place, passages)
        data = f"{passages} passages, {connections} connections"
        before = _alone()
        with _serving(place) as (port, process):
            asyncio.run(_asked(port, connections, 2.0, 0))  # the encoder is loaded
            start = _resident(process)
            times, failed, _ = asyncio.run(_asked(port, connections, seconds, 1))
            grown = _resident(process) - start
            changed, failed_then, told = asyncio.run(_asked(port, connections, seconds / 2, 2, kill=process))
            process.wait(30)
        alone = (before + _alone()) / 2
        yield _case("under load", data, "questions alone", times, failed, seconds, alone, grown)
        yield _case("under load", data, "with changes", changed, failed_then, seconds / 2, alone, None)
        ids = set(Collection.load(place).ids)
        figures = {
            "passages acknowledged": float(len(told["added"])),
            "of these lost": float(len(told["added"] - told["asked"] - ids)),
            "removals acknowledged": float(len(told["removed"])),
            "of these there": float(len(told["removed"] & ids)),
        }
        n = len(told["added"]) + len(told["removed"])
        yield Case(task="killed", data=data, method="SIGKILL while it writes", figures=figures, n=n)


def _case(
    task: str, data: str, method: str, times: list[float], failed: int, seconds: float, alone: float, grown: Any
) -> Case:
    rate = len(times) / seconds
    figures = {
        "questions a second": rate,
        "of the encoder %": 100 * rate / alone,
        "p50 ms": 1000 * float(np.percentile(times, 50)),
        "p99 ms": 1000 * float(np.percentile(times, 99)),
        "failed": float(failed),
        **({} if grown is None else {"memory grown MB": grown}),
    }
    return Case(task=task, data=data, method=method, figures=figures, n=len(times), seconds=seconds)


def _make(place: Path, passages: int) -> None:
    """Write a search over random vectors, as if the bundled encoder had made them."""
    encoder = load_encoder(cache=False)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(passages, encoder.dimension)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    collection = ranked_collection("flat", encoder.dimension)
    about = [{"text": f"passage number {n}", "language": _LANGUAGES[n % 4], "year": n % 30} for n in range(passages)]
    folded = laid_out(rows, np.zeros(passages, np.float32), folded=True)
    collection.add([f"p{number}" for number in range(passages)], folded, about)
    write_search(place, SearchParts(collection, None, None, {}, 10), EncoderNote.of(encoder))


def _questions(part: int) -> Iterator[str]:
    number, texts = 0, everyday_questions()
    while True:
        yield f"{texts[number % len(texts)]} {part}-{number}"
        number += 1


def _alone() -> float:
    """Return how many questions a second the encoder alone encodes."""
    encoder = encoder_for(load_encoder(cache=False), _BATCH)
    asked = _questions(9)
    batches = [[next(asked) for _ in range(_BATCH)] for _ in range(_ALONE // _BATCH)]
    encoder.encode(batches[0], role="query")
    begun = time.perf_counter()
    for batch in batches:
        encoder.encode(batch, role="query")
    return _ALONE / (time.perf_counter() - begun)


@contextlib.contextmanager
def _serving(place: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "interlingua.pipelines.commands.main", "serve", str(place), "--port", "0"]
    process = subprocess.Popen([*command, "--data", str(place.parent / "data")], stderr=subprocess.PIPE, text=True)
    try:
        for line in process.stderr or ():
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                # the rest of what it says must be read, or it would wait for a reader
                threading.Thread(target=lambda: list(process.stderr or ()), daemon=True).start()
                yield int(found[1]), process
                return
        raise RuntimeError("the service did not start")
    finally:
        process.kill()
        process.wait(30)


def _resident(process: subprocess.Popen[str]) -> float:
    """Return the memory of a process in MB."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def _asked(
    port: int, connections: int, seconds: float, part: int, *, kill: subprocess.Popen[str] | None = None
) -> tuple[list[float], int, dict[str, set[str]]]:
    """Ask on so many connections, and return the seconds of each answer, how many failed, and what was changed.

    With a process to kill, one more connection changes the collection, and at the end all are cut off in the middle.
    """
    texts, end = _questions(part), time.perf_counter() + seconds + (0 if kill is None else _MUCH_LATER)
    times: list[float] = []
    failed = 0
    told: dict[str, set[str]] = {"added": set(), "removed": set(), "asked": set()}

    async def ask() -> None:
        nonlocal failed
        async with _cut_off(), _Connection(port) as connection:
            while time.perf_counter() < end:
                begun = time.perf_counter()
                status, answer = await connection.post("/v1/search", {"query": next(texts), "k": 10})
                times.append(time.perf_counter() - begun)
                failed += status != 200 or len(json.loads(answer)["hits"]) != 10

    async def write() -> None:
        number = 0
        async with _cut_off(), _Connection(port) as connection:
            while time.perf_counter() < end:
                number += 1
                name = f"new{number}"
                passage = {"id": name, "text": f"a new passage {number}", "language": "en"}
                status, _ = await connection.post("/v1/collections/load/passages", {"passages": [passage]})
                if status == 200:
                    told["added"].add(name)
                if number % 3 == 0:
                    told["asked"].add(name)
                    status, _ = await connection.post("/v1/collections/load/remove", {"ids": [name]})
                    if status == 200:
                        told["removed"].add(name)

    async def cut() -> None:
        await asyncio.sleep(seconds)
        if kill is not None:
            kill.send_signal(signal.SIGKILL)

    changing = [] if kill is None else [write(), cut()]
    await asyncio.gather(*(ask() for _ in range(connections)), *changing)
    return times, failed, told


@contextlib.asynccontextmanager
async def _cut_off() -> AsyncIterator[None]:
    """End where the process at the other side has gone."""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        yield


class _Connection:
    """One connection that is kept; leaner than a client, since it shares the cores with the service."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> "_Connection":
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def post(self, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        content = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        self._writer.write(f"{head}content-length: {len(content)}\r\n\r\n".encode() + content)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = re.search(r"content-length: (\d+)", answer, re.IGNORECASE)
        return int(answer[9:12]), await self._reader.readexactly(int(length[1]) if length else 0)
