"""What all commands share: output, named files, input lines, threads."""

import json
import os
import sys
import tempfile
import warnings
from argparse import ArgumentParser, ArgumentTypeError, Namespace, _SubParsersAction
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table

from interlingua.align import SharedSpace, SpaceError
from interlingua.pipelines.texts.lines import input_name as input_name
from interlingua.pipelines.texts.lines import open_lines as open_lines

Subcommands = _SubParsersAction  # argparse has no public name for what add_subparsers returns

_UNBOUNDED = 100_000


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
        self._console = _console(sys.stdout)
        self._notes = _console(sys.stderr, quiet=quiet)

    @property
    def progress(self) -> bool:
        """Whether to show progress bars."""
        return not self.quiet and sys.stderr.isatty()

    def result(self, value: Any, show: Callable[[], Iterable[Any]]) -> None:
        """Print `value` as JSON, or what `show` gives, each through rich."""
        if self.as_json:
            unicode = (sys.stdout.encoding or "utf-8").lower().replace("-", "") == "utf8"
            sys.stdout.write(json.dumps(value, ensure_ascii=not unicode, indent=1) + "\n")
            return
        for each in show():
            self._console.print(each)

    def note(self, text: str) -> None:
        """Say something on standard error, unless quiet."""
        self._notes.print(text)

    @contextmanager
    def warnings_as_notes(self) -> Iterator[None]:
        """Say warnings in one line each, without the place in the code that they come from."""

        def show(message: Warning | str, *_: Any, **__: Any) -> None:
            self.note(f"warning: {' '.join(str(message).split())}")

        with warnings.catch_warnings():
            warnings.showwarning = show
            yield

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
    common.add_argument("--seed", type=_seed, default=0, metavar="N", help="for what is drawn at random (default 0)")
    common.add_argument("--threads", type=count, metavar="N", help="use at most this many threads")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(run=run)
    return parser


def table(*columns: str, rows: Iterable[Iterable[object]] = (), title: str | None = None) -> Table:
    """Return a rich table of strings; columns whose name ends in ``>`` are set to the right; no names, no header."""
    named = any(column.rstrip(">") for column in columns)
    made = Table(title=title, title_justify="left", header_style="bold", show_header=named, box=None, pad_edge=False)
    for column in columns:
        made.add_column(column.rstrip(">"), justify="right" if column.endswith(">") else "left", overflow="fold")
    for row in rows:
        made.add_row(*(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row))
    return made


def shorten(text: str, width: int) -> str:
    r"""Return one line of at most `width` characters, the last an ellipsis where the text was cut.

    Examples
    --------
    >>> shorten("everyone\nhas the right", 12)
    'everyone ha…'
    """
    text = " ".join(text.split())
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
    # subtle: a folder may be called run=3, and a language holds no slash
    if equals and name and path and "/" not in name and not Path(argument).exists():
        return name, path
    if named or argument == "-":
        raise UsageError(f"expected LANGUAGE=FILE, such as en=vectors.npy, but got {argument!r}")
    return Path(argument).name.split(".")[0].lower() or argument, argument


def check_output_file(path: str) -> None:
    """Refuse a place where no file can be written, before the work that leads up to it.

    Raises
    ------
    OSError
        If it is a folder, or its folder is not there or cannot be written.
    """
    if Path(path).is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file in it")
    if Path(path).exists() and not Path(path).is_file():
        return  # a pipe or a device, such as /dev/stdout, is written to directly
    if not Path(path).parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: the folder {Path(path).parent} does not exist; create it first")
    _check_writable(Path(os.path.realpath(path)).parent, path)


def check_output_folder(path: str) -> None:
    """Refuse a place where no folder can be made or written, before the work that leads up to it.

    Raises
    ------
    OSError
        If it is a file, lies in one, or cannot be written.
    """
    for place in (Path(path), *Path(path).absolute().parents):
        if place.is_dir():
            _check_writable(place, path)
            return
        if place.exists():
            raise NotADirectoryError(f"cannot write the folder {path}: {place} is a file; name another folder")


def require_collection(path: str) -> None:
    """Raise FileNotFoundError, with the command that makes one, where no collection was saved."""
    from interlingua.index.folder import MANIFEST_NAME

    if not (Path(path) / MANIFEST_NAME).is_file():
        raise FileNotFoundError(f"no collection at {path}; `interlingua index build` makes one")


def require_language(space: SharedSpace, language: str, path: str) -> None:
    """Raise SpaceError, with the languages that there are, if a space of that file lacks a language."""
    if not space.covers(language):
        raise SpaceError(f"{path} has no language {language!r}; it has: {', '.join(space.languages)}")


def limit_threads(threads: int | None) -> None:
    """Hold NumPy's, FAISS's and torch's pools to a number of threads, loaded already or not yet."""
    if threads is None:
        return
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(threads)
    threadpool_limits(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def _check_writable(folder: Path, path: str) -> None:
    try:
        # subtle: permissions do not tell of a read-only disk, nor of what the owner of the machine may do
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise PermissionError(
            f"cannot write {path}: {folder} cannot be written ({reason}); name another place"
        ) from error


def count(text: str) -> int:
    """Return the whole number in an argument, at least 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"expected a whole number of at least 1, but got {text!r}")
    return int(text)


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) >= 2**32:
        raise ArgumentTypeError(f"expected a whole number from 0 to {2**32 - 1}, but got {text!r}")
    return int(text)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # rich would exit with 1; `main` knows better


def _console(file: TextIO, *, quiet: bool = False) -> Console:
    """Return a console that prints texts as they are: no markup, no emoji codes, no highlighting."""
    terminal = file.isatty()
    # beyond a terminal there is no width to fit into: do not fold what another program reads
    width = None if terminal else _UNBOUNDED
    return _Console(
        file=file, width=width, soft_wrap=not terminal, quiet=quiet, markup=False, emoji=False, highlight=False
    )
