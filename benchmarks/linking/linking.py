"""Entity linking across languages: 250 countries by their English names, asked in 24 other languages.

    python -m interlingua.benchmarks linking

The index holds common and official names in English of mledoze/countries; the mentions of one language are asked
together, as the column of a table is, and once one at a time. *NIL*: a fifth of the countries is taken out of the
index. The baselines get the threshold that is best for them on these very mentions; the index uses 0.5. *Contexts*:
the sentences below among the countries and their namesakes. *Size*: names of DBP15K's English
entities, asked by 500 Chinese ones, all encoded before; memory as Python counts it.

*Weights* (``linking_weights``), by which a new `EntityIndex` judges candidates: fitted to DBP15K (Sun et al. 2017,
doi:10.1007/978-3-319-68288-4_37), Chinese and French against English, and to the cities that time zones are named by in
the Unicode CLDR, as Babel has them, in 31 languages against English, but for those that are named like a country: draws
of 50 to 4,000 English entities as the index; 25 mentions in the other language of entities among them and 25 of others,
asked one at a time and together. The weights of context and language stay as they are, which these names say nothing
about. The weights of one half of the draws are tested on the other.
"""

import json
import tracemalloc
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import require
from interlingua.benchmarks.harness.datasets import data_folder
from interlingua.benchmarks.harness.measure import Case, watch
from interlingua.benchmarks.harness.scores import calibration_error
from interlingua.pipelines import load_encoder
from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.graphs import read_graph_pair
from interlingua.pipelines.link import Entity, EntityIndex
from interlingua.pipelines.link.model import LinkModel, default_model, feature_rows
from interlingua.pipelines.link.names import NameTable, SpellingIndex

_COSINE, _SPELLING, _LINK, _SINGLE = "raw cosine", "character groups", "EntityIndex", "EntityIndex, one at a time"
_K, _ASKED = 5, 500
_ACCURACIES = ("accuracy@1", "accuracy@5")
_SIZES, _CITY_SIZES, _DRAWS, _DRAWN = (50, 150, 500, 1500, 4000), (50, 100, 200, 300), 8, 25
_LANGUAGES = "ar bn br cs de el et fa fi fr he hi hr hu it ja ka ko nl pl pt ru sk sr sr_Latn sv th tr uk ur zh"

Draw = tuple[NDArray[np.float32], int | None]  # features of the candidates, the row of the right one

Answers = list[list[tuple[str, float]]]  # for each mention ids and scores, best first


def run() -> Iterator[Case]:
    """Link names, unknown things, namesakes, and many names."""
    everything = read_countries(data_folder("countries") / "countries.json")
    english = read_countries(data_folder("countries") / "countries.json", languages=["eng"])
    encoder = load_encoder()
    yield from _names(everything, english, encoder)
    yield from _nil(everything, english, encoder)
    yield from _contexts(english, encoder)
    yield from _sizes(encoder)


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


def _names(everything: list[Entity], english: list[Entity], encoder: Encoder) -> Iterator[Case]:
    asked = _mentions(everything)
    index = EntityIndex.build(english, encoder)
    index.link(["warm"])
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
                yield _case("linking, names", language, method, dict(zip(_ACCURACIES, figures)), len(pairs),
                            working.seconds)  # fmt: skip
    for method, each in totals.items():
        means = dict(zip(_ACCURACIES, np.mean([figures[:2] for figures in each], axis=0).tolist()))
        asked_in_all, seconds = sum(figures[2] for figures in each), sum(figures[3] for figures in each)
        yield _case("linking, names", f"mean of {len(asked)} languages", method, means, asked_in_all, seconds)


def _nil(everything: list[Entity], english: list[Entity], encoder: Encoder) -> Iterator[Case]:
    rng = np.random.default_rng(0)
    gone = {english[row].id for row in rng.permutation(len(english))[: len(english) // 5]}
    kept = [each for each in english if each.id not in gone]
    index = EntityIndex.build(kept, encoder)
    pairs = [pair for each in _mentions(everything).values() for pair in each]
    unknown = np.array([right in gone for _, right in pairs])
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
            figures["calibration error %"] = 100 * calibration_error(scores, right)
        yield _case("linking, a fifth unknown", "24 languages", method, figures, len(pairs), working.seconds)


def _contexts(english: list[Entity], encoder: Encoder) -> Iterator[Case]:
    others = [Entity(id, {"eng": name}, (), description, (kind,)) for id, name, kind, description in NAMESAKES]
    index = EntityIndex.build([*english, *others], encoder)
    for method, used in (("without contexts", False), ("with contexts, one at a time", True)):
        with watch() as working:
            found = [index.link([mention], contexts=[sentence if used else ""], k=1)[0]
                     for _, mention, sentence, _ in SENTENCES]  # fmt: skip
        right = np.array([each[0].entity.id == wanted for each, (*_, wanted) in zip(found, SENTENCES, strict=True)])
        sure = np.array([each[0].probability >= index.threshold for each in found])
        figures = {"accuracy@1": float(right.mean()), "linked %": 100 * float(sure.mean())}
        if sure.any():
            figures["right of the linked %"] = 100 * float(right[sure].mean())
        data = f"{len(english)} countries, {len(others)} namesakes"
        yield _case("linking, namesakes", data, method, figures, len(SENTENCES), working.seconds)


def _sizes(encoder: Encoder) -> Iterator[Case]:
    graphs = read_graph_pair(data_folder("dbp15k") / "zh_en")
    names, mentions = list(dict.fromkeys(graphs.right.names)), graphs.left.names[:_ASKED]
    encoder.encode([*names, *mentions])
    for size in (1000, 5000, len(names)):
        tracemalloc.start()
        index = EntityIndex.build([Entity(str(row), {"en": name}) for row, name in enumerate(names[:size])], encoder)
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        with watch() as working:
            index.link(mentions)
        figures = {"ms a mention": 1000 * working.seconds / len(mentions), "KB a name": held / size / 1000}
        yield _case("linking, size", f"{size} names", _LINK, figures, len(mentions), working.seconds)


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
    return [_best_entities(scored, ids) for scored in scores]


def _best_entities(scores: NDArray[np.float32], ids: list[str]) -> list[tuple[str, float]]:
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


def _case(task: str, data: str, method: str, figures: Mapping[str, float], n: int, seconds: float) -> Case:
    return Case(task=task, data=data, method=method, figures=figures, n=n, seconds=seconds)


def run_weights() -> Iterator[Case]:
    """Fit the weights to all draws, and say how well those of one half do on the other."""
    encoder = load_encoder()
    found = {f"DBP15K {pair}": from_graphs(pair, encoder) for pair in ("zh_en", "fr_en")}
    found |= {"cities": from_cities(encoder)}
    halves = [[draw for each in found.values() for draw in each[start::2]] for start in (0, 1)]
    for name, learned in (("one half", halves[0]), ("all", halves[0] + halves[1])):
        groups, right = zip(*(one for draw in learned for one in draw))
        model = default_model().fitted(groups, right, weight=0.01)
        for data, each in found.items():
            asked = [one for draw in each[1::2] for one in draw]
            yield Case(task="weights of linking", data=f"half of {data}", method=f"learned from {name}",
                       figures=_quality(model, asked), n=len(asked))  # fmt: skip
        weights = {f"weight {number}": value for number, value in enumerate(model.weights)} | {"bias": model.bias}
        yield Case(task="weights of linking", data="all draws", method=f"learned from {name}", figures=weights,
                   n=len(groups))  # fmt: skip


def from_graphs(pair: str, encoder: Encoder) -> list[list[Draw]]:
    """Return the mentions of every draw from a pair of graphs."""
    graphs, rng = read_graph_pair(data_folder("dbp15k") / pair), np.random.default_rng(0)
    links = max(graphs.links.values(), key=len)
    names = [(graphs.right.names[right], graphs.left.names[left]) for left, right in links]
    return [
        _draw([names[row] for row in rng.permutation(len(names))[: size + _DRAWN]], size, encoder, rng, together)
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
            picked = [names[row] for row in rng.permutation(len(names))[: size + _DRAWN]]
            if len(picked) == size + _DRAWN:
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
    rows = rng.permutation([*rng.permutation(size)[:_DRAWN].tolist(), *range(size, len(names))])
    found: list[Draw] = []
    for batch in [rows] if together else rows[:, None]:
        asked = [names[row][1] for row in batch]
        for row, near in zip(batch, index.near(asked, encoder.encode(asked)), strict=True):
            hit = np.flatnonzero(near.owners == row)
            found.append((feature_rows(near), int(hit[0]) if len(hit) else None))
    return found


def _quality(model: LinkModel, asked: list[Draw]) -> dict[str, float]:
    known = np.array([right is not None for _, right in asked])
    chances = [model.probability(features) for features, _ in asked]
    sure = np.array([each.max() for each in chances])
    hit = np.array([each.argmax() == right for each, (_, right) in zip(chances, asked, strict=True)])
    nil = _f1(sure < 0.5, ~known)
    return {"right": float(hit[known].mean()), "calibration error": calibration_error(sure, hit), "NIL F1": nil}


BENCHMARKS = {"linking": run, "linking_weights": run_weights}

# Sentences with a name that several things share, and what is meant; written for this benchmark.

#: id, name, type, description of what shares a name with a country.
NAMESAKES = (
    ("georgia-state", "Georgia", "state", "a state in the south-east of the United States"),
    ("okeeffe", "Georgia", "person", "Georgia O'Keeffe, an American painter"),
    ("jordan-person", "Jordan", "person", "Michael Jordan, an American basketball player"),
    ("jordan-river", "Jordan", "river", "a river that flows into the Dead Sea"),
    ("guinea-coin", "Guinea", "coin", "a British gold coin of 21 shillings"),
    ("congo-river", "Congo", "river", "the deepest river of the world, in Central Africa"),
    ("niger-river", "Niger", "river", "the main river of West Africa"),
    ("lake-chad", "Chad", "lake", "a shallow lake in Africa that is drying out"),
    ("chad-person", "Chad", "person", "Chad Smith, an American drummer"),
    ("turkey-bird", "Turkey", "animal", "a large bird that is raised for its meat"),
    ("panama-hat", "Panama", "garment", "a light straw hat"),
    ("chile-pepper", "Chile", "plant", "the hot fruit of pepper plants"),
    ("mexico-state", "Mexico", "state", "a state that surrounds Mexico City"),
    ("luxembourg-belgium", "Luxembourg", "province", "a province in the south of Belgium"),
    ("lebanon-us", "Lebanon", "city", "a town in Pennsylvania, United States"),
    ("cuba-person", "Cuba", "person", "Cuba Gooding, an American actor"),
    ("china-ware", "China", "material", "fine white ceramics, porcelain"),
    ("ireland-person", "Ireland", "person", "John Ireland, an English composer"),
)

#: language, mention, sentence, id of what is meant.
SENTENCES = (
    ("en", "Georgia", "Wine has been made in Georgia, between the Caucasus and the Black Sea, for 8,000 years.", "GEO"),
    ("en", "Georgia", "Peaches from Georgia are sold at the market in Atlanta.", "georgia-state"),
    ("fi", "Georgia", "Georgia rajoittuu Venäjään, Armeniaan ja Turkkiin.", "GEO"),
    ("it", "Georgia", "Atlanta è la città più grande della Georgia, a nord della Florida.", "georgia-state"),
    ("es", "Georgia", "Georgia pintó flores enormes y huesos en el desierto.", "okeeffe"),
    ("de", "Georgia", "Savannah ist eine Hafenstadt in Georgia an der amerikanischen Ostküste.", "georgia-state"),
    ("fr", "Jordan", "Jordan a marqué 63 points dans un match contre les Celtics.", "jordan-person"),
    ("en", "Jordan", "Refugees from Syria crossed the border into Jordan and were taken to Amman.", "JOR"),
    ("de", "Jordan", "Johannes taufte die Menschen im Wasser des Jordan.", "jordan-river"),
    ("zh", "Jordan", "Jordan在芝加哥公牛队赢得了六个总冠军。", "jordan-person"),
    ("tr", "Jordan", "Jordan, Lut Gölü'ne dökülür.", "jordan-river"),
    ("en", "Guinea", "The doctor was paid one guinea for his visit to the old lady in London.", "guinea-coin"),
    ("fr", "Guinea", "Conakry, la capitale, est le plus grand port du pays.", "GIN"),
    ("es", "Guinea", "La moneda de oro llamada guinea valía veintiún chelines.", "guinea-coin"),
    ("ru", "Congo", "Река впадает в Атлантический океан и пересекает экватор дважды.", "congo-river"),
    ("en", "Congo", "Parliament met in Kinshasa to debate mining in Congo.", "COD"),
    ("fr", "Congo", "Le président du Congo vit à Brazzaville.", "COG"),
    ("pt", "Congo", "O barco desceu o Congo por mil quilómetros de águas profundas.", "congo-river"),
    ("de", "Niger", "Der Niger fließt durch Mali und mündet in einem großen Delta.", "niger-river"),
    ("fr", "Niger", "Le gouvernement du Niger siège à Niamey.", "NER"),
    ("ar", "Niger", "عاصمة البلاد هي نيامي وتقع في الصحراء الكبرى", "NER"),
    ("en", "Niger", "Fishermen paddle down the Niger past Timbuktu.", "niger-river"),
    ("en", "Nigeria", "Lagos is the largest city of the country.", "NGA"),
    ("de", "Chad", "Chad spielte Schlagzeug bei den Red Hot Chili Peppers.", "chad-person"),
    ("fr", "Chad", "Le niveau de l'eau du lac baisse d'année en année.", "lake-chad"),
    ("en", "Chad", "The army of Chad paraded through N'Djamena.", "TCD"),
    ("es", "Chad", "El baterista Chad rompió sus baquetas en el concierto.", "chad-person"),
    ("en", "Turkey", "We roasted a turkey in the oven for Thanksgiving.", "turkey-bird"),
    ("de", "Turkey", "Das Parlament in Ankara beschloss ein neues Gesetz.", "TUR"),
    ("it", "Turkey", "L'allevatore nutre i volatili prima di venderne la carne.", "turkey-bird"),
    ("es", "Panama", "Se puso el sombrero de paja para protegerse del sol.", "panama-hat"),
    ("en", "Panama", "Ships wait for days to pass the canal in Panama.", "PAN"),
    ("pl", "Chile", "Dodaj do sosu ostrą paprykę chile i czosnek.", "chile-pepper"),
    ("en", "Chile", "The Andes run along the whole of Chile, from the Atacama to Santiago and the south.", "CHL"),
    ("de", "Mexico", "Toluca ist die Hauptstadt des Bundesstaates.", "mexico-state"),
    ("nl", "Luxembourg", "Aarlen ligt in de Belgische Ardennen.", "luxembourg-belgium"),
    ("fr", "Luxembourg", "Le grand-duc règne sur un petit pays entre la France et l'Allemagne.", "LUX"),
    ("en", "Lebanon", "The bus from Harrisburg to Lebanon takes forty minutes through Pennsylvania.", "lebanon-us"),
    ("ar", "Lebanon", "انفجار كبير في مرفأ بيروت", "LBN"),
    ("en", "Cuba", "Cuba won an Oscar for his role in Jerry Maguire.", "cuba-person"),
    ("es", "Cuba", "Los puros se fabrican en La Habana.", "CUB"),
    ("en", "China", "Tea was served in cups of the finest china.", "china-ware"),
    ("ja", "China", "北京で全国人民代表大会が開かれた。", "CHN"),
    ("en", "Ireland", "Ireland wrote songs and sonatas for the piano.", "ireland-person"),
    ("ga", "Ireland", "Is í Baile Átha Cliath an phríomhchathair.", "IRL"),
)  # fmt: skip
