"""How commands are made: options from the library, settings in files and the environment, help, errors."""

import json
import os
import re
import resource
import subprocess
import sys
import textwrap
from importlib import metadata

import pytest

from interlingua.pipelines.commands import app
from interlingua.pipelines.commands.command import command, options_of
from interlingua.pipelines.commands.declared import Declaration

PROBE = '''
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from interlingua.pipelines.commands.command import Commas, Repeated, command, options_of, parsed_by
from interlingua.pipelines.commands.output import Output


def library(
    text: str,
    *,
    k: int = 5,
    margin: Literal["ratio", "distance"] = "ratio",
    rate: float | None = None,
    cache: bool = True,
    split: bool = True,
    names: Sequence[str] = ("a", "b"),
    rounds: int = 3,
    way: Literal["fast", "slow"] | None = "fast",
    keep: bool = False,
    span: tuple[float, float] = (0.5, 1.5),
    method: str = "auto",
    seed: int = 0,
    progress: bool = False,
) -> None:
    """Say it.

    Parameters
    ----------
    text : str
        What.
    k : int
        How many. Rarely more.
    margin : {"ratio", "distance"}
        Which one.
    rate : float, above 0 and at most 1, optional
        How fast.
    cache : bool
        Keep it.
    split : bool
        In pieces.
    names : sequence of str
        Who.
    rounds : int, at least 0
        How often.
    span : (float, float), above 0
        From where to where.
    method : str
        By which.
    way : str or None
        Where.
    keep : bool
        For later.
    """


@command(
    exclusive=[("rate", "least")],
    taken=options_of(
        "probe_module:library",
        omit=("text",),
        commas=("names",),
        choices={"method": ("auto", "best")},
        metavars={"method": "HOW"},
        group="Of the library",
        split="--whole",
        keep="--no-keep",
    ),
    again=options_of("probe_module:library", only=("k",)),
)
def probe(
    console: Output,
    seed: int,
    given: frozenset[str],
    taken: dict[str, Any],
    again: dict[str, Any],
    first: str,
    *words: str,
    least: float | None = None,
    encoder: str | None = None,
    data: str | None = None,
    filter_: list[str] | None = None,
    where: Repeated = None,
    ray: Annotated[list[str] | None, Parameter(consume_multiple=(0, 1))] = None,
    size: Annotated[int, parsed_by(lambda text: 10 ** int(text))] = 7,
    sizes: Annotated[list[int] | None, parsed_by(lambda text: 10 ** int(text), several=True)] = None,
) -> None:
    """Try things out.

    Parameters
    ----------
    first : str
        The first.
    words : str
        The others.
    least : float, optional
        No less.
    encoder : str, optional
        A model.
    data : str, optional
        A folder.
    filter_ : list of str, optional
        These.
    where : str, optional
        There.
    ray : str, optional
        Here.
    size : int
        So big.
    sizes : list of int
        So big, each.

    Examples
    --------
    ::

        interlingua probe one two -k 3
    """
    own = {"first": first, "words": words, "least": least, "encoder": encoder, "data": data, "filter": filter_}
    own |= {"where": where, "ray": ray, "size": size, "sizes": sizes}
    console.result({"taken": taken, "again": again, "given": sorted(given), "seed": seed, **own}, lambda: [])
'''


@pytest.fixture
def probe(cli, tmp_path, monkeypatch):
    """Run a command of another package, in an empty folder, and return its exit code, outputs and result."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "probe_module.py").write_text(PROBE)
    (tmp_path / "user").mkdir()
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    monkeypatch.delitem(sys.modules, "probe_module", raising=False)
    Declaration.__init__.__globals__["_Source"].of.cache_clear()
    entry = metadata.EntryPoint("probe", "probe_module:probe", "interlingua.commands")
    monkeypatch.setattr(metadata, "entry_points", lambda group: [entry])
    monkeypatch.setattr(app, "user_config_path", lambda name: tmp_path / "user")
    monkeypatch.chdir(tmp_path / "outer" / "inner")
    for name in [each for each in os.environ if each.startswith("INTERLINGUA_")]:
        monkeypatch.delenv(name)
    yield lambda *arguments: cli("probe", *arguments, *([] if "--help" in arguments else ["--json"]))
    sys.modules.pop("probe_module", None)


# --- options


def test_defaults_are_those_of_the_library(probe):
    found = probe("one").result
    assert found == {
        "taken": {
            "k": 5, "margin": "ratio", "rate": None, "cache": True, "split": True, "names": ["a", "b"], "rounds": 3,
            "way": "fast", "keep": False, "span": [0.5, 1.5], "method": "auto", "seed": 0, "progress": False,
        },
        "again": {"k": 5}, "given": [], "seed": 0, "first": "one", "words": [], "least": None, "encoder": None,
        "data": None, "filter": None, "where": None, "ray": None, "size": 7, "sizes": None,
    }  # fmt: skip


def test_options_reach_the_library_and_the_command(probe):
    found = probe(
        "one", "two", "-k", "7", "--margin=distance", "--rate", "0.5", "--no-cache", "--whole", "--names", "x, y",
        "--rounds", "0", "--span", "1", "2", "--method", "best", "--way", "none", "--keep", "--seed", "3",
        "--filter", "p", "q", "--data", "here",
    ).result  # fmt: skip
    assert found["taken"] == {
        "k": 7, "margin": "distance", "rate": 0.5, "cache": False, "split": False, "names": ["x", "y"], "rounds": 0,
        "way": None, "keep": True, "span": [1.0, 2.0], "method": "best", "seed": 3, "progress": False,
    }  # fmt: skip
    assert (found["again"], found["seed"], found["words"], found["filter"]) == ({"k": 7}, 3, ["two"], ["p", "q"])
    assert found["given"] == [
        "cache",
        "data",
        "filter_",
        "k",
        "keep",
        "margin",
        "method",
        "names",
        "rate",
        "rounds",
        "span",
        "split",
        "way",
    ]
    assert probe("one", "--way", "slow", "--no-keep").result["taken"]["way"] == "slow"


def test_options_of_one_none_or_many_words(probe):
    found = probe("--where", "a", "one", "--where", "b", "--ray", "--size", "2").result
    assert (found["where"], found["ray"], found["size"], found["first"]) == (["a", "b"], [], 100, "one")
    assert probe("one", "--sizes", "1", "2").result["sizes"] == [10, 100]
    found = probe("one", "--ray", "here", "--filter", "a", "b").result
    assert (found["ray"], found["filter"], found["first"]) == (["here"], ["a", "b"], "one")


def test_a_lone_dash_is_a_value_and_two_end_the_options(probe):
    assert probe("-", "-").result["words"] == ["-"]
    assert probe("one", "--filter", "-", "x").result["filter"] == ["-", "x"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "FIRST"),
        (("one", "--fly"), "Unknown option: --fly"),
        (("one", "--margn", "ratio"), "Did you mean --margin?"),
        (("one", "-k", "0"), "-k: expected a whole number of at least 1, but got '0'."),
        (("one", "-k", "1.5"), "expected a whole number of at least 1, but got '1.5'."),
        (("one", "--rounds", "-1"), "expected a whole number of at least 0, but got '-1'."),
        (("one", "--rate", "fast"), "--rate: expected a number above 0 and at most 1, but got 'fast'."),
        (("one", "--margin", "none"), 'Choose from: "ratio", "distance".'),
        (("one", "--margin", "RATIO"), 'Choose from: "ratio", "distance".'),
        (("one", "--seed", str(2**32)), "expected a whole number from 0 to 4294967295"),
        (("one", "-k"), "-k requires an argument"),
        (("one", "--span", "1", "0"), "--span: expected a number above 0, but got '0'."),
        (("one", "--method", "none"), 'Choose from: "auto", "best".'),
    ],
)
def test_wrong_usage_says_in_one_line_what_was_wrong_and_how_to_see_help(probe, arguments, said):
    done = probe(*arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.endswith(" See `interlingua probe --help`.\n")
    assert done.err.count("\n") == 1


def test_options_that_exclude_each_other_are_said(probe):
    done = probe("one", "--rate", "1", "--least", "2")
    assert done.code == 2
    assert done.err == "interlingua: error: --least and --rate exclude each other; leave one of them out\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "A command is missing. See `interlingua --help`."),
        (("mien",), "Unknown command 'mien'; did you mean mine? See `interlingua --help`."),
        (("index",), "A command is missing. See `interlingua index --help`."),
        (("index", "biuld"), "Unknown command 'biuld'; did you mean build? See `interlingua index --help`."),
        (("--json", "info"), "Unknown option --json; options stand behind the command."),
    ],
)
def test_unknown_commands_are_said_with_the_nearest(cli, arguments, said):
    done = cli(*arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_a_command_that_takes_what_is_not_there_cannot_be_made():
    target = "interlingua.pipelines.mine.mining:mine_bitext"

    def run(taken):
        """Run."""

    for wrong in (
        {"only": ("kk",)},
        {"omit": ("kk",)},
        {"choices": {"kk": ("a",)}},
        {"metavars": {"kk": "K"}},
        {"kk": "-k"},
    ):
        with pytest.raises(LookupError, match="has no parameter 'kk'"):
            command(taken=options_of(target, **wrong))(run)
    with pytest.raises(TypeError, match="a command line cannot give 'encoder'"):
        command(taken=options_of(target, only=("encoder",)))(run)


def test_two_functions_share_an_option_of_one_default_only():
    def run(one, two):
        """Run."""

    one = options_of("interlingua.pipelines.mine.mining:mine_bitext", only=("k",))
    two = options_of("interlingua.pipelines.answer.respond:ResponseSelector.respond", only=("k",))
    with pytest.raises(TypeError, match="'k' has another default in"):
        command(one=one, two=two)(run)


# --- settings in files and the environment


def test_the_command_line_comes_before_the_environment_before_the_file(probe, tmp_path, monkeypatch):
    def k(*arguments):
        return probe("one", *arguments).result["taken"]["k"]

    assert k() == 5
    (tmp_path / "user" / "interlingua.toml").write_text("[common]\nk = 11\n")
    assert k() == 11
    (tmp_path / "user" / "interlingua.toml").write_text("[common]\nk = 11\n[probe]\nk = 12\n")
    assert k() == 12
    (tmp_path / "outer" / "interlingua.toml").write_text("[common]\nk = 13\n")
    assert k() == 13
    (tmp_path / "outer" / "interlingua.toml").write_text("[common]\nk = 13\n[probe]\nk = 14\n")
    assert k() == 14
    monkeypatch.setenv("INTERLINGUA_PROBE_K", "15")
    assert k() == 15
    assert k("-k", "16") == 16


def test_the_environment_sets_some_options_for_all_commands_and_leaves_its_other_names_alone(probe, monkeypatch):
    monkeypatch.setenv("INTERLINGUA_DATA", "/data")
    monkeypatch.setenv("INTERLINGUA_CACHE", "/cache")
    monkeypatch.setenv("INTERLINGUA_ENCODER", "general")
    monkeypatch.setenv("INTERLINGUA_SEED", "7")
    found = probe("one").result
    assert (found["data"], found["encoder"], found["seed"], found["taken"]["cache"]) == (None, "general", 7, True)
    monkeypatch.setenv("INTERLINGUA_PROBE_ENCODER", "of the command")
    monkeypatch.setenv("INTERLINGUA_PROBE_DATA", "here")
    monkeypatch.setenv("INTERLINGUA_PROBE_NAMES", "x,y")
    found = probe("one").result
    assert (found["encoder"], found["data"], found["taken"]["names"]) == ("of the command", "here", ["x", "y"])


def test_a_file_sets_any_kind_of_option(probe, tmp_path):
    (tmp_path / "outer" / "inner" / "interlingua.toml").write_text(
        '[common]\nthreads = 1\nunknown-elsewhere = 3\n[probe]\ncache = false\nrate = 0.25\nnames = "x,y"\n'
        'filter = ["p", "q"]\nmargin = "distance"\n'
    )
    found = probe("one").result
    assert (found["taken"]["cache"], found["taken"]["rate"], found["taken"]["margin"]) == (False, 0.25, "distance")
    assert (found["taken"]["names"], found["filter"]) == (["x", "y"], ["p", "q"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[probe]\nmargn = 3\n", "margn"),
        ("[probe]\nk = 0\n", "expected a whole number of at least 1, but got '0'"),
        ("[probe\n", "Expected ']'"),
        ("probe = 3\n", "must be a mapping"),
    ],
)
def test_a_wrong_file_is_said_in_one_line(probe, tmp_path, text, said):
    (tmp_path / "outer" / "interlingua.toml").write_text(text)
    done = probe("one")
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.count("\n") == 1


# --- help


def test_help_shows_text_choices_default_and_example(probe):
    text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", probe("--help").out).split())
    for part in (
        "Try things out. For example: interlingua probe one two -k 3",
        "-k INT How many. Rarely more. [default: 5]",
        "--margin CHOICE Which one. [choices: ratio, distance] [default: ratio]",
        "--cache --no-cache Keep it.",
        "--split --whole In pieces.",
        "--method HOW By which. [choices: auto, best] [default: auto]",
        "--names NAME,... Who. [default: a,b]",
        "Common options --json",
    ):
        assert part in text


def test_groups_stand_before_what_every_command_takes(probe):
    titles = [each.strip("╭─╮ ") for each in probe("--help").out.splitlines() if each.startswith("╭")]
    assert titles == ["Arguments", "Options", "Of the library", "Common options"]


def test_help_lists_commands_by_what_people_want_to_do(cli):
    lines = cli("--help").out.splitlines()
    titles = [each.strip("╭─╮ ") for each in lines if each.startswith("╭")]
    assert titles[:6] == ["Search and ask", "Translate", "Link", "Align", "Train", "Look after"]
    said = " ".join(" ".join(lines).replace("│", " ").split())
    for _, name, target in app._own():
        assert name.split()[0] in said
        summary = Declaration(target).summary
        assert summary, name
        if " " not in name:
            assert summary in said
    assert "interlingua.toml" in said
    assert "bench Measure an encoder on XTREME" in said


NAMES = [name for _, name, _ in app._own()]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_an_example_and_describes_its_options(cli, name):
    out = cli(*name.split(), "--help").out
    assert f"    interlingua {name}" in out
    made = app.build_app()
    for word in name.split():
        made = made[word]
    for argument in made.assemble_argument_collection():
        assert argument.parameter.help, argument.name


# --- what is loaded


def loaded(*calls):
    """Run commands in a process of their own; return the modules loaded, packages aside, and processor seconds."""
    code = f"""
        import contextlib, io, json, sys
        from interlingua.pipelines.commands.main import main
        with contextlib.redirect_stdout(io.StringIO()):
            codes = [main(call) for call in {[list(each) for each in calls]!r}]
        assert not any(codes), codes
        print(json.dumps([name for name, each in sys.modules.items() if not hasattr(each, "__path__")]))
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return set(json.loads(done.stdout)), after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


HEAVY = ("numpy", "scipy", "faiss", "torch", "transformers", "interlingua.align", "interlingua.index")


def test_the_version_loads_next_to_nothing():
    modules, seconds = loaded(["--version"])
    assert not [each for each in modules if each.startswith((*HEAVY, "interlingua.benchmarks", "cyclopts", "rich"))]
    assert seconds < 0.3


def test_help_reads_the_library_and_loads_none_of_it():
    modules, _ = loaded(["--help"], *([*name.split(), "--help"] for name in NAMES))
    assert not [each for each in modules if each.startswith(HEAVY)]


def test_one_command_loads_one_module():
    families = {target.partition(":")[0] for _, _, target in app._own()} | {"interlingua.benchmarks.field.command"}
    modules, _ = loaded(["mine", "--help"])
    assert families & modules == {"interlingua.pipelines.commands.mine"}


# --- completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_and_options(cli, shell):
    done = cli("completion", shell)
    assert done.code == 0
    for word in ("interlingua", "mine", "graph", "align-text", "length-ratio", "distance"):
        assert word in done.out
    assert cli("completion", shell, "--json").result["script"] == done.out.rstrip("\n") or shell


def test_a_shell_that_is_not_known_is_refused(cli):
    assert cli("completion", "tcsh").code == 2
