"""Vectors of many texts: encoded shard by shard into a mapped file that an interrupted run goes on with."""

import json
import os
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import SharedSpace
from interlingua.align.files import replacing

if TYPE_CHECKING:
    from ..encoder import Encoder

__all__ = ["aligned_vectors", "encode_resumable"]

_SHARD = 20_000
_BLOCK = 65_536


def encode_resumable(
    texts: Sequence[str], encoder: "Encoder", path: str | os.PathLike[str] | None, *, progress: bool = False
) -> NDArray[np.float32]:
    """Encode texts, shape (n, d), in memory or into ``PATH.npy``, which is then mapped.

    After an interruption the same call goes on where it stopped; ``PATH.json`` says how far it came.

    Raises
    ------
    ValueError
        If the file is of other texts or of another encoder.
    """
    if path is None:
        return encoder.encode(list(texts), progress=progress)
    data, state = Path(f"{path}.npy"), Path(f"{path}.json")
    digest = blake2b(digest_size=16)
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\n")
    told = {"encoder": encoder.identity, "texts": digest.hexdigest(), "n": len(texts)}
    done = 0
    if state.exists():
        found = json.loads(state.read_text(encoding="utf-8"))
        done = found.pop("done")
        if found != told:
            raise ValueError(f"{data} holds vectors of other texts or of another encoder; name another work folder")
    else:
        data.parent.mkdir(parents=True, exist_ok=True)
        np.lib.format.open_memmap(data, mode="w+", dtype=np.float32, shape=(len(texts), encoder.dimension)).flush()
    vectors: Any = np.lib.format.open_memmap(data, mode="r+")
    for start in range(done, len(texts), _SHARD):
        shard = list(texts[start : start + _SHARD])
        vectors[start : start + len(shard)] = encoder.encode(shard, progress=progress)
        vectors.flush()
        with replacing(state, "w") as file:
            json.dump({**told, "done": start + len(shard)}, file)
    mapped: NDArray[np.float32] = np.load(data, mmap_mode="r")
    return mapped


def aligned_vectors(
    vectors: NDArray[np.float32], language: str, space: SharedSpace | None, path: str | os.PathLike[str] | None = None
) -> NDArray[np.float32]:
    """Return the vectors of one language mapped by a space, else centred on their own mean, as unit rows.

    With a path the result is a mapped file, written block by block.
    """
    mean: Any = 0.0 if space is not None else vectors.mean(axis=0, dtype=np.float64)
    out: Any = None
    for start in range(0, len(vectors), _BLOCK):
        block = np.asarray(vectors[start : start + _BLOCK])
        moved = space.transform(block, language) if space is not None else block - mean
        moved = moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12)
        if out is None:
            shape = (len(vectors), moved.shape[1])
            if path is None:
                out = np.empty(shape, np.float32)
            else:
                out = np.lib.format.open_memmap(Path(f"{path}.npy"), mode="w+", dtype=np.float32, shape=shape)
        out[start : start + len(block)] = moved
    result: NDArray[np.float32] = out
    return result
