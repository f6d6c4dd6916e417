"""The commands `interlingua memory build`, `add` and `search`."""

from __future__ import annotations

import math
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from interlingua.pipelines.texts.lines import open_lines

from .arguments import UsageError, check_output_folder, require_collection
from .cli_sentences import add_encoder_options
from .legacy import Subcommands, add_command, count
from .output import Output, shorten, table


def add_memory_commands(commands: Subcommands[ArgumentParser]) -> None:
    """Add `memory build`, `memory add` and `memory search`."""
    memory = commands.add_parser("memory", help="keep translations, and find them from any language")
    inner = memory.add_subparsers(dest="memory_command", required=True, metavar="COMMAND")
    build = add_command(inner, "build", _build, "make a translation memory of sentence pairs")
    _add_pairs(build)
    build.add_argument("-o", "--output", required=True, metavar="MEMORY", help="the folder to write")
    add_encoder_options(build)
    add = add_command(inner, "add", _add, "add sentence pairs to a memory; those that it has are passed over")
    add.add_argument("memory", metavar="MEMORY")
    _add_pairs(add)
    add_encoder_options(add)
    search = add_command(inner, "search", _search, "find stored translations of sentences in any language")
    search.add_argument("memory", metavar="MEMORY")
    search.add_argument("texts", nargs="+", metavar="TEXT", help="- for one a line from standard input")
    search.add_argument("--language", metavar="NAME", help="of the texts; default: guessed")
    search.add_argument("--to", metavar="NAME", help="only translations into this language")
    search.add_argument("-k", type=count, default=3, metavar="N", help="pairs a text (default 3)")
    search.add_argument("--least", type=float, default=0.0, metavar="P", help="least confidence (default 0)")
    add_encoder_options(search)


def _add_pairs(parser: ArgumentParser) -> None:
    parser.add_argument("pairs", nargs="+", metavar="PAIRS", help="TMX, TSV or JSONL")
    parser.add_argument("--languages", metavar="A,B", help="of the pairs, where the files do not say")


def _build(options: Namespace, output: Output) -> None:
    from interlingua.index.folder import refuse_foreign
    from interlingua.pipelines.translate.memory import TranslationMemory

    refuse_foreign(Path(options.output))
    check_output_folder(options.output)
    pairs = _read(options, output)
    memory = TranslationMemory.build(
        pairs,
        _encoder(options, output),
        encoder_name=options.encoder or "bundled",
        seed=options.seed,
        progress=output.progress,
    )
    memory.save(options.output)
    _told(memory, options.output, output, len(memory))


def _add(options: Namespace, output: Output) -> None:
    from interlingua.pipelines.stored import changing

    require_collection(options.memory)
    with changing(options.memory):
        memory = _load(options, output)
        new = memory.add(_read(options, output), progress=output.progress)
        memory.save(options.memory)
    _told(memory, options.memory, output, new)


def _search(options: Namespace, output: Output) -> None:
    texts = [text for text in options.texts if text != "-"]
    if "-" in options.texts:
        with open_lines("-") as lines:
            texts += [line.strip() for line in lines if line.strip()]
    memory = _load(options, output)
    answers = memory.search(texts, options.k, language=options.language, to=options.to, least=options.least)
    result: list[dict[str, Any]] = [
        {
            "text": text,
            "matches": [
                {key: _finite(value) for key, value in asdict(each).items()} | {"translation": each.translation}
                for each in found
            ],
        }
        for text, found in zip(texts, answers)
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
        for text, found in zip(texts, answers)
        for each in found
    ]
    output.result(
        result, lambda: [table("text", "confidence>", "cosine>", "language", "translation", "found by", rows=rows)]
    )


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _read(options: Namespace, output: Output) -> list[Any]:
    from interlingua.pipelines.texts.pairs import read_pairs

    languages = tuple(options.languages.split(",")) if options.languages else None
    if languages is not None and len(languages) != 2:
        raise UsageError(f"--languages takes two names, such as en,fr, but is {options.languages!r}")
    found = []
    for path in options.pairs:
        pairs = read_pairs(path, languages=languages)
        found += list(pairs)
        output.note(pairs.report.summary())
    return found


def _encoder(options: Namespace, output: Output) -> Any:
    from interlingua.pipelines.encoders.load import load_encoder

    with output.working("loading the encoder"):
        return load_encoder(options.encoder, device=options.device, cache=not options.no_cache)


def _load(options: Namespace, output: Output) -> Any:
    from interlingua.pipelines.translate.memory import TranslationMemory

    require_collection(options.memory)
    with output.working("loading"):
        return TranslationMemory.load(
            options.memory, options.encoder, device=options.device, cache=not options.no_cache
        )


def _told(memory: Any, folder: str, output: Output, new: int) -> None:
    output.note(f"{folder}: {len(memory)} pairs, {new} of them new")
    told = {"memory": folder, "pairs": len(memory), "new": new, "languages": memory.languages}
    rows = list(memory.languages.items())
    output.result(told, lambda: [table("language", "sentences>", rows=rows)])
