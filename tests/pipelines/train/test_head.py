"""The vectors of sentence pairs."""

import json

import numpy as np

from interlingua.pipelines.texts.pairs import read_pairs
from interlingua.pipelines.train.head import encode_pairs


def test_each_pair_of_languages_in_a_file_is_a_domain(tmp_path, fake_encoder):
    rows = [{"en": "sun", "fr": "soleil"}, {"en": "moon", "fr": "lune"}, {"de": "Mond", "en": "moon"}]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    parallel = encode_pairs(fake_encoder, {"a": read_pairs(path)})
    assert {name: set(each) for name, each in parallel} == {"a: en-fr": {"en", "fr"}, "a: de-en": {"de", "en"}}
    expected = fake_encoder.encode(["sun", "moon"])
    assert np.allclose(parallel.domains["a: en-fr"]["en"], expected, atol=1e-6)
