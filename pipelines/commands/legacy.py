"""A bridge to the commands whose families still parse their arguments with argparse, in cli_*.py."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace, _SubParsersAction
from collections.abc import Callable
from typing import NoReturn

from .arguments import UsageError
from .command import fail, guarded
from .output import Output

Subcommands = _SubParsersAction  # argparse has no public name for what add_subparsers returns

VERB = "legacy:forward"
TARGET = f"{__package__}.{VERB}"
SUMMARIES = {
    "audit": "Measure how strongly language decides what an index finds",
}


def run(arguments: list[str]) -> int:
    """Run a command that is not converted yet."""
    try:
        options = build_parser().parse_args(arguments)
    except UsageError as error:
        return fail(str(error), 2)
    except SystemExit:  # after --help
        return 0
    console = Output(as_json=options.json, quiet=options.quiet)
    return guarded(lambda: options.run(options, console), console, threads=options.threads, debug=options.debug)


def forward(*tokens: str) -> int:
    """Stand for a command that `run` runs."""
    raise NotImplementedError(tokens)


class _Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}. See `{self.prog} --help`.")


def build_parser() -> ArgumentParser:
    """Return the parser of the commands that are not converted yet."""
    from .cli_audit import add_audit_command

    parser: ArgumentParser = _Parser(prog="interlingua")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_audit_command(commands)
    return parser


def add_command(
    commands: "Subcommands[ArgumentParser]", name: str, run: Callable[[Namespace, Output], None], summary: str
) -> ArgumentParser:
    """Add a command with the options that every command takes."""
    parser = commands.add_parser(name, help=summary, description=summary)
    common = parser.add_argument_group("common options")
    common.add_argument("--json", action="store_true", help="print the result as JSON")
    common.add_argument("--quiet", action="store_true", help="no notes and no progress")
    common.add_argument("--seed", type=_seed, default=0, metavar="N", help="for what is drawn at random (default 0)")
    common.add_argument("--threads", type=count, metavar="N", help="use at most this many threads")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(run=run)
    return parser


def count(text: str) -> int:
    """Return the whole number in an argument, at least 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"expected a whole number of at least 1, but got {text!r}")
    return int(text)


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) >= 2**32:
        raise ArgumentTypeError(f"expected a whole number from 0 to {2**32 - 1}, but got {text!r}")
    return int(text)
