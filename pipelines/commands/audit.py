"""The command `audit`: whether an index of many languages finds what texts say, or the language they say it in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from .arguments import UsageError, check_output_file, named_file, require_collection
from .command import ENCODING, command, options_of
from .output import Output, table

if TYPE_CHECKING:
    from interlingua.pipelines.audit.measure import Audit, AuditVectors
    from interlingua.pipelines.audit.recall import RecallBounds
    from interlingua.pipelines.texts.vectors import VectorFile

_TEXTS = (".tsv", ".csv")


@command(
    exclusive=[("ids", "parallel", "id_field")],
    measuring=options_of("interlingua.pipelines.audit.measure:audit", only=("k", "sample", "seed")),
    encoding=ENCODING,
)
def audit(
    console: Output,
    measuring: dict[str, Any],
    encoding: dict[str, Any],
    vectors: Annotated[list[str], Parameter("LANGUAGE=FILE.npy")],
    *,
    languages: Annotated[str | None, Parameter(metavar="FILE")] = None,
    ids: Annotated[list[str] | None, Parameter(metavar="LANGUAGE=FILE...")] = None,
    parallel: bool = False,
    id_field: Annotated[str | None, Parameter(metavar="NAME")] = None,
    questions: Annotated[list[str] | None, Parameter(metavar="LANGUAGE=FILE.npy...")] = None,
    question_ids: Annotated[list[str] | None, Parameter(metavar="LANGUAGE=FILE...")] = None,
    compare: bool = False,
    plot: Annotated[str | None, Parameter(metavar="FILE.png")] = None,
    encoder: Annotated[list[str] | None, Parameter(metavar="NAME...")] = None,
) -> None:
    """Measure how strongly language decides what an index finds.

    Parameters
    ----------
    vectors : str
        One file a language; a .npy that `encode` wrote knows its language. Or one TEXTS.tsv with the columns language
        and text, and id if there is one. Or one COLLECTION that `index build` wrote, with bounds of its recall.
    languages : str, optional
        For one file of vectors: the language of each row, a line each.
    ids : str, optional
        An id for each row, one a line; rows with one id are translations, or the answer to a question.
    parallel : bool
        Row i says the same in every file.
    id_field : str, optional
        For a collection: the metadata that is the id.
    questions : str, optional
        What the index is asked.
    question_ids : str, optional
        As --ids, for the questions.
    compare : bool
        Also after each method that removes language.
    plot : str, optional
        Draw whose texts are found by whom.
    encoder : str
        For texts: a sentence-transformers model, a folder, or a file of word vectors; by default the bundled one.

        Several are compared, on texts of a table or a collection.

    Examples
    --------
    ::

        interlingua audit EN.npy FR.npy --parallel --compare
    """
    from interlingua.pipelines.audit.measure import audit as measure

    if plot:
        if not plot.endswith(".png"):
            raise UsageError(f"the plot is a PNG, but its name is {plot}; name it FILE.png")
        check_output_file(plot)
    files: list[str] = []
    several = encoder if encoder is not None and len(encoder) > 1 else None
    if several and not (_is_texts(vectors) or _is_collection(vectors)):
        raise UsageError("vectors are of one encoder; to compare several, give a file of texts or a collection")
    one = encoder[0] if encoder and (several is None or _is_texts(vectors)) else None
    if _is_texts(vectors):
        if ids or parallel or languages:
            raise UsageError("a file of texts names languages and ids in its columns; leave the options out")
        searched = _encoded(vectors[0], one, encoding, console)
    elif _is_collection(vectors):
        if ids or parallel or languages:
            raise UsageError("a collection knows its languages; leave the options out, and name ids by --id-field")
        searched = _collection(vectors[0], id_field)
    elif id_field:
        raise UsageError("--id-field goes with a collection")
    elif languages:
        if len(vectors) > 1 or parallel or (ids and len(ids) > 1):
            raise UsageError("--languages goes with one file of vectors, and one file of ids")
        searched = _rows(vectors[0], languages, ids)
    else:
        searched = _files(vectors, ids, parallel, console)
        files = [named_file(each)[1] for each in vectors]
    asked = _questions(searched, questions, question_ids, parallel, console)
    with console.working("auditing"):
        found = measure(searched, asked, methods=None if compare else (), **measuring)
    bounds = _bounds(vectors[0], one, encoding, measuring["seed"], console) if _is_collection(vectors) else None
    advice = found.advice([f"{name}={path}" for name, path in zip(found.raw.languages, files)])
    if plot:
        from interlingua.pipelines.audit.plot import draw_audit

        draw_audit(found, Path(plot))
        console.note(f"written: {plot}")
    compared = _compared(vectors[0], id_field, several, measuring, encoding, console) if several else {}
    told = {"advice": advice, "plot": plot} | ({} if bounds is None else {"recall_bounds": _plain_bounds(bounds)})
    if compared:
        told["encoders"] = {name: each.as_json()["measures"]["raw"] for name, each in compared.items()}
    console.result(
        found.as_json() | told,
        lambda: [*_shown(found, advice), *_shown_bounds(bounds), *_shown_encoders(compared)],
    )


def _compared(
    given: str,
    id_field: str | None,
    encoders: Sequence[str],
    measuring: dict[str, Any],
    encoding: dict[str, Any],
    console: Output,
) -> dict[str, Audit]:
    from interlingua.pipelines.audit.encoders import audit_encoders, texts_of_collection, texts_of_table

    rows = texts_of_collection(given, id_field=id_field) if Path(given).is_dir() else texts_of_table(given)
    with console.working("comparing encoders"):
        return audit_encoders(rows, list(dict.fromkeys(encoders)), progress=console.progress, **measuring, **encoding)


def _shown_encoders(compared: dict[str, Audit]) -> list[object]:
    from math import isfinite

    if not compared:
        return []
    measures = {name: each.measures()["raw"] for name, each in compared.items()}
    names = [name for name in next(iter(measures.values())) if any(isfinite(each[name]) for each in measures.values())]
    rows = ([name, *(each[name] for each in measures.values())] for name in names)
    return [
        "",
        table("measure", *(f"{name}>" for name in measures), rows=rows, title="the same texts by each encoder, raw"),
    ]


def _is_collection(files: Sequence[str]) -> bool:
    return len(files) == 1 and Path(files[0]).is_dir()


def _is_texts(files: Sequence[str]) -> bool:
    return len(files) == 1 and files[0].lower().endswith(_TEXTS) and "=" not in Path(files[0]).name


def _encoded(path: str, encoder: str | None, encoding: dict[str, Any], console: Output) -> AuditVectors:
    from interlingua.pipelines.audit.sources import vectors_of_texts
    from interlingua.pipelines.encoders.load import load_encoder

    with console.working("loading the encoder"):
        model = load_encoder(encoder, **encoding)
    return vectors_of_texts(path, model, progress=console.progress)


def _collection(folder: str, id_field: str | None) -> AuditVectors:
    from interlingua.pipelines.audit.sources import vectors_of_collection

    require_collection(folder)
    return vectors_of_collection(folder, id_field=id_field)


def _bounds(
    folder: str, encoder: str | None, encoding: dict[str, Any], seed: int, console: Output
) -> RecallBounds | None:
    """Return the bounds of a search's recall, or None, and say why, where no search can be asked."""
    from interlingua.pipelines.audit.recall import recall_bounds
    from interlingua.pipelines.search.search import CrossLingualSearch

    try:
        with console.working("asking texts for themselves"):
            search = CrossLingualSearch.load(folder, encoder, **encoding)
            return recall_bounds(search, seed=seed)
    except (ValueError, LookupError, OSError, ImportError) as error:
        console.note(f"no bound of recall can be given: {error}")
        return None


def _plain_bounds(found: RecallBounds) -> dict[str, Any]:
    languages = {
        each.language: {
            key: None if value != value else value for key, value in asdict(each).items() if key != "language"
        }
        for each in found.bounds
    }
    return {"k": found.k, "languages": languages, "refused": found.refused}


def _shown_bounds(found: RecallBounds | None) -> list[object]:
    if found is None:
        return []
    shown: list[object] = [""]
    if found.bounds:
        rows = [
            [
                each.language,
                each.high,
                f"{each.found:.3f}, {each.low:.3f} to {each.high:.3f}",
                f"{each.held_out:.3f}, {each.held_out_low:.3f} to {each.held_out_high:.3f}",
                each.texts,
            ]
            for each in found.bounds
        ]
        head = "language", f"recall@{found.k} at most>", "by beginnings, 95 %", "held out, 95 %", "texts>"
        shown.append(table(*head, rows=rows, title="texts that ask for themselves by their beginnings"))
    if found.refused:
        few = ", ".join(f"{name} ({n})" for name, n in found.refused.items())
        shown.append(f"no bound for {few}: it takes 20 texts longer than a question")
    return shown


def _rows(path: str, languages: str, ids: Sequence[str] | None) -> AuditVectors:
    from interlingua.pipelines.audit.sources import vectors_of_rows

    return vectors_of_rows(_read(path), languages, ids[0] if ids else None)


def _questions(
    searched: AuditVectors,
    questions: Sequence[str] | None,
    question_ids: Sequence[str] | None,
    parallel: bool,
    console: Output,
) -> AuditVectors | None:
    if not questions:
        if question_ids:
            raise UsageError("--question-ids belong to --questions")
        return None
    if searched.ids is not None and not (question_ids or parallel):
        raise UsageError("texts have ids, so questions need some: give --question-ids LANGUAGE=FILE ...")
    asked = _files(questions, question_ids, parallel, console)
    return replace(asked, ids=None) if searched.ids is None else asked


def _files(
    arguments: Sequence[str], id_arguments: Sequence[str] | None, parallel: bool, console: Output
) -> AuditVectors:
    """Read files of one language each, and note where their own notes say something else."""
    from interlingua.pipelines.audit.sources import vectors_of_files

    files: dict[str, VectorFile] = {}
    for argument in arguments:
        name, path = named_file(argument)
        read = _read(path)
        if "=" not in argument or Path(argument).exists():
            name = read.origin.language or name  # a bare file is called what its note says, or else by its own name
        elif read.origin.language not in ("", name):
            console.note(f"{path} says that its language is {read.origin.language!r}, not {name!r}")
        if name in files:
            raise UsageError(f"each language needs one file, but {name!r} has two; name them LANGUAGE=FILE")
        files[name] = read
    ids = dict(named_file(each, named=True) for each in id_arguments or ())
    if ids and set(ids) != set(files):
        raise UsageError(f"ids are needed for {', '.join(files)}, but are given for {', '.join(ids)}")
    found = vectors_of_files(files, ids, parallel=parallel)
    mapped = [name for name, read in files.items() if read.origin.space]
    if mapped:
        console.note(f"already mapped into a shared space: {', '.join(mapped)}")
    return found


def _read(path: str) -> VectorFile:
    from interlingua.pipelines.texts.vectors import read_vectors

    read = read_vectors(path)
    if not len(read.vectors):
        raise ValueError(f"{path} holds no vector; leave it out, or make it again")
    return read


def _shown(found: Audit, advice: str) -> list[object]:
    from math import isfinite

    raw = found.raw
    measures = found.measures()
    names = [name for name in measures["raw"] if any(isfinite(each[name]) for each in measures.values())]
    shown: list[object] = [*found.verdict(), advice, ""]
    shown.append(
        table(
            "measure",
            *(f"{name}>" for name in measures),
            rows=([n, *(each[n] for each in measures.values())] for n in names),
        )
    )
    shown += [
        "",
        table(
            "questions",
            *(f"{name}>" for name in raw.languages),
            "score offset>",
            rows=(
                [name, *(f"{100 * share:.0f} %" for share in raw.shares[i]), f"{raw.score_offsets[i]:+.3f}"]
                for i, name in enumerate(raw.languages)
                if all(map(isfinite, raw.shares[i]))
            ),
            title=f"languages of the first {raw.k} hits",
        ),
    ]
    if found.methods:
        shown += ["", "Each method was fitted on these very vectors; on other texts it does somewhat less."]
    return shown
