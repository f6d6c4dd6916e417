"""The command `interlingua bench`, which the entry point group `interlingua.commands` adds to the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from interlingua.pipelines.commands.arguments import UsageError
from interlingua.pipelines.commands.command import Commas, EncoderName, OutputFolder, SpaceFile, command, options_of
from interlingua.pipelines.commands.output import Output, table

if TYPE_CHECKING:
    from .evaluation import Evaluation


@command(
    predicting=options_of(
        "interlingua.benchmarks.field.runner:predict", only=("model", "steps"), group="XTREME and XGLUE"
    )
)
def bench(
    console: Output,
    predicting: dict[str, Any],
    benchmark: Literal["xtreme", "xglue", "tatoeba", "xquad-r", "sib200"],
    *,
    data: Annotated[str, Parameter(metavar="DIR")],
    encoder: EncoderName = None,
    space: SpaceFile = None,
    languages: Commas = None,
    tasks: Annotated[Commas, Parameter(group="XTREME and XGLUE")] = None,
    labels: Annotated[str | None, Parameter(metavar="DIR", group="XTREME and XGLUE")] = None,
    fine_tune: Annotated[bool, Parameter(group="XTREME and XGLUE")] = False,
    score_only: Annotated[bool, Parameter(group="XTREME and XGLUE")] = False,
    output: Annotated[OutputFolder, Parameter(group="XTREME and XGLUE")] = "predictions",
) -> None:
    """Measure an encoder on XTREME, XGLUE, Tatoeba, XQuAD-R or SIB-200, beside floors.

    Parameters
    ----------
    benchmark : {"xtreme", "xglue", "tatoeba", "xquad-r", "sib200"}
        What is measured.
    data : str
        The data in the official layout.
    encoder : str
        A model; by default the bundled one.
    space : str, optional
        Map sentence vectors into this shared space.
    languages : str, optional
        Only these, such as de,fr.
    tasks : str, optional
        Only these, such as xnli,tatoeba; by default all.
    labels : str, optional
        Gold labels; by default none for XTREME, the data for XGLUE.
    fine_tune : bool
        Let the encoder itself learn on English: classification, pairs, WPR and tags (else it stays frozen).
    score_only : bool
        Score the predictions that are there.
    output : str
        Gets the predictions.

    Examples
    --------
    ::

        interlingua bench xtreme --data DIR --labels LABELS
    """
    if benchmark not in ("xtreme", "xglue"):
        _folder(benchmark, data, *_loaded(encoder, space), console, languages or [])
        return
    from .runner import MODULES

    module = MODULES[benchmark]
    labels = labels or (data if benchmark == "xglue" else None)
    if score_only and labels is None:
        raise UsageError("scoring needs gold labels, but none were given; add --labels DIR")
    names = tasks or list(module.TASKS)
    if unknown := [each for each in names if each not in module.TASKS]:
        raise UsageError(f"{unknown[0]!r} is no task of {benchmark}; its tasks are {', '.join(module.TASKS)}")
    if not tasks:
        names = _possible(names, module, predicting["model"], languages, console)
    if fine_tune and space:
        raise UsageError("--space maps frozen vectors, and --fine-tune moves them; leave one of the two out")
    if not score_only:
        _predict(benchmark, names, data, output, *_loaded(encoder, space), console, languages, fine_tune, predicting)
    if labels is None:
        console.result({"output": output, "tasks": names}, lambda: [])
        return
    found = module.evaluate(output, labels, names, languages)
    value = {"scores": found.scores, "floors": found.floors, "tasks": found.tasks, "averages": found.averages}
    console.result(value, lambda: _shown(found))


def _predict(
    benchmark: str,
    tasks: Sequence[str],
    data: str,
    output: str,
    encoder: Any,
    space: Any,
    console: Output,
    languages: Sequence[str] | None,
    fine_tune: bool,
    predicting: dict[str, Any],
) -> None:
    from interlingua.pipelines.train import FineTuning

    from .runner import FINE_TUNED, MODULES, predict

    tuning = FineTuning(steps=predicting["steps"]) if fine_tune else None
    for name in tasks:
        with console.working(name):
            files = predict(benchmark, name, data, output, encoder, languages, space=space, tuning=tuning, **predicting)
        frozen = fine_tune and MODULES[benchmark].TASKS[name].kind not in FINE_TUNED
        by = ", by the frozen encoder" if frozen else ""
        console.note(f"{name}: {len(files)} files of predictions in {output}{by}")


def _possible(
    tasks: list[str], module: Any, model: str | None, languages: Sequence[str] | None, output: Output
) -> list[str]:
    """Return the tasks that have one of the languages and need no model that is not named."""
    kept = []
    for name in tasks:
        task = module.TASKS[name]
        if languages and not set(languages) & set(task.languages):
            continue
        if task.kind == "generation" and model is None:
            output.note(f"{name} is left out: it needs an encoder-decoder (--model NAME)")
        else:
            kept.append(name)
    return kept


def _folder(benchmark: str, data: str, encoder: Any, space: Any, console: Output, languages: Sequence[str]) -> None:
    from .folders import run_folder

    with console.working(benchmark):
        rows = run_folder(benchmark, data, encoder, space, languages)
    metrics = list(rows[0].scores)
    console.result(
        [vars(each) for each in rows],
        lambda: [
            table(
                "language",
                "method",
                *(f"{each}>" for each in metrics),
                rows=((each.language, each.method, *(each.scores[name] for name in metrics)) for each in rows),
            )
        ],
    )


def _loaded(encoder: str | None, space: str | None) -> tuple[Any, Any]:
    from interlingua.pipelines.encoders.load import load_encoder, load_space

    model = load_encoder(encoder)
    return model, load_space(space, model) if space else None


def _shown(found: Evaluation) -> list[Any]:
    rows = [
        (
            name,
            language,
            *(", ".join(f"{key} {value:.4f}" for key, value in each.items()) for each in (scores, floors)),
        )
        for name, languages in found.scores.items()
        for language, scores in languages.items()
        for floors in [found.floors[name][language]]
    ]
    shown: list[Any] = [table("task", "language", "scores", "floors", rows=rows)]
    means = [*found.tasks.items(), *((f"group {name}", value) for name, value in found.averages.items())]
    return [*shown, table("mean", "score>", rows=means)] if means else shown
