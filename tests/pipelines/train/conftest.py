"""A tiny sentence-transformers folder, and a tiny language pair: letters, and the same letters in capitals."""

import gc
import string

import numpy as np
import pytest


@pytest.fixture(scope="session", autouse=True)
def _libraries_are_no_garbage():
    """Each start of a trainer collects garbage: without this, most of its time goes over what the libraries hold."""
    pytest.importorskip("torch")
    for name in ("transformers.trainer", "sentence_transformers", "datasets", "peft", "optuna"):
        try:
            __import__(name)
        except ImportError:
            continue
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def write_tiny_sentence_model(write_tiny_model):
    """Write a model of letters and capitals; unlike the real ones it has learned nothing."""

    def write(folder, **given):
        folder.mkdir(parents=True)
        letters = ["query", ":", *string.ascii_letters]
        write_tiny_model(folder, **{"letters": letters, "layers": 1, "positions": 32, "default": None, **given})
        return folder

    return write


@pytest.fixture(scope="session")
def tiny_sentence_model(write_tiny_sentence_model, tmp_path_factory):
    """A folder to read."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    return write_tiny_sentence_model(folder, prompts={"query": "query: ", "passage": ""})


@pytest.fixture(scope="session")
def capital_pairs():
    """Four letters, and the same in capitals: "a k c e" is "A K C E" in the other language."""
    from interlingua.pipelines.texts import Pair

    def make(n, seed=0):
        rng = np.random.default_rng(seed)
        texts = dict.fromkeys(" ".join(rng.choice(list(string.ascii_lowercase), 4)) for _ in range(2 * n))
        return [Pair(text, text.upper(), "low", "cap") for text in list(texts)[:n]]

    return make
