import numpy as np
import pytest

from interlingua.align import Embeddings
from interlingua.index import Collection
from interlingua.pipelines import CrossLingualSearch, Passage
from interlingua.pipelines.commands.main import main
from interlingua.pipelines.encoders.load import load_encoder
from interlingua.pipelines.search import rerank_languages
from interlingua.pipelines.search.preference import ScoreSample, as_preference, own_language_bonus

QUESTIONS = ["w3en w4en", "w10sw w20sw", "w7zh w30zh w1zh"]


@pytest.fixture(scope="module")
def build(corpus):
    encoder = load_encoder(corpus.encoder)
    made = {}

    def build(**options):
        key = str(options)
        if key not in made:
            made[key] = CrossLingualSearch.build(corpus.passages, encoder, lexical=False, **options)
        return made[key]

    return build


@pytest.mark.parametrize("wrong", ["mine", -0.1, 1.5, True, None, float("nan"), ""])
def test_a_preference_is_a_name_or_a_number_between(wrong):
    with pytest.raises(ValueError, match=r"one of own, balanced, blind, or a number from 0"):
        as_preference(wrong)


def test_the_bonus_falls_from_own_to_blind():
    found = [own_language_bonus(each) for each in ("own", 0.1, 0.3, "balanced", 0.8, "blind")]
    assert found[0] == np.inf
    assert found == sorted(found, reverse=True)
    assert found[3] == 0.6
    assert found[-1] == 0


def test_order_is_that_of_the_formula():
    rng = np.random.default_rng(0)
    scores, names = rng.normal(size=(5, 40)), rng.choice(["en", "de", "fr-FR"], 40)
    asked = ["en", "de", "fr", "und", "ja"]
    found = rerank_languages(scores, names.tolist(), asked, prefer=0.25)
    for row, own, order in zip(scores, ["en", "de", "fr-FR", "", ""], found):
        expected = []
        for score, name in zip(row, names):
            mine = row[names == name]
            middle = (len(mine) * mine.mean() + 3 * row.mean()) / (len(mine) + 3)
            wide = (len(mine) * mine.std() + 3 * row.std()) / (len(mine) + 3)
            expected.append(row.mean() + row.std() * (score - middle) / wide + 1.8 * row.std() * (name == own))
        np.testing.assert_array_equal(order, np.argsort(-np.array(expected), kind="stable"))


def test_what_one_language_scores_higher_by_is_taken_away():
    rng = np.random.default_rng(1)
    scores, names = rng.normal(size=4000), np.array(["en", "de"] * 2000)
    biased = scores + 3 * (names == "en")
    order = rerank_languages(biased, names.tolist(), "en", prefer="blind")
    assert np.mean(names[order[:200]] == "en") == pytest.approx(0.5, abs=0.08)
    plain = rerank_languages(biased, names.tolist(), "en", prefer="blind", level=False)
    np.testing.assert_array_equal(plain, np.argsort(-biased, kind="stable"))
    own = rerank_languages(scores, names.tolist(), "en", prefer="own")
    assert (names[own[:2000]] == "en").all()


def test_what_was_not_found_comes_last_and_each_question_may_have_its_own_texts():
    scores = [[0.5, -np.inf, 0.7], [0.1, 0.2, -np.inf]]
    names = [["en", "en", "de"], ["de", "en", "en"]]
    found = rerank_languages(scores, names, "de", prefer="own")
    assert found.tolist() == [[2, 0, 1], [0, 1, 2]]
    assert rerank_languages([0.3, 0.3], ["en", "de"]).tolist() == [0, 1]
    assert rerank_languages([-np.inf, -np.inf], ["en", "de"], "de").tolist()[:1] == [0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([1.0, np.nan], ["a", "b"]), "hold NaN or infinity"),
        (([1.0, np.inf], ["a", "b"]), "hold NaN or infinity"),
        ((np.ones((1, 1, 2)), ["a", "b"]), r"shape \(1, 1, 2\)"),
        (([1.0, 2.0], ["a"]), "languages must name that of each text, 2"),
        (([1.0, 2.0], "ab"), "languages must name that of each text, 2"),
        ((np.ones((2, 2)), [["a", "b"]]), "languages must name that of each text, 2"),
        ((np.ones((2, 2)), ["a", "b"], ["a"]), "2 questions and 1 languages"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        rerank_languages(*arguments)


@pytest.mark.parametrize("options", [{}, {"kind": "faiss-flat"}, {"ranking": "cosine"}, {"kind": "hnsw"}], ids=str)
def test_hits_are_the_best_of_all_scores_with_the_bonus_on_them(build, options):
    search, spoken = build(**options), ["en", "sw", "zh"]
    vectors, asked_in = search.map_questions(QUESTIONS)
    assert asked_in == spoken
    everything = search.search_vectors(vectors, 300)
    units = search._finder.sample.spread(vectors) / (1 if search.ranking == "csls" else 2)
    for p in (0.05, 0.3, 0.5, 0.9):
        found = search.search(QUESTIONS, 7, prefer=p)
        for hits, whole, own, unit in zip(found, everything, spoken, units):
            scored = {hit.id: hit.score + own_language_bonus(p) * unit * (hit.language == own) for hit in whole}
            best = sorted(scored.values(), reverse=True)[:7]
            np.testing.assert_allclose([hit.score for hit in hits], best, atol=1e-4)
            np.testing.assert_allclose([scored[hit.id] for hit in hits], best, atol=1e-4)


def test_own_comes_first_blind_is_as_without_and_balanced_is_the_default(build):
    search = build()
    vectors, spoken = search.map_questions(QUESTIONS)
    assert search.search(QUESTIONS, 9, prefer="blind") == search.search_vectors(vectors, 9)
    assert search.search(QUESTIONS, 9) == search.search(QUESTIONS, 9, prefer=0.5) != search.search_vectors(vectors, 9)
    for hits, own in zip(search.search(QUESTIONS, 120, prefer="own"), spoken):
        assert [hit.language for hit in hits[:100]] == [own] * 100
        assert own not in {hit.language for hit in hits[100:]}
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_nothing_is_preferred_where_it_cannot_be_known(build, corpus):
    search = build()
    blind = search.search(QUESTIONS, 5, language="und", prefer="blind")
    assert search.search(QUESTIONS, 5, language="und", prefer="own") == blind
    few = CrossLingualSearch.build(corpus.passages[:60], search.encoder, lexical=False)
    vectors, _ = few.map_questions(QUESTIONS)
    assert few.search(QUESTIONS, 5) == few.search_vectors(vectors, 5)
    assert [hit.language for hit in few.search(QUESTIONS, 5, prefer="own")[0]] == ["en"] * 5
    with pytest.raises(ValueError, match="balance and prefer exclude each other"):
        search.search(QUESTIONS, 5, balance=True, prefer=0.5)


def test_filters_hold_for_what_is_preferred(build):
    for prefer in ("own", 0.2):
        hits = build().search(QUESTIONS[:1], 9, prefer=prefer, where={"page": 3}, languages=["en", "zh"])[0]
        assert {hit.metadata["page"] for hit in hits} == {3}
        assert {hit.language for hit in hits} <= {"en", "zh"}


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
def test_vectors_of_another_program_are_levelled_only_when_asked(build, corpus, metric):
    encoder = build().encoder
    theirs = Collection.create(encoder.dimension, metric, "flat")
    raw = encoder.encode([each.text for each in corpus.passages], role="passage")
    theirs.add([each.id for each in corpus.passages], raw, [{"lang": each.language} for each in corpus.passages])
    search = CrossLingualSearch.over(theirs, encoder, language_field="lang")
    asked = encoder.encode(QUESTIONS, role="query")
    assert [hit.id for hit in search.search(QUESTIONS, 5)[0]] == list(theirs.search(asked, 5).ids[0])
    scores = {"cosine": asked @ raw.T, "ip": asked @ raw.T}.get(metric, -((asked[:, None] - raw) ** 2).sum(axis=2))
    languages = [each.language for each in corpus.passages]
    for prefer in (1.0, 0.4):
        found = search.search(QUESTIONS, 8, language="zh", prefer=prefer)
        order = rerank_languages(scores, languages, "zh", prefer=prefer)
        assert [[hit.id for hit in hits] for hits in found] == [[f"p{i}" for i in row[:8]] for row in order]
    assert ScoreSample.of_rows(search._ranked, "lang").metric.value == metric


def test_the_dial_on_the_command_line(corpus, tmp_path, capsys):
    def run(*arguments):
        code = main([str(each) for each in arguments])
        return code, *capsys.readouterr()

    assert run("index", "build", corpus.files[0], "--encoder", corpus.encoder, "-o", tmp_path / "c")[0] == 0
    asked = ("search", tmp_path / "c", QUESTIONS[1], "-k", 5, "--json", "--prefer")
    code, out, _ = run(*asked, "own")
    assert code == 0
    assert out.count('"language": "sw"') == 5
    assert run(*asked, "0")[1] == out
    code, _, err = run(*asked, "mine")
    assert code == 2
    assert "expected own, balanced, blind or a number from 0 to 1, but got 'mine'" in err
    code, _, err = run(*asked, "0.5", "--balance")
    assert code == 2
    assert "--balance" in err
    assert "--prefer" in err
    build = ("index", "build", corpus.files[0], "--encoder", corpus.encoder, "--method", "none", "-o", tmp_path / "raw")
    assert run(*build)[0] == 0
    *_, err = run("search", tmp_path / "raw", QUESTIONS[1], "--prefer", "own")
    assert "the language of questions is not known here, so none is preferred: name it with --language" in err


def test_script_alone_tells_the_language_where_no_mean_does(tmp_path, capsys):
    said = {
        "zh": "水是生命",
        "ru": "вода это жизнь",
        "en": "water is life",
        "de": "Wasser ist Leben",
        "ja": "みずはいのち",
    }
    words = [word for text in said.values() for word in text.split()]
    vectors = np.random.default_rng(0).normal(size=(len(words), 8)).astype(np.float32)
    Embeddings(tuple(words), vectors, "words").write(tmp_path / "words.vec")
    passages = [Passage(f"{name}{row}", text, name) for name, text in said.items() for row in range(2)][:9]
    search = CrossLingualSearch.build(passages, encoder_name=tmp_path / "words.vec")
    assert search.space is None  # too few texts for a mean
    asked = ["水是生命", "жизнь", "water", "みずはいのち"]
    raw = search.encoder.encode(asked, role="query")
    assert search.guess_languages(raw, asked) == ["zh", "ru", "und", "ja"]
    assert search.guess_languages(raw) == ["und"] * 4
    assert [search.search([each], 2, prefer="own")[0][0].language for each in asked[:2]] == ["zh", "ru"]
    search.save(tmp_path / "c")
    told = []
    for each in asked:
        assert main(["search", str(tmp_path / "c"), each, "--prefer", "own"]) == 0
        told.append("the language of questions is not known here" in capsys.readouterr().err)
    assert told == [False, False, True, False]
