"""The methods that align two vocabularies, one file each, found by the names that they declare.

A new method is a new file here, with a class of `WordMethod`: `align`, the command line and saved spaces then know it.
"""

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from interlingua.align.space import SharedSpace

#: Gets what there is to tell after each iteration: its number, the objective and more.
Callback = Callable[[Mapping[str, float]], None]

#: Methods that run other methods live beside the loop that runs them.
_ELSEWHERE = ("interlingua.align.word.restarts",)

#: Class of each method that learns from translation pairs, those with the fewest settings first.
WORD_METHODS: Mapping[str, type[Any]]
#: Class of each method that needs no pair: its `fit` takes the two vocabularies alone.
UNSUPERVISED_METHODS: Mapping[str, type[Any]]


class WordAligner(Protocol):
    """Learns a shared space of two languages from their vectors and translation pairs."""

    space_: SharedSpace

    def fit(self, source: Any, target: Any, pairs: Any, *, names: tuple[str, str]) -> "WordAligner":
        """Learn from (n, d_s) and (m, d_t) arrays and (p, 2) rows that translate each other; return self."""
        ...


class WordMethod:
    """What a method says of itself; its settings are the fields of the dataclass that it is.

    Attributes
    ----------
    name : str
        What the command line and saved spaces call it.
    needs_pairs : bool
        Whether `fit` takes translation pairs beside the two vocabularies.
    library : str or None
        What it needs beyond the base dependencies.
    """

    name: ClassVar[str]
    needs_pairs: ClassVar[bool] = True
    library: ClassVar[str | None] = None


@cache
def _table() -> Mapping[str, type[Any]]:
    """Return the class of each method by its name, those with the fewest settings first."""
    modules = [*(f"{__name__}.{each.name}" for each in pkgutil.iter_modules(__path__)), *_ELSEWHERE]
    found: list[type[Any]] = [
        each
        for module in modules
        for each in vars(importlib.import_module(module)).values()
        if isinstance(each, type) and issubclass(each, WordMethod) and each.__module__ == module
    ]
    return {each.name: each for each in sorted(found, key=lambda each: (len(fields(each)), each.name))}


def __getattr__(name: str) -> Any:
    # subtle: made when asked for, since every module of the table imports this one
    if name not in ("WORD_METHODS", "UNSUPERVISED_METHODS"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    paired = name == "WORD_METHODS"
    return MappingProxyType({key: each for key, each in _table().items() if each.needs_pairs is paired})


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
    table = {name: each for name, each in _table().items() if each.needs_pairs}
    aligner: WordAligner = _known(method, table)(**parameters)
    return aligner


def settings_of(method: str) -> frozenset[str]:
    """Return the names of a method's settings.

    Examples
    --------
    >>> sorted(settings_of("procrustes"))
    ['normalize']
    """
    return frozenset(each.name for each in fields(_known(method, _table())))


def is_available(method: str) -> bool:
    """Tell whether what a method needs beyond the base dependencies is installed."""
    library = _known(method, _table()).library
    return library is None or importlib.util.find_spec(library) is not None


def _known(method: str, table: Mapping[str, type[Any]]) -> type[Any]:
    if method not in table:
        raise ValueError(f"unknown method {method!r}; choose one of: {', '.join(sorted(table))}")
    return table[method]
