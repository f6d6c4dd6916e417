import numpy as np
import pytest

from interlingua.align import Embeddings, Normalization, SharedSpace, SpaceError, SpaceMap
from interlingua.align.language import Centring
from interlingua.index import Collection
from interlingua.pipelines import CrossLingualSearch, Passage
from interlingua.pipelines.encoders.static import StaticEncoder
from interlingua.pipelines.search.languages import everyday_questions, map_by_language
from interlingua.pipelines.search.ranked import own_vectors

QUESTIONS = ["fish.zh", "king.en bread.en", "snow.sw"]


def unit(rows):
    rows = np.asarray(rows, np.float64)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def by_definition(passages, encoder, question, language, *, neighborhood=10):
    """Score every passage by the formulas of the docstrings, in float64, one at a time."""
    raw = {each.id: unit(encoder.encode([each.text], role="passage")[0]) for each in passages}
    groups = {}
    for each in passages:
        groups.setdefault(each.language, []).append(raw[each.id])
    centres = {name: np.mean(rows, axis=0) for name, rows in groups.items() if len(rows) >= 10}
    centres["und"] = np.mean(list(centres.values()), axis=0)
    everyday = encoder.encode(everyday_questions(), role="query").mean(axis=0)
    shift = 0.4 * (everyday - np.mean(list(centres.values()), axis=0))
    mapped = {each.id: unit(raw[each.id] - centres.get(each.language, centres["und"])) for each in passages}
    asked = unit(encoder.encode([question], role="query")[0])
    asked = unit(asked - centres.get(language, centres["und"]) - shift)
    cosines = {id: float(vector @ asked) for id, vector in mapped.items()}
    own = np.mean(sorted(cosines.values())[-neighborhood:])
    hubness = {}
    for each in passages:
        same = [other.id for other in passages if other.language == each.language and other.id != each.id]
        if len(same) >= neighborhood:
            nearest = sorted((float(mapped[each.id] @ mapped[other]) for other in same), reverse=True)
            hubness[each.id] = np.mean(nearest[:neighborhood])
    typical = np.mean(list(hubness.values()))
    scores = {id: 2 * cosine - hubness.get(id, typical) - own for id, cosine in cosines.items()}
    return scores, cosines


def answers(search, **options):
    return [[(hit.id, round(hit.score, 5)) for hit in hits] for hits in search.search(QUESTIONS, 5, **options)]


@pytest.mark.parametrize("neighborhood", [1, 4, 10])
def test_scores_are_csls_by_definition_and_cosines_are_cosines(passages, fake_encoder, neighborhood):
    # two languages too small for a mean of their own, one of them large enough for one neighbour
    given = [
        *passages,
        Passage("fi-1", "sun.fi moon.fi", "fi"),
        Passage("fi-2", "gold.fi", "fi"),
        Passage("x", "sea.xx", "xx"),
    ]
    search = CrossLingualSearch.build(given, fake_encoder, neighborhood=neighborhood, lexical=False)
    for question, language in (("fish.zh", "zh"), ("king.en bread.en", "en"), ("sea.fi", "fi"), ("sea.ja", "ja")):
        scores, cosines = by_definition(given, fake_encoder, question, language, neighborhood=neighborhood)
        hits = search.search([question], len(given), language=language)[0]
        assert [hit.id for hit in hits] == sorted(scores, key=lambda id: -scores[id])
        np.testing.assert_allclose([hit.score for hit in hits], [scores[hit.id] for hit in hits], atol=2e-6)
        np.testing.assert_allclose([hit.cosine for hit in hits], [cosines[hit.id] for hit in hits], atol=2e-6)


def test_centring_finds_the_same_topic_in_every_language(passages, fake_encoder):
    hits = CrossLingualSearch.build(passages, fake_encoder).search(["fish.zh"], 3, language="zh")[0]
    assert {hit.id for hit in hits} == {"en-fish", "sw-fish", "zh-fish"}
    alone = CrossLingualSearch.build(passages, fake_encoder, space=None, ranking="cosine")
    assert {hit.language for hit in alone.search(["fish.zh"], 3)[0]} == {"zh"}  # what centring is there for


def test_hits_carry_the_passage(passages, fake_encoder):
    hit = CrossLingualSearch.build(passages, fake_encoder).search(["fish.sw"], 1, languages=["sw"])[0][0]
    assert (hit.id, hit.language, hit.text) == ("sw-fish", "sw", "fish.sw noisesw4.sw")
    assert hit.metadata == {"topic": "fish", "odd": 0}


def test_ranking_by_cosine_ranks_and_scores_by_cosine(passages, fake_encoder):
    search = CrossLingualSearch.build(passages, fake_encoder, ranking="cosine", lexical=False)
    _, cosines = by_definition(passages, fake_encoder, "fish.zh", "zh")
    hits = search.search(["fish.zh"], 45, language="zh")[0]
    assert search.ranking == "cosine"
    assert [hit.id for hit in hits] == sorted(cosines, key=lambda id: -cosines[id])
    assert all(hit.score == hit.cosine for hit in hits)


def test_filters_leave_scores_alone_and_take_the_best_that_pass(passages, fake_encoder):
    search = CrossLingualSearch.build(passages, fake_encoder)
    everything = search.search(["fish.zh"], 45)[0]
    some = search.search(["fish.zh"], 45, languages=["sw", "en"])[0]
    assert [hit.id for hit in some] == [hit.id for hit in everything if hit.language in ("sw", "en")]
    odd = search.search(["fish.zh"], 3, where={"odd": 1})[0]
    assert [hit.id for hit in odd] == [hit.id for hit in everything if hit.metadata["odd"]][:3]
    np.testing.assert_allclose(
        [h.score for h in odd], [h.score for h in everything if h.metadata["odd"]][:3], atol=1e-6
    )
    with pytest.raises(ValueError, match="no text in 'ja'; there is: en, sw, zh"):
        search.search(["fish.zh"], 3, languages=["ja"])


@pytest.mark.parametrize("count", [1, 3, 10])
def test_in_a_small_collection_the_same_text_is_the_first_hit_by_cosine(passages, fake_encoder, count):
    search = CrossLingualSearch.build(passages[:count], fake_encoder)
    assert search.ranking == "cosine"  # too few to measure hubness against
    for each in passages[:count]:
        assert search.search([each.text], 1)[0][0].id == each.id


def test_more_hits_than_passages_are_asked_for(passages, fake_encoder):
    assert len(CrossLingualSearch.build(passages, fake_encoder).search(["sun.en"], 1000)[0]) == 45


def test_no_question_gives_no_answer(passages, fake_encoder):
    search = CrossLingualSearch.build(passages, fake_encoder)
    assert search.search([]) == []
    assert search.search([], language="sw") == []


def test_one_passage_alone_is_found_with_its_cosine(fake_encoder):
    search = CrossLingualSearch.build([Passage("a", "sun.en")], fake_encoder)
    hit = search.search(["sun.en"], 3)[0][0]
    expected = fake_encoder.encode(["sun.en"], role="query")[0] @ fake_encoder.encode(["sun.en"], role="passage")[0]
    assert hit.cosine == pytest.approx(float(expected), abs=1e-6)
    assert search.ranking == "cosine"  # nothing to measure hubness against


def test_fewer_than_ten_passages_are_not_centred(passages, fake_encoder):
    assert CrossLingualSearch.build(passages[:9], fake_encoder).space is None
    assert CrossLingualSearch.build(passages[:10], fake_encoder).space.languages == ("en", "und")


def test_a_language_with_few_passages_shares_the_mean_of_the_others(passages, fake_encoder):
    search = CrossLingualSearch.build([*passages, Passage("fi-1", "fish.fi", "fi")], fake_encoder)
    assert set(search.space.languages) == {"en", "sw", "zh", "und"}
    means = [search.space.maps[name].normalization.means[0] for name in ("en", "sw", "zh")]
    np.testing.assert_allclose(search.space.maps["und"].normalization.means[0], np.mean(means, axis=0), atol=1e-6)


def test_languages_are_guessed_by_the_nearest_mean(passages, fake_encoder):
    search = CrossLingualSearch.build(passages, fake_encoder)
    texts = [f"{word}.{code}" for code in ("zh", "sw", "en") for word in ("planet", "war")]
    raw = fake_encoder.encode(texts, role="query")
    assert search.guess_languages(raw) == ["zh", "zh", "sw", "sw", "en", "en"]
    guessed = search.search(["planet.sw", "planet.zh"], 5)
    told = [search.search([text], 5, language=code)[0] for text, code in (("planet.sw", "sw"), ("planet.zh", "zh"))]
    assert guessed == told


def test_without_means_no_language_is_guessed(passages, fake_encoder):
    search = CrossLingualSearch.build(passages, fake_encoder, space=None)
    assert search.guess_languages(fake_encoder.encode(["sun.sw"])) == ["und"]


def test_upsert_replaces_by_id_and_adds_with_the_same_measure(passages, fake_encoder):
    search = CrossLingualSearch.build(passages, fake_encoder)
    before = answers(search)
    search.upsert(passages[:7])
    assert answers(search) == before
    assert len(search) == 45
    search.upsert([Passage("sw-sun", "volcano.sw", "sw"), Passage("new", "volcano.zh", "zh")])
    assert {hit.id for hit in search.search(["volcano.en"], 2)[0]} == {"sw-sun", "new"}
    assert search.languages == {"zh": 16, "en": 15, "sw": 15}


def test_upsert_in_a_language_without_background_neither_raises_nor_lowers(passages, fake_encoder):
    search = CrossLingualSearch.build(passages, fake_encoder)
    search.upsert([Passage("fi-1", "fish.fi", "fi")])
    folded = search.collection.vectors(search.collection.ids)
    others, new = -folded[:-1, -1], -folded[-1, -1]
    assert new == pytest.approx(others.mean(), abs=1e-6)


def test_upsert_of_nothing_changes_nothing(passages, fake_encoder):
    search = CrossLingualSearch.build(passages, fake_encoder)
    search.upsert([])
    assert len(search) == 45


def test_removed_passages_are_not_found_and_a_search_may_become_empty(passages, fake_encoder):
    search = CrossLingualSearch.build(passages, fake_encoder)
    search.remove(["zh-fish"])
    assert "zh-fish" not in {hit.id for hit in search.search(["fish.zh"], 100)[0]}
    with pytest.raises(KeyError, match="zh-fish"):
        search.remove(["en-fish", "zh-fish"])
    assert len(search) == 44
    search.remove([each.id for each in passages if each.id != "zh-fish"])
    assert search.search(["fish.zh"], 3) == [[]]
    search.upsert(passages[:2])
    assert len(search) == 2


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ranking": "cosine"},
        {"space": None},
        {"space": "mean-covariance"},
        {"space": "lsar"},
        {"kind": "hnsw"},
        {"kind": "ivf-flat"},
        {"kind": "ivf-flat", "ranking": "cosine"},
    ],
)
def test_a_saved_search_answers_as_before(passages, fake_encoder, tmp_path, options):
    search = CrossLingualSearch.build(passages, fake_encoder, neighborhood=4, **options)
    search.save(tmp_path / "c")
    loaded = CrossLingualSearch.load(tmp_path / "c", fake_encoder)
    assert loaded.search(QUESTIONS, 45) == search.search(QUESTIONS, 45)
    assert (loaded.ranking, loaded.neighborhood, len(loaded)) == (search.ranking, 4, 45)
    loaded.upsert([Passage("new", "volcano.zh", "zh")])
    search.upsert([Passage("new", "volcano.zh", "zh")])
    assert loaded.search(QUESTIONS, 46) == search.search(QUESTIONS, 46)


def test_saving_again_leaves_nothing_of_before(passages, fake_encoder, tmp_path):
    CrossLingualSearch.build(passages, fake_encoder).save(tmp_path / "c")
    search = CrossLingualSearch.build(passages[:15], fake_encoder, space=None)
    search.save(tmp_path / "c")
    loaded = CrossLingualSearch.load(tmp_path / "c", fake_encoder)
    assert list(loaded.background) == ["en"]
    assert loaded.space is None
    assert answers(loaded) == answers(search)


def test_another_encoder_is_refused_on_load(passages, fake_encoder, other_fake_encoder, tmp_path):
    CrossLingualSearch.build(passages, fake_encoder).save(tmp_path / "c")
    with pytest.raises(ValueError, match=r"vectors of 'fake-1', but the encoder is 'fake-2'; name the encoder"):
        CrossLingualSearch.load(tmp_path / "c", other_fake_encoder)


def test_an_encoder_without_a_name_must_be_given_on_load(passages, fake_encoder, tmp_path):
    CrossLingualSearch.build(passages, fake_encoder).save(tmp_path / "c")
    with pytest.raises(ValueError, match="no name; give the same encoder again"):
        CrossLingualSearch.load(tmp_path / "c")


def test_a_collection_that_is_no_search_is_refused(tmp_path, fake_encoder):
    collection = Collection.create(2)
    collection.add(["a"], [[1.0, 0.0]])
    collection.save(tmp_path / "c")
    with pytest.raises(ValueError, match="holds no search; `interlingua index build` writes one"):
        CrossLingualSearch.load(tmp_path / "c", fake_encoder)
    with pytest.raises(FileNotFoundError, match="no folder"):
        CrossLingualSearch.load(tmp_path / "nowhere", fake_encoder)


def test_a_space_given_by_the_user_maps_passages_and_questions(passages, fake_encoder):
    rows = {
        code: fake_encoder.encode([each.text for each in passages if each.language == code], role="passage")
        for code in ("en", "sw", "zh")
    }
    space = Centring().fit(rows, encoder="fake-1").space_
    search = CrossLingualSearch.build(passages, fake_encoder, space=space, ranking="cosine")
    asked = space.transform(fake_encoder.encode(["fish.zh"], role="query"), "zh")[0]
    mapped = {
        each.id: space.transform(fake_encoder.encode([each.text], role="passage"), each.language)[0]
        for each in passages
    }
    for hit in search.search(["fish.zh"], 45, language="zh")[0]:
        assert hit.cosine == pytest.approx(float(mapped[hit.id] @ asked), abs=1e-5)
    assert search.search(["fish.zh"], 5) == search.search(["fish.zh"], 5, language="zh")  # guessed
    with pytest.raises(SpaceError, match="'ja', but the space has only: en, sw, zh"):
        search.search(["fish.ja"], language="ja")
    with pytest.raises(SpaceError, match="'fi', but the space has only"):
        search.upsert([Passage("fi-1", "fish.fi", "fi")])
    assert len(search) == 45


def test_a_space_of_another_encoder_or_without_a_language_is_refused_before_encoding(passages, fake_encoder):
    class Unused(type(fake_encoder)):
        def encode(self, texts, *, role="symmetric", progress=False):
            raise AssertionError("encoded in vain")

    plain = SpaceMap(Normalization.fit(np.eye(128, dtype=np.float32), "unit"))
    with pytest.raises(SpaceError, match="learned on vectors of 'fake-2'"):
        CrossLingualSearch.build(passages, Unused(), space=SharedSpace({"en": plain}, "none", "fake-2"))
    with pytest.raises(SpaceError, match="'sw', 'zh', but the space has only: en"):
        CrossLingualSearch.build(passages, Unused(), space=SharedSpace({"en": plain}, "none", "fake-1"))
    with pytest.raises(ValueError, match="metadata of 'a' must not use 'text'"):
        CrossLingualSearch.build([Passage("a", "sun", "en", {"text": 1})], Unused())
    with pytest.raises(ValueError, match="'a' is there twice"):
        CrossLingualSearch.build([Passage("a", "sun"), Passage("a", "moon")], Unused())


def test_a_language_cannot_be_guessed_in_a_space_that_does_not_centre(passages, fake_encoder):
    plain = SpaceMap(Normalization.fit(np.eye(128, dtype=np.float32), "unit"))
    space = SharedSpace(dict.fromkeys(("en", "sw", "zh"), plain), "none", "fake-1")
    search = CrossLingualSearch.build(passages, fake_encoder, space=space)
    with pytest.raises(SpaceError, match="name the language"):
        search.search(["sun.en"])
    assert search.search(["sun.en"], 1, language="en")[0][0].id == "en-sun"


@pytest.mark.parametrize("kind", ["faiss-flat", "hnsw"])
def test_kinds_of_index_agree_with_the_flat_one(passages, fake_encoder, kind):
    flat = CrossLingualSearch.build(passages, fake_encoder).search(QUESTIONS, 10)
    other = CrossLingualSearch.build(passages, fake_encoder, kind=kind).search(QUESTIONS, 10)
    for expected, found in zip(flat, other, strict=True):
        assert [hit.id for hit in found] == [hit.id for hit in expected]
        np.testing.assert_allclose([hit.score for hit in found], [hit.score for hit in expected], atol=1e-5)
        np.testing.assert_allclose([hit.cosine for hit in found], [hit.cosine for hit in expected], atol=1e-5)


@pytest.mark.parametrize("metadata", [{"text": "x"}, {"language": "x"}, {"page": float("nan")}, {"page": {1, 2}}])
def test_metadata_that_cannot_be_kept_is_refused_before_anything_changes(passages, fake_encoder, metadata):
    search = CrossLingualSearch.build(passages, fake_encoder)
    before = answers(search)
    with pytest.raises((ValueError, TypeError), match="metadata of 'bad'"):
        search.upsert([Passage("good", "fish.zh", "zh"), Passage("bad", "fish.zh", "zh", metadata)])
    assert len(search) == 45
    assert answers(search) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"space": "best"}, "languages are removed by one of auto, centring"),
        ({"ranking": "best"}, "ranking must be csls or cosine, but is 'best'"),
        ({"kind": "tree"}, "unknown kind of index 'tree'"),
        ({"neighborhood": 0}, "neighborhood must be at least 1"),
    ],
)
def test_bad_options_are_refused(passages, fake_encoder, options, message):
    with pytest.raises(ValueError, match=message):
        CrossLingualSearch.build(passages, fake_encoder, **options)


def test_bad_questions_are_refused(passages, fake_encoder):
    search = CrossLingualSearch.build(passages, fake_encoder)
    with pytest.raises(ValueError, match="k must be at least 1"):
        search.search(["sun"], 0)
    with pytest.raises(TypeError, match="must be a sequence of strings"):
        search.search("sun")
    with pytest.raises(ValueError, match="at least one passage"):
        CrossLingualSearch.build([], fake_encoder)


def test_large_languages_are_measured_against_a_sample_that_the_seed_draws(fake_encoder, monkeypatch):
    monkeypatch.setattr("interlingua.pipelines.search.ranked._SAMPLE", 20)
    given = [Passage(str(number), f"w{number}.en v{number % 7}.en", "en") for number in range(60)]
    one, two, other = (CrossLingualSearch.build(given, fake_encoder, seed=seed) for seed in (1, 1, 2))
    assert one.background["en"].shape == (20, 128)
    np.testing.assert_array_equal(one.background["en"], two.background["en"])
    assert not np.array_equal(one.background["en"], other.background["en"])


# --- word vectors as the encoder


@pytest.fixture
def french_encoder():
    rng = np.random.default_rng(1)
    words = ("le", "de", "soleil", "lune", "chat", "chien", "maison", "eau", "feu", "arbre", "pain", "lait", "roi")
    return StaticEncoder(Embeddings(words, rng.normal(size=(len(words), 16))))


def test_word_vectors_of_another_language_search_without_a_question_centre(french_encoder, tmp_path):
    words = french_encoder.embeddings.labels[2:]
    given = [Passage(word, f"le {word} de {words[number - 1]}", "fr") for number, word in enumerate(words)]
    search = CrossLingualSearch.build(given, french_encoder)
    assert search.question_space is search.space  # the English questions about anything hold no French word
    assert search.search(["chat"], 2)[0][0].id in {"chat", "chien"}
    search.save(tmp_path / "c")
    assert CrossLingualSearch.load(tmp_path / "c", french_encoder).search(["chat"], 9) == search.search(["chat"], 9)


def test_other_errors_of_an_encoder_are_not_swallowed(passages, fake_encoder):
    class Broken(type(fake_encoder)):
        def encode(self, texts, *, role="symmetric", progress=False):
            if role == "query":
                raise ValueError("out of order")
            return super().encode(texts, role=role)

    with pytest.raises(ValueError, match="out of order"):
        CrossLingualSearch.build(passages, Broken())


def test_texts_without_known_words_are_named(french_encoder):
    with pytest.raises(ValueError, match="the passage 'b' holds no known word: 'zzz'"):
        CrossLingualSearch.build([Passage("a", "chat"), Passage("b", "zzz")], french_encoder)
    search = CrossLingualSearch.build([Passage("a", "chat"), Passage("b", "chien")], french_encoder)
    with pytest.raises(ValueError, match="the question holds no known word: 'zzz'"):
        search.search(["chat", "zzz"])


def test_a_search_finds_its_word_vectors_again_or_says_where_they_were(french_encoder, tmp_path, monkeypatch):
    (tmp_path / "vectors").mkdir()
    monkeypatch.chdir(tmp_path)
    french_encoder.embeddings.write("vectors/fr.vec")
    given = [Passage("a", "le chat"), Passage("b", "le chien")]
    CrossLingualSearch.build(given, encoder_name="vectors/fr.vec").save("c")
    monkeypatch.chdir("/")
    assert CrossLingualSearch.load(tmp_path / "c").search(["chat"], 1)[0][0].id == "a"
    (tmp_path / "vectors" / "fr.vec").rename(tmp_path / "moved.vec")
    with pytest.raises(FileNotFoundError, match=r"built with the encoder .*fr\.vec, which is not there now"):
        CrossLingualSearch.load(tmp_path / "c")
    assert len(CrossLingualSearch.load(tmp_path / "c", tmp_path / "moved.vec")) == 2


@pytest.mark.parametrize("ranking", ["csls", "cosine"])
def test_inverted_lists_rank_as_exact_search_does(passages, fake_encoder, ranking, tmp_path):
    exact = CrossLingualSearch.build(passages, fake_encoder, ranking=ranking)
    lists = CrossLingualSearch.build(passages, fake_encoder, ranking=ranking, kind="ivf-flat")
    assert lists.collection.dimension == exact.collection.dimension - 1
    lists.upsert(passages[:3])
    lists.remove(["zh-fish"])
    exact.remove(["zh-fish"])
    lists.save(tmp_path / "c")
    loaded = CrossLingualSearch.load(tmp_path / "c", fake_encoder)
    for search in (lists, loaded, CrossLingualSearch.load(tmp_path / "c", fake_encoder, mapped=True)):
        for options in ({}, {"balance": True}, {"languages": ["sw"]}):
            for found, truth in zip(search.search(QUESTIONS, 5, **options), exact.search(QUESTIONS, 5, **options)):
                assert [hit.id for hit in found] == [hit.id for hit in truth]
                np.testing.assert_allclose([hit.score for hit in found], [hit.score for hit in truth], atol=2e-6)
    assert [len(hits) for hits in loaded.search(QUESTIONS, 100)] == [44] * 3


@pytest.mark.parametrize("kind", ["flat", "faiss-flat", "hnsw", "ivf-flat"])
@pytest.mark.parametrize("ranking", ["csls", "cosine"])
def test_own_vectors_are_those_that_were_mapped_whatever_ranks_them(passages, fake_encoder, kind, ranking, tmp_path):
    search = CrossLingualSearch.build(passages, fake_encoder, ranking=ranking, kind=kind)
    raw = fake_encoder.encode([each.text for each in passages], role="passage")
    mapped = map_by_language(search.space, raw, [each.language for each in passages])
    search.save(tmp_path / "c")
    loaded = Collection.load(tmp_path / "c")
    ids = [each.id for each in passages]
    for found in (own_vectors(search.collection, ids), own_vectors(loaded, ids), search.vectors(ids)):
        np.testing.assert_allclose(found, mapped, atol=1e-6)
    plain = Collection.create(2, "ip")
    plain.add(["a"], [[3.0, 4.0]])
    assert own_vectors(plain).tolist() == [[3.0, 4.0]]


@pytest.mark.parametrize("kind", ["flat", "ivf-flat"])
def test_languages_are_found_with_and_without_their_region(passages, fake_encoder, kind):
    tags = {"en": "en", "sw": "sw-TZ", "zh": "zh_Hant-TW"}
    regional = [Passage(each.id, each.text, tags[each.language], each.metadata) for each in passages]
    plain, search = (CrossLingualSearch.build(each, fake_encoder, kind=kind) for each in (passages, regional))
    for asked, wanted in (("sw", "sw"), ("SW_tz", "sw"), ("zh-hant", "zh"), ("*", None)):
        for balance in (False, True):
            found = search.search(QUESTIONS, 5, languages=[asked], language="sw", balance=balance)
            truth = plain.search(QUESTIONS, 5, languages=wanted and [wanted], language="sw", balance=balance)
            assert [[hit.id for hit in hits] for hits in found] == [[hit.id for hit in hits] for hits in truth]
            assert [hit.score for hit in found[0]] == pytest.approx([hit.score for hit in truth[0]], abs=1e-6)
    assert search.languages == {"en": 15, "sw-TZ": 15, "zh_Hant-TW": 15}
    with pytest.raises(ValueError, match="no text in 'sw-KE'; there is: en, sw-TZ, zh_Hant-TW"):
        search.search(QUESTIONS, languages=["sw-KE"])
    assert search.search(QUESTIONS, languages=["sw-KE", "en"])[0][0].language == "en"
    with pytest.raises(TypeError, match=r"such as \['sw'\], not one string"):
        search.search(QUESTIONS, languages="sw")


def test_languages_are_learned_without_copying_the_metadata_of_any_row(passages, fake_encoder, monkeypatch):
    search = CrossLingualSearch.build(passages, fake_encoder)
    search.remove([each.id for each in passages if each.language == "en"][:5])
    monkeypatch.setattr(Collection, "get", lambda *_: pytest.fail("rows were copied"))
    assert list(search.languages.items()) == [("sw", 15), ("zh", 15), ("en", 10)]
