"""The command `demo`: questions in five languages over a text in all the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .arguments import check_output_folder
from .command import ENCODING, EncoderName, OutputFolder, command
from .output import Output, shorten, table

if TYPE_CHECKING:
    from interlingua.pipelines.demo.demo import Findings, Translation


@command(encoding=ENCODING)
def demo(
    console: Output,
    seed: int,
    encoding: dict[str, Any],
    *,
    output: OutputFolder = "demo-output",
    encoder: EncoderName = None,
) -> None:
    """Search the Universal Declaration of Human Rights across languages.

    Parameters
    ----------
    output : str
        Gets the collection, the space and a picture.
    encoder : str
        A sentence-transformers model, a folder, or a file of word vectors; by default the bundled
        multilingual-e5-small.

    Examples
    --------
    ::

        interlingua demo
    """
    from interlingua.align.arrays import require
    from interlingua.pipelines.demo.demo import load_declaration, load_questions, run_demo
    from interlingua.pipelines.encoders.load import load_encoder

    require("matplotlib", extra="demo")  # before the work whose result it draws
    check_output_folder(output)
    declaration = load_declaration()
    scripts = {each.script for each in declaration.values()}
    console.note(
        f"The Universal Declaration of Human Rights, 30 articles in {len(declaration)} languages and "
        f"{len(scripts)} scripts, encoded by a multilingual encoder; no pair of sentences is used."
    )
    with console.working("loading the encoder"):
        model = load_encoder(encoder, **encoding)
    found = run_demo(
        output,
        model,
        encoder_name=encoder or "bundled",
        seed=seed,
        working=console.working,
        progress=console.progress,
    )
    result = {
        "questions": found.questions,
        "questions_top1": found.accuracy,
        "retrieval": {
            name: {"top1": score.mean, "worst": [[*pair, value] for pair, value in score.worst(5)]}
            for name, score in found.scores.items()
        },
        "picture": str(found.picture),
        "collection": str(found.collection),
        "space": str(found.space),
    }
    console.result(result, lambda: _tables(found, declaration, len(load_questions())))


def _tables(found: Findings, declaration: Mapping[str, Translation], questions: int) -> Iterator[Any]:
    for answer in found.questions:
        title = f"\n{declaration[answer['language']].name}: {answer['question']}  ({answer['english']})"
        yield _hits_table(answer["hits"], title, declaration)
        if "hits_in_swahili" in answer:
            yield _hits_table(answer["hits_in_swahili"], "the same, asked of the Swahili text alone:", declaration)
    pairs = len(next(iter(found.scores.values())).pairs)
    rows = (
        (
            name,
            f"{100 * score.mean:.1f}",
            "  ".join(f"{source}-{target} {100 * value:.0f}" for (source, target), value in score.worst(5)),
        )
        for name, score in found.scores.items()
    )
    title = f"\nFinding an article's translation among 30, mean of {pairs} ordered pairs of languages, top-1 %"
    yield table("", "mean>", "the five worst pairs", rows=rows, title=title)
    yield (
        f"\n{questions} questions, each asked of all passages in the other languages at once: "
        f"{100 * found.accuracy:.0f} % find the right article first."
    )
    yield f"Before and after, drawn: {found.picture}"
    yield f'Ask yourself: interlingua search {found.collection} "Can I leave my country?" --languages sw,zh'


def _hits_table(hits: list[dict[str, Any]], title: str, declaration: Mapping[str, Translation]) -> Any:
    rows = (
        (
            "✓" if hit["right"] else "",
            hit["score"],
            hit["cosine"],
            declaration[hit["language"]].name,
            hit["article"],
            shorten(hit["text"], 80),
        )
        for hit in hits
    )
    return table("", "CSLS>", "cosine>", "found in", "article>", "text", rows=rows, title=title)
