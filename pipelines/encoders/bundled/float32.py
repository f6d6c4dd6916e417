"""The bundled encoder in plain NumPy: float32, on every platform, with nothing to write or to convert.

The texts of a batch are computed without padding but in the attention.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .blob import ModelBlob, dequantize_q4_0

_ROWS = 32  # of the wide layer at once: they stay in the processor's cache
_ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)  # Abramowitz and Stegun, 7.1.26
_ERF_SCALE = 0.3275911

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class _Linear:
    """x W + b."""

    weight: Floats
    bias: Floats

    def __call__(self, rows: Floats) -> Floats:
        made: Floats = rows @ self.weight
        made += self.bias
        return made


@dataclass(frozen=True)
class _Norm:
    """Layer normalisation, in place."""

    gain: Floats
    bias: Floats
    epsilon: np.float32

    def __call__(self, rows: Floats) -> Floats:
        rows -= rows.mean(axis=1, keepdims=True)
        variance = np.einsum("ij,ij->i", rows, rows) / np.float32(rows.shape[1])
        rows *= (1 / np.sqrt(variance + self.epsilon))[:, None]
        rows *= self.gain
        rows += self.bias
        return rows


@dataclass(frozen=True)
class _Layer:
    attended: _Linear  # queries (scaled), keys and values in one
    joined: _Linear
    first_norm: _Norm
    wide: _Linear
    narrow: _Linear
    last_norm: _Norm


class Float32Kernels:
    """Mean vectors of token ids, exact in float32.

    Takes 100 MB of memory: the word embeddings stay in the package's file, in 4 bits.

    Parameters
    ----------
    blob : ModelBlob
    """

    def __init__(self, blob: ModelBlob) -> None:
        self._blob = blob
        hidden = blob.hidden_size
        types = blob.tensor("emb.type", (blob.n_token_types, hidden))
        self._positions = blob.tensor("emb.pos", (blob.n_positions, hidden)) + types[0]
        self._norm = self._read_norm("emb.ln")
        self._layers = [self._read_layer(f"l{number}.") for number in range(blob.n_layers)]

    def __call__(self, ids: Sequence[Sequence[int]]) -> Floats:
        """Return the mean of the last layer over the tokens of each text, (n, d); at least one text."""
        rows, starts, lengths = self._last_layer(ids)
        return np.asarray(np.add.reduceat(rows, starts, axis=0) / lengths[:, None], np.float32)

    def tokens(self, ids: Sequence[Sequence[int]]) -> list[Floats]:
        """Return the last layer of each text, (t, d); at least one text."""
        rows, starts, _ = self._last_layer(ids)
        return np.split(rows, starts[1:])

    def _last_layer(self, ids: Sequence[Sequence[int]]) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows of all tokens, and where those of each text begin and how many they are."""
        lengths = np.array([len(each) for each in ids])
        starts = np.cumsum(lengths) - lengths
        tokens = np.concatenate([np.asarray(each, np.int64) for each in ids])
        text = np.repeat(np.arange(len(ids)), lengths)
        position = np.arange(len(tokens)) - starts[text]
        rows = self._words(tokens) + self._positions[position]
        self._norm(rows)
        attention = _Attention(lengths, text, position, self._blob.n_heads)
        for layer in self._layers:
            joined = layer.joined(attention(layer.attended(rows)))
            joined += rows
            rows = layer.first_norm(joined)
            narrow = layer.narrow(gelu(layer.wide(rows)))
            narrow += rows
            rows = layer.last_norm(narrow)
        return rows, starts, lengths

    def _words(self, tokens: NDArray[np.int64]) -> Floats:
        """Return the word embeddings of tokens, (t, d), read from the file one by one."""
        raw = self._blob.raw_rows("emb.word", self._blob.vocabulary_size, tokens)
        return dequantize_q4_0(raw, len(tokens) * self._blob.hidden_size).reshape(len(tokens), -1)

    def _read_linear(self, *names: str, shape: tuple[int, int], scale: float = 1.0) -> _Linear:
        weights = [self._blob.tensor(f"{name}.w", shape) for name in names]
        biases = [self._blob.tensor(f"{name}.b", shape[:1]) for name in names]
        weights[0] *= np.float32(scale)
        biases[0] *= np.float32(scale)
        return _Linear(np.ascontiguousarray(np.concatenate(weights).T), np.concatenate(biases))

    def _read_norm(self, name: str) -> _Norm:
        shape = (self._blob.hidden_size,)
        epsilon = np.float32(self._blob.layer_norm_eps)
        return _Norm(self._blob.tensor(f"{name}.w", shape), self._blob.tensor(f"{name}.b", shape), epsilon)

    def _read_layer(self, prefix: str) -> _Layer:
        hidden, wide = self._blob.hidden_size, self._blob.intermediate_size
        scale = (hidden // self._blob.n_heads) ** -0.5
        queries, keys, values = (prefix + each for each in "qkv")
        return _Layer(
            attended=self._read_linear(queries, keys, values, shape=(hidden, hidden), scale=scale),
            joined=self._read_linear(f"{prefix}ao", shape=(hidden, hidden)),
            first_norm=self._read_norm(f"{prefix}aln"),
            wide=self._read_linear(f"{prefix}fi", shape=(wide, hidden)),
            narrow=self._read_linear(f"{prefix}fo", shape=(hidden, wide)),
            last_norm=self._read_norm(f"{prefix}oln"),
        )


class _Attention:
    """softmax(q k) v of each text by itself, for the rows of all texts of a batch."""

    def __init__(
        self, lengths: NDArray[np.int64], text: NDArray[np.int64], position: NDArray[np.int64], n_heads: int
    ) -> None:
        self._shape = (len(lengths), int(lengths.max()))
        self._n_heads = n_heads
        self._place = (text, position)
        self._even = bool((lengths == lengths[0]).all())
        absent = np.arange(self._shape[1]) >= lengths[:, None]
        self._mask = np.where(absent, -np.inf, 0).astype(np.float32)[:, None, None, :]

    def __call__(self, rows: Floats) -> Floats:
        """Return what is attended to, (t, d), by rows (t, 3 d) of queries, keys and values."""
        padded = rows
        if not self._even:
            padded = np.zeros((*self._shape, rows.shape[1]), np.float32)
            padded[self._place] = rows
        split = padded.reshape(*self._shape, 3, self._n_heads, -1).transpose(2, 0, 3, 1, 4)
        weights = split[0] @ split[1].swapaxes(2, 3)
        if not self._even:
            weights += self._mask
        weights -= weights.max(axis=-1, keepdims=True)
        np.exp(weights, out=weights)
        weights /= weights.sum(axis=-1, keepdims=True)
        found = (weights @ split[2]).transpose(0, 2, 1, 3).reshape(*self._shape, -1)
        return np.asarray(found.reshape(len(rows), -1) if self._even else found[self._place], np.float32)


def gelu(rows: Floats) -> Floats:
    """Return x (1 + erf(x / sqrt 2)) / 2, in place; with erf to 1.5e-7.

    As relu(x) - |x| p(t) exp(-x**2 / 2) / 2 with t = 1 / (1 + 0.3275911 |x| / sqrt 2), a polynomial p.
    """
    for start in range(0, len(rows), _ROWS):
        block = rows[start : start + _ROWS]
        size = np.abs(block)
        factor = size * np.float32(_ERF_SCALE * 0.5**0.5)
        factor += 1
        np.reciprocal(factor, out=factor)
        tail = factor * np.float32(_ERF[-1])
        for coefficient in _ERF[-2::-1]:
            tail += np.float32(coefficient)
            tail *= factor
        np.multiply(size, size, out=factor)
        factor *= np.float32(-0.5)
        np.exp(factor, out=factor)
        tail *= factor
        tail *= size
        tail *= np.float32(0.5)
        np.maximum(block, 0, out=block)
        block -= tail
    return rows
