"""Entity alignment on DBP15K (Sun, Hu and Li 2017): three regimes, never mixed, and entities without a counterpart.

    python -m interlingua.benchmarks dbp15k [--only "zh_en:names"]

*names*: the entities' own names, in their own script, through a multilingual encoder; no translation, no seeds,
all 15,000 links. *names and 30 % seeds*, *structure and 30 % seeds*: 4,500 links known, the 10,500 others tested.
*characters*: no encoder and no seeds; names with common character n-grams are the first pairs, and more grow from them
(`grow_pairs`). Candidates are the linked entities of either side, as in every published table; the right side is
shuffled. *a third removed*: the names' regime without a third of the right entities; a link of confidence 0.5 or more
is given, the rest refused, beside all one-to-one links. *Spelling not learnt*: without what sure pairs teach of names
(`predict_counterparts`).

The number of rounds (3), the weights and the temperature are one for all; they were chosen while zh-en's structural
and names' figures were seen, fr-en's were not. Those of *characters* were chosen on fr-en with enciphered French
names, some of them (rounds, and when to stop) after a first run on zh-en. Each piece runs in a process of its own and
is kept.
"""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.align.graph import EntityAlignment, align_entities
from interlingua.benchmarks.harness.datasets import data_folder
from interlingua.benchmarks.harness.measure import Case, kept, peak_mb
from interlingua.benchmarks.harness.scores import f1
from interlingua.pipelines.encoders.cache import user_cache_folder
from interlingua.pipelines.graphs.graph import GraphPair, read_graph_pair
from interlingua.pipelines.graphs.names import name_features, name_spellings, similar_names

PAIRS = ("zh_en", "fr_en")
_UNLEARNT = ", spelling not learnt"
REGIMES = (
    "names",
    "structure and 30 % seeds",
    "names and 30 % seeds",
    "a third removed",
    "characters",
    f"names{_UNLEARNT}",
    f"names and 30 % seeds{_UNLEARNT}",
    f"characters{_UNLEARNT}",
)
_BINS = 10


def run(only: str = "", measure: bool = True, keep: Path | None = None) -> Iterator[Case]:
    """Give the figures of every piece; of those that are kept, only the named ones are measured again.

    Parameters
    ----------
    only : str
        A PAIR:REGIME, measured again if it is there; no other is measured.
    measure : bool
        If not, only what is there is given.
    keep : path, optional
        Folder of the pieces; by default in the user's cache.
    """
    folder = user_cache_folder() / "benchmarks" / "dbp15k" if keep is None else keep
    for regime in REGIMES:
        for pair in PAIRS:
            path = folder / f"{pair}-{regime.replace(' ', '-').replace('%', 'percent')}.json"
            named = only == f"{pair}:{regime}"
            if measure and (named or not only):
                kept(path, f"{__name__}:measure_piece", pair, regime, again=named)
            if path.exists():
                yield from cases_of(pair, regime, json.loads(path.read_text(encoding="utf-8")))


def measure_piece(pair: str, regime: str) -> dict[str, Any]:
    """Align one pair in one regime and return its figures."""
    began = time.perf_counter()
    graphs = read_graph_pair(data_folder("dbp15k") / pair)
    seeded = "seeds" in regime
    links = (
        graphs.links["ref_pairs"]
        if seeded
        else np.concatenate([graphs.links[name] for name in ("sup_pairs", "ref_pairs")])
    )
    order = np.random.default_rng(0).permutation(len(links))
    left, right = links[:, 0], links[order, 1]
    gold = np.argsort(order)  # position of each left entity's counterpart in right
    if regime == "a third removed":
        right = right[: 2 * len(right) // 3]
        gold = np.where(gold < len(right), gold, -1)
    spelt = regime.startswith("characters")
    encoded = regime != "structure and 30 % seeds" and not spelt
    features = name_features(graphs.left, graphs.right, ("names",)) if encoded else None
    learnt = (encoded or spelt) and not regime.endswith(_UNLEARNT)
    start = time.process_time()
    spellings = name_spellings(graphs.left, graphs.right) if learnt else None
    similar = None
    if spelt:
        sides = zip((graphs.left, graphs.right), (left, right), strict=True)
        similar = similar_names(*([graph.names[place] for place in side.tolist()] for graph, side in sides))
    seeds = graphs.links["sup_pairs"] if seeded else None
    found = _align(graphs, left, right, features=features, spellings=spellings, similar=similar, seeds=seeds)
    figures = {"cpu minutes": (time.process_time() - start) / 60, "peak MB": peak_mb(), "n": int((gold >= 0).sum())}
    if regime == "a third removed":
        figures |= _refusal(found, gold)
    else:
        figures |= _hits(found, gold)
    bins = {"bins": _calibration(found, gold)} if regime == "names" else {}
    return {**figures, **bins, "seconds": time.perf_counter() - began}


def cases_of(pair: str, regime: str, figures: Mapping[str, Any]) -> Iterator[Case]:
    """Give what a piece has measured."""
    task = "refusal" if regime == "a third removed" else "entity alignment"
    used: dict[str, Any] = {"seconds": figures["seconds"], "peak_mb": figures["peak MB"]}
    by_method: dict[str, dict[str, float]] = {}
    for name, value in figures.items():
        if name not in ("n", "bins", "seconds", "process"):
            method, _, metric = name.rpartition(": ")
            by_method.setdefault(method or regime, {})[metric] = value
    for method, values in by_method.items():
        yield Case(task=task, data=f"DBP15K {pair}", method=method, figures=values, n=figures["n"], **used)
    for low, predicted, true, n in figures.get("bins", ()):
        yield Case(task="confidence", data=f"DBP15K {pair}", method=f"predicted {low:.1f} to {low + 0.1:.1f}",
                   figures={"mean predicted": predicted, "share right": true}, n=n, **used)  # fmt: skip


def _align(graphs: GraphPair, left: Any, right: Any, *, seeds: Any, **names: Any) -> EntityAlignment:
    n, relations = len(graphs.left), len(graphs.left.relations)
    moved = graphs.right.triples + np.array([n, relations, n])
    return align_entities(
        np.concatenate([graphs.left.triples, moved]),
        relations + len(graphs.right.relations),
        left,
        right + n,
        n_entities=n + len(graphs.right),
        **names,
        seeds=None if seeds is None else seeds + np.array([0, n]),
    )


def _hits(found: EntityAlignment, gold: Any) -> dict[str, float]:
    """Hits@1, Hits@10 and the mean reciprocal rank; a link that is no candidate counts as never found."""
    scored = found.candidates
    right = np.full(scored.shape[0], np.inf)
    is_gold = scored.columns == gold[scored.rows]
    right[scored.rows[is_gold]] = scored.scores[is_gold]
    better = np.bincount(scored.rows, scored.scores > right[scored.rows], minlength=scored.shape[0])
    ranks = np.where(np.isfinite(right), 1 + better, np.inf)
    return {"Hits@1 %": 100 * float((ranks <= 1).mean()), "Hits@10 %": 100 * float((ranks <= 10).mean()),
            "MRR": float((1 / ranks).mean())}  # fmt: skip


def _refusal(found: EntityAlignment, gold: Any) -> dict[str, float]:
    """Precision, recall and F1 of links and of refusals, where links under 0.5 are refused and where none are."""
    pairs, scores = found.pairs, found.scores
    figures: dict[str, float] = {}
    for name, least in (("links of 0.5 or more", 0.5), ("all one-to-one links", 0.0)):
        kept = pairs[scores >= least]
        right = float((gold[kept[:, 0]] == kept[:, 1]).sum())
        refused = np.setdiff1d(np.arange(len(gold)), kept[:, 0])
        rightly = float((gold[refused] < 0).sum())
        for what, hits, given, wanted in (
            ("links", right, len(kept), (gold >= 0).sum()),
            ("refusals", rightly, len(refused), (gold < 0).sum()),
        ):
            precision, recall = hits / max(given, 1), hits / wanted
            parts = {"precision": precision, "recall": recall, "F1": f1(precision, recall)}
            figures |= {f"{name}: {metric} of {what}": float(value) for metric, value in parts.items()}
    return figures


def _calibration(found: EntityAlignment, gold: Any) -> list[tuple[float, float, float, int]]:
    pairs, scores = found.pairs, np.minimum(found.scores, 1.0)
    right = gold[pairs[:, 0]] == pairs[:, 1]
    bins = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    return [
        (
            number / _BINS,
            float(scores[bins == number].mean()),
            float(right[bins == number].mean()),
            int((bins == number).sum()),
        )
        for number in range(_BINS)
        if (bins == number).any()
    ]
