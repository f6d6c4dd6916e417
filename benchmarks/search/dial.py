"""What the dial between the own language and none does, where each text is there in one language.

    python -m interlingua.benchmarks dial
    python -m interlingua.benchmarks dial_plot docs/dial.png

Debian's package descriptions: 750 packages, the description of each in one of nine languages, rare languages drawn more
often; all titles of these packages ask for it. *Across* are titles in another language than the description, *home*
those in its own; recall@10. *Worst questions* is the lowest recall across of a language of the questions, *texts apart*
the distance of the highest and the lowest by language of the texts. *One by one* is what a single question finds, *in
one call* what many that are asked together do, which then tell where questions lie. *Offsets* subtract what
translations of 300 other titles differ by from English (SHIFT), *round robin* takes the best raw hit of each language
in turn, the own one first.

XQuAD's paragraphs in English, German and Spanish, all 720 in one pool, each question asked in each: recall@10 of the
three right paragraphs, of the one in the own language, and of the two others.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import require, unit_rows
from interlingua.benchmarks.harness.datasets import data_folder, read_ddtp
from interlingua.benchmarks.harness.measure import Case
from interlingua.benchmarks.harness.report import RESULTS
from interlingua.pipelines import CrossLingualSearch, Encoder, Passage, load_encoder
from interlingua.pipelines.search.languages import map_by_language

LANGUAGES = ("en", "de", "fr", "it", "ja", "ru", "pl", "es", "zh_CN")
DIAL = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_PACKAGES, _PAIRS, _K, _SEED = 750, 300, 10, 7
_XQUAD = ("en", "de", "es")

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Pool:
    """Texts and questions about them.

    Attributes
    ----------
    texts, asked : list of (str, str)
        Language and text, of the passages and of the questions.
    right : list of tuple of int
        The passages that each question asks for.
    others : mapping of str to dict of str to str
        By language, titles by package that are not asked.
    titles : list of dict of str to str
        The titles, by language, of every package that is not asked for.
    """

    texts: list[tuple[str, str]]
    asked: list[tuple[str, str]]
    right: list[tuple[int, ...]]
    others: Mapping[str, dict[str, str]]
    titles: list[dict[str, str]] = field(default_factory=list)


def read_packages() -> Pool:
    """Return the pool of Debian's descriptions."""
    rows = {name: {each["package"]: each for each in read_ddtp(name)} for name in LANGUAGES}
    rng = np.random.default_rng(_SEED)
    packages = sorted(rows["en"])
    chosen = [packages[place] for place in sorted(rng.permutation(len(packages))[:_PACKAGES])]
    texts = []
    for package in chosen:
        there = [name for name in LANGUAGES if package in rows[name]]
        rare = np.array([1 / len(rows[name]) for name in there])
        name = str(rng.choice(there, p=rare / rare.sum()))
        texts.append((name, rows[name][package]["body"]))
    asked: list[tuple[str, str]] = []
    right: list[tuple[int, ...]] = []
    for name in LANGUAGES:
        for place, package in enumerate(chosen):
            if package in rows[name]:
                asked.append((name, rows[name][package]["title"]))
                right.append((place,))
    left = sorted(set(packages) - set(chosen))
    titles = [{name: rows[name][each]["title"] for name in LANGUAGES if each in rows[name]} for each in left]
    few = left[:_PAIRS]
    others = {name: {each: rows[name][each]["title"] for each in few if each in rows[name]} for name in LANGUAGES}
    return Pool(texts, asked, right, others, titles)


def read_paragraphs() -> Pool:
    """Return the pool of XQuAD's paragraphs."""
    texts: list[tuple[str, str]] = []
    asked, right = [], []
    for name in _XQUAD:
        content = json.loads((data_folder("xquad-r") / f"{name}.json").read_text(encoding="utf-8"))
        paragraphs = [each for article in content["data"] for each in article["paragraphs"]]
        texts += [(name, each["context"]) for each in paragraphs]
        for number, each in enumerate(paragraphs):
            asked += [(name, question["question"]) for question in each["qas"]]
            right += [tuple(number + step * len(paragraphs) for step in range(len(_XQUAD)))] * len(each["qas"])
    return Pool(texts, asked, right, {})


def run(encoder: Encoder | None = None) -> Iterator[Case]:
    """Ask all questions of both pools in each way."""
    encoder = load_encoder() if encoder is None else encoder
    for data, pool in (("Debian's descriptions", read_packages()), ("XQuAD en de es", read_paragraphs())):
        for method, found in ways(pool, encoder):
            figures = scores(pool, found)
            yield Case(task="one pool of languages", data=data, method=method, figures=figures, n=len(pool.asked))
            if method == "in one call, balanced 0.5" and pool.others:
                yield from (
                    Case(task="questions by language", data=name, method=method, figures=own, n=n)
                    for name, own, n in _by_language(pool, found)
                )


def ways(pool: Pool, encoder: Encoder) -> Iterator[tuple[str, Places]]:
    """Yield the name of each way and the places (q, 10) of what it finds."""
    spoken, asked_in = ([name for name, _ in each] for each in (pool.texts, pool.asked))
    texts = encoder.encode([text for _, text in pool.texts], role="passage")
    questions = encoder.encode([text for _, text in pool.asked], role="query")
    yield "raw cosine", _best(questions @ texts.T)
    yield "raw, round robin over languages", _round_robin(questions @ texts.T, spoken, asked_in)
    for strength in (0.5, 1.0) if pool.others else ():
        offsets = _offsets(pool.others, encoder)
        moved = [
            unit_rows(rows - strength * np.stack([offsets[name] for name in names]))
            for rows, names in ((questions, asked_in), (texts, spoken))
        ]
        yield f"raw, offsets from {_PAIRS} pairs, {strength:g}", _best(moved[0] @ moved[1].T)
    passages = [Passage(str(place), text, name) for place, (name, text) in enumerate(pool.texts)]
    search = CrossLingualSearch.build(passages, encoder)
    alone = map_by_language(search.question_space, questions, asked_in)
    yield "one by one, blind 1", _places(search.search_vectors(alone, _K, asked_in=asked_in, prefer=1.0))
    yield "one by one, balanced 0.5", _places(search.search_vectors(alone, _K, asked_in=asked_in))
    yield "one by one, --balance", _places(search.search_vectors(alone, _K, balance=True))
    search.learn_questions([text for _, text in pool.asked])
    together = map_by_language(search.question_space, questions, asked_in)
    for number in DIAL:
        name = {0.0: "own 0", 0.5: "balanced 0.5", 1.0: "blind 1"}.get(number, f"{number:g}")
        found = search.search_vectors(together, _K, asked_in=asked_in, prefer=number)
        yield f"in one call, {name}", _places(found)


def scores(pool: Pool, found: Places) -> dict[str, float]:
    """Return the figures of a way."""
    spoken, asked_in = (np.array([name for name, _ in each]) for each in (pool.texts, pool.asked))
    right = np.array(pool.right)
    hit = (found[:, :, None] == right[:, None, :]).any(axis=1)  # (q, right ones)
    own = spoken[right] == asked_in[:, None]
    rank = np.log2(2 + np.arange(found.shape[1]))
    gain = ((found[:, :, None] == right[:, None, :]) / rank[:, None]).sum(axis=1)
    across = hit[~own]
    figures = {"across": float(across.mean()), "home": float(hit[own].mean()), "overall": float(hit.mean())}
    figures["own share of top 10"] = float((spoken[found] == asked_in[:, None]).mean())
    if pool.others:
        del figures["overall"]
        figures["nDCG@10 across"] = float(gain[~own].mean())
        asks = {name: hit[~own & (asked_in == name)[:, None]].mean() for name in LANGUAGES}
        says = {name: hit[~own & (spoken[right] == name)].mean() for name in LANGUAGES}
        figures["worst questions"] = float(min(asks.values()))
        figures["texts apart"] = float(max(says.values()) - min(says.values()))
    return figures


def _by_language(pool: Pool, found: Places) -> Iterator[tuple[str, dict[str, float], int]]:
    spoken, asked_in = (np.array([name for name, _ in each]) for each in (pool.texts, pool.asked))
    right = np.array(pool.right)[:, 0]
    hit, own = (found == right[:, None]).any(axis=1), spoken[right] == asked_in
    for name in LANGUAGES:
        mine = asked_in == name
        figures = {"across": float(hit[mine & ~own].mean()), "home": float(hit[mine & own].mean())}
        yield name, figures, int(mine.sum())


def _best(similarity: NDArray[np.float32]) -> Places:
    return np.argsort(-similarity, axis=1, kind="stable")[:, :_K]


def _round_robin(similarity: NDArray[np.float32], spoken: Sequence[str], asked_in: Sequence[str]) -> Places:
    names = np.array(spoken)
    best = {}
    for name in dict.fromkeys(spoken):
        places = np.flatnonzero(names == name)
        order = np.argsort(-similarity[:, places], axis=1, kind="stable")[:, :_K]
        best[name] = places[order]
    found = np.empty((len(asked_in), _K), np.int64)
    for number, asked in enumerate(asked_in):
        own = [name for name in best if name == asked]
        others = sorted(
            (name for name in best if name != asked), key=lambda name: -similarity[number, best[name][number, 0]]
        )
        turns = [
            best[name][number, turn] for turn in range(_K) for name in (*own, *others) if turn < best[name].shape[1]
        ]
        found[number] = turns[:_K]
    return found


def _offsets(titles: Mapping[str, dict[str, str]], encoder: Encoder) -> dict[str, NDArray[np.float32]]:
    """Return by what titles of each language differ from their English translations, in the mean."""
    vectors = {
        name: dict(zip(each, encoder.encode(list(each.values()), role="query"), strict=True))
        for name, each in titles.items()
    }
    return {
        name: np.mean([rows[package] - vectors["en"][package] for package in rows], axis=0)
        for name, rows in vectors.items()
    }


def _places(found: Sequence[Sequence[object]]) -> Places:
    return np.array([[int(hit.id) for hit in hits] for hits in found])  # type: ignore[attr-defined]


def dial_plot(path: Path) -> int:
    """Draw the curve of the dial from the results of `dial`, and the other ways beside it."""
    rows = json.loads((RESULTS / "dial.json").read_text(encoding="utf-8"))
    require("matplotlib", extra="plot")
    from matplotlib import pyplot

    found: dict[str, dict[str, dict[str, float]]] = {}
    for each in rows:
        if each["task"] == "one pool of languages":
            found.setdefault(each["data"], {}).setdefault(each["method"], {})[each["metric"]] = each["value"]
    every = dict.fromkeys(name for methods in found.values() for name in methods)
    others = [name for name in every if not name.startswith("in one call")]
    figure, axes = pyplot.subplots(1, len(found), figsize=(6.8 * len(found), 5), squeeze=False, layout="constrained")
    for axis, (data, methods) in zip(axes[0], found.items()):
        curve = {name.rpartition(" ")[2]: each for name, each in methods.items() if name.startswith("in one call")}
        shown = {name: each for name, each in curve.items() if each["across"] > 0.5}
        axis.plot([each["home"] for each in shown.values()], [each["across"] for each in shown.values()], "-o",
                  color="#08519c", label="the dial, from own to blind")  # fmt: skip
        for name, each in shown.items():
            word = {"0.5": "0.5, the default", "1": "1, blind", "0.8": "", "0.9": ""}.get(name, name)
            axis.annotate(word, (each["home"], each["across"]), xytext=(6, 4), textcoords="offset points", fontsize=8)
        for number, name in enumerate(others):
            if name in methods:
                each, look = methods[name], f"{'sD^vPX*'[number % 7]}C{number + 1}"
                axis.plot(each["home"], each["across"], look, ms=8, label=name, ls="")
        axis.set(
            xlabel="found in the own language, recall@10", ylabel="found in other languages, recall@10", title=data
        )
        axis.margins(x=0.09)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8, loc="lower left")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return 0
