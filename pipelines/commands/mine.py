"""The commands `mine` and `align-text`: translations found in texts."""

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from .arguments import UsageError, check_output_file, named_file, read_bitext
from .command import Commas, EncoderName, OutputFile, SpaceFile, command, options_of
from .output import Cells, Output, shorten, table

_SHOWN = 10
_DOCUMENTS = "interlingua.pipelines.mine.documents"


@command(
    exclusive=[("precision", "threshold")],
    mining=options_of(
        "interlingua.pipelines.mine.mining:mine_bitext",
        omit=("source", "target", "languages", "retrieval", "approximate", "identify", "work"),
    ),
    reading=options_of("interlingua.pipelines.mine.mining:mine_bitext", only=("identify", "work")),
)
def mine(
    console: Output,
    mining: dict[str, Any],
    reading: dict[str, Any],
    *texts: Annotated[str, Parameter("LANGUAGE=FILE")],
    output: OutputFile,
    filter_: Annotated[str | None, Parameter(metavar="PAIRS")] = None,
    languages: Commas = None,
    skip_malformed: bool = False,
    format_: Literal["tsv", "tmx", "jsonl", "moses"] | None = None,
    encoder: Annotated[list[str] | None, Parameter(metavar="NAME...")] = None,
    space: SpaceFile = None,
) -> None:
    """Find the translations between two texts, or those in a bitext.

    Parameters
    ----------
    texts : str
        Two files, a sentence a line.
    output : str
        A file in .tsv, .tmx or .jsonl, or the prefix of Moses' files.
    filter_ : str, optional
        Keep what is a translation in this bitext (TSV, TMX, JSONL) instead.
    languages : str, optional
        Of the bitext, such as en,fr, where the file does not say, or which of its.
    skip_malformed : bool
        Leave out, and count, records of the bitext that hold no pair.
    format_ : {"tsv", "tmx", "jsonl", "moses"}, optional
        By default what the name of the output says.
    encoder : str
        One or more models; by default the bundled one. Of several, the mean of their cosines counts.
    space : str, optional
        Maps both languages; by default each is centred.

    Examples
    --------
    ::

        interlingua mine de=DE.txt en=EN.txt --precision 0.95 -o OUT.tmx
    """
    from interlingua.pipelines.encoders.load import load_encoder, load_space
    from interlingua.pipelines.mine.mining import filter_bitext, mine_bitext

    if bool(filter_) == bool(texts):
        raise UsageError("give two texts, LANGUAGE=FILE LANGUAGE=FILE, or --filter PAIRS")
    files = [named_file(each, named=True) for each in texts]
    if not filter_ and len(files) != 2:
        raise UsageError(f"two texts are mined, LANGUAGE=FILE LANGUAGE=FILE, but there are {len(files)}")
    check_output_file(output)
    encoders = [load_encoder(name) for name in encoder or (None,)]
    mining["space"] = load_space(space, encoders[0]) if space else None
    if filter_:
        if reading["work"] or reading["identify"]:
            raise UsageError("--work and --identify are for mining, not for --filter")
        pairs = read_bitext([filter_], languages, console, skip_malformed=skip_malformed)
        found = filter_bitext(pairs, encoder=encoders, **mining)
    else:
        if languages or skip_malformed:
            raise UsageError("--languages and --skip-malformed are for --filter, not for mining")
        (source, left), (target, right) = files
        found = mine_bitext(left, right, languages=(source, target), encoder=encoders, **mining, **reading)
    found.write(output, format_)
    console.note(f"{output}: {len(found)} pairs, estimated precision {found.precision:.1%}")
    result = {"pairs": len(found), "estimated precision": round(found.precision, 4), **found.counts}
    console.result(result, lambda: [_first_pairs(found)])


@command(
    aligning=options_of(f"{_DOCUMENTS}:align_documents", omit=("source", "target", "languages")),
    matching=options_of(f"{_DOCUMENTS}:match_documents", only=("by_name", "least")),
)
def align_text(
    console: Output,
    given: frozenset[str],
    aligning: dict[str, Any],
    matching: dict[str, Any],
    texts: Annotated[tuple[str, str], Parameter("LANGUAGE=PLACE")],
    *,
    output: OutputFile,
    format_: Literal["tsv", "tmx", "jsonl", "moses", "ladder"] | None = None,
    confidence: float = 0.0,
    encoder: EncoderName = None,
    space: SpaceFile = None,
) -> None:
    """Align the sentences of two texts, or of two folders of texts.

    Parameters
    ----------
    texts : (str, str)
        Two files, a sentence a line, or two folders of them.
    output : str
        A file in .tsv, .tmx, .jsonl or .ladder, or the prefix of Moses' files.
    format_ : {"tsv", "tmx", "jsonl", "moses", "ladder"}, optional
        By default what the name of the output says.
    confidence : float
        Leave out what is less sure.
    encoder : str
        A model; by default the bundled one.
    space : str, optional
        Maps both languages; by default each is centred.

    Examples
    --------
    ::

        interlingua align-text de=A.txt en=B.txt -o PAIRS.tmx
    """
    from interlingua.pipelines.encoders.load import load_encoder, load_space
    from interlingua.pipelines.mine.documents import align_documents, match_documents

    (source, left), (target, right) = (named_file(each, named=True) for each in texts)
    folders = [Path(each).is_dir() for each in (left, right)]
    if folders[0] != folders[1]:
        raise UsageError(f"give two files or two folders, not one of each: {left}, {right}")
    if not folders[0] and not given.isdisjoint(matching):
        raise UsageError("--by-name and --least are for two folders")
    if not 0 <= confidence <= 1:
        raise UsageError(f"--confidence is from 0 to 1, but is {confidence}")
    check_output_file(output)
    model = load_encoder(encoder)
    aligning |= {
        "languages": (source, target),
        "encoder": model,
        "space": load_space(space, model) if space else None,
    }
    if folders[0]:
        found = match_documents(left, right, **matching, **aligning)
    else:
        found = align_documents(left, right, **aligning)
    found.write(output, format_, confidence=confidence)
    kept = found.bitext(confidence)
    result: dict[str, Any] = {"pairs": len(kept), "estimated precision": round(kept.precision, 4), **kept.counts}
    if folders[0]:
        result["pairs of documents"] = [
            [found.sources[a].name, found.targets[b].name, round(float(score), 4)]
            for (a, b), score in zip(found.pairs.tolist(), found.pair_scores, strict=True)
        ]
        result["without a partner"] = {source: list(found.unmatched[0]), target: list(found.unmatched[1])}
        alone = sum(len(each) for each in found.unmatched)
        console.note(f"{len(found.pairs)} pairs of documents; {alone} documents without a partner")
    console.note(f"{output}: {len(kept)} pairs, estimated precision {kept.precision:.1%}")
    console.result(result, lambda: [_first_pairs(kept)])


def _first_pairs(bitext: Any) -> Cells:
    rows = [
        (f"{score:.3f}", f"{sure:.2f}", shorten(pair.source, 60), shorten(pair.target, 60))
        for pair, score, sure in list(zip(bitext.pairs, bitext.scores, bitext.confidences, strict=True))[:_SHOWN]
    ]
    return table("score>", "confidence>", "source", "target", rows=rows)
