"""A transformer with one linear layer on top: labels texts, or the words of sentences."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import require
from interlingua.align.files import replacing_folder
from interlingua.pipelines.encoders.base import Encoder, resolve_prompts
from interlingua.pipelines.encoders.cache import CachedEncoder
from interlingua.pipelines.encoders.load import load_encoder
from interlingua.pipelines.encoders.transformer import TransformerEncoder

from .trainer import quiet_libraries

IGNORED = -100  # torch's label for what bears no loss
_HEAD, _SHAPE = "head.safetensors", "classifier.json"


@dataclass(frozen=True)
class ClassifierShape:
    """What a classifier is, beside its weights.

    Attributes
    ----------
    labels : tuple of str
        What it can say; column j of its scores is labels[j].
    words : bool
        Whether it labels each word of a sentence (by its first subword), or the whole text.
    pooling : {"mean", "cls"}
        How tokens become the text's features.
    layer : int
        Hidden layer that is read; the layers above it are cut off.
    prompt : str
        Stands before each text.
    max_length : int
        Tokens read of each text.
    fallback : int
        Column of the label of words that have no token of their own.
    """

    labels: tuple[str, ...]
    words: bool
    pooling: Literal["mean", "cls"]
    layer: int
    prompt: str
    max_length: int
    fallback: int = 0


@dataclass(eq=False)
class TextClassifier:
    """A transformer, its tokenizer and a linear layer; trained by `fine_tune`.

    Parameters
    ----------
    network : torch module
        See `build_network`.
    tokenizer : transformers tokenizer
    shape : ClassifierShape
    device, dtype : str
        Where and in which number type predictions are computed; the weights are float32.
    """

    network: Any = field(repr=False)
    tokenizer: Any = field(repr=False)
    shape: ClassifierShape
    _: KW_ONLY
    device: str = "cpu"
    dtype: str = "float32"

    @classmethod
    def create(
        cls,
        encoder: str | Path | Encoder | None,
        labels: Sequence[str],
        *,
        words: bool = False,
        pooling: Literal["mean", "cls"] = "mean",
        layer: int | None = None,
        prompt: str | None = None,
        max_length: int = 128,
        dropout: float = 0.1,
        seed: int = 0,
        device: str = "auto",
        dtype: str = "auto",
    ) -> TextClassifier:
        """Return a classifier that knows nothing yet, on any transformers checkpoint.

        Parameters
        ----------
        encoder : str, Path or TransformerEncoder, optional
            As for `load_encoder`, no file of word vectors; or one loaded already, whose revision and prompts count.
        labels : sequence of str
            All labels, in the order of the scores; repeated ones count how often they occur in training.
        words, pooling, layer, max_length
            See `ClassifierShape`; layer counts from 1, None is the last.
        prompt : str, optional
            Before each text; None is what the encoder wants for symmetric tasks.
        dropout : float
            Of the features, in training.
        seed : int
            Draws the linear layer.
        device, dtype : str
            As for `load_encoder`.

        Raises
        ------
        ValueError
            If there are fewer than two labels, or the layer or the pooling is none.
        """
        transformers = require("transformers", extra="torch")
        counts = Counter(labels)
        if len(counts) < 2:
            raise ValueError(f"a classifier needs at least 2 labels to choose from, got {list(counts)}")
        source = find_transformer(encoder)
        path, revision = str(source.folder or source.name), source.revision
        place = TransformerEncoder(path, device=device, dtype=dtype, revision=revision)
        if prompt is None:
            by_name = source.folder is None and isinstance(encoder, str | Path)  # to ask the model would load it twice
            prompt = (resolve_prompts(source.name, {}) if by_name else source.prompts)["symmetric"]
        with quiet_libraries():
            backbone = transformers.AutoModel.from_pretrained(path, revision=revision).float()
        names = tuple(sorted(counts))
        shape = ClassifierShape(
            labels=names,
            words=words,
            pooling=pooling,
            layer=keep_layers(backbone, layer),
            prompt=prompt,
            max_length=max_length,
            fallback=names.index(counts.most_common(1)[0][0]),
        )
        network = build_network(backbone, shape, dropout=dropout, seed=seed)
        tokenizer = transformers.AutoTokenizer.from_pretrained(path, revision=revision)
        return cls(network.to(place.device), tokenizer, shape, device=place.device, dtype=place.dtype)

    def encode_inputs(self, texts: Sequence[Any], labels: Sequence[Any] | None = None) -> list[dict[str, Any]]:
        """Return each text's token ids, mask and labels, not padded, as lists.

        A text is a string, or a tuple of two that the transformer reads together.

        Raises
        ------
        ValueError
            If some texts are pairs and others are not, or a label is unknown.
        """
        if self.shape.words:
            return self._encode_words(texts, labels)
        tokens = self.tokenizer(*self._sides(texts), truncation=True, max_length=self.shape.max_length)
        examples = [{name: tokens[name][row] for name in tokens} for row in range(len(texts))]
        if labels is not None:
            columns = self._columns(labels)
            for example, label in zip(examples, labels, strict=True):
                example["labels"] = columns[label]
        return examples

    def collate(self, examples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return examples of `encode_inputs` as one padded batch of tensors."""
        torch = require("torch", extra="torch")
        names = [name for name in examples[0] if name not in ("labels", "starts")]
        batch = dict(
            self.tokenizer.pad({name: [each[name] for each in examples] for name in names}, return_tensors="pt")
        )
        if "labels" in examples[0]:
            width = batch["input_ids"].shape[1]
            labels = [each["labels"] for each in examples]
            if self.shape.words:
                labels = [each + [IGNORED] * (width - len(each)) for each in labels]
            batch["labels"] = torch.tensor(labels)
        return batch

    def scores(self, texts: Sequence[Any], *, batch_size: int = 32) -> NDArray[np.float32]:
        """Return (n, n_labels) probabilities of whole texts, or of pairs."""
        if self.shape.words:
            raise ValueError("this classifier labels words; use predict")
        logits, _ = self._outputs(self.encode_inputs(texts), batch_size)
        raised = np.exp([row - row.max() for row in logits], dtype=np.float32)
        return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)

    def features(self, texts: Sequence[Any], *, batch_size: int = 32) -> NDArray[np.float32]:
        """Return the (n, d) pooled layer that the scores are made from: what a probe can tell the language by."""
        return np.asarray(self._outputs(self.encode_inputs(texts), batch_size)[1], np.float32)

    def predict(self, texts: Sequence[Any], *, batch_size: int = 32) -> tuple[Any, ...]:
        """Return the most probable label of each text, or a tuple of them for each sentence, one a word.

        Words beyond `max_length` tokens get the most frequent label of training, with a warning.
        """
        examples = self.encode_inputs(texts)
        logits, _ = self._outputs(examples, batch_size)
        labels = self.shape.labels
        if not self.shape.words:
            return tuple(labels[int(row.argmax())] for row in logits)
        found = []
        missing = 0
        for words, example, rows in zip(texts, examples, logits, strict=True):
            columns = [self.shape.fallback] * len(words)
            for token, word in example["starts"]:
                columns[word] = int(rows[token].argmax())
            missing += len(words) - len(example["starts"])
            found.append(tuple(labels[column] for column in columns))
        if missing:
            warnings.warn(
                f"{missing} words lie beyond max_length={self.shape.max_length} tokens or have no token; they get the "
                f"label {labels[self.shape.fallback]!r}",
                stacklevel=2,
            )
        return tuple(found)

    def save(self, folder: str | Path) -> None:
        """Write a folder that `load` reads, whole or not at all; `AutoModel` loads its transformer too.

        Raises
        ------
        FileExistsError
            If something else than a classifier lies there.
        """
        save_file = require("safetensors.torch", extra="torch").save_file
        with replacing_folder(folder, marker=_SHAPE, kind="classifier") as new:
            with quiet_libraries():
                self.network.backbone.save_pretrained(new)
            self.tokenizer.save_pretrained(new)
            head = {name: each.detach().cpu().contiguous() for name, each in self.network.head.state_dict().items()}
            save_file(head, new / _HEAD, metadata={"format": "pt"})
            text = json.dumps({"format": 1, **asdict(self.shape)}, ensure_ascii=False, indent=1)
            (new / _SHAPE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "auto", dtype: str = "auto") -> TextClassifier:
        """Return the classifier that `save` wrote.

        Raises
        ------
        FileNotFoundError
            If the folder holds none.
        """
        transformers = require("transformers", extra="torch")
        load_file = require("safetensors.torch", extra="torch").load_file
        path = Path(folder)
        if not (path / _SHAPE).is_file():
            raise FileNotFoundError(f"{path} holds no classifier: {_SHAPE} is not in it")
        content = json.loads((path / _SHAPE).read_text(encoding="utf-8"))
        if content.pop("format") != 1:
            raise ValueError(f"{path} was written by a newer version; update interlingua")
        shape = ClassifierShape(**{**content, "labels": tuple(content["labels"])})
        place = TransformerEncoder(path, device=device, dtype=dtype)
        with quiet_libraries():
            backbone = transformers.AutoModel.from_pretrained(path).float()
        network = build_network(backbone, shape, dropout=0.0, seed=0)
        network.head.load_state_dict(load_file(path / _HEAD))
        tokenizer = transformers.AutoTokenizer.from_pretrained(path)
        return cls(network.to(place.device).eval(), tokenizer, shape, device=place.device, dtype=place.dtype)

    def _sides(self, texts: Sequence[Any]) -> list[list[str]]:
        """Return the texts, or the first and the second ones of pairs, each behind the prompt."""
        widths = {1 if isinstance(each, str) else len(each) for each in texts}
        if not widths <= {1} and widths != {2}:
            raise ValueError(f"texts are all strings or all tuples of two strings; these hold {sorted(widths)} strings")
        columns = zip(*texts, strict=True) if widths == {2} else [texts]
        return [[self.shape.prompt + each for each in column] for column in columns]

    def _encode_words(
        self, sentences: Sequence[Sequence[str]], labels: Sequence[Sequence[str]] | None
    ) -> list[dict[str, Any]]:
        before = self.shape.prompt.split()
        columns = self._columns([tag for tags in labels or () for tag in tags])
        examples = []
        for row, words in enumerate(sentences):
            tokens = self.tokenizer(
                [*before, *words], is_split_into_words=True, truncation=True, max_length=self.shape.max_length
            )
            ids = tokens.word_ids()
            first = {word: place for place, word in reversed(list(enumerate(ids))) if word is not None}
            example = dict(tokens)
            example["starts"] = [
                (place, word - len(before)) for word, place in sorted(first.items()) if word >= len(before)
            ]
            if labels is not None:
                example["labels"] = [IGNORED] * len(ids)
                for place, word in example["starts"]:
                    example["labels"][place] = columns[labels[row][word]]
            examples.append(example)
        return examples

    def _columns(self, labels: Sequence[str]) -> dict[str, int]:
        columns = {label: column for column, label in enumerate(self.shape.labels)}
        unknown = sorted(set(labels) - set(columns))
        if unknown:
            raise ValueError(f"the labels {unknown} are not among the classifier's: {', '.join(self.shape.labels)}")
        return columns

    def _outputs(
        self, examples: Sequence[dict[str, Any]], batch_size: int
    ) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
        """Return each text's scores before softmax, (n_labels,) or (n_tokens, n_labels), and its features."""
        torch = require("torch", extra="torch")
        self.network.eval()
        found: list[tuple[Any, Any]] = [(None, None)] * len(examples)
        order = sorted(range(len(examples)), key=lambda row: -len(examples[row]["input_ids"]))
        kind = self.device.split(":")[0]
        reduced = self.dtype != "float32"
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            batch = self.collate([examples[row] for row in rows])
            with torch.no_grad(), torch.autocast(kind, dtype=getattr(torch, self.dtype), enabled=reduced):
                outputs = self.network(**{name: each.to(self.device) for name, each in batch.items()})
            for row, *both in zip(rows, *(each.float().cpu().numpy() for each in outputs), strict=True):
                found[row] = (both[0], both[1])
        return [scores for scores, _ in found], [features for _, features in found]


def build_network(backbone: Any, shape: ClassifierShape, *, dropout: float, seed: int) -> Any:
    """Return a torch module: tokens -> (scores, features).

    Scores are (n, n_labels), or (n, tokens, n_labels) where words are labelled; features are the (n, d) pooled layer.
    """
    torch = require("torch", extra="torch")
    if shape.pooling not in ("mean", "cls"):
        raise ValueError(f"pooling is 'mean' or 'cls', got {shape.pooling!r}")

    class Network(torch.nn.Module):  # type: ignore[misc,name-defined]  # torch is loaded here and not before
        def __init__(self) -> None:
            super().__init__()
            self.backbone = backbone
            self.dropout = torch.nn.Dropout(dropout)
            with torch.random.fork_rng(devices=[]):  # torch draws weights from its global generator
                torch.manual_seed(seed)
                self.head = torch.nn.Linear(backbone.config.hidden_size, len(shape.labels))

        def forward(self, **tokens: Any) -> tuple[Any, Any]:
            hidden = self.backbone(**tokens).last_hidden_state
            mask = tokens["attention_mask"].unsqueeze(-1).to(hidden.dtype)
            pooled = hidden[:, 0] if shape.pooling == "cls" else (hidden * mask).sum(1) / mask.sum(1)
            return self.head(self.dropout(hidden if shape.words else pooled)), pooled

    return Network()


def transformer_layers(backbone: Any) -> Any:
    """Return the list of a transformer's layers, as torch keeps it."""
    torch = require("torch", extra="torch")
    depth = backbone.config.num_hidden_layers
    for module in backbone.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == depth:
            return module
    raise ValueError(f"{type(backbone).__name__} does not keep its {depth} layers in a list; leave layers as they are")


def model_depth(encoder: str | Path | Encoder | None) -> int | None:
    """Return how many layers a transformer has, without loading its weights; None where its settings do not say."""
    transformers = require("transformers", extra="torch")
    source = find_transformer(encoder)
    with quiet_libraries():
        config = transformers.AutoConfig.from_pretrained(str(source.folder or source.name), revision=source.revision)
    depth = getattr(config, "num_hidden_layers", None)
    return None if depth is None else int(depth)


def find_transformer(encoder: str | Path | Encoder | None) -> TransformerEncoder:
    """Return the transformer that is meant by a folder, a name or an encoder that is loaded; None is the bundled one.

    Raises
    ------
    ValueError
        If it is another kind of encoder.
    """
    named = encoder is None or isinstance(encoder, str | Path)
    source: Any = load_encoder(encoder, cache=False) if named else encoder  # type: ignore[arg-type]
    while isinstance(source, CachedEncoder):
        source = source.encoder
    if not isinstance(source, TransformerEncoder):
        raise ValueError(
            f"only a transformer can be trained, but {encoder if named else source.identity} is a "
            f"{type(source).__name__}; name a model of transformers, or 'bundled'"
        )
    return source


def keep_layers(transformer: Any, n_layers: int | None) -> int:
    """Drop all but the first layers of a transformer, or none; return how many there are now.

    Raises
    ------
    ValueError
        If it has fewer, or does not keep them in a list.
    """
    depth = int(transformer.config.num_hidden_layers)
    if n_layers is None or n_layers == depth:
        return depth
    if not 1 <= n_layers < depth:
        raise ValueError(f"layer must be between 1 and {depth}, the model's last, but is {n_layers}")
    del transformer_layers(transformer)[n_layers:]
    transformer.config.num_hidden_layers = n_layers
    if getattr(transformer.config, "layer_types", None):
        transformer.config.layer_types = transformer.config.layer_types[:n_layers]
    return n_layers
