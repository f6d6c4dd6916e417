"""Methods are found by name, and imported only when used."""

import subprocess
import sys

import pytest

from interlingua.align import word
from interlingua.align.word import methods
from interlingua.align.word.methods import (
    UNSUPERVISED_METHODS,
    WORD_METHODS,
    is_available,
    settings_of,
    word_aligner,
)

CLASSES = {
    "procrustes": "Procrustes",
    "multi-step": "MultiStep",
    "rcsls": "RCSLS",
    "expansion": "Expansion",
    "self-learning": "SelfLearning",
    "contrastive": "Contrastive",
    "race": "Race",
    "adversarial": "Adversarial",
    "wasserstein-procrustes": "WassersteinProcrustes",
}


def test_every_name_gives_its_class_with_the_parameters_stored():
    assert {*WORD_METHODS, *UNSUPERVISED_METHODS} == set(CLASSES)
    for name, constructor in {**WORD_METHODS, **UNSUPERVISED_METHODS}.items():
        assert type(constructor()) is getattr(word, CLASSES[name])
    assert word_aligner("multi-step", shrinkage=0.25).shrinkage == 0.25


def test_unknown_and_unsupervised_names_are_refused_with_the_known_ones():
    for name in ("magic", "race"):
        with pytest.raises(
            ValueError, match=f"unknown method '{name}'; choose one of: contrastive, expansion, multi-step, procru"
        ):
            word_aligner(name)


def test_the_settings_are_those_of_the_constructor():
    assert "callback" in settings_of("rcsls")
    assert settings_of("procrustes") == {"normalize"}


def test_the_fewest_settings_come_first():
    assert list(WORD_METHODS) == ["procrustes", "expansion", "multi-step", "contrastive", "rcsls", "self-learning"]
    assert list(UNSUPERVISED_METHODS) == ["race", "wasserstein-procrustes", "adversarial"]


def test_a_new_file_is_a_new_method(monkeypatch, tmp_path):
    code = """
from dataclasses import dataclass
from interlingua.align.word.methods import WordMethod

@dataclass(kw_only=True, eq=False)
class Mirror(WordMethod):
    name = "mirror"
    library = "no_such_library"
    axis: int = 0
"""
    (tmp_path / "mirror.py").write_text(code)
    monkeypatch.setattr(methods, "__path__", [*methods.__path__, str(tmp_path)])
    methods._table.cache_clear()
    try:
        assert methods.WORD_METHODS["mirror"](axis=2).axis == 2
        assert settings_of("mirror") == {"axis"}
        assert not is_available("mirror")
        assert "mirror" not in methods.UNSUPERVISED_METHODS
    finally:
        methods._table.cache_clear()
        sys.modules.pop("interlingua.align.word.methods.mirror", None)


def test_what_needs_torch_is_available_where_torch_is(monkeypatch):
    asked = []
    monkeypatch.setattr("importlib.util.find_spec", asked.append)
    assert is_available("procrustes")
    assert not is_available("contrastive")
    assert asked == ["torch"]


@pytest.mark.slow
def test_listing_the_methods_loads_no_heavy_library():
    code = (
        "import sys, interlingua.align.word as w; w.Contrastive(); w.Adversarial(); w.align; w.Race(); w.MultiStep();"
        "sys.exit(bool({'torch', 'faiss', 'ot', 'scipy.sparse', 'scipy.stats'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
