"""The command line says and writes what it did in an earlier version."""

import io
import json
import re
import shutil
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

from interlingua.pipelines.commands.main import main

HERE = Path(__file__).parent
INPUTS, GOLDEN = HERE / "inputs", HERE / "golden"
CASES = json.loads((GOLDEN / "cases.json").read_text(encoding="utf-8"))
HASH = re.compile(r"\b[0-9a-f]{32,64}\b")  # of vectors, whose last bits may differ
#: What a collection is built with so that it is what it was: words that count beside vectors came since.
AS_THEN = {("index", "build"): ("--no-lexical",)}
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def run(argv, stdin=None):
    """Run a command in this process and return its exit code and what it printed."""
    before = sys.stdin, sys.stdout, sys.stderr
    raw = b"" if stdin is None else stdin.encode()
    sys.stdin = io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8")
    sys.stdout, sys.stderr = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    try:
        with warnings.catch_warnings():
            warnings.resetwarnings()  # a warning becomes a note, as it does outside of tests
            for category in (DeprecationWarning, PendingDeprecationWarning, ResourceWarning):
                warnings.simplefilter("ignore", category)
            code = main(list(argv))
        said = []
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            said.append(stream.buffer.getvalue().decode("utf-8"))
    finally:
        sys.stdin, sys.stdout, sys.stderr = before
    return SimpleNamespace(code=code, out=said[0], err=said[1])


def stage(case, folder):
    """Copy what a case reads into a folder; an input it does not name is not there."""
    for name in case["files"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (INPUTS / name).is_dir() else shutil.copy)(INPUTS / name, folder / name)


def play(case):
    """Run a case in the present folder, with what must come before it."""
    for argv in case.get("before", ()):
        done = run([*argv, *AS_THEN.get(tuple(argv[:2]), ()), "--quiet"])
        assert done.code == 0, (argv, done.err)
    stdin = case.get("stdin")
    if "stdin_file" in case:
        stdin = (INPUTS / case["stdin_file"]).read_text(encoding="utf-8")
    done = run(case["argv"], stdin)
    here = str(Path.cwd())
    done.out, done.err = (text.replace(here, "FOLDER") for text in (done.out, done.err))
    said = done.err if done.code == 0 else last_line(done.err)
    found = {"rc": done.code, "stderr": said}
    if "--json" in case["argv"] and done.code == 0 and case["argv"][0] != "chat":
        found["json"] = json.loads(done.out)
    else:
        found["stdout"] = done.out
    if done.code == 0:
        found["written"] = {name: Path(name).read_text(encoding="utf-8") for name in case.get("written", ())}
    return found


def last_line(text):
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")


def same(now, then, ignore, place=""):
    """Compare parsed JSON with a tolerance for numbers, but not what lies at the ignored places."""
    if place in ignore:
        return
    if isinstance(then, dict) and isinstance(now, dict):
        assert sorted(now) == sorted(then), place
        for key, value in then.items():
            same(now[key], value, ignore, f"{place}.{key}".lstrip("."))
    elif isinstance(then, list) and isinstance(now, list):
        assert len(now) == len(then), place
        for number, value in enumerate(then):
            same(now[number], value, ignore, f"{place}.{number}".lstrip("."))
    elif isinstance(then, float) and not isinstance(now, bool) and isinstance(now, int | float):
        assert now == pytest.approx(then, abs=1e-4, rel=1e-4), place
    elif isinstance(then, str) and isinstance(now, str):
        same_text(now, then)
    else:
        assert type(now) is type(then), place
        assert now == then, place


def same_text(now, then):
    """Compare texts; a number's last printed digit may differ, as may the quotes that argparse puts around choices."""
    now, then = (
        re.sub(r" +", " ", re.sub(r" +$|['\"]", "", HASH.sub("HASH", text), flags=re.M)) for text in (now, then)
    )
    assert NUMBER.sub("#", now) == NUMBER.sub("#", then)
    for a, b in zip(NUMBER.findall(now), NUMBER.findall(then), strict=True):
        digits = len(b.partition(".")[2].partition("e")[0])
        if digits:
            assert float(a) == pytest.approx(float(b), rel=1e-4, abs=1.1 * 10.0**-digits)
        else:
            assert a == b


ARGPARSE = re.compile(
    r"interlingua[\w -]*: error: (the following arguments|one of the arguments|argument |unrecognized arguments)(.*)"
)


def same_usage(now, told):
    """Compare what is said about wrong usage with argparse's words: the same options, values and expectations."""
    assert now.startswith("interlingua: error: ")
    assert now.count("\n") <= 1
    if re.search(r"\b(COMMAND|VERB)\b", told):
        assert re.search(r"command", now, re.I)
        told = " ".join(re.findall(r"invalid choice: ('[^']*')", told))
    if ": expected " in told:
        assert told.partition(": ")[2] in now
    for names in re.findall(r"(?<![\w-])-{1,2}[a-z][a-z-]*(?:/--[a-z-]+)?|'[^']*'", told):
        assert any(name.strip("'") in now for name in names.split("/")), (names, now)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_command_does_what_it_did(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for module in case.get("needs", ()):
        pytest.importorskip(module)
    stage(case, tmp_path)
    found = play(case)
    assert found["rc"] == case["rc"], found["stderr"]
    ignore = set(case.get("ignore", ()))
    said = case.get("stderr_now", case["stderr"])  # the new text where it was changed on purpose
    if usage := ARGPARSE.match(said):
        same_usage(found["stderr"], usage[2])
    elif "stderr" not in ignore:
        same_text(found["stderr"], said)
    if "json" in case:
        same(found["json"], case["json"], ignore)
    elif "stdout" not in ignore:
        same_text(found["stdout"], case["stdout"])
    for name, text in case.get("texts", {}).items():
        same_text(found["written"][name], text)


HELP = sorted((GOLDEN / "help").glob("*.txt"))


@pytest.mark.parametrize("page", HELP, ids=[page.stem for page in HELP])
def test_every_command_has_help_that_names_its_options(page, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    then = page.read_text(encoding="utf-8")
    command = [] if page.stem == "interlingua" else page.stem.split("_")
    done = run([*command, "--help"])
    assert done.code == 0, done.err
    assert done.out.lower().split()[: 2 + len(command)] == ["usage:", "interlingua", *command]
    flags = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")
    assert set(flags.findall(then)) - {"-h", "--help"} <= set(flags.findall(done.out))
