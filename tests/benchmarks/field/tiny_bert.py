"""A tiny transformer of twelve words, made where a test asks for it."""

import pytest

WORDS = ["sun", "moon", "tree", "river", "stone", "bird", "fish", "horse"]


def tokenizer(folder):
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    letters = sorted({letter for word in WORDS for letter in word})
    pieces = [*special, ":", "query", "passage", *WORDS, *letters, *(f"##{each}" for each in letters)]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    model = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token=special[1]))
    model.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    model.decoder = tokenizers.decoders.WordPiece()
    model.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token"), special, strict=True))
    made = transformers.PreTrainedTokenizerFast(tokenizer_object=model, model_max_length=64, **names)
    made.save_pretrained(folder)
    return len(vocabulary)


def tiny_encoder(folder):
    """Return an encoder of 16 dimensions and two layers."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from interlingua.pipelines.encoders.transformer import TransformerEncoder

    size = tokenizer(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=size, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(folder)
    return TransformerEncoder(folder, device="cpu", dtype="float32", prompts={"passage": "passage: "})
