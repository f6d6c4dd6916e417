"""The bundled encoder in CTranslate2, with weights and activations of 8 bits: for many texts.

Its model is written once of the weights in the package, without torch or transformers, and kept in the user's cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import require

from .blob import ModelBlob
from .kept import is_whole, publish, write_marker
from .wheel import BundledWheel

_RECIPE = 1  # raise it whenever the files become others
# subtle: processors without VNNI add two products of 8 bits in 16, and cut them there. With weights up to 127 that
# happens to common ones, with weights up to 63 to none, at the price of coarser weights; in between is best (mean
# cosines to float32 0.9988, 0.9988 and 0.9991).
_MOST, _LEAST = 90, np.float32(1e-30)
_MARKER = "interlingua-int8.json"


class Int8Kernels:
    """Mean vectors of token ids, with a mean cosine of 0.9991 to those in float32.

    Threads may call it beside each other: it computes as many batches at once as it has threads.

    Parameters
    ----------
    wheel : BundledWheel
    blob : ModelBlob
    threads : int
        Batches at once.

    Raises
    ------
    OSError
        If the model (120 MB) is not there yet and cannot be written.
    """

    def __init__(self, wheel: BundledWheel, blob: ModelBlob, threads: int) -> None:
        library = require("ctranslate2", extra="offline")
        folder = wheel.place(f"int8-r{_RECIPE}")
        if not is_whole(folder, _MARKER):
            publish(folder, _MARKER, lambda target: write_int8(blob, target), megabytes=125)
        self._model: Any = library.Encoder(
            str(folder), device="cpu", compute_type="int8_float32", inter_threads=threads, intra_threads=1
        )

    @staticmethod
    def is_there() -> bool:
        """Return whether the library is installed."""
        return find_spec("ctranslate2") is not None

    def __call__(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return the mean of the last layer over the tokens of each text, (n, d); at least one text."""
        return np.stack([rows.mean(axis=0) for rows in self.tokens(ids)])

    def tokens(self, ids: Sequence[Sequence[int]]) -> list[NDArray[np.float32]]:
        """Return the last layer of each text, (t, d); at least one text."""
        hidden = np.asarray(self._model.forward_batch([list(each) for each in ids]).last_hidden_state)
        return [rows[: len(each)] for rows, each in zip(hidden, ids)]


def write_int8(blob: ModelBlob, folder: Path) -> None:
    """Write the model of CTranslate2 into an existing folder, its marker last.

    One type of token is ever used: its embedding is added to those of the positions.
    """
    specs = require("ctranslate2.specs.transformer_spec", extra="offline")
    common = require("ctranslate2.specs.common_spec", extra="offline")
    hidden, wide = blob.hidden_size, blob.intermediate_size
    encoder = specs.TransformerEncoderSpec(
        blob.n_layers,
        blob.n_heads,
        pre_norm=False,
        activation=common.Activation.GELU,
        layernorm_embedding=True,
    )
    encoder.scale_embeddings = False
    encoder.embeddings[0].weight = blob.tensor("emb.word", (blob.vocabulary_size, hidden))
    types = blob.tensor("emb.type", (blob.n_token_types, hidden))
    encoder.position_encodings.encodings = blob.tensor("emb.pos", (blob.n_positions, hidden)) + types[0]

    def put_norm(spec: Any, name: str) -> None:
        spec.gamma, spec.beta = (blob.tensor(f"{name}.{each}", (hidden,)) for each in "wb")

    def put_linear(spec: Any, *names: str, shape: tuple[int, int]) -> None:
        weights = np.concatenate([blob.tensor(f"{name}.w", shape) for name in names])
        spec.weight_scale = (_MOST / np.maximum(np.abs(weights).max(axis=1), _LEAST)).astype(np.float32)
        spec.weight = np.rint(weights * spec.weight_scale[:, None]).astype(np.int8)
        spec.bias = np.concatenate([blob.tensor(f"{name}.b", shape[:1]) for name in names])

    put_norm(encoder.layernorm_embedding, "emb.ln")
    for number, layer in enumerate(encoder.layer):
        prefix = f"l{number}."
        attention, feed = layer.self_attention, layer.ffn
        put_linear(attention.linear[0], *(prefix + each for each in "qkv"), shape=(hidden, hidden))
        put_linear(attention.linear[1], f"{prefix}ao", shape=(hidden, hidden))
        put_linear(feed.linear_0, f"{prefix}fi", shape=(wide, hidden))
        put_linear(feed.linear_1, f"{prefix}fo", shape=(hidden, wide))
        put_norm(attention.layer_norm, f"{prefix}aln")
        put_norm(feed.layer_norm, f"{prefix}oln")
    model = specs.TransformerEncoderModelSpec(encoder)
    model.config.layer_norm_epsilon = float(f"{blob.layer_norm_eps:.6g}")
    model.config.unk_token = "0"  # noqa: S105 - a piece
    model.register_vocabulary([str(number) for number in range(blob.vocabulary_size)])  # ids are all that it is given
    model.validate()
    model.encoder.embeddings[0].optimize(quantization="int8_float32")
    model.save(str(folder))
    write_marker(folder, _MARKER, {"recipe": _RECIPE})
