"""Frequent questions of 4 to 400 rows: nonsense refused, questions answered, and what a probability is worth.

    python -m interlingua.benchmarks faq

A library's table in eight languages (`benchmarks/data`), of which four rows or all 16 are there, alone or among
questions of XQuAD-R in English, Russian, Chinese and Arabic. *Other words* are paraphrases asked in all eight
languages, *translations* the rows' own questions in the seven others, *nonsense* is ten of each of ten kinds. Refused
is what gets no reply at a probability of 0.5. *Right first* counts all questions, answered or not. The calibration
error is that of the first reply's probability over as many questions as nonsense, half of the questions in other words,
in ten bins.

The cosine is the way before: a threshold, chosen so that a twentieth of the nonsense passes in tables of four rows, and
used for all.

*Sentences*: the same probabilities for sentences of XQuAD-R, in English and German, as `QuestionAnswerer` finds them;
*absent* are questions whose sentence is taken out, though those beside it are there.

The constants of the probabilities were fitted on the shop's table with the first nonsense, and on other texts, half of
the articles of XQuAD-R in English, German and Spanish among them, so *sentences* are not held out; see the benchmark
`calibration`.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.benchmarks.harness.datasets import read_xquad_r
from interlingua.benchmarks.harness.measure import Case, watch
from interlingua.benchmarks.harness.scores import calibration_error
from interlingua.pipelines import Encoder, Exchange, Passage, QuestionAnswerer, Reply, ResponseSelector, load_encoder

_DATA = Path(__file__).parents[1] / "data"
_SIZES = (4, 16, 40, 400)
_OWN = 16
_AMONG = ("en", "ru", "zh", "ar")
_SENTENCES = ("en", "de")
_ASKED = 110
_PASSING = 0.05


def run(encoder: Encoder | None = None) -> Iterator[Case]:
    """Build the tables, and say everything to each."""
    encoder = load_encoder() if encoder is None else encoder
    table, nonsense = _table("library"), _nonsense("library")
    least = 0.0
    for size in _SIZES:
        with watch() as working:
            made = [(code, *each) for code in table for each in _exchanges(table[code], code, size)]
            said = [_said(exchanges, rows, table, code, nonsense, encoder) for code, exchanges, rows in made]
            together = {key: np.concatenate([each[key] for each in said]) for key in said[0]}
            cosines = together["cosine"]
            least = least or float(np.quantile(cosines[together["kind"] == "nonsense"], 1 - _PASSING))
        for method, passes in (
            ("probability 0.5", together["answerable"] >= 0.5),
            (f"cosine {least:.3f}", cosines >= least),
        ):
            figures = _figures(passes, together)
            if method.startswith("probability"):
                figures["calibration error"] = _error(together)
            n = int((together["kind"] != "nonsense").sum())
            yield Case(task="frequent questions", data=f"{size} rows, eight languages", method=method,
                       figures=figures, n=n, seconds=working.seconds / 2)  # fmt: skip
    yield from _sentences(encoder, nonsense)


def _exchanges(
    questions: Sequence[tuple[str, str]], language: str, size: int
) -> Iterator[tuple[list[Exchange], list[int]]]:
    """Yield tables of a size, and which of the library's rows are in each."""
    own = [Exchange(f"{row}", question, language) for row, (question, _) in enumerate(questions)]
    if size < _OWN:
        for start in range(0, _OWN, size):
            yield own[start : start + size], list(range(start, start + size))
        return
    sets = [read_xquad_r(each).questions for each in _AMONG]
    names = sorted(set.intersection(*(set(each) for each in sets)))
    n = (size - _OWN) // len(_AMONG)
    names = [names[row] for row in np.random.default_rng(0).permutation(len(names))[:n]]
    more = [Exchange(f"{code} {name}", each[name], code) for code, each in zip(_AMONG, sets) for name in names]
    yield [*own, *more], list(range(_OWN))


def _said(
    exchanges: list[Exchange],
    rows: list[int],
    table: dict[str, list[tuple[str, str]]],
    language: str,
    nonsense: list[tuple[str, str]],
    encoder: Encoder,
) -> dict[str, NDArray[Any]]:
    """Say everything to a table; return what its first replies are worth."""
    bot = ResponseSelector.build(exchanges, encoder)
    asked = [("other words", table[each][row][1], row) for each in table for row in rows]
    asked += [("translations", table[each][row][0], row) for each in table if each != language for row in rows]
    asked += [("nonsense", text, -1) for _, text in nonsense]
    found: list[tuple[Reply, bool]] = []
    for _, text, row in asked:
        (best,) = bot.respond([text], 1, least=0.0)
        found.append((best, best.response == f"{row}"))
    return {
        "kind": np.array([kind for kind, *_ in asked]),
        "answerable": np.array([best.answerable for best, _ in found]),
        "probability": np.array([best.probability for best, _ in found]),
        "cosine": np.array([best.cosine for best, _ in found]),
        "right": np.array([right for _, right in found]),
    }


def _figures(passes: NDArray[np.bool_], said: dict[str, NDArray[Any]]) -> dict[str, float]:
    def share(kind: str, of: NDArray[Any]) -> float:
        return 100 * float(of[said["kind"] == kind].mean())

    return {
        "nonsense refused %": share("nonsense", ~passes),
        "other words answered %": share("other words", passes),
        "translations answered %": share("translations", passes),
        "other words right first %": share("other words", said["right"]),
        "translations right first %": share("translations", said["right"]),
    }


def _error(said: dict[str, NDArray[Any]]) -> float:
    """Return the calibration error over equal parts of questions and nonsense."""
    rng, rows = np.random.default_rng(0), []
    for kind, part in (("other words", 1), ("translations", 1), ("nonsense", 2)):
        rows.append(rng.choice(np.flatnonzero(said["kind"] == kind), 4000 * part))
    drawn = np.concatenate(rows)
    return float(calibration_error(said["probability"][drawn], said["right"][drawn]))


def _sentences(encoder: Encoder, nonsense: list[tuple[str, str]]) -> Iterator[Case]:
    """Ask XQuAD-R's questions of its sentences, with and without the one that answers."""
    for language in _SENTENCES:
        each = read_xquad_r(language)
        rng = np.random.default_rng(1)
        names = [sorted(each.answers)[row] for row in rng.permutation(len(each.answers))[:_ASKED]]
        right = {name: each.answers[name] for name in names}
        rows = sorted({place + step for place in right.values() for step in (0, 1)} & set(range(len(each.sentences))))
        absent = set(names[: _ASKED // 2])
        gone = {right[name] for name in absent}
        passages = [Passage(f"{row}", each.sentences[row], language) for row in rows if row not in gone]
        with watch() as working:
            answerer = QuestionAnswerer.build(passages, encoder, split=False)
            asked = [name for name in names if name in absent or right[name] not in gone]
            texts = [each.questions[name] for name in asked] + [text for _, text in nonsense]
            found = answerer.answer(texts, precision=None, language=None)
            passing = answerer.answer(texts, precision=None, least=0.5)
        known = np.array([name not in absent for name in asked] + [False] * len(nonsense))
        strange = np.array([False] * len(asked) + [True] * len(nonsense))
        hits = np.array([
            answer is not None and number < len(asked) and answer.passage.id == f"{right[asked[number]]}"
            for number, answer in enumerate(found)
        ])  # fmt: skip
        given = np.array([answer is not None for answer in passing])
        sure = np.array([0.0 if answer is None else answer.probability or 0.0 for answer in found])
        figures = {
            "nonsense refused %": 100 * float((~given)[strange].mean()),
            "answered %": 100 * float(given[known].mean()),
            "right first %": 100 * float(hits[known].mean()),
            "absent refused %": 100 * float((~given)[~known & ~strange].mean()),
            "calibration error": float(calibration_error(sure, hits)),
        }
        yield Case(task="sentences that answer", data=f"XQuAD-R, {language}, {len(passages)} sentences",
                   method="probability 0.5", figures=figures, n=len(texts), seconds=working.seconds)  # fmt: skip


def _table(name: str) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for row in _rows("faq.tsv"):
        if row["table"] == name:
            found.setdefault(row["language"], []).append((row["question"], row["asked"]))
    return found


def _nonsense(name: str) -> list[tuple[str, str]]:
    return [(row["kind"], row["text"]) for row in _rows("nonsense.tsv") if row["table"] == name]


def _rows(name: str) -> list[dict[str, str]]:
    with (_DATA / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
