"""A model file of a few kilobytes in the format of the bundled wheel's, with known weights; no test asks the Hub."""

import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # read when the Hub's client is imported

HIDDEN, LAYERS, HEADS, WIDE, POSITIONS, TYPES = 32, 2, 2, 64, 16, 2
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁a", "▁b", "a", "b", "ab", "▁", "▁ab", "é", "▁火", "<mask>"]
SCORES = [0.0, 0.0, 0.0, 0.0, -1.0, -1.5, -2.0, -2.5, -3.0, -4.0, -1.25, -5.0, -6.0, 0.0]


@dataclass(frozen=True)
class TinyBlob:
    path: Path
    pieces: list[str]
    scores: list[float]
    tensors: dict[str, np.ndarray]


@pytest.fixture
def make_tiny_blob():
    """Write the model file to a path and return it with what it holds."""
    return write_tiny_blob


@pytest.fixture
def tiny_blob(tmp_path):
    return write_tiny_blob(tmp_path / "tiny.bin")


def write_tiny_blob(path, seed=0):
    rng = np.random.default_rng(seed)
    vocabulary = len(PIECES) + 3  # as in the real one, the matrix has more rows than there are pieces
    matrices = {"emb.word": (vocabulary, HIDDEN)}
    plain = {"emb.pos": (POSITIONS, HIDDEN), "emb.type": (TYPES, HIDDEN), "emb.ln.w": (HIDDEN,), "emb.ln.b": (HIDDEN,)}
    for layer in range(LAYERS):
        for short, rows, columns in (
            *((each, HIDDEN, HIDDEN) for each in ("q", "k", "v", "ao")),
            ("fi", WIDE, HIDDEN),
            ("fo", HIDDEN, WIDE),
        ):
            matrices[f"l{layer}.{short}.w"] = (rows, columns)
            plain[f"l{layer}.{short}.b"] = (rows,)
        for short in ("aln", "oln"):
            plain[f"l{layer}.{short}.w"] = plain[f"l{layer}.{short}.b"] = (HIDDEN,)
    tensors, raws = {}, {}
    for name, shape in matrices.items():
        n_blocks = int(np.prod(shape)) // 32
        scales = rng.uniform(0.02, 0.1, size=n_blocks).astype("<f2")
        quants = rng.integers(0, 16, size=(n_blocks, 32))
        tensors[name] = ((quants - 8) * scales.astype(np.float64)[:, None]).astype(np.float32).reshape(shape)
        packed = (quants[:, :16] + 16 * quants[:, 16:]).astype(np.uint8)
        raws[name] = (1, b"".join(scale.tobytes() + row.tobytes() for scale, row in zip(scales, packed)))
    for name, shape in plain.items():
        tensors[name] = rng.standard_normal(shape).astype(np.float32)
        raws[name] = (0, tensors[name].astype("<f4").tobytes())

    encoded = [piece.encode() for piece in PIECES]
    offsets = np.cumsum([0, *map(len, encoded)]).astype("<u4")
    head = b"E5S1" + struct.pack("<I", 1)
    head += struct.pack("<7ifi", HIDDEN, LAYERS, HEADS, WIDE, vocabulary, POSITIONS, TYPES, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, int(offsets[-1]))
    head += offsets.tobytes() + np.array(SCORES, dtype="<f4").tobytes() + b"".join(encoded)
    rules = struct.pack("<IB", 1, 0) + struct.pack("<IBI", 0xFF41, 1, ord("a"))
    head += struct.pack("<iI", 2, len(rules)) + rules + struct.pack("<i", len(raws))
    entry_bytes = sum(2 + len(name) + 21 for name in raws)
    offset = len(head) + entry_bytes
    body = b""
    for name, (kind, raw) in raws.items():
        head += struct.pack("<H", len(name)) + name.encode()
        head += struct.pack("<BIQQ", kind, tensors[name].size, offset + len(body), len(raw))
        body += raw
    path.write_bytes(head + body)
    return TinyBlob(path, PIECES, SCORES, tensors)
