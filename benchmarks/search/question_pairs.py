"""Does this sentence answer this question? An encoder frozen and fine-tuned on English, in five other languages.

    python -m interlingua.benchmarks.search.question_pairs

A task of the shape of XGLUE's QAM, made from XQuAD-R (Roy et al. 2020, doi:10.18653/v1/2020.emnlp-main.477): a question
with the sentence that answers it, and with the sentence beside that one. Learned on the English questions of the first
half, tested on the second half in en de es ru zh ar; files and scores are XTREME's for pairs of sentences, predictions
those of ``interlingua bench xtreme``. The frozen encoder sees question and sentence apart, the fine-tuned one together.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.benchmarks.field import xtreme
from interlingua.benchmarks.field.runner import predict
from interlingua.benchmarks.harness.datasets import AnswerSet, read_xquad_r
from interlingua.benchmarks.harness.measure import peak_mb, run_benchmark, watch
from interlingua.benchmarks.harness.report import row
from interlingua.benchmarks.sentences.xquad_r import LANGUAGES
from interlingua.pipelines import Encoder, load_encoder
from interlingua.pipelines.train import FineTuning

COMMAND = "python -m interlingua.benchmarks.search.question_pairs"
SEEDS = (0, 1, 2)


def run(encoder: Encoder | None = None, seeds: tuple[int, ...] = SEEDS) -> list[dict[str, Any]]:
    """Write the files, learn, predict and score; return the result rows."""
    encoder = load_encoder() if encoder is None else encoder
    ways: dict[str, list[FineTuning | None]] = {
        "frozen": [None],
        "fine-tuned": [FineTuning(epochs=3, seed=seed) for seed in seeds],
    }
    rows: list[dict[str, Any]] = []
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
            rows += [
                row(task="question and sentence, from English", data=f"XQuAD-R, {name}", method=method, metric=metric,
                    value=float(value), n=n * len(settings), command=COMMAND, seconds=working.seconds / len(settings),
                    peak_mb=peak_mb())
                for name, each in found.items()
                for metric, value in {"accuracy": np.mean(each), "deviation": np.std(each)}.items()
                if metric == "accuracy" or len(each) > 1
            ]  # fmt: skip
    return rows


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


def main(arguments: list[str] | None = None) -> int:
    """Run the command in the module's docstring."""
    return run_benchmark("question_pairs", run, arguments)


if __name__ == "__main__":
    sys.exit(main())
