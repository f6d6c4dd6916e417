"""The command audit: whether an index of many languages finds what texts say, or the language they say it in."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.pipelines.audit.measure import Audit, AuditVectors, audit
from interlingua.pipelines.texts.lines import input_name, read_lines
from interlingua.pipelines.texts.vectors import VectorFile, read_vectors, require_one_origin

from .arguments import UsageError, check_output_file, named_file, require_collection
from .cli_sentences import add_encoder_options
from .legacy import Subcommands, add_command, count
from .output import Output, table

_TEXTS = (".tsv", ".csv")


def add_audit_command(commands: "Subcommands[ArgumentParser]") -> None:
    """Add `audit`."""
    parser = add_command(commands, "audit", _audit, "measure how strongly language decides what an index finds")
    parser.add_argument(
        "vectors",
        nargs="+",
        metavar="LANGUAGE=FILE.npy",
        help="one file a language; a .npy that `encode` wrote knows its language; or one TEXTS.tsv with the columns "
        "language and text, and id if there is one; or one COLLECTION that `index build` wrote",
    )
    parser.add_argument(
        "--languages", metavar="FILE", help="for one file of vectors: the language of each row, a line each"
    )
    ids = parser.add_mutually_exclusive_group()
    ids.add_argument(
        "--ids",
        nargs="+",
        metavar="LANGUAGE=FILE",
        help="an id for each row, one a line; rows with one id are translations, or the answer to a question",
    )
    ids.add_argument("--parallel", action="store_true", help="row i says the same in every file")
    ids.add_argument("--id-field", metavar="NAME", help="for a collection: the metadata that is the id")
    parser.add_argument("--questions", nargs="+", metavar="LANGUAGE=FILE.npy", help="what the index is asked")
    parser.add_argument("--question-ids", nargs="+", metavar="LANGUAGE=FILE", help="as --ids, for the questions")
    parser.add_argument("--compare", action="store_true", help="also after each method that removes language")
    parser.add_argument("-k", type=count, default=5, metavar="N", help="hits a question (default 5)")
    parser.add_argument(
        "--sample", type=count, default=2000, metavar="N", help="ask at most N questions (default 2000)"
    )
    parser.add_argument("--plot", metavar="FILE.png", help="draw whose texts are found by whom")
    add_encoder_options(parser)


def _audit(options: Namespace, output: Output) -> None:
    from interlingua.align import REMOVAL_METHODS

    if options.plot:
        if not options.plot.endswith(".png"):
            raise UsageError(f"the plot is a PNG, but its name is {options.plot}; name it FILE.png")
        check_output_file(options.plot)
    searched = _read(options, output)
    questions = None
    if options.questions:
        if searched.ids is not None and not (options.question_ids or options.parallel):
            raise UsageError("texts have ids, so questions need some: give --question-ids LANGUAGE=FILE ...")
        questions = _read_files(options.questions, options.question_ids, parallel=options.parallel, output=output)
        if searched.ids is None:
            questions = replace(questions, ids=None)
    elif options.question_ids:
        raise UsageError("--question-ids belong to --questions")
    with output.working("auditing"):
        found = audit(
            searched,
            questions,
            methods=tuple(REMOVAL_METHODS) if options.compare else (),
            k=options.k,
            sample=options.sample,
            seed=options.seed,
        )
    one = _is_texts(options.vectors) or _is_collection(options.vectors) or options.languages
    files = [] if one else [named_file(each)[1] for each in options.vectors]
    advice = found.advice([f"{name}={path}" for name, path in zip(found.raw.languages, files)])
    if options.plot:
        from interlingua.pipelines.audit.plot import draw_audit

        draw_audit(found, Path(options.plot))
        output.note(f"written: {options.plot}")
    output.result(found.as_json() | {"advice": advice, "plot": options.plot}, lambda: _shown(found, advice))


def _is_collection(files: Sequence[str]) -> bool:
    return len(files) == 1 and Path(files[0]).is_dir()


def _is_texts(files: Sequence[str]) -> bool:
    return len(files) == 1 and files[0].lower().endswith(_TEXTS) and "=" not in Path(files[0]).name


def _read(options: Namespace, output: Output) -> AuditVectors:
    if _is_texts(options.vectors):
        if options.ids or options.parallel or options.languages:
            raise UsageError("a file of texts names languages and ids in its columns; leave the options out")
        return _encode_texts(options, output)
    if _is_collection(options.vectors):
        if options.ids or options.parallel or options.languages:
            raise UsageError("a collection knows its languages; leave the options out, and name ids by --id-field")
        return _read_collection(options.vectors[0], options.id_field)
    if options.id_field:
        raise UsageError("--id-field goes with a collection")
    if options.languages:
        if len(options.vectors) > 1 or options.parallel or (options.ids and len(options.ids) > 1):
            raise UsageError("--languages goes with one file of vectors, and one file of ids")
        read = read_vectors(options.vectors[0])
        vectors = read.vectors
        if not len(vectors):
            raise ValueError(f"{options.vectors[0]} holds no vector; make it again")
        languages = _read_labels(options.languages, len(vectors), "languages")
        ids = _read_labels(options.ids[0], len(vectors), "ids") if options.ids else None
        return AuditVectors(vectors, languages, ids, *_known([read]))
    return _read_files(options.vectors, options.ids, parallel=options.parallel, output=output)


def _read_files(
    arguments: Sequence[str], id_arguments: Sequence[str] | None, *, parallel: bool, output: Output
) -> AuditVectors:
    parts: list[Any] = []
    languages: list[str] = []
    ids: list[str] = []
    files: dict[str, VectorFile] = {}
    for argument in arguments:
        name, path = named_file(argument)
        read = read_vectors(path)
        if not len(read.vectors):
            raise ValueError(f"{path} holds no vector; leave it out, or make it again")
        if "=" not in argument or Path(argument).exists():
            name = read.origin.language or name  # a bare file is called what its note says, or else by its own name
        elif read.origin.language not in ("", name):
            output.note(f"{path} says that its language is {read.origin.language!r}, not {name!r}")
        if name in files:
            raise UsageError(f"each language needs one file, but {name!r} has two; name them LANGUAGE=FILE")
        files[name] = read
    require_one_origin([each.origin for each in files.values()])
    mapped = [name for name, read in files.items() if read.origin.space]
    if mapped:
        output.note(f"already mapped into a shared space: {', '.join(mapped)}")
    named_ids = dict(named_file(each, named=True) for each in id_arguments or ())
    if named_ids and set(named_ids) != set(files):
        raise UsageError(f"ids are needed for {', '.join(files)}, but are given for {', '.join(named_ids)}")
    sizes = {name: len(read.vectors) for name, read in files.items()}
    if parallel and len(set(sizes.values())) > 1:
        raise ValueError(f"--parallel files have one row for each text, but their sizes are {sizes}")
    for name, read in files.items():
        parts.append(read.vectors)
        languages += [name] * len(read.vectors)
        if named_ids:
            ids += _read_labels(named_ids[name], len(read.vectors), "ids")
        elif parallel:
            ids += map(str, range(len(read.vectors)))
    dimensions = {name: int(read.vectors.shape[1]) for name, read in files.items()}
    if len(set(dimensions.values())) > 1:
        raise ValueError(f"all files must come from one encoder and have one dimension, but have {dimensions}")
    known = _known(list(files.values()))
    return AuditVectors(np.concatenate(parts), tuple(languages), tuple(ids) if ids else None, *known)


def _known(files: Sequence[VectorFile]) -> tuple[str, bool | None]:
    """Return the encoder of files of one origin, and whether they are mapped, where every file says so."""
    encoders, mapped = {read.origin.encoder for read in files}, {bool(read.origin.space) for read in files}
    if len(encoders) > 1 or "" in encoders:
        return "", None
    return min(encoders), min(mapped) if len(mapped) == 1 else None


def _read_collection(folder: str, id_field: str | None) -> AuditVectors:
    from interlingua.index import Collection
    from interlingua.pipelines.search.ranked import own_vectors

    require_collection(folder)
    collection = Collection.load(folder)
    rows = collection.get(collection.ids)
    if any("language" not in row for row in rows):
        raise ValueError(f"{folder} holds vectors without a language; give them as files, one a language")
    vectors, encoder = own_vectors(collection), str(collection.attributes.get("encoder", ""))
    if id_field is None:
        return AuditVectors(vectors, tuple(str(row["language"]) for row in rows), encoder=encoder)
    if any(id_field not in row for row in rows):
        raise ValueError(f"{folder} has rows without the field {id_field!r}; its fields are {', '.join(rows[0])}")
    ids = tuple(str(row[id_field]) for row in rows)
    return AuditVectors(vectors, tuple(str(row["language"]) for row in rows), ids, encoder)


def _encode_texts(options: Namespace, output: Output) -> AuditVectors:
    from interlingua.pipelines.encoders.load import encode_named, load_encoder
    from interlingua.pipelines.texts.tables import read_columns

    path = options.vectors[0]
    found = read_columns(path, ["language", "text"], optional=["id"])
    for number, row in enumerate(zip(*found.values(), strict=True), start=1):
        if not all(row):
            raise ValueError(f"{input_name(path)}, row {number}: every column must be filled; mend the row")
    with output.working("loading the encoder"):
        encoder = load_encoder(options.encoder, device=options.device, cache=not options.no_cache)
    names = [f"{path}, row {number}: the text" for number in range(1, len(found["text"]) + 1)]
    vectors = encode_named(encoder, found["text"], names, "passage", progress=output.progress)
    ids = tuple(found["id"]) if "id" in found else None
    return AuditVectors(vectors, tuple(found["language"]), ids, encoder.identity, False)


def _read_labels(path: str, n: int, what: str) -> tuple[str, ...]:
    labels = tuple(line for _, line in read_lines(path, blank="skip"))
    if len(labels) != n:
        raise ValueError(f"{path} must hold one of the {what} a line, for {n} vectors, but has {len(labels)} lines")
    return labels


def _shown(found: Audit, advice: str) -> list[object]:
    raw = found.raw
    measures = found.measures()
    names = [name for name in measures["raw"] if any(np.isfinite(each[name]) for each in measures.values())]
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
                if np.isfinite(raw.shares[i]).all()
            ),
            title=f"languages of the first {raw.k} hits",
        ),
    ]
    if found.methods:
        shown += ["", "Each method was fitted on these very vectors; on other texts it does somewhat less."]
    return shown
