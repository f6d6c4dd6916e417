"""Building over shards on the command line: index build-shards, index plan."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING, get_args

from interlingua.pipelines.search.languages import LanguageMethod

from .arguments import check_output_folder
from .cli_sentences import add_encoder_options
from .legacy import Subcommands, add_command, count
from .output import Output, table

if TYPE_CHECKING:
    from interlingua.align import SharedSpace

INDEX_KINDS = ("flat", "faiss-flat", "hnsw", "ivf-flat", "ivf-pq", "ivf-rabitq")
"""Those that collections of texts are built with."""


def add_scale_commands(inner: "Subcommands[ArgumentParser]") -> None:
    """Add `index build-shards` and `index plan`."""
    build = add_command(
        inner, "build-shards", _build, "encode, align and index many files, shard by shard; on Ray with --ray"
    )
    build.add_argument(
        "inputs", nargs="+", metavar="FILE", help="texts (.jsonl, .tsv, .txt, .parquet) or vectors (.npy)"
    )
    build.add_argument("--ray", nargs="?", const="local", metavar="ADDRESS", help="run on Ray; default: this machine")
    build.add_argument("--shards", type=count, metavar="N", help="default: one for each 16 MB of text")
    build.add_argument("--resume", action="store_true", help="go on where the same build was cut off")
    build.add_argument("--cpus", type=float, default=1.0, metavar="N", help="that Ray reserves for a task (default 1)")
    build.add_argument("--language", metavar="NAME", help="the language of records that name none")
    add_removal_options(build, "how to remove language, learned from a sample of the texts (default auto)")
    build.add_argument("--ranking", default="csls", choices=["csls", "cosine"], help="default: csls")
    build.add_argument(
        "--kind",
        default="flat",
        choices=INDEX_KINDS,
        help="of index (default flat, exact)",
    )
    add_encoder_options(build)
    build.add_argument("-o", "--output", required=True, metavar="COLLECTION", help="the folder to write")

    plan = add_command(inner, "plan", _plan, "say what so many vectors need: memory, disk, hours, and which engine")
    plan.add_argument("n", nargs="+", type=_number, metavar="N", help="vectors, such as 1e9")
    plan.add_argument("--dim", type=count, default=384, metavar="D", help="numbers in each (default 384)")
    plan.add_argument("--cores", type=count, default=32, metavar="N", help="that build (default 32)")


def add_removal_options(parser: ArgumentParser, method: str) -> None:
    """Add `--space` and `--method`, one or the other; `method` is the help of the second."""
    removal = parser.add_mutually_exclusive_group()
    removal.add_argument("--space", metavar="SPACE", help="map by a saved space")
    removal.add_argument("--method", default="auto", choices=[*get_args(LanguageMethod), "none"], help=method)


def removal_of(options: Namespace) -> "SharedSpace | LanguageMethod | None":
    """Return how the options say that language is removed."""
    from interlingua.align import SharedSpace

    if options.space:
        return SharedSpace.load(options.space)
    method: LanguageMethod | None = None if options.method == "none" else options.method
    return method


def _build(options: Namespace, output: Output) -> None:
    from interlingua.pipelines.search.runners import LocalRunner, RayRunner
    from interlingua.pipelines.search.shards import build_index

    check_output_folder(options.output)
    report = build_index(
        options.inputs,
        options.output,
        encoder_name=options.encoder,
        space=removal_of(options),
        language=options.language,
        ranking=options.ranking,
        kind=options.kind,
        seed=options.seed,
        shards=options.shards,
        runner=RayRunner(options.ray, cpus=options.cpus) if options.ray else LocalRunner(),
        resume=options.resume,
        device=options.device,
        callback=lambda stage, done, total: output.note(f"{stage}: {done} of {total} shards"),
    )
    result = {"collection": options.output, **asdict(report)}
    text = f"{options.output}: {report.records} records from {report.shards} shards"
    if options.resume:
        text += f"; this run encoded {report.encoded} and filled {report.filled} of them"
    output.result(result, lambda: [text])


def _plan(options: Namespace, output: Output) -> None:
    from interlingua.pipelines.search.capacity import Assumptions, capacity_plan

    plans = [capacity_plan(n, options.dim, Assumptions(cores=options.cores)) for n in options.n]
    columns = ("vectors>", "engine", "kind", "memory GB>", "disk GB>", "encode h>", "build h>", "ms a query>")
    rows = [
        (f"{each.n:,}", each.engine, each.kind, each.memory_gb, each.disk_gb, each.encode_hours, each.build_hours,
         each.query_ms)
        for each in plans
    ]  # fmt: skip
    output.result([asdict(each) for each in plans], lambda: [table(*columns, rows=rows)])


def _number(text: str) -> int:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= 1e15 or value != int(value):
        raise ArgumentTypeError(f"expected a whole number such as 1000000 or 1e9, but got {text!r}")
    return int(value)
