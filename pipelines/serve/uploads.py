"""Files that clients send: read as passages, and made to collections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from interlingua.pipelines.search.search import CrossLingualSearch
from interlingua.pipelines.texts.lines import numbered_lines
from interlingua.pipelines.texts.pairs import read_pairs
from interlingua.pipelines.texts.passages import Passage, read_passage_file

from .catalogue import Catalogue, ServedSearch
from .gate import Limits
from .jobs import Job, WatchedEncoder
from .problems import Refused

FileFormat = Literal["csv", "tsv", "jsonl", "tmx", "txt"]
_ENDINGS = {"ndjson": "jsonl", "json": "jsonl", "tab": "tsv", "text": "txt"}
_AT_ONCE = 256  # passages that are acknowledged together


@dataclass(frozen=True)
class Upload:
    """A file that has come in.

    Attributes
    ----------
    path : Path
        Where it lies, with the ending of its format.
    name : str
        What the client calls it.
    format : {"csv", "tsv", "jsonl", "tmx", "txt"}
    language : str or None
        Of passages that name none.
    columns : mapping of str to str
        Columns of a table, and whether they are text, language or id.
    """

    path: Path
    name: str
    format: FileFormat
    language: str | None
    columns: Mapping[str, str]

    def passages(self, limits: Limits, *, with_ids: bool) -> list[Passage]:
        """Read it.

        Raises
        ------
        ValueError
            If it is not of its format; with the line.
        Refused
            413 if it holds too many passages or too long ones.
        """
        if self.format == "tmx":
            found = list(_units(self.path))
        elif self.format == "txt":
            rows = numbered_lines(self.path, blank="skip")
            found = [Passage(str(number), text.strip(), self.language or "und") for number, text in rows]
        else:
            found = read_passage_file(self.path, language=self.language, columns=self.columns, with_ids=with_ids)
        if not found:
            raise ValueError(f"{self.name} holds no text")
        if len(found) > limits.passages:
            raise Refused(413, f"a file has at most {limits.passages} passages, but {len(found)} are here; cut it")
        long = next((each for each in found if len(each.text) > limits.characters), None)
        if long is not None:
            raise Refused(413, f"a text has at most {limits.characters} characters, but {long.id!r} has more; cut it")
        return found


def format_of(name: str, said: str | None = None) -> FileFormat:
    """Return the format of a file by what is said, or by its name.

    Raises
    ------
    Refused
        415 if it is none that is read.

    Examples
    --------
    >>> format_of("news.CSV"), format_of("x", "ndjson")
    ('csv', 'jsonl')
    """
    ending = (said or name.rpartition(".")[2]).lower()
    ending = _ENDINGS.get(ending, ending)
    for known in get_args(FileFormat):
        if known == ending:
            return known  # type: ignore[no-any-return]  # get_args is untyped
    raise Refused(415, f"a file is one of {', '.join(get_args(FileFormat))}, by its name or by `format`; convert it")


def building(catalogue: Catalogue, name: str, upload: Upload, limits: Limits, settings: Mapping[str, Any]) -> Job:
    """Return the work of making a collection of a file."""

    def work(job: Job) -> None:
        job.step("reading")
        passages = upload.passages(limits, with_ids=False)
        folder = catalogue.new_folder(name)
        watched = WatchedEncoder(catalogue.encoders.default, job, len(passages))
        search = CrossLingualSearch.build(passages, watched, **settings)
        job.step("saving", len(passages), len(passages))
        search.save(folder)
        catalogue.serve(name)
        job.rows = len(passages)

    return _job(name, upload, work)


def adding(served: ServedSearch, upload: Upload, limits: Limits) -> Job:
    """Return the work of adding a file's passages to a collection; each step is on the disk before the next."""

    def work(job: Job) -> None:
        job.step("reading")
        passages = upload.passages(limits, with_ids=True)
        for start in range(0, len(passages), _AT_ONCE):
            job.step("adding", start, len(passages))
            served.upsert(passages[start : start + _AT_ONCE])
            job.rows = min(start + _AT_ONCE, len(passages))

    return _job(served.name, upload, work)


def _job(name: str, upload: Upload, work: Callable[[Job], None]) -> Job:
    def tidied(job: Job) -> None:
        try:
            work(job)
        finally:
            upload.path.unlink(missing_ok=True)

    return Job(name, tidied, {str(upload.path): upload.name, str(upload.path.parent): ""})


def _units(path: Path) -> Iterator[Passage]:
    """Yield both sides of each pair of a translation memory, texts of several pairs once."""
    seen: set[tuple[str, str]] = set()
    for number, pair in enumerate(read_pairs(path), start=1):
        sides = ((pair.source_language, pair.source), (pair.target_language, pair.target))
        for language, text in sides:
            if (language, text) not in seen:
                seen.add((language, text))
                yield Passage(f"{number}-{language}", text, language, {"unit": number})
