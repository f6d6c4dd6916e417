import numpy as np
import pytest

from interlingua.align.vocabulary import Embeddings
from interlingua.pipelines.encoders.static import StaticEncoder, WordSegmenter


@pytest.fixture
def words():
    rng = np.random.default_rng(5)
    labels = ("the", "of", "sun", "moon", "star", "火车", "票")
    return Embeddings(labels, rng.standard_normal((len(labels), 8)))


def by_hand(embeddings, words, weight):
    mean = sum(weight[word] * embeddings[word].astype(np.float64) for word in words) / len(words)
    return mean / np.linalg.norm(mean)


def zipf_weights(labels, a):
    harmonic = sum(1 / rank for rank in range(1, len(labels) + 1))
    return {label: a / (a + 1 / (rank * harmonic)) for rank, label in enumerate(labels, 1)}


def test_vectors_are_the_weighted_means_of_the_formula(words):
    weight = zipf_weights(words.labels, 1e-3)
    vectors = StaticEncoder(words).encode(["The sun of the sun", "moon, unknown star!"])
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors[0], by_hand(words, ["the", "sun", "of", "the", "sun"], weight), atol=1e-6)
    np.testing.assert_allclose(vectors[1], by_hand(words, ["moon", "star"], weight), atol=1e-6)


def test_counts_replace_the_law_of_ranks(words):
    counts = {"the": 90, "sun": 5, "moon": 1}
    total = sum(counts.get(label, 1) for label in words.labels)
    weight = {label: 0.01 / (0.01 + counts.get(label, 1) / total) for label in words.labels}
    vectors = StaticEncoder(words, counts=counts, a=0.01).encode(["the sun", "moon star"])
    np.testing.assert_allclose(vectors[0], by_hand(words, ["the", "sun"], weight), atol=1e-6)
    np.testing.assert_allclose(vectors[1], by_hand(words, ["moon", "star"], weight), atol=1e-6)


def test_text_without_spaces_is_cut_into_known_words(words):
    weight = zipf_weights(words.labels, 1e-3)
    vector = StaticEncoder(words).encode(["火车票"])[0]
    np.testing.assert_allclose(vector, by_hand(words, ["火车", "票"], weight), atol=1e-6)


def test_a_row_does_not_depend_on_its_company(words):
    encoder = StaticEncoder(words).with_common_component_removed(["the sun", "of the moon", "star"])
    texts = ["sun moon", "the star", "of", "moon moon the"]
    together = encoder.encode(texts)
    np.testing.assert_array_equal(together, np.vstack([encoder.encode([text]) for text in texts]))


def test_the_common_component_is_removed(words):
    texts = ["the sun", "of the moon", "star of the sun", "moon star"]
    plain = StaticEncoder(words)
    encoder = plain.with_common_component_removed(texts)
    weight = zipf_weights(words.labels, 1e-3)
    found = [text.split() for text in texts]
    means = np.array([sum(weight[w] * words[w].astype(np.float64) for w in some) / len(some) for some in found])
    direction = np.linalg.svd(means)[2][0]
    assert abs(encoder.component @ direction) == pytest.approx(1, abs=1e-6)
    rest = means - np.outer(means @ direction, direction)
    np.testing.assert_allclose(encoder.encode(texts), rest / np.linalg.norm(rest, axis=1, keepdims=True), atol=1e-5)
    again = StaticEncoder(words, component=encoder.component)
    np.testing.assert_array_equal(again.encode(texts), encoder.encode(texts))
    assert again.identity == encoder.identity != plain.identity


def test_a_text_that_is_all_common_component_is_refused_not_scaled_up(words):
    encoder = StaticEncoder(words).with_common_component_removed(["sun"])
    with pytest.raises(ValueError, match="no usable vector"):
        encoder.encode(["sun"])


def test_a_text_without_known_words_is_refused_by_default(words):
    with pytest.raises(ValueError, match=r"text 1 holds no known word: 'zzz'"):
        StaticEncoder(words).encode(["sun", "zzz"])


def test_a_text_without_known_words_is_zero_on_request_with_a_warning(words):
    encoder = StaticEncoder(words, unknown="zero")
    with pytest.warns(UserWarning, match="2 of 3 texts"):
        vectors = encoder.encode(["sun", "zzz", ""])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 0, 0], atol=1e-6)


def test_no_texts_give_no_rows(words):
    assert StaticEncoder(words).encode([]).shape == (0, 8)


def test_identity_follows_content_and_not_the_file(words, tmp_path):
    words.write(tmp_path / "a.vec")
    words.write(tmp_path / "b.vec")
    a, b = StaticEncoder.read(tmp_path / "a.vec"), StaticEncoder.read(tmp_path / "b.vec")
    assert a.identity == b.identity
    assert StaticEncoder.read(tmp_path / "a.vec", limit=5).identity != a.identity
    assert StaticEncoder.read(tmp_path / "a.vec", a=1e-2).identity != a.identity


def test_alphabetical_vectors_are_not_weighted_by_rank():
    labels = [f"w{i:03}" for i in range(200)]
    embeddings = Embeddings(tuple(labels), np.eye(200))
    with pytest.warns(UserWarning, match="alphabetical"):
        encoder = StaticEncoder(embeddings)
    np.testing.assert_allclose(encoder.encode(["w000 w199"])[0, [0, 199]], [0.5**0.5, 0.5**0.5], atol=1e-6)


@pytest.mark.parametrize(
    "options", [{"a": 0.0}, {"a": -1.0}, {"component": np.zeros(8)}, {"component": np.ones(3)}, {"unknown": "skip"}]
)
def test_bad_options_are_refused(words, options):
    with pytest.raises(ValueError):
        StaticEncoder(words, **options)


def test_inputs_are_not_modified(words):
    before = words.vectors.copy()
    StaticEncoder(words).with_common_component_removed(["the sun", "moon"]).encode(["the moon"])
    np.testing.assert_array_equal(words.vectors, before)


@pytest.mark.parametrize(
    ("vocabulary", "text", "words"),
    [
        ({"the", "cat"}, "The CAT, the cat!", ["the", "cat", "the", "cat"]),
        ({"Cat", "cat"}, "Cat cat", ["Cat", "cat"]),
        ({"l", "eau", "aujourd'hui"}, "l'eau (aujourd'hui)", ["l", "eau", "aujourd'hui"]),
        ({"well", "known"}, "well-known unknown", ["well", "known"]),
        ({"café"}, "cafe\u0301", ["café"]),
        ({"U.S.", "a"}, "U.S. a", ["U.S.", "a"]),
        ({"हिन्दी", "भाषा"}, "हिन्दी-भाषा।", ["हिन्दी", "भाषा"]),
        ({"火车", "火车票", "票", "买"}, "我买火车票。", ["买", "火车票"]),
        ({"東京", "へ", "行く"}, "東京へ行く", ["東京", "へ", "行く"]),
        ({"ฉัน", "รัก", "แมว"}, "ฉันรักแมว", ["ฉัน", "รัก", "แมว"]),
        ({"3", "cats"}, "3cats 3 cats", ["3", "cats"]),
        ({"a"}, "", []),
        ({"a"}, " \t\n!?", []),
        (set(), "word 火车", []),
    ],
)
def test_the_words_of_the_vocabulary_are_found(vocabulary, text, words):
    assert list(WordSegmenter(vocabulary).words(text)) == words


def test_the_longest_match_does_not_swallow_what_follows_an_unknown_character():
    assert list(WordSegmenter({"中国", "国家"}).words("㐂中国家")) == ["中国"]
