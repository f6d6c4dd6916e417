"""The commands `train finetune`, a classifier tested across languages, and `tune`, which searches its settings."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from .arguments import UsageError, check_output_file, named_file
from .command import OutputFolder, command, options_of
from .output import Output, duration, table

if TYPE_CHECKING:
    from interlingua.pipelines.texts.labelled import Labelled, LabelledWords
    from interlingua.pipelines.train.settings import FineTuning
    from interlingua.pipelines.train.study import Tuning
    from interlingua.pipelines.train.transfer import TransferTable

_FINE_TUNING = "interlingua.pipelines.train.settings:FineTuning"
#: Settings that a study searches, as `SearchSpace` has them.
_SEARCHED = ("batch_size", "learning_rate", "warmup", "layer", "adversarial_weight")
#: Options that are called otherwise than what they set.
_FLAGS = {"freeze_embeddings": "--train-embeddings", "text": "--text-column", "label": "--label-column"}
Files = Annotated[list[str] | None, Parameter(metavar="LANGUAGE=FILE...")]


@dataclass(frozen=True, kw_only=True)
class LabelledFiles:
    """Texts or words with labels, and texts of other languages without.

    Attributes
    ----------
    train : str
        Texts and labels as columns of a TSV file; words and tags with --words or from .conllu and .conll files.
    words : bool
        Label words: a word and its tag a line (CoNLL).
    others : sequence of str
        Texts of other languages, one a line and without labels, for --adversarial.
    """

    train: str
    words: bool = False
    others: Sequence[str] = ()

    def read(self, argument: str, columns: Mapping[str, Any]) -> Labelled | LabelledWords:
        """Return the labelled texts, or words, of ``LANGUAGE=FILE``."""
        from interlingua.pipelines.texts.labelled import read_conll, read_labelled

        language, path = named_file(argument, named=True)
        return read_conll(path, language) if self._in_words(path) else read_labelled(path, language, **columns)

    def read_others(self) -> dict[str, Sequence[Any]]:
        """Return the texts of other languages, as words where words are labelled."""
        from interlingua.pipelines.texts.lines import open_lines

        found: dict[str, Sequence[Any]] = {}
        words = self._in_words(named_file(self.train, named=True)[1])
        for argument in self.others:
            language, path = named_file(argument, named=True)
            with open_lines(path) as lines:
                texts = [line for line in lines if line.strip()]
            found[language] = [text.split() for text in texts] if words else texts
        return found

    def _in_words(self, path: str) -> bool:
        return self.words or Path(path).suffix in (".conllu", ".conll")


_FILES = options_of(
    f"{__name__}:LabelledFiles",
    group="Labelled texts",
    metavars={"train": "LANGUAGE=FILE", "others": "LANGUAGE=FILE..."},
)
_COLUMNS = options_of(
    "interlingua.pipelines.texts.labelled:read_labelled",
    only=("text", "label"),
    group="Labelled texts",
    text=_FLAGS["text"],
    label=_FLAGS["label"],
)


@command(
    files=_FILES,
    columns=_COLUMNS,
    chosen=options_of(_FINE_TUNING, group="Training", freeze_embeddings=_FLAGS["freeze_embeddings"]),
    running=options_of("interlingua.pipelines.train.transfer:zero_shot", only=("resume",)),
)
def finetune(
    console: Output,
    seed: int,
    files: dict[str, Any],
    columns: dict[str, Any],
    chosen: dict[str, Any],
    running: dict[str, Any],
    *,
    output: OutputFolder,
    test: Files = None,
    few_shot: Files = None,
    seeds: int = 3,  # as many as `zero_shot` trains; it takes the seeds themselves
    dry_run: bool = False,
) -> None:
    """Train a classifier in one language and test it in others.

    Parameters
    ----------
    output : str
        For classifiers and scores.
    test : list of str, optional
        Labelled texts to test on.
    few_shot : list of str, optional
        Labelled texts of other languages: go on training with 8, 32, 128 and 512 of them, and test.
    seeds : int
        Train so many times.
    dry_run : bool
        Measure two steps, say what the run costs, and stop.

    Examples
    --------
    ::

        interlingua train finetune --train en=TRAIN.tsv --test de=TEST.tsv -o RESULTS
    """
    from interlingua.pipelines.train.classifier import TextClassifier
    from interlingua.pipelines.train.transfer import TransferTable, zero_shot
    from interlingua.pipelines.train.transfer import few_shot as go_on

    labelled = LabelledFiles(**files)
    settings = _settings(chosen, labelled)
    train = labelled.read(labelled.train, columns)
    tests, pools = (_by_language([labelled.read(each, columns) for each in some or ()]) for some in (test, few_shot))
    untested = [language for language in pools if language not in tests]
    if untested:
        raise UsageError(f"--few-shot {untested[0]} needs labelled texts to test on: --test {untested[0]}=FILE")
    others = labelled.read_others()
    if dry_run:
        _show_cost(console, train, settings, others, seeds)
        return
    folder = Path(output)
    run = folder / f"none-seed{seed}"
    if pools and run.with_name(f"{run.name}.json").is_file() and not run.with_name(f"{run.name}.model").is_dir():
        raise UsageError(
            f"--few-shot goes on from the classifier of the first seed, {seed}, but {folder} keeps the scores "
            f"of that seed only; give the --seed that the folder began with, or another folder"
        )
    scores = zero_shot(
        train,
        tests,
        settings,
        seeds=range(seed, seed + seeds),
        others=others,
        output=folder,
        callback=console.note if tests else None,
        **running,
    )
    curves = TransferTable((), train.language)
    if pools:
        start = TextClassifier.load(run.with_name(f"{run.name}.model"), device=settings.device, dtype=settings.dtype)
        curves = go_on(start, pools, tests, settings, replay=train, source=train.language)
    result = {
        "output": output,
        "source": train.language,
        "summary": scores.summary(),
        "scores": [asdict(each) for each in scores.rows],
        "few_shot": [asdict(each) for each in curves.rows],
    }
    console.result(result, lambda: _scores(scores, curves, output))


def _settings(chosen: Mapping[str, Any], files: LabelledFiles) -> FineTuning:
    """Return the settings that the options say, or raise UsageError where they do not fit together."""
    from interlingua.pipelines.train.settings import FineTuning

    if chosen["adversarial"] != "none" and not files.others:
        raise UsageError("--adversarial needs texts of other languages, without labels: --others LANGUAGE=FILE ...")
    if chosen["revision"] is not None and (chosen["encoder"] is None or Path(chosen["encoder"]).is_dir()):
        raise UsageError("--revision is one of a model on the Hugging Face Hub; name that model with --encoder")
    return FineTuning(**chosen)


def _by_language(read: Sequence[Labelled | LabelledWords]) -> dict[str, Any]:
    names = [each.language for each in read]
    if len(set(names)) < len(names):
        raise UsageError(f"each language is given once, but they are {', '.join(names)}")
    return dict(zip(names, read, strict=True))


def _show_cost(
    console: Output, train: Any, settings: FineTuning, others: Mapping[str, Sequence[Any]], seeds: int
) -> None:
    from interlingua.pipelines.train.finetune import estimate_finetuning

    variants = [settings] if settings.adversarial == "none" else [replace(settings, adversarial="none"), settings]
    costs = [asdict(estimate_finetuning(train, each, others=others)) for each in variants]
    whole = seeds * sum(each["seconds"] for each in costs)
    result = {"runs": seeds * len(variants), "seconds": whole, "variants": costs}
    text = f"{result['runs']} runs of {costs[0]['steps']} steps: about {duration(whole)}, tests and few-shot not"
    console.result(result, lambda: [f"{text} included; {costs[0]['trained_parameters']:,} parameters are trained"])


def _scores(scores: TransferTable, curves: TransferTable, output: str) -> Iterator[Any]:
    if scores.rows:
        variants = list(dict.fromkeys(each.adversarial for each in scores.rows))
        names = ["plain" if each == "none" else each for each in variants]
        rows = []
        for language in dict.fromkeys(each.language for each in scores.rows):
            cells = [
                [r.accuracy for r in scores.rows if (r.language, r.adversarial) == (language, v)] for v in variants
            ]
            rows.append((language, *(sum(each) / len(each) for each in cells)))
        yield table("accuracy", *(f"{name}>" for name in names), rows=rows)
    summary = scores.summary()
    if summary:
        columns = ("adversarial", "seeds", "source", "mean", "deviation", "worst", "worst_language")
        lines = [["-" if each[name] is None else each[name] for name in columns] for each in summary]
        yield table("training", "seeds>", "source>", "mean>", "deviation>", "worst>", "language", rows=lines)
    shots = curves.curves()
    if shots:
        sizes = sorted({size for curve in shots.values() for size in curve})
        rows = [(language, *(curve.get(size, "") for size in sizes)) for language, curve in shots.items()]
        yield table("few-shot", *(f"{size}>" for size in sizes), rows=rows)
    yield f"written: {output}"


@command(
    files=_FILES,
    columns=_COLUMNS,
    chosen=options_of(_FINE_TUNING, omit=_SEARCHED, group="Training", freeze_embeddings=_FLAGS["freeze_embeddings"]),
    searched=options_of(
        "interlingua.pipelines.train.settings:SearchSpace",
        only=_SEARCHED,
        group="What is searched",
        batch_size="--search-batch-size",
        learning_rate="--search-learning-rate",
        warmup="--search-warmup",
        layer="--search-layer",
        adversarial_weight="--search-adversarial-weight",
    ),
    running=options_of("interlingua.pipelines.train.study:tune", only=("trials", "resume", "seed")),
)
def tune(
    console: Output,
    given: frozenset[str],
    files: dict[str, Any],
    columns: dict[str, Any],
    chosen: dict[str, Any],
    searched: dict[str, Any],
    running: dict[str, Any],
    *,
    dev: Annotated[str, Parameter(metavar="LANGUAGE=FILE")],
    output: Annotated[str | None, Parameter(("--output", "-o"), metavar="STUDY.db")] = None,
) -> None:
    """Search settings of `train finetune` with a small study.

    Parameters
    ----------
    dev : str
        Labelled texts that trials are judged by.
    output : str, optional
        Keep the study in this SQLite file.

    Examples
    --------
    ::

        interlingua tune --train en=TRAIN.tsv --dev en=DEV.tsv --search-layer 6 9 12
    """
    from interlingua.pipelines.train.settings import SearchSpace
    from interlingua.pipelines.train.study import PROXY_WARNING, Trial, tune

    if output is not None:
        check_output_file(output)
    if "adversarial_weight" in given and chosen["adversarial"] == "none":
        raise UsageError("--search-adversarial-weight searches the weight of a game; choose one with --adversarial")
    try:
        space = SearchSpace(**{name: value and tuple(value) for name, value in searched.items()})
    except ValueError as error:
        name, _, rest = str(error).partition(" ")
        raise UsageError(f"--search-{name.replace('_', '-')} {rest}") from error
    labelled = LabelledFiles(**files)
    settings = _settings(chosen, labelled)
    train, development = (labelled.read(each, columns) for each in (labelled.train, dev))
    if train.language != development.language:
        raise UsageError(
            f"trials are judged in the language of the training, but --train is {train.language} and --dev is "
            f"{development.language}; call both alike where that is meant"
        )
    if running["resume"] and output is None:
        raise UsageError("--resume goes on with the study in a file; name it with -o")

    def say(trial: Trial) -> None:
        count = f"trial {trial.number + 1} of {running['trials']}"
        console.note(f"{count}: {trial.accuracy:.3f} ({trial.seconds:.0f} s)")

    found = tune(
        train,
        development,
        settings,
        space=space,
        others=labelled.read_others(),
        storage=output,
        callback=say,
        **running,
    )
    values = {name: value for name, value in (files | columns | chosen).items() if name in given}
    command = _command_line(values | found.best_trial.parameters, settings.seed)
    console.note(f"warning: {PROXY_WARNING}")
    result = {
        "trials": [asdict(each) for each in found.trials],
        "best": asdict(found.best_trial),
        "standard_error": found.standard_error,
        "command": command,
        "warning": PROXY_WARNING,
    }
    console.result(result, lambda: [*_trials(found), command])


def _command_line(values: Mapping[str, Any], seed: int) -> str:
    """Return the `train finetune` that trains with these values of its options."""
    words = ["interlingua", "train", "finetune"]
    for name, value in values.items():
        flag = _FLAGS.get(name, f"--{name.replace('_', '-')}")
        if isinstance(value, bool):
            words += [flag] if value is not (name in _FLAGS) else []  # of those, the flag says no
        elif isinstance(value, list | tuple):
            words += [flag, *value]
        else:
            words += [flag, f"{value:.4g}" if isinstance(value, float) else str(value)]
    return shlex.join([*words, "--seed", str(seed), "-o", "MODEL"])


def _trials(found: Tuning) -> list[Any]:
    names = list(found.best_trial.parameters)
    rows = [
        (each.number, *(f"{each.parameters[name]:.3g}" for name in names), each.accuracy, f"{each.seconds:.0f}")
        for each in sorted(found.trials, key=lambda each: -each.accuracy)
    ]
    return [
        table("trial>", *(f"{name}>" for name in names), "accuracy>", "seconds>", rows=rows),
        f"standard error of the best: {found.standard_error:.3f}",
    ]
