"""Rebuild the XLM-RoBERTa tokenizer from its SentencePiece pieces and scores."""

from __future__ import annotations

import io
import json
from pathlib import Path

from interlingua.align.optional import require

from .bundled_blob import ModelBlob

__all__ = ["write_tokenizer"]

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
