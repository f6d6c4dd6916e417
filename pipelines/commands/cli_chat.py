"""The command `interlingua chat`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from .command import Output, Subcommands, add_command, count


def add_chat_command(commands: Subcommands[ArgumentParser]) -> None:
    """Add `chat`."""
    chat = add_command(commands, "chat", _chat, "reply in a dialogue with the answers of a table, in any language")
    chat.add_argument("table", metavar="FAQ.tsv", help="TSV, JSONL or parquet: columns question, answer, language")
    chat.add_argument("--language", metavar="LANGUAGE", help="of the table, where it has no such column")
    chat.add_argument("--reply-in", metavar="LANGUAGES", help="only answers in these languages, such as en,de")
    chat.add_argument(
        "--least", type=float, default=-1.0, metavar="X", help="no answer below this cosine; default: always one"
    )
    chat.add_argument("-k", type=count, default=1, metavar="N", help="answers a turn (default 1)")
    chat.add_argument("--encoder", metavar="NAME", help="default: the bundled one")


def _chat(options: Namespace, output: Output) -> None:
    from interlingua.pipelines.answer.respond import ResponseSelector, read_exchanges
    from interlingua.pipelines.encoders.load import load_encoder

    exchanges = read_exchanges(options.table, language=options.language)
    with output.working("encoding"):
        bot = ResponseSelector.build(exchanges, load_encoder(options.encoder), seed=options.seed)
    languages = options.reply_in.split(",") if options.reply_in else None
    output.note(f"{len(exchanges)} answers; say something (an empty line starts anew, end of input ends)")
    turns: list[str] = []
    while True:
        if sys.stdin.isatty():
            output.note("you:")
        line = sys.stdin.readline()
        if not line:
            return
        if not line.strip():
            turns = []
            continue
        turns.append(line.strip())
        replies = [each for each in bot.respond(turns, options.k, languages=languages) if each.cosine >= options.least]
        _say(output, {"turn": line.strip(), "replies": [vars(each) for each in replies]})
        sys.stdout.flush()


def _say(output: Output, value: dict[str, Any]) -> None:
    output.result(value, lambda: [each["response"] for each in value["replies"]] or ["(no answer)"])
