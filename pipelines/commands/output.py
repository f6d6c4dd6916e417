"""What a command says: results to standard output, all else to standard error."""

import json
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table

_UNBOUNDED = 100_000


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
