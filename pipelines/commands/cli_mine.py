"""The command `interlingua mine`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from .command import Output, Subcommands, UsageError, add_command, check_output_file, count, named_file, shorten, table

_SHOWN = 10


def add_mine_command(commands: Subcommands[ArgumentParser]) -> None:
    """Add `mine`."""
    mine = add_command(commands, "mine", _mine, "find the translations between two texts, or those in a bitext")
    mine.add_argument("texts", nargs="*", metavar="LANGUAGE=FILE", help="two files, a sentence a line")
    mine.add_argument(
        "--filter", metavar="PAIRS", help="keep what is a translation in this bitext (TSV, TMX, JSONL) instead"
    )
    mine.add_argument("-o", "--output", required=True, metavar="FILE", help=".tsv, .tmx or .jsonl; the prefix of Moses")
    mine.add_argument("--format", choices=["tsv", "tmx", "jsonl", "moses"], help="default: what the name says")
    cut = mine.add_mutually_exclusive_group()
    cut.add_argument("--precision", type=float, metavar="P", help="as many pairs as this estimated precision allows")
    cut.add_argument(
        "--threshold", type=float, metavar="T", help="pairs of this margin; default: the best estimated F1"
    )
    mine.add_argument("-k", type=count, default=4, metavar="N", help="neighbours of the margin (default 4)")
    mine.add_argument("--margin", choices=["ratio", "distance"], default="ratio", help="default: ratio")
    mine.add_argument(
        "--length-ratio", type=float, default=2.0, metavar="R", help="lengths differ by this factor at most (default 2)"
    )
    mine.add_argument("--identify", action="store_true", help="leave out lines in another language (extra `text`)")
    mine.add_argument("--work", metavar="FOLDER", help="keep vectors here: less memory, and a run that can go on")
    mine.add_argument("--encoder", nargs="+", metavar="NAME", help="one or more; default: the bundled one")
    mine.add_argument("--space", metavar="SPACE", help="maps both languages; default: each is centred")


def _mine(options: Namespace, output: Output) -> None:
    from interlingua.align import SharedSpace
    from interlingua.pipelines.encoders.load import load_encoder
    from interlingua.pipelines.mine.mining import filter_bitext, mine_bitext
    from interlingua.pipelines.texts.pairs import read_pairs

    if bool(options.filter) == bool(options.texts):
        raise UsageError("give two texts, LANGUAGE=FILE LANGUAGE=FILE, or --filter PAIRS")
    files = [named_file(each, named=True) for each in options.texts]
    if not options.filter and len(files) != 2:
        raise UsageError(f"two texts are mined, LANGUAGE=FILE LANGUAGE=FILE, but there are {len(files)}")
    check_output_file(options.output)
    encoders = [load_encoder(name) for name in options.encoder or [None]]
    common = {
        "encoder": encoders,
        "space": SharedSpace.load(options.space, encoder=encoders[0].identity) if options.space else None,
        "precision": options.precision,
        "threshold": options.threshold,
        "k": options.k,
        "margin": options.margin,
        "length_ratio": options.length_ratio,
        "progress": output.progress,
    }
    if options.filter:
        if options.work or options.identify:
            raise UsageError("--work and --identify are for mining, not for --filter")
        found = filter_bitext(tuple(read_pairs(options.filter)), **common)
    else:
        (source, left), (target, right) = files
        found = mine_bitext(
            left, right, languages=(source, target), identify=options.identify, work=options.work, **common
        )
    found.write(options.output, options.format)
    told = {"pairs": len(found), "estimated precision": round(found.precision, 4), **found.counts}
    output.note(f"{options.output}: {len(found)} pairs, estimated precision {found.precision:.1%}")
    best = [
        (f"{score:.3f}", f"{sure:.2f}", shorten(pair.source, 60), shorten(pair.target, 60))
        for pair, score, sure in list(zip(found.pairs, found.scores, found.confidences))[:_SHOWN]
    ]
    output.result(told, lambda: [table("score>", "confidence>", "source", "target", rows=best)])
