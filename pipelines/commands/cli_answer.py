"""The command `interlingua answer`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .command import (
    Output,
    Subcommands,
    UsageError,
    add_command,
    check_output_folder,
    count,
    input_name,
    open_lines,
    table,
)

if TYPE_CHECKING:
    from interlingua.pipelines.answer.answer import Answer, QuestionAnswerer


def add_answer_command(commands: Subcommands[ArgumentParser]) -> None:
    """Add `answer`."""
    answer = add_command(commands, "answer", _answer, "answer questions with sentences of passages, in any language")
    answer.add_argument("passages", metavar="PASSAGES", help='JSON lines {"text", "language", "id"}, or a saved folder')
    answer.add_argument("questions", nargs="*", metavar="QUESTION", help="in any language")
    answer.add_argument(
        "--calibrate",
        metavar="TABLE",
        help="TSV, JSONL or parquet: columns question, answer (empty: there is none) and, optional, language",
    )
    answer.add_argument(
        "--precision", type=float, metavar="P", help="share of answers that shall be right; the others are left open"
    )
    answer.add_argument("-o", "--output", metavar="FOLDER", help="keep sentences, vectors and calibration")
    answer.add_argument("-k", type=count, default=1, metavar="N", help="sentences a question (default 1)")
    answer.add_argument("--whole", action="store_true", help="each passage is an answer: do not split it")
    answer.add_argument("--language", metavar="LANGUAGE", help="of passages that name none")
    answer.add_argument("--answer-in", metavar="LANGUAGES", help="only sentences in these languages, such as en,de")
    answer.add_argument("--reader", metavar="MODEL", help="a question answering model of transformers, for the words")
    answer.add_argument("--encoder", metavar="NAME", help="default: the bundled one, or that of the folder")


def _answer(options: Namespace, output: Output) -> None:
    if options.precision is not None and not 0 <= options.precision <= 1:
        raise UsageError(f"--precision must lie between 0 and 1, but is {options.precision}")
    if not options.questions and not options.output:
        raise UsageError("there is neither a question nor a folder to write; give a QUESTION or -o FOLDER")
    if options.output:
        check_output_folder(options.output)
    answerer = _answerer(options, output)
    if options.calibrate:
        _calibrate(answerer, options.calibrate)
    if options.precision is not None and answerer.calibration is None:
        raise UsageError("--precision needs questions to learn from: give them with --calibrate TABLE")
    if options.output:
        answerer.save(options.output)
        output.note(f"{len(answerer)} sentences in {options.output}")
    if not options.questions:
        output.result({"folder": options.output, "sentences": len(answerer)}, lambda: [])
        return
    languages = options.answer_in.split(",") if options.answer_in else None
    found = answerer.answer(options.questions, options.k, precision=options.precision, languages=languages)
    rows = [
        {"question": question, "answers": [] if best is None else [_row(each) for each in (best, *best.alternatives)]}
        for question, best in zip(options.questions, found, strict=True)
    ]
    output.result(rows, lambda: [_table(row) for row in rows])


def _answerer(options: Namespace, output: Output) -> QuestionAnswerer:
    from interlingua.pipelines.answer.answer import QuestionAnswerer
    from interlingua.pipelines.encoders.load import load_encoder
    from interlingua.pipelines.texts.passages import read_passages

    if Path(options.passages).is_dir():
        return QuestionAnswerer.load(options.passages, options.encoder, reader=options.reader)
    with open_lines(options.passages) as lines:
        passages = read_passages(lines, name=input_name(options.passages), language=options.language)
    if not passages:
        raise UsageError(f"{input_name(options.passages)} holds no passages; expected a JSON object a line")
    with output.working("encoding"):
        return QuestionAnswerer.build(
            passages,
            load_encoder(options.encoder),
            split=not options.whole,
            reader=options.reader,
            seed=options.seed,
        )


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
