"""The commands `answer` and `chat`: sentences of passages for a question, replies of a table in a dialogue."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from .arguments import UsageError, check_output_folder
from .command import Commas, EncoderName, command, options_of
from .output import Output, finite, table

if TYPE_CHECKING:
    from interlingua.pipelines.answer.answer import Answer, QuestionAnswerer

_ANSWERS = "interlingua.pipelines.answer.answer:QuestionAnswerer"
_RESPOND = "interlingua.pipelines.answer.respond:ResponseSelector.respond"
_LEAST = 0.5
_UNKNOWN = "--least needs an encoder that knows texts about anything, such as the bundled one; leave it out"


@command(
    building=options_of(f"{_ANSWERS}.build", only=("split", "reader"), split="--whole"),
    reading=options_of("interlingua.pipelines.texts.passages:read_passage_file", only=("language",)),
    answering=options_of(f"{_ANSWERS}.answer", only=("k",)),
)
def answer(
    console: Output,
    seed: int,
    building: dict[str, Any],
    reading: dict[str, Any],
    answering: dict[str, Any],
    passages: str,
    *questions: Annotated[str, Parameter("QUESTION")],
    calibrate: Annotated[str | None, Parameter(metavar="TABLE")] = None,
    precision: float | None = None,  # the library's 0.9 needs a calibration, which a command line may lack
    least: float | None = None,
    output: Annotated[str | None, Parameter(("--output", "-o"), metavar="FOLDER")] = None,
    answer_in: Commas = None,
    encoder: EncoderName = None,
) -> None:
    """Answer questions with sentences of passages, in any language.

    Parameters
    ----------
    passages : str
        JSON lines {"text", "language", "id"}, or a saved folder.
    questions : str
        In any language.
    calibrate : str, optional
        TSV, JSONL or parquet: columns question, answer (empty: there is none) and, optional, language.
    precision : float, optional
        Share of answers that shall be right, learned from --calibrate; the others are left open.
    least : float, optional
        No answer where the probability that the passages are about what is asked is lower; by default 0.5, and 0 with
        --precision. 0 always answers.
    output : str, optional
        Keep sentences, vectors and calibration.
    answer_in : str, optional
        Only sentences in these languages, such as en,de.
    encoder : str, optional
        A model; by default the bundled one, or that of the folder.

    Examples
    --------
    ::

        interlingua answer PASSAGES.jsonl "QUESTION" --calibrate QUESTIONS.tsv --precision 0.9
    """
    if precision is not None and not 0 <= precision <= 1:
        raise UsageError(f"--precision must lie between 0 and 1, but is {precision}")
    if least is not None and not 0 <= least <= 1:
        raise UsageError(f"--least must lie between 0 and 1, but is {least}")
    if not questions and not output:
        raise UsageError("there is neither a question nor a folder to write; give a QUESTION or -o FOLDER")
    if output:
        check_output_folder(output)
    answerer = _answerer(passages, encoder, console, reading, {**building, "seed": seed})
    if calibrate:
        _calibrate(answerer, calibrate)
    if precision is not None and answerer.calibration is None:
        raise UsageError("--precision needs questions to learn from: give them with --calibrate TABLE")
    if output:
        answerer.save(output)
        console.note(f"{len(answerer)} sentences in {output}")
    if not questions:
        console.result({"folder": output, "sentences": len(answerer)}, lambda: [])
        return
    if least is not None and answerer.relevance is None:
        raise UsageError(_UNKNOWN)
    least = (_LEAST if precision is None else 0.0) if least is None else least
    found = answerer.answer(questions, precision=precision, least=least, languages=answer_in, **answering)
    rows = [
        {"question": question, "answers": [] if best is None else [_row(each) for each in (best, *best.alternatives)]}
        for question, best in zip(questions, found, strict=True)
    ]
    console.result(rows, lambda: [_table(row) for row in rows])


def _answerer(
    passages: str, encoder: str | None, console: Output, reading: dict[str, Any], building: dict[str, Any]
) -> QuestionAnswerer:
    from interlingua.pipelines.answer.answer import QuestionAnswerer
    from interlingua.pipelines.encoders.load import load_encoder
    from interlingua.pipelines.texts.lines import input_name
    from interlingua.pipelines.texts.passages import read_passage_file

    if Path(passages).is_dir():
        return QuestionAnswerer.load(passages, encoder, reader=building["reader"])
    found = read_passage_file(passages, **reading)
    if not found:
        raise UsageError(f"{input_name(passages)} holds no passages; expected a JSON object a line")
    with console.working("encoding"):
        return QuestionAnswerer.build(found, load_encoder(encoder), **building)


def _calibrate(answerer: QuestionAnswerer, path: str) -> None:
    from interlingua.pipelines.texts.tables import read_columns

    found = read_columns(path, ["question", "answer"], optional=["language"])
    answerer.calibrate(found["question"], [each or None for each in found["answer"]], language=found.get("language"))


def _row(answer: Answer) -> dict[str, Any]:
    return {
        "sentence": answer.sentence,
        "span": answer.span and answer.span.text,
        "passage": answer.passage.id,
        "language": answer.language,
        "probability": answer.probability,
        "score": answer.score,
        "cosine": answer.cosine,
    }


def _table(row: dict[str, Any]) -> Any:
    if not row["answers"]:
        return f"{row['question']}\n  (no answer)"
    cells = [
        (
            "" if each["probability"] is None else each["probability"],
            each["cosine"],
            each["language"],
            each["passage"],
            each["sentence"] if each["span"] is None else f"{each['span']} | {each['sentence']}",
        )
        for each in row["answers"]
    ]
    return table("probability>", "cosine>", "language", "passage", "sentence", rows=cells, title=row["question"])


@command(
    reading=options_of("interlingua.pipelines.answer.respond:read_exchanges", only=("language",)),
    replying=options_of(_RESPOND, only=("least",)),
)
def chat(
    console: Output,
    given: frozenset[str],
    seed: int,
    reading: dict[str, Any],
    replying: dict[str, Any],
    table: Annotated[str, Parameter("FAQ")],
    *,
    reply_in: Commas = None,
    k: int = 1,  # a dialogue shows one reply, the library's list three
    encoder: EncoderName = None,
) -> None:
    """Reply in a dialogue with the answers of a table, in any language.

    Parameters
    ----------
    table : str
        TSV, JSONL or parquet: columns question, answer, language.
    reply_in : str, optional
        Only answers in these languages, such as en,de.
    k : int
        Answers a turn.
    encoder : str
        A model; by default the bundled one.

    Examples
    --------
    ::

        interlingua chat FAQ.tsv --language en
    """
    from interlingua.pipelines.answer.respond import ResponseSelector, read_exchanges
    from interlingua.pipelines.encoders.load import load_encoder

    if not 0 <= replying["least"] <= 1:
        raise UsageError(f"--least is a probability from 0 to 1, but is {replying['least']}")
    exchanges = read_exchanges(table, **reading)
    with console.working("encoding"):
        bot = ResponseSelector.build(exchanges, load_encoder(encoder), seed=seed)
    if "least" in given and bot.relevance is None:
        raise UsageError(_UNKNOWN)
    console.note(f"{len(exchanges)} answers; say something (an empty line starts anew, end of input ends)")
    turns: list[str] = []
    while True:
        if sys.stdin.isatty():
            console.note("you:")
        line = sys.stdin.readline()
        if not line:
            return
        if not line.strip():
            turns = []
            continue
        turns.append(line.strip())
        replies = bot.respond(turns, k, languages=reply_in, **replying)
        said = {
            "turn": line.strip(),
            "replies": [{key: finite(value) for key, value in vars(each).items()} for each in replies],
        }
        console.result(said, lambda: [each.response for each in replies] or ["(no answer)"])  # noqa: B023 - at once
        sys.stdout.flush()
