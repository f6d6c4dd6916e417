"""Bridges between encoders, through the library and the command line."""

import json

import numpy as np
import pytest

from interlingua.align import Embeddings
from interlingua.align.bridge import Bridge, BridgeError
from interlingua.pipelines import load_encoder
from interlingua.pipelines.bridge import BridgeTexts, fit_text_bridge, map_questions
from interlingua.pipelines.bridge.fit import translated_questions
from interlingua.pipelines.bridge.models import known_as
from interlingua.pipelines.bridge.plan import plan_bridge
from interlingua.pipelines.bridge.verify import Question, verify_bridge

WORDS = [f"word{number}" for number in range(400)]
N = 240


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Three models of the same words: the second is the first turned into another dimension, the third knows others."""
    folder = tmp_path_factory.mktemp("models")
    rng = np.random.default_rng(0)
    first = rng.normal(size=(len(WORDS), 24))
    turned = first @ np.linalg.qr(rng.normal(size=(32, 24)))[0].T + 0.2 * rng.normal(size=(len(WORDS), 32))
    paths = []
    for name, vectors in (("A", first), ("B", turned), ("C", rng.normal(size=(len(WORDS), 32)))):
        paths.append(folder / f"{name}.vec")
        Embeddings(tuple(WORDS), (vectors + 0.5).astype(np.float32), name).write(paths[-1])
    return paths


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(1)
    long = [" ".join(rng.choice(WORDS, 12, replace=False)) for _ in range(N)]
    return BridgeTexts(tuple(" ".join(each.split()[:5]) for each in long), tuple(long), "en")


@pytest.fixture(scope="module")
def encoders(models):
    return [load_encoder(each) for each in models]


@pytest.fixture(scope="module")
def bridge(encoders, texts):
    return fit_text_bridge(texts, encoders[0], encoders[1])


def test_word_vectors_make_a_bridge_without_other_languages(bridge):
    assert bridge.languages == ()
    assert bridge.language == "en"
    assert bridge.scores["kept@10"] > 0.8
    assert bridge.source.probes.shape == (0, 24)


def test_questions_are_mapped_or_go_to_the_index_model(bridge, encoders, texts):
    source, target = encoders[:2]
    own = map_questions(bridge, texts.short, "en_GB", target=target)
    assert own.how == "own model"
    assert np.array_equal(own.vectors, target.encode(texts.short, role="query"))
    both = map_questions(bridge, texts.short, "de", source=source, target=target)
    alone = map_questions(bridge, texts.short, "de", source=source)
    assert (both.how, alone.how, both.language) == ("map and own model", "map", "")
    assert not np.allclose(both.vectors, alone.vectors)


def test_models_that_are_not_the_bridges_are_refused(bridge, encoders, texts):
    with pytest.raises(BridgeError, match="index model is 'static"):
        map_questions(bridge, texts.short, "de", source=encoders[0], target=encoders[2])
    with pytest.raises(BridgeError, match="question model is"):
        map_questions(bridge, texts.short, "de", source=encoders[2])
    with pytest.raises(BridgeError, match="need the model that the bridge leads from"):
        map_questions(bridge, texts.short, "de", target=encoders[1])


def test_models_that_do_not_agree_make_no_bridge(encoders, texts):
    with pytest.raises(BridgeError, match="the models are too unlike"):
        fit_text_bridge(texts, encoders[0], encoders[2])


@pytest.mark.parametrize("answered", [True, False])
def test_verify_counts_what_both_searches_find(bridge, encoders, texts, answered):
    questions = [Question(each, "de", row if answered else None) for row, each in enumerate(texts.short)]
    found = verify_bridge(bridge, texts.long, questions, *encoders[:2], goal=0.5)
    assert found.by_answers is answered
    assert 0.5 < found.overall.value <= 1.05
    assert found.overall.low <= found.overall.value <= found.overall.high
    assert found.by_language["de"].value == pytest.approx(found.overall.value)
    assert found.failed == []
    strict = verify_bridge(bridge, texts.long, questions, *encoders[:2], goal=1.5)
    assert strict.failed == ["all", "de"]


def test_verify_wants_enough_and_answers_for_all_or_none(bridge, encoders, texts):
    questions = [Question(each, "de", row or None) for row, each in enumerate(texts.short)]
    with pytest.raises(BridgeError, match="1 of 240 questions name no answer"):
        verify_bridge(bridge, texts.long, questions, *encoders[:2])
    with pytest.raises(BridgeError, match="at least 50 questions and 50 texts, but there are 5 and 240"):
        verify_bridge(bridge, texts.long, questions[:5], *encoders[:2])


def test_a_plan_sees_the_curve(encoders, texts):
    plan = plan_bridge(texts, *encoders[:2], goal=0.5)
    assert [each.texts for each in plan.points] == [50, 100, 192]
    assert plan.expected(10_000) >= plan.expected(100)
    about = plan.about(1000)
    assert about["texts needed"] is not None
    assert about["questions to verify with"] > 0
    assert about["seconds to re-embed"] >= 0


def test_questions_are_translated_row_by_row():
    sets = translated_questions()
    assert sorted(sets) == ["de", "en", "es", "fr", "it", "ja", "pl", "ru", "zh"]
    assert {len(each) for each in sets.values()} == {40}
    assert all("1812" in each[20] for each in sets.values())


@pytest.mark.parametrize(("asked", "known"), [("zh_CN", "zh"), ("deu", "de"), ("de-AT", "de"), ("gsw", "")])
def test_languages_are_known_by_other_codes(asked, known):
    assert known_as(asked, ["de", "en", "zh"]) == known


@pytest.fixture
def files(tmp_path, texts, models):
    rows = [
        {"text": long, "title": short, "id": f"t{row}", "language": "en"}
        for row, (short, long) in enumerate(zip(texts.short, texts.long))
    ]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    asked = [{"text": row["title"], "language": "de", "answer": row["id"]} for row in rows]
    (tmp_path / "asked.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked), encoding="utf-8")
    (tmp_path / "asked.txt").write_text("".join(f"{each}\n" for each in texts.short), encoding="utf-8")
    return tmp_path


def fit(cli, files, models, *more):
    return cli("bridge", "fit", "--from", models[0], "--to", models[1], "--texts", files / "texts.jsonl",
               "--titles", "title", "-o", files / "b", *more)  # fmt: skip


def test_the_commands_fit_map_verify_and_plan(cli, files, models, bridge, encoders, texts):
    done = fit(cli, files, models, "--json")
    assert done.code == 0, done.err
    assert done.result["language"] == "en"
    assert done.result["scores"]["kept@10"] == pytest.approx(bridge.scores["kept@10"], abs=1e-3)
    assert Bridge.load(files / "b").matrix.shape == (24, 32)
    told = cli("info", files / "b", "--json").result
    assert (told["kind"], told["language"], told["dimensions"]) == ("bridge", "en", [24, 32])
    done = cli("bridge", "map", files / "b", files / "asked.txt", "--language", "de", "-o", files / "o.npy", "--json")
    assert done.code == 0, done.err
    assert done.result["how"] == "map and own model"
    expected = map_questions(bridge, texts.short, "de", source=encoders[0], target=encoders[1]).vectors
    assert np.allclose(np.load(files / "o.npy"), expected, atol=1e-5)
    note = json.loads((files / "o.npy.json").read_text(encoding="utf-8"))
    assert note["encoder"] == encoders[1].identity
    arguments = ("bridge", "verify", files / "b", files / "texts.jsonl", "--questions", files / "asked.jsonl")
    done = cli(*arguments, "--goal", "0.5", "--json")
    assert done.code == 0, done.err
    assert set(done.result["kept"]) == {"all", "de"}
    done = cli(*arguments, "--goal", "1.5")
    assert done.code == 1
    assert "keeps less than 1.5 of re-embedding's recall at 10 for all, de" in done.err
    done = cli("bridge", "plan", "--from", models[0], "--to", models[1], "--texts", files / "texts.jsonl",
               "--titles", "title", "--json", "--size", "100000")  # fmt: skip
    assert done.code == 0, done.err
    assert len(done.result["measured"]) == 3


def test_the_index_model_may_be_missing(cli, files, models):
    assert fit(cli, files, models).code == 0
    models[1].rename(files / "gone.vec")
    try:
        done = cli(
            "bridge", "map", files / "b", files / "asked.txt", "--language", "de", "-o", files / "o.npy", "--json"
        )
        assert (done.code, done.result["how"]) == (0, "map")
        assert "is not here" in done.err
        named = ("--to", files / "gone.vec")
        done = cli("bridge", "map", files / "b", files / "asked.txt", "--language", "en", "-o", files / "o.npy", *named)
        assert (done.code, "by own model" in done.out) == (0, True)
    finally:
        (files / "gone.vec").rename(models[1])


@pytest.mark.parametrize(
    ("language", "output", "more", "message", "code"),
    [
        ("de", "o.vec", (), "writes .npy files", 2),
        (" ", "o.npy", (), "--language must name the language", 2),
        ("de", "o.npy", ("--alone", "--to", "x"), "leave out --to", 2),
    ],
)
def test_wrong_usage_is_said(cli, files, models, language, output, more, message, code):
    done = cli("bridge", "map", "b", files / "asked.txt", "--language", language, "-o", files / output, *more)
    assert done.code == code
    assert message in done.err


def test_answers_must_be_among_the_texts(cli, files, models):
    assert fit(cli, files, models).code == 0
    (files / "asked.jsonl").write_text('{"text": "word1", "answer": "nobody"}\n', encoding="utf-8")
    done = cli("bridge", "verify", files / "b", files / "texts.jsonl", "--questions", files / "asked.jsonl")
    assert done.code == 1
    assert "the answer 'nobody'" in done.err


def test_a_search_asks_a_store_through_a_bridge(bridge, encoders, models, texts, cli, tmp_path):
    import faiss

    index = faiss.IndexFlatIP(32)
    index.add(encoders[1].encode(texts.long, role="passage"))
    faiss.write_index(index, str(tmp_path / "old.faiss"))
    bridge.save(tmp_path / "b.bridge")
    asked = [texts.short[row] for row in range(0, N, 12)]
    place = ("search", str(tmp_path / "old.faiss"), *asked, "--bridge", str(tmp_path / "b.bridge"), "--language", "de")
    found = {}
    for way in ((), ("--encoder", str(models[1])), ("--encoder", str(models[0]))):
        told = cli(*place, *way, "--json", "-k", "1").result
        found[way] = [hits["hits"][0]["id"] for hits in told]
    (once,) = {tuple(each) for each in found.values()}
    mapped = map_questions(bridge, asked, "de", source=encoders[0], target=encoders[1]).vectors
    assert list(once) == [str(row) for row in index.search(mapped, 1)[1][:, 0]]
    assert sum(id == str(row) for id, row in zip(once, range(0, N, 12), strict=True)) >= 5
    done = cli(*place, "--encoder", str(models[2]))
    assert done.code == 1
    assert "the bridge's index model is" in done.err


def test_a_search_of_ours_is_asked_through_a_bridge(bridge, encoders, texts):
    from interlingua.pipelines import CrossLingualSearch, Passage
    from interlingua.pipelines.bridge import BridgedEncoder

    passages = [Passage(str(row), each, "en") for row, each in enumerate(texts.long)]
    search = CrossLingualSearch.build(passages, encoders[1])
    search.encoder = BridgedEncoder(bridge, *encoders[:2], language="fr")
    hits = search.search(texts.short[:40], 1, language="en")
    assert sum(each[0].id == str(row) for row, each in enumerate(hits)) >= 15  # of 40, where chance finds none
    mapped = map_questions(bridge, texts.short[:40], "fr", source=encoders[0], target=encoders[1]).vectors
    np.testing.assert_allclose(search.encoder.encode(texts.short[:40], role="query"), mapped, atol=1e-6)
    assert np.array_equal(search.encoder.encode(texts.long[:3], role="passage"), encoders[1].encode(texts.long[:3]))
    with pytest.raises(BridgeError, match="passages need the index's own model"):
        BridgedEncoder(bridge, encoders[0]).encode(["word1"], role="passage")
