"""What a probability is worth where few or many passages are searched, and how much nonsense is answered.

    python -m interlingua.benchmarks calibration

Sentences of XQuAD-R in six languages: 4, 40 or 400 of one language, drawn several times, and 10,000 of all six with
news (NTREX-128) and a library's frequent questions in eight languages (`benchmarks/data`). *Right first* of questions
whose answer is there. *Kept*: of those whose answer comes first, the share that `least` 0.5 lets through; *nonsense*,
ten of each of ten kinds, that it lets through, at 0.5 and where 90 % are kept. The *calibration error* is that of the
first hit's probability in ten bins, over as many questions as nonsense; *with absent*, a quarter are questions about
the same articles whose sentence is not there, though those beside it are.

The constants of `interlingua.pipelines.search.relevance` were fitted by logistic regression on the shop's frequent
questions and nonsense, on Debian's titles as questions for descriptions in eight languages, and on XQuAD-R's questions
about every other article in English, German and Spanish, with collections of 4 to 10,000 passages; those of "answers"
on which passage comes first, those of "about what was asked" on questions with an answer beside nonsense, their offset
so that a twentieth of the shop's nonsense passes. The tables show the questions about the other articles, the library's
questions and its nonsense, none of which was fitted on; sentences of the others are among the passages.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interlingua.benchmarks.harness.datasets import AnswerSet, data_folder, read_ntrex, read_xquad_r
from interlingua.benchmarks.harness.measure import Case, watch
from interlingua.benchmarks.harness.scores import calibration_error
from interlingua.pipelines import CrossLingualSearch, Encoder, Passage, load_encoder
from interlingua.pipelines.search.judged import search_judged

from .faq import _nonsense, _table

LANGUAGES = {"en": "eng", "de": "deu", "es": "spa", "ru": "rus", "zh": "zho-CN", "ar": "arb"}  # of NTREX
_DRAWS = {4: 40, 40: 10, 400: 3}
_ALL, _NEWS, _ASKED, _ABSENT, _FEW = 10_000, 460, 100, 50, 10
_KEPT = 0.9


@dataclass(frozen=True)
class Said:
    """What the first hits of questions of one kind were worth.

    Attributes
    ----------
    probability, answerable : (n,) array of float64
    right : (n,) array of bool
        Whether the first hit answers.
    """

    probability: NDArray[np.float64]
    answerable: NDArray[np.float64]
    right: NDArray[np.bool_]


Kinds = dict[str, list[Said]]


def run(encoder: Encoder | None = None) -> Iterator[Case]:
    """Ask collections of each size."""
    encoder = load_encoder() if encoder is None else encoder
    nonsense = [text for _, text in _nonsense("library")]
    sets = {name: read_xquad_r(name) for name in LANGUAGES}
    held = held_out_questions()
    for size, draws in _DRAWS.items():
        rng = np.random.default_rng(size)
        with watch() as working:
            kinds = {name: Kinds() for name in sets}
            for name, each in sets.items():
                for _ in range(draws):
                    _ask_some(encoder, name, each, held, nonsense, size, kinds[name], rng)
        yield from _cases(f"{size} sentences of one language", kinds, working.seconds)
    with watch() as working:
        kinds = _ask_all(encoder, sets, held, nonsense)
    yield from _cases(f"{_ALL:,} passages of all", kinds, working.seconds)


def held_out_questions() -> set[str]:
    """Return the questions about every other article of XQuAD-R, from the second on."""
    content = json.loads((data_folder("xquad-r") / "en.json").read_text(encoding="utf-8"))
    return {q["id"] for article in content["data"][1::2] for part in article["paragraphs"] for q in part["qas"]}


def _ask_some(
    encoder: Encoder,
    language: str,
    each: AnswerSet,
    held: set[str],
    nonsense: Sequence[str],
    size: int,
    kinds: Kinds,
    rng: np.random.Generator,
) -> None:
    """Ask so many sentences of one language, drawn at random."""
    drawn = np.sort(rng.permutation(len(each.sentences))[:size]).tolist()
    search = CrossLingualSearch.build(
        [Passage(f"{row}", each.sentences[row], language) for row in drawn], encoder, lexical=False
    )
    there = set(drawn)
    names = sorted(held & set(each.answers))
    names = [names[place] for place in rng.permutation(len(names))]
    known = [name for name in names if each.answers[name] in there][:_ASKED]
    absent = [name for name in names if each.answers[name] not in there][: max(len(known), 4)]
    strange = [nonsense[place] for place in rng.permutation(len(nonsense))[: _FEW if size < 400 else len(nonsense)]]
    for kind, asked, right in (
        ("known", [each.questions[name] for name in known], [{f"{each.answers[name]}"} for name in known]),
        ("absent", [each.questions[name] for name in absent], [set[str]()] * len(absent)),
        ("nonsense", strange, [set[str]()] * len(strange)),
    ):
        if asked:
            kinds.setdefault(kind, []).append(_said(search, asked, right))


def _ask_all(encoder: Encoder, sets: dict[str, AnswerSet], held: set[str], nonsense: Sequence[str]) -> dict[str, Kinds]:
    """Ask one collection of all languages; absent are questions whose answers were taken out in every language."""
    rng, table = np.random.default_rng(_ALL), _table("library")
    names = sorted(name for name in held if all(name in each.answers for each in sets.values()))
    names = [names[place] for place in rng.permutation(len(names))]
    absent = names[:_ABSENT]
    gone = {(code, each.answers[name]) for code, each in sets.items() for name in absent}
    known = [
        name for name in names[_ABSENT:] if all((code, each.answers[name]) not in gone for code, each in sets.items())
    ]
    passages = [
        Passage(f"faq-{row}-{code}", text, code) for code, rows in table.items() for row, (text, _) in enumerate(rows)
    ]
    passages += [
        Passage(f"{code}-{row}", text, code)
        for code, each in sets.items()
        for row, text in enumerate(each.sentences)
        if (code, row) not in gone
    ]
    news = [
        Passage(f"news-{code}-{row}", text, code)
        for code in sets
        for row, text in enumerate(read_ntrex(LANGUAGES[code])[:_NEWS])
    ]
    passages += [news[place] for place in rng.permutation(len(news))[: _ALL - len(passages)]]
    search = CrossLingualSearch.build(passages, encoder, lexical=False)
    strange = _said(search, list(nonsense), [set()] * len(nonsense))
    found = {}
    for code in dict.fromkeys([*sets, *table]):
        kinds: Kinds = {"nonsense": [strange]}
        if code in sets:
            each = sets[code]
            right = [{f"{other}-{rows.answers[name]}" for other, rows in sets.items()} for name in known[:_ASKED]]
            kinds["known"] = [_said(search, [each.questions[name] for name in known[:_ASKED]], right)]
            kinds["absent"] = [_said(search, [each.questions[name] for name in absent], [set()] * len(absent))]
        if code in table:
            right = [{f"faq-{row}-{other}" for other in table} for row in range(len(table[code]))]
            kinds.setdefault("known", []).append(_said(search, [asked for _, asked in table[code]], right))
        found[code] = kinds
    return found


def _said(search: CrossLingualSearch, asked: Sequence[str], right: Sequence[set[str]]) -> Said:
    judged = search_judged(search, search.relevance, asked, 1)
    return Said(
        np.array([each.probability[0] for each in judged]),
        np.array([each.answerable for each in judged]),
        np.array([each.hits[0].id in ids for each, ids in zip(judged, right, strict=True)]),
    )


def _cases(data: str, by_language: dict[str, Kinds], seconds: float) -> Iterator[Case]:
    whole: Kinds = {}
    for kinds in by_language.values():
        for kind, each in kinds.items():
            whole.setdefault(kind, []).extend(each)
    yield Case(task="calibration", data=data, method="probability, least 0.5", figures=figures_of(whole),
               n=_count(whole), seconds=seconds)  # fmt: skip
    for code, kinds in by_language.items():
        yield Case(task="calibration by language", data=f"{data}, {code}", method="probability, least 0.5",
                   figures=figures_of(kinds), n=_count(kinds), seconds=seconds / len(by_language))  # fmt: skip


def _count(kinds: Kinds) -> int:
    return sum(len(each.right) for said in kinds.values() for each in said)


def figures_of(kinds: Kinds) -> dict[str, float]:
    """Return the figures of what was said to questions of each kind."""
    said = {
        kind: Said(
            *(np.concatenate([getattr(one, name) for one in each]) for name in ("probability", "answerable", "right"))
        )
        for kind, each in kinds.items()
    }
    known, nonsense = said["known"], said["nonsense"]
    right = known.answerable[known.right]
    found = {
        "calibration error": _error(said, {"known": 2, "nonsense": 2}),
        "right first %": 100 * float(known.right.mean()),
        "right kept %": 100 * float((right >= 0.5).mean()),
        "nonsense answered %": 100 * float((nonsense.answerable >= 0.5).mean()),
        "nonsense at 90 % kept %": 100 * float((nonsense.answerable >= np.quantile(right, 1 - _KEPT)).mean()),
    }
    if "absent" in said:
        found["error with absent"] = _error(said, {"known": 1, "absent": 1, "nonsense": 2})
        found["absent answered %"] = 100 * float((said["absent"].answerable >= 0.5).mean())
    return found


def _error(said: dict[str, Said], parts: dict[str, int]) -> float:
    """Return the calibration error over questions of these kinds in these parts."""
    rng = np.random.default_rng(0)
    drawn = [(said[kind], rng.choice(len(said[kind].right), 4000 * part)) for kind, part in parts.items()]
    probability = np.concatenate([each.probability[rows] for each, rows in drawn])
    return float(calibration_error(probability, np.concatenate([each.right[rows] for each, rows in drawn])))
