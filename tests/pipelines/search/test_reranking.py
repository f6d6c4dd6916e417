"""The best passages ranked anew, by tokens and by a cross-encoder."""

import json
import shutil

import numpy as np
import pytest

from interlingua.align import Normalization, SharedSpace, SpaceMap
from interlingua.pipelines import CrossLingualSearch, Passage
from interlingua.pipelines.commands.main import main
from interlingua.pipelines.encoders.tokens import gives_tokens
from interlingua.pipelines.search.finding import SearchHit
from interlingua.pipelines.search.reranking import TokenReranker, mapped_tokens, reranked


class Letters:
    """An encoder whose tokens are the letters of a text, each a vector of its own."""

    identity, dimension, prompts = "letters", 26, {"query": "", "passage": "", "symmetric": ""}

    def __init__(self):
        self.asked = []

    def token_vectors(self, texts, role):
        self.asked += texts
        return [np.eye(26, dtype=np.float32)[[ord(each) - 97 for each in text]] + 0.1 for text in texts]

    def encode(self, texts, *, role="symmetric", progress=False):
        rows = np.stack([each.mean(axis=0) for each in self.token_vectors(texts, role)])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def _hit(text, score=0.0, language="en", window=None):
    return SearchHit(text, text, language, score, score, {}, window)


def test_a_passage_scores_the_mean_of_the_nearest_tokens():
    rng = np.random.default_rng(0)
    means = {name: rng.normal(size=26).astype(np.float32) / 9 for name in ("en", "de")}
    turn = np.linalg.qr(rng.normal(size=(26, 26)))[0].astype(np.float32)
    space = SharedSpace(
        {name: SpaceMap(Normalization.centring(mean), turn) for name, mean in means.items()}, "m", "letters"
    )
    encoder = Letters()

    def alone(text, language):
        rows = (encoder.token_vectors([text], "passage")[0] - means[language]) @ turn
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    asked, hits = alone("abz", "en"), [_hit("abc", language="de"), _hit("xyz"), _hit("qqqab", window=(3, 5))]
    found = TokenReranker(encoder, space, space).scores("abz", "en", hits)
    said = [alone("abc", "de"), alone("xyz", "en"), alone("ab", "en")]
    expected = [np.mean([max(one @ other for other in each) for one in asked]) for each in said]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(mapped_tokens(None, np.ones((2, 26), np.float32), "en"), axis=1), 1)


def test_tokens_of_a_passage_are_asked_for_once_while_they_are_kept():
    encoder = Letters()
    reranker = TokenReranker(encoder, None, None, keep=2)
    first = reranker.scores("ab", "en", [_hit("abc"), _hit("cab")])
    np.testing.assert_allclose(reranker.scores("ab", "en", [_hit("cab"), _hit("abc")]), first[::-1])
    assert encoder.asked == ["ab", "abc", "cab", "ab"]
    reranker.scores("ab", "en", [_hit("x"), _hit("cab"), _hit("abc")])
    assert len(reranker._kept) == 2


def test_order_is_of_both_and_scores_stay_on_the_scale_of_what_was_found():
    class Given:
        found = 0.5

        def scores(self, question, asked_in, hits):
            return np.array([0.0, 9.0, 3.0, 4.0])

    before = np.array([4.0, 3.0, 2.5, 0.5])
    standard = lambda rows: (rows - rows.mean()) / rows.std()  # noqa: E731
    expected = standard(Given().scores("", "", [])) + 0.5 * standard(before)
    hits = [_hit(name, score) for name, score in zip("abcd", before)]
    (found,) = reranked(Given(), ["q"], ["en"], [hits])
    assert [hit.id for hit in found] == ["abcd"[place] for place in np.argsort(-expected)]
    scores = np.array([hit.score for hit in found])
    np.testing.assert_allclose([scores.mean(), scores.std()], [before.mean(), before.std()])
    assert (np.diff(scores) < 0).all()
    assert reranked(Given(), ["q", "r"], ["en", "en"], [hits[:1], []]) == [hits[:1], []]


def test_a_search_ranks_its_fifty_best_anew(corpus):
    passages = [Passage(f"p{row}", text, "en") for row, text in enumerate(["abc", "abd", "cba", "xyz", "aab", "zzz"])]
    search = CrossLingualSearch.build(passages, Letters(), space=None, ranking="cosine")
    plain, anew = search.search(["aab"], 6, language="en"), search.search(["aab"], 6, language="en", rerank=True)
    expected = reranked(TokenReranker(search.encoder, None, None), ["aab"], ["en"], plain)
    assert [[hit.id for hit in each] for each in anew] == [[hit.id for hit in each] for each in expected]
    assert [hit.id for hit in search.search(["aab"], 2, language="en", rerank=True)[0]] == [h.id for h in anew[0][:2]]
    words = CrossLingualSearch.build(corpus.passages[:30], encoder_name=corpus.encoder)
    assert not gives_tokens(words.encoder)
    with pytest.raises(ValueError, match="gives no vectors of tokens"):
        words.search(["w1en"], rerank=True)


def test_a_cross_encoder_decides_alone(write_tiny_model, tmp_path, capsys):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    write_tiny_model(tmp_path / "bi", {"query": "q ", "passage": "p "})
    config = BertConfig.from_pretrained(tmp_path / "bi", num_labels=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertForSequenceClassification(config).save_pretrained(tmp_path / "cross")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tmp_path / "bi" / name, tmp_path / "cross" / name)
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(list("abcdefgh"), 4)) for _ in range(12)]
    passages = [Passage(f"p{row}", text, "en") for row, text in enumerate(texts)]
    search = CrossLingualSearch.build(passages, encoder_name=tmp_path / "bi")
    said = sentence_transformers.CrossEncoder(str(tmp_path / "cross")).predict([("a b c", text) for text in texts])
    best = [f"p{place}" for place in np.argsort(-said, kind="stable")]
    found = search.search(["a b c"], 5, rerank=str(tmp_path / "cross"))[0]
    assert [hit.id for hit in found] == best[:5]
    search.save(tmp_path / "c")
    for option, meant in (["--reranker", str(tmp_path / "cross")], str(tmp_path / "cross")), (["--rerank"], True):
        assert main(["search", str(tmp_path / "c"), "a b c", *option, "-k", "5", "--json"]) == 0
        hits = json.loads(capsys.readouterr().out)[0]["hits"]
        assert [hit["id"] for hit in hits] == [hit.id for hit in search.search(["a b c"], 5, rerank=meant)[0]]
    with pytest.raises(ValueError, match="no cross-encoder could be loaded"):
        search.search(["a"], rerank=str(tmp_path / "none"))
