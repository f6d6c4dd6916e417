"""Train a SentencePiece tokenizer on a corpus, and write it as Hugging Face's libraries load it."""

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlingua.align.arrays import require

_SPACE = "\u2581"
#: The ids 0 to 4, as in XLM-RoBERTa but for the mask, which is last there.
SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


@dataclass(frozen=True)
class TokenizerReport:
    """What a tokenizer was trained on, and its size: `vocabulary_size` counts the special tokens."""

    n_texts: int
    vocabulary_size: int


def train_tokenizer(
    texts: Iterable[str],
    folder: Path,
    *,
    vocabulary_size: int = 16000,
    character_coverage: float = 0.9995,
    max_length: int = 512,
) -> TokenizerReport:
    """Train a unigram tokenizer and write it so that `AutoTokenizer.from_pretrained(folder)` loads it.

    Pieces and scores are those of SentencePiece [1]_ with its own `nmt_nfkc` normalisation; a text becomes
    ``<s> pieces </s>``.

    Parameters
    ----------
    texts : iterable of str
        One sentence each. Draw them from a `Corpus`, so that small languages get pieces of their own.
    folder : Path
        An existing folder.
    vocabulary_size : int
        Pieces, special tokens included; fewer where the texts do not yield as many.
    character_coverage : float
        Share of the characters that get pieces; the others become ``<unk>``.
    max_length : int
        Tokens at which long texts are cut.

    Raises
    ------
    MissingExtraError
        If sentencepiece or tokenizers is not installed.
    ValueError
        If there is no text, or the vocabulary is too small for the characters.

    References
    ----------
    .. [1] Kudo (2018), "Subword regularization: improving neural network translation models with multiple subword
       candidates", ACL. doi:10.18653/v1/P18-1007
    """
    model, n_texts = train_unigrams(texts, vocabulary_size, character_coverage)
    pieces = [str(piece.piece) for piece in model.pieces]
    scores = [float(piece.score) for piece in model.pieces]
    table = bytes(model.normalizer_spec.precompiled_charsmap)
    tokenizers = require("tokenizers", extra="train")
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.Unigram(list(zip(pieces, scores, strict=True)), unk_id=SPECIAL_TOKENS.index("<unk>"))
    )
    squeeze = tokenizers.normalizers.Replace(tokenizers.Regex(" {2,}"), " ")
    tokenizer.normalizer = tokenizers.normalizers.Sequence([tokenizers.normalizers.Precompiled(table), squeeze])
    space = {"replacement": _SPACE, "prepend_scheme": "always"}
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [tokenizers.pre_tokenizers.WhitespaceSplit(), tokenizers.pre_tokenizers.Metaspace(**space)]
    )
    tokenizer.decoder = tokenizers.decoders.Metaspace(**space)
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens(
        [tokenizers.AddedToken(name, special=True, lstrip=name == "<mask>") for name in SPECIAL_TOKENS]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "cls_token": "<s>",
        "eos_token": "</s>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "mask_token": "<mask>",
        "model_max_length": max_length,
        "padding_side": "right",
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    return TokenizerReport(n_texts, len(pieces))


def train_unigrams(
    texts: Iterable[str], size: int, coverage: float, *, normalization: str = "nmt_nfkc"
) -> tuple[Any, int]:
    """Return SentencePiece's own model of texts, as its `ModelProto`, and the number of texts.

    Parameters
    ----------
    texts : iterable of str
    size : int
        Pieces, `SPECIAL_TOKENS` included; fewer where the texts do not yield as many.
    coverage : float
        Share of the characters that get pieces.
    normalization : str
        SentencePiece's name of what is done to characters first; "nmt_nfkc_cf" folds case, too.

    Raises
    ------
    MissingExtraError
        If sentencepiece is not installed.
    ValueError
        If there is no text, or the vocabulary is too small for the characters.
    """
    sentencepiece = require("sentencepiece", extra="train")
    protocol = require("sentencepiece.sentencepiece_model_pb2", extra="train")
    count = 0

    def counted() -> Iterable[str]:
        nonlocal count
        for count, text in enumerate(texts, 1):  # noqa: B007  # what is counted is read after the loop
            yield text

    buffer = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(counted()),
            model_writer=buffer,
            vocab_size=size,
            model_type="unigram",
            character_coverage=coverage,
            normalization_rule_name=normalization,
            hard_vocab_limit=False,
            bos_id=0,
            pad_id=1,
            eos_id=2,
            unk_id=3,
            user_defined_symbols=["<mask>"],
            num_threads=1,  # sums in another order would give other pieces on another machine
            minloglevel=2,
        )
    except RuntimeError as error:
        if not count:
            raise ValueError("a tokenizer is trained on texts, but there is none") from error
        raise ValueError(f"SentencePiece cannot make {size} pieces of {count} texts: {_reason(error)}") from error
    model: Any = protocol.ModelProto()
    model.ParseFromString(buffer.getvalue())
    return model, count


def _reason(error: RuntimeError) -> str:
    text = " ".join(str(error).split())
    return text.rpartition("] ")[2] or text
