"""Open an encoder to be trained: frozen word embeddings, low-rank adapters, and the folder it ends in."""

import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.optional import require

from ..embedding_cache import CachedEncoder
from ..encoder import Encoder
from ..encoder_loading import load_encoder
from ..transformer_encoder import TransformerEncoder

__all__ = [
    "OpenEncoder",
    "add_lora",
    "encode_texts",
    "freeze_word_embeddings",
    "keep_layers",
    "merge_lora",
    "save_encoder",
]


@dataclass(frozen=True)
class OpenEncoder:
    """Where an encoder comes from, and how its texts are prompted.

    Attributes
    ----------
    name : str
        Folder, or name on the Hub.
    identity : str
    prompts : mapping
        Role to prefix.
    device, precision : str
        Where and in which numbers its matrix products are fast.
    revision : str, optional
        Branch, tag or commit on the Hub.
    """

    name: str
    identity: str
    prompts: Mapping[str, str]
    device: str
    precision: str
    revision: str | None = None

    @classmethod
    def of(cls, encoder: str | Path | Encoder | None, *, device: str = "auto") -> "OpenEncoder":
        """Open an encoder by name, or one that is loaded already; None is the bundled one.

        Raises
        ------
        TypeError
            If it is no sentence-transformers model.
        """
        found: Any = (
            load_encoder(encoder, cache=False) if encoder is None or isinstance(encoder, str | Path) else encoder
        )
        while isinstance(found, CachedEncoder):
            found = found.encoder
        if not isinstance(found, TransformerEncoder):
            raise TypeError(f"only a sentence-transformers model can be trained, got {type(found).__name__}")
        name = str(found.folder or found.name)
        place = TransformerEncoder(name, device=device, revision=found.revision)
        return cls(name, found.identity, dict(found.prompts), place.device, place.dtype, found.revision)

    def fresh(self) -> Any:
        """Return the `SentenceTransformer` in float32, newly loaded; its configuration states its prompts."""
        model = TransformerEncoder(self.name, device=self.device, dtype="float32", revision=self.revision).model
        if any(self.prompts.values()):
            model.prompts = {**model.prompts, **self.prompts, "document": self.prompts["passage"]}
        return model


def encode_texts(
    model: Any, texts: list[str], *, prompt: str, opened: OpenEncoder, precision: str
) -> NDArray[np.float32]:
    """Return the model's vectors of the texts, computed in the numbers that it is trained in; equal texts once."""
    torch = require("torch", extra="torch")
    chosen = opened.precision if precision == "auto" else precision
    rows = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    with torch.autocast(opened.device.split(":")[0], dtype=torch.bfloat16, enabled=chosen == "bfloat16"):
        vectors = model.encode(list(rows), prompt=prompt or None, show_progress_bar=False, convert_to_tensor=True)
    return np.asarray(vectors.float().cpu().numpy(), np.float32)[[rows[text] for text in texts]]


def freeze_word_embeddings(model: Any) -> None:
    """Leave the word embeddings as they are: most of a multilingual model, and rare words are hardly ever updated."""
    model.transformers_model.get_input_embeddings().requires_grad_(False)


def keep_layers(model: Any, n_layers: int) -> None:
    """Drop all but the first `n_layers` layers of the transformer.

    Raises
    ------
    ValueError
        If it has fewer, or its layers are not where BERT, RoBERTa and their kin have them.
    """
    transformer = model.transformers_model
    layers = getattr(getattr(transformer, "encoder", None), "layer", None)
    if layers is None:
        raise ValueError(f"layers can be dropped of BERT-like encoders only, not of {type(transformer).__name__}")
    if not 1 <= n_layers <= len(layers):
        raise ValueError(f"layers must be between 1 and {len(layers)}, got {n_layers}")
    transformer.encoder.layer = layers[:n_layers]
    transformer.config.num_hidden_layers = n_layers


def add_lora(model: Any, rank: int, *, seed: int = 0) -> None:
    """Freeze the transformer and put a trained low-rank update beside each of its linear layers.

    A layer computes W x + 2 B A x with A of `rank` rows, B of zeros at first.

    References
    ----------
    Hu et al. 2022, LoRA: low-rank adaptation of large language models, arXiv:2106.09685.
    """
    if rank < 1:
        raise ValueError(f"the rank of the adapters must be at least 1, got {rank}")
    peft = require("peft", extra="train")
    torch = require("torch", extra="torch")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model.add_adapter(peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear"))


def merge_lora(model: Any) -> Any:
    """Add the low-rank updates to the weights and drop the adapters: a plain model again, with the same vectors."""
    layers = require("peft.tuners.tuners_utils", extra="train")
    transformer = model.transformers_model
    for name, layer in list(transformer.named_modules()):
        if isinstance(layer, layers.BaseTunerLayer):
            layer.merge()
            parent, _, child = name.rpartition(".")
            setattr(transformer.get_submodule(parent), child, layer.get_base_layer())
    transformer._hf_peft_config_loaded = False
    if hasattr(transformer, "peft_config"):
        del transformer.peft_config
    return model


def save_encoder(model: Any, output: Path, *, card: str) -> None:
    """Write the folder beside and rename it, so that `output` is whole or not there."""
    building = output.with_name(f".{output.name}-{uuid.uuid4().hex}")
    try:
        model.save_pretrained(str(building), create_model_card=False)
        (building / "README.md").write_text(card, encoding="utf-8")
        building.rename(output)
    finally:
        shutil.rmtree(building, ignore_errors=True)
