import numpy as np
import pytest

from interlingua.pipelines import CrossLingualSearch
from interlingua.pipelines.encoders.load import load_encoder
from interlingua.pipelines.search.languages import centre_languages
from interlingua.pipelines.search.questions import centre_on_questions


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def lying():
    """A space of two languages, and questions in them: those of each lie beside its passages."""
    rng = np.random.default_rng(0)
    passages = unit(rng.normal(size=(400, 64)) + 2)
    names = ["fi"] * 200 + ["sw"] * 200
    space = centre_languages(passages, names, "an encoder")
    centres = {name: each.normalization.means[0] for name, each in space.maps.items()}
    away = {"fi": 0.2 * np.eye(64)[0], "sw": 0.2 * np.eye(64)[1]}
    return space, centres, {name: unit(centres[name] + away[name] + 0.08 * rng.normal(size=(200, 64))) for name in away}


def test_centres_move_to_where_questions_lie_by_the_formula(lying):
    space, centres, asked = lying
    rows = np.concatenate([asked["fi"][:90], asked["sw"][:40]])
    learned = centre_on_questions(space, rows, ["fi"] * 90 + ["sw"] * 40)
    now = {name: each.normalization.means[0] for name, each in learned.maps.items()}
    weights = {"fi": 90 / 100, "sw": 40 / 50}
    moves = {
        name: weights[name] * (asked[name][:n].mean(axis=0) - centres[name]) for name, n in (("fi", 90), ("sw", 40))
    }
    common = sum(weights[name] * moves[name] for name in moves) / sum(weights.values())
    for name in moves:
        np.testing.assert_allclose(now[name], centres[name] + common / 2 + moves[name] / 2, atol=1e-5)
    np.testing.assert_allclose(now["und"], centres["und"] + common, atol=1e-5)
    assert learned.provenance["questions"] == 130


def test_few_questions_and_repeated_ones_tell_nothing(lying):
    space, _, asked = lying
    assert centre_on_questions(space, asked["fi"][:29], ["fi"] * 29) is space
    assert centre_on_questions(space, np.repeat(asked["fi"][:20], 9, axis=0), ["fi"] * 180) is space
    assert centre_on_questions(space, asked["fi"][:0], []) is space


def test_what_all_questions_ask_for_stays(lying):
    space, centres, _ = lying
    rng = np.random.default_rng(2)
    topic = unit(rng.normal(size=(1, 64)))
    rows = centres["fi"] + 0.5 * (topic + 0.09 * rng.normal(size=(60, 64)))
    rows = unit(rows)
    learned = centre_on_questions(space, 3 * rows, ["fi"] * 60)
    moved = np.linalg.norm(learned.maps["fi"].normalization.means[0] - centres["fi"])
    assert moved < 0.1 * np.linalg.norm(rows.mean(axis=0) - centres["fi"])


def test_a_search_learns_from_a_batch_for_itself_and_from_a_list_for_good(corpus, tmp_path):
    search = CrossLingualSearch.build(corpus.passages, load_encoder(corpus.encoder), space="centring")
    rng = np.random.default_rng(1)
    asked = [f"w{one}en w{other}en w{more}en" for one, other, more in rng.integers(0, 30, (80, 3))]
    search.question_space = type(search.space)(  # as where the encoder knows the questions about anything
        search.space.maps, search.space.method, search.space.encoder, provenance={"shift": 0.4}
    )
    before = search.question_space
    alone = search.search(asked[:1], 5, language="en")
    together = search.search(asked, 5, language="en")
    assert search.question_space is before
    assert search.search(asked[:29], 5, language="en")[:1] == alone
    assert together[:1] != alone
    assert search.learn_questions(asked[:20], "en") == 0
    assert 30 <= search.learn_questions(asked, "en") <= len(set(asked))
    assert search.search(asked[:1], 5, language="en") == together[:1] == search.search(asked, 5, language="en")[:1]
    search.save(tmp_path / "c")
    again = CrossLingualSearch.load(tmp_path / "c", search.encoder)
    assert [hit.id for hit in again.search(asked[:1], 5, language="en")[0]] == [hit.id for hit in together[0]]


def test_where_nothing_was_removed_nothing_is_learned(corpus):
    search = CrossLingualSearch.build(corpus.passages, load_encoder(corpus.encoder), space=None)
    assert search.learn_questions([f"w{number}en" for number in range(50)]) == 0
