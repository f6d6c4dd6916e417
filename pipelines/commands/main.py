"""The command `interlingua`.

Results go to standard output, notes and progress to standard error. Exit codes: 0 done, 1 an error said in one line,
2 wrong usage, 130 interrupted. The table of commands is in app.py, how one is made in command.py.
"""

import sys


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a script shows escapes, and goes on
    if tokens == ["--version"]:
        from importlib import metadata

        sys.stdout.write(f"interlingua {metadata.version('interlingua')}\n")
        return 0
    from .app import run  # not before: the version is said at once, without cyclopts and rich

    return run(tokens)


if __name__ == "__main__":
    sys.exit(main())
