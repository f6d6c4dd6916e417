"""Texts of three languages in several files, and word vectors that encode them."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from interlingua.align import Embeddings
from interlingua.pipelines import Passage


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(5)
    languages = ("en", "sw", "zh")
    words = [f"w{number}{code}" for code in languages for number in range(60)]
    meaning = np.tile(rng.normal(size=(60, 16)), (3, 1)) + np.repeat(rng.normal(size=(3, 16)), 60, axis=0)
    Embeddings(tuple(words), meaning.astype(np.float32), "words").write(folder / "words.vec")
    passages = []
    for number in range(300):
        code = languages[number % 3]
        text = " ".join(f"w{each}{code}" for each in rng.choice(60, 5, replace=False))
        passages.append(Passage(f"p{number}", text, code, {"page": number % 7}))
    files = []
    for part in range(3):
        lines = [
            json.dumps({"id": each.id, "text": each.text, "language": each.language, **each.metadata})
            for each in passages[part * 100 : (part + 1) * 100]
        ]
        files.append(folder / f"part{part}.jsonl")
        files[-1].write_text("\n".join(lines) + "\n", encoding="utf-8")
    vectors = rng.normal(size=(900, 16)).astype(np.float32)
    np.save(folder / "vectors.npy", vectors)
    return SimpleNamespace(
        folder=folder, files=files, passages=passages, encoder=str(folder / "words.vec"), vectors=vectors
    )
