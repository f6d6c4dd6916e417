"""The command `interlingua train pretrain`."""

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping

from .arguments import UsageError, named_file
from .cli_train_options import add_pair_options, add_run_options, duration, note_pairs, open_pairs
from .legacy import Subcommands, add_command, count
from .output import Output, table

_HELD_OUT = "held_out "


def add_pretrain_command(commands: "Subcommands[ArgumentParser]") -> None:
    """Add `train pretrain`."""
    parser = add_command(commands, "pretrain", _pretrain, "pre-train an encoder to guess masked words")
    parser.add_argument("texts", nargs="+", metavar="LANGUAGE=FILE", help="UTF-8 text, one sentence a line")
    parser.add_argument(
        "--held-out",
        type=count,
        default=100,
        metavar="N",
        help="sentences a language to measure on (default 100); they are not taken out of the pairs",
    )
    add_pair_options(parser, required=False)
    model = parser.add_argument_group("model")
    model.add_argument(
        "--start", metavar="MODEL", help="a masked language model, by folder or name; default: a new one"
    )
    model.add_argument("--layers", type=count, default=4, metavar="N", help="of a new model (default 4)")
    model.add_argument("--width", type=count, default=256, metavar="N", help="of a new model (default 256)")
    model.add_argument("--heads", type=count, default=4, metavar="N", help="of a new model (default 4)")
    model.add_argument("--vocabulary", type=count, default=16000, metavar="N", help="of a new model (default 16000)")
    model.add_argument("--language-embeddings", action="store_true", help="tell the model each token's language")
    training = parser.add_argument_group("training")
    training.add_argument("--steps", type=count, default=10_000, metavar="N", help="updates (default 10000)")
    training.add_argument("--batch-size", type=count, default=32, metavar="N", help="sentences at once (default 32)")
    training.add_argument("--accumulation", type=count, default=1, metavar="N", help="batches an update (default 1)")
    training.add_argument("--max-length", type=count, default=128, metavar="N", help="tokens (default 128)")
    training.add_argument("--mask-rate", type=float, default=0.15, metavar="P", help="default 0.15")
    training.add_argument("--tlm-share", type=float, default=0.5, metavar="P", help="batches of pairs (default 0.5)")
    training.add_argument("--alpha", type=float, default=0.3, metavar="A", help="draw languages by n^A (default 0.3)")
    training.add_argument("--learning-rate", type=float, metavar="X", help="default 5e-4; 5e-5 with --start")
    training.add_argument("--report-every", type=count, metavar="N", help="steps (default: a twentieth)")
    training.add_argument("--save-every", type=count, metavar="N", help="steps (default: four reports)")
    training.add_argument("--dtype", default="auto", choices=["auto", "float32", "bfloat16"])
    add_run_options(parser)


def _pretrain(options: Namespace, output: Output) -> None:
    from interlingua.pipelines.texts.corpus import as_corpus, read_corpus
    from interlingua.pipelines.train.pretraining import estimate_pretraining, pretrain
    from interlingua.pipelines.train.settings import NewModel, PretrainingSettings

    files: dict[str, list[str]] = {}
    for argument in options.texts:
        language, path = named_file(argument, named=True)
        files.setdefault(language, []).append(path)
    if "-" in (path for some in files.values() for path in some):
        raise UsageError("texts are read more than once, so they cannot come from standard input; name a file")
    settings = PretrainingSettings(
        steps=options.steps,
        batch_size=options.batch_size,
        accumulation=options.accumulation,
        max_length=options.max_length,
        mask_rate=options.mask_rate,
        tlm_share=options.tlm_share,
        alpha=options.alpha,
        language_embeddings=options.language_embeddings,
        learning_rate=options.learning_rate,
        report_every=options.report_every,
        save_every=options.save_every,
        seed=options.seed,
        device=options.device,
        dtype=options.dtype,
    )
    start = options.start or NewModel(options.layers, options.width, options.heads, options.vocabulary)
    opened = open_pairs(options)
    with output.working("reading the texts"):
        texts, held_out = read_corpus(files, held_out=options.held_out)
        pairs = as_corpus(opened) if opened else None
    output.note(", ".join(f"{language}: {number:,} sentences" for language, number in texts.counts.items()))
    note_pairs(opened, output)
    if options.dry_run:
        with output.working("measuring a few steps"):
            cost = estimate_pretraining(texts, pairs=pairs, start=start, settings=settings)
        facts = {
            "parameters": cost.n_parameters,
            "steps": cost.steps,
            "tokens_per_step": round(cost.tokens_per_step),
            "tokens": round(cost.tokens),
            "seconds_per_step": round(cost.seconds_per_step, 4),
            "seconds": round(cost.seconds),
            "disk_bytes": cost.disk_bytes,
        }
        shown = [
            ("parameters", f"{cost.n_parameters:,}"),
            ("steps", f"{cost.steps:,} of {cost.tokens_per_step:,.0f} tokens"),
            ("tokens", f"{cost.tokens:,.0f}"),
            ("time", f"{duration(cost.seconds)} ({cost.seconds_per_step:.3g} s a step here)"),
            ("disk while it runs", f"{cost.disk_bytes / 1e6:,.0f} MB"),
        ]
        output.result(facts, lambda: [table("", "", rows=shown)])
        return
    begin, first = time.monotonic(), [0.0]

    def report(entry: Mapping[str, float]) -> None:
        step = entry["iteration"]
        text = f"step {step:,.0f} of {settings.steps:,}"
        if "objective" in entry:
            text += f": loss {entry['objective']:.3f}"
            first[0] = first[0] or step
        losses = [f"{name.removeprefix(_HELD_OUT)} {value:.3f}" for name, value in entry.items() if _HELD_OUT in name]
        if losses:
            text += f"; held out {', '.join(losses)}"
        if step > first[0] > 0:
            left = (settings.steps - step) * (time.monotonic() - began[0]) / (step - first[0])
            text += f"; {duration(left)} left"
        elif first[0]:
            began[0] = time.monotonic()
        output.note(text)

    began = [begin]
    with output.working("training"):
        result = pretrain(
            options.output,
            texts,
            pairs=pairs,
            held_out=held_out,
            start=start,
            settings=settings,
            resume=options.resume,
            max_minutes=options.max_minutes,
            callback=report,
        )
    if not result.finished:
        done = result.history[-1]["iteration"]
        output.note(f"stopped after {done:,.0f} of {settings.steps:,} steps; go on with --resume")
    ends = [row for row in result.history if any(_HELD_OUT in name for name in row)]
    losses = {
        name.removeprefix(_HELD_OUT): [ends[0][name], ends[-1][name]]
        for name in (ends[0] if ends else ())
        if _HELD_OUT in name
    }
    value = {
        "output": str(result.folder),
        "finished": result.finished,
        "parameters": result.n_parameters,
        "steps": settings.steps,
        "tokens": result.tokens,
        "held_out_loss": losses,
    }
    output.result(
        value,
        lambda: [
            table("language", "held-out loss, start>", "end>", rows=((name, *both) for name, both in losses.items())),
            f"{result.folder}: an encoder of {result.n_parameters:,} parameters; use it with --encoder {result.folder}"
            if result.finished
            else f"{result.folder} is not there yet",
        ],
    )
