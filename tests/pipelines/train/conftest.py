"""A tiny sentence-transformers folder, and a tiny language pair: letters, and the same letters in capitals."""

import gc
import json
import string

import numpy as np
import pytest


def _write_tiny_sentence_model(folder, *, seed=7, hidden=32, layers=1, dropout=0.1, prompts=None):
    """Write a random BERT over the letters, with mean pooling; unlike the real ones it has learned nothing."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    folder.mkdir(parents=True)
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "query", ":", *string.ascii_letters]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = BertConfig(
            vocab_size=len(tokens),
            hidden_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=2,
            intermediate_size=2 * hidden,
            max_position_embeddings=32,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
            initializer_range=0.3,
        )
        BertModel(config).save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({token: i for i, token in enumerate(tokens)}, unk_token="[UNK]"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    (folder / "1_Pooling").mkdir()
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
    files = {
        "tokenizer_config.json": {**settings, "model_max_length": 32},
        "1_Pooling/config.json": {"word_embedding_dimension": hidden, "pooling_mode_mean_tokens": True},
        "sentence_bert_config.json": {"max_seq_length": 32, "do_lower_case": False},
        "config_sentence_transformers.json": {"prompts": prompts or {}, "default_prompt_name": None},
        "modules.json": [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (path, kind) in enumerate(modules)
        ],
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="session", autouse=True)
def _libraries_are_no_garbage():
    """Each start of a trainer collects garbage: without this, most of its time goes over what the libraries hold."""
    pytest.importorskip("torch")
    for name in ("transformers.trainer", "sentence_transformers", "datasets", "peft", "optuna"):
        try:
            __import__(name)
        except ImportError:
            continue
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def write_tiny_sentence_model():
    return _write_tiny_sentence_model


@pytest.fixture(scope="session")
def tiny_sentence_model(tmp_path_factory):
    """A folder to read."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    return _write_tiny_sentence_model(folder, prompts={"query": "query: ", "passage": ""})


@pytest.fixture(scope="session")
def capital_pairs():
    """Four letters, and the same in capitals: "a k c e" is "A K C E" in the other language."""
    from interlingua.pipelines.texts import Pair

    def make(n, seed=0):
        rng = np.random.default_rng(seed)
        texts = dict.fromkeys(" ".join(rng.choice(list(string.ascii_lowercase), 4)) for _ in range(2 * n))
        return [Pair(text, text.upper(), "low", "cap") for text in list(texts)[:n]]

    return make
