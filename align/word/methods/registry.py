"""Methods by the names that the command line and saved spaces use."""

import importlib
import importlib.util
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Protocol

from interlingua.align.space import SharedSpace


class WordAligner(Protocol):
    """Learns a shared space of two languages from their vectors and translation pairs."""

    space_: SharedSpace

    def fit(self, source: Any, target: Any, pairs: Any, *, names: tuple[str, str]) -> "WordAligner":
        """Learn from (n, d_s) and (m, d_t) arrays and (p, 2) rows that translate each other; return self."""
        ...


#: Module and class of each method, imported when used: self-learning itself builds on other methods.
_CLASSES = {
    "procrustes": ("procrustes", "Procrustes"),
    "multi-step": ("multi_step", "MultiStep"),
    "rcsls": ("rcsls", "RCSLS"),
    "expansion": ("expansion", "Expansion"),
    "self-learning": ("self_learning", "SelfLearning"),
    "contrastive": ("contrastive", "Contrastive"),
    "race": (".restarts", "Race"),
    "adversarial": ("adversarial", "Adversarial"),
    "wasserstein-procrustes": ("optimal_transport", "WassersteinProcrustes"),
}
_NEEDS = {"contrastive": "torch", "adversarial": "torch"}


def _class_of(method: str) -> Callable[..., Any]:
    module, name = _CLASSES[method]
    found: Callable[..., Any] = getattr(importlib.import_module(f".{module}", __package__), name)
    return found


def _construct(method: str, **parameters: Any) -> Any:
    return _class_of(method)(**parameters)


#: Name and constructor of each method that learns from translation pairs, the simplest first.
WORD_METHODS: Mapping[str, Callable[..., WordAligner]] = MappingProxyType(
    {
        name: partial(_construct, name)
        for name in ("procrustes", "multi-step", "rcsls", "expansion", "self-learning", "contrastive")
    }
)

#: Name and constructor of each method that needs no pair: their `fit` takes the two vocabularies alone.
UNSUPERVISED_METHODS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {name: partial(_construct, name) for name in ("race", "adversarial", "wasserstein-procrustes")}
)


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


def takes(method: str, parameter: str) -> bool:
    """Tell whether a method's constructor has a parameter of that name.

    Examples
    --------
    >>> takes("self-learning", "callback"), takes("procrustes", "callback")
    (True, False)
    """
    return parameter in inspect.signature(_class_of(method)).parameters


def is_available(method: str) -> bool:
    """Tell whether what a method needs beyond the base dependencies is installed."""
    return method not in _NEEDS or importlib.util.find_spec(_NEEDS[method]) is not None
