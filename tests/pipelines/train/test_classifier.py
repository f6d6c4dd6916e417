"""An encoder that is trained is the one that was opened: the same revision, wherever it is loaded."""

import pytest

pytest.importorskip("sentence_transformers")

from interlingua.pipelines.encoders.cache import CachedEncoder, EmbeddingCache
from interlingua.pipelines.encoders.transformer import TransformerEncoder
from interlingua.pipelines.train.classifier import TextClassifier, model_depth
from interlingua.pipelines.train.sentences import OpenEncoder


@pytest.fixture
def asked(tiny_sentence_model, monkeypatch):
    """A name on the Hub stands for the tiny folder; what is asked for which revision is listed."""
    import sentence_transformers
    import transformers

    found = []

    def answering(kind, real):
        def load(name, *rest, revision=None, **options):
            found.append((kind, name, revision))
            return real(str(tiny_sentence_model), *rest, **{**options, "local_files_only": True})

        return load

    monkeypatch.setattr(TransformerEncoder, "_may_ask_the_hub", lambda _: True)
    real = sentence_transformers.SentenceTransformer
    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", answering("sentences", real))
    for name in ("AutoModel", "AutoTokenizer", "AutoConfig"):
        kind = getattr(transformers, name)
        stand_in = type(name, (), {"from_pretrained": staticmethod(answering(name, kind.from_pretrained))})
        monkeypatch.setattr(transformers, name, stand_in)
    return found


def pinned():
    return TransformerEncoder("someone/tiny", device="cpu", dtype="float32", revision="v1")


def test_a_pinned_revision_is_the_one_that_is_trained(asked, tmp_path):
    opened = OpenEncoder.of(CachedEncoder(pinned(), EmbeddingCache(tmp_path / "cache")), device="cpu")
    assert opened.revision == "v1"
    assert opened.fresh().get_embedding_dimension() == 32
    assert set(asked) == {("sentences", "someone/tiny", "v1")}
    assert len(asked) == 2


def test_a_pinned_revision_is_the_one_that_is_classified_with(asked):
    TextClassifier.create(pinned(), ["a", "b"], prompt="", device="cpu", dtype="float32")
    assert model_depth(pinned()) == 1
    kinds = ["AutoModel", "AutoTokenizer", "AutoConfig"]
    assert asked == [(kind, "someone/tiny", "v1") for kind in kinds]


def test_an_encoder_of_no_transformer_is_refused(fake_encoder):
    with pytest.raises(ValueError, match=r"only a transformer can be trained, but .* is a FakeEncoder"):
        TextClassifier.create(fake_encoder, ["a", "b"])
