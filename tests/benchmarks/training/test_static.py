import numpy as np
import pytest

from interlingua.align import Embeddings
from interlingua.benchmarks.harness.measure import result_rows
from interlingua.benchmarks.training import static
from interlingua.pipelines import Passage, load_encoder


def test_a_table_of_a_bag_of_words_keeps_what_it_finds(monkeypatch, tmp_path):
    pytest.importorskip("sentencepiece")
    rng = np.random.default_rng(0)
    words = sorted({"".join(rng.choice(list("abcdefg"), 4)) for _ in range(60)})
    Embeddings(tuple(words), rng.normal(size=(len(words), 16))).write(tmp_path / "words.vec")
    texts = [" ".join(rng.choice(words, 10)) for _ in range(160)]
    judged = [static.Task("title to body, xx", [" ".join(each.split()[:5]) for each in texts[120:]], texts[120:],
                          np.arange(40))]  # fmt: skip
    monkeypatch.setattr(static, "texts_to_learn", lambda: [Passage(str(n), t, "xx") for n, t in enumerate(texts[:120])])
    monkeypatch.setattr(static, "tasks", lambda: judged)
    monkeypatch.setattr(static, "_sentences", lambda: texts)
    rows = result_rows(static.run(folder=tmp_path / "made", encoder=load_encoder(tmp_path / "words.vec")), "static")
    kept = {
        each["method"]: each["value"] for each in rows if each["metric"] == "of the encoder's %" and each["n"] == 40
    }
    assert kept["the encoder"] == 100
    assert kept[static.BY_ENCODER] > 90
    assert kept[static.ALL_STATIC] > 80
    slow = {"metric": "sentences / CPU-s", "value": 5.0, "method": "interlingua train static", "data": "x"}
    assert static.missed([slow]) == ["5 sentences / CPU-s"]
    assert static.missed([{**slow, "metric": "of the encoder's %", "method": static.BY_ENCODER, "data": "a, en"}])
    assert not static.missed([{**slow, "metric": "of the encoder's %", "method": "the encoder", "data": "a, en to de"}])


def test_packages_are_held_out_alike_in_all_languages():
    shares = np.mean([static.is_held_out(f"package-{number}") for number in range(2000)])
    assert shares == pytest.approx(0.35, abs=0.05)
