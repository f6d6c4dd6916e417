"""Countries named in two languages, linked by names, borders and numbers.

    python -m interlingua.benchmarks attributes

Two graphs of the 250 countries of mledoze/countries: names in Chinese, Arabic or German against English ones; who
borders on whom; and area, latitude and longitude as attributes, each left out with probability one half on either
side, so that a country shares all, some or no values with itself. *Right* is the share of the 250 that are linked
rightly, one-to-one. *Precision asked*: the links that `for_precision` leaves.
"""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from interlingua.benchmarks.harness.datasets import data_folder
from interlingua.benchmarks.harness.measure import Case, watch
from interlingua.pipelines import load_encoder
from interlingua.pipelines.graphs import GraphAlignment, KnowledgeGraph, align_graphs

_LANGUAGES = {"Chinese": "zho", "Arabic": "ara", "German": "deu"}
_FEATURES = (("names",), ("names", "structure"), ("names", "attributes"), ("names", "structure", "attributes"),
             ("characters", "structure", "attributes"))  # fmt: skip


def run() -> Iterator[Case]:
    """Align."""
    entries = json.loads((data_folder("countries") / "countries.json").read_text(encoding="utf-8"))
    encoder, rng = load_encoder(), np.random.default_rng(0)
    english = _graph(entries, {each["cca3"]: each["name"]["common"] for each in entries}, rng)
    for language, code in _LANGUAGES.items():
        other = _graph(entries, {each["cca3"]: each["translations"][code]["common"] for each in entries}, rng)
        for features in _FEATURES:
            with watch() as working:
                found = align_graphs(other, english, features=features, encoder=encoder)
            figures = {"right %": 100 * _right(found) / len(entries)}
            if features == _FEATURES[3]:
                sure = found.for_precision(0.98)
                figures |= {"links at an asked precision of 98 %": len(sure),
                            "of them right %": 100 * _right(sure) / len(sure)}  # fmt: skip
            yield Case(task="countries of two graphs", data=f"{language} to English", method=", ".join(features),
                       figures=figures, n=len(entries), seconds=working.seconds)  # fmt: skip


def _graph(entries: list[dict[str, Any]], names: dict[str, str], rng: np.random.Generator) -> KnowledgeGraph:
    triples = [(each["cca3"], "borders", other) for each in entries for other in each["borders"]]
    values = [
        (each["cca3"], name, str(value))
        for each in entries
        for name, value in zip(("area", "latitude", "longitude"), (each["area"], *each["latlng"]), strict=True)
    ]
    return KnowledgeGraph.from_triples(triples, names, [value for value in values if rng.random() < 0.5])


def _right(found: GraphAlignment) -> int:
    return sum(each.left == each.right for each in found.links)
