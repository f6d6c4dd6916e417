import numpy as np
import pytest

from interlingua.benchmarks.harness import datasets


def test_a_missing_set_says_how_to_point_to_it(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERLINGUA_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="set INTERLINGUA_DATA to the folder that holds it"):
        datasets.data_folder("tatoeba-v1")


def test_only_a_line_feed_ends_a_line(tmp_path):
    (tmp_path / "a").write_bytes("one\u2028still one\n\nthree\n".encode())
    assert datasets.read_lines(tmp_path / "a") == ["one\u2028still one", "", "three"]


def needs(name):
    try:
        datasets.data_folder(name)
    except FileNotFoundError:
        return pytest.mark.skip(reason=f"the data set {name} is not here")
    return pytest.mark.skipif(False, reason="")


@needs("tatoeba-v1")
def test_tatoeba_has_its_published_sizes():
    sizes = {language: len(datasets.read_tatoeba(language)[0]) for language in datasets.TATOEBA_LANGUAGES}
    assert sizes == dict.fromkeys(datasets.TATOEBA_LANGUAGES, 1000) | {"kat": 746, "swh": 390, "tam": 307, "tha": 548}


@needs("ntrex-128")
def test_ntrex_corresponds_line_by_line():
    assert {len(datasets.read_ntrex(language)) for language in (*datasets.TATOEBA_LANGUAGES, "eng")} == {1997}


@needs("vectors")
def test_vectors_have_their_published_sizes():
    french = datasets.read_vectors("fr")
    assert (len(datasets.read_vectors("en")), len(french), french.dimension) == (20000, 17682, 300)
    assert all(label == label.lower() for label in french.labels)


@needs("vectors")
def test_russian_is_decoded_part_by_part():
    russian = datasets.read_vectors("ru")
    assert russian.dimension == 300
    with np.load(datasets.data_folder("vectors") / "ru.navec30k.pq.npz") as file:
        first = np.concatenate([file["pq_codes"][part][file["pq_index"][0, part]] for part in range(100)])
    np.testing.assert_array_equal(russian.vectors[0], first.astype(np.float32))


@needs("xling-eval")
@needs("vectors")
def test_lexicon_coverage_is_the_published_one():
    english, french = datasets.read_vectors("en"), datasets.read_vectors("fr")
    pairs, _ = datasets.read_lexicon("en-fr", "5k").index_pairs(english, french)
    _, test = datasets.read_lexicon("en-fr", "test").index_pairs(english, french)
    assert (len(pairs), test.n_sources_covered) == (4211, 1113)


@needs("xquad-r")
def test_answers_point_to_the_sentence_that_holds_them():
    english = datasets.read_xquad_r("en")
    assert len(english.questions) > 1180
    question = next(id for id, text in english.questions.items() if "Panthers defense" in text)
    assert "308" in english.sentences[english.answers[question]]


@needs("sib-200")
def test_sib200_has_its_published_parts_and_corresponds_by_number():
    parts = {part: datasets.read_sib200("swh_Latn", part) for part in ("train", "dev", "test")}
    assert [len(part) for part in parts.values()] == [701, 99, 204]
    english = datasets.read_sib200("eng_Latn", "dev")
    assert {number: topic for number, (topic, _) in english.items()} == {
        number: topic for number, (topic, _) in parts["dev"].items()
    }


@needs("open-bibles")
def test_the_verses_of_the_new_testament_correspond():
    english, swahili = datasets.read_bible()
    assert len(english) == len(swahili) == 7813
    where = english.index("and there was great joy in that city.")
    assert swahili[where] == "Kukawa na furaha kubwa katika mji ule."


@needs("xcopa")
def test_xcopa_corresponds_line_by_line():
    swahili, turkish = (datasets.read_xcopa_texts(language) for language in ("sw", "tr"))
    assert len(swahili) == len(turkish) == 3 * 600
    assert swahili[:2] == ["Mwanaume alifungua bomba la maji.", "Choo kilijaa maji."]


def test_files_of_unequal_lines_are_named(tmp_path):
    one, other = tmp_path / "a.de", tmp_path / "a.en"
    one.write_text("eins\nzwei\n")
    other.write_text("one\ntwo\n")
    assert datasets.read_parallel(one, other) == (["eins", "zwei"], ["one", "two"])
    other.write_text("one\n")
    with pytest.raises(ValueError, match=r"a\.de has 2 lines, but .*a\.en 1: rows must correspond"):
        datasets.read_parallel(one, other)
