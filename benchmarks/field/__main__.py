"""`interlingua bench` as a module: ``python -m interlingua.benchmarks.field xtreme --tasks tatoeba --data DIR``."""

import sys
from argparse import ArgumentParser

from interlingua.pipelines.commands.command import Output

from .command import add_bench_command


def main(arguments: list[str] | None = None) -> int:
    """Run the command; errors are said in one line."""
    parser = ArgumentParser(prog="python -m interlingua.benchmarks.field")
    add_bench_command(parser.add_subparsers(required=True))
    options = parser.parse_args(["bench", *(sys.argv[1:] if arguments is None else arguments)])
    try:
        options.run(options, Output(as_json=options.json, quiet=options.quiet))
    except (OSError, ValueError) as error:
        if options.debug:
            raise
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
