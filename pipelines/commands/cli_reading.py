"""Options and readers of word vectors and dictionaries that several commands share."""

import sys
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from interlingua.align import Embeddings, SeedDictionary
from interlingua.align.word.reranking.ranking import CandidateRanking
from interlingua.pipelines.texts.lines import input_name
from interlingua.pipelines.texts.vectors import read_vectors
from interlingua.pipelines.translate.words import RANKING_SUFFIX

from .arguments import UsageError
from .legacy import count
from .output import Output


def add_reading_options(parser: ArgumentParser) -> None:
    """Add the options that say how much of a file is read, and how strictly."""
    parser.add_argument("--limit", type=count, metavar="N", help="read the first N rows of each file")
    parser.add_argument("--skip-malformed", action="store_true", help="drop malformed lines instead of stopping")


def read_dictionary(path: str, options: Namespace, output: Output) -> SeedDictionary:
    """Read translation pairs, ``-`` from standard input, and say what was read."""
    on_malformed: Literal["raise", "skip"] = "skip" if options.skip_malformed else "raise"
    with TemporaryDirectory() as folder:
        file = Path(path)
        if path == "-":
            file = Path(folder) / "standard-input"  # what errors call it
            file.write_bytes(sys.stdin.buffer.read())
        read = SeedDictionary.read(file, lowercase=options.lowercase, on_malformed=on_malformed)
    if read.report is not None:
        output.note(read.report.summary())
    return read


def read_ranking(space: str) -> CandidateRanking:
    """Read the ranking that was learned for a space, from the file beside it."""
    path = Path(space + RANKING_SUFFIX)
    if not path.exists():
        raise UsageError(f"--rerank needs {path}, which is not there; `interlingua align ... --rerank` writes it")
    return CandidateRanking.load(path)


def read_words(language: str, path: str, options: Namespace, output: Output) -> Embeddings:
    """Read labelled vectors and say what was read."""
    with output.working(f"reading {input_name(path)}"):
        read = read_vectors(path, limit=options.limit, skip_malformed=options.skip_malformed).embeddings
    if read is None:
        raise ValueError(f"{input_name(path)} holds vectors without words; give a file of word vectors, such as .vec")
    if getattr(options, "lowercase", False):
        read = read.lowercased()
    if read.report is not None:
        output.note(replace(read.report, path=input_name(path)).summary())
    return replace(read, space=language)
