"""What a command says: results to standard output, all else to standard error."""

import json
import math
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

_UNBOUNDED = 100_000
_ALIGNED = 40  # characters up to which columns stand below each other where no terminal bounds them


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


class Cells:
    """A table: fitted into a terminal, and whole where another program reads.

    Beyond a terminal texts are not cut, and columns are aligned up to 40 characters only, so that one long text does
    not pad the lines of all others; ``--json`` has the values for programs.

    Parameters
    ----------
    columns : sequence of str
        Names; one that ends in ``>`` is set to the right. Without any name there is no header.
    rows : list of list of str
    title : str, optional
        Above it.
    """

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[str]], title: str | None = None) -> None:
        self.names = [each.rstrip(">") for each in columns]
        self.right = [each.endswith(">") for each in columns]
        self.rows, self.title = rows, title

    def __rich_console__(self, console: Console, _: ConsoleOptions) -> RenderResult:
        if console.is_terminal:
            yield self._fitted()
            return
        for line in self._lines():
            yield Text(line)

    def _fitted(self) -> Table:
        named = any(self.names)
        made = Table(
            title=self.title, title_justify="left", header_style="bold", show_header=named, box=None, pad_edge=False
        )
        for name, right in zip(self.names, self.right, strict=True):
            made.add_column(name, justify="right" if right else "left", overflow="fold")
        for row in self.rows:
            made.add_row(*row)
        return made

    def _lines(self) -> Iterator[str]:
        if self.title:
            yield self.title
        whole = [[each.whole if isinstance(each, Shortened) else " ".join(each.split()) for each in row]
                 for row in self.rows]  # fmt: skip
        shown = [self.names, *whole] if any(self.names) else whole
        widths = [max(map(cell_len, column)) for column in zip(*shown)] if shown else []
        for row in shown:
            cells = [
                " " * max(min(width, _ALIGNED) - cell_len(cell), 0) + cell
                if right
                else cell + " " * max(min(width, _ALIGNED) - cell_len(cell), 0)
                for cell, width, right in zip(row, widths, self.right, strict=True)
            ]
            yield "  ".join(cells).rstrip()


def table(*columns: str, rows: Iterable[Iterable[object]] = (), title: str | None = None) -> Cells:
    """Return a table of texts; columns whose name ends in ``>`` are set to the right; no names, no header."""
    return Cells(columns, [[as_text(cell) for cell in row] for row in rows], title)


def flat_rows(about: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return names and values for a table of two columns; what lies in a mapping is named ``outer.inner``."""
    rows: list[tuple[str, str]] = []
    for key, value in about.items():
        if isinstance(value, Mapping):
            rows += flat_rows(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return rows


def as_text(value: object) -> str:
    """Return a value as a table shows it.

    Examples
    --------
    >>> as_text(0.25), as_text(None), as_text(True), as_text(["en", "fr"]), as_text({"en": 2, "fr": 0.5})
    ('0.250', '', 'yes', 'en, fr', 'en 2, fr 0.500')
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool) or type(value).__name__ == "bool":  # NumPy's too, without loading it
        return "yes" if value else "no"
    if isinstance(value, float) or type(value).__name__ in ("float32", "float16"):
        return f"{value:.3f}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {as_text(each)}" for key, each in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(as_text(each) for each in value)
    return str(value)


class Shortened(str):
    """A text that was cut for a terminal, and the `whole` of it."""

    whole: str


def shorten(text: str, width: int) -> Shortened:
    r"""Return one line of at most `width` characters, the last an ellipsis where the text was cut.

    Beyond a terminal a table shows the whole of it.

    Examples
    --------
    >>> shorten("everyone\nhas the right", 12), shorten("everyone\nhas the right", 12).whole
    ('everyone ha…', 'everyone has the right')
    """
    whole = " ".join(text.split())
    made = Shortened(whole if len(whole) <= width else whole[: width - 1] + "…")
    made.whole = whole
    return made


def finite(value: Any) -> Any:
    """Return a value as JSON can hold it: what is not known, or not finite, is None."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


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
