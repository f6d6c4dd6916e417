"""What is shipped, what is pinned, and what is promised about security."""

import ast
import fnmatch
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("align", "index", "pipelines", "benchmarks")
_OWN = {".py", ".pyi", ".typed"}
#: Licences that allow what Apache-2.0 allows.
_FREE = ("Apache-2.0", "MIT", "BSD", "public domain", "Unlicense", "CC0", "PDDL", "W3C Software")


def _rows(page):
    """Return the cells of every line of the tables of a page that begins with a name in backticks."""
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]


def _shipped():
    folders = [*ROOMS, "docs", "deploy", "tests"]
    for path in (each for folder in folders for each in (ROOT / folder).rglob("*")):
        own = (
            path.suffix in _OWN or "__pycache__" in path.parts or any(part.startswith(".") for part in path.parts[-3:])
        )
        if path.is_file() and not own and not (path.suffix in (".md", ".sh") and "data" not in path.parts):
            yield path.relative_to(ROOT).as_posix()


def test_every_shipped_file_that_is_no_source_has_a_licence():
    patterns = [row[0].strip("`") for row in _rows("docs/licences.md")]
    shipped = [each for each in _shipped() if not each.startswith("benchmarks/results/items/")]
    assert len(shipped) > 100
    assert [each for each in shipped if not any(fnmatch.fnmatch(each, pattern) for pattern in patterns)] == []
    assert [pattern for pattern in patterns if not fnmatch.filter(shipped, pattern)] == []


def test_every_licence_is_a_free_one_and_others_work_brings_its_text():
    for name, _, source, licence in _rows("docs/licences.md"):
        assert licence.startswith(_FREE), name
        needs_its_text = not licence.startswith(("CC0", "PDDL", "public domain")) and "in the file" not in licence
        if "this project" not in source and needs_its_text:
            assert list((ROOT / name.strip("`")).parent.glob("*LICENSE*")), name


def _name(text):
    return re.sub(r"[-_.]+", "-", text).lower()


def _pins(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    return {_name(name): version for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE)}


@pytest.mark.parametrize("lock", ["demo", "dev"])
def test_every_locked_package_has_hashes_and_is_the_version_of_the_constraints(lock):
    entries = re.split(r"\n(?=\S)", (ROOT / "locks" / f"{lock}.txt").read_text(encoding="utf-8"))
    packages = [entry for entry in entries if re.match(r"[\w.-]+==", entry)]
    assert len(packages) > 30
    assert [entry.split()[0] for entry in packages if not re.search(r"--hash=sha256:[0-9a-f]{64}", entry)] == []
    wanted = _pins("constraints.txt")
    locked = _pins(f"locks/{lock}.txt")
    assert {name: version for name, version in locked.items() if wanted.get(name, version) != version} == {}


def test_what_is_declared_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]

    def needed(lines):
        for line in lines:
            name, inner = re.match(r"([\w.-]+)(?:\[([\w,-]+)\])?", line).groups()
            if name == "interlingua":
                yield from (each for extra in inner.split(",") for each in needed(extras[extra]))
            else:
                yield _name(name)

    wanted = {*needed(project["dependencies"]), *needed(extras["demo"])}
    assert wanted - set(_pins("locks/demo.txt")) == set()


def test_every_extra_has_a_clean_room():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    rooms = set(re.findall(r"^    \[([\w-]+)\]=", (ROOT / "tests/clean_rooms.sh").read_text(), re.MULTILINE))
    # `dev` and `docs` are what the checks run in; `gpu` needs one
    assert rooms == {*project["optional-dependencies"], "none"} - {"dev", "docs", "gpu"}


def test_every_guard_that_is_promised_has_a_test_that_exists():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "SECURITY.md").read_text(encoding="utf-8"))
    assert len(named) > 15
    assert [each for each in named if f"def {each[1]}(" not in (ROOT / each[0]).read_text(encoding="utf-8")] == []


def _running(tree):
    """Yield what a module imports or calls that runs what it reads, or says that it may."""
    modules = {"pickle", "cPickle", "dill", "marshal", "shelve", "joblib", "cloudpickle", "yaml"}
    safe = {"allow_pickle": False, "trust_remote_code": False, "weights_only": True}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name.partition(".")[0] in modules)
        elif isinstance(node, ast.ImportFrom):
            yield from [node.module] if not node.level and (node.module or "").partition(".")[0] in modules else []
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "id", "")
            yield from [called] if called in ("eval", "exec", "compile", "__import__") else []
            said = {each.arg: getattr(each.value, "value", None) for each in node.keywords}
            yield from (name for name in said if name in safe and said[name] is not safe[name])
            of_torch = getattr(getattr(node.func, "value", None), "id", "") == "torch"
            yield from ["torch.load"] if of_torch and node.func.attr == "load" and "weights_only" not in said else []


def test_nothing_unpickles_or_evaluates():
    # what a benchmark wrote a moment before, for another process of its own
    own = {("matching.py", "pickle"), ("peers.py", "weights_only")}
    paths = [each for room in ROOMS for each in (ROOT / room).rglob("*.py")]
    texts = [(path.name, path.read_text(encoding="utf-8")) for path in paths]
    told = re.compile(
        r"pickle|dill|marshal|shelve|joblib|yaml|trust_remote|weights_only|(eval|exec|compile|load)\(|__import__"
    )
    found = {(name, each) for name, text in texts if told.search(text) for each in _running(ast.parse(text))}
    assert found == own
    unsafe = "import pickle\nfrom joblib import load\neval('1')\nnp.load(f, allow_pickle=True)\ntorch.load(f)"
    assert list(_running(ast.parse(unsafe))) == ["pickle", "joblib", "eval", "allow_pickle", "torch.load"]
