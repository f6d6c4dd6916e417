"""Every block of code in the documents runs, in a folder with small files under the names that it uses.

Python runs as it stands, page by page, a page's blocks one after the other. Commands run in this process. Where a block
shows what a command prints (`$` before the command), the output is compared: words as they are, numbers to a hundredth,
`...` for anything. What cannot run says why, in a comment before the block, and is counted. Synopses, with brackets and
bars, are read by the command line without running: their options exist.
"""

import contextlib
import io
import re
import shlex
import shutil
import tomllib
from pathlib import Path
from unittest import SkipTest

import pytest
from sybil import Document, Region
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

from interlingua.benchmarks.__main__ import benchmarks
from interlingua.pipelines.commands import app
from interlingua.pipelines.commands.main import main

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"))
    if "```" in path.read_text(encoding="utf-8")
    or re.search(r"^    interlingua ", path.read_text(encoding="utf-8"), re.M)
)
NAMES = [path.relative_to(ROOT).as_posix() for path in PAGES]
#: Blocks that a comment keeps from running, and lines of commands that are only read. Lower them when you can.
MOST_SKIPPED = 10
MOST_READ = 105
FEWEST_BLOCKS = 145

_FENCED = re.compile(r"^(?P<indent> *)```(?P<kind>console|bash|sh|json)\n(?P<text>.*?)^ *```$", re.M | re.S)
_INDENTED = re.compile(r"^\n(?P<text>(?:    (?:interlingua|pip|make|git|python|curl) .*\n(?:     .*\n)*)+)", re.M)
_FILE = re.compile(r"<!-- file: (?P<name>\S+) -->\n\Z")
_SYNOPSIS = re.compile(r"\[|\]|\(|\s\||\w\|\w|\{|\.\.\.")
_NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d+|\d+(?= %)")
#: What letters of a synopsis may stand for.
_MEANT = {"N": "1000", "DIM": "384", "P": "0.5"}
_EXTRAS = set(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"])
#: What is read and not run: commands, or options of them.
_NOT_RUN = {
    "serve": "a server, which runs until it is stopped",
    "reconcile serve": "a server, which runs until it is stopped",
    "demo": "encodes 1,230 texts",
    "train": "takes minutes and torch",
    "tune": "takes hours and torch",
    "export": "takes torch and writes 500 MB",
    "bench": "needs data sets that are not here",
    "bridge": "needs a second model",
    "index build-shards": "builds some minutes",
    "--bridge": "needs a second model",
    "--milvus": "tests of the index open Milvus",
    "--endpoint": "asks a server elsewhere",
    "--ray": "needs a cluster",
    "--teacher": "needs a second model",
    "--reranker": "needs a second model",
}
_LONGEST = 20  # lines of a block of commands; what is longer is a list of what there is
_BENCHMARKS = (
    {path.stem for path in (ROOT / "benchmarks").rglob("*.py")}
    | set(benchmarks())
    | {"all", "compare", "check", "report"}
)
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class _Screen(io.StringIO):
    """What a person would see: tables fitted to the width, no bars."""

    def __init__(self, fits=True):
        super().__init__()
        self.fits = fits

    def isatty(self):
        return self.fits


class _Notes(io.StringIO):
    """Standard error, on the same screen."""

    def __init__(self, screen):
        super().__init__()
        self.screen = screen

    def write(self, text):
        return self.screen.write(text)


def run(words):
    """Run a command; return exit code and what is seen."""
    screen = _Screen()
    with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(_Notes(screen)):
        code = main(words)
    return code, _ANSI.sub("", screen.getvalue())


def parse(words):
    """Read a command line without running it: the command, its options and their values exist."""
    made = app.build_app(app.added_commands())
    made.parse_args(words, exit_on_error=False, print_error=False)


def _commands(document):
    for pattern in (_FENCED, _INDENTED):
        for found in pattern.finditer(document.text):
            kind = found.groupdict().get("kind") or "indented"
            yield Region(found.start("text"), found.end("text"), (kind, found["text"]), _evaluate)


def _evaluate(example):
    kind, text = example.parsed
    if kind == "json":
        before = example.document.text[: example.region.start].rpartition("```")[0]
        if named := _FILE.search(before):
            Path(named["name"]).write_text(text, encoding="utf-8")
    elif kind == "console":
        _compare(text)
    else:
        lines = lines_of(text)
        for line in lines:
            if is_read(line, lines):
                for words in variants(line):
                    read(words)
            else:
                do(shlex.split(line, comments=True))


def lines_of(text):
    """Return the command lines of a block, joined where they go on."""
    joined = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [line.strip() for line in joined if shlex.split(line, comments=True)]


def is_read(line, lines):
    """Tell whether a line is read and not run: a synopsis, a line of a long list, or a command that cannot run here."""
    synopsis = _SYNOPSIS.search(_unquoted(line)) or len(lines) > _LONGEST
    return bool(synopsis) or bool(line.startswith("interlingua ") and reason(shlex.split(line, comments=True)[1:]))


def _unquoted(line):
    return re.sub(r"'[^']*'|\"[^\"]*\"|\s#.*", "", line)


def variants(synopsis):
    """Yield the command lines of a synopsis: with what is in brackets, one for each alternative in parentheses."""
    line = re.sub(r"\s#\s.*", "", synopsis).replace("[", " ").replace("]", " ")
    group = re.search(r"\(([^()]*)\)", line)
    for chosen in group[1].split(" | ") if group else [""]:
        whole = line[: group.start()] + chosen + line[group.end() :] if group else line
        words = [re.sub(r"\{(\w+)[^}]*\}", r"\1", each) for each in shlex.split(whole)]
        words = [each if " " in each else each.split("|")[0].removesuffix("...") for each in words]
        yield [_MEANT.get(each, each) for each in words if each]


def _as_here(words):
    """Return a command with the encoder and the store that are here, where the page names any."""
    return [
        "bundled"
        if before == "--encoder" and each in ("NAME", "their/model")
        else {"STORE": "store.parquet"}.get(each, each)
        for before, each in zip(["", *words], words, strict=False)
    ]


def reason(words):
    """Say why a command of ours does not run here, or nothing."""
    for each, why in _NOT_RUN.items():
        if each in words if each.startswith("-") else words[: each.count(" ") + 1] == each.split():
            return why
    return "tries many ways of encoding" if words[0] == "doctor" and "--encoder" in words else ""


def read(words):
    """Have the command line read a command of ours."""
    if words[0] == "interlingua":
        parse(words[1:])
    else:
        do(words)


def do(words):
    """Run a command of ours; of others, check what can be."""
    match words:
        case ["interlingua", *rest]:
            code, seen = run(_as_here(rest))
            assert code == 0, f"{shlex.join(words)}\n{seen}"
        case ["pip", "install", *rest]:
            for name, _, wanted in (each.strip("]").partition("[") for each in rest if not each.startswith("-")):
                assert name == "interlingua"
                assert set(filter(None, wanted.split(","))) <= _EXTRAS
        case ["make", target, *_]:
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
        case ["python", "-m", "interlingua.benchmarks", *names]:
            assert {each for each in names if re.fullmatch(r"[a-z_]+", each)} & _BENCHMARKS
        case ["git" | "cd", *_]:
            pass
        case _:
            raise AssertionError(f"{shlex.join(words)}: say before the block why it does not run")


def _compare(text):
    shown = re.split(r"^\$ (.*)\n", text, flags=re.M)
    for command, expected in zip(shown[1::2], shown[2::2], strict=True):
        code, seen = run(shlex.split(command, comments=True)[1:])
        assert code == 0, seen
        assert alike(expected, seen), f"$ {command}\n{seen}"


def alike(expected, seen):
    """Tell whether a command printed what the page shows."""

    def squeezed(text):
        return [" ".join(line.split()) for line in text.splitlines() if line.strip()]

    expected, seen = "\n".join(squeezed(expected.replace("…", "..."))), "\n".join(squeezed(seen))
    pattern = ".*".join(_numbers(part) for part in expected.split("..."))
    found = re.fullmatch(pattern, seen, re.S)
    return found is not None and all(
        abs(float(a) - float(b)) <= (0.011 if "." in a else 4)
        for a, b in zip(_NUMBER.findall(expected), found.groups(), strict=True)
    )


def _numbers(part):
    """Return a pattern of a text in which every number may differ a little, and is a group."""
    return r"(-?\d+(?:\.\d+)?)".join(map(re.escape, _NUMBER.split(part)))


#: What the blocks of a page make themselves.
_MADE_THERE = {"docs/collections.md": ["words"], "docs/stores.md": ["COLLECTION"]}
_PARSERS = [SkipParser(), PythonCodeBlockParser(), _commands]


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_blocks_run(path, shared, tmp_path, monkeypatch):
    name = path.relative_to(ROOT).as_posix()
    home = tmp_path / "page"
    shutil.copytree(ROOT / "docs" / "tutorials" / "files" if path.parent.name == "tutorials" else shared, home)
    for each in _MADE_THERE.get(name, ()):
        shutil.rmtree(home / each)
    monkeypatch.chdir(home)
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setenv("TERM", "xterm")
    document = Document.parse(str(path), *_PARSERS, encoding="utf-8")
    failed = []
    for example in document.examples():
        try:
            example.evaluate()
        except SkipTest:
            pass
        except Exception as error:
            failed.append(f"{path.name}:{example.line}: {type(error).__name__}: {error}")
    assert not failed, "\n\n".join(failed)


def test_what_does_not_run_is_counted():
    """Static, so that it holds whichever tests run: blocks that are skipped, and lines that are only read."""
    skipped = blocks = read_only = 0
    for path in PAGES:
        document = Document.parse(str(path), *_PARSERS, encoding="utf-8")
        for region in document.regions:
            parsed = region[1].parsed
            skipped += isinstance(parsed, tuple) and parsed[0] == "next"
            blocks += not (isinstance(parsed, tuple) and parsed[0] in ("next", "json"))
            if isinstance(parsed, tuple) and parsed[0] in ("bash", "sh", "indented"):
                lines = lines_of(parsed[1])
                read_only += sum(is_read(line, lines) for line in lines)
    assert skipped <= MOST_SKIPPED
    assert read_only <= MOST_READ
    assert blocks >= FEWEST_BLOCKS


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_commands_within_sentences_and_tables_exist(path):
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    wrong = []
    for command in re.findall(r"`(interlingua [a-z][^`\n]*)`", text):
        for words in variants(command.replace("\\|", "|")):
            try:
                parse(words[1:])
            except Exception as error:
                if "requires an argument" not in str(error):  # what is spoken of needs no file
                    wrong.append(f"{command}: {error}")
    assert not wrong, "\n".join(wrong)


def test_outputs_are_compared_by_words_and_near_numbers():
    assert alike("a  1.00 b\n...\nend", "a 1.01 b\nwhatever\nelse\nend\n")
    assert alike("93 % of all", "95 % of all")
    assert not alike("a 1.00", "a 1.05")
    assert not alike("two words", "two other words")


def test_a_synopsis_stands_for_command_lines():
    assert list(variants("interlingua x (--a A [--b] | --c x|y) [--k N]  # said")) == [
        ["interlingua", "x", "--a", "A", "--b", "--k", "1000"],
        ["interlingua", "x", "--c", "x", "--k", "1000"],
    ]
