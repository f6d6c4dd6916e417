"""The commands `interlingua classify train`, `predict` and `evaluate`."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from interlingua.align.files import replacing
from interlingua.pipelines.texts.lines import open_lines

from .arguments import UsageError, check_output_file, check_output_folder, named_file
from .legacy import Subcommands, add_command
from .output import Output, table

if TYPE_CHECKING:
    from interlingua.pipelines.classify.texts import CrossLingualClassifier


def add_classify_commands(commands: Subcommands[ArgumentParser]) -> None:
    """Add `classify` with its three verbs."""
    summary = "train on texts of one language, classify texts of all"
    verbs = commands.add_parser("classify", help=summary, description=summary).add_subparsers(
        dest="verb", required=True, metavar="VERB"
    )
    train = add_command(verbs, "train", _train, "learn labels from texts, and where other languages lie")
    train.add_argument("data", nargs="+", metavar="LANGUAGE=FILE", help="texts with labels: TSV, JSONL or parquet")
    train.add_argument("-o", "--output", required=True, metavar="FOLDER")
    train.add_argument(
        "--unlabelled",
        nargs="+",
        default=[],
        metavar="LANGUAGE=FILE",
        help="texts of the languages to classify, one a line, at least 10",
    )
    train.add_argument(
        "--method", default="mixed", choices=["mixed", "logistic", "prototype", "knn"], help="default: mixed"
    )
    train.add_argument(
        "--remove-language",
        default="centring",
        choices=["centring", "mean-variance", "mean-covariance", "lir", "lsar", "leace", "none"],
        help="how languages are made alike; lsar, leace and none ask for no language later (default centring)",
    )
    _add_common(train, "the bundled one")
    predict = add_command(verbs, "predict", _predict, "label texts")
    predict.add_argument("classifier", metavar="CLASSIFIER", help="a folder that `classify train` wrote")
    predict.add_argument("data", metavar="LANGUAGE=FILE", help="texts as a table, or one a line (.txt, or -)")
    predict.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="TSV (white space in texts becomes blanks), or JSON lines (.jsonl); default: print",
    )
    _add_common(predict, "that of the classifier")
    evaluate = add_command(verbs, "evaluate", _evaluate, "compare with known labels, language by language")
    evaluate.add_argument("classifier", metavar="CLASSIFIER")
    evaluate.add_argument("data", nargs="+", metavar="LANGUAGE=FILE", help="texts with labels")
    _add_common(evaluate, "that of the classifier")


def _add_common(parser: ArgumentParser, encoder: str) -> None:
    parser.add_argument("--encoder", metavar="NAME", help=f"default: {encoder}")
    parser.add_argument("--text-column", default="text", metavar="NAME", help="default: text")
    parser.add_argument("--label-column", default="category", metavar="NAME", help="default: category")


def _train(options: Namespace, output: Output) -> None:
    from interlingua.pipelines.classify.texts import CrossLingualClassifier

    check_output_folder(options.output)
    texts, labels, languages = [], [], []
    for argument in options.data:
        language, path = named_file(argument, named=True)
        own, said = _labelled(path, options)
        texts += own
        labels += said
        languages += [language] * len(own)
    unlabelled = {}
    for argument in options.unlabelled:
        language, path = named_file(argument, named=True)
        unlabelled[language] = _texts(path, options)
    classifier = CrossLingualClassifier(
        options.encoder, languages=options.remove_language, method=options.method, seed=options.seed
    )
    with output.working("encoding and training"):
        classifier.fit(texts, labels, language=languages, unlabelled=unlabelled)
    classifier.save(options.output)
    known = sorted({*languages, *unlabelled})
    value = {"classifier": options.output, "labels": list(classifier.labels), "languages": known, "texts": len(texts)}
    output.result(
        value,
        lambda: [f"{options.output}: {len(classifier.labels)} labels from {len(texts)} texts, for {', '.join(known)}"],
    )


def _predict(options: Namespace, output: Output) -> None:
    if options.output:
        check_output_file(options.output)
    classifier = _load(options)
    language, path = named_file(options.data, named=True)
    texts = _texts(path, options)
    with output.working("classifying"):
        found = classifier.predict_proba(texts, language=language)
    best = found.argmax(axis=1)
    rows: list[dict[str, object]] = [
        {"text": text, "label": classifier.labels[column], "probability": round(float(row[column]), 4)}
        for text, column, row in zip(texts, best, found, strict=True)
    ]
    if options.output:
        as_lines = Path(options.output).suffix == ".jsonl"
        with replacing(options.output, "w") as file:
            if not as_lines:
                file.write("text\tlabel\tprobability\n")
            for row in rows:
                # a tab or a line end inside a text would be read as a column or a row
                fields = (" ".join(str(each).split()) for each in row.values())
                line = json.dumps(row, ensure_ascii=False) if as_lines else "\t".join(fields)
                file.write(line + "\n")
        output.note(f"{len(rows)} texts labelled in {options.output}")
        return
    output.result(rows, lambda: [table("label", "probability>", "text", rows=_cells(rows))])


def _cells(rows: list[dict[str, object]]) -> Iterator[tuple[object, ...]]:
    for row in rows:
        yield row["label"], row["probability"], row["text"]


def _evaluate(options: Namespace, output: Output) -> None:
    classifier = _load(options)
    reports = {}
    for argument in options.data:
        language, path = named_file(argument, named=True)
        texts, labels = _labelled(path, options)
        with output.working(f"classifying {language}"):
            reports[language] = classifier.evaluate(texts, labels, language=language)
    rows = [
        (name, each.n, each.accuracy, each.macro_f1, each.calibration_error, each.majority)
        for name, each in reports.items()
    ]
    output.result(
        {name: vars(each) for name, each in reports.items()},
        lambda: [
            table("language", "texts>", "accuracy>", "macro F1>", "calibration error>", "majority floor>", rows=rows)
        ],
    )


def _load(options: Namespace) -> CrossLingualClassifier:
    from interlingua.pipelines.classify.texts import CrossLingualClassifier

    return CrossLingualClassifier.load(options.classifier, encoder=options.encoder)


def _labelled(path: str, options: Namespace) -> tuple[list[str], list[str]]:
    from interlingua.pipelines.texts.tables import read_columns

    found = read_columns(path, [options.text_column, options.label_column])
    return found[options.text_column], found[options.label_column]


def _texts(path: str, options: Namespace) -> list[str]:
    from interlingua.pipelines.texts.tables import is_table, read_columns

    if is_table(path):
        return read_columns(path, [options.text_column])[options.text_column]
    with open_lines(path) as lines:
        texts = [line for line in lines if line.strip()]
    if not texts:
        raise UsageError(f"{path} holds no texts; expected one a line")
    return texts
