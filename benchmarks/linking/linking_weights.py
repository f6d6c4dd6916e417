"""The weights that a new `EntityIndex` judges candidates by, fitted to names of knowledge graphs.

    python -m interlingua.benchmarks.linking.linking_weights

From DBP15K (Sun et al. 2017, doi:10.1007/978-3-319-68288-4_37), Chinese and French against English, and from the
cities that time zones are named by in the Unicode CLDR, as Babel has them, in 31 languages against English, but for
those that are named like a country: draws of 50 to 4,000 English entities as the index; 25 mentions in the other
language of entities among them and 25 of others, asked one at a time and together. The weights of context and
language stay as they are, which these names say nothing about. Prints the weights, and how well those of one half of
the draws do on the other; writes nothing.
"""

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from interlingua.align.arrays import require
from interlingua.benchmarks.harness.datasets import data_folder
from interlingua.pipelines import load_encoder
from interlingua.pipelines.commands.output import table
from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.graphs import read_graph_pair
from interlingua.pipelines.link.model import LinkModel, default_model, feature_rows
from interlingua.pipelines.link.names import NameTable

from .linking import read_countries

_SIZES, _CITY_SIZES, _DRAWS, _ASKED = (50, 150, 500, 1500, 4000), (50, 100, 200, 300), 8, 25
_LANGUAGES = "ar bn br cs de el et fa fi fr he hi hr hu it ja ka ko nl pl pt ru sk sr sr_Latn sv th tr uk ur zh"

Draw = tuple[NDArray[np.float32], int | None]  # features of the candidates, the row of the right one


def from_graphs(pair: str, encoder: Encoder) -> list[list[Draw]]:
    """Return the mentions of every draw from a pair of graphs."""
    graphs, rng = read_graph_pair(data_folder("dbp15k") / pair), np.random.default_rng(0)
    links = max(graphs.links.values(), key=len)
    names = [(graphs.right.names[right], graphs.left.names[left]) for left, right in links]
    return [
        _draw([names[row] for row in rng.permutation(len(names))[: size + _ASKED]], size, encoder, rng, together)
        for size in _SIZES
        for together in (True, False) * (_DRAWS // 2)
    ]


def from_cities(encoder: Encoder) -> list[list[Draw]]:
    """Return the mentions of every draw from the cities of the CLDR."""
    rng = np.random.default_rng(0)
    countries = {each.name for each in read_countries(data_folder("countries") / "countries.json")}
    cities = {language: _cities(language) for language in _LANGUAGES.split()}
    zones = sorted({zone for each in cities.values() for zone in each})
    english = {zone: zone.rpartition("/")[2].replace("_", " ") for zone in zones} | _cities("en")
    found: list[list[Draw]] = []
    for number, own in enumerate(cities.values()):
        names = [(name, own[zone]) for zone, name in english.items() if zone in own and name not in countries]
        for size in _CITY_SIZES:
            picked = [names[row] for row in rng.permutation(len(names))[: size + _ASKED]]
            if len(picked) == size + _ASKED:
                found.append(_draw(picked, size, encoder, rng, (number + len(found)) % 2 == 0))
    return found


def _cities(language: str) -> dict[str, str]:
    """Return the names of time zones' cities."""
    zones = require("babel", extra="bench").Locale.parse(language).time_zones
    return {zone: each["city"] for zone, each in zones.items() if "/" in zone and "city" in each}


def _draw(
    names: list[tuple[str, str]], size: int, encoder: Encoder, rng: np.random.Generator, together: bool
) -> list[Draw]:
    """Return mentions of some of the first `size` things and of all others, which the index does not hold."""
    english = [name for name, _ in names[:size]]
    index = NameTable(english, [""] * size, np.arange(size), encoder.encode(english))
    rows = rng.permutation([*rng.permutation(size)[:_ASKED].tolist(), *range(size, len(names))])
    found: list[Draw] = []
    for batch in [rows] if together else rows[:, None]:
        asked = [names[row][1] for row in batch]
        for row, near in zip(batch, index.near(asked, encoder.encode(asked)), strict=True):
            hit = np.flatnonzero(near.owners == row)
            found.append((feature_rows(near), int(hit[0]) if len(hit) else None))
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run the command in the module's docstring."""
    encoder, console = load_encoder(), Console()
    found = {f"DBP15K {pair}": from_graphs(pair, encoder) for pair in ("zh_en", "fr_en")}
    found |= {"cities": from_cities(encoder)}
    halves = [[draw for each in found.values() for draw in each[start::2]] for start in (0, 1)]
    shown = []
    for name, learned in (("one half", halves[0]), ("all", halves[0] + halves[1])):
        model = _fit(learned)
        for pair, each in found.items():
            shown.append((name, pair, *_quality(model, [one for draw in each[1::2] for one in draw])))
    console.print(table("learned from", "tested on half of", "right>", "calibration error>", "NIL F1>", rows=shown))
    console.print(f"weights {tuple(round(each, 1) for each in model.weights)}, bias {model.bias:.1f}")
    return 0


def _fit(learned: list[list[Draw]]) -> LinkModel:
    groups, right = zip(*(one for draw in learned for one in draw))
    return default_model().fitted(groups, right, weight=0.01)


def _quality(model: LinkModel, asked: list[Draw]) -> tuple[Any, ...]:
    known = np.array([right is not None for _, right in asked])
    chances = [model.probability(features) for features, _ in asked]
    sure = np.array([each.max() for each in chances])
    hit = np.array([each.argmax() == right for each, (_, right) in zip(chances, asked, strict=True)])
    bins, nil = np.minimum((sure * 10).astype(int), 9), sure < 0.5
    error = sum(abs(float((sure - hit)[bins == each].sum())) for each in set(bins.tolist())) / len(asked)
    f1 = 2 * float((nil & ~known).sum()) / float(nil.sum() + (~known).sum())
    return f"{hit[known].mean():.3f}", f"{error:.3f}", f"{f1:.3f}"


if __name__ == "__main__":
    sys.exit(main())
