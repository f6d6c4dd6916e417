"""Input files cut into shards, and the records of a shard, one after the other."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.align.arrays import require
from interlingua.pipelines.texts.lines import decode_line
from interlingua.pipelines.texts.passages import UNDETERMINED, Passage, read_passages

_LINES = (".jsonl", ".txt", ".tsv")
_SUFFIXES = (*_LINES, ".parquet", ".npy")
_SHARD_BYTES = {".npy": 256 << 20, ".parquet": 64 << 20}
_TEXT_BYTES = 16 << 20  # of text: some 160,000 sentences
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Span:
    """A part of one file.

    Attributes
    ----------
    path : str
        Absolute.
    name : str
        What ids of its records begin with; empty where there is one file only.
    begin, end : int
        Bytes of a file of lines, rows of an ``.npy`` or ``.parquet`` file.
    first : int
        Number of the first line or row, from 1.
    sha256 : str
        Of the bytes of the span; for ``.npy`` and ``.parquet``, of the whole file.
    """

    path: str
    name: str
    begin: int
    end: int
    first: int
    sha256: str


Shard = tuple[Span, ...]


def cut_shards(paths: Sequence[str | Path], shards: int | None = None) -> list[Shard]:
    """Cut files into shards of about equal size, at the ends of lines or rows; reads every byte once.

    Parameters
    ----------
    paths : sequence of paths
        ``.jsonl``, ``.tsv`` (its first line names the columns), ``.txt``, ``.parquet`` or ``.npy``; in this order.
    shards : int, optional
        How many; by default one for each 16 MB of text, 64 MB of Parquet or 256 MB of vectors. There may come out
        fewer, where there are too few lines.

    Raises
    ------
    ValueError
        If there is no file, one is there twice, holds nothing, or has another suffix; or texts and vectors are mixed.
    """
    files = [Path(path).absolute() for path in paths]
    if not files or len(set(files)) < len(files):
        raise ValueError(f"a build needs input files, each once, but got {len(files)}: {[str(each) for each in files]}")
    for file in files:
        if file.suffix not in _SUFFIXES:
            raise ValueError(f"{file} has no suffix of a format that is read here: {', '.join(_SUFFIXES)}")
        if not file.is_file():
            raise FileNotFoundError(f"no input file at {file}")
    if len({file.suffix == ".npy" for file in files}) > 1:
        raise ValueError("texts and vectors (.npy) cannot go into one collection; build two")
    if shards is not None and shards < 1:
        raise ValueError(f"shards must be at least 1, but is {shards}")
    weights = [file.stat().st_size / _SHARD_BYTES.get(file.suffix, _TEXT_BYTES) for file in files]
    each = sum(weights) / shards if shards else 1.0
    names = [""] if len(files) == 1 else _names(files)
    cut: list[list[Span]] = [[]]
    room = each
    for file, name, weight in zip(files, names, weights):
        per_byte = weight / max(file.stat().st_size, 1)
        cutter = _cut_lines if file.suffix in _LINES else _cut_rows
        for span, share in cutter(file, name, room / per_byte, each / per_byte):
            if room <= each * 1e-6 and cut[-1]:
                cut.append([])
                room = each
            cut[-1].append(span)
            room -= share * per_byte
    made = [tuple(spans) for spans in cut if spans]
    if not made:
        raise ValueError(f"the input holds no record: {', '.join(map(str, files))}")
    return made


def read_passages_of(shard: Shard, language: str | None) -> Iterator[Passage]:
    """Yield the records of a shard of texts; without an id of its own, a record is called by file and line.

    Raises
    ------
    ValueError
        If a record cannot be read, or a file is not what it was when it was cut.
    """
    for span in shard:
        path = Path(span.path)
        rows = _parquet_rows(span) if path.suffix == ".parquet" else _line_rows(span)
        for number, line in rows:
            where = f"{path.name}, line {number}"
            try:
                (passage,) = read_passages([line], name="", language=language)
            except ValueError as error:
                raise ValueError(str(error).replace(", line 1", where, 1)) from error
            own = json.loads(line).get("id") is not None
            yield (
                passage
                if own
                else Passage(_id(span, number), passage.text, passage.language or UNDETERMINED, passage.metadata)
            )


def read_vectors_of(shard: Shard) -> tuple[list[str], "np.ndarray[Any, np.dtype[np.float32]]"]:
    """Return ids and vectors (n, d) of a shard of ``.npy`` files."""
    ids: list[str] = []
    parts = []
    for span in shard:
        rows = np.load(span.path, mmap_mode="r", allow_pickle=False)
        parts.append(np.array(rows[span.begin : span.end], np.float32))
        ids += [_id(span, number) for number in range(span.first, span.first + len(parts[-1]))]
    return ids, np.concatenate(parts)


def _id(span: Span, number: int) -> str:
    return f"{span.name}:{number}" if span.name else str(number)


def _names(files: list[Path]) -> list[str]:
    names = [file.name for file in files]
    return names if len(set(names)) == len(names) else [str(file) for file in files]


def _cut_lines(file: Path, name: str, first_room: float, room: float) -> Iterator[tuple[Span, float]]:
    begin = position = 0
    first = number = 1
    digest, target = hashlib.sha256(), first_room
    with file.open("rb") as lines:
        for line in lines:
            position += len(line)
            number += 1
            digest.update(line)
            if position - begin >= target:
                yield Span(str(file), name, begin, position, first, digest.hexdigest()), max(position - begin, target)
                begin, first, target, digest = position, number, room, hashlib.sha256()
    if position > begin:
        yield Span(str(file), name, begin, position, first, digest.hexdigest()), position - begin


def _cut_rows(file: Path, name: str, first_room: float, room: float) -> Iterator[tuple[Span, float]]:
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if file.suffix == ".npy":
        array = np.load(file, mmap_mode="r", allow_pickle=False)
        if array.ndim != 2 or array.dtype.kind != "f":
            raise ValueError(f"{file} must hold one vector a row, but holds {array.dtype} of shape {array.shape}")
        n_rows = len(array)
    else:
        n_rows = require("pyarrow.parquet", extra="parquet").ParquetFile(file).metadata.num_rows
    each = file.stat().st_size / max(n_rows, 1)
    begin, target = 0, first_room
    while begin < n_rows:
        end = min(n_rows, begin + max(1, round(target / each)))
        yield Span(str(file), name, begin, end, begin + 1, digest), max((end - begin) * each, target * (end < n_rows))
        begin, target = end, room


def _line_rows(span: Span) -> Iterator[tuple[int, str]]:
    path = Path(span.path)
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        head = decode_line(stream.readline(), 1, path.name).split("\t") if path.suffix == ".tsv" else []
        if path.suffix == ".tsv" and "text" not in head:
            raise ValueError(f"{path.name}: its first line must name the columns, one of them text, but is {head}")
        stream.seek(span.begin)
        number = span.first
        while stream.tell() < span.end:
            raw = stream.readline()
            digest.update(raw)
            line = decode_line(raw, number, path.name)
            if line.strip() and not (head and number == 1):
                yield number, _as_json(line, path, head, number)
            number += 1
    if digest.hexdigest() != span.sha256:
        raise ValueError(f"{path} changed while the build ran; start the build anew")


def _as_json(line: str, path: Path, head: list[str], number: int) -> str:
    if path.suffix == ".jsonl":
        return line
    cells = line.split("\t") if head else [line]
    if head and len(cells) != len(head):
        raise ValueError(f"{path.name}, line {number}: expected {len(head)} columns, but there are {len(cells)}")
    return json.dumps(dict(zip(head or ["text"], cells)), ensure_ascii=False)


def _parquet_rows(span: Span) -> Iterator[tuple[int, str]]:
    file = require("pyarrow.parquet", extra="parquet").ParquetFile(span.path)
    position = 0
    for group in range(file.metadata.num_row_groups):
        n_rows = file.metadata.row_group(group).num_rows
        if position < span.end and position + n_rows > span.begin:
            table = file.read_row_group(group)
            start = max(span.begin - position, 0)
            stop = min(span.end - position, n_rows)
            for offset, record in enumerate(table.slice(start, stop - start).to_pylist()):
                kept = {key: value for key, value in record.items() if value is not None}
                yield position + start + offset + 1, json.dumps(kept, ensure_ascii=False)
        position += n_rows
