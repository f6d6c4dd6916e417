"""Small compressed files that hold a line, a text, an array or mark-up without end.

    python -m interlingua.benchmarks bombs              # 512 MB each, unpacked
    python -m interlingua.benchmarks bombs --only TMX   # those whose name holds that; other rows stay

Each is read in a process of its own, which may take 3 GB of address space (as under ``ulimit -v``). A goal is missed if
one is not refused with its name. The files are made here, are harmless to whatever stores or copies them, and are gone
at the end.
"""

import bz2
import gzip
import io
import resource
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.align import Embeddings
from interlingua.benchmarks.harness.measure import Case, measured_apart

_MEMORY = 3 << 30
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Bomb:
    """A file of a name, its beginning, what follows without end, and what reads it."""

    file: str
    head: bytes
    unit: bytes
    read: Callable[[Path], Any]


def _pairs(path: Path) -> Any:
    from interlingua.pipelines.texts import read_pairs

    return sum(1 for _ in read_pairs(path, languages=("en", "fr")))


def _entities(path: Path) -> Any:
    from interlingua.pipelines.link.sources import read_entity_table

    return read_entity_table(path)


def _wikidata(path: Path) -> Any:
    from interlingua.pipelines.link.sources import read_wikidata

    return sum(1 for _ in read_wikidata(path))


def _passages(path: Path) -> Any:
    from interlingua.pipelines.texts.passages import read_passage_file

    return read_passage_file(path)


def _graph(path: Path) -> Any:
    from interlingua.pipelines.graphs import read_graph

    return read_graph(path)


BOMBS = {
    "word2vec: one line": Bomb("a.vec.gz", b"2 3\nword ", b"1", Embeddings.read),
    "word2vec: blank lines": Bomb("a.vec.gz", b"2 3\n", b"\n", Embeddings.read),
    "word2vec binary: one label": Bomb("a.bin.gz", b"2 3\n", b"x", Embeddings.read),
    "npz: one array": Bomb("a.npz", b"", b"\0", Embeddings.read),
    "pairs, TSV: one text": Bomb("a.tsv.gz", b"en\tfr\nsun\t", b"x", _pairs),
    "passages, JSON lines: one text": Bomb("a.jsonl.gz", b'{"text": "', b"x", _passages),
    "TMX: one text": Bomb("a.tmx.gz", b'<tmx><tu><tuv xml:lang="en"><seg>', b"x", _pairs),
    "TMX: one tag": Bomb("a.tmx.gz", b'<tmx version="', b"x", _pairs),
    "TMX: elements in each other": Bomb("a.tmx.gz", b"<tmx>", b"<a>", _pairs),
    "entities, CSV: one row of many lines": Bomb("a.csv.gz", b"id,name\n1", b',"a\n"', _entities),
    "entities, CSV in bzip2: one line": Bomb("a.csv.bz2", b"id,name\n1,", b"x", _entities),
    "Wikidata in bzip2: one text": Bomb("a.json.bz2", b'[\n{"id": "', b"x", _wikidata),
    "N-Triples: one text": Bomb("a.nt.gz", b'<http://a> <http://b> "', b"x", _graph),
    "Turtle: one text": Bomb("a.ttl.gz", b'<http://a> <http://b> """', b"x\n", _graph),
    "Turtle: brackets": Bomb("a.ttl.gz", b"<http://a> <http://b> ", b"( ", _graph),
}


def run(only: str = "", megabytes: int = 512) -> Iterator[Case]:
    """Read the bombs whose name holds `only`, of so many megabytes when they are unpacked."""
    for name in [each for each in BOMBS if only in each]:
        found = measured_apart(f"{__name__}:read_bomb", name, megabytes, threads=1)
        used = found.pop("process")
        figures = {
            "MB packed": found["packed"],
            "refused by name": found["refused"],
            "seconds to refuse": found["seconds"],
        }
        yield Case(task="bombs", data=name, method=f"{megabytes} MB unpacked", n=1, seconds=used["seconds"],
                   figures={**figures, "peak MB": used["peak_mb"]}, peak_mb=used["peak_mb"])  # fmt: skip


def missed(rows: list[dict[str, Any]]) -> list[str]:
    """Say what was not refused."""
    return [
        f"{each['data']}: not refused by name"
        for each in rows
        if each["metric"] == "refused by name" and not each["value"]
    ]


def read_bomb(name: str, megabytes: int) -> dict[str, float]:
    """Write a bomb, and read it with little memory; return how that ended, the MB of the file and the seconds."""
    bomb = BOMBS[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / bomb.file
        write_bomb(path, bomb, megabytes)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        begun = time.perf_counter()
        refused = 0
        try:
            bomb.read(path)
        except ValueError as error:
            refused = int(path.name in str(error))
        except MemoryError:
            pass
        return {
            "refused": refused,
            "packed": path.stat().st_size / 1e6,
            "seconds": time.perf_counter() - begun,
        }


def write_bomb(path: Path, bomb: Bomb, megabytes: int) -> None:
    """Write a bomb that holds so many megabytes."""
    block = bomb.unit * (_BLOCK // len(bomb.unit))
    if path.suffix == ".npz":
        size = megabytes * _BLOCK // 16
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": (size, 4)})
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("vectors.npy", "w") as member:
            _fill(member, head.getvalue(), block, megabytes)
        return
    with gzip.open(path, "wb") if path.suffix == ".gz" else bz2.open(path, "wb") as file:
        _fill(file, bomb.head, block, megabytes)


def _fill(file: Any, head: bytes, block: bytes, times: int) -> None:
    file.write(head)
    for _ in range(times):
        file.write(block)
