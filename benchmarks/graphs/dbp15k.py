"""Entity alignment on DBP15K (Sun, Hu and Li 2017): three regimes, never mixed, and entities without a counterpart.

    python -m interlingua.benchmarks.graphs.dbp15k [--only zh_en:names]

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

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from interlingua.align.graph import EntityAlignment, align_entities
from interlingua.benchmarks.harness.datasets import data_folder
from interlingua.benchmarks.harness.measure import peak_mb
from interlingua.benchmarks.harness.report import row, write_results
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


def measure_piece(pair: str, regime: str) -> dict[str, Any]:
    """Align one pair in one regime and return its figures."""
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
        return figures | _refusal(found, gold)
    return figures | _hits(found, gold) | ({"bins": _calibration(found, gold)} if regime == "names" else {})


def rows_of(pieces: dict[tuple[str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the result rows of the pieces."""
    rows = []
    for (pair, regime), figures in pieces.items():
        command = f"python -m interlingua.benchmarks.graphs.dbp15k --only '{pair}:{regime}'"
        common: dict[str, Any] = {
            "data": f"DBP15K {pair}",
            "command": command,
            "seconds": figures["seconds"],
            "peak_mb": figures["peak MB"],
        }
        task = "refusal" if regime == "a third removed" else "entity alignment"
        for name, value in figures.items():
            if name in ("n", "bins", "seconds"):
                continue
            method, _, metric = name.rpartition(": ")
            rows.append(row(task=task, method=method or regime, metric=metric, value=value, n=figures["n"], **common))
        rows += [
            row(
                task="confidence",
                method=f"predicted {low:.1f} to {low + 0.1:.1f}",
                metric=metric,
                value=value,
                n=n,
                **common,
            )
            for low, predicted, true, n in figures.get("bins", ())
            for metric, value in (("mean predicted", predicted), ("share right", true))
        ]
    return rows


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
            f1 = 2 * precision * recall / max(precision + recall, 1e-9)
            parts = {"precision": precision, "recall": recall, "F1": f1}
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


def main(arguments: list[str] | None = None) -> int:
    """Run the command in the module's docstring."""
    from interlingua.pipelines.encoders.cache import user_cache_folder

    parser = argparse.ArgumentParser(prog="interlingua.benchmarks.graphs.dbp15k")
    parser.add_argument("--only", metavar="PAIR:REGIME", help="run this piece alone, again if it is there")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help="measure nothing, write the results of what is there")
    options = parser.parse_args(arguments)
    folder = user_cache_folder() / "benchmarks" / "dbp15k"
    folder.mkdir(parents=True, exist_ok=True)
    if options.one:
        pair, regime = options.one.split(":")
        start = time.perf_counter()
        figures = measure_piece(pair, regime)
        figures["seconds"] = time.perf_counter() - start
        _path(folder, pair, regime).write_text(json.dumps(figures), encoding="utf-8")
        return 0
    pieces = [tuple(options.only.split(":"))] if options.only else [(pair, each) for each in REGIMES for pair in PAIRS]
    console = Console(stderr=True)
    for pair, regime in [] if options.write else pieces:
        if options.only or not _path(folder, pair, regime).exists():
            command = [sys.executable, "-m", "interlingua.benchmarks.graphs.dbp15k", "--one", f"{pair}:{regime}"]
            done = subprocess.run(command, check=False)
            console.print(f"{pair}, {regime}: {'done' if done.returncode == 0 else f'failed with {done.returncode}'}")
    kept = {
        (pair, regime): json.loads(_path(folder, pair, regime).read_text(encoding="utf-8"))
        for regime in REGIMES
        for pair in PAIRS
        if _path(folder, pair, regime).exists()
    }
    write_results("dbp15k", rows_of(kept))
    return 0


def _path(folder: Path, pair: str, regime: str) -> Path:
    return folder / f"{pair}-{regime.replace(' ', '-').replace('%', 'percent')}.json"


if __name__ == "__main__":
    sys.exit(main())
