"""Every `--help` has an example, and the command line takes it."""

import io
import re
import shlex
from contextlib import redirect_stdout

import pytest

from interlingua.pipelines.commands import app
from interlingua.pipelines.commands.main import main

COMMANDS = [name for _, name, _ in (*app._own(), *app.added_commands())]

ALL = app.build_app(app.added_commands())


def examples_in_help(words, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    said = io.StringIO()
    with redirect_stdout(said):
        assert main([*words, "--help"]) == 0
    return re.findall(r"^    (interlingua .*\S)", said.getvalue().partition("For example:")[2].partition("╭")[0], re.M)


@pytest.mark.parametrize("name", ["", *app.FAMILIES, *COMMANDS])
def test_help_has_an_example_that_parses(name, monkeypatch):
    examples = examples_in_help(name.split(), monkeypatch)
    assert examples
    for example in examples:
        words = shlex.split(example.partition(" > ")[0])
        assert words[1 : 1 + len(name.split())] == name.split()
        if "--help" not in words:
            ALL.parse_args(words[1:], exit_on_error=False, print_error=False)
