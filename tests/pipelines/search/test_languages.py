import numpy as np
import pytest

from interlingua.align import SpaceError
from interlingua.align.language import LEACE, LSAR, REMOVAL_METHODS
from interlingua.align.language.balance import balance_scores
from interlingua.index import Collection
from interlingua.pipelines import CrossLingualSearch, Passage
from interlingua.pipelines.encoders.base import UnknownTextError
from interlingua.pipelines.search.languages import (
    LanguageMethod,
    balanced_search,
    centre_languages,
    check_languages,
    check_method,
    everyday_questions,
    map_by_language,
    remove_languages,
    shift_to_questions,
)


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(30, 6)) + 2
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32), ["fi"] * 12 + ["sw"] * 11 + ["ja"] * 7


def test_each_language_with_ten_passages_is_centred_by_its_own_mean(rows):
    raw, languages = rows
    space = centre_languages(raw, languages, "an encoder")
    assert space.languages == ("fi", "sw", "und")
    assert space.encoder == "an encoder"
    means = {name: each.normalization.means[0] for name, each in space.maps.items()}
    np.testing.assert_allclose(means["fi"], raw[:12].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(means["sw"], raw[12:23].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(means["und"], (raw[:12].mean(axis=0) + raw[12:23].mean(axis=0)) / 2, atol=1e-6)


def test_where_no_language_has_ten_all_share_one_mean(rows):
    raw, _ = rows
    space = centre_languages(raw[:12], ["fi"] * 6 + ["sw"] * 6, "")
    assert space.languages == ("und",)
    np.testing.assert_allclose(space.maps["und"].normalization.means[0], raw[:12].mean(axis=0), atol=1e-6)


def test_passages_of_no_language_have_no_mean_of_their_own(rows):
    raw, _ = rows
    assert centre_languages(raw, ["fi"] * 12 + ["und"] * 18, "").languages == ("fi", "und")


def test_fewer_than_ten_passages_have_no_centre(rows):
    assert centre_languages(rows[0][:9], ["fi"] * 9, "") is None


def test_questions_are_centred_nearer_to_questions_about_anything(rows, fake_encoder):
    raw = fake_encoder.encode([f"w{number}.{code}" for code in ("fi", "sw") for number in range(12)], role="passage")
    space = centre_languages(raw, ["fi"] * 12 + ["sw"] * 12, fake_encoder.identity)
    shifted = shift_to_questions(space, fake_encoder)
    fi, sw = raw[:12].mean(axis=0), raw[12:].mean(axis=0)
    everyday = fake_encoder.encode(everyday_questions(), role="query").mean(axis=0)
    for name, own in (("fi", fi), ("sw", sw), ("und", (fi + sw) / 2)):
        expected = own + 0.4 * (everyday - (fi + sw) / 2)
        np.testing.assert_allclose(shifted.maps[name].normalization.means[0], expected, atol=1e-6)
    assert shifted.encoder == fake_encoder.identity


def test_an_encoder_that_knows_no_english_moves_nothing_and_other_errors_pass(rows):
    class Encoder:
        def __init__(self, error):
            self.error = error

        def encode(self, texts, *, role):
            raise self.error

    space = centre_languages(*rows, "")
    assert shift_to_questions(space, Encoder(UnknownTextError(0, "holds no known word"))) is space
    with pytest.raises(ValueError, match="out of order"):
        shift_to_questions(space, Encoder(ValueError("out of order")))


def test_rows_are_mapped_by_their_language_or_by_und(rows):
    raw, languages = rows
    space = centre_languages(raw, languages, "")
    mapped = map_by_language(space, raw, ["fi", "ja", "sw"] * 10)
    for row, name in ((0, "fi"), (1, "und"), (2, "sw"), (28, "und")):
        np.testing.assert_allclose(mapped[row], space.transform(raw[row : row + 1], name)[0], atol=1e-6)
    assert map_by_language(None, raw, languages) is raw
    assert map_by_language(space, raw[:0], []).shape == (0, 6)


def test_languages_are_checked_only_where_there_is_no_und(rows):
    raw, languages = rows
    space = centre_languages(raw, languages, "")
    check_languages(space, ["xx"])
    own = type(space)({"fi": space.maps["fi"]}, "centring")
    check_languages(own, ["fi"])
    with pytest.raises(SpaceError, match="texts are in 'sw', 'ja', but the space has only: fi; name the languages"):
        check_languages(own, ["sw", "fi", "ja", "sw"])


def test_there_are_forty_different_everyday_questions():
    assert len(set(everyday_questions())) == 40
    assert all(question.endswith("?") for question in everyday_questions())


def test_the_matrix_behind_a_mean_stays_when_questions_move(fake_encoder):
    raw = fake_encoder.encode([f"w{number}.{code}" for code in ("fi", "sw") for number in range(12)], role="passage")
    languages = ["fi"] * 12 + ["sw"] * 12
    everyday = fake_encoder.encode(everyday_questions(), role="query").mean(axis=0)
    for method in ("mean-covariance", "lsar"):
        space = remove_languages(raw, languages, "", method)
        shifted = shift_to_questions(space, fake_encoder)
        centres = {name: each.normalization.means[0] for name, each in space.maps.items()}
        middle = np.mean(list(centres.values()), axis=0)
        for name, each in space.maps.items():
            np.testing.assert_array_equal(shifted.maps[name].matrix, each.matrix)
            moved = shifted.maps[name].normalization.means[0]
            np.testing.assert_allclose(moved, centres[name] + 0.4 * (everyday - middle), atol=1e-6)
    assert shifted.method == "lsar of questions"


def test_maps_without_a_mean_are_not_moved(fake_encoder):
    raw = fake_encoder.encode([f"w{number}.{code}" for code in ("fi", "sw") for number in range(12)], role="passage")
    space = remove_languages(raw, ["fi"] * 12 + ["sw"] * 12, "", "lir")
    shifted = shift_to_questions(space, fake_encoder)
    assert shifted.maps["fi"] is space.maps["fi"]
    assert shifted.maps["und"] is not space.maps["und"]


def test_hits_are_those_of_the_balanced_scores():
    rng = np.random.default_rng(0)
    rows, queries = (rng.normal(size=(n, 8)).astype(np.float32) for n in (30, 5))
    names = ["en", "zh", "ar"] * 10
    collection = Collection.create(8, metric="ip", kind="flat")
    collection.upsert([str(row) for row in range(30)], rows, [{"language": name} for name in names])
    scores = balance_scores(queries @ rows.T, names, neighborhood=3)
    found = balanced_search(collection, queries, 6, languages=["en", "zh", "ar"])
    for number, hits in enumerate(found):
        expected = np.argsort(-scores[number])[:6]
        assert [hit.id for hit, _ in hits] == [str(row) for row in expected]
        assert [score for _, score in hits] == pytest.approx(scores[number, expected], abs=1e-5)


@pytest.mark.parametrize("ranking", ["csls", "cosine"])
def test_every_language_gives_its_best_hit(passages, fake_encoder, ranking):
    search = CrossLingualSearch.build(passages, fake_encoder, space=None, ranking=ranking)
    question = ["sun.en bread.en"]
    plain = [hit.language for hit in search.search(question, 3)[0]]
    balanced = search.search(question, 3, balance=True)[0]
    assert plain == ["en", "en", "en"]
    assert {hit.language for hit in balanced} == {"en", "sw", "zh"}
    assert {hit.metadata["topic"] for hit in balanced} <= {"sun", "bread"}
    scores = [hit.score for hit in balanced]
    assert scores == sorted(scores, reverse=True)


def test_balance_keeps_to_the_languages_and_metadata_asked_for(passages, fake_encoder):
    search = CrossLingualSearch.build(passages, fake_encoder)
    hits = search.search(["sun.en"], 5, languages=["sw", "zh"], where={"odd": 1}, balance=True)[0]
    assert {hit.language for hit in hits} == {"sw", "zh"}
    assert all(hit.metadata["odd"] == 1 for hit in hits)


def test_languages_without_passages_are_said_with_those_that_have_some(passages, fake_encoder):
    search = CrossLingualSearch.build(passages, fake_encoder)
    with pytest.raises(ValueError, match="no text in 'sv'; there is: en, sw, zh"):
        search.search(["sun.en"], 5, languages=["sv"], balance=True)
    found = search.search(["sun.en"], 5, languages=["sv", "sw"], balance=True)[0]
    assert {hit.language for hit in found} == {"sw"}


@pytest.mark.parametrize("method", [LSAR, LEACE])
def test_one_map_for_all_languages_serves_the_search(passages, fake_encoder, tmp_path, method):
    names = ("en", "sw", "zh")
    vectors = {name: fake_encoder.encode([each.text for each in passages if each.language == name]) for name in names}
    space = method().fit(vectors, encoder=fake_encoder.identity).space_
    more = [*passages, Passage("sv-sun", "sun.sv noise.sv", "sv"), Passage("x", "moon.en")]
    search = CrossLingualSearch.build(more, fake_encoder, space=space)
    search.save(tmp_path / "c")
    loaded = CrossLingualSearch.load(tmp_path / "c", fake_encoder)
    hits = loaded.search(["sun.en"], 3)[0]  # the language of the question is neither given nor needed
    assert hits[0].id in {"en-sun", "sw-sun", "zh-sun", "sv-sun"}


def made_rows(sizes, d=6, seed=0):
    rng = np.random.default_rng(seed)
    parts, languages = [], []
    for number, (name, n) in enumerate(sizes.items()):
        spread = np.linspace(1, 1 + number, d)
        parts.append(rng.normal(size=(n, d)) * spread + 2 * np.eye(d)[number % d])
        languages += [name] * n
    raw = np.concatenate(parts)
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32), languages


def test_every_method_of_removal_has_its_name_here():
    assert {*REMOVAL_METHODS, "auto"} == set(LanguageMethod.__args__)
    with pytest.raises(ValueError, match=r"one of auto, centring, .*, but the method is 'best'"):
        check_method("best")


def test_auto_takes_the_covariance_where_passages_are_as_many_as_dimensions():
    raw, languages = made_rows({"fi": 40, "sw": 40, "ja": 15}, d=16)
    space = remove_languages(raw, languages, "an encoder")
    assert space.method == "mean-covariance"
    assert space.encoder == "an encoder"
    assert set(space.maps) == {"fi", "sw", "ja", "und"}
    assert [name for name, each in space.maps.items() if each.matrix is not None] == ["fi", "sw"]
    names = np.array(languages)
    asked = {"fi": raw[names == "fi"], "sw": raw[names == "sw"]}
    expected = REMOVAL_METHODS["mean-covariance"]().fit(asked).space_
    np.testing.assert_allclose(space.maps["sw"].matrix, expected.maps["sw"].matrix, atol=1e-6)
    np.testing.assert_allclose(space.maps["ja"].normalization.means[0], raw[names == "ja"].mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("sizes", [{"fi": 15, "sw": 15}, {"fi": 40}, {"fi": 40, "sw": 12}, {"fi": 40, "und": 40}])
def test_auto_centres_where_no_two_languages_have_so_many(sizes):
    raw, languages = made_rows(sizes, d=16)
    space = remove_languages(raw, languages, "")
    assert space.method == "centring"
    assert all(each.matrix is None for each in space.maps.values())


@pytest.mark.parametrize("method", ["mean-variance", "mean-covariance", "lir"])
def test_a_method_with_a_map_a_language_keeps_the_centres_of_the_small_ones(method):
    raw, languages = made_rows({"fi": 12, "sw": 12, "ja": 5})
    space = remove_languages(raw, languages, "", method)
    assert space.method == method
    assert set(space.maps) == {"fi", "sw", "und"}
    centred = remove_languages(raw, languages, "", "centring")
    np.testing.assert_array_equal(space.maps["und"].normalization.means, centred.maps["und"].normalization.means)


@pytest.mark.parametrize("method", ["lsar", "leace"])
def test_a_method_with_one_map_needs_two_languages_to_compare(method):
    raw, languages = made_rows({"fi": 12, "sw": 12, "ja": 5})
    assert remove_languages(raw, languages, "", method).languages == ("*",)
    with pytest.raises(ValueError, match=f"{method} compares languages: it needs two with at least 10 passages each"):
        remove_languages(raw[:20], languages[:20], "", method)


def test_fewer_than_ten_passages_are_left_alone():
    raw, languages = made_rows({"fi": 5, "sw": 4})
    for method in LanguageMethod.__args__:
        assert remove_languages(raw, languages, "", method) is None


@pytest.mark.parametrize("kind", ["flat", "faiss-flat"])
def test_balance_over_many_rows_is_that_of_one_search_a_language(kind):
    rng = np.random.default_rng(1)
    rows, queries = (rng.normal(size=(n, 8)).astype(np.float32) for n in (4000, 6))
    names = np.where(rng.random(4000) < 0.97, "en", rng.choice(["zh", "ar", "sw"], 4000))  # three are rare
    collection = Collection.create(8, metric="ip", kind=kind)
    collection.add([str(row) for row in range(4000)], rows, [{"language": str(name)} for name in names])
    scores = balance_scores(queries @ rows.T, names.tolist(), neighborhood=3)
    for languages in (["en", "zh", "ar", "sw"], ["sw", "en"]):
        found = balanced_search(collection, queries, 6, languages=languages)
        for number, hits in enumerate(found):
            own = np.where(np.isin(names, languages), scores[number], -np.inf)
            # equal levels: the best of each language is as far above its three best
            expected = [
                own[each]
                for name in languages
                for each in np.flatnonzero(names == name)[np.argsort(-own[names == name])[:6]]
            ]
            assert [score for _, score in hits] == pytest.approx(sorted(expected, reverse=True)[:6], abs=1e-5)


def test_balance_counts_a_row_of_several_languages_in_each():
    collection = Collection.create(2, metric="ip")
    collection.add(["a", "b", "c"], [[1, 0], [0.5, 0], [0.2, 0]], [{"language": x} for x in ("en", ["en", "zh"], "zh")])
    found = balanced_search(collection, np.array([[1, 0]], np.float32), 4, languages=["en", "zh"])[0]
    assert [hit.id for hit, _ in found] == ["a", "b", "c", "b"]
