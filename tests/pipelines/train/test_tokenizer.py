"""A tokenizer trained on texts: SentencePiece's own pieces, loaded by AutoTokenizer."""

import io

import pytest

from interlingua.pipelines.train.tokenizer import SPECIAL_TOKENS, train_tokenizer

WORDS = ("sun", "moon", "star", "sea", "fish", "bird", "tree", "stone", "road", "king", "bread", "fire", "snow", "song",
         "gold", "jua", "mwezi", "nyota", "bahari", "samaki", "ndege", "mti", "jiwe", "njia", "mfalme", "mkate", "moto",
         "theluji", "wimbo", "dhahabu")  # fmt: skip
TEXTS = [f"{WORDS[i % 30]} {WORDS[(i * 7 + 3) % 30]} {WORDS[(i * i) % 30]}" for i in range(300)]


@pytest.fixture
def tokenizer(tmp_path):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("sentencepiece")
    train_tokenizer(iter(TEXTS), tmp_path, vocabulary_size=90, max_length=16)
    return transformers.AutoTokenizer.from_pretrained(tmp_path)


def test_it_is_loaded_with_its_special_tokens(tokenizer):
    assert tokenizer.convert_ids_to_tokens(range(5)) == list(SPECIAL_TOKENS)
    assert (tokenizer.pad_token_id, tokenizer.mask_token_id, tokenizer.cls_token_id) == (1, 4, 0)
    encoded = tokenizer("sun moon")["input_ids"]
    assert (encoded[0], encoded[-1]) == (0, 2)
    assert tokenizer.decode(encoded, skip_special_tokens=True) == "sun moon"
    assert len(tokenizer("sun " * 99, truncation=True)["input_ids"]) == 16
    assert tokenizer("sun <mask>")["input_ids"][-2] == 4


def test_texts_are_cut_as_sentencepiece_cuts_them(tokenizer):
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_writer=model, vocab_size=90, bos_id=0, pad_id=1, eos_id=2, unk_id=3,
        user_defined_symbols=["<mask>"], hard_vocab_limit=False, num_threads=1, minloglevel=2,
    )  # fmt: skip
    oracle = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    for text in [*TEXTS[:50], "  Sun\u00a0MOON ﬁsh  e\u0301 火 xyzzy ", "bahari, ya (samaki)!"]:
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == oracle.encode(text)


def test_a_vocabulary_that_cannot_be_is_refused(tmp_path):
    pytest.importorskip("sentencepiece")
    with pytest.raises(ValueError, match="there is none"):
        train_tokenizer([], tmp_path)
    with pytest.raises(ValueError, match="cannot make 12 pieces of 300 texts"):
        train_tokenizer(TEXTS, tmp_path, vocabulary_size=12)
    assert not list(tmp_path.iterdir())
