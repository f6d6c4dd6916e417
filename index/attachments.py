"""Extra files of the user's own in a saved collection."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["array_to_bytes", "bytes_to_array", "check_attachments"]


def array_to_bytes(array: NDArray[Any]) -> bytes:
    """Return an array as the content of an ``.npy`` file, without pickle.

    Raises
    ------
    ValueError
        If the array holds Python objects.

    Examples
    --------
    >>> bytes_to_array(array_to_bytes(np.array([0.5, 1.5], dtype=np.float32)))
    array([0.5, 1.5], dtype=float32)
    """
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def bytes_to_array(content: bytes) -> NDArray[Any]:
    """Return the array in the content of an ``.npy`` file; refuses pickles.

    Raises
    ------
    ValueError
        If the content is no ``.npy`` file of plain numbers or text.
    """
    try:
        array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except (EOFError, OSError) as error:
        raise ValueError(f"the content is no whole .npy file: {error}") from None
    return array


def check_attachments(attachments: Mapping[str, bytes]) -> None:
    """Check what can be checked before a save begins.

    Raises
    ------
    TypeError
        If a name is no string or a content not bytes.
    ValueError
        If two names differ in upper and lower case only, as some file systems hold them for the same.
    """
    for name, content in attachments.items():
        if not isinstance(name, str) or not isinstance(content, bytes | bytearray | memoryview):
            raise TypeError(f"attachments must map names to bytes, but {name!r} is a {type(content).__name__}")
    folded = [name.casefold() for name in attachments]
    if len(set(folded)) < len(folded):
        raise ValueError(f"attachments must differ in more than upper and lower case: {sorted(attachments)}")
