"""The commands `train head`, `contrastive`, `distill`, `static` and `pretrain`: encoders, and spaces on them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from .arguments import UsageError, check_output_file, named_file, named_pairs
from .command import EncoderName, OutputFolder, command, options_of
from .output import Output, duration, table

if TYPE_CHECKING:
    from interlingua.pipelines.texts.pairs import Format, Pairs
    from interlingua.pipelines.texts.passages import Passage
    from interlingua.pipelines.train.settings import PretrainingCost, PretrainingResult, PretrainingSettings
    from interlingua.pipelines.train.static import StaticResult

_HELD_OUT = "held_out "
_SETTINGS = "interlingua.pipelines.train.settings"
_LOADING = "interlingua.pipelines.encoders.load:load_encoder"


@dataclass(frozen=True, kw_only=True)
class PairFiles:
    """Files of sentence pairs.

    Attributes
    ----------
    pairs : sequence of str
        TSV, TMX or JSON lines, with or without gzip; Moses files by their prefix or as FILE,FILE; the languages may be
        left out where the file names them, as in en-sw=corpus.tsv or corpus.tmx.
    pairs_format : str, optional
        By default what the file's name says.
    max_pairs : int, optional
        Use the first pairs of each file.
    skip_malformed : bool
        Drop malformed lines instead of stopping.
    """

    pairs: Sequence[str]
    pairs_format: Format | None = None
    max_pairs: int | None = None
    skip_malformed: bool = False

    def open(self) -> dict[str, Pairs]:
        """Return the files by their names, none of them read yet."""
        from interlingua.pipelines.texts.pairs import read_pairs

        opened: dict[str, Pairs] = {}
        for argument in self.pairs:
            path, languages = named_pairs(argument)
            both = path.split(",") if "," in path and not Path(path).exists() else path
            opened[argument] = read_pairs(
                both,
                format=self.pairs_format,
                languages=languages,
                on_malformed="skip" if self.skip_malformed else "raise",
                limit=self.max_pairs,
            )
        return opened


_PAIRS = options_of(f"{__name__}:PairFiles", group="Sentence pairs", metavars={"pairs": "SOURCE-TARGET=FILE..."})


def _note_pairs(opened: Mapping[str, Pairs], console: Output) -> None:
    """Say what was kept of each file, once they have been read."""
    for pairs in opened.values():
        console.note(pairs.report.summary())


# --- a space on an encoder that stays as it is


@command(
    files=_PAIRS,
    learning=options_of(
        "interlingua.align.sentence.auto:align_sentences",
        only=("capacity", "pivot", "held_out", "n_seeds", "seed"),
        n_seeds="--seeds",
    ),
    loading=options_of(_LOADING, only=("device", "cache")),
    encoding=options_of("interlingua.pipelines.encoders.base:Encoder.encode", only=("role", "progress")),
)
def head(
    console: Output,
    files: dict[str, Any],
    learning: dict[str, Any],
    loading: dict[str, Any],
    encoding: dict[str, Any],
    *,
    output: Annotated[str, Parameter(("--output", "-o"), metavar="SPACE")],
    validation: Annotated[list[str] | None, Parameter(metavar="SOURCE-TARGET=FILE...")] = None,
    encoder: EncoderName = None,
) -> None:
    """Learn a shared space from sentence pairs; the encoder stays as it is.

    Parameters
    ----------
    output : str
        Where to write the space.
    validation : list of str, optional
        Pairs of other domains to choose by; nothing is fitted to them.
    encoder : str
        A sentence-transformers model, a folder, or a file of word vectors; by default the bundled
        multilingual-e5-small.

    Examples
    --------
    ::

        interlingua train head --pairs de-en=PAIRS.tsv -o SPACE
    """
    from interlingua.align import SharedSpace
    from interlingua.align.sentence import align_sentences
    from interlingua.pipelines.encoders.fingerprint import fingerprint, with_fingerprint
    from interlingua.pipelines.encoders.load import load_encoder
    from interlingua.pipelines.train.head import encode_pairs

    check_output_file(output)
    opened = PairFiles(**files).open()
    others = PairFiles(**{**files, "pairs": validation or ()}).open()
    if both := sorted(set(opened) & set(others)):
        raise UsageError(f"{', '.join(both)} is given to learn from and to choose by")
    named = [named_pairs(each)[1] for each in files["pairs"]]
    if all(named):  # else only the files tell
        _check_pivot(learning["pivot"], {name for languages in named for name in languages or ()})
    with console.working("loading the encoder"):
        model = load_encoder(encoder, **loading)
    parallel = encode_pairs(model, opened, **encoding)
    _check_pivot(learning["pivot"], parallel.languages)
    other = encode_pairs(model, others, **encoding) if others else None
    _note_pairs(opened, console)
    _note_pairs(others, console)

    def tell(entry: Mapping[str, Any]) -> None:
        if "iteration" not in entry:
            console.note(f"{entry['candidate']}: {100 * entry['accuracy']:.2f} % found, {entry['surprisal']:.4f} nats")

    with console.working(f"learning from {parallel.n_pairs} pairs"):
        found = align_sentences(
            parallel, validation=other, encoder=model.identity, device=loading["device"], callback=tell, **learning
        )
    provenance = {**found.provenance, "role": encoding["role"]}
    space = SharedSpace(found.maps, found.method, found.encoder, found.scores, provenance)
    space = with_fingerprint(space, fingerprint(model))
    space.save(output)
    result = {
        "space": output,
        "method": space.method,
        "chosen": space.provenance["chosen"],
        "candidates": space.provenance["candidates"],
        "languages": list(space.languages),
        "pairs": parallel.n_pairs,
        "encoder": model.identity,
        "scores": dict(space.scores),
    }
    console.result(result, lambda: _candidates(space.provenance, output))


def _check_pivot(pivot: str, languages: Collection[str]) -> None:
    if pivot and pivot not in languages:
        raise UsageError(
            f"the pivot must be a language of the pairs, but {pivot!r} is none of {', '.join(sorted(languages))}"
        )


def _candidates(provenance: Mapping[str, Any], output: str) -> list[Any]:
    chosen = provenance["chosen"]["candidate"]
    rows = [
        (
            ("* " if each["candidate"] == chosen else "  ") + each["candidate"],
            f"{100 * each['accuracy']:.2f}",
            f"{each['surprisal']:.4f}",
        )
        for each in provenance["candidates"]
    ]
    return [
        table("candidate", "held-out top-1 %>", "surprisal (nats)>", rows=rows),
        f"chosen: {chosen}, {provenance['chosen']['because']}",
        *([provenance["not_tried"]] if provenance["not_tried"] else []),
        f"written: {output}",
    ]


# --- encoders that are trained on pairs


@command(
    files=_PAIRS,
    chosen=options_of(f"{_SETTINGS}:ContrastiveSettings", omit=("roles",), group="Training", lora_rank="--lora"),
    running=options_of("interlingua.pipelines.train.contrastive:finetune_contrastive", only=("resume",)),
)
def contrastive(
    console: Output,
    files: dict[str, Any],
    chosen: dict[str, Any],
    running: dict[str, Any],
    *,
    output: OutputFolder,
    encoder: EncoderName = None,
    dry_run: bool = False,
) -> None:
    """Fine-tune an encoder on sentence pairs.

    Parameters
    ----------
    output : str
        The folder to make.
    encoder : str
        The encoder to fine-tune, by folder or name; by default the bundled one.
    dry_run : bool
        Measure a few steps, say what the run costs, and stop.

    Examples
    --------
    ::

        interlingua train contrastive --pairs de-en=PAIRS.tsv -o MODEL
    """
    from interlingua.pipelines.train.contrastive import estimate_contrastive, finetune_contrastive
    from interlingua.pipelines.train.settings import ContrastiveSettings

    running["settings"] = ContrastiveSettings(**chosen)
    estimate = estimate_contrastive if dry_run else None
    _train(console, PairFiles(**files), (encoder,), output, finetune_contrastive, estimate, running)


@command(
    files=_PAIRS,
    chosen=options_of(f"{_SETTINGS}:DistillationSettings", omit=("projection",), group="Training"),
    running=options_of("interlingua.pipelines.train.distillation:distill", only=("resume",)),
)
def distill(
    console: Output,
    files: dict[str, Any],
    chosen: dict[str, Any],
    running: dict[str, Any],
    *,
    teacher: Annotated[str, Parameter(metavar="NAME")],
    output: OutputFolder,
    student: EncoderName = None,
    no_projection: bool = False,
    dry_run: bool = False,
) -> None:
    """Teach an encoder to give another one's vectors, in all languages.

    Parameters
    ----------
    teacher : str
        The encoder to learn from, by folder or name.
    output : str
        The folder to make.
    student : str
        The encoder that learns, by folder or name; by default the bundled one.
    no_projection : bool
        No linear layer behind the student, which then has the same dimension.
    dry_run : bool
        Measure a few steps, say what the run costs, and stop.

    Examples
    --------
    ::

        interlingua train distill --teacher NAME --pairs de-en=PAIRS.tsv -o MODEL
    """
    from interlingua.pipelines.train.distillation import distill, estimate_distillation
    from interlingua.pipelines.train.settings import DistillationSettings

    if no_projection:
        chosen["projection"] = "none"
    running["settings"] = DistillationSettings(**chosen)
    estimate = estimate_distillation if dry_run else None
    _train(console, PairFiles(**files), (teacher, student), output, distill, estimate, running)


def _train(
    console: Output,
    files: PairFiles,
    encoders: tuple[str | None, ...],
    output: str,
    train: Callable[..., Any],
    estimate: Callable[..., Any] | None,
    running: Mapping[str, Any],
) -> None:
    if Path(output).exists():
        raise UsageError(f"{output} exists; name another folder or remove it")
    opened = files.open()
    pairs = list(chain.from_iterable(opened.values()))
    _note_pairs(opened, console)
    if estimate is not None:
        with console.working("measuring a few steps"):
            cost = estimate(*encoders, pairs, settings=running["settings"])
        console.result(vars(cost), lambda: [table("", "", rows=_cost_rows(cost))])
        return
    with console.working("training"):
        run = train(*encoders, pairs, output=output, callback=lambda line: _note_scores(line, console), **running)
    result = {**vars(run), "folder": str(run.folder), "history": list(run.history)}
    console.result(result, lambda: _run_rows(run))


def _note_scores(line: Mapping[str, float], console: Output) -> None:
    scores = {
        key.removeprefix("eval_"): value for key, value in line.items() if key.startswith("eval_") or key == "loss"
    }
    shown = [f"{key.replace('_', ' ')} {scores[key]:.4f}" for key in scores if not key.endswith(("runtime", "second"))]
    if shown:
        console.note(f"step {line['step']:.0f}: {', '.join(shown)}")


def _cost_rows(cost: Any) -> list[tuple[str, str]]:
    return [
        ("pairs to learn from, held out", f"{cost.n_pairs}, {cost.n_held_out}"),
        ("parameters trained, frozen", f"{cost.n_trained:,}, {cost.n_frozen:,}"),
        ("steps", f"at most {cost.steps}, {cost.seconds_per_step:.2f} s each"),
        ("evaluations", f"{cost.evaluations}, {duration(cost.seconds_per_evaluation)} each"),
        ("in all", f"about {duration(cost.seconds)}"),
        ("a checkpoint", f"{cost.checkpoint_mb:.0f} MB, up to three at once"),
    ]


def _run_rows(run: Any) -> list[Any]:
    if not run.finished:
        return [f"stopped after {run.steps} steps; go on with --resume"]
    rows = [(key.replace("_", " "), run.start[key], run.best.get(key, float("nan"))) for key in run.start]
    end = f"written: {run.folder} ({run.steps} steps, {duration(run.seconds)})"
    notes = ["the vectors collapsed, so that the run was ended"] if run.collapsed else []
    return [*([table("held-out", "before>", "after>", rows=rows)] if rows else []), *notes, end]


# --- a table of pieces from an encoder and texts


@command(
    reading=options_of("interlingua.pipelines.train.static:OwnTexts.of", only=("titles",)),
    chosen=options_of("interlingua.pipelines.train.static:StaticSettings", group="Training"),
    loading=options_of(_LOADING, only=("device", "cache")),
    running=options_of("interlingua.pipelines.train.static:train_static", only=("progress",)),
)
def static(
    console: Output,
    reading: dict[str, Any],
    chosen: dict[str, Any],
    loading: dict[str, Any],
    running: dict[str, Any],
    *,
    texts: Annotated[list[str], Parameter(metavar="FILE...")],
    output: OutputFolder,
    language: Annotated[str | None, Parameter(metavar="NAME")] = None,
    encoder: EncoderName = None,
) -> None:
    """Distil an encoder into a table of piece vectors on your own texts: a thousand times as fast.

    Parameters
    ----------
    texts : list of str
        Your texts: {"text": ..., "language": ...} a line, or a table; or LANGUAGE=FILE, one text a line.
    output : str
        The folder to make, for --encoder; model2vec and sentence-transformers load it as well.
    language : str, optional
        The language of texts that name none.
    encoder : str
        The encoder to distil, by folder or name; by default the bundled one.

    Examples
    --------
    ::

        interlingua train static --texts TEXTS.jsonl -o MODEL
    """
    from interlingua.pipelines.encoders.load import load_encoder
    from interlingua.pipelines.texts.passages import read_passage_file
    from interlingua.pipelines.train.static import OwnTexts, StaticSettings, train_static

    if Path(output).exists():
        raise UsageError(f"{output} exists; name another folder or remove it")
    settings = StaticSettings(**chosen)
    passages: list[Passage] = []
    for argument in texts:
        named, path = named_file(argument) if "=" in argument else ("", argument)
        passages += (
            _lines_as_passages(path, named)
            if named and path != argument
            else read_passage_file(path, language=language)
        )
    own = OwnTexts.of(passages, **reading)
    if own.repeated:
        console.note(f"{own.repeated} of {len(own.texts) + own.repeated} texts were there before and are left out")
    with console.working("loading the encoder"):
        model = load_encoder(encoder, **loading)
    found = train_static(model, own, output, settings=settings, name=encoder or "", **running)
    result = {
        **vars(found),
        "folder": str(found.folder),
        "languages": {name: vars(each) for name, each in found.languages.items()},
    }
    console.result(result, lambda: _static_rows(found))


def _lines_as_passages(path: str, language: str) -> list[Passage]:
    from interlingua.pipelines.texts.lines import numbered_lines
    from interlingua.pipelines.texts.passages import Passage

    return [Passage(str(number), line.strip(), language) for number, line in numbered_lines(path, blank="skip")]


def _static_rows(found: StaticResult) -> list[Any]:
    rows = []
    for name, each in found.languages.items():
        shares = (each.full, each.kept("full"), each.kept("static"))
        rows.append(
            (name, each.texts, each.judged, *("" if share != share else f"{100 * share:.1f}" for share in shares))
        )
    head = (
        "language",
        "texts>",
        "held out>",
        "the encoder's recall@10 %>",
        "of it kept %>",
        "with static questions %>",
    )
    end = f"{found.folder}: {found.pieces:,} pieces of {found.dimension} dimensions, {found.megabytes:.1f} MB"
    return [table(*head, rows=rows), f"{end}; use it with --encoder {found.folder} ({duration(found.seconds)})"]


# --- an encoder from nothing but texts


@command(
    files=_PAIRS,
    chosen=options_of(f"{_SETTINGS}:PretrainingSettings", group="Training"),
    sizes=options_of(f"{_SETTINGS}:NewModel", group="A new model", vocabulary_size="--vocabulary"),
    running=options_of("interlingua.pipelines.train.pretraining:pretrain", only=("resume", "max_minutes")),
)
def pretrain(
    console: Output,
    files: dict[str, Any],
    chosen: dict[str, Any],
    sizes: dict[str, Any],
    running: dict[str, Any],
    *texts: Annotated[str, Parameter("LANGUAGE=FILE")],
    output: OutputFolder,
    held_out: int = 100,  # the library holds nothing out unless it is told
    pairs: Annotated[list[str] | None, Parameter(metavar="SOURCE-TARGET=FILE...")] = None,
    start: Annotated[str | None, Parameter(metavar="MODEL")] = None,
    dry_run: bool = False,
) -> None:
    """Pre-train an encoder to guess masked words.

    Parameters
    ----------
    texts : str
        UTF-8 text, one sentence a line.
    output : str
        The folder to make.
    held_out : int
        Sentences a language to measure on; they are not taken out of the pairs.
    pairs : list of str, optional
        Translations, to guess words from these too: files as `train contrastive` takes them.
    start : str, optional
        A masked language model, by folder or name; by default a new one.
    dry_run : bool
        Measure a few steps, say what the run costs, and stop.

    Examples
    --------
    ::

        interlingua train pretrain de=DE.txt en=EN.txt --pairs de-en=PAIRS.tsv -o MODEL
    """
    from interlingua.pipelines.texts.corpus import as_corpus, read_corpus
    from interlingua.pipelines.train import pretraining
    from interlingua.pipelines.train.settings import NewModel, PretrainingSettings

    named: dict[str, list[str]] = {}
    for argument in texts:
        language, path = named_file(argument, named=True)
        named.setdefault(language, []).append(path)
    if not named:
        raise UsageError("there is no text to learn from; give LANGUAGE=FILE, one sentence a line")
    if "-" in chain.from_iterable(named.values()):
        raise UsageError("texts are read more than once, so they cannot come from standard input; name a file")
    settings = PretrainingSettings(**chosen)
    model = start or NewModel(**sizes)
    opened = PairFiles(**files, pairs=pairs or ()).open()
    with console.working("reading the texts"):
        corpus, measured = read_corpus(named, held_out=held_out)
        both = as_corpus(opened) if opened else None
    console.note(", ".join(f"{language}: {number:,} sentences" for language, number in corpus.counts.items()))
    _note_pairs(opened, console)
    if dry_run:
        with console.working("measuring a few steps"):
            cost = pretraining.estimate_pretraining(corpus, pairs=both, start=model, settings=settings)
        _show_cost(cost, console)
        return
    with console.working("training"):
        result = pretraining.pretrain(
            output,
            corpus,
            pairs=both,
            held_out=measured,
            start=model,
            settings=settings,
            callback=_reporter(settings.steps, console),
            **running,
        )
    _show_pretraining(result, settings, console)


def _show_cost(cost: PretrainingCost, console: Output) -> None:
    facts = {
        "parameters": cost.n_parameters,
        "steps": cost.steps,
        "tokens_per_step": round(cost.tokens_per_step),
        "tokens": round(cost.tokens),
        "seconds_per_step": round(cost.seconds_per_step, 4),
        "seconds": round(cost.seconds),
        "disk_bytes": cost.disk_bytes,
    }
    rows = [
        ("parameters", f"{cost.n_parameters:,}"),
        ("steps", f"{cost.steps:,} of {cost.tokens_per_step:,.0f} tokens"),
        ("tokens", f"{cost.tokens:,.0f}"),
        ("time", f"{duration(cost.seconds)} ({cost.seconds_per_step:.3g} s a step here)"),
        ("disk while it runs", f"{cost.disk_bytes / 1e6:,.0f} MB"),
    ]
    console.result(facts, lambda: [table("", "", rows=rows)])


def _reporter(steps: int, console: Output) -> Callable[[Mapping[str, float]], None]:
    """Return what says each report, and how long the rest takes at the pace since the first one."""
    first: list[tuple[float, float]] = []  # step and time

    def report(entry: Mapping[str, float]) -> None:
        step = entry["iteration"]
        text = f"step {step:,.0f} of {steps:,}"
        if "objective" in entry:
            text += f": loss {entry['objective']:.3f}"
            if not first:
                first.append((step, time.monotonic()))
        losses = [f"{name.removeprefix(_HELD_OUT)} {value:.3f}" for name, value in entry.items() if _HELD_OUT in name]
        if losses:
            text += f"; held out {', '.join(losses)}"
        if first and step > first[0][0]:
            begun, since = first[0]
            text += f"; {duration((steps - step) * (time.monotonic() - since) / (step - begun))} left"
        console.note(text)

    return report


def _show_pretraining(result: PretrainingResult, settings: PretrainingSettings, console: Output) -> None:
    if not result.finished:
        done = result.history[-1]["iteration"]
        console.note(f"stopped after {done:,.0f} of {settings.steps:,} steps; go on with --resume")
    ends = [row for row in result.history if any(_HELD_OUT in name for name in row)]
    losses = {
        name.removeprefix(_HELD_OUT): [ends[0][name], ends[-1][name]]
        for name in (ends[0] if ends else ())
        if _HELD_OUT in name
    }
    facts = {
        "output": str(result.folder),
        "finished": result.finished,
        "parameters": result.n_parameters,
        "steps": settings.steps,
        "tokens": result.tokens,
        "held_out_loss": losses,
    }
    folder = result.folder
    end = f"{folder}: an encoder of {result.n_parameters:,} parameters; use it with --encoder {folder}"
    console.result(
        facts,
        lambda: [
            table("language", "held-out loss, start>", "end>", rows=((name, *both) for name, both in losses.items())),
            end if result.finished else f"{folder} is not there yet",
        ],
    )
