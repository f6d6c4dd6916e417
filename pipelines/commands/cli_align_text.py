"""The command `interlingua align-text`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from .command import Output, Subcommands, UsageError, add_command, check_output_file, count, named_file, shorten, table

_SHOWN = 10


def add_align_text_command(commands: Subcommands[ArgumentParser]) -> None:
    """Add `align-text`."""
    align = add_command(
        commands, "align-text", _align_text, "align the sentences of two texts, or of two folders of texts"
    )
    align.add_argument(
        "texts", nargs=2, metavar="LANGUAGE=PLACE", help="two files, a sentence a line, or two folders of them"
    )
    align.add_argument(
        "-o", "--output", required=True, metavar="FILE", help=".tsv, .tmx, .jsonl or .ladder; the prefix of Moses"
    )
    align.add_argument(
        "--format", choices=["tsv", "tmx", "jsonl", "moses", "ladder"], help="default: what the name says"
    )
    align.add_argument("--split", action="store_true", help="lines may hold several sentences (extra `text`)")
    align.add_argument("--order", choices=["same", "any"], default="same", help="of the sentences (default: same)")
    align.add_argument(
        "--most", type=count, default=4, metavar="N", help="sentences of both sides together (default 4)"
    )
    align.add_argument("--skip", type=float, metavar="Q", help="0 to 1; more keeps more pairs")
    align.add_argument(
        "--overlaps", choices=["encode", "mean"], default="encode", help="vectors of spans (default: encode)"
    )
    align.add_argument("--confidence", type=float, default=0.0, metavar="P", help="leave out what is less sure")
    align.add_argument("--by-name", action="store_true", help="of folders: files of equal names are partners")
    align.add_argument(
        "--least", type=float, metavar="S", help="of folders: share of sentences that partners have in common"
    )
    align.add_argument("--encoder", metavar="NAME", help="default: the bundled one")
    align.add_argument("--space", metavar="SPACE", help="maps both languages; default: each is centred")


def _align_text(options: Namespace, output: Output) -> None:
    from interlingua.align import SharedSpace
    from interlingua.pipelines.encoders.load import load_encoder
    from interlingua.pipelines.mine.documents import align_documents, match_documents

    (source, left), (target, right) = (named_file(each, named=True) for each in options.texts)
    folders = [Path(each).is_dir() for each in (left, right)]
    if folders[0] != folders[1]:
        raise UsageError(f"give two files or two folders, not one of each: {left}, {right}")
    if not folders[0] and (options.by_name or options.least is not None):
        raise UsageError("--by-name and --least are for two folders")
    if not 0 <= options.confidence <= 1:
        raise UsageError(f"--confidence is from 0 to 1, but is {options.confidence}")
    check_output_file(options.output)
    encoder = load_encoder(options.encoder)
    common = {
        "languages": (source, target),
        "encoder": encoder,
        "space": SharedSpace.load(options.space, encoder=encoder.identity) if options.space else None,
        "order": options.order,
        "most": options.most,
        "overlaps": options.overlaps,
        "split": options.split,
        "progress": output.progress,
        **({} if options.skip is None else {"skip": options.skip}),
    }
    if folders[0]:
        least = {} if options.least is None else {"least": options.least}
        found = match_documents(left, right, by_name=options.by_name, **least, **common)
    else:
        found = align_documents(left, right, **common)
    found.write(options.output, options.format, confidence=options.confidence)
    kept = found.bitext(options.confidence)
    told: dict[str, Any] = {"pairs": len(kept), "estimated precision": round(kept.precision, 4), **kept.counts}
    if folders[0]:
        told["pairs of documents"] = [
            [found.sources[a].name, found.targets[b].name, round(float(score), 4)]
            for (a, b), score in zip(found.pairs.tolist(), found.pair_scores)
        ]
        told["without a partner"] = {source: list(found.unmatched[0]), target: list(found.unmatched[1])}
        alone = sum(len(each) for each in found.unmatched)
        output.note(f"{len(found.pairs)} pairs of documents; {alone} documents without a partner")
    output.note(f"{options.output}: {len(kept)} pairs, estimated precision {kept.precision:.1%}")
    first = [
        (f"{score:.3f}", f"{sure:.2f}", shorten(pair.source, 60), shorten(pair.target, 60))
        for pair, score, sure in list(zip(kept.pairs, kept.scores, kept.confidences))[:_SHOWN]
    ]
    output.result(told, lambda: [table("score>", "confidence>", "source", "target", rows=first)])
