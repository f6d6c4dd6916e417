"""What all commands share: output, named files, input lines, threads."""

import json
import os
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.table import Table

__all__ = ["Output", "Subcommands", "UsageError", "add_command", "limit_threads", "named_file", "open_lines", "shorten", "table"]

Subcommands = _SubParsersAction  # argparse has no public name for what add_subparsers returns


class UsageError(ValueError):
    """The arguments do not fit together."""


class Output:
    """Results to standard output, as JSON or as a table; everything else to standard error.

    Parameters
    ----------
    as_json : bool
        Results as one JSON value.
    quiet : bool
        No notes and no progress; results and errors only.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        # beyond a terminal there is no width to fit into: do not cut what another program reads
        self._console = Console(width=None if sys.stdout.isatty() else 160, soft_wrap=not sys.stdout.isatty())
        self._notes = Console(stderr=True, quiet=quiet)

    @property
    def progress(self) -> bool:
        """Whether to show progress bars."""
        return not self.quiet and sys.stderr.isatty()

    def result(self, value: Any, show: Callable[[], Iterable[Any]]) -> None:
        """Print `value` as JSON, or what `show` gives, each through rich."""
        if self.as_json:
            sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=1) + "\n")
            return
        for each in show():
            self._console.print(each, highlight=False, markup=False)

    def note(self, text: str) -> None:
        """Say something on standard error, unless quiet."""
        self._notes.print(text, highlight=False, markup=False)

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Show that something goes on, where there is a terminal to see it."""
        if self.progress:
            with self._notes.status(text):
                yield
        else:
            yield


def add_command(
    commands: "Subcommands[ArgumentParser]", name: str, run: Callable[[Namespace, Output], None], summary: str
) -> ArgumentParser:
    """Add a command with the options that every command takes."""
    parser = commands.add_parser(name, help=summary, description=summary)
    common = parser.add_argument_group("common options")
    common.add_argument("--json", action="store_true", help="print the result as JSON")
    common.add_argument("--quiet", action="store_true", help="no notes and no progress")
    common.add_argument("--seed", type=int, default=0, help="for what is drawn at random (default 0)")
    common.add_argument("--threads", type=_positive, help="use at most this many threads")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(run=run)
    return parser


def table(*columns: str, rows: Iterable[Iterable[object]] = (), title: str | None = None) -> Table:
    """Return a rich table of strings; columns whose name ends in ``>`` are set to the right."""
    made = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        made.add_column(column.rstrip(">"), justify="right" if column.endswith(">") else "left", overflow="fold")
    for row in rows:
        made.add_row(*(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row))
    return made


def shorten(text: str, width: int) -> str:
    """Return at most `width` characters, the last an ellipsis where the text was cut.

    Examples
    --------
    >>> shorten("everyone has the right", 12)
    'everyone ha…'
    """
    return text if len(text) <= width else text[: width - 1] + "…"


def named_file(argument: str, *, named: bool = False) -> tuple[str, str]:
    """Split ``NAME=FILE``; a bare file is named by its stem up to the first dot, in lower case.

    Raises
    ------
    UsageError
        If `named` and there is no name.

    Examples
    --------
    >>> named_file("fr=vectors/cc.fr.300.vec"), named_file("data/EN.vec"), named_file("en.glove.txt.gz")
    (('fr', 'vectors/cc.fr.300.vec'), ('en', 'data/EN.vec'), ('en', 'en.glove.txt.gz'))
    """
    name, equals, path = argument.partition("=")
    if equals and name and path and not Path(argument).exists():
        return name, path
    if named:
        raise UsageError(f"expected LANGUAGE=FILE, such as en=vectors.npy, but got {argument!r}")
    return Path(argument).name.split(".")[0].lower() or argument, argument


@contextmanager
def open_lines(path: str) -> Iterator[Iterator[str]]:
    """Yield the lines of a UTF-8 text without their ends; ``-`` is standard input.

    Raises
    ------
    ValueError
        If a line is not UTF-8, naming it.
    """
    if path == "-":
        yield _decoded(sys.stdin.buffer, "standard input")
    else:
        with Path(path).open("rb") as file:
            yield _decoded(file, path)


def limit_threads(threads: int | None) -> None:
    """Hold NumPy's, FAISS's and torch's pools to a number of threads, loaded already or not yet."""
    if threads is None:
        return
    from threadpoolctl import threadpool_limits

    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(threads)
    threadpool_limits(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def _decoded(file: IO[bytes], name: str) -> Iterator[str]:
    for number, raw in enumerate(file, start=1):
        try:
            # only \n and \r\n end a line: str.splitlines would also cut at U+2028, which occurs in texts
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\n").rstrip("\r")
        except UnicodeDecodeError as error:
            raise ValueError(f"{name}, line {number}: the text must be UTF-8 ({error.reason}); convert it") from error
        yield line


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number
