"""The commands `classify ...`: labels learned from texts of one language, for texts of all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from .arguments import UsageError, check_output_file, check_output_folder, named_file
from .command import EncoderName, OutputFolder, command, options_of
from .declared import names_in
from .output import Output, table

if TYPE_CHECKING:
    from interlingua.pipelines.classify.texts import CrossLingualClassifier
    from interlingua.pipelines.texts.labelled import Labelled

_CLASSIFY = "interlingua.pipelines.classify"
_METHODS = (*names_in("interlingua.align.language"), "none")
#: One or more files, each of one language.
_Files = Annotated[list[str], Parameter("LANGUAGE=FILE")]
_COLUMNS = options_of(
    "interlingua.pipelines.texts.labelled:read_labelled",
    only=("text", "label"),
    text="--text-column",
    label="--label-column",
)


@command(
    removing=options_of(
        f"{_CLASSIFY}.texts:CrossLingualClassifier",
        only=("languages",),
        choices={"languages": _METHODS},
        languages="--remove-language",
    ),
    learning=options_of(f"{_CLASSIFY}.vectors:VectorClassifier", only=("method", "seed")),
    columns=_COLUMNS,
)
def train(
    console: Output,
    removing: dict[str, Any],
    learning: dict[str, Any],
    columns: dict[str, Any],
    data: _Files,
    *,
    output: OutputFolder,
    unlabelled: Annotated[list[str] | None, Parameter(metavar="LANGUAGE=FILE...")] = None,
    encoder: EncoderName = None,
) -> None:
    """Learn labels from texts, and where other languages lie.

    Parameters
    ----------
    data : str
        Texts with labels: TSV, JSONL or parquet.
    output : str
        The folder to write.
    unlabelled : str, optional
        Texts of the languages to classify, one a line, at least 10.
    encoder : str
        A model; by default the bundled one.

    Examples
    --------
    ::

        interlingua classify train en=LABELLED.tsv --unlabelled sw=TEXTS.txt -o CLASSIFIER
    """
    from interlingua.pipelines.classify.texts import CrossLingualClassifier

    check_output_folder(output)
    texts: list[str] = []
    labels: list[str] = []
    languages: list[str] = []
    for language, path in (named_file(each, named=True) for each in data):
        found = _labelled(path, language, columns)
        texts += found.texts
        labels += found.labels
        languages += [language] * len(found)
    named = [named_file(each, named=True) for each in unlabelled or ()]
    others = {language: _texts(path, columns) for language, path in named}
    classifier = CrossLingualClassifier(encoder, **removing, **learning)
    with console.working("encoding and training"):
        classifier.fit(texts, labels, language=languages, unlabelled=others)
    classifier.save(output)
    known = sorted({*languages, *others})
    value = {"classifier": output, "labels": list(classifier.labels), "languages": known, "texts": len(texts)}
    console.result(
        value, lambda: [f"{output}: {len(classifier.labels)} labels from {len(texts)} texts, for {', '.join(known)}"]
    )


@command(columns=_COLUMNS)
def predict(
    console: Output,
    columns: dict[str, Any],
    classifier: str,
    data: Annotated[str, Parameter("LANGUAGE=FILE")],
    *,
    output: Annotated[str | None, Parameter(("--output", "-o"), metavar="FILE")] = None,
    encoder: EncoderName = None,
) -> None:
    """Label texts.

    Parameters
    ----------
    classifier : str
        A folder that `classify train` wrote.
    data : str
        Texts as a table, or one a line (.txt, or -).
    output : str, optional
        TSV (white space in texts becomes blanks), or JSON lines (.jsonl); by default they are printed.
    encoder : str
        By default that of the classifier.

    Examples
    --------
    ::

        interlingua classify predict CLASSIFIER sw=TEXTS.txt -o LABELS.tsv
    """
    if output:
        check_output_file(output)
    loaded = _load(classifier, encoder)
    language, path = named_file(data, named=True)
    texts = _texts(path, columns)
    with console.working("classifying"):
        probabilities = loaded.predict_proba(texts, language=language)
    rows: list[dict[str, object]] = [
        {"text": text, "label": loaded.labels[column], "probability": round(float(row[column]), 4)}
        for text, column, row in zip(texts, probabilities.argmax(axis=1), probabilities, strict=True)
    ]
    if output:
        _write(rows, output)
        console.note(f"{len(rows)} texts labelled in {output}")
        return
    cells = ((row["label"], row["probability"], row["text"]) for row in rows)
    console.result(rows, lambda: [table("label", "probability>", "text", rows=cells)])


def _write(rows: Sequence[dict[str, object]], path: str) -> None:
    """Write rows as TSV, or as JSON lines where the name says so."""
    from interlingua.align.files import replacing

    as_json = Path(path).suffix == ".jsonl"
    with replacing(path, "w") as file:
        if not as_json:
            file.write("\t".join(("text", "label", "probability")) + "\n")
        for row in rows:
            # a tab or a line end inside a text would be read as a column or a row
            fields = (" ".join(str(each).split()) for each in row.values())
            file.write((json.dumps(row, ensure_ascii=False) if as_json else "\t".join(fields)) + "\n")


@command(columns=_COLUMNS)
def evaluate(
    console: Output,
    columns: dict[str, Any],
    classifier: str,
    data: _Files,
    *,
    encoder: EncoderName = None,
) -> None:
    """Compare with known labels, language by language.

    Parameters
    ----------
    classifier : str
        A folder that `classify train` wrote.
    data : str
        Texts with labels: TSV, JSONL or parquet.
    encoder : str
        By default that of the classifier.

    Examples
    --------
    ::

        interlingua classify evaluate CLASSIFIER sw=LABELLED.tsv
    """
    loaded = _load(classifier, encoder)
    reports = {}
    for language, path in (named_file(each, named=True) for each in data):
        found = _labelled(path, language, columns)
        with console.working(f"classifying {language}"):
            reports[language] = loaded.evaluate(found.texts, found.labels, language=language)
    rows = [
        (name, each.n, each.accuracy, each.macro_f1, each.calibration_error, each.majority)
        for name, each in reports.items()
    ]
    names = ("language", "texts>", "accuracy>", "macro F1>", "calibration error>", "majority floor>")
    console.result({name: vars(each) for name, each in reports.items()}, lambda: [table(*names, rows=rows)])


def _load(folder: str, encoder: str | None) -> CrossLingualClassifier:
    from interlingua.pipelines.classify.texts import CrossLingualClassifier

    return CrossLingualClassifier.load(folder, encoder=encoder)


def _labelled(path: str, language: str, columns: dict[str, Any]) -> Labelled:
    from interlingua.pipelines.texts.labelled import read_labelled

    return read_labelled(path, language, **columns)


def _texts(path: str, columns: dict[str, Any]) -> list[str]:
    from interlingua.pipelines.texts.labelled import read_labelled
    from interlingua.pipelines.texts.lines import open_lines
    from interlingua.pipelines.texts.tables import is_table, open_table, read_columns

    text, label = columns["text"], columns["label"]
    if is_table(path):
        if isinstance(text, int) and isinstance(label, int):  # then no table has names
            return list(read_labelled(path, "", text=text, label=text).texts)
        names = dict(enumerate(open_table(path).columns)) if isinstance(text, int) else {}
        name = names.get(text, str(text))
        return read_columns(path, [name])[name]
    with open_lines(path) as lines:
        texts = [line for line in lines if line.strip()]
    if not texts:
        raise UsageError(f"{path} holds no texts; expected one a line")
    return texts
