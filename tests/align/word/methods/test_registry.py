"""Methods are found by name, and imported only when used."""

import subprocess
import sys

import pytest

from interlingua.align import word
from interlingua.align.word.methods.registry import (
    UNSUPERVISED_METHODS,
    WORD_METHODS,
    is_available,
    takes,
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


def test_takes_tells_the_parameters_of_a_constructor():
    assert takes("rcsls", "callback")
    assert not takes("procrustes", "seed")


def test_what_needs_torch_is_available_where_torch_is(monkeypatch):
    asked = []
    monkeypatch.setattr("importlib.util.find_spec", asked.append)
    assert is_available("procrustes")
    assert not is_available("contrastive")
    assert asked == ["torch"]


@pytest.mark.slow
def test_listing_the_methods_loads_no_heavy_library():
    code = (
        "import sys, interlingua.align.word as w; w.Contrastive(); w.Adversarial();"
        "sys.exit(bool({'torch', 'faiss', 'ot'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
