"""Methods by the names that the command line and saved spaces use."""

from collections.abc import Callable
from typing import Any, Protocol

from ..shared_space import SharedSpace
from .procrustes import Procrustes

__all__ = ["WORD_METHODS", "WordAligner", "word_aligner"]


class WordAligner(Protocol):
    """Learns a shared space of two languages from their vectors and translation pairs."""

    space_: SharedSpace

    def fit(self, source: Any, target: Any, pairs: Any, *, names: tuple[str, str]) -> "WordAligner":
        """Learn from (n, d_s) and (m, d_t) arrays and (p, 2) rows that translate each other; return self."""
        ...


#: Name and constructor of each supervised method for word vectors.
WORD_METHODS: dict[str, Callable[..., WordAligner]] = {"procrustes": Procrustes}


def word_aligner(method: str, **parameters: Any) -> WordAligner:
    """Return an unfitted aligner by name.

    Raises
    ------
    ValueError
        If there is no such method.

    Examples
    --------
    >>> type(word_aligner("procrustes")).__name__
    'Procrustes'
    """
    if method not in WORD_METHODS:
        raise ValueError(f"unknown method {method!r}; choose one of: {', '.join(sorted(WORD_METHODS))}")
    return WORD_METHODS[method](**parameters)
