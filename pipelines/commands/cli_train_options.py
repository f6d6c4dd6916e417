"""What the commands that train share: sentence pairs, the folder of a run, resuming and costs."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Literal

from interlingua.pipelines.texts.pairs import Pairs, read_pairs

from .arguments import UsageError
from .legacy import count
from .output import Output


def add_pair_options(parser: ArgumentParser, *, required: bool) -> None:
    """Add the options that name files of sentence pairs."""
    group = parser.add_argument_group("sentence pairs")
    group.add_argument(
        "--pairs",
        nargs="+",
        action="extend",
        default=None if required else [],
        required=required,
        metavar="SOURCE-TARGET=FILE",
        help="TSV, TMX or JSON lines, with or without gzip; Moses files by their prefix or as FILE,FILE; the languages "
        "may be left out where the file names them, as in en-sw=corpus.tsv or corpus.tmx",
    )
    group.add_argument("--pairs-format", choices=["tsv", "moses", "tmx", "jsonl"], help="default: by the file's name")
    group.add_argument("--max-pairs", type=count, metavar="N", help="use the first N pairs of each file")
    group.add_argument("--skip-malformed", action="store_true", help="drop malformed lines instead of stopping")


def add_run_options(parser: ArgumentParser) -> None:
    """Add the options of a run that makes a folder: where, on what, resumed, or only its cost."""
    group = parser.add_argument_group("run")
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, ... (default auto)")
    group.add_argument("--resume", action="store_true", help="go on with a run that was interrupted")
    group.add_argument("--max-minutes", type=float, metavar="M", help="save and stop after so long, to be resumed")
    group.add_argument("--dry-run", action="store_true", help="measure a few steps, say what the run costs, and stop")
    group.add_argument("-o", "--output", required=True, metavar="FOLDER", help="the folder to make")


def named_pairs(argument: str) -> tuple[str, tuple[str, str] | None]:
    """Split ``SOURCE-TARGET=FILE``; languages that hold a hyphen themselves are parted by a colon.

    Raises
    ------
    UsageError
        If what stands before the equals sign are no two languages.

    Examples
    --------
    >>> named_pairs("en-sw=bible.tsv"), named_pairs("zh-Hans:en=a.tmx"), named_pairs("b.jsonl")
    (('bible.tsv', ('en', 'sw')), ('a.tmx', ('zh-Hans', 'en')), ('b.jsonl', None))
    """
    named, equals, path = argument.partition("=")
    # subtle: a folder may be called run=3, and a language holds no slash
    if not equals or "/" in named or Path(argument).exists():
        return argument, None
    languages = tuple(named.split(":" if ":" in named else "-"))
    if len(languages) != 2 or not all(languages) or not path:
        raise UsageError(f"expected SOURCE-TARGET=FILE, such as en-sw=corpus.tsv, but got {argument!r}")
    return path, (languages[0], languages[1])


def open_pairs(options: Namespace) -> dict[str, Pairs]:
    """Return the files of `--pairs` by their names, none of them read yet."""
    on_malformed: Literal["raise", "skip"] = "skip" if options.skip_malformed else "raise"
    opened: dict[str, Pairs] = {}
    for argument in options.pairs or []:
        path, languages = named_pairs(argument)
        both = path.split(",") if "," in path and not Path(path).exists() else path
        opened[argument] = read_pairs(
            both,
            format=options.pairs_format,
            languages=languages,
            on_malformed=on_malformed,
            limit=options.max_pairs,
        )
    return opened


def note_pairs(opened: dict[str, Pairs], output: Output) -> None:
    """Say what was kept of each file, once they have been read."""
    for pairs in opened.values():
        output.note(pairs.report.summary())


def duration(seconds: float) -> str:
    """Return a time for people.

    Examples
    --------
    >>> duration(42), duration(200), duration(90000)
    ('42 s', '3.3 min', '25.0 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
