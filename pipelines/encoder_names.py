"""What a saved search calls its encoder, and what an error calls a text."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .encoder import Encoder, Role, UnknownTextError
from .encoder_loading import load_encoder

__all__ = ["encode_named", "lasting_name", "load_named_again"]


def encode_named(
    encoder: Encoder, texts: Sequence[str], names: Sequence[str], role: Role, *, progress: bool = False
) -> NDArray[np.float32]:
    """Return `encoder.encode(texts)`; an error about a text that it does not know calls it by its name.

    Raises
    ------
    ValueError
        If the encoder knows nothing in a text.
    """
    try:
        return encoder.encode(texts, role=role, progress=progress)
    except UnknownTextError as error:
        raise ValueError(f"{names[error.position]} {error.reason}") from error


def lasting_name(name: str | Path | None, *, given: bool) -> str:
    """Return what makes the encoder again from any folder; "" for one that was `given` without a name.

    Examples
    --------
    >>> lasting_name(None, given=False), lasting_name("intfloat/multilingual-e5-base", given=True)
    ('bundled', 'intfloat/multilingual-e5-base')
    """
    if name is None:
        return "" if given else "bundled"
    return str(Path(name).resolve() if Path(name).exists() else name)


def load_named_again(name: str, folder: str | Path, *, device: str = "auto", cache: bool = True) -> Encoder:
    """Return the encoder of a name that `lasting_name` gave when `folder` was built.

    Raises
    ------
    ValueError
        If there was no name.
    FileNotFoundError
        If the encoder's file has gone.
    """
    if not name:
        raise ValueError(f"{folder} was built with an encoder that has no name; give the same encoder again")
    try:
        return load_encoder(name, device=device, cache=cache)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{folder} was built with the encoder {name}, which is not there now ({error}); name it where it is now"
        ) from error
