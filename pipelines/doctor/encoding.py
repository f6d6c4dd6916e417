"""Whether a store's vectors are those that an encoder gives for its texts; if not, what was done otherwise."""

import copy
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import unit_rows
from interlingua.pipelines.encoders.base import Encoder, UnknownTextError

#: Mean cosine from which a way of encoding is taken for the store's.
SAME = 0.995
_ROUNDED = 0.97  # with 8 bits or fewer
_SURELY = 0.9995
_TEXTS = 20
_PROMPTS = (
    *("", "query: ", "passage: ", "search_query: ", "search_document: "),
    "Represent this sentence for searching relevant passages: ",
)
_CUTS = (64, 100, 128, 200, 256, 384, 500, 1000, 2000)  # characters a text may have been cut to
_CUT_TOKENS = (64, 128, 256, 512)
_POOLINGS: Mapping[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "cls": lambda tokens: tokens[0],
    "mean": lambda tokens: np.asarray(tokens.mean(axis=0), np.float32),
    "max": lambda tokens: np.asarray(tokens.max(axis=0), np.float32),
    "last": lambda tokens: tokens[-1],
}
_CUT_WORDS = (32, 64, 100, 128, 200, 256)
Encode = Callable[[Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True)
class Verdict:
    """How well an encoder's vectors of stored texts agree with the stored ones.

    Attributes
    ----------
    way : str
        Of encoding: what was done to the texts or by the encoder; "" where none agrees.
    cosine : float
        Mean cosine of that way.
    right : float
        Mean cosine of the encoder's own vectors of passages.
    texts : int
        That were compared.
    others : tuple of int
        Rows, of those compared, that this way does not explain.
    """

    way: str
    cosine: float
    right: float
    texts: int
    others: tuple[int, ...] = ()

    @property
    def same(self) -> bool:
        """Whether the store holds what the encoder gives."""
        return self.way == "as passages"

    def about(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "same": self.same,
            "made": self.way or "by another model",
            "cosine": round(self.cosine, 4),
            "as passages": round(self.right, 4),
            "texts": self.texts,
            "rows that differ": list(self.others),
        }


def compare(
    texts: Sequence[str],
    vectors: NDArray[np.float32],
    ways: Iterator[tuple[str, Callable[[Sequence[str]], NDArray[np.float32] | None]]],
    *,
    rounded: bool = False,
) -> Verdict:
    """Return the way of encoding that gives the stored vectors best.

    Parameters
    ----------
    texts : sequence of str
    vectors : (n, d) array
        As stored.
    ways : iterator of (name, function)
        Each encodes the texts; the first is the right one. The search stops at the first that agrees.
    rounded : bool
        The store has 8 bits or fewer a number.

    Raises
    ------
    ValueError
        If a way gives vectors of another dimension.
    """
    stored = np.asarray(unit_rows(vectors), np.float32)
    enough = _ROUNDED if rounded else SAME
    best, right, kept = ("", -1.0), float("nan"), np.zeros(len(texts), np.float32)
    for name, encode in ways:
        made = encode(texts)
        if made is None:
            continue
        if made.shape[1] != stored.shape[1]:
            raise ValueError(
                f"the store holds vectors of dimension {stored.shape[1]}, but the encoder gives {made.shape[1]}: it is "
                "of another model"
            )
        cosines = np.einsum("ij,ij->i", np.asarray(unit_rows(made), np.float32), stored)
        found = float(np.median(cosines))
        right = found if right != right else right
        if found > best[1] + 1e-4:  # of two ways that are as good, the first
            best, kept = (name, found), cosines
        if found >= _SURELY:
            break
    if best[1] < enough:
        return Verdict("", best[1], right, len(texts))
    others = tuple(np.flatnonzero(kept < enough - 0.02).tolist())
    return Verdict(best[0], best[1], right, len(texts), others)


def ways_of(encoder: Encoder) -> Iterator[tuple[str, Callable[[Sequence[str]], NDArray[np.float32] | None]]]:
    """Yield ways in which texts may have been encoded by a model, the right one first."""

    def as_role(role: Any, change: Callable[[str], str] = str, *, bare: str | None = None, cut: int = 0) -> Any:
        def encode(texts: Sequence[str]) -> NDArray[np.float32] | None:
            given = [change(each) for each in texts]
            if cut:
                try:
                    given = _first_tokens(encoder, given, cut)
                except TypeError:  # of a tokenizer that does not say where its tokens lie
                    return None
                if given == list(texts):
                    return None
            try:
                return (encoder if bare is None else with_prompt(encoder, bare)).encode(given, role=role)
            except UnknownTextError:
                return None

        return encode

    yield "as passages", as_role("passage")
    own = encoder.prompts
    if own.get("query") != own.get("passage"):
        yield f"with the prompt of questions, {own.get('query', '')!r}", as_role("query")
    if own.get("symmetric") not in (own.get("query"), own.get("passage")):
        yield f"with the prompt {own.get('symmetric', '')!r}", as_role("symmetric")
    for prompt in _PROMPTS:
        if prompt not in own.values():
            name = f"with the prompt {prompt!r}" if prompt else "without a prompt"
            yield name, as_role("passage", bare=prompt)
    yield from _cut(encoder, as_role)
    for pooling in _POOLINGS:
        yield f"with {pooling} pooling", partial(_pooled, encoder, pooling)


def _first_tokens(encoder: Any, texts: Sequence[str], count: int) -> list[str]:
    """Return texts as a model reads them that reads so many tokens, two of them marks of its own."""
    room = count - 2 - max(0, len(encoder.token_spans([encoder.prompts["passage"]])[0]))
    spans = encoder.token_spans(texts)
    return [
        text if len(span) <= room else text[: int(span[room - 1][1])] for text, span in zip(texts, spans, strict=True)
    ]


def with_prompt(encoder: Encoder, prompt: str) -> Encoder:
    """Return the same encoder with another text before each text, in every role."""
    changed: Any = copy.copy(encoder)
    kind = type(encoder)
    prompts = dict.fromkeys(("symmetric", "query", "passage"), prompt)
    kept: Any = type(kind.__name__, (kind,), {"prompts": prompts})
    object.__setattr__(changed, "__class__", kept)  # of a frozen dataclass too
    return changed  # type: ignore[no-any-return]


def _pooled(encoder: Any, pooling: str, texts: Sequence[str]) -> NDArray[np.float32] | None:
    """Return vectors by another pooling of the tokens; None of an encoder that is no model of sentence-transformers."""
    try:
        model = encoder.model
        prompt = encoder.prompts["passage"]
        tokens = model.encode([prompt + each for each in texts], output_value="token_embeddings")
    except (AttributeError, TypeError, ImportError, OSError, KeyError):
        return None
    rows = [np.asarray(each.detach().cpu().numpy() if hasattr(each, "detach") else each, np.float32) for each in tokens]
    return np.stack([_POOLINGS[pooling](each) for each in rows])


def _cut(encoder: Any, as_role: Any) -> Iterator[tuple[str, Any]]:
    if callable(getattr(encoder, "token_spans", None)):
        for count in _CUT_TOKENS:
            yield f"cut to {count} tokens", as_role("passage", cut=count)
    for name, change in _changes():
        yield name, as_role("passage", change)


def _changes() -> Iterator[tuple[str, Callable[[str], str]]]:
    """Yield what may have been done to texts before they were encoded."""
    for count in _CUT_WORDS:
        yield f"cut to {count} words", partial(_first_words, count)
    for count in _CUTS:
        yield f"cut to {count} characters", partial(_first_characters, count)
    yield "in lower case", str.lower


def _first_words(count: int, text: str) -> str:
    return " ".join(text.split()[:count])


def _first_characters(count: int, text: str) -> str:
    return text[:count]


def _behind(prompt: str, text: str) -> str:
    return prompt + text


def ways_of_endpoint(url: str, model: str, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the same of an endpoint of the form of OpenAI's ``/v1/embeddings``."""

    def encode(change: Callable[[str], str]) -> Any:
        return lambda texts: ask_endpoint(url, model, [change(each) for each in texts], key)

    yield "as passages", encode(str)
    for prompt in _PROMPTS[1:]:
        yield f"with the prompt {prompt!r}", encode(partial(_behind, prompt))
    for name, change in _changes():
        yield name, encode(change)


def ask_endpoint(url: str, model: str, texts: Sequence[str], key: str = "") -> NDArray[np.float32]:
    """Return the vectors that an endpoint gives for texts.

    Raises
    ------
    ValueError
        If it cannot be reached, or answers something else.
    """
    address = url.rstrip("/")
    address = address if address.endswith("/embeddings") else f"{address}/embeddings"
    if not address.startswith(("http://", "https://")):
        raise ValueError(f"an endpoint is an address such as http://localhost:8000/v1, but is {url!r}")
    body = json.dumps({"model": model, "input": list(texts), "encoding_format": "float"}).encode()
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    asked = urllib.request.Request(address, body, headers)  # noqa: S310 - http or https, see above
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310
            said: Mapping[str, Any] = json.load(answer)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise ValueError(f"{address} gives no vectors: {error}") from error
    rows = said.get("data") if isinstance(said, dict) else None
    if not isinstance(rows, list) or len(rows) != len(texts):
        raise ValueError(f"{address} answers otherwise than /v1/embeddings: no vector for each of {len(texts)} texts")
    ordered = sorted(rows, key=lambda row: row.get("index", 0))
    return np.array([row["embedding"] for row in ordered], np.float32)


def choose_texts(texts: Sequence[str], count: int = _TEXTS) -> list[int]:
    """Return rows to compare: spread over the store, half of them the longest of a larger choice, which show cuts."""
    able = [row for row, each in enumerate(texts) if each.strip()]
    if len(able) <= count:
        return able
    spread = [able[at] for at in np.linspace(0, len(able) - 1, 10 * count).astype(int)]
    spread = list(dict.fromkeys(spread))
    longest = sorted(spread, key=lambda row: -len(texts[row]))[: count // 2]
    rest = [row for row in spread if row not in longest]
    step = max(1, len(rest) // (count - len(longest)))
    return sorted([*longest, *rest[::step][: count - len(longest)]])
