"""The model that is pre-trained: new or given, told the language or not, and the folder it becomes."""

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interlingua.align.arrays import require

from .settings import NewModel


def build_model(sizes: NewModel, tokenizer: Any, max_length: int) -> Any:
    """Return a `BertForMaskedLM` for that tokenizer, its weights drawn from torch's generator."""
    transformers = require("transformers", extra="train")
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=sizes.width,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        intermediate_size=4 * sizes.width,
        max_position_embeddings=max_length,
        type_vocab_size=1,
        hidden_dropout_prob=sizes.dropout,
        attention_probs_dropout_prob=sizes.dropout,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return transformers.BertForMaskedLM(config)


def load_model(name: str | Path) -> tuple[Any, Any]:
    """Return the masked language model and the tokenizer of a folder or a name on the Hugging Face Hub.

    Raises
    ------
    ValueError
        If its tokenizer has no mask, or the model takes no positions, which pairs need.
    OSError
        If it cannot be loaded.
    """
    transformers = require("transformers", extra="train")
    tokenizer = transformers.AutoTokenizer.from_pretrained(name)
    if tokenizer.mask_token_id is None or tokenizer.pad_token_id is None:
        raise ValueError(f"masked language modelling needs a mask and a padding token, which {name} has not")
    model = transformers.AutoModelForMaskedLM.from_pretrained(name)
    if "position_ids" not in inspect.signature(model.base_model.forward).parameters:
        raise ValueError(f"a {model.config.model_type} takes no position_ids; start from a BERT or (XLM-)RoBERTa")
    return model, tokenizer


def add_language_embeddings(model: Any, languages: Mapping[str, int]) -> None:
    """Give the model one vector for each language, added to its word embeddings; number 0 is "not told".

    They take the place of the token types, which every BERT and RoBERTa has: the saved model stays a plain model of
    transformers, that reads languages as `token_type_ids` and does without. Row 0 and the new rows begin as the old
    row 0, so that the model computes at first what it did before. The numbers are kept in the model's configuration,
    as ``interlingua_languages``; a model that has them goes on with them.

    Raises
    ------
    ValueError
        If the model has no token types, or has languages of other numbers.
    """
    torch = require("torch", extra="train")
    known = getattr(model.config, "interlingua_languages", None)
    if known is not None and dict(known) != dict(languages):
        raise ValueError(f"the model has embeddings of the languages {dict(known)}, not of {dict(languages)}")
    embeddings: Any = getattr(model.base_model, "embeddings", None)
    old = getattr(embeddings, "token_type_embeddings", None)
    if old is None:
        raise ValueError(f"a {model.config.model_type} has no token types, which carry the languages; do without them")
    if known is not None:
        return
    new = torch.nn.Embedding(1 + len(languages), old.embedding_dim)
    with torch.no_grad():
        new.weight.copy_(old.weight[0].expand_as(new.weight))
    embeddings.token_type_embeddings = new
    model.config.type_vocab_size = new.num_embeddings
    model.config.interlingua_languages = dict(languages)


def first_position(model: Any) -> int:
    """Return the number of a sentence's first position: 0, but behind the padding's in RoBERTa and its kin."""
    table = getattr(getattr(model.base_model, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    return 0 if padding is None else int(padding) + 1


def masked_loss(model: Any, batch: Mapping[str, Any], *, dtype: str = "float32") -> tuple[Any, int]:
    """Return the sum of -log p(token) over the masked tokens of a batch, and their number.

    Scores over the vocabulary are computed at the masked tokens only: with 15 % of them and a vocabulary of 250,000
    the others would cost more than the model itself.

    Parameters
    ----------
    model : a masked language model of transformers
    batch : mapping
        Its inputs, and "labels", which are -100 where no token is masked.
    dtype : {"float32", "bfloat16"}
        What the layers compute in; the loss is float32 always.
    """
    torch = require("torch", extra="train")
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    labels = batch["labels"]
    chosen = labels != -100
    device = labels.device.type
    with torch.autocast(device, torch.bfloat16, enabled=dtype == "bfloat16"):
        head = getattr(model, "cls", None) or getattr(model, "lm_head", None)
        scores = model(**inputs).logits[chosen] if head is None else head(model.base_model(**inputs)[0][chosen])
    loss = torch.nn.functional.cross_entropy(scores.float(), labels[chosen], reduction="sum")
    return loss, int(chosen.sum())


def write_encoder(model: Any, tokenizer: Any, folder: Path, *, max_length: int, card: str) -> None:
    """Write a folder that `load_encoder`, `SentenceTransformer` and `AutoModelForMaskedLM` load.

    The vector of a text is the mean of those of its tokens. The head that predicts tokens is kept, so that
    pre-training can go on from the folder.
    """
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    files: dict[str, object] = {
        "modules.json": [
            {"idx": row, "name": str(row), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for row, (path, kind) in enumerate((("", "Transformer"), ("1_Pooling", "Pooling")))
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": int(model.config.hidden_size),
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
        "sentence_bert_config.json": {"max_seq_length": max_length, "do_lower_case": False},
        # prompts are stated, or the name of a model that this one began from would bring its own
        "config_sentence_transformers.json": {"prompts": {"query": "", "passage": "", "symmetric": ""}},
    }
    (folder / "1_Pooling").mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(card, encoding="utf-8")
