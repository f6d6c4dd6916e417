"""Fine-tuning in English, tested in other languages: topics of SIB-200, and parts of speech of Parallel UD.

    python -m interlingua.benchmarks finetune_sib200 [--parts FOLDER] [--minutes M] [--partial]

multilingual-e5-small with frozen word embeddings and the defaults of `FineTuning`, selected on nothing. SIB-200: 701
English texts, 204 test texts in each language; plainly, and against a discriminator of the 20 languages that reads the
other languages' training texts without labels (they are translations of the English ones). Few-shot: the plain
classifier of seed 0 goes on with examples of one language, alone or together with the English texts. UD-PUD has test
files only, parallel ones: 600 sentences in English train, the other 400 test in each language.

Each part is written to FOLDER when it is done; with `--minutes` no further part is begun after so long. The same
command goes on, also several at once, and writes the results when all parts are there.
"""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.align.files import replacing
from interlingua.align.language.probe import language_probe
from interlingua.benchmarks.harness.datasets import data_folder, read_sib200
from interlingua.benchmarks.harness.measure import Case, NotDoneError
from interlingua.pipelines.encoders.cache import user_cache_folder
from interlingua.pipelines.texts.labelled import Labelled, LabelledWords, read_conll
from interlingua.pipelines.train.classifier import TextClassifier
from interlingua.pipelines.train.settings import FineTuning
from interlingua.pipelines.train.transfer import TransferRow, TransferTable, few_shot, zero_shot

SEEDS = (0, 1, 2)
FEW_SHOT = ("swh_Latn", "yor_Latn", "tam_Taml")
_ENGLISH = "eng_Latn"
_NAMES = {"none": "plain", "reversal": "gradient reversal", "alternating": "alternating game"}
_FEW = {"few-shot": "plain, 1 seed, with the English texts", "alone": "plain, 1 seed, examples alone"}
_TREEBANKS = ("en", "de", "es", "fr", "ru")
_TREEBANK_TRAIN = 600


def texts(language: str, part: str) -> Labelled:
    """Return a part of SIB-200 in one language."""
    found = read_sib200(language, part).values()
    return Labelled(tuple(text for _, text in found), tuple(label for label, _ in found), language)


def languages() -> list[str]:
    """Return the languages of SIB-200 that are there."""
    return sorted(path.name for path in data_folder("sib-200").iterdir() if path.is_dir())


def sib200(folder: Path, variant: Any, seed: int) -> TransferTable:
    """Train one classifier on English and test it in all languages."""
    tests = {language: texts(language, "test") for language in languages()}
    others = {language: texts(language, "train").texts for language in languages() if language != _ENGLISH}
    settings = FineTuning(adversarial=variant)
    output = folder / "sib200"
    return zero_shot(
        texts(_ENGLISH, "train"), tests, settings, seeds=(seed,), others=others, output=output, resume=True
    )


def few_shots(folder: Path, language: str, *, replay: bool) -> TransferTable:
    """Go on from the plain classifier of seed 0 with examples of one language, and English ones if `replay`."""
    start = TextClassifier.load(folder / "sib200" / f"none-seed{SEEDS[0]}.model")
    pools, tests = {language: texts(language, "train")}, {language: texts(language, "test")}
    return few_shot(start, pools, tests, replay=texts(_ENGLISH, "train") if replay else None, source=_ENGLISH)


def parts_of_speech(folder: Path) -> TransferTable:
    """Train a tagger on 600 English sentences and test it on the translations of the other 400."""
    order = np.random.default_rng(0).permutation(1000)
    train, test = order[:_TREEBANK_TRAIN], order[_TREEBANK_TRAIN:]
    read: dict[str, LabelledWords] = {
        code: read_conll(data_folder("ud-pud") / f"{code}_pud-ud-test.conllu", code) for code in _TREEBANKS
    }
    tests = {code: each.select(test) for code, each in read.items()}
    output = folder / "ud-pud"
    return zero_shot(read["en"].select(train), tests, FineTuning(), seeds=(0,), output=output, resume=True)


#: What is measured, the most telling first; a part whose plain run is missing waits.
PARTS = (
    *(f"none-{seed}" for seed in SEEDS),
    *(f"{variant}-{SEEDS[0]}" for variant in ("reversal", "alternating")),
    *(f"reversal-{seed}" for seed in SEEDS[1:]),
    *(f"few-shot-{language}" for language in FEW_SHOT),
    "ud-pud",
    *(f"alternating-{seed}" for seed in SEEDS[1:]),
    "probe",
    *(f"alone-{language}" for language in FEW_SHOT),
)


def probe(folder: Path) -> dict[str, Any]:
    """Return how well the language is told from the features of seed 0's classifiers, on the development texts."""
    found = {language: texts(language, "dev").texts for language in languages()}
    names = [language for language, each in found.items() for _ in each]
    ids = [row for each in found.values() for row in range(len(each))]
    accuracies = {}
    for variant in ("before", *_NAMES):
        if variant == "before":
            classifier = TextClassifier.create(None, ["any", "other"])
        else:
            classifier = TextClassifier.load(folder / "sib200" / f"{variant}-seed{SEEDS[0]}.model")
        features = classifier.features([text for each in found.values() for text in each])
        told = language_probe(features, names, ids)
        accuracies[variant] = told.accuracy
    return {"probe": accuracies, "n": told.n_test, "majority": told.majority}


def measure(folder: Path, part: str) -> dict[str, Any]:
    """Measure one part; return it as JSON can hold it."""
    kind, _, rest = part.rpartition("-")
    if part == "probe":
        return probe(folder)
    if part == "ud-pud":
        measured = parts_of_speech(folder)
    else:
        few = kind in _FEW
        measured = few_shots(folder, rest, replay=kind == "few-shot") if few else sib200(folder, kind, int(rest))
    return {"source": measured.source, "rows": [asdict(each) for each in measured.rows]}


def measure_parts(folder: Path, minutes: float | None) -> dict[str, dict[str, Any]]:
    """Measure what no other process has taken on, until the time is up; return what is done so far."""
    started = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    for name in PARTS:
        late = minutes is not None and time.monotonic() - started > 60 * minutes
        if late or (folder / f"{name}.json").is_file() or not (folder / _needed(name)).exists():
            continue
        taken = folder / f"{name}.taken"
        with suppress(FileExistsError):
            taken.open("x").close()
            try:
                content = measure(folder, name)
                with replacing(folder / f"{name}.json", "w") as file:
                    file.write(json.dumps(content))
            finally:
                taken.unlink()
    found = {name: folder / f"{name}.json" for name in PARTS}
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in found.items() if path.is_file()}


def run(parts: Path | None = None, minutes: float | None = None, partial: bool = False) -> Iterator[Case]:
    """Measure what no other process has taken on, and give the figures of all parts.

    Parameters
    ----------
    parts : Path, optional
        Folder where the parts are kept; by default in the user's cache.
    minutes : float, optional
        Begin no part after so long.
    partial : bool
        Give the figures though parts are missing.

    Raises
    ------
    NotDoneError
        If parts are missing.
    """
    folder = user_cache_folder() / "benchmarks" / "finetune_sib200" if parts is None else parts
    found = measure_parts(folder, minutes)
    missing = [name for name in PARTS if name not in found]
    if missing and not partial:
        raise NotDoneError(", ".join(missing))
    yield from cases_of(found)


def cases_of(parts: dict[str, dict[str, Any]]) -> Iterator[Case]:
    """Give the figures of the parts."""
    task = "SIB-200, fine-tuned e5-small"
    read = {name: [TransferRow(**each) for each in part.get("rows", ())] for name, part in parts.items()}
    runs = list({each for name, part in read.items() if name[-1].isdigit() for each in part})
    runs.sort(key=lambda each: (each.language, each.seed))
    for line in TransferTable(tuple(runs), _ENGLISH).summary():
        method = f"{_NAMES[line['adversarial']]}, {_seeds(line['seeds'])}"
        values = {"mean %": line["mean"], "worst %": line["worst"], "English %": line["source"]}
        if line["seeds"] > 1:
            values["deviation over seeds"] = line["deviation"]
        n = len({each.language for each in runs}) - 1
        percent = {metric: 100 * each for metric, each in values.items()}
        yield _case(task, f"{n} other languages, zero-shot", method, percent, n, line["seconds"])
    for language in sorted({each.language for each in runs}):
        for variant, name in _NAMES.items():
            mine = [each for each in runs if each.language == language and each.adversarial == variant]
            if mine:
                mean = 100 * float(np.mean([each.accuracy for each in mine]))
                method = f"{name}, {_seeds(len(mine))}"
                seconds = sum(each.seconds for each in mine)
                yield _case(task, language, method, {"accuracy %": mean}, mine[0].n, seconds)
    told = parts.get("probe", {})
    for variant, value in told.get("probe", {}).items():
        method = _NAMES.get(variant, "before fine-tuning") + ", seed 0"
        yield _case(task, "language probe of its features", method, {"accuracy %": 100 * value}, told["n"], 0.0)
    for language, (kind, method) in product(FEW_SHOT, _FEW.items()):
        for each in read.get(f"{kind}-{language}", ()):
            values = {f"{each.shots} examples": 100 * each.accuracy}
            yield _case(task, f"{language}, few-shot, accuracy %", method, values, each.n, each.seconds)
    for each in read.get("ud-pud", ()):
        values = {"accuracy %": 100 * each.accuracy, "macro-F1": 100 * each.f1}
        yield _case("UD-PUD parts of speech, fine-tuned e5-small", each.language, "plain, 1 seed", values, each.n,
                    each.seconds)  # fmt: skip


def _case(task: str, data: str, method: str, figures: dict[str, float], n: int, seconds: float) -> Case:
    return Case(task=task, data=data, method=method, figures=figures, n=n, seconds=seconds)


def _seeds(n: int) -> str:
    return f"{n} seed" if n == 1 else f"{n} seeds"


def _needed(part: str) -> str:
    """Return the file, of the folder of parts, that a part goes on from."""
    kind, _, rest = part.rpartition("-")
    if part == "probe":
        return f"alternating-{SEEDS[0]}.json"  # the last of the three
    plain = {"few-shot": SEEDS[0], "alone": SEEDS[0], "reversal": rest, "alternating": rest}.get(kind)
    return "" if plain is None else f"none-{plain}.json"
