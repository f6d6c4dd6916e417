"""What a protocol is given: a task, its data, and frozen vectors that may pass through a shared space.

Frozen vectors of words in their sentences, and of the tokens of texts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import SharedSpace
from interlingua.align.arrays import require, unit_rows
from interlingua.pipelines import Encoder
from interlingua.pipelines.encoders.base import Role
from interlingua.pipelines.encoders.cache import CachedEncoder
from interlingua.pipelines.encoders.fingerprint import check_space
from interlingua.pipelines.encoders.transformer import TransformerEncoder
from interlingua.pipelines.train import FineTuning

from .tasks import Task

_CODES = """
af:afr ar:ara bg:bul bn:ben de:deu el:ell en:eng es:spa et:est eu:eus fa:fas fi:fin fr:fra gu:guj he:heb hi:hin ht:hat
hu:hun id:ind it:ita ja:jpn jv:jav ka:kat kk:kaz ko:kor lt:lit ml:mal mr:mar ms:msa my:mya nl:nld pa:pan pl:pol pt:por
qu:que ro:ron ru:rus sw:swh ta:tam te:tel th:tha tl:tgl tr:tur uk:ukr ur:urd vi:vie yo:yor zh:cmn
"""
_THREE = {pair[:2]: pair[3:] for pair in _CODES.split()}
_TWO = {three: two for two, three in _THREE.items()}
_OTHER = {"cmn": "zho", "zho": "cmn", "ara": "arb", "arb": "ara", "swh": "swa", "swa": "swh"}


@dataclass(frozen=True)
class FrozenVectors:
    """An encoder, and a shared space that its vectors are mapped into if there is one."""

    encoder: Encoder
    space: SharedSpace | None = None

    def __post_init__(self) -> None:
        if self.space is not None:
            check_space(self.space, self.encoder)

    def encode(self, texts: Sequence[str], language: str, role: Role = "symmetric") -> NDArray[np.float32]:
        """Return unit vectors of texts of one language, (n, d).

        Raises
        ------
        ValueError
            If the space has no map for the language.
        """
        vectors = self.encoder.encode(texts, role=role)
        if self.space is None:
            return vectors
        return np.asarray(self.space.transform(vectors, name_in_space(self.space, language)), np.float32)


@dataclass(frozen=True)
class Work:
    """One task to predict.

    Attributes
    ----------
    module : module
        `xtreme` or `xglue`.
    task : Task
    data : path
    languages : tuple of str
    vectors : FrozenVectors
    model : str, optional
        A model of transformers: a reader for questions, an encoder-decoder for texts to be written.
    steps : int
        That an encoder-decoder is trained for.
    tuning : FineTuning, optional
        How the encoder is fine-tuned for labels, grades and tags; None leaves it frozen.
    """

    module: ModuleType
    task: Task
    data: str | os.PathLike[str]
    languages: tuple[str, ...]
    vectors: FrozenVectors
    model: str | None = None
    steps: int = 1000
    tuning: FineTuning | None = None


def name_in_space(space: SharedSpace, language: str) -> str:
    """Return what a space calls a language: the name given, or its ISO 639 codes of two or three letters.

    Raises
    ------
    ValueError
        If it has no such language.
    """
    bare = language.split("_")[0]
    three = _THREE.get(bare, bare)
    names = (
        language,
        bare,
        three,
        _OTHER.get(three, three),
        _TWO.get(bare, bare),
        _TWO.get(_OTHER.get(bare, ""), bare),
    )
    for name in names:
        if space.covers(name):
            return name
    raise ValueError(f"the space has no map for {language!r}; it has: {', '.join(space.languages)}")


_WORD = re.compile(r"\w+|[^\w\s]")
_BATCH, _LONGEST = 32, 512
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Tokens:
    """The tokens of a text.

    Attributes
    ----------
    spans : tuple of (int, int)
        Where each begins and ends in the text.
    vectors : (n, d) array
    """

    spans: tuple[tuple[int, int], ...]
    vectors: Vectors


def depth(encoder: Encoder) -> int:
    """Return the number of a transformer's layers, and 0 of an encoder that has none."""
    found = _transformer(encoder)
    return 0 if found is None else int(found.model.transformers_model.config.num_hidden_layers)


def word_vectors(
    encoder: Encoder, sentences: Sequence[Sequence[str]], *, layers: Sequence[int] = (-1,)
) -> list[Vectors]:
    """Return a vector for each word of each sentence, [(words, d len(layers)), ...].

    Of a transformer: the mean of the word's tokens in each of the hidden `layers` (0 the embeddings, -1 the last), side
    by side; zeros where no token of it is left after 512. Of any other encoder: the vectors of the word before, the
    word, and the word after, each by itself (3 d).
    """
    source = _transformer(encoder)
    if source is None:
        return _neighbours(encoder, sentences)
    before = source.prompts["symmetric"].split()
    found: list[Vectors] = [np.empty((0, 0), np.float32)] * len(sentences)

    def keep(row: int, tokens: Any, place: int, states: Vectors) -> None:
        words = np.array([-1 if word is None else word - len(before) for word in tokens.word_ids(place)])
        inside = words >= 0
        total = np.zeros((len(sentences[row]), states.shape[1]), np.float32)
        np.add.at(total, words[inside], states[: len(words)][inside])
        counts = np.bincount(words[inside], minlength=len(total))
        found[row] = np.asarray(total / np.maximum(counts, 1)[:, None], np.float32)

    _run(source, [[*before, *words] for words in sentences], layers, keep, is_split_into_words=True)
    return found


def text_tokens(encoder: Encoder, texts: Sequence[str], *, role: Role = "passage", layer: int = -1) -> list[Tokens]:
    """Return the tokens of each text with unit vectors: a transformer's own, else words that are encoded alone.

    What comes after a transformer's 512 tokens is left out.
    """
    source = _transformer(encoder)
    if source is None:
        return [_words(encoder, text, role) for text in texts]
    prompt = source.prompts[role]
    found = [Tokens((), np.empty((0, 0), np.float32))] * len(texts)

    def keep(row: int, tokens: Any, place: int, states: Vectors) -> None:
        offsets = tokens["offset_mapping"][place].tolist()
        spans = {}
        for number, (start, end) in enumerate(offsets):
            start, end = max(start - len(prompt), 0), end - len(prompt)
            while start < end and texts[row][start].isspace():
                start += 1
            if start < end:
                spans[number] = (start, end)
        found[row] = Tokens(tuple(spans.values()), np.asarray(unit_rows(states[list(spans)]), np.float32))

    _run(source, [prompt + text for text in texts], (layer,), keep, return_offsets_mapping=True)
    return found


def _run(
    source: TransformerEncoder,
    inputs: Sequence[Any],
    layers: Sequence[int],
    keep: Callable[[int, Any, int, Vectors], None],
    **options: bool,
) -> None:
    """Give `keep` the row, the tokens, the place in the batch and the hidden states of each input, longest first."""
    torch = require("torch", extra="torch")
    model, tokenizer = source.model, source.model.tokenizer
    longest = min(model.max_seq_length or _LONGEST, _LONGEST)
    order = sorted(range(len(inputs)), key=lambda row: -len(inputs[row]))
    for start in range(0, len(order), _BATCH):
        rows = order[start : start + _BATCH]
        tokens = tokenizer(
            [inputs[row] for row in rows],
            truncation=True,
            max_length=longest,
            padding=True,
            return_tensors="pt",
            **options,
        )
        given = {name: each.to(source.device) for name, each in tokens.items() if name != "offset_mapping"}
        with torch.inference_mode():
            hidden = model.transformers_model(**given, output_hidden_states=True).hidden_states
            states = torch.cat([hidden[layer] for layer in layers], dim=-1).float().cpu().numpy()
        for place, row in enumerate(rows):
            keep(row, tokens, place, states[place])


def _transformer(encoder: Any) -> TransformerEncoder | None:
    while isinstance(encoder, CachedEncoder):
        encoder = encoder.encoder
    return encoder if isinstance(encoder, TransformerEncoder) else None


def _neighbours(encoder: Encoder, sentences: Sequence[Sequence[str]]) -> list[Vectors]:
    known = {word: row for row, word in enumerate(dict.fromkeys(word for each in sentences for word in each))}
    vectors = np.vstack([encoder.encode(list(known)), np.zeros((1, encoder.dimension), np.float32)])
    found = []
    for words in sentences:
        rows = [-1, *(known[word] for word in words), -1]
        found.append(np.hstack([vectors[rows[:-2]], vectors[rows[1:-1]], vectors[rows[2:]]]))
    return found


def _words(encoder: Encoder, text: str, role: Role) -> Tokens:
    spans = tuple(match.span() for match in _WORD.finditer(text))
    return Tokens(spans, encoder.encode([text[start:end] for start, end in spans], role=role))
