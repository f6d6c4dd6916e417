"""The commands on bridges between encoders: fit one, map questions through it, verify it, plan it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from .arguments import UsageError, check_output_file
from .command import ENCODING, EncoderName, command, options_of
from .output import Output, flat_rows, table

if TYPE_CHECKING:
    from interlingua.align.bridge import Bridge
    from interlingua.pipelines.bridge.encoder import BridgedEncoder
    from interlingua.pipelines.bridge.texts import BridgeTexts
    from interlingua.pipelines.encoders.base import Encoder
    from interlingua.pipelines.search.finding import SearchHit

_FIT = "interlingua.pipelines.bridge.fit:fit_text_bridge"
_STAGE = "interlingua.pipelines.bridge.stage:StagedIndex.advance"
_TITLES = options_of("interlingua.pipelines.bridge.texts:read_bridge_texts", only=("titles", "language"))


@command(
    reading=_TITLES,
    fitting=options_of(_FIT, only=("share", "least", "languages", "seed", "progress"), languages="--no-languages"),
    loading=ENCODING,
)
def fit(
    console: Output,
    reading: dict[str, Any],
    fitting: dict[str, Any],
    loading: dict[str, Any],
    *,
    from_: Annotated[str, Parameter("--from", metavar="ENCODER")],
    to: Annotated[str, Parameter(metavar="ENCODER|INDEX")],
    texts: Annotated[str | None, Parameter(metavar="TEXTS.jsonl")] = None,
    unpaired: bool = False,
    anchors: Annotated[str | None, Parameter(metavar="ANCHORS.tsv")] = None,
    output: Annotated[str, Parameter(("--output", "-o"), metavar="BRIDGE")],
) -> None:
    """Fit a bridge from the questions of one encoder to an index of another.

    Parameters
    ----------
    from_ : str
        The multilingual model of the questions; "bundled" is the one that comes along.
    to : str
        The model that the index was made with; or the index itself, a collection or any store, whose texts and vectors
        serve where that model is not at hand.
    texts : str, optional
        Texts of one language, best those of the index: {"text": ...} a line, or a table; not needed with an index.
    unpaired : bool
        Into an index that has no texts: those that are given are of most of its rows, in any order, and which of which
        is found out, or the bridge refused.
    anchors : str, optional
        Texts with the ids of their rows, 20 or more, from which that is found out; a table with a text and an id.
    output : str
        Where to write the bridge.

    Examples
    --------
    ::

        interlingua bridge fit --from bundled --to all-MiniLM-L6-v2 --texts TEXTS.jsonl --titles title -o BRIDGE
        interlingua bridge fit --from bundled --to notes.db -o BRIDGE
    """
    from interlingua.pipelines.bridge import about_bridge, fit_text_bridge, read_bridge_texts
    from interlingua.pipelines.bridge.index import is_index
    from interlingua.pipelines.encoders.load import load_encoder

    check_output_file(output)
    inside = is_index(to)
    given = None if texts is None else read_bridge_texts(texts, **reading)
    if given is not None and given.repeated:
        console.note(f"{given.repeated} of {len(given) + given.repeated} texts were there before and are left out")
    if unpaired or anchors is not None:
        if given is None or not inside:
            raise UsageError(
                "--unpaired and --anchors are for an index (--to INDEX) and texts of it (--texts TEXTS.jsonl)"
            )
        read, bridge = _fit_unpaired(console, to, given, anchors, from_, fitting, loading)
    elif inside:
        read, bridge = _fit_into(console, to, given, from_, reading, fitting, loading)
    elif given is None:
        raise UsageError(f"--to {to} is no index; give texts to fit on with --texts TEXTS.jsonl")
    else:
        with console.working("loading the encoders"):
            source, target = (load_encoder(each, **loading) for each in (from_, to))
        read, bridge = given, fit_text_bridge(given, source, target, **fitting)
    bridge.save(output)
    if read.language != bridge.language:
        console.note(f"the language of the texts is taken for {bridge.language!r}")
    about = {"output": output, **about_bridge(bridge)}
    console.result(about, lambda: [table("", "", rows=flat_rows(about))])


def _fit_into(
    console: Output,
    place: str,
    given: BridgeTexts | None,
    source: str,
    reading: dict[str, Any],
    fitting: dict[str, Any],
    loading: dict[str, Any],
) -> tuple[BridgeTexts, Bridge]:
    """Fit a bridge into an index: by its vectors, or by its encoder where it keeps other vectors than that gave."""
    from interlingua.pipelines.bridge import fit_index_bridge, fit_text_bridge, read_index
    from interlingua.pipelines.encoders.load import load_encoder
    from interlingua.pipelines.stored import encoder_of

    with console.working("reading the index"):
        index = read_index(place, **reading, shorts=given, seed=fitting["seed"])
    if index.left_out:
        console.note(f"{index.left_out} rows of the index are left out: other languages, no text, or more than needed")
    with console.working("loading the encoders"):
        model = load_encoder(source, **loading)
        own = encoder_of(place, index.encoder, **loading)[0] if index.vectors is None else None
    if own is not None:
        return index.texts, fit_text_bridge(index.texts, model, own, **fitting)
    alone = {key: value for key, value in fitting.items() if key != "share"}  # no model of the index beside it
    return index.texts, fit_index_bridge(index, model, **alone)


def _fit_unpaired(
    console: Output,
    place: str,
    given: BridgeTexts,
    anchors: str | None,
    source: str,
    fitting: dict[str, Any],
    loading: dict[str, Any],
) -> tuple[BridgeTexts, Bridge]:
    """Fit a bridge into an index without texts."""
    from interlingua.pipelines.bridge.index import fit_unpaired_bridge, read_anchors
    from interlingua.pipelines.encoders.load import load_encoder

    known = None if anchors is None else read_anchors(anchors)
    with console.working("loading the encoder"):
        model = load_encoder(source, **loading)
    alone = {key: value for key, value in fitting.items() if key != "share"}
    return given, fit_unpaired_bridge(place, given, model, known, **alone)


@command(loading=ENCODING)
def map_(
    console: Output,
    loading: dict[str, Any],
    bridge: str,
    questions: str,
    *,
    language: Annotated[str, Parameter(metavar="NAME")],
    output: Annotated[str, Parameter(("--output", "-o"), metavar="OUT.npy")],
    from_: Annotated[EncoderName, Parameter("--from")] = None,
    to: EncoderName = None,
    alone: bool = False,
) -> None:
    """Turn questions, one a line, into vectors for an index of the bridge's other encoder.

    Parameters
    ----------
    bridge : str
        From `bridge fit`; or "minilm", which comes along.
    questions : str
        UTF-8 text, one a line; - for standard input.
    language : str
        The language of the questions; "und" where it is unknown.
    output : str
        The vectors, a row a line.
    from_ : str, optional
        The model of the questions, where the bridge's own name for it does not load it.
    to : str, optional
        The index's own model, likewise.
    alone : bool
        Do without the index's own model.

    Examples
    --------
    ::

        interlingua bridge map BRIDGE QUESTIONS.txt --language de -o OUT.npy
    """
    from interlingua.pipelines.bridge import load_bridge, map_questions
    from interlingua.pipelines.texts.lines import input_name, open_lines
    from interlingua.pipelines.texts.vectors import Origin, VectorFile, write_vectors

    if not output.endswith(".npy"):
        raise UsageError(f"bridge map writes .npy files, but the output is {output}; name it OUT.npy")
    if not language.strip():
        raise UsageError("--language must name the language of the questions, such as --language de, but it is blank")
    if alone and to is not None:
        raise UsageError("--alone does without the index's own model; leave out --to")
    check_output_file(output)
    loaded = load_bridge(bridge)
    with open_lines(questions) as opened:
        lines = list(opened)
    if not lines:
        raise ValueError(f"{input_name(questions)} holds no question; give one a line")
    names = [f"{input_name(questions)}, line {number}: the question" for number in range(1, len(lines) + 1)]
    source, target = _ends(console, loaded, from_, to, loading, alone=alone)
    found = map_questions(loaded, lines, language, source=source, target=target, names=names, progress=console.progress)
    if not found.language:
        console.note(f"the bridge knows no mean of the language {language!r}; the mean of all others stands in")
    origin = Origin(loaded.target.encoder, language, "query", loaded.fingerprint if found.how != "own model" else "")
    write_vectors(output, VectorFile(found.vectors, origin=origin))
    result = {
        "output": output,
        "questions": len(lines),
        "dimension": int(found.vectors.shape[1]),
        "language": found.language,
        "how": found.how,
        "encoder": loaded.target.encoder,
    }
    console.result(
        result, lambda: [f"{output}: {len(lines)} vectors of dimension {found.vectors.shape[1]}, by {found.how}"]
    )


@command(
    verifying=options_of(
        "interlingua.pipelines.bridge.verify:verify_bridge", only=("k", "goal", "alone", "seed", "progress")
    ),
    loading=ENCODING,
)
def verify(
    console: Output,
    verifying: dict[str, Any],
    loading: dict[str, Any],
    bridge: str,
    texts: str,
    *,
    questions: Annotated[str, Parameter(metavar="QUESTIONS.jsonl")],
    language: Annotated[str | None, Parameter(metavar="NAME")] = None,
    from_: Annotated[EncoderName, Parameter("--from")] = None,
    to: EncoderName = None,
) -> None:
    """Measure what a bridge keeps of re-embedding, and refuse it below the goal.

    Parameters
    ----------
    bridge : str
        From `bridge fit`.
    texts : str
        A sample of the index: {"text": ..., "id": ...} a line, or a table.
    questions : str
        {"text": ..., "language": ..., "answer": id of the text} a line, or a table; without answers, recall is of what
        re-embedding finds.
    language : str, optional
        The language of questions that name none.
    from_ : str, optional
        The model of the questions, where the bridge's own name for it does not load it.
    to : str, optional
        The index's own model, likewise.

    Examples
    --------
    ::

        interlingua bridge verify BRIDGE SAMPLE.jsonl --questions QUESTIONS.jsonl --goal 0.9
    """
    from interlingua.align.bridge import BridgeError
    from interlingua.pipelines.bridge import load_bridge
    from interlingua.pipelines.bridge.verify import read_questions, verify_bridge
    from interlingua.pipelines.texts.passages import read_passage_file

    loaded = load_bridge(bridge)
    sample = read_passage_file(texts)
    asked = read_questions(questions, sample, language=language)
    source, target = _ends(console, loaded, from_, to, loading, alone=False)
    if target is None:
        raise BridgeError("to verify a bridge, both its models are needed; name the index's own with --to")
    found = verify_bridge(loaded, [each.text for each in sample], asked, source, target, **verifying)
    about = found.about()
    rows = [
        (name, each["kept"], f"{each['from']:.3f} to {each['to']:.3f}", each["bridge"], each["re-embedding"],
         each["questions"])
        for name, each in about["kept"].items()
    ]  # fmt: skip
    console.result(
        about, lambda: [table("language", "kept>", "95 %", "bridge>", "re-embedding>", "questions>", rows=rows)]
    )
    if found.unsure:
        console.note(f"the goal {found.goal:g} lies within the interval of {', '.join(found.unsure)}: ask more")
    if found.failed:
        raise BridgeError(
            f"the bridge keeps less than {found.goal:g} of re-embedding's recall at {found.k} for "
            f"{', '.join(found.failed)}; fit it on more texts, or re-embed"
        )


@command(
    reading=_TITLES,
    planning=options_of("interlingua.pipelines.bridge.plan:plan_bridge", only=("goal", "seed", "progress")),
    loading=ENCODING,
)
def plan(
    console: Output,
    reading: dict[str, Any],
    planning: dict[str, Any],
    loading: dict[str, Any],
    *,
    from_: Annotated[str, Parameter("--from", metavar="ENCODER")],
    to: Annotated[str, Parameter(metavar="ENCODER")],
    texts: Annotated[str, Parameter(metavar="TEXTS.jsonl")],
    size: int | None = None,
) -> None:
    """Tell from a pilot what a bridge would keep, and how many texts it needs.

    Parameters
    ----------
    from_ : str
        The multilingual model of the questions.
    to : str
        The model that the index was made with.
    texts : str
        A pilot of the index's texts, 250 or more, in one language.
    size : int, optional
        Texts of the whole index, for the cost of re-embedding it.

    Examples
    --------
    ::

        interlingua bridge plan --from bundled --to all-MiniLM-L6-v2 --texts PILOT.jsonl --titles title
    """
    from interlingua.pipelines.bridge import read_bridge_texts
    from interlingua.pipelines.bridge.plan import plan_bridge
    from interlingua.pipelines.encoders.load import load_encoder

    read = read_bridge_texts(texts, **reading)
    with console.working("loading the encoders"):
        source, target = (load_encoder(each, **loading) for each in (from_, to))
    about = plan_bridge(read, source, target, **planning).about(size)
    console.result(about, lambda: [table("", "", rows=flat_rows(about))])


def _ends(
    console: Output, bridge: Bridge, source: str | None, target: str | None, loading: dict[str, Any], *, alone: bool
) -> tuple[Encoder, Encoder | None]:
    """Load the two encoders of a bridge; the index's own may be missing, which is said.

    What the bridge names and nobody here has named is not loaded: whoever made the bridge chose it.
    """
    from interlingua.pipelines.encoders.known import is_known_model, require_known_model
    from interlingua.pipelines.encoders.load import is_inside_a_package, load_encoder

    with console.working("loading the encoders"):
        if source is None and bridge.source.name and not is_inside_a_package(bridge.source.name):
            require_known_model(bridge.source.name, "the bridge")
        first = load_encoder(source or bridge.source.name or None, **loading)
        if alone or not (target or bridge.target.name):
            return first, None
        if target is None and not (is_inside_a_package(bridge.target.name) or is_known_model(bridge.target.name)):
            console.note(
                f"the bridge names {bridge.target.name!r} as the index's own model, which was never named here; "
                "questions go through the map alone, which finds less; name it (--encoder in a search, else --to)"
            )
            return first, None
        try:
            return first, load_encoder(target or bridge.target.name, **loading)
        except (OSError, ImportError) as error:
            if target is not None:
                raise
            console.note(
                f"the index's own model {bridge.target.name!r} is not here ({' '.join(str(error).split())[:120]}); "
                "questions go through the map alone, which finds less; name it with --to"
            )
            return first, None


def bridged_encoder(
    console: Output, path: str, encoder: str | None, language: str | None, loading: dict[str, Any]
) -> BridgedEncoder:
    """Return what encodes questions through a bridge; `encoder` may be either of its models."""
    from interlingua.pipelines.bridge import load_bridge
    from interlingua.pipelines.bridge.encoder import BridgedEncoder, end_named
    from interlingua.pipelines.encoders.load import load_encoder

    bridge = load_bridge(path)
    ends: dict[str, str | None] = {"source": None, "target": None}
    if encoder is not None:
        ends[end_named(bridge, load_encoder(encoder, **loading))] = encoder
    source, target = _ends(console, bridge, ends["source"], ends["target"], loading, alone=False)
    return BridgedEncoder(bridge, source, target, language)


@command(
    staging=options_of(
        "interlingua.pipelines.bridge.stage:StagedIndex.advance", only=("count", "newest", "batch", "progress")
    ),
    loading=ENCODING,
)
def stage(
    console: Output,
    staging: dict[str, Any],
    loading: dict[str, Any],
    index: str,
    *,
    encoder: EncoderName = None,
    output: Annotated[str, Parameter(("--output", "-o"), metavar="STAGE")],
    first: Annotated[str | None, Parameter(metavar="IDS.txt")] = None,
) -> None:
    """Have a new encoder read an index row by row, the most wanted first; it is searched meanwhile.

    The index is not changed. Called again, it goes on: with rows that are left, are new, or say something else now.
    `search STAGE` asks both encoders; `bridge rollback STAGE` takes it back.

    Parameters
    ----------
    index : str
        A plain collection, or another program's store.
    encoder : str
        The new one; by default the bundled one, or that of the stage.
    output : str
        The folder of the rows that the new encoder has read.
    first : str, optional
        Ids of rows that come first, one a line; - for standard input.

    Examples
    --------
    ::

        interlingua bridge stage notes.db --encoder bundled --first MOST-FOUND.txt --count 5000 -o STAGE
    """
    from interlingua.pipelines.bridge.stage import StagedIndex, is_stage
    from interlingua.pipelines.encoders.load import load_encoder
    from interlingua.pipelines.stored import encoder_of
    from interlingua.pipelines.texts.lines import open_lines

    wanted: list[str] = []
    if first is not None:
        with open_lines(first) as lines:
            wanted = [line.strip() for line in lines if line.strip()]
    with console.working("loading"):
        if is_stage(output):
            staged = StagedIndex(output)
            staged.check_index(index)
            model, _ = encoder_of(output, staged.note, encoder, **loading)
        else:
            model = load_encoder(encoder, **loading)
            staged = StagedIndex.create(index, output, model)
    found = staged.advance(model, first=wanted, **staging)
    about = {
        "stage": output,
        "rows": found.rows,
        "staged": found.staged,
        "left": found.rows - found.staged,
        "seconds a row": round(found.seconds_a_row, 5),
        "encoder": model.identity,
    }
    console.result(about, lambda: [table("", "", rows=flat_rows(about))])
    if found.complete:
        console.note(
            f"all rows are there: `interlingua index export {output} STORE` writes them in another program's form"
        )


@command()
def rollback(console: Output, stage: str) -> None:
    """Take a stage back: its rows are removed, and the index is searched as it was and is.

    Parameters
    ----------
    stage : str
        Of `bridge stage`.

    Examples
    --------
    ::

        interlingua bridge rollback STAGE
    """
    from interlingua.pipelines.bridge.stage import take_back

    index = take_back(stage)
    console.result({"removed": stage, "index": index}, lambda: [f"{stage} is gone; {index} is as it was"])


def search_stage(
    console: Output,
    folder: str,
    questions: list[str],
    *,
    k: int,
    language: str | None,
    languages: Sequence[str] | None,
    encoder: str | None,
    bridge: str | None,
    loading: dict[str, Any],
) -> list[list[SearchHit]]:
    """Search an index that is being staged: by its new encoder and by that of before, or through a bridge."""
    from interlingua.pipelines.bridge.stage import StagedIndex
    from interlingua.pipelines.encoders.load import load_encoder
    from interlingua.pipelines.stored import encoder_of

    with console.working("loading"):
        staged = StagedIndex(folder)
        new, _ = encoder_of(folder, staged.note, **loading)
        old: Encoder
        if bridge is not None:
            old = bridged_encoder(console, bridge, encoder, language, loading)
        elif staged.old_note.identity:
            old, _ = encoder_of(staged.place, staged.old_note, encoder, **loading)
        elif encoder is not None:
            old = load_encoder(encoder, **loading)
        else:
            raise UsageError(
                f"{staged.place} does not say which encoder made its vectors; name it with --encoder, or a bridge to "
                "it with --bridge"
            )
    told = staged.progress
    console.note(f"{told.staged} of {told.rows} rows are found by the new encoder, the others by that of before")
    return staged.search(questions, k, new=new, old=old, languages=languages, progress=console.progress)
