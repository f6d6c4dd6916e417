import zlib
from dataclasses import dataclass, replace

import numpy as np
import pytest

from interlingua.align import Embeddings, SeedDictionary, SharedSpace, SpaceError
from interlingua.align.space import Normalization, SpaceMap
from interlingua.align.word import fit_dictionary
from interlingua.pipelines import Translator, translate_words
from interlingua.pipelines.translate.words import score_translations


@pytest.fixture
def space(word_files):
    return fit_dictionary(word_files.english, word_files.french, SeedDictionary.read(word_files.pairs))


@pytest.mark.parametrize("criterion", ["csls", "nn", "isf"])
def test_words_outside_the_dictionary_are_translated(space, word_files, criterion):
    found = translate_words(
        space, word_files.english, word_files.french, ["queen", "night", "sun"], k=2, criterion=criterion
    )
    assert [each.translations[0][0] for each in found] == ["reine", "nuit", "soleil"]
    assert all(len(each.translations) == 2 for each in found)
    assert all(each.translations[0][1] >= each.translations[1][1] for each in found)


def test_csls_is_measured_against_both_whole_vocabularies(space, word_files):
    source = space.transform(word_files.english.vectors, "en").astype(np.float64)
    target = space.transform(word_files.french.vectors, "fr").astype(np.float64)
    cosines = source @ target.T
    of_source, of_target = np.sort(cosines, axis=1)[:, -10:].mean(axis=1), np.sort(cosines, axis=0)[-10:].mean(axis=0)
    row = word_files.english.index["cat"]
    csls = dict(zip(word_files.french.labels, 2 * cosines[row] - of_source[row] - of_target))
    found = translate_words(space, word_files.english, word_files.french, ["cat"], k=20)[0].translations
    assert [word for word, _ in found] == sorted(csls, key=lambda word: -csls[word])
    np.testing.assert_allclose([score for _, score in found], [csls[word] for word, _ in found], atol=1e-5)


def test_an_unknown_word_has_no_translation_and_does_not_shift_the_others(space, word_files):
    found = translate_words(space, word_files.english, word_files.french, ["zebra", "Sun", "moon"], k=1)
    assert [(each.word, each.found_as) for each in found] == [("zebra", None), ("Sun", "sun"), ("moon", "moon")]
    assert [each.translations[:1] and each.translations[0][0] for each in found] == [(), "soleil", "lune"]


def test_nothing_asked_or_nothing_known_gives_nothing(space, word_files):
    assert translate_words(space, word_files.english, word_files.french, []) == []
    assert translate_words(space, word_files.english, word_files.french, ["zebra"])[0].translations == ()


@pytest.mark.parametrize("criterion", ["csls", "nn", "isf"])
def test_a_test_dictionary_is_scored_by_the_translations_that_are_found(space, word_files, criterion):
    source, target = word_files.english, word_files.french
    pairs = SeedDictionary.read(word_files.pairs).pairs
    wrong = SeedDictionary((*pairs[:8], (pairs[8][0], pairs[0][1]), ("no such word", pairs[0][1])))
    score = score_translations(space, source, target, wrong, criterion=criterion).score
    words = list(wrong.by_source)[:-1]
    found = translate_words(space, source, target, words, k=1, criterion=criterion)
    right = [each.translations[0][0] in wrong.by_source[each.word] for each in found]
    assert score.precision_at_1 == pytest.approx(np.mean(right))
    assert 0 < score.precision_at_1 < 1
    assert (score.n_words, score.n_asked) == (len(words), len(words) + 1)


def test_more_translations_than_words_are_asked_for(space, word_files):
    assert len(translate_words(space, word_files.english, word_files.french, ["sun"], k=99)[0].translations) == 20


def test_an_unknown_language_and_a_wrong_dimension_are_refused(space, word_files):
    with pytest.raises(SpaceError, match="no language 'de'; it has: en, fr"):
        translate_words(space, word_files.english, replace(word_files.french, space="de"), ["sun"])
    short = replace(word_files.french, vectors=word_files.french.vectors[:, :5])
    with pytest.raises(SpaceError, match="takes vectors of dimension 8, but these have 5"):
        translate_words(space, word_files.english, short, ["sun"])


TOPICS = {"river": "water", "money": "cash", "rive": "water", "banque": "cash", "fleuve": "water", "argent": "cash"}


@dataclass(frozen=True)
class TopicEncoder:
    """Sums of the vectors of what words are about; words of both languages share their topics."""

    identity: str = "topics"
    dimension: int = 64

    @property
    def prompts(self):
        return dict.fromkeys(("symmetric", "query", "passage"), "")

    def encode(self, texts, *, role="symmetric", progress=False):
        rows = np.array([sum(map(self._topic, text.replace(".", "").split())) for text in texts])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def _topic(self, word):
        name = TOPICS.get(word, word)
        return np.random.default_rng(zlib.crc32(name.encode())).normal(size=self.dimension)


@pytest.fixture
def ambiguous():
    """A space in which "bank" lies between "banque" and "rive", nearer to the former."""
    rng = np.random.default_rng(0)
    french = np.linalg.qr(rng.normal(size=(40, 40)))[0].astype(np.float32)
    labels = ("banque", "rive", "fleuve", "argent", *(f"mot{i}" for i in range(36)))
    english = french.copy()
    english[0] = french[0] + 0.95 * french[1]
    source = Embeddings(("bank", "shore", "river", "money", *(f"word{i}" for i in range(36))), english, "en")
    target = Embeddings(labels, french, "fr")
    unchanged = SpaceMap(Normalization.fit(french, "unit"))
    space = SharedSpace({"en": unchanged, "fr": unchanged}, method="identity")
    return space, source, target


def best(found):
    return found.translations[0][0]


def test_the_sentence_chooses_among_the_candidates(ambiguous):
    translator = Translator(*ambiguous, encoder=TopicEncoder())
    assert best(translator.translate("bank")) == "banque"
    assert best(translator.translate("bank", context="the bank of the river")) == "rive"
    assert best(translator.translate("bank", context="Money in the Bank money")) == "banque"
    assert len(translator.translate("bank", context="the bank of the river", k=3).translations) == 3


def test_the_score_in_context_is_the_sum_that_is_documented(ambiguous):
    encoder = TopicEncoder()
    examples = ["argent banque", "fleuve rive", "mot1 mot2", "rive mot3"]
    translator = Translator(*ambiguous, encoder=encoder, examples=examples, n_candidates=4)
    context = "the bank of the river"
    plain = dict(translator.translate("bank", k=4).translations)
    (sentence,), texts = encoder.encode([context]), encoder.encode(list(plain))
    seen, vocabulary = encoder.encode(examples), encoder.encode(ambiguous[2].labels)
    texts, seen = texts - vocabulary.mean(axis=0), seen - seen.mean(axis=0)
    near = (seen / np.linalg.norm(seen, axis=1, keepdims=True)) @ sentence
    holding = {"banque": [0], "rive": [1, 3], "argent": [0], "fleuve": [1], "mot1": [2], "mot2": [2], "mot3": [3]}
    for word, score in translator.translate("bank", context=context, k=4).translations:
        row = list(plain).index(word)
        wanted = plain[word] + 2.2 * texts[row] @ sentence / np.linalg.norm(texts[row])
        wanted += 1.8 * max((near[each] for each in holding.get(word, ())), default=0.0)
        assert score == pytest.approx(wanted, abs=1e-5)


def test_examples_of_the_other_language_show_which_word_is_used(ambiguous):
    alone = dict(Translator(*ambiguous, encoder=TopicEncoder()).translate("bank", context="the bank zone").translations)
    for used, other in (("rive", "banque"), ("banque", "rive")):
        examples = [f"{used} zone zone zone", "mot1 mot2 mot3", "mot4 mot5"]
        translator = Translator(*ambiguous, encoder=TopicEncoder(), examples=examples)
        found = dict(translator.translate("bank", context="the bank zone").translations)
        assert found[used] > alone[used] + 0.5
        assert found[other] == pytest.approx(alone[other])


def test_without_a_context_words_are_translated_as_by_csls(word_files):
    space = fit_dictionary(word_files.english, word_files.french, SeedDictionary.read(word_files.pairs))
    translator = Translator(space, word_files.english, word_files.french)
    for wanted in translate_words(space, word_files.english, word_files.french, ["Queen", "zebra", "night"], k=4):
        found = translator.translate(wanted.word, k=4)
        assert (found.word, found.found_as) == (wanted.word, wanted.found_as)
        assert [word for word, _ in found.translations] == [word for word, _ in wanted.translations]
        np.testing.assert_allclose(
            [score for _, score in found.translations], [score for _, score in wanted.translations], atol=1e-5
        )


def test_phrases_are_made_of_the_translations_of_their_words(word_files):
    space = fit_dictionary(word_files.english, word_files.french, SeedDictionary.read(word_files.pairs))
    translator = Translator(space, word_files.english, word_files.french)
    found = translator.translate("King  zebra night", k=10)
    assert found.found_as == "king night"
    made = [text for text, _ in found.translations]
    assert made[0] == "roi nuit"
    assert "nuit roi" in made
    scores = dict(found.translations)
    assert scores["roi nuit"] == scores["nuit roi"] == max(scores.values())


@pytest.mark.parametrize(
    ("examples", "wanted"),
    [
        (["la Nuit, roi!", "Le roi de la nuit."], "roi de la nuit"),  # a piece ends at a comma
        (["roi nuit", "nuit roi", "La nuit roi"], "nuit roi"),
        (["roi qui dort dans la nuit"], "roi nuit"),  # too far apart
    ],
)
def test_a_phrase_is_a_piece_of_an_example(examples, wanted, word_files, fake_encoder):
    space = fit_dictionary(word_files.english, word_files.french, SeedDictionary.read(word_files.pairs))
    translator = Translator(space, word_files.english, word_files.french, encoder=fake_encoder, examples=examples)
    assert best(translator.translate("king night")) == wanted


def test_pieces_of_scripts_without_spaces_are_found():
    chinese = Embeddings(("人", "权利"), np.eye(2, dtype=np.float32), "zh")
    space = SharedSpace({"zh": SpaceMap(Normalization.fit(chinese.vectors, "unit"))}, method="none")
    translator = Translator(space, chinese, chinese, encoder=TopicEncoder(), examples=["所有人的权利", "人，权利"])
    assert translator._pieces(("权利", "人")) == {"人的权利": 1}


def test_a_phrase_with_a_vector_of_its_own_is_a_word(ambiguous):
    space, source, target = ambiguous
    named = Embeddings(("new york", *source.labels[1:]), source.vectors, "en")
    assert Translator(space, named, target).translate("New York").found_as == "new york"


def test_what_cannot_be_asked_is_refused(ambiguous):
    translator = Translator(*ambiguous, encoder=TopicEncoder())
    with pytest.raises(ValueError, match="the context must hold 'bank'"):
        translator.translate("bank", context="the river")
    with pytest.raises(ValueError, match="k must be at least 1"):
        translator.translate("bank", k=0)
    with pytest.raises(ValueError, match="needs a sentence encoder"):
        Translator(*ambiguous).translate("bank", context="the bank")
    with pytest.raises(ValueError, match="1 examples were given, but no encoder"):
        Translator(*ambiguous, examples=["un exemple"])
    with pytest.raises(ValueError, match="n_candidates must be at least 2"):
        Translator(*ambiguous, n_candidates=1)
    assert translator.translate("zebra", context="a zebra").translations == ()


@pytest.mark.parametrize("criterion", ["csls", "nn", "isf"])
def test_words_with_zero_vectors_are_unknown_and_no_translation(space, word_files, criterion):
    def gap(embeddings, label):
        vectors = np.insert(embeddings.vectors, 3, 0.0, axis=0)
        return Embeddings((*embeddings.labels[:3], label, *embeddings.labels[3:]), vectors, embeddings.space)

    english, french = gap(word_files.english, "oov"), gap(word_files.french, "inconnu")
    asked = ["queen", "night", "oov", "OOV"]
    plain = translate_words(space, word_files.english, word_files.french, asked, k=50, criterion=criterion)
    found = translate_words(space, english, french, asked, k=50, criterion=criterion)
    assert [each.found_as for each in found] == ["queen", "night", None, None]
    for one, other in zip(found, plain, strict=True):
        assert [word for word, _ in one.translations] == [word for word, _ in other.translations]
        np.testing.assert_allclose(*([score for _, score in each.translations] for each in (one, other)), atol=1e-5)
    assert Translator(space, english, french).translate("oov").found_as is None
    assert "inconnu" not in dict(Translator(space, english, french).translate("queen", k=50).translations)


def test_a_dictionary_pair_with_a_zero_vector_is_not_covered():
    x = Embeddings(("sun", "gap"), [[1.0, 0.0], [0.0, 0.0]])
    pairs, coverage = SeedDictionary((("sun", "sun"), ("gap", "sun"))).index_pairs(x, x)
    assert pairs.tolist() == [[0, 0]]
    assert (coverage.n_missing_source, coverage.missing) == (1, (("gap", "sun"),))
