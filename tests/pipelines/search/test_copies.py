"""What is there many times counts once: in means, in what is measured, and in each way that leads to a ranking."""

import json

import numpy as np
import pytest

from interlingua.pipelines import CrossLingualSearch, Passage, TranslationMemory
from interlingua.pipelines.search.copies import (
    EQUAL,
    OF_VECTORS,
    copy_threshold,
    distinct_by_language,
    distinct_places,
    distinct_rows,
    nearness,
)
from interlingua.pipelines.search.corrected import HubCorrectedCollection
from interlingua.pipelines.search.languages import remove_languages
from interlingua.pipelines.search.shards import build_index
from interlingua.pipelines.texts.pairs import Pair


def unit(rows):
    rows = np.asarray(rows, np.float64)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def drawn(n, d=64, seed=0):
    return unit(np.random.default_rng(seed).normal(size=(n, d)))


def near_copies(row, n, noise, seed=1):
    rng = np.random.default_rng(seed)
    return unit(row + noise * rng.normal(size=(n, len(row))) / np.sqrt(len(row)))


def first_of_each(rows, threshold):
    """By brute force: a row is kept unless a kept one before it is near."""
    kept = []
    for place in range(len(rows)):
        if not any(float(rows[place] @ rows[other]) > threshold for other in kept):
            kept.append(place)
    return kept


@pytest.mark.parametrize("offset", [0.0, 2.0])  # as encoders give them, all rows lie on one side
def test_the_threshold_follows_how_unrelated_rows_lie(offset):
    rows = unit(drawn(500) + offset * drawn(1, seed=9))
    cosines = (rows @ rows.T)[np.triu_indices(500, 1)]
    expected = 1 - 0.15 * (1 - max(np.quantile(cosines, 0.05), 0))
    assert copy_threshold(rows) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("d", [3, 5, 8, 16, 48, 384])
def test_drawn_rows_are_no_copies_in_any_dimension(d):
    rows = drawn(300, d)
    assert len(distinct_rows(rows)) >= 299
    brute = np.sort(rows[:50] @ rows[50:].T, axis=1)[:, -10:].mean(axis=1)
    np.testing.assert_allclose(nearness(rows[:50], rows[50:], 10, share=OF_VECTORS), brute, atol=2e-3)


@pytest.mark.parametrize("n", [20, 40, 200])
def test_of_copies_the_first_is_kept(n):
    rows = drawn(n)
    many = np.concatenate([rows, near_copies(rows[0], n, 0.1), rows[: n // 2]])
    order = np.random.default_rng(3).permutation(len(many))[:2048]
    kept = distinct_rows(many[order])
    assert kept.tolist() == first_of_each(many[order], copy_threshold(many[order][kept]))
    assert len(kept) == len(set(np.where(order < n, order, np.where(order < 2 * n, 0, order - 2 * n)).tolist()))


def test_among_many_rows_frequent_copies_are_found():
    rows = np.concatenate(
        [drawn(3000), np.repeat(drawn(1, seed=4), 900, axis=0), near_copies(drawn(1, seed=5)[0], 500, 0.2)]
    )
    kept = distinct_rows(rows)
    assert kept.tolist() == [*range(3000), 3000, 3900]
    assert distinct_rows(rows[:3000]).tolist() == list(range(3000))


def test_copies_are_of_one_language_and_zero_rows_are_none():
    rows = np.concatenate([drawn(20), drawn(20), np.zeros((2, 64), np.float32)]) * 3
    assert distinct_by_language(rows, [range(40), range(40, 42)]).tolist() == [*range(20), 40, 41]
    assert distinct_by_language(rows, [range(20), range(20, 42)]).tolist() == list(range(42))
    assert distinct_by_language(rows, []).tolist() == []
    assert distinct_places(rows[[0, 20, 1]] / 3, 3, [EQUAL] * 3) == [0, 2]
    assert distinct_places(rows[[0, 20, 1]] / 3, 2, [EQUAL] * 3, ["a", "b", "b"]) == [0, 1]


@pytest.mark.parametrize("apart", [False, True])
def test_nearness_of_many_rows_is_that_of_each(apart):
    rows = drawn(150)
    others = np.concatenate([rows[20:], *(near_copies(row, 30, 0.1, 7) for row in rows[20:24])])
    one_by_one = [nearness(row[None], others, 10, apart=apart)[0] for row in rows]
    np.testing.assert_allclose(nearness(rows, others, 10, apart=apart), one_by_one, atol=1e-6)


@pytest.mark.parametrize("copies", [1, 2, 10, 200])
@pytest.mark.parametrize("noise", [0.0, 0.1, 0.2])
def test_nearness_counts_copies_once(copies, noise):
    rows = drawn(150)
    others = np.concatenate([rows[20:], *(near_copies(row, copies - 1, noise, 7) for row in rows[20:24])])
    once = nearness(rows, rows[20:], 10)
    np.testing.assert_allclose(nearness(rows, others, 10), once, atol=1e-6 if noise == 0 else 0.03)
    apart = nearness(rows[20:24], others, 10, apart=True)
    brute = [np.sort(np.delete(rows[20:] @ rows[20 + i], i))[-10:].mean() for i in range(4)]
    np.testing.assert_allclose(apart, brute, atol=1e-6 if noise == 0 else 0.03)


def test_of_nothing_but_copies_nearness_is_one():
    rows = np.repeat(drawn(1), 5, axis=0)
    np.testing.assert_allclose(nearness(rows, rows, 3, apart=True), 1, atol=1e-6)


def repeated(passages, copies, text="dune.en camel.en"):
    return [*passages, *(Passage(f"copy{number}", text, "en") for number in range(copies))]


def answers(search, question="dune.en", language="en", **options):
    """Score of each text, which equal passages have in common; the copies first."""
    found = search.search([question], 500, language=language, **options)[0]
    scores = {}
    for hit in found:
        assert scores.setdefault(hit.text, hit.score) == pytest.approx(hit.score, abs=2e-6)
    return scores


@pytest.mark.parametrize("copies", [2, 8, 12, 50])
@pytest.mark.parametrize("options", [{}, {"balance": True}])
def test_a_passage_that_is_there_many_times_is_ranked_as_one_that_is_there_once(
    passages, fake_encoder, copies, options
):
    once = answers(CrossLingualSearch.build(repeated(passages, 1), fake_encoder), **options)
    many = answers(CrossLingualSearch.build(repeated(passages, copies), fake_encoder), **options)
    assert next(iter(once)) == next(iter(many)) == "dune.en camel.en"
    assert many == pytest.approx(once, abs=5e-6)


@pytest.mark.parametrize("ranking", ["csls", "cosine"])
@pytest.mark.parametrize("method", ["centring", "mean-variance", "lir", "lsar"])
def test_copies_do_not_shift_what_removes_language(passages, fake_encoder, ranking, method):
    build = lambda copies: CrossLingualSearch.build(  # noqa: E731
        repeated(passages, copies), fake_encoder, ranking=ranking, space=method
    )
    assert answers(build(30)) == pytest.approx(answers(build(1)), abs=1e-5)


@pytest.mark.parametrize("copies", [1, 12, 50])
def test_lines_that_differ_by_a_number_count_once(passages, fake_encoder, copies):
    words = " ".join(f"word{number}.en" for number in range(16))
    given = [*passages, *(Passage(f"page{n}", f"{words} page{n}.en", "en") for n in range(copies))]
    search = CrossLingualSearch.build(given, fake_encoder)
    question = " ".join(f"word{number}.en" for number in range(0, 16, 4))
    assert search.search([question], 1, language="en")[0][0].id.startswith("page")
    about = 2 * search.search([question], 1, language="en")[0][0].cosine
    assert search.search([question], 1, language="en")[0][0].score > about - 1.0


def test_what_is_added_many_times_is_ranked_as_what_is_added_once(passages, fake_encoder):
    found = []
    for copies in (1, 30):
        search = CrossLingualSearch.build(passages, fake_encoder)
        for each in repeated([], copies):
            search.upsert([each])
        found.append(answers(search))
    assert found[1] == pytest.approx(found[0], abs=5e-6)
    assert next(iter(found[1])) == "dune.en camel.en"


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
def test_a_build_over_shards_counts_copies_once(corpus, tmp_path, kind):
    text = next(each.text for each in corpus.passages if each.language == "sw")
    extra = tmp_path / "copies.jsonl"
    lines = [json.dumps({"id": f"c{n}", "text": text, "language": "sw"}) + "\n" for n in range(40)]
    extra.write_text("".join(lines), encoding="utf-8")
    found = []
    for name, inputs in (("once", corpus.files), ("many", [*corpus.files, extra])):
        build_index(inputs, tmp_path / name, encoder_name=corpus.encoder, kind=kind)
        found.append(answers(CrossLingualSearch.load(tmp_path / name), text, "sw", languages=["sw"]))
    assert next(iter(found[1])) == next(iter(found[0])) == text
    shared = found[0].keys() & found[1].keys()
    assert {key: found[1][key] for key in shared} == pytest.approx({key: found[0][key] for key in shared}, abs=2e-5)


@pytest.mark.parametrize("kind", ["flat", "ivf-flat"])
def test_sources_that_are_there_many_times_count_once(kind, tmp_path):
    sources, targets = drawn(200), drawn(300, seed=2)
    many = np.concatenate([sources, np.repeat(sources[:3], 40, axis=0), near_copies(sources[5], 30, 0.05)])
    config = {"n_lists": 4, "nprobe": 4, "train_size": 200} if kind == "ivf-flat" else None
    means = []
    for given in (sources, many):
        made = HubCorrectedCollection.create(given, kind=kind, config=config)
        made.add([str(row) for row in range(300)], targets)
        made.save(tmp_path / str(len(given)))
        means.append(HubCorrectedCollection.load(tmp_path / str(len(given))).means(made.collection.ids))
    np.testing.assert_allclose(means[1], means[0], atol=5e-3)


def test_removing_language_counts_copies_once():
    rows = drawn(40) + 0.5
    many = np.concatenate([rows, np.repeat(rows[20:21], 60, axis=0)])
    one, other = (
        remove_languages(each, ["fi"] * 20 + ["sw"] * (len(each) - 20), "", "centring") for each in (rows, many)
    )
    assert remove_languages(many[40:], ["sw"] * 60, "", "auto") is None  # sixty times one passage
    for name in ("fi", "sw", "und"):
        np.testing.assert_allclose(one.maps[name].normalization.means, other.maps[name].normalization.means, atol=1e-6)


def test_a_memory_with_many_translations_of_one_sentence_knows_how_sure_it_is(fake_encoder):
    topics = [f"topic{n}" for n in range(40)]
    pairs = [Pair(f"{each}.en yes.en", f"{each}.sw ndiyo.sw yes.sw", "en", "sw") for each in topics]
    again = [Pair("topic0.en yes.en", "topic0.sw ndiyo.sw" + n * " " + " yes.sw", "en", "sw") for n in range(1, 60)]
    once = TranslationMemory.build(pairs, fake_encoder).search(["topic0.en"], 1, language="en")[0][0]
    many = TranslationMemory.build([*pairs, *again], fake_encoder).search(["topic0.en"], 1, language="en")[0][0]
    assert many.pair.source == once.pair.source == "topic0.en yes.en"
    assert many.confidence == pytest.approx(once.confidence, abs=0.05)
