"""Entity linking across languages: countries and subdivisions by their English names, asked in other languages.

    python -m interlingua.benchmarks linking

The index holds common and official names in English of mledoze/countries; the mentions of one language are asked
together, as the column of a table is, and once one at a time. *NIL*: a fifth of the countries is taken out of the
index. The baselines get the threshold that is best for them on these very mentions; the index uses its own. *Sum of
z-scores*: the cosine and the likeness of the letters, both of what anyascii spells, standardised over all names of the
table, and added. *Contexts*: the sentences below among the countries and their namesakes. *Places*: 4,000 subdivisions
of countries (ISO 3166-2, as pycountry has them), asked by 200 translations a language, a fifth of which are of others;
no weight is fitted to them. *Size*: names of DBP15K's English entities, asked by 500 Chinese ones, all encoded before;
memory as Python counts it.

*Weights* (``linking_weights``), by which a new `EntityIndex` judges candidates: fitted to DBP15K (Sun et al. 2017,
doi:10.1007/978-3-319-68288-4_37), Chinese and French against English; to the cities that time zones are named by and
the languages of the Unicode CLDR, as Babel has them, in 34 and more languages; and to the languages of ISO 639-3. Draws
of 60 to 3,000 English names are the index; four of five mentions are of these, asked together, by threes and alone. The
weights of exact, context and language stay as they are, which these names say nothing about.
"""

import gettext
import json
import tracemalloc
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from anyascii import anyascii
from numpy.typing import NDArray

from interlingua.align.arrays import require
from interlingua.benchmarks.harness.datasets import data_folder
from interlingua.benchmarks.harness.measure import Case, watch
from interlingua.benchmarks.harness.scores import calibration_error
from interlingua.pipelines import load_encoder
from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.graphs import read_graph_pair
from interlingua.pipelines.link import Entity, EntityIndex
from interlingua.pipelines.link.model import FEATURES, LEVELS, UNKNOWN, LinkModel, default_model, feature_rows
from interlingua.pipelines.link.names import NameTable
from interlingua.pipelines.link.scripts import ScriptOffsets
from interlingua.pipelines.link.spelling import SpellingIndex

_COSINE, _SPELLING, _SUM = "raw cosine", "character groups", "sum of z-scores (cosine, letters)"
_LINK, _SINGLE, _ALL = "EntityIndex", "EntityIndex, one at a time", "EntityIndex, all linked"
_K, _ASKED = 5, 500
_ACCURACIES = ("accuracy@1", "accuracy@5")
_PLACES, _PLACES_ASKED = 4000, 200
_PLACE_LANGUAGES = "el he it ja ka ru sr th uk zh_CN"
_LANGUAGES = (
    "ar bn br cs de el et fa fi fr he hi hr hu it ja ka ko nl pl pt ru sk sr sv th tr uk ur zh am hy km my ta te"
)
_ISO_LANGUAGES = "kn ta pa mr or bn gu th ko ja el ar he am fa zh_TW ru"
_UNKNOWN = 5  # one of so many mentions

Draw = tuple[NDArray[np.float32], int | None]  # features of the candidates, the row of the right one

Answers = list[list[tuple[str, float]]]  # for each mention ids and scores, best first


def run(only: str = "") -> Iterator[Case]:
    """Link names, unknown things, namesakes, places, and many names; `only` tasks whose name holds that text."""
    path = data_folder("countries") / "countries.json"
    everything, english = read_countries(path), read_countries(path, languages=["eng"])
    encoder = load_encoder()
    steps: dict[str, Callable[[], Iterator[Case]]] = {
        "linking, names": lambda: _names(everything, english, encoder, (_COSINE, _SPELLING, _SUM, _LINK)),
        "linking, one at a time": lambda: _names(everything, english, encoder, (_SINGLE,)),
        "linking, a fifth unknown": lambda: _nil(everything, english, encoder),
        "linking, namesakes": lambda: _contexts(english, encoder),
        "linking, places": lambda: _places(encoder),
        "linking, size": lambda: _sizes(encoder),
    }
    for task, step in steps.items():
        yield from step() if only in task else ()


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


def _names(everything: list[Entity], english: list[Entity], encoder: Encoder, methods: Sequence[str]) -> Iterator[Case]:
    asked = _mentions(everything)
    index = EntityIndex.build(english, encoder)
    index.link(["warm"])
    totals: dict[str, list[tuple[float, float, int, float]]] = {}
    for language, pairs in asked.items():
        names = [name for name, _ in pairs]
        for method in methods:
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
    for method in (_COSINE, _SPELLING, _SUM, _LINK):
        with watch() as working:
            answers = [found for each in _mentions(everything).values()
                       for found in _ask(method, kept, index, [name for name, _ in each])]  # fmt: skip
        scores = np.array([found[0][1] for found in answers])
        right = np.array([found[0][0] == wanted for found, (_, wanted) in zip(answers, pairs, strict=True)])
        nil = scores < (index.threshold if method == _LINK else _best_threshold(scores, unknown))
        figures = {
            "NIL F1": _f1(nil, unknown),
            "NIL precision": float(unknown[nil].mean()),
            "NIL recall": float(nil[unknown].mean()),
            "right %": 100 * float(np.where(unknown, nil, right & ~nil).mean()),
        }
        if method == _LINK:
            figures["calibration error %"] = 100 * calibration_error(scores, right)
            yield _case("linking, a fifth unknown", "24 languages", _ALL, {"right %": 100 * float(right.mean())},
                        len(pairs), working.seconds)  # fmt: skip
        yield _case("linking, a fifth unknown", "24 languages", method, figures, len(pairs), working.seconds)


def _places(encoder: Encoder) -> Iterator[Case]:
    """Yield how many are found, and how many decisions are right, for each language and in the mean."""
    english, mentions = subdivisions(_PLACE_LANGUAGES.split(), _PLACES, _PLACES_ASKED)
    entities = [Entity(name, {"en": name}) for name in english]
    index, held = EntityIndex.build(entities, encoder), set(english)
    totals: dict[str, list[dict[str, float]]] = {}
    for language, pairs in mentions.items():
        known = np.array([wanted in held for wanted, _ in pairs])
        for method in (_COSINE, _SUM, _LINK):
            with watch() as working:
                answers = _ask(method, entities, index, [name for _, name in pairs])
            right = np.array([found[0][0] == wanted for found, (wanted, _) in zip(answers, pairs, strict=True)])
            figures = {"accuracy@1": float(right[known].mean()), "all linked, right %": 100 * float(right.mean())}
            if method == _LINK:
                scores = np.array([found[0][1] for found in answers])
                linked = scores >= index.threshold
                figures["decided right %"] = 100 * float(np.where(known, linked & right, ~linked).mean())
                figures["calibration error %"] = 100 * calibration_error(scores, right)
            totals.setdefault(method, []).append(figures)
            yield _case("linking, places", language, method, figures, len(pairs), working.seconds)
    for method, each in totals.items():
        means = {name: float(np.mean([figures[name] for figures in each])) for name in each[0]}
        n = sum(map(len, mentions.values()))
        yield _case("linking, places", f"mean of {len(each)} languages", method, means, n, 0.0)


def subdivisions(languages: Sequence[str], size: int, asked: int) -> tuple[list[str], dict[str, list[tuple[str, str]]]]:
    """Return English names of ISO 3166-2 for the index, and for each language names with their translations.

    A fifth of these is of names that are not in the index.
    """
    iso = require("pycountry", extra="bench")
    names = sorted({each.name for each in iso.subdivisions})
    order = [names[row] for row in np.random.default_rng(1).permutation(len(names))]
    return order[:size], {
        language: _translated(order[:size], order[size:], _catalogue("iso3166-2", language), asked)
        for language in languages
    }


def _catalogue(kind: str, language: str) -> Callable[[str], str]:
    folder = require("pycountry", extra="bench").LOCALES_DIR
    return gettext.translation(kind, folder, languages=[language]).gettext


def _translated(
    held: Sequence[str], others: Sequence[str], translate: Callable[[str], str], n: int
) -> list[tuple[str, str]]:
    """Return up to n names with their translations, a fifth of them from `others`."""
    known, unknown = (
        [(each, translate(each).partition(";")[0].strip()) for each in some if translate(each) != each]
        for some in (held, others)
    )
    known = known[: min(n - n // _UNKNOWN, (_UNKNOWN - 1) * len(unknown))]
    return [*known, *unknown[: len(known) // (_UNKNOWN - 1)]]


def _contexts(english: list[Entity], encoder: Encoder) -> Iterator[Case]:
    others = [Entity(id, {"eng": name}, (), description, (kind,)) for id, name, kind, description in NAMESAKES]
    index = EntityIndex.build([*english, *others], encoder)
    for method, used in (("without contexts", False), ("with contexts, one at a time", True)):
        with watch() as working:
            found = [index.link([mention], contexts=[sentence if used else ""], k=2)[0]
                     for _, mention, sentence, _ in SENTENCES]  # fmt: skip
        right = np.array([each[0].entity.id == wanted for each, (*_, wanted) in zip(found, SENTENCES, strict=True)])
        sure = np.array([index.links(each) for each in found])
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
    elif method == _SPELLING:
        scores = SpellingIndex(texts).scores(list(names))
    else:
        spelt, rows = SpellingIndex([anyascii(text) for text in texts]), np.arange(len(texts))
        letters = np.stack([spelt.likeness(anyascii(name), rows)[0] for name in names])
        scores = _standardised(index.encoder.encode(names) @ index.encoder.encode(texts).T) + _standardised(letters)
    return [_best_entities(scored, ids) for scored in scores]


def _standardised(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the scores of each row less their mean, over their standard deviation."""
    away = scores - scores.mean(axis=1, keepdims=True)
    found: NDArray[np.float32] = away / np.maximum(scores.std(axis=1, keepdims=True), 1e-9)
    return found


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
    found = {
        name: [draw for number, each in enumerate(draws) for draw in _draws(*names, each, encoder, number)]
        for name, (names, draws) in _sets().items()
    }
    halves = [[draw for each in found.values() for draw in each[start::2]] for start in (0, 1)]
    for name, learned in (("one half", halves[0]), ("all", halves[0] + halves[1])):
        groups, right = zip(*(one for draw in learned for one in draw))
        model = default_model().fitted(groups, right, weight=0.01).with_unknown(UNKNOWN)
        for data, each in found.items():
            asked = [one for draw in each[1::2] for one in draw]
            yield Case(task="weights of linking", data=f"half of {data}", method=f"learned from {name}",
                       figures=_quality(model, asked), n=len(asked))  # fmt: skip
        weights = dict(zip((f"weight {each}" for each in FEATURES), model.weights)) | {"bias": model.bias}
        levels = dict(zip((f"level {each}" for each in LEVELS), model.levels))
        yield Case(task="weights of linking", data="all draws", method=f"learned from {name}",
                   figures=weights | levels, n=len(groups))  # fmt: skip


#: English names by key, and for each language the keys and names of mentions.
_Names = tuple[dict[str, str], dict[str, list[tuple[str, str]]]]
#: Names in the index, mentions of each language, and how many are asked together (0: all).
_Plan = tuple[int, int, int]


def _sets() -> dict[str, tuple[_Names, list[_Plan]]]:
    """Return what the weights are fitted to: names, and the draws from them."""
    graph_plans = [(80, 120, 0), (400, 120, 0), (1800, 120, 0), (200, 120, 3)]
    found: dict[str, tuple[_Names, list[_Plan]]] = {}
    for pair in ("zh_en", "fr_en"):
        graphs = read_graph_pair(data_folder("dbp15k") / pair)
        links = max(graphs.links.values(), key=len)
        rows = [links[row] for row in np.random.default_rng(0).permutation(len(links))[:2100]]
        english = {str(right): graphs.right.names[right] for _, right in rows}
        found[f"DBP15K {pair}"] = (
            (english, {pair[:2]: [(str(right), graphs.left.names[left]) for left, right in rows]}), graph_plans
        )  # fmt: skip
    found["cities"] = (_cldr(_cities), [(60, 25, 0), (200, 25, 3), (300, 25, 0), (100, 25, 1)])
    found["languages"] = (_cldr(_languages), [(250, 25, 0), (400, 25, 0), (150, 25, 3), (450, 25, 1)])
    iso = require("pycountry", extra="bench")
    names = [each.name for each in iso.languages]
    translated = {language: _catalogue("iso639-3", language) for language in _ISO_LANGUAGES.split()}
    mentions = {language: [(name, of(name).partition(";")[0].strip()) for name in names if of(name) != name]
                for language, of in translated.items()}  # fmt: skip
    plans = [(300, 60, 0), (1500, 60, 0), (3000, 60, 3)]
    found["languages of ISO 639-3"] = (({name: name for name in names}, mentions), plans)
    return found


def _cldr(names_in: Callable[[str], dict[str, str]]) -> _Names:
    english = names_in("en")
    own = {language: names_in(language) for language in _LANGUAGES.split()}
    return english, {
        language: [(key, name) for key, name in names.items() if english.get(key, name) != name]
        for language, names in own.items()
    }


def _cities(language: str) -> dict[str, str]:
    """Return the names of time zones' cities; in English those of the zones where the CLDR has no other."""
    zones = require("babel", extra="bench").Locale.parse(language).time_zones
    named = {zone: each["city"] for zone, each in zones.items() if "/" in zone and "city" in each}
    if language != "en":
        return named
    return {zone: zone.rpartition("/")[2].replace("_", " ") for zone in _cities("de")} | named


def _languages(language: str) -> dict[str, str]:
    named = require("babel", extra="bench").Locale.parse(language).languages
    return {code: name for code, name in named.items() if "_" not in code}


def _draws(
    english: dict[str, str], mentions: dict[str, list[tuple[str, str]]], plan: _Plan, encoder: Encoder, seed: int
) -> Iterator[list[Draw]]:
    """Yield mentions of each language: four of five of names that the index holds, and of others."""
    size, n, together = plan
    rng = np.random.default_rng(seed)
    keys = [sorted(english)[row] for row in rng.permutation(len(english))[:size]]
    names = [english[key] for key in keys]
    index = NameTable(names, [""] * len(names), np.arange(len(names)), encoder.encode(names))
    places, offsets = {key: row for row, key in enumerate(keys)}, ScriptOffsets(encoder)
    for pairs in mentions.values():
        order = [pairs[row] for row in rng.permutation(len(pairs))]
        known = [each for each in order if each[0] in places][: n - n // _UNKNOWN]
        asked = [*known, *[each for each in order if each[0] not in places][: len(known) // (_UNKNOWN - 1)]]
        asked = [asked[row] for row in rng.permutation(len(asked))]
        found: list[Draw] = []
        for start in range(0, len(asked), together or max(1, len(asked))):
            part = asked[start : start + (together or len(asked))]
            texts = [name for _, name in part]
            for (key, _), near in zip(part, index.near(texts, encoder.encode(texts), offsets=offsets), strict=True):
                hit = np.flatnonzero(near.owners == places.get(key, -1))
                found.append((feature_rows(near), int(hit[0]) if len(hit) else None))
        yield found


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
