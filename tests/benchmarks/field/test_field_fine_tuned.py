"""An encoder that learns with its head: labels, pairs, grades and tags, on a tiny transformer."""

import itertools

import pytest

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")

from interlingua.align.language import Centring  # noqa: E402
from interlingua.benchmarks.field import xglue  # noqa: E402
from interlingua.benchmarks.field.runner import predict  # noqa: E402
from interlingua.pipelines.train import FineTuning, TextClassifier  # noqa: E402

from .tiny_bert import WORDS, tiny_encoder  # noqa: E402

SETTINGS = FineTuning(
    steps=60, batch_size=16, learning_rate=5e-3, head_rate=2e-2, freeze_embeddings=False, dropout=0.0, device="cpu",
    dtype="float32",
)  # fmt: skip
PAIRS = list(itertools.product(WORDS, WORDS))
TAGS = ("NOUN", "VERB")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return tiny_encoder(tmp_path_factory.mktemp("bert"))


def lay_out(folder, name, rows):
    (folder / name).mkdir()
    for part in ("en.train", "de.test"):
        (folder / name / f"xglue.{name.lower()}.{part}").write_text("".join(rows))


def half(word):
    return WORDS.index(word) % 2


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("NC", [f"{word}\t{other}\t{'ab'[half(word)]}\n" for word, other in PAIRS]),
        ("QAM", [f"{word}\t{other}\t{half(other)}\n" for word, other in PAIRS]),
        ("POS", [f"{word} {TAGS[half(word)]}\n{other} {TAGS[half(other)]}\n\n" for word, other in PAIRS]),
    ],
)
def test_what_depends_on_the_words_is_learnt(encoder, tmp_path, name, rows):
    lay_out(tmp_path, name, rows)
    predict("xglue", name, tmp_path, tmp_path / "out", encoder, ["de"], tuning=SETTINGS)
    (score,) = xglue.evaluate(tmp_path / "out", tmp_path, [name], ["de"]).scores[name]["de"].values()
    assert score > 0.97


def test_the_grade_of_a_page_is_the_expected_one(encoder, tmp_path):
    lay_out(tmp_path, "WPR", [f"{word}\t{other}\tx\t{3 * half(other)}\n" for word, other in PAIRS])
    predict("xglue", "WPR", tmp_path, tmp_path / "out", encoder, ["de"], tuning=SETTINGS)
    (score,) = xglue.evaluate(tmp_path / "out", tmp_path, ["WPR"], ["de"]).scores["WPR"]["de"].values()
    assert score > 0.97
    said = [float(each) for each in (tmp_path / "out/WPR/de.prediction").read_text().split()]
    assert 0 <= min(said) < 0.5
    assert 2.5 < max(said) <= 3


def test_a_pair_is_read_together(encoder):
    classifier = TextClassifier.create(encoder, ["a", "b"], prompt="query: ")
    (found,) = classifier.encode_inputs([("sun moon", "tree")])
    assert found["input_ids"] == classifier.tokenizer("query: sun moon", "query: tree")["input_ids"]
    assert classifier.scores([("sun", "moon"), ("sun", "tree")]).shape == (2, 2)
    with pytest.raises(ValueError, match=r"all strings or all tuples of two strings; these hold \[1, 2\] strings"):
        classifier.encode_inputs(["sun", ("sun", "moon")])


def test_a_space_does_not_fit_a_moving_encoder(encoder, tmp_path):
    lay_out(tmp_path, "QAM", ["sun\tmoon\t1\n"])
    space = Centring().fit({"en": encoder.encode(WORDS), "de": encoder.encode(WORDS)}).space_
    with pytest.raises(ValueError, match="a space maps frozen vectors"):
        predict("xglue", "QAM", tmp_path, tmp_path / "out", encoder, ["de"], space=space, tuning=SETTINGS)
