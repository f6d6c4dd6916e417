"""Entity linking across languages: 250 countries by their English names, asked in 24 other languages.

    python -m interlingua.benchmarks.linking.linking

The index holds common and official names in English of mledoze/countries; the mentions of one language are asked
together, as the column of a table is, and once one at a time. *NIL*: a fifth of the countries is taken out of the
index. The baselines get the threshold that is best for them on these very mentions; the index uses 0.5. *Contexts*:
the sentences of `linking_contexts` among the countries and their namesakes. *Size*: names of DBP15K's English
entities, asked by 500 Chinese ones, all encoded before; memory as Python counts it.
"""

import json
import sys
import tracemalloc
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.benchmarks.harness.datasets import data_folder
from interlingua.benchmarks.harness.measure import peak_mb, run_benchmark, watch
from interlingua.benchmarks.harness.report import row
from interlingua.pipelines import load_encoder
from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.graphs import read_graph_pair
from interlingua.pipelines.link import Entity, EntityIndex
from interlingua.pipelines.link.names import SpellingIndex

from .linking_contexts import NAMESAKES, SENTENCES

COMMAND = "python -m interlingua.benchmarks.linking.linking"
_COSINE, _SPELLING, _LINK, _SINGLE = "raw cosine", "character groups", "EntityIndex", "EntityIndex, one at a time"
_K, _ASKED = 5, 500

Answers = list[list[tuple[str, float]]]  # for each mention ids and scores, best first


def run() -> list[dict[str, Any]]:
    """Measure and return the result rows."""
    everything = read_countries(data_folder("countries") / "countries.json")
    english = read_countries(data_folder("countries") / "countries.json", languages=["eng"])
    encoder = load_encoder()
    return [
        *_names(everything, english, encoder),
        *_nil(everything, english, encoder),
        *_contexts(english, encoder),
        *_sizes(encoder),
    ]


def read_countries(path: Path, *, languages: Collection[str] | None = None) -> list[Entity]:
    """Return the entities of a ``countries.json`` of mledoze/countries, ids by ISO 3166-1 alpha-3.

    Parameters
    ----------
    path : Path
    languages : collection of str, optional
        ISO 639-3 codes; official names are aliases. Default: all.
    """
    found = []
    for each in json.loads(path.read_text(encoding="utf-8")):
        spoken = {"eng": each["name"], **each["translations"]}
        kept = {code: names for code, names in spoken.items() if languages is None or code in languages}
        official = dict.fromkeys(names["official"] for names in kept.values())
        found.append(
            Entity(
                each["cca3"],
                {code: names["common"] for code, names in kept.items()},
                tuple(official),
                f"country in {each['subregion'] or each['region']}",
                ("country",),
                {"capital": tuple(each["capital"]), "region": (each["region"],)},
            )
        )
    return found


def _names(everything: list[Entity], english: list[Entity], encoder: Encoder) -> list[dict[str, Any]]:
    asked = _mentions(everything)
    index = EntityIndex.build(english, encoder)
    index.link(["warm"])
    rows = []
    totals: dict[str, list[tuple[float, float, int, float]]] = {}
    for language, pairs in asked.items():
        names = [name for name, _ in pairs]
        for method in (_COSINE, _SPELLING, _SINGLE, _LINK):
            with watch() as working:
                answers = _ask(method, english, index, names)
            hits = [[id for id, _ in found].index(right) if right in [id for id, _ in found] else _K
                    for found, (_, right) in zip(answers, pairs, strict=True)]  # fmt: skip
            figures = float(np.mean(np.array(hits) < 1)), float(np.mean(np.array(hits) < _K))
            totals.setdefault(method, []).append((*figures, len(pairs), working.seconds))
            if method != _SINGLE:
                rows += _rows("linking, names", language, method, zip(("accuracy@1", "accuracy@5"), figures),
                              len(pairs), working.seconds)  # fmt: skip
    for method, each in totals.items():
        means = np.mean([figures[:2] for figures in each], axis=0)
        rows += _rows("linking, names", f"mean of {len(asked)} languages", method,
                      zip(("accuracy@1", "accuracy@5"), means), sum(figures[2] for figures in each),
                      sum(figures[3] for figures in each))  # fmt: skip
    return rows


def _nil(everything: list[Entity], english: list[Entity], encoder: Encoder) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    gone = {english[row].id for row in rng.permutation(len(english))[: len(english) // 5]}
    kept = [each for each in english if each.id not in gone]
    index = EntityIndex.build(kept, encoder)
    pairs = [pair for each in _mentions(everything).values() for pair in each]
    unknown = np.array([right in gone for _, right in pairs])
    rows = []
    for method in (_COSINE, _SPELLING, _LINK):
        with watch() as working:
            answers = [found for each in _mentions(everything).values()
                       for found in _ask(method, kept, index, [name for name, _ in each])]  # fmt: skip
        scores = np.array([found[0][1] for found in answers])
        right = np.array([found[0][0] == wanted for found, (_, wanted) in zip(answers, pairs, strict=True)])
        least = index.threshold if method == _LINK else _best_threshold(scores, unknown)
        nil = scores < least
        figures = {
            "NIL F1": _f1(nil, unknown),
            "NIL precision": float(unknown[nil].mean()),
            "NIL recall": float(nil[unknown].mean()),
            "right %": 100 * float(np.where(unknown, nil, right & ~nil).mean()),
        }
        if method == _LINK:
            figures["calibration error %"] = 100 * _calibration_error(scores, right)
        rows += _rows("linking, a fifth unknown", "24 languages", method, figures.items(), len(pairs), working.seconds)
    return rows


def _contexts(english: list[Entity], encoder: Encoder) -> list[dict[str, Any]]:
    others = [Entity(id, {"eng": name}, (), description, (kind,)) for id, name, kind, description in NAMESAKES]
    index = EntityIndex.build([*english, *others], encoder)
    rows = []
    for method, used in (("without contexts", False), ("with contexts, one at a time", True)):
        with watch() as working:
            found = [index.link([mention], contexts=[sentence if used else ""], k=1)[0]
                     for _, mention, sentence, _ in SENTENCES]  # fmt: skip
        right = np.array([each[0].entity.id == wanted for each, (*_, wanted) in zip(found, SENTENCES, strict=True)])
        sure = np.array([each[0].probability >= index.threshold for each in found])
        figures = [("accuracy@1", float(right.mean())), ("linked %", 100 * float(sure.mean()))]
        figures += [("right of the linked %", 100 * float(right[sure].mean()))] if sure.any() else []
        data = f"{len(english)} countries, {len(others)} namesakes"
        rows += _rows("linking, namesakes", data, method, figures, len(SENTENCES), working.seconds)
    return rows


def _sizes(encoder: Encoder) -> list[dict[str, Any]]:
    graphs = read_graph_pair(data_folder("dbp15k") / "zh_en")
    names, mentions = list(dict.fromkeys(graphs.right.names)), graphs.left.names[:_ASKED]
    encoder.encode([*names, *mentions])
    rows = []
    for size in (1000, 5000, len(names)):
        tracemalloc.start()
        index = EntityIndex.build([Entity(str(row), {"en": name}) for row, name in enumerate(names[:size])], encoder)
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        with watch() as working:
            index.link(mentions)
        figures = {"ms a mention": 1000 * working.seconds / len(mentions), "KB a name": held / size / 1000}
        rows += _rows("linking, size", f"{size} names", _LINK, figures.items(), len(mentions), working.seconds)
    return rows


def _ask(method: str, entities: list[Entity], index: EntityIndex, names: Sequence[str]) -> Answers:
    if method in (_LINK, _SINGLE):
        batches = [names] if method == _LINK else [[name] for name in names]
        linked = [found for batch in batches for found in index.link(batch, k=_K)]
        return [[(each.entity.id, each.probability) for each in found] for found in linked]
    texts = [name for each in entities for name in dict.fromkeys((each.name, *each.aliases))]
    ids = [each.id for each in entities for _ in dict.fromkeys((each.name, *each.aliases))]
    if method == _COSINE:
        scores = index.encoder.encode(names) @ index.encoder.encode(texts).T
    else:
        scores = SpellingIndex(texts).scores(list(names))
    return [_best(scored, ids) for scored in scores]


def _best(scores: NDArray[np.float32], ids: list[str]) -> list[tuple[str, float]]:
    found: dict[str, float] = {}
    for place in np.argsort(-scores, kind="stable"):
        found.setdefault(ids[place], float(scores[place]))
        if len(found) == _K:
            break
    return list(found.items())


def _mentions(entities: list[Entity]) -> dict[str, list[tuple[str, str]]]:
    languages = sorted({language for each in entities for language in each.names} - {"eng"})
    return {
        language: [(each.names[language], each.id) for each in entities if language in each.names]
        for language in languages
    }


def _best_threshold(scores: NDArray[np.floating], unknown: NDArray[np.bool_]) -> float:
    levels = np.unique(np.quantile(scores, np.linspace(0, 1, 400)))
    return float(max(levels, key=lambda level: _f1(scores < level, unknown)))


def _f1(said: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    return 2 * float((said & true).sum()) / max(1.0, float(said.sum() + true.sum()))


def _calibration_error(sure: NDArray[np.floating], right: NDArray[np.bool_]) -> float:
    bins = np.minimum((sure * 10).astype(int), 9)
    return float(
        sum(abs(sure[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean() for b in set(bins.tolist()))
    )


def _rows(task: str, data: str, method: str, figures: Any, n: int, seconds: float) -> list[dict[str, Any]]:
    return [
        row(task=task, data=data, method=method, metric=metric, value=float(value), n=n, command=COMMAND,
            seconds=seconds, peak_mb=peak_mb())
        for metric, value in figures
    ]  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run the command in the module's docstring."""
    return run_benchmark("linking", run, arguments)


if __name__ == "__main__":
    sys.exit(main())
