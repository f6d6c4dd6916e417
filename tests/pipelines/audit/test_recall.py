import numpy as np
import pytest

from interlingua.align.shares import share_interval
from interlingua.pipelines import CrossLingualSearch, Passage
from interlingua.pipelines.audit.recall import beginning, recall_bounds


@pytest.fixture(scope="module")
def texts():
    """Long texts of three languages; those in Chinese are few."""
    rng = np.random.default_rng(0)
    made = []
    for code, n in (("en", 40), ("sw", 40), ("zh", 12)):
        for number in range(n):
            words = [f"w{each}.{code}" for each in rng.integers(0, 400, 24)]
            made.append(Passage(f"{code}-{number}", " ".join(words), code))
    return made


def test_texts_find_themselves_by_their_beginnings(texts, fake_encoder):
    search = CrossLingualSearch.build(texts, fake_encoder)
    found = recall_bounds(search, sample=30)
    assert [(each.language, each.texts) for each in found.bounds] == [("en", 30), ("sw", 30)]
    assert found.refused == {"zh": 12}
    for each in found.bounds:
        assert each.found > 0.9
        assert each.low < each.found <= each.high
        assert (each.low, each.high) == share_interval(round(each.found * each.texts), each.texts)
        assert each.held_out < 0.9  # the words of the rest are others
    assert recall_bounds(search, sample=30) == found


def test_what_cannot_be_found_bounds_recall(texts, fake_encoder):
    # the same words in another order: of forty texts alike, ten are found
    alike = [Passage(f"c{n}", " ".join(np.roll(texts[0].text.split(), n)), "en") for n in range(24)]
    search = CrossLingualSearch.build([*alike, *texts[40:80]], fake_encoder, space="centring")
    bound = recall_bounds(search, k=10).of("en")
    assert bound.found < 0.7
    assert bound.high < 1


def test_a_bound_is_refused_where_texts_are_too_few(texts, fake_encoder):
    found = recall_bounds(CrossLingualSearch.build(texts, fake_encoder))
    with pytest.raises(ValueError, match="needs 20 texts longer than a question, but 'zh' has 12"):
        found.of("zh")
    with pytest.raises(ValueError, match="'fi' has 0"):
        found.of("fi")
    with pytest.raises(ValueError, match=r"k \(0\)"):
        recall_bounds(CrossLingualSearch.build(texts, fake_encoder), k=0)


def test_a_beginning_is_shorter_than_its_text():
    text = "图书馆周一至周五上午九点开门，下午五点关门，周末休息，节假日另行通知，请注意。"
    assert beginning(text) == text[:24]
    assert beginning("图书馆周一开门") is None
    assert beginning("one two") is None


@pytest.mark.parametrize("options", [{}, {"ranking": "cosine"}], ids=str)
def test_held_out_is_what_a_search_of_the_shortened_text_finds(texts, fake_encoder, options):
    rng = np.random.default_rng(3)  # the rest repeats some words of the beginning
    given = []
    for each in texts[:40]:
        words = each.text.split()[:14]
        given.append(Passage(each.id, " ".join([*words, *rng.choice(words[:12], 2)]), "en"))
        given.append(Passage(f"sw{each.id}", " ".join(f"{word[:-3]}.sw" for word in words), "sw"))
    given = [Passage(each.id, each.text + f" x{n} y{n} z{n}", each.language) for n, each in enumerate(given)]
    search = CrossLingualSearch.build(given, fake_encoder, **options)
    bound = recall_bounds(search, k=3, sample=40).of("en")
    expected = []
    for each in given[::2]:
        asked = beginning(each.text)
        search.upsert([Passage(each.id, each.text[len(asked) :].strip(), "en")])
        vectors = search.map_questions([asked], "en")[0]
        expected.append(each.id in {hit.id for hit in search.search_vectors(vectors, 3, asked_in=["en"])[0]})
        search.upsert([each])
    assert 0.05 < np.mean(expected) < 1
    assert bound.held_out == pytest.approx(np.mean(expected), abs=0.03)


def test_windows_have_no_figure_of_what_is_held_out(texts, fake_encoder):
    bound = recall_bounds(CrossLingualSearch.build(texts, fake_encoder, windows=True)).of("en")
    assert np.isnan(bound.held_out)
    assert bound.found > 0.9
