"""The commands `memory ...`: translations kept, and found from any language."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from .arguments import UsageError, check_collection_folder, read_bitext, words_or_lines
from .command import ENCODING, Commas, EncoderName, OutputFolder, command, options_of
from .output import Output, finite, shorten, table

if TYPE_CHECKING:
    from interlingua.pipelines.texts.pairs import Pair
    from interlingua.pipelines.translate.memory import TranslationMemory

_MEMORY = "interlingua.pipelines.translate.memory:TranslationMemory"


@command(building=options_of(f"{_MEMORY}.build", only=("seed", "progress")), encoding=ENCODING)
def build(
    console: Output,
    building: dict[str, Any],
    encoding: dict[str, Any],
    pairs: list[str],
    *,
    output: OutputFolder,
    languages: Commas = None,
    skip_malformed: bool = False,
    encoder: EncoderName = None,
) -> None:
    """Make a translation memory of sentence pairs.

    Parameters
    ----------
    pairs : str
        TMX, TSV or JSONL.
    output : str
        The folder to write.
    languages : str, optional
        Of the pairs, such as en,fr, where the files do not say, or which of theirs.
    skip_malformed : bool
        Leave out, and count, records that hold no pair.
    encoder : str
        A sentence-transformers model, a folder, or a file of word vectors; by default the bundled one.

    Examples
    --------
    ::

        interlingua memory build PAIRS.tmx -o MEMORY
    """
    from interlingua.pipelines.encoders.load import load_encoder
    from interlingua.pipelines.translate.memory import TranslationMemory

    check_collection_folder(output)
    found = _read(pairs, languages, console, skip_malformed)
    with console.working("loading the encoder"):
        model = load_encoder(encoder, **encoding)
    memory = TranslationMemory.build(found, model, **building)
    memory.save(output)
    _show(memory, output, len(memory), console)


@command(encoding=ENCODING)
def add(
    console: Output,
    encoding: dict[str, Any],
    memory: str,
    pairs: list[str],
    *,
    languages: Commas = None,
    skip_malformed: bool = False,
    encoder: EncoderName = None,
) -> None:
    """Add sentence pairs to a memory; those that it has are passed over.

    Parameters
    ----------
    memory : str
        A folder of `memory build`.
    pairs : str
        TMX, TSV or JSONL.
    languages : str, optional
        Of the pairs, such as en,fr, where the files do not say, or which of theirs.
    skip_malformed : bool
        Leave out, and count, records that hold no pair.
    encoder : str
        By default that of the memory.

    Examples
    --------
    ::

        interlingua memory add MEMORY PAIRS.tmx
    """
    from interlingua.pipelines.stored import changing, check_kind

    check_kind(memory, "memory")
    with changing(memory):
        loaded = _load(memory, encoder, encoding, console)
        new = loaded.add(_read(pairs, languages, console, skip_malformed), progress=console.progress)
        loaded.save(memory)
    _show(loaded, memory, new, console)


@command(
    searching=options_of(f"{_MEMORY}.search", only=("k", "language", "to", "least")),
    encoding=ENCODING,
)
def search(
    console: Output,
    searching: dict[str, Any],
    encoding: dict[str, Any],
    memory: str,
    texts: Annotated[list[str], Parameter("TEXT")],
    *,
    encoder: EncoderName = None,
) -> None:
    """Find stored translations of sentences in any language.

    Parameters
    ----------
    memory : str
        A folder of `memory build`.
    texts : str
        Sentences; - for one a line from standard input.
    encoder : str
        By default that of the memory.

    Examples
    --------
    ::

        interlingua memory search MEMORY "SENTENCE" --to fr
    """
    asked = [each.strip() for each in words_or_lines(texts)]
    answers = _load(memory, encoder, encoding, console).search(asked, **searching)
    result: list[dict[str, Any]] = [
        {
            "text": text,
            "matches": [
                {key: finite(value) for key, value in asdict(each).items()} | {"translation": each.translation}
                for each in found
            ],
        }
        for text, found in zip(asked, answers, strict=True)
    ]
    rows = [
        (
            shorten(text, 40),
            "exact" if each.exact else f"{each.confidence:.2f}",
            f"{each.cosine:.3f}",
            each.language,
            shorten(each.translation, 70),
            shorten(each.pair.source if each.matched == "source" else each.pair.target, 70),
        )
        for text, found in zip(asked, answers, strict=True)
        for each in found
    ]
    names = ("text", "confidence>", "cosine>", "language", "translation", "found by")
    console.result(result, lambda: [table(*names, rows=rows)])


def _read(paths: list[str], languages: list[str] | None, console: Output, skip_malformed: bool) -> list[Pair]:
    """Return the pairs of files, all with languages: a memory without them finds nothing in any."""
    found: list[Pair] = []
    for path in paths:
        own = read_bitext([path], languages, console, skip_malformed=skip_malformed)
        if any((each.source_language, each.target_language) == ("source", "target") for each in own):
            raise UsageError(
                f"{path} does not say of which languages its pairs are; name them, as in --languages en,fr"
            )
        found += own
    return found


def _load(folder: str, encoder: str | None, encoding: dict[str, Any], console: Output) -> TranslationMemory:
    from interlingua.pipelines.translate.memory import TranslationMemory

    with console.working("loading"):
        return TranslationMemory.load(folder, encoder, **encoding)


def _show(memory: TranslationMemory, folder: str, new: int, console: Output) -> None:
    console.note(f"{folder}: {len(memory)} pairs, {new} of them new")
    result = {"memory": folder, "pairs": len(memory), "new": new, "languages": memory.languages}
    console.result(result, lambda: [table("language", "sentences>", rows=memory.languages.items())])
