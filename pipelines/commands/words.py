"""The commands on word vectors: `align`, `map`, `translate` and `lexicon`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from .arguments import UsageError, check_output_file, named_file, read_bitext, require_language, words_or_lines
from .command import Commas, EncoderName, command, options_of
from .declared import keys_of, names_in
from .output import Output, table

if TYPE_CHECKING:
    from interlingua.align import Embeddings, SeedDictionary, SharedSpace
    from interlingua.align.word.reranking.ranking import CandidateRanking
    from interlingua.pipelines.encoders.base import Encoder

    Preset = str
else:
    Preset = Literal[keys_of("interlingua.align.space:PRESETS")]

_METHODS = ("auto", *names_in("interlingua.align.word.methods", "interlingua.align.word.restarts"))
_HELD_OUT = ("precision_at_1", "precision_at_5", "mrr", "held_out_words")
_SHOWN = 10

READING = options_of("interlingua.pipelines.texts.vectors:read_vectors", only=("limit", "skip_malformed"))
CASE = options_of("interlingua.align.dictionary:SeedDictionary.read", only=("lowercase",))
_TRANSLATION = "interlingua.pipelines.translate.words:translate_words"
TwoFiles = Annotated[tuple[str, str], Parameter(metavar="LANGUAGE=FILE LANGUAGE=FILE")]


@command(
    exclusive=[("dictionary", "seeds", "unsupervised")],
    aligning=options_of(
        "interlingua.align.word.auto:align",
        only=("method", "seeds", "on_failure", "checkpoint", "seed"),
        choices={"method": _METHODS},
        checkpoint="--resume",
    ),
    case=CASE,
    reading=READING,
)
def align(
    console: Output,
    aligning: dict[str, Any],
    case: dict[str, Any],
    reading: dict[str, Any],
    *vectors: Annotated[str, Parameter("[NAME=]FILE")],
    output: Annotated[str, Parameter(("--output", "-o"), metavar="SPACE")],
    dictionary: Annotated[list[str] | None, Parameter(metavar="PAIRS...")] = None,
    unsupervised: bool = False,
    pivot: Annotated[str | None, Parameter(metavar="NAME")] = None,
    normalize: Preset | None = None,
    rerank: bool = False,
) -> None:
    """Learn a shared space of two or more languages.

    Parameters
    ----------
    vectors : str
        Word vectors, most frequent first, in any format: source and target.
    output : str
        Where to write the space.
    dictionary : list of str, optional
        Source and target between tabs, one pair a line; with --pivot one PIVOT-LANGUAGE=PAIRS for each other language.
    unsupervised : bool
        Without any pair.
    pivot : str, optional
        Align all other languages with this one.
    normalize : str, optional
        Before the map; by default as the method has it.
    rerank : bool
        Learn to rank the candidates of `translate` too, from the dictionary; written beside the space.

    Examples
    --------
    ::

        interlingua align EN.vec FR.vec --dictionary en-fr.tsv -o en-fr.space
    """
    from interlingua.align import AlignmentFailedError
    from interlingua.align.word.auto import covered_pairs
    from interlingua.align.word.reranking.ranking import Reranker
    from interlingua.pipelines.translate.words import RANKING_SUFFIX

    if not (dictionary or aligning["seeds"] or unsupervised):
        raise UsageError(
            "say what to start from: --dictionary, --seeds or --unsupervised. See `interlingua align --help`."
        )
    files = [named_file(each) for each in vectors]
    given = _dictionary_files(
        [name for name, _ in files], dictionary, pivot=pivot, rerank=rerank, resume=aligning["checkpoint"]
    )
    check_output_file(output)
    require_one_stdin([*given.values(), *(path for _, path in files)])
    pairs = {name: read_dictionary(path, console, reading, case) for name, path in given.items()}
    vocabularies = [read_words(*file, console, reading, case) for file in files]
    if normalize:
        aligning["normalize"] = normalize
    try:
        with console.working(f"aligning {', '.join(each.space for each in vocabularies)}"):
            space = _fit(console, vocabularies, pairs, pivot, aligning)
    except AlignmentFailedError as error:
        said = str(error).replace("on_failure='warn'", "--on-failure warn")
        raise ValueError(said) from error
    ranking = None
    if rerank:
        source, target = vocabularies
        with console.working("learning to rank candidates"):
            known, _ = covered_pairs(source, target, pairs[target.space])
            ranking = Reranker(seed=aligning["seed"]).fit(space, source, target, known).ranking_
    space.save(output)
    result = _facts(space, output)
    if ranking is not None:
        ranking.save(output + RANKING_SUFFIX)
        result["ranking"] = {"file": output + RANKING_SUFFIX, **ranking.scores}
    console.result(result, lambda: _aligned(space, output, ranking))


def _dictionary_files(
    names: list[str], dictionaries: Sequence[str] | None, *, pivot: str | None, rerank: bool, resume: str | None
) -> dict[str, str]:
    """Check how files, names and dictionaries fit together; return each dictionary's file by its language."""
    if rerank and not dictionaries:
        raise UsageError("--rerank learns from a dictionary; give --dictionary PAIRS, or leave --rerank out")
    if rerank and pivot is not None:
        raise UsageError("--rerank learns from the dictionary of two languages; it takes no --pivot")
    if pivot is None:
        if len(names) != 2:
            raise UsageError(
                f"two files of vectors are aligned, but {len(names)} are given; for more languages say --pivot NAME"
            )
        if names[0] == names[1]:
            raise UsageError(
                f"the two languages need two names, but both files are called {names[0]!r}; "
                "name them: interlingua align en=FILE fr=FILE ..."
            )
        if dictionaries and len(dictionaries) > 1:
            raise UsageError(f"two languages take one dictionary, but {len(dictionaries)} are given")
        return {names[1]: dictionaries[0]} if dictionaries else {}
    if len(set(names)) < len(names) or pivot not in names:
        raise UsageError(f"each language needs one file, the pivot {pivot!r} too; they are {', '.join(names)}")
    if not dictionaries or resume:
        raise UsageError("--pivot needs a --dictionary for each other language, and takes no --resume")
    found: dict[str, str] = {}
    for argument in dictionaries:
        key, _, path = argument.partition("=")
        other = next((name for name in names if key == f"{pivot}-{name}"), None)
        if other is None or not path or other in found:
            raise UsageError(
                f"with --pivot {pivot} a dictionary is named {pivot}-LANGUAGE=FILE, once for each other language of "
                f"{', '.join(names)}, but one is {argument!r}"
            )
        found[other] = path
    missing = [name for name in names if name != pivot and name not in found]
    if missing:
        raise UsageError(f"no dictionary with {pivot!r} is given for: {', '.join(missing)}")
    return found


def _fit(
    console: Output,
    vocabularies: Sequence[Embeddings],
    pairs: Mapping[str, SeedDictionary],
    pivot: str | None,
    settings: Mapping[str, Any],
) -> SharedSpace:
    from interlingua.align.word import align, align_many

    def tell(event: Mapping[str, Any]) -> None:
        objective = event.get("objective", event.get("loss"))
        if objective is not None:
            console.note(f"{event['method']}: iteration {event.get('iteration', '')}: objective {objective:.4f}")
        elif "mrr" in event:
            console.note(f"{event['method']}: held-out MRR {event['mrr']:.4f}, P@1 {event['precision_at_1']:.4f}")

    if pivot is not None:
        shared = {name: value for name, value in settings.items() if name not in ("seeds", "checkpoint")}
        return align_many(vocabularies, pairs, pivot=pivot, **shared)
    source, target = vocabularies
    return align(source, target, pairs.get(target.space), callback=tell if console.progress else None, **settings)


def _facts(space: SharedSpace, path: str) -> dict[str, Any]:
    provenance = space.provenance
    return {
        "space": path,
        "languages": list(space.languages),
        "method": space.method,
        "dimension": space.dimension,
        "pairs": provenance.get("pairs"),
        "dictionary_pairs": provenance.get("dictionary_pairs"),
        "held_out": {key: value for key, value in space.scores.items() if key.split()[-1] in _HELD_OUT},
        "confidence": {key: value for key, value in space.scores.items() if key.split()[-1] == "confidence"},
        "candidates": provenance.get("candidates"),
        "chosen": provenance.get("chosen"),
    }


def _aligned(space: SharedSpace, path: str, ranking: CandidateRanking | None) -> list[object]:
    provenance, scores = space.provenance, space.scores
    rows: list[tuple[str, object]] = [
        ("space", path),
        ("languages", ", ".join(space.languages)),
        ("method", space.method),
        ("dimension", space.dimension),
    ]
    dictionary_pairs = provenance.get("dictionary_pairs")
    if isinstance(dictionary_pairs, Mapping):
        found = provenance["pairs"]
        rows += [(f"{name}: pairs with vectors", f"{found[name]} of {n}") for name, n in dictionary_pairs.items()]
    elif dictionary_pairs is not None:
        rows.append(("pairs with vectors", f"{provenance['pairs']} of {dictionary_pairs}"))
    for key, value in scores.items():
        prefix, _, kind = key.rpartition(" ")
        start = f"{prefix}: " if prefix else ""
        if kind == "precision_at_1":
            words = int(scores[f"{prefix} held_out_words".strip()])
            rows.append((f"{start}held-out P@1 (CSLS, {words} words)", float(value)))
        elif kind == "confidence":
            rows.append((f"{start}confidence, without any pair", float(value)))
    if not any(key.split()[-1] in ("precision_at_1", "confidence") for key in scores):
        rows.append(("held-out P@1", "not measured: too few pairs"))
    if ranking is not None:
        words = int(ranking.scores["held_out_words"])
        rows.append((f"ranking: held-out P@1 ({words} words)", ranking.scores["precision_at_1"]))
        rows.append(("the same words by CSLS", ranking.scores["csls_precision_at_1"]))
    shown: list[object] = [table("", "", rows=rows)]
    candidates = provenance.get("candidates", [])
    if len(candidates) > 1:
        columns = [key for key in candidates[0] if key != "held_out_words"]
        shown.append(table(*columns, rows=[[each[key] for key in columns] for each in candidates]))
        shown.append(f"chosen: {provenance['chosen']['method']}, {provenance['chosen']['because']}")
    return shown


@command(reading=READING)
def map_vectors(
    console: Output,
    reading: dict[str, Any],
    space: str,
    vectors: Annotated[str, Parameter("IN")],
    *,
    language: Annotated[str, Parameter(metavar="NAME")],
    output: Annotated[str, Parameter(("--output", "-o"), metavar="OUT")],
) -> None:
    """Map vectors of a language into a saved space.

    Parameters
    ----------
    space : str
        A saved space.
    vectors : str
        A file in .vec, .npz, .npy or another format; - for standard input.
    language : str
        Which map of the space to use.
    output : str
        The format is told by the name.

    Examples
    --------
    ::

        interlingua map en-fr.space FR.vec --language fr -o FR-mapped.vec
    """
    from interlingua.align import SharedSpace
    from interlingua.pipelines.encoders.fingerprint import check_space_of
    from interlingua.pipelines.texts.lines import input_name
    from interlingua.pipelines.texts.vectors import (
        check_output_labels,
        check_output_name,
        read_vectors,
        write_vectors,
    )

    try:
        check_output_name(output)
    except ValueError as error:
        raise UsageError(str(error)) from error
    check_output_file(output)
    loaded = SharedSpace.load(space)
    require_language(loaded, language, space)
    with console.working(f"reading {input_name(vectors)}"):
        given = read_vectors(vectors, **reading)
    origin = given.origin
    check_space_of(loaded, origin.encoder, given.probes)
    if origin.space:
        raise ValueError(f"{vectors} was mapped into a shared space already; map the vectors that the encoder gave")
    if origin.language and origin.language != language:
        console.note(f"{vectors} says that its language is {origin.language!r}, not {language!r}")
    check_output_labels(output, given)
    mapped = loaded.transform(given.vectors, language)
    origin = replace(origin, language=language, space=loaded.fingerprint)
    if given.embeddings is not None and Path(output).suffix == ".npy":
        console.note(f"{output} keeps the vectors without their labels, as .npy has no place for them")
    write_vectors(output, replace(given, vectors=mapped, origin=origin))
    result = {"output": output, "vectors": len(mapped), "dimension": loaded.dimension}
    console.result(result, lambda: [f"{output}: {len(mapped)} vectors of dimension {loaded.dimension}"])


@command(translating=options_of(_TRANSLATION, only=("k", "criterion")), reading=READING)
def translate(
    console: Output,
    translating: dict[str, Any],
    reading: dict[str, Any],
    space: str,
    *words: Annotated[str, Parameter("WORD")],
    from_: Annotated[str, Parameter(metavar="LANGUAGE")],
    to: Annotated[str, Parameter(metavar="LANGUAGE")],
    vectors: TwoFiles,
    rerank: bool = False,
    context: Annotated[str | None, Parameter(metavar="SENTENCE")] = None,
    examples: Annotated[str | None, Parameter(metavar="FILE")] = None,
    encoder: EncoderName = None,
) -> None:
    """Translate words through a saved space.

    Parameters
    ----------
    space : str
        A saved space.
    words : str
        Words or phrases; - for one a line from standard input.
    from_ : str
        The language of the words.
    to : str
        The language of the translations.
    vectors : (str, str)
        Of both languages.
    rerank : bool
        By SPACE.ranking, which align --rerank wrote.
    context : str, optional
        A sentence that holds the words: choose what fits it.
    examples : str, optional
        With --context: sentences of the other language, one a line.
    encoder : str, optional
        Of sentences, for --context; by default the bundled one.

    Examples
    --------
    ::

        interlingua translate en-fr.space sun --from en --to fr --vectors en=EN.vec fr=FR.vec
    """
    from interlingua.align import SharedSpace
    from interlingua.pipelines.translate.words import Translator, translate_words

    files = dict(named_file(each, named=True) for each in vectors)
    for language in (from_, to):
        if language not in files:
            raise UsageError(f"--vectors must name {language!r}, but names {', '.join(files)}")
    if not words:
        raise UsageError("there is no WORD to translate. See `interlingua translate --help`.")
    asked = [word.strip() for word in words_or_lines(words)]
    if (examples or encoder) and context is None:
        raise UsageError("--examples and --encoder are for --context SENTENCE; give one")
    by_translator = context is not None or any(" " in word for word in asked)
    if by_translator and translating["criterion"] != "csls":
        raise UsageError("phrases and words in a context are ranked by csls; leave --criterion out")
    loaded = SharedSpace.load(space)
    for language in (from_, to):
        require_language(loaded, language, space)
    source, target = (read_words(language, files[language], console, reading) for language in (from_, to))
    source = _with_subwords(source, files[from_], asked)
    ranking = read_ranking(space) if rerank else None
    if by_translator:
        model, sentences = (None, []) if context is None else _for_context(console, encoder, examples)
        translator = Translator(loaded, source, target, encoder=model, examples=sentences, ranking=ranking)
        answers = [translator.translate(word, context=context, k=translating["k"]) for word in asked]
    else:
        answers = translate_words(loaded, source, target, asked, ranking=ranking, **translating)
    unknown = [answer.word for answer in answers if answer.found_as is None]
    if unknown:
        console.note(f"no vector in {files[from_]} for: {', '.join(unknown)}")
    result = [
        {
            "word": answer.word,
            "found_as": answer.found_as,
            "translations": [{"word": word, "score": round(score, 6)} for word, score in answer.translations],
        }
        for answer in answers
    ]
    rows: list[tuple[object, ...]] = []
    for answer in answers:
        if answer.found_as is None:
            rows.append((answer.word, "", "(unknown word)", ""))
        rows += [(answer.word, rank, word, score) for rank, (word, score) in enumerate(answer.translations, start=1)]
    console.result(result, lambda: [table(from_, "rank>", to, "score>", rows=rows)])


def _with_subwords(source: Embeddings, path: str, asked: Sequence[str]) -> Embeddings:
    """Return the vocabulary with the vectors that a fastText model makes of unknown words, where it comes from one."""
    if source.report is None or source.report.format != "fasttext":
        return source
    from interlingua.align import SubwordVectors

    return SubwordVectors.read(path).extended(source, [word for text in asked for word in text.split()])


def _for_context(console: Output, encoder: str | None, examples: str | None) -> tuple[Encoder, list[str]]:
    """Return the encoder, and the examples that are given."""
    from interlingua.pipelines.encoders.load import load_encoder
    from interlingua.pipelines.texts.lines import open_lines

    sentences: list[str] = []
    if examples:
        with open_lines(examples) as lines:
            sentences = [line.strip() for line in lines if line.strip()]
    with console.working("loading the encoder"):
        return load_encoder(encoder), sentences


@command(
    counting=options_of(
        "interlingua.pipelines.translate.lexicon:lexicon_from_bitext",
        only=("association", "one_to_one", "at_least", "least"),
    ),
    case=CASE,
    reading=READING,
)
def lexicon(
    console: Output,
    counting: dict[str, Any],
    case: dict[str, Any],
    reading: dict[str, Any],
    pairs: str,
    *,
    output: Annotated[str, Parameter(("--output", "-o"), metavar="DICTIONARY")],
    dictionary: Annotated[str | None, Parameter(metavar="SEED")] = None,
    vectors: TwoFiles | None = None,
    languages: Commas = None,
) -> None:
    """Count word translations in sentence pairs, for `align`.

    Parameters
    ----------
    pairs : str
        Sentence pairs: TSV, TMX, JSONL, Moses; `mine` finds some.
    output : str
        Gets source and target between tabs, best first.
    dictionary : str, optional
        Pairs that come first and are not contradicted.
    vectors : (str, str), optional
        Find only words that have vectors, source first; needed for scripts without spaces.
    languages : str, optional
        Source and target among the languages of PAIRS, such as en,fr.

    Examples
    --------
    ::

        interlingua lexicon PAIRS.tsv --languages en,fr -o en-fr.tsv
    """
    from interlingua.pipelines.translate.lexicon import extend_dictionary, lexicon_from_bitext

    check_output_file(output)
    seed = read_dictionary(dictionary, console, reading, case) if dictionary else None
    vocabularies: list[frozenset[str] | None] = [None, None]
    if vectors:
        files = [named_file(each) for each in vectors]
        vocabularies = [frozenset(read_words(*file, console, reading, case).labels) for file in files]
    read = read_bitext([pairs], languages, console, skip_malformed=reading["skip_malformed"])
    with console.working("counting"):
        found = lexicon_from_bitext(
            read, source_vocabulary=vocabularies[0], target_vocabulary=vocabularies[1], **counting
        )
    grown = found.dictionary() if seed is None else extend_dictionary(seed, found)
    if not len(grown):
        raise ValueError(f"{pairs} holds no two words that stand together {counting['at_least']} times or more")
    grown.write(output)
    known = 0 if seed is None else len(seed)
    result = {"pairs": len(grown), "of the seed": known, "sentence pairs": found.n_pairs, "output": output}
    console.note(f"{output}: {len(grown)} pairs, {len(grown) - known} of them found")
    best = [
        (source, target, float(score), int(together))
        for (source, target), score, together in list(zip(found.words, found.scores, found.together))[:_SHOWN]
    ]
    console.result(result, lambda: [table("source", "target", "association>", "together>", rows=best)])


# --- what they read


def require_one_stdin(paths: Sequence[str]) -> None:
    """Raise UsageError if two files are to come from standard input."""
    if paths.count("-") > 1:
        raise UsageError("only one file can come from standard input, but - is given more than once")


def read_dictionary(path: str, console: Output, reading: Mapping[str, Any], case: Mapping[str, Any]) -> SeedDictionary:
    """Read translation pairs, ``-`` from standard input, and say what was read."""
    from interlingua.align import SeedDictionary
    from interlingua.pipelines.texts.lines import input_name, open_binary

    policy: Any = "skip" if reading["skip_malformed"] else "raise"
    with open_binary(path) as file:
        read = SeedDictionary.read(file, on_malformed=policy, name=input_name(path), **case)
    if read.report is not None:
        console.note(read.report.summary())
    return read


def read_words(
    language: str, path: str, console: Output, reading: Mapping[str, Any], case: Mapping[str, Any] | None = None
) -> Embeddings:
    """Read labelled vectors and say what was read."""
    from interlingua.pipelines.texts.lines import input_name
    from interlingua.pipelines.texts.vectors import read_vectors

    with console.working(f"reading {input_name(path)}"):
        read = read_vectors(path, **reading).embeddings
    if read is None:
        raise ValueError(f"{input_name(path)} holds vectors without words; give a file of word vectors, such as .vec")
    if case and case["lowercase"]:
        read = read.lowercased()
    if read.report is not None:
        console.note(replace(read.report, path=input_name(path)).summary())
    return replace(read, space=language)


def read_ranking(space: str) -> CandidateRanking:
    """Read the ranking that was learned for a space, from the file beside it."""
    from interlingua.align.word.reranking.ranking import CandidateRanking
    from interlingua.pipelines.translate.words import RANKING_SUFFIX

    path = Path(space + RANKING_SUFFIX)
    if not path.exists():
        raise UsageError(f"--rerank needs {path}, which is not there; `interlingua align ... --rerank` writes it")
    return CandidateRanking.load(path)
