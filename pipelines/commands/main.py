"""The command `interlingua`.

Results go to standard output, notes and progress to standard error. Exit codes: 0 done, 1 an error said in one line,
2 wrong usage, 130 interrupted.
"""

import argparse
import contextlib
import os
import sys
import traceback
from importlib import metadata

from .cli_align_text import add_align_text_command
from .cli_answer import add_answer_command
from .cli_audit import add_audit_command
from .cli_chat import add_chat_command
from .cli_classify import add_classify_commands
from .cli_collections import add_collection_commands
from .cli_export import add_export_command
from .cli_graph import add_graph_commands
from .cli_info import add_info_command
from .cli_lexicon import add_lexicon_command
from .cli_link import add_link_commands
from .cli_memory import add_memory_commands
from .cli_mine import add_mine_command
from .cli_reconcile import add_reconcile_commands
from .cli_sentences import add_encoder_options, add_sentence_commands
from .cli_train import add_train_commands
from .cli_tune import add_tune_commands
from .cli_words import add_word_commands
from .command import Output, UsageError, add_command, limit_threads

_EXPECTED = (ValueError, OSError, ImportError, LookupError, TypeError)
# The library's errors name its own arguments; here the way out is an option.
_IN_OPTIONS = {
    "read with on_malformed='skip'": "use --skip-malformed",
    ", or choose unknown='zero'": "",
    "<stream>": "standard input",
}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="interlingua", description="One space for many languages: align, index and search embeddings."
    )
    parser.add_argument("--version", action="version", version=f"interlingua {metadata.version('interlingua')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = add_command(commands, "demo", _demo, "search the Universal Declaration of Human Rights across languages")
    add_encoder_options(demo)
    demo.add_argument("-o", "--output", default="demo-output", metavar="FOLDER", help="default: demo-output")
    add_sentence_commands(commands)
    add_word_commands(commands)
    add_collection_commands(commands)
    add_classify_commands(commands)
    add_answer_command(commands)
    add_chat_command(commands)
    add_mine_command(commands)
    add_align_text_command(commands)
    add_lexicon_command(commands)
    add_memory_commands(commands)
    add_graph_commands(commands)
    add_link_commands(commands)
    add_reconcile_commands(commands)
    add_train_commands(commands)
    add_tune_commands(commands)
    add_export_command(commands)
    add_audit_command(commands)
    add_info_command(commands)
    for entry in sorted(metadata.entry_points(group="interlingua.commands"), key=lambda each: each.name):
        entry.load()(commands)  # a room above, or another package, adds a command of its own
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = build_parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a script shows escapes, and goes on
    output = Output(as_json=options.json, quiet=options.quiet)
    try:
        with output.warnings_as_notes():
            limit_threads(options.threads)
            options.run(options, output)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except BrokenPipeError:
        # the reader has gone (`| head`): say nothing, and keep Python from saying it at exit
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if options.debug:
            traceback.print_exc()
        expected = isinstance(error, _EXPECTED)
        text = _one_line(error) if expected else f"{type(error).__name__}: {_one_line(error)}"
        for said, meant in _IN_OPTIONS.items():
            text = text.replace(said, meant)
        hint = "" if options.debug or expected else " (--debug shows where)"
        return _fail(text + hint, 2 if isinstance(error, UsageError) else 1)
    return 0


def _demo(options: argparse.Namespace, output: Output) -> None:
    from interlingua.pipelines.demo.demo import run_demo

    run_demo(options, output)


def _one_line(error: Exception) -> str:
    if isinstance(error, KeyError) and error.args:
        text = str(error.args[0])  # str(KeyError) would add quotes
    elif isinstance(error, OSError) and error.strerror and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    else:
        text = str(error) or type(error).__name__
    return " ".join(text.split())


def _fail(text: str, code: int) -> int:
    sys.stderr.write(f"interlingua: error: {text}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
