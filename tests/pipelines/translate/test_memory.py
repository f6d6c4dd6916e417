import threading

import numpy as np
import pytest

from interlingua.align.matching import ScoreCalibration
from interlingua.pipelines import CrossLingualSearch
from interlingua.pipelines.texts.pairs import Pair
from interlingua.pipelines.translate.memory import TranslationMemory

TOPICS = ("sun", "moon", "star", "sea", "fish", "bird", "tree", "stone", "road", "king", "bread", "fire", "snow",
          "song", "gold", "hand", "wind", "rain", "milk", "door", "ship", "wolf", "bell", "leaf")  # fmt: skip


def said(topic, language):
    return f"{topic}.{language} and.{language} {topic}2.{language}"


@pytest.fixture
def pairs():
    return [Pair(said(topic, "fr"), said(topic, "en"), "fr", "en") for topic in TOPICS]


@pytest.fixture
def memory(pairs, fake_encoder):
    return TranslationMemory.build(pairs, fake_encoder)


def test_a_sentence_of_a_third_language_finds_the_pair(memory, pairs):
    found = memory.search([said(topic, "de") for topic in TOPICS], 1)
    assert [each[0].pair for each in found] == pairs
    assert not any(each[0].exact for each in found)


def test_an_exact_match_comes_first_and_is_certain(memory):
    found = memory.search([f"  {said('fish', 'en').replace(' ', '   ')}"], 3)[0]
    assert found[0].exact
    assert (found[0].confidence, found[0].matched, found[0].language) == (1.0, "target", "fr")
    assert found[0].translation == said("fish", "fr")
    assert not any(each.exact for each in found[1:])
    assert len({each.pair for each in found}) == 3


def test_the_language_of_the_translation_can_be_chosen(memory):
    for to in ("en", "fr"):
        assert {each.language for each in memory.search([said("king", "de")], 5, to=to)[0]} == {to}
    with pytest.raises(ValueError, match="no translation in 'sw'; there is: en, fr"):
        memory.search([said("king", "de")], to="sw")


def test_a_language_is_found_with_and_without_its_region(pairs, fake_encoder):
    regional = [Pair(each.source, each.target, "fr-FR", "en_GB") for each in pairs]
    memory = TranslationMemory.build(regional, fake_encoder)
    for to, tag in (("fr", "fr-FR"), ("FR-fr", "fr-FR"), ("en", "en_GB"), ("en-gb", "en_GB")):
        assert {each.language for each in memory.search([said("king", "de")], 5, to=to)[0]} == {tag}
        assert memory.search([said("king", "en")], 1, to="fr")[0][0].exact
    plain = TranslationMemory.build(pairs, fake_encoder).search(["fish.fr and.fr fish3.fr"], 3, language="fr")
    found = memory.search(["fish.fr and.fr fish3.fr"], 3, language="fr")
    assert [each.confidence for each in found[0]] == pytest.approx([each.confidence for each in plain[0]])
    with pytest.raises(ValueError, match="no translation in 'fr-CA'; there is: en_GB, fr-FR"):
        memory.search(["sun.en"], to="fr-CA")


def test_near_sentences_are_likelier_than_far_ones(memory):
    near = memory.search(["fish.en fish2.en and.en"], 1)[0][0]
    far = memory.search(["one.en two.en three.en four.en"], 1)[0][0]
    assert near.confidence > 0.8 > 0.5 > far.confidence
    assert memory.search(["one.en two.en three.en four.en"], 1, least=0.6) == [[]]


def test_similarity_is_that_of_the_spelling(memory):
    found = memory.search(["fish.fr and.fr fish3.fr"], 1, to="en")[0][0]
    assert found.similarity == pytest.approx(2 * 22 / 46)
    assert found.cosine < 1


def test_what_was_saved_is_found_again_and_grows(memory, pairs, fake_encoder, other_fake_encoder, tmp_path):
    memory.save(tmp_path / "m")
    loaded = TranslationMemory.load(tmp_path / "m", fake_encoder)
    asked = [said("moon", "de"), said("wolf", "fr")]
    assert loaded.search(asked) == memory.search(asked)
    new = Pair(said("cheese", "fr"), said("cheese", "en"), "fr", "en")
    assert loaded.add([*pairs, new, new]) == 1
    assert len(loaded) == len(pairs) + 1
    assert loaded.search([new.source], 1)[0][0].exact
    assert loaded.search(["cheese.en cheese2.en"], 1)[0][0].pair == new
    loaded.save(tmp_path / "m")
    assert len(TranslationMemory.load(tmp_path / "m", fake_encoder)) == len(pairs) + 1
    with pytest.raises(ValueError, match="but the encoder is 'fake-2'"):
        TranslationMemory.load(tmp_path / "m", other_fake_encoder)


@pytest.mark.parametrize("kind", ["hnsw", "ivf-flat"])
def test_a_memory_of_any_kind_of_index_answers_as_an_exact_one_and_when_it_was_saved(
    memory, pairs, fake_encoder, kind, tmp_path
):
    made = TranslationMemory.build(pairs, fake_encoder, kind=kind)
    made.save(tmp_path / "m")
    asked = [said("moon", "de"), said("wolf", "fr")]
    for each in (made, TranslationMemory.load(tmp_path / "m", fake_encoder)):
        for found, truth in zip(each.search(asked, 3), memory.search(asked, 3), strict=True):
            assert [hit.pair for hit in found] == [hit.pair for hit in truth]
            for name in ("confidence", "score", "cosine"):
                values = [[getattr(hit, name) for hit in hits] for hits in (found, truth)]
                np.testing.assert_allclose(*values, atol=1e-5)


def test_confidence_compares_a_match_with_the_ten_next_nearest_pairs(memory, pairs, fake_encoder):
    """By definition, with all vectors at hand: how likely the ratio of its cosine and their mean is that of a pair."""
    n, texts = len(pairs), {"source": [each.source for each in pairs], "target": [each.target for each in pairs]}
    mapped = {}
    for side, said_so in texts.items():
        raw = fake_encoder.encode(said_so).astype(np.float64)
        rows = raw - raw.mean(axis=0)
        mapped[side] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    # a French sentence and the English ones: planted pairs are the memory's own, decoys the nearest of the others
    ratios = {"planted": [], "decoy": []}
    for row in range(n):
        others = np.sort(np.delete(mapped["target"] @ mapped["source"][row], row))[::-1]
        ratios["planted"].append(mapped["source"][row] @ mapped["target"][row] / max(others[:10].mean(), 0.05))
        ratios["decoy"].append(others[0] / max(others[1:11].mean(), 0.05))
    calibration = ScoreCalibration.fit(np.array(ratios["planted"]), np.array(ratios["decoy"]))
    (found,) = memory.search(["fish.en and.en fish3.en"], n, language="en", to="en")  # finds French sentences
    assert len(found) == n
    for each in found[:3]:
        nearest = [other.cosine for other in found if other.pair != each.pair][:10]
        wanted = calibration.probability([each.cosine / max(np.mean(nearest), 0.05)])[0]
        assert each.confidence == pytest.approx(wanted, abs=1e-4)


def test_another_search_is_no_memory(passages, fake_encoder, tmp_path):
    CrossLingualSearch.build(passages, fake_encoder).save(tmp_path / "s")
    with pytest.raises(ValueError, match="no translation memory"):
        TranslationMemory.load(tmp_path / "s", fake_encoder)


def test_a_small_memory_knows_how_sure_it_is_by_texts_about_anything(pairs, fake_encoder):
    memory = TranslationMemory.build(pairs[:5], fake_encoder)
    found, nothing = (each[0].confidence for each in memory.search([said("moon", "de"), "quite.de other.de"], 1))
    assert found > 0.7 > nothing
    kept = memory.search([said("moon", "de"), "quite.de other.de"], 1, least=0.7)
    assert [len(each) for each in kept] == [1, 0]
    with pytest.raises(ValueError, match="least is a probability from 0 to 1, but is 80"):
        memory.search(["sun.de"], least=80)


def test_there_must_be_a_pair(fake_encoder):
    with pytest.raises(ValueError, match="at least one pair"):
        TranslationMemory.build([], fake_encoder)


def test_copies_with_other_punctuation_leave_the_confidence_as_it_is(memory, pairs, fake_encoder):
    copies = [Pair(f"{each.source}!", f"{each.target}!", "fr", "en") for each in pairs]
    asked = ["fish.en fish2.en and.en"]
    (wanted,) = memory.search(asked, 1)[0]
    (found,) = TranslationMemory.build([*pairs, *copies], fake_encoder).search(asked, 1)[0]
    assert found.confidence > wanted.confidence - 0.1


def test_what_is_added_beside_searches_is_found_as_soon_as_it_is_there(memory):
    done, seen, texts = threading.Event(), [], [f"sentence number {number} of the day" for number in range(12)]

    def read():
        while not done.is_set():
            there = len(memory)
            found = memory.search(texts, k=1)
            seen.append(there)
            for place, matches in enumerate(found):
                exact = matches[0].exact and matches[0].confidence == 1
                assert exact or start + place >= there  # what was there before the search is found, and exactly

    start = len(memory)
    errors = []

    def guarded():
        try:
            read()
        except BaseException as error:
            errors.append(error)

    readers = [threading.Thread(target=guarded, daemon=True) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number, text in enumerate(texts):
        assert memory.add([Pair(text, f"Satz {number} des Tages", "en", "de")]) == 1
    done.set()
    for reader in readers:
        reader.join(60)
        assert not reader.is_alive()
    assert not errors
    assert seen
