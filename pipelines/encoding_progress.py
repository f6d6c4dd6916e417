"""A progress bar for encoding, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["encoding_progress"]


@contextmanager
def encoding_progress(total: int, *, show: bool) -> Iterator[Callable[[int], None]]:
    """Yield a function that advances the bar by a number of texts; does nothing unless `show`."""
    if not show or total == 0:
        yield lambda _n: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("encoding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=console.is_terminal) as bar:  # a log keeps one line
        task = bar.add_task("encoding", total=total)
        yield lambda n: bar.advance(task, n)
