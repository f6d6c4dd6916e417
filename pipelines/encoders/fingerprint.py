"""What a model is known by under any name: its vectors of a few texts, small enough for everything that is saved.

A saved folder names its encoder by the weights' content. The same model may come with another identity, saved again by
another program, in fewer bits, or in another format; and two models may come with one. Vectors tell.
"""

from __future__ import annotations

import base64
import hashlib
import json
import warnings
import weakref
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from interlingua.align import SharedSpace
from interlingua.align.arrays import unit_matrix
from interlingua.align.bridge.bridge import SAME_MODEL, BridgeError

from .base import Encoder, Role, UnknownTextError, identity_for
from .limits import cuts_told_elsewhere

PROBES = (
    "How do I cook rice?",
    "The bridge was closed after the storm, and nobody could say for how long.",
    "ISO 8601",
    "Un chat dort sur la chaise.",
    "Сколько стоит билет?",
    "这座桥什么时候修好？",
)
#: The key of a fingerprint in the settings of what was saved.
PROBES_KEY = "encoder_probes"
_VERSION = 1
_WIDTH = 64
_FEWEST = 3  # texts that a model must know to be known by them
_MADE: dict[int, tuple[weakref.ref[Any], Fingerprint | None]] = {}


class SameModelWarning(UserWarning):
    """An encoder is called otherwise than the one of a folder, and taken for it by its vectors."""


@dataclass(frozen=True)
class Fingerprint:
    """Vectors of the probe texts in the three roles, on 64 directions of chance.

    With R a (d, 64) matrix of signs, fixed by d, and x a unit vector, a row is x R / 8: the squared distance of two
    rows is that of the vectors, on the average over R [1]_, and 1 less its half their cosine.

    Attributes
    ----------
    rows : (3 p, w) array of float32
        A row of zeros for a text that the model does not know; w = min(d, 64).
    dimension : int
        d.
    tokens : int or None
        How many tokens of a text the model reads, if it says so.

    References
    ----------
    .. [1] Achlioptas (2003), "Database-friendly random projections: Johnson-Lindenstrauss with binary coins", Journal
       of Computer and System Sciences. doi:10.1016/S0022-0000(03)00025-4
    """

    rows: NDArray[np.float32]
    dimension: int
    tokens: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it: some 3,000 characters."""
        kept = str(base64.b64encode(np.asarray(self.rows, "<f2").tobytes()), "ascii")
        return {"version": _VERSION, "dimension": self.dimension, "tokens": self.tokens, "rows": kept}

    @classmethod
    def from_json(cls, told: Any) -> Fingerprint | None:
        """Return what `to_json` gave; None where nothing was kept, or by a later version."""
        if not isinstance(told, dict) or told.get("version") != _VERSION:
            return None
        try:
            dimension, tokens = int(told["dimension"]), told["tokens"]
            rows = np.frombuffer(base64.b64decode(told["rows"]), "<f2").astype(np.float32)
            rows = rows.reshape(len(get_args(Role)) * len(PROBES), min(dimension, _WIDTH))
            return cls(rows, dimension, None if tokens is None else int(tokens))
        except (KeyError, TypeError, ValueError):
            return None

    def difference(self, other: Fingerprint) -> str:
        """Return what tells that two are of different models, or "" if they are of one."""
        if self.dimension != other.dimension:
            return f"its vectors have dimension {other.dimension}, not {self.dimension}"
        if (self.rows.any(axis=1) != other.rows.any(axis=1)).any():
            return "it knows other words"
        apart = ((self.rows - other.rows) ** 2).sum(axis=1) / 2
        if 1 - apart.max() < SAME_MODEL:
            return (
                f"it gives other vectors of the same texts (cosine {1 - apart.max():.3f} at the least): another model, "
                "prompt or pooling"
            )
        if self.tokens is not None and other.tokens is not None and self.tokens != other.tokens:
            return f"it reads {other.tokens} tokens of a text, not {self.tokens}"
        return ""


def fingerprint(encoder: Encoder) -> Fingerprint | None:
    """Return the fingerprint of an encoder, made once for each; None where it knows fewer than three of the texts.

    That of an encoder inside a package comes with this one.

    Parameters
    ----------
    encoder : Encoder
    """
    held = _MADE.get(id(encoder))
    if held is not None and held[0]() is encoder:
        return held[1]
    made = packed().get(_packed_key(encoder)) or _made(encoder)
    key = id(encoder)
    with suppress(TypeError):  # one that cannot be referred to so: made again at the next call
        _MADE[key] = weakref.ref(encoder, lambda _: _MADE.pop(key, None)), made
    return made


def identity_with(encoder: Encoder, wanted: str, kept: Fingerprint | None, *, what: str) -> str:
    """Return `wanted` where it is the encoder's identity, now or once, or its vectors are those of `kept`.

    Else the encoder's own identity. The one place where an encoder is compared with what was saved.

    Parameters
    ----------
    encoder : Encoder
    wanted : str
        The identity that was saved.
    kept : Fingerprint or None
        What was saved with it.
    what : str
        What the warning calls the place where it was saved.

    Warns
    -----
    SameModelWarning
        If vectors alone tell that it is the same model.
    """
    found = identity_for(encoder, wanted)
    if found == wanted:
        return "" if _is_told_by_others(encoder) and kept is not None and difference(encoder, kept) else found
    if kept is None or not wanted or kept.dimension != encoder.dimension or difference(encoder, kept):
        return found
    warnings.warn(
        f"{what} names its encoder {wanted!r}, and this one calls itself {found!r}; it gives the same vectors of "
        f"{len(PROBES)} texts and is taken for the same model",
        SameModelWarning,
        stacklevel=3,
    )
    return wanted


def difference(encoder: Encoder, kept: Fingerprint) -> str:
    """Return what tells that an encoder is another than that of a fingerprint, or "" if it is the same."""
    made = fingerprint(encoder)
    return "it knows too few of the texts that could tell" if made is None else kept.difference(made)


def check_space(space: SharedSpace, encoder: Encoder, *, what: str = "the space") -> None:
    """Raise SpaceError if a space was learned on vectors of another encoder; see `identity_with`.

    Parameters
    ----------
    space : SharedSpace
    encoder : Encoder
        Whose vectors it is to map.
    what : str
        What the warning calls the space.
    """
    kept = Fingerprint.from_json(space.provenance.get(PROBES_KEY))
    found = identity_with(encoder, space.encoder, kept, what=what) if space.encoder else ""
    space.check_encoder(found or f"another encoder of the name {encoder.identity}")


def check_space_of(space: SharedSpace, encoder: str, made_by: Fingerprint | None) -> None:
    """Raise SpaceError if a space was learned on vectors of another encoder than these vectors were made by.

    Parameters
    ----------
    space : SharedSpace
    encoder : str
        What the vectors say of their encoder, perhaps nothing.
    made_by : Fingerprint or None
        Likewise.
    """
    kept = Fingerprint.from_json(space.provenance.get(PROBES_KEY))
    space.check_encoder(space.encoder if alike(kept, made_by) else encoder)


def alike(one: Fingerprint | None, other: Fingerprint | None) -> bool:
    """Tell whether two fingerprints are there and of one model."""
    return one is not None and other is not None and not one.difference(other)


def with_fingerprint(space: SharedSpace, kept: Fingerprint | None) -> SharedSpace:
    """Return a space that says by which vectors its encoder is known."""
    if kept is None:
        return space
    return replace(space, provenance={**space.provenance, PROBES_KEY: kept.to_json()})


def probe_vectors(encoder: Encoder, roles: Sequence[Role]) -> NDArray[np.float32]:
    """Return unit vectors of the probe texts, role by role; zeros for a text that the encoder does not know."""
    found = np.zeros((len(roles), len(PROBES), encoder.dimension), np.float32)
    with cuts_told_elsewhere():  # of our texts nobody needs to know
        for number, role in enumerate(roles):
            try:
                found[number] = unit_matrix(encoder.encode(PROBES, role=role), "probes")
            except UnknownTextError:
                for row, text in enumerate(PROBES):
                    with suppress(UnknownTextError):
                        found[number, row] = unit_matrix(encoder.encode([text], role=role), "probes")[0]
    return found.reshape(-1, encoder.dimension)


@cache
def packed() -> dict[str, Fingerprint]:
    """Return the fingerprints of the encoders that come inside packages, by identity and prompts."""
    text = (resources.files("interlingua.pipelines") / "data" / "fingerprints.json").read_text("utf-8")
    read = {name: Fingerprint.from_json(each) for name, each in json.loads(text).items()}
    return {name: each for name, each in read.items() if each is not None}


def pack(encoders: Sequence[Encoder]) -> str:
    """Return the text of the file that `packed` reads."""
    made = {_packed_key(each): _made(each) for each in encoders}
    return json.dumps({key: each.to_json() for key, each in made.items() if each is not None}, indent=1) + "\n"


def _packed_key(encoder: Encoder) -> str:
    return " | ".join([encoder.identity, *(encoder.prompts.get(role, "") for role in get_args(Role))])


def _made(encoder: Encoder) -> Fingerprint | None:
    try:
        rows = _sketch(probe_vectors(encoder, get_args(Role)))
    except BridgeError:  # it encodes questions alone
        return None
    if rows.any(axis=1).sum() < _FEWEST * len(get_args(Role)):
        return None
    return Fingerprint(rows, encoder.dimension, getattr(getattr(encoder, "encoder", encoder), "token_limit", None))


def _sketch(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    dimension = vectors.shape[1]
    if dimension <= _WIDTH:
        return vectors
    drawn = np.frombuffer(hashlib.shake_256(b"interlingua probes").digest(dimension * _WIDTH // 8), np.uint8)
    signs = np.unpackbits(drawn).reshape(dimension, _WIDTH).astype(np.float32) * 2 - 1
    return np.asarray(vectors @ signs / np.sqrt(_WIDTH), np.float32)


def _is_told_by_others(encoder: Encoder) -> bool:
    """Tell whether an encoder's identity is what somebody calls it, and not made of its weights."""
    inner = getattr(encoder, "encoder", encoder)
    ours = type(inner).__module__.startswith("interlingua.pipelines.")
    return not ours and not getattr(inner, "loaded_as", "")
