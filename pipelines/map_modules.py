"""The maps of a shared space as modules that sentence-transformers has itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import ANY_LANGUAGE, SpaceError, SpaceMap
from interlingua.align.optional import MissingExtraError, require

__all__ = ["language_router", "map_modules", "module_library"]

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+")
_TOLERANCE = 1e-5


def module_library() -> Any:
    """Return what sentence-transformers calls its package of modules, which depends on the version."""
    try:
        return require("sentence_transformers.sentence_transformer.modules", extra="torch")
    except MissingExtraError:
        return require("sentence_transformers.models", extra="torch")  # its name before version 5.4


def map_modules(each: SpaceMap) -> list[Any]:
    """Return modules that compute a map, from unit vectors to unit vectors, checked on random ones.

    `Dense` for every affine step, two of them for a hidden layer, and `Normalize` for unit length.

    Raises
    ------
    SpaceError
        If the modules do not compute what the map computes.
    """
    torch, library = require("torch", extra="torch"), module_library()
    modules: list[Any] = []
    for stage in _stages(each):
        if stage is None:
            modules.append(library.Normalize())
            continue
        dense = library.Dense(
            *stage.matrix.shape, activation_function=torch.nn.ReLU() if stage.relu else torch.nn.Identity()
        )
        with torch.no_grad():
            dense.linear.weight.copy_(torch.from_numpy(np.ascontiguousarray(stage.matrix.T)))
            dense.linear.bias.copy_(torch.from_numpy(stage.bias))
        modules.append(dense)
    _check(each, modules, torch)
    return modules


def language_router(routes: Mapping[str, list[Any]]) -> Any:
    """Return a `Router` with a route for each language, called with ``task=LANGUAGE``.

    Without a task it takes the route of the map for all languages, ``"*"``, or raises an error where there is none.
    """
    taken = require("torch", extra="torch").nn.ModuleDict()
    # subtle: a route's name becomes an attribute, where "to" (Tongan) is taken, and a folder, where "*" is not allowed
    names = {
        language: language if _PLAIN_NAME.fullmatch(language) and not hasattr(taken, language) else f"route-{number}"
        for number, language in enumerate(routes)
    }
    mappings = {(language, None): name for language, name in names.items() if language != name}
    if ANY_LANGUAGE in names:  # what encode_query and encode_document say
        mappings |= {(task, None): names[ANY_LANGUAGE] for task in ("query", "document") if task not in names}
    return module_library().Router(
        {names[language]: modules for language, modules in routes.items()},
        default_route=names.get(ANY_LANGUAGE),
        allow_empty_key=False,
        **({"route_mappings": mappings} if mappings else {}),
    )


@dataclass(frozen=True)
class _Affine:
    """x -> x A + b, with max(., 0) behind it or not."""

    matrix: NDArray[np.float64]
    bias: NDArray[np.float64]
    relu: bool = False

    def then(self, matrix: NDArray[Any], bias: NDArray[Any] | float = 0.0) -> _Affine:
        return _Affine(self.matrix @ matrix, self.bias @ matrix + bias)


def _stages(each: SpaceMap) -> list[_Affine | None]:
    """Return a map as affine stages; None stands for scaling to unit length. The rows that go in are unit."""
    stages: list[_Affine | None] = []
    nothing = _Affine(np.eye(each.input_dimension), np.zeros(each.input_dimension))
    pending = nothing
    means = iter(np.asarray(each.normalization.means, np.float64))
    for step in each.normalization.steps:
        if step == "centre":
            pending = pending.then(nothing.matrix, -next(means))
        elif pending is not nothing:  # else the rows are unit already
            stages += [pending, None]
            pending = nothing
    matrix = nothing.matrix if each.matrix is None else np.asarray(each.matrix, np.float64)
    if each.hidden is None:
        return [*stages, pending.then(matrix), None]
    # z W + max(z A + a, 0) B in two layers: the first keeps z W as max(z W, 0) - max(-z W, 0)
    inner, bias, outer = (
        np.asarray(part, np.float64) for part in (each.hidden.inner, each.hidden.bias, each.hidden.outer)
    )
    size = each.output_dimension
    first = pending.then(np.hstack([matrix, -matrix, inner]), np.concatenate([np.zeros(2 * size), bias]))
    second = _Affine(np.vstack([np.eye(size), -np.eye(size), outer]), np.zeros(size))
    return [*stages, replace(first, relu=True), second, None]


def _check(each: SpaceMap, route: list[Any], torch: Any) -> None:
    """Refuse a map that the modules do not compute."""
    rows = np.random.default_rng(0).standard_normal((64, each.input_dimension)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    features = {"sentence_embedding": torch.from_numpy(rows)}
    with torch.no_grad():
        for module in route:
            features = module(features)
    error = float(np.abs(features["sentence_embedding"].numpy() - each.transform(rows)).max())
    if not error < _TOLERANCE:
        raise SpaceError(f"this kind of map cannot be written as built-in modules: they differ by {error:.1e}")
