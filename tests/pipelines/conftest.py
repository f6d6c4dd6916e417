"""What the tests share: a tiny encoder, files of word vectors, a tiny model file; no test asks the Hub."""

import io
import json
import os
import struct
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from interlingua.align import Embeddings, SeedDictionary
from interlingua.pipelines import Passage
from interlingua.pipelines.commands.main import main

os.environ["HF_HUB_OFFLINE"] = "1"  # read when the Hub's client is imported

HIDDEN, LAYERS, HEADS, WIDE, POSITIONS, TYPES = 32, 2, 2, 64, 16, 2
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁a", "▁b", "a", "b", "ab", "▁", "▁ab", "é", "▁火", "<mask>"]
LETTERS = ["query", "passage", ":", *"abcdefghijklmnopqrstuvwxyz"]
SCORES = [0.0, 0.0, 0.0, 0.0, -1.0, -1.5, -2.0, -2.5, -3.0, -4.0, -1.25, -5.0, -6.0, 0.0]


@dataclass(frozen=True)
class FakeEncoder:
    """Hashed bags of words: "sun.sw" is the concept "sun" said in Swahili; prompts are words like any other."""

    identity: str = "fake-1"
    dimension: int = 128

    @property
    def prompts(self):
        return {"symmetric": "", "query": "query: ", "passage": "passage: "}

    def encode(self, texts, *, role="symmetric", progress=False):
        rows = np.array([self._vector(self.prompts[role] + text) for text in texts]).reshape(-1, self.dimension)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def _vector(self, text):
        words = [word.partition(".") for word in text.split()]
        language = next((language for _, _, language in words if language), "en")
        bag = sum(self._gaussian(f"{self.identity} {concept}") for concept, _, _ in words)
        return bag + 3 * self._gaussian(f"{self.identity} language {language}")

    def _gaussian(self, name):
        return np.random.default_rng(zlib.crc32(name.encode())).normal(size=self.dimension)


@pytest.fixture
def fake_encoder():
    return FakeEncoder()


@pytest.fixture
def other_fake_encoder():
    return FakeEncoder(identity="fake-2")


TOPICS = ("sun", "moon", "star", "sea", "fish", "bird", "tree", "stone", "road", "king", "bread", "fire", "snow",
          "song", "gold")  # fmt: skip


@pytest.fixture
def passages():
    """Fifteen passages in each of three languages, of two words each; topic i is the same in all, but for "noise"."""
    return [
        Passage(
            f"{code}-{topic}", f"{topic}.{code} noise{code}{number}.{code}", code, {"topic": topic, "odd": number % 2}
        )
        for code in ("en", "sw", "zh")
        for number, topic in enumerate(TOPICS)
    ]


ENGLISH = ("the", "of", "sun", "moon", "star", "cat", "dog", "house", "water", "fire", "tree", "bread", "milk", "stone",
           "river", "road", "king", "queen", "book", "night")  # fmt: skip
FRENCH = ("le", "de", "soleil", "lune", "étoile", "chat", "chien", "maison", "eau", "feu", "arbre", "pain", "lait",
          "pierre", "fleuve", "route", "roi", "reine", "livre", "nuit")  # fmt: skip


@pytest.fixture
def word_files(tmp_path):
    """English and French vectors that differ by a rotation, and a dictionary of the first fifteen words."""
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(len(ENGLISH), 8)).astype(np.float32)
    rotation = np.linalg.qr(rng.normal(size=(8, 8)))[0].astype(np.float32)
    english = Embeddings(ENGLISH, vectors, "en")
    french = Embeddings(FRENCH, vectors @ rotation, "fr")
    english.write(tmp_path / "EN.vec")
    french.write(tmp_path / "FR.vec")
    SeedDictionary(tuple(zip(ENGLISH[:15], FRENCH[:15], strict=True))).write(tmp_path / "pairs.tsv")
    return SimpleNamespace(
        folder=tmp_path,
        english=english,
        french=french,
        en=str(tmp_path / "EN.vec"),
        fr=str(tmp_path / "FR.vec"),
        pairs=str(tmp_path / "pairs.tsv"),
    )


@pytest.fixture
def cli(capsys, monkeypatch):
    """Run a command in this process and return its exit code, outputs and, with --json, its parsed result."""

    def run(*arguments, stdin=None):
        if stdin is not None:
            raw = stdin if isinstance(stdin, bytes) else stdin.encode()
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        result = json.loads(out) if "--json" in arguments and code == 0 else None
        return SimpleNamespace(code=code, out=out, err=err, result=result)

    return run


@pytest.fixture
def space_file(cli, word_files):
    """A space learned from `word_files` on the command line."""
    path = word_files.folder / "en-fr.space"
    arguments = ("align", word_files.en, word_files.fr, "--dictionary", word_files.pairs, "-o", path, "--quiet")
    assert cli(*arguments).code == 0
    return path


@pytest.fixture
def texts_file(tmp_path):
    """Three English texts of words that `word_files` knows."""
    path = tmp_path / "texts.jsonl"
    rows = [
        {"text": "the sun of the night", "language": "en", "id": "a", "page": 1},
        {"text": "the cat of the queen", "language": "en", "id": "b", "page": 2},
        {"text": "bread of stone", "id": "c"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@dataclass(frozen=True)
class TinyBlob:
    path: Path
    pieces: list[str]
    scores: list[float]
    tensors: dict[str, np.ndarray]


@pytest.fixture(scope="session")
def write_tiny_model():
    """Write a random BERT over single letters, with mean pooling, as a sentence-transformers folder."""
    return _write_tiny_model


@pytest.fixture
def make_tiny_blob():
    """Write the model file to a path and return it with what it holds."""
    return write_tiny_blob


@pytest.fixture
def tiny_blob(tmp_path):
    return write_tiny_blob(tmp_path / "tiny.bin")


def write_tiny_blob(path, seed=0):
    rng = np.random.default_rng(seed)
    vocabulary = len(PIECES) + 3  # as in the real one, the matrix has more rows than there are pieces
    matrices = {"emb.word": (vocabulary, HIDDEN)}
    plain = {"emb.pos": (POSITIONS, HIDDEN), "emb.type": (TYPES, HIDDEN), "emb.ln.w": (HIDDEN,), "emb.ln.b": (HIDDEN,)}
    for layer in range(LAYERS):
        for short, rows, columns in (
            *((each, HIDDEN, HIDDEN) for each in ("q", "k", "v", "ao")),
            ("fi", WIDE, HIDDEN),
            ("fo", HIDDEN, WIDE),
        ):
            matrices[f"l{layer}.{short}.w"] = (rows, columns)
            plain[f"l{layer}.{short}.b"] = (rows,)
        for short in ("aln", "oln"):
            plain[f"l{layer}.{short}.w"] = plain[f"l{layer}.{short}.b"] = (HIDDEN,)
    tensors, raws = {}, {}
    for name, shape in matrices.items():
        n_blocks = int(np.prod(shape)) // 32
        scales = rng.uniform(0.02, 0.1, size=n_blocks).astype("<f2")
        quants = rng.integers(0, 16, size=(n_blocks, 32))
        tensors[name] = ((quants - 8) * scales.astype(np.float64)[:, None]).astype(np.float32).reshape(shape)
        packed = (quants[:, :16] + 16 * quants[:, 16:]).astype(np.uint8)
        raws[name] = (1, b"".join(scale.tobytes() + row.tobytes() for scale, row in zip(scales, packed)))
    for name, shape in plain.items():
        tensors[name] = rng.standard_normal(shape).astype(np.float32)
        raws[name] = (0, tensors[name].astype("<f4").tobytes())

    encoded = [piece.encode() for piece in PIECES]
    offsets = np.cumsum([0, *map(len, encoded)]).astype("<u4")
    head = b"E5S1" + struct.pack("<I", 1)
    head += struct.pack("<7ifi", HIDDEN, LAYERS, HEADS, WIDE, vocabulary, POSITIONS, TYPES, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, int(offsets[-1]))
    head += offsets.tobytes() + np.array(SCORES, dtype="<f4").tobytes() + b"".join(encoded)
    rules = struct.pack("<IB", 1, 0) + struct.pack("<IBI", 0xFF41, 1, ord("a"))
    head += struct.pack("<iI", 2, len(rules)) + rules + struct.pack("<i", len(raws))
    entry_bytes = sum(2 + len(name) + 21 for name in raws)
    offset = len(head) + entry_bytes
    body = b""
    for name, (kind, raw) in raws.items():
        head += struct.pack("<H", len(name)) + name.encode()
        head += struct.pack("<BIQQ", kind, tensors[name].size, offset + len(body), len(raw))
        body += raw
    path.write_bytes(head + body)
    return TinyBlob(path, PIECES, SCORES, tensors)


def _write_tiny_model(
    folder, prompts=None, *, letters=LETTERS, default="passage", seed=7, hidden=32, layers=2, positions=64, dropout=0.1
):
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = BertConfig(
            vocab_size=len(tokens),
            hidden_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=2,
            intermediate_size=2 * hidden,
            max_position_embeddings=positions,
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
    pooling = {"word_embedding_dimension": hidden, "pooling_mode_mean_tokens": True}
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
    files = {
        "tokenizer_config.json": {**settings, "model_max_length": positions},
        "1_Pooling/config.json": {**pooling, "pooling_mode_cls_token": False},
        "sentence_bert_config.json": {"max_seq_length": positions, "do_lower_case": False},
        "config_sentence_transformers.json": {"prompts": prompts or {}, "default_prompt_name": default},
        "modules.json": [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (path, kind) in enumerate(modules)
        ],
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
