"""Questions of XQuAD-R (Roy et al. 2020, doi:10.18653/v1/2020.emnlp-main.477) in en de es ru zh ar answered.

    python -m interlingua.benchmarks answers         # with abstention: how many are given, how many of these are right
    python -m interlingua.benchmarks answer_spans    # the words that answer, by a head that learned in English
    python -m interlingua.benchmarks question_pairs  # does this sentence answer this question?

*Answers*: sentences of six languages in one pool; of a random third of the questions all sentences that answer them, in
every language, are taken out. Half of the questions, by paragraph, calibrate; the other half is measured: the share of
questions answered and the share of these answers that are right, for several wanted precisions, and the expected
calibration error in ten bins. A right answer is the sentence that holds it, in any language.

*Spans*: the head, linear on frozen token vectors, learns from the English questions of the first half of the articles,
with their passages, of which they are SQuAD's, and answers those of the other half in every language. Question and
passage never meet in the encoder. Scores are SQuAD's, which know no Chinese words: there F1 is hardly more than exact
match. Floors: the whole passage and its first five words.

*Pairs*: a task of the shape of XGLUE's QAM: a question with the sentence that answers it, and with the sentence beside
that one. Learned on the English questions of the first half, tested on the second half in all languages; files and
scores are XTREME's for pairs of sentences, predictions those of ``interlingua bench xtreme``. The frozen encoder sees
question and sentence apart, the fine-tuned one together.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from interlingua.benchmarks.field import xtreme
from interlingua.benchmarks.field.heads import SpanHead
from interlingua.benchmarks.field.runner import predict
from interlingua.benchmarks.field.scorers import question_answering
from interlingua.benchmarks.field.tasks import Question, read_questions
from interlingua.benchmarks.harness.datasets import AnswerSet, data_folder, read_xquad_r
from interlingua.benchmarks.harness.measure import Case, watch
from interlingua.benchmarks.harness.scores import calibration_error
from interlingua.benchmarks.sentences.xquad_r import LANGUAGES
from interlingua.pipelines import Encoder, Passage, QuestionAnswerer, load_encoder
from interlingua.pipelines.train import FineTuning

_PRECISIONS = (0.8, 0.9, 0.95)
SEEDS = (0, 1, 2)


def run() -> Iterator[Case]:
    """Build, calibrate and ask."""
    sets = {language: read_xquad_r(language) for language in LANGUAGES}
    ids = sorted(set.intersection(*(set(each.answers) for each in sets.values())))
    rng = np.random.default_rng(0)
    lost = set(rng.permutation(ids)[: len(ids) // 3].tolist())
    passages, right = _pool(sets, ids, lost)
    halves = _halves(sets["en"], ids)
    with watch() as working:
        answerer = QuestionAnswerer.build(passages, load_encoder(), split=False)
        asked = {
            half: [(question, language) for language in LANGUAGES for question in names]
            for half, names in zip(("calibrate", "measure"), halves)
        }
        texts = {half: [sets[language].questions[name] for name, language in pairs] for half, pairs in asked.items()}
        spoken = {half: [language for _, language in pairs] for half, pairs in asked.items()}
        known = [right.get(name) for name, _ in asked["calibrate"]]
        answerer.calibrate(texts["calibrate"], known, language=spoken["calibrate"])
        found = _measure(answerer, asked["measure"], texts["measure"], spoken["measure"], right)
    for method, figures in found.items():
        yield Case(task="answers with abstention", data="XQuAD-R, six languages, a third without answer",
                   method=method, figures=figures, n=len(asked["measure"]), seconds=working.seconds)  # fmt: skip


def _measure(
    answerer: QuestionAnswerer,
    asked: list[tuple[str, str]],
    texts: list[str],
    spoken: list[str],
    right: dict[str, set[str]],
) -> dict[str, dict[str, float]]:
    sure, hits = np.zeros(len(asked)), np.zeros(len(asked), bool)
    for language in LANGUAGES:
        rows = [number for number, each in enumerate(spoken) if each == language]
        answers = answerer.answer([texts[number] for number in rows], precision=None, language=language)
        for number, answer in zip(rows, answers):
            if answer is not None:
                sure[number] = answer.probability or 0.0
                hits[number] = answer.sentence in right.get(asked[number][0], ())
    error = 100 * calibration_error(sure, hits)
    always = {"answered %": 100.0, "right %": 100 * float(hits.mean()), "calibration error %": error}
    figures = {"always": always}
    for wanted in _PRECISIONS:
        least = answerer.calibration.threshold(wanted) if answerer.calibration else 0.0
        given = sure >= least
        right_ones = 100 * float(hits[given].mean()) if given.any() else 100.0
        figures[f"precision {wanted:.0%}"] = {"answered %": 100 * float(given.mean()), "right %": right_ones}
    return figures


def _pool(sets: dict[str, AnswerSet], ids: list[str], lost: set[str]) -> tuple[list[Passage], dict[str, set[str]]]:
    """Return the sentences that stay, and for each answerable question the texts that answer it."""
    passages: list[Passage] = []
    right: dict[str, set[str]] = {}
    for language, each in sets.items():
        gone = {each.answers[name] for name in ids if name in lost}
        passages += [
            Passage(f"{language}-{number}", text, language)
            for number, text in enumerate(each.sentences)
            if number not in gone and text.strip()
        ]
        for name in ids:
            if each.answers[name] not in gone:
                right.setdefault(name, set()).add(each.sentences[each.answers[name]])
    return passages, right


def _halves(english: AnswerSet, ids: list[str]) -> tuple[list[str], list[str]]:
    """Return the questions of the first and of the second half of the sentences, so that no paragraph is in both."""
    middle = len(english.sentences) // 2
    first = [name for name in ids if english.answers[name] < middle - 10]
    return first, [name for name in ids if english.answers[name] >= middle + 10]


def run_spans(encoder: Encoder | None = None) -> Iterator[Case]:
    """Learn in English, and answer in all languages."""
    encoder = load_encoder() if encoder is None else encoder
    questions = {name: read_questions(data_folder("xquad-r") / f"{name}.json") for name in LANGUAGES}
    half = len(questions["en"]) // 2
    passage = questions["en"][half].passage
    half = next(row for row, each in enumerate(questions["en"]) if each.passage == passage)
    learned = {each.id for each in questions["en"][:half]}
    with watch() as working:
        head = SpanHead(encoder).fit(questions["en"][:half])
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for name, every in questions.items():
        asked = [each for each in every if each.id not in learned]
        for method, said in {
            "linear head, frozen tokens": head.predict(asked),
            "floor: whole passage": [each.passage for each in asked],
            "floor: first five words": [" ".join(each.passage.split()[:5]) for each in asked],
        }.items():
            found.setdefault(method, {})[name] = _scores(asked, said)
    for method, scores in found.items():
        others = [each for name, each in scores.items() if name != "en"]
        named = {**scores, "mean of the others": tuple(np.mean(others, axis=0))}
        for name, each in named.items():
            yield Case(task="answer spans, from English", data=f"XQuAD-R, {name}", method=method,
                       figures=dict(zip(("exact match", "F1"), each)), n=len(questions["en"]) - half,
                       seconds=working.seconds)  # fmt: skip


def _scores(asked: list[Question], said: list[str]) -> tuple[float, float]:
    gold = {each.id: [each.answer] for each in asked}
    return question_answering(gold, {each.id: text for each, text in zip(asked, said)})


def run_pairs(encoder: Encoder | None = None, seeds: tuple[int, ...] = SEEDS) -> Iterator[Case]:
    """Write the files, learn, predict and score."""
    encoder = load_encoder() if encoder is None else encoder
    ways: dict[str, list[FineTuning | None]] = {
        "frozen": [None],
        "fine-tuned": [FineTuning(epochs=3, seed=seed) for seed in seeds],
    }
    with tempfile.TemporaryDirectory() as folder:
        n = _lay_out(Path(folder))
        for method, settings in ways.items():
            found: dict[str, list[float]] = {}
            with watch() as working:
                for number, tuning in enumerate(settings):
                    said = Path(folder, f"{method} {number}")
                    predict("xtreme", "xnli", folder, said, encoder, list(LANGUAGES), tuning=tuning)
                    scores = xtreme.evaluate(said, folder, ["xnli"], list(LANGUAGES)).scores["xnli"]
                    for name, each in scores.items():
                        found.setdefault(name, []).append(each["accuracy"])
            found["mean of the others"] = np.mean(
                [each for name, each in found.items() if name != "en"], axis=0
            ).tolist()
            for name, accuracies in found.items():
                figures = {"accuracy": float(np.mean(accuracies))}
                if len(accuracies) > 1:
                    figures["deviation"] = float(np.std(accuracies))
                yield Case(task="question and sentence, from English", data=f"XQuAD-R, {name}", method=method,
                           figures=figures, n=n * len(settings), seconds=working.seconds / len(settings))  # fmt: skip


def _lay_out(folder: Path) -> int:
    """Write XTREME's files of pairs, tab-separated with a label; return how many there are to test on."""
    (folder / "xnli").mkdir()
    sets = {name: read_xquad_r(name) for name in LANGUAGES}
    asked = sorted(sets["en"].answers, key=lambda key: sets["en"].answers[key])
    half = len(asked) // 2
    _write(folder / "xnli/train-en.tsv", sets["en"], asked[:half])
    for name, each in sets.items():
        _write(folder / f"xnli/test-{name}.tsv", each, asked[half:])
    return 2 * (len(asked) - half)


def _write(path: Path, answers: AnswerSet, asked: list[str]) -> None:
    lines = []
    for number, key in enumerate(asked):
        right = answers.answers[key]
        beside = right + (1 if number % 2 else -1)
        beside = beside if 0 <= beside < len(answers.sentences) else 2 * right - beside
        for place, label in ((right, "entailment"), (beside, "neutral")):
            texts = (" ".join(each.split()) for each in (answers.questions[key], answers.sentences[place]))
            lines.append("\t".join((*texts, label)))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


BENCHMARKS = {"answers": run, "answer_spans": run_spans, "question_pairs": run_pairs}
