"""Train on one language, test on the others: zero-shot tables, and few-shot curves."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.align.files import refuse_links, replacing
from interlingua.pipelines.texts.labelled import Labelled, LabelledWords, nested_order

from .classifier import TextClassifier
from .finetune import fine_tune, run_identity
from .scores import accuracy, label_f1, span_f1
from .settings import Adversary, FineTuning
from .trainer import read_run, write_run

#: Examples of the target language, as few-shot curves of the field have them.
SHOTS = (0, 8, 32, 128, 512)
_LEAST_STEPS = 30
_MOST_TIMES = 10  # that an example is repeated
Data = Labelled | LabelledWords


@dataclass(frozen=True)
class TransferRow:
    """One classifier's scores in one language.

    Attributes
    ----------
    language : str
    adversarial : {"none", "reversal", "alternating"}
    seed, shots : int
        `shots` examples of the tested language were learned after the training language.
    n : int
        Labels that were tested.
    accuracy, f1 : float
        From 0 to 1; f1 is that of spans where words have BIO tags, else the mean over the labels.
    seconds : float
        Wall clock of the training.
    """

    language: str
    adversarial: Adversary
    seed: int
    shots: int
    n: int
    accuracy: float
    f1: float
    seconds: float


@dataclass(frozen=True)
class TransferTable:
    """Scores of classifiers that learned in one language.

    Attributes
    ----------
    rows : tuple of TransferRow
    source : str
        The language of the training.
    """

    rows: tuple[TransferRow, ...]
    source: str

    def summary(self) -> list[dict[str, Any]]:
        """Return for each variant: the source's accuracy, mean and worst of the others, spread of that mean.

        Accuracies are means over the seeds; "deviation" is the standard deviation over them of the mean (0 for one),
        "worst_language" the language whose mean is the worst.
        """
        found = []
        for variant in sorted({each.adversarial for each in self.rows}, key=("none", "reversal", "alternating").index):
            rows = [each for each in self.rows if each.adversarial == variant and not each.shots]
            others = _means([each for each in rows if each.language != self.source], "language")
            by_seed = list(_means([each for each in rows if each.language != self.source], "seed").values())
            if not others:
                continue
            worst = min(others, key=lambda language: others[language])
            found.append(
                {
                    "adversarial": variant,
                    "seeds": len(by_seed),
                    "source": _means(rows, "language").get(self.source),
                    "mean": float(np.mean(by_seed)),
                    "deviation": float(np.std(by_seed, ddof=1)) if len(by_seed) > 1 else 0.0,
                    "worst": others[worst],
                    "worst_language": worst,
                    "seconds": float(np.mean([each.seconds for each in rows])),
                }
            )
        return found

    def curves(self) -> dict[str, dict[int, float]]:
        """Return accuracy by language and number of target examples: means over the seeds of the plain runs."""
        plain = [each for each in self.rows if each.adversarial == "none"]
        return {
            language: dict(sorted(_means([each for each in plain if each.language == language], "shots").items()))
            for language in dict.fromkeys(each.language for each in plain if each.shots)
        }


def evaluate(classifier: TextClassifier, test: Data) -> tuple[int, float, float]:
    """Return the number of labels, the accuracy and the F1 in one language; see `TransferRow`."""
    predicted = classifier.predict(test.texts)
    if isinstance(test, LabelledWords):
        gold = [tag for tags in test.labels for tag in tags]
        flat = [tag for tags in predicted for tag in tags]
        of_spans = any(tag.startswith("B-") for tag in gold)
        f1 = span_f1(test.labels, predicted) if of_spans else label_f1(gold, flat)
        return len(gold), accuracy(gold, flat), f1
    return len(test), accuracy(test.labels, predicted), label_f1(test.labels, predicted)


def zero_shot(
    train: Data,
    tests: Mapping[str, Data],
    settings: FineTuning | None = None,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    others: Mapping[str, Sequence[Any]] | None = None,
    output: str | Path | None = None,
    resume: bool = False,
    callback: Callable[[str], None] | None = None,
) -> TransferTable:
    """Train in one language, once for each seed, and test in all.

    With `settings.adversarial` each seed is trained plainly too: the game often gains nothing or harms, so that its
    figures say something beside the plain ones only.

    Parameters
    ----------
    train : Labelled or LabelledWords
    tests : mapping of str to Labelled or LabelledWords
        By language; the training language's own may be among them.
    settings : FineTuning, optional
    seeds : sequence of int
        In place of `settings.seed`; three tell how much the figures vary.
    others : mapping of str to sequence, optional
        See `fine_tune`.
    output : str or Path, optional
        Folder that gets the scores of each run when it is done, its checkpoints while it runs, and the classifier of
        the first seed of each variant.
    resume : bool
        Take what is done from `output`.
    callback : callable, optional
        Gets a line of text after each run.

    Raises
    ------
    FileExistsError
        If `output` is not empty and `resume` is not set.
    ValueError
        If `output` is of other texts, tests or settings (other seeds may join), or does not say of which.
    """
    settings = settings or FineTuning()
    identity = {name: value for name, value in run_identity(train, settings, others).items() if name != "seed"}
    tested = hashlib.sha256(repr(list(tests.items())).encode("utf-8", "surrogatepass")).hexdigest()
    identity["tests"] = tested
    folder = _open(output, identity, resume=resume)
    plain = replace(settings, adversarial="none")
    rows: list[TransferRow] = []
    for seed in seeds:
        for variant in [plain] if settings.adversarial == "none" else [plain, settings]:
            run = replace(variant, seed=seed)
            name = f"{run.adversarial}-seed{seed}"
            done = _read(folder, name)
            if done is None:
                started = time.perf_counter()
                states = None if folder is None else folder / f"{name}.states"
                classifier = fine_tune(train, run, others=others, checkpoints=states, resume=resume)
                seconds = time.perf_counter() - started
                done = [
                    TransferRow(language, run.adversarial, seed, 0, *evaluate(classifier, test), seconds)
                    for language, test in tests.items()
                ]
                if folder is not None:
                    write_run(folder, identity)
                    if seed == seeds[0]:
                        classifier.save(folder / f"{name}.model")
                _write(folder, name, done)
                if states is not None:
                    shutil.rmtree(states)
            rows += done
            if callback is not None:
                foreign = [each.accuracy for each in done if each.language != train.language] or [float("nan")]
                callback(f"{name}: mean accuracy in {len(foreign)} other languages {np.mean(foreign):.3f}")
    return TransferTable(tuple(rows), train.language)


def few_shot(
    start: TextClassifier,
    pools: Mapping[str, Data],
    tests: Mapping[str, Data],
    settings: FineTuning | None = None,
    *,
    replay: Data | None = None,
    shots: Sequence[int] = SHOTS,
    seeds: Sequence[int] = (0,),
    source: str = "",
    callback: Callable[[TransferRow], None] | None = None,
) -> TransferTable:
    """Go on training a classifier with a few examples of each language, and test it there.

    The examples are drawn stratified by label and nested: those of 8 are among those of 32. Each size starts from
    `start`, which is left as it is. With `replay` training goes on for one epoch over the examples, each up to ten
    times until they make up half, and the texts of `replay`. On few examples alone a classifier forgets more than it
    learns: without `replay`, which takes the epochs of `settings` but 30 steps at least, expect losses below a hundred.

    Parameters
    ----------
    start : TextClassifier
        Trained in the source language.
    pools, tests : mapping of str to Labelled or LabelledWords
        Examples to draw from, and those to test on, by language.
    settings : FineTuning, optional
        Of the further training; "adversarial" is not played in it.
    replay : Labelled or LabelledWords, optional
        What `start` was trained on.
    shots, seeds : sequence of int
        Sizes (a size beyond the pool takes all of it), and draws of each.
    source : str
        The language of `start`.
    callback : callable, optional
        Gets each row when it is there.
    """
    settings = replace(settings or FineTuning(), adversarial="none")
    rows = []
    for language, pool in pools.items():
        for seed in seeds:
            labels = [max(each, key=each.count) for each in pool.labels] if _is_words(pool) else list(pool.labels)
            order = nested_order([str(label) for label in labels], seed=seed)
            for size in dict.fromkeys(min(each, len(pool)) for each in shots):
                started = time.perf_counter()
                learned = start
                if size:
                    data, run = _mixed(pool.select(order[:size]), replay, replace(settings, seed=seed))
                    learned = fine_tune(data, run, start=copy.deepcopy(start))
                seconds = time.perf_counter() - started
                row = TransferRow(language, "none", seed, size, *evaluate(learned, tests[language]), seconds)
                rows.append(row)
                if callback is not None:
                    callback(row)
    return TransferTable(tuple(rows), source)


def _mixed(few: Data, replay: Data | None, settings: FineTuning) -> tuple[Data, FineTuning]:
    """Return what to train on after the source language, and how."""
    if replay is None:
        run = replace(settings, batch_size=min(settings.batch_size, len(few)))
        return few, replace(run, steps=max(_LEAST_STEPS, run.steps_for(len(few))))
    times = max(1, min(_MOST_TIMES, len(replay) // len(few)))
    both = type(few)(few.texts * times + replay.texts, few.labels * times + replay.labels, few.language)  # type: ignore[arg-type, operator]  # both are of one kind
    return both, replace(settings, epochs=1.0, steps=None)


def _is_words(data: Data) -> bool:
    return isinstance(data, LabelledWords)


def _means(rows: Sequence[TransferRow], key: str) -> dict[Any, float]:
    values = dict.fromkeys(getattr(each, key) for each in rows)
    return {value: float(np.mean([r.accuracy for r in rows if getattr(r, key) == value])) for value in values}


def _open(output: str | Path | None, identity: dict[str, Any], *, resume: bool) -> Path | None:
    if output is None:
        return None
    folder = Path(output)
    refuse_links(*folder.glob("*"))
    if not resume and folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; resume what is in it, or name another folder")
    if read_run(folder, identity) is None and any(folder.glob("*-seed*.json")):
        raise ValueError(f"{folder} holds scores and does not say what was trained and tested; name another folder")
    # run.json comes with the first scores: settings that cannot be trained leave an empty folder
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _read(folder: Path | None, name: str) -> list[TransferRow] | None:
    if folder is None or not (folder / f"{name}.json").is_file():
        return None
    return [TransferRow(**each) for each in json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))]


def _write(folder: Path | None, name: str, rows: Sequence[TransferRow]) -> None:
    if folder is not None:
        with replacing(folder / f"{name}.json", "w", links="replace") as file:
            file.write(json.dumps([asdict(each) for each in rows], ensure_ascii=False, indent=1))
