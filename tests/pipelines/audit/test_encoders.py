import json
from dataclasses import replace

import numpy as np
import pytest

from interlingua.align import Embeddings
from interlingua.pipelines import CrossLingualSearch
from interlingua.pipelines.audit.encoders import AuditTexts, audit_encoders, texts_of_collection
from interlingua.pipelines.commands.main import main


@pytest.fixture
def parallel():
    """Thirty texts that say the same in two languages."""
    texts = [(f"w{n}.{code} w{n + 1}.{code}", code, n) for code in ("en", "sw") for n in range(30)]
    return AuditTexts(*(tuple(each) for each in zip(*texts, strict=True)))


def test_encoders_are_compared_on_the_same_texts(parallel, fake_encoder):
    class Blind:
        def __getattr__(self, name):
            return getattr(fake_encoder, name)

        def encode(self, texts, **options):
            return fake_encoder.encode([each.replace(".sw", ".en") for each in texts], **options)

    found = audit_encoders(parallel, {"fake": fake_encoder, "blind": Blind()})
    assert list(found) == ["fake", "blind"]
    assert found["blind"].raw.translations.mixed == 1
    assert found["fake"].raw.translations.mixed < 1
    assert not found["blind"].biased
    with pytest.raises(ValueError, match="compared from two on, but there are 1"):
        audit_encoders(parallel, {"fake": fake_encoder})


def test_a_sample_keeps_what_belongs_together(parallel):
    some = parallel.some(20)
    assert len(some.texts) == 20
    assert sorted(set(some.ids)) == sorted(id for id in some.ids)[::2]
    each = replace(parallel, ids=None).some(20)
    assert [each.languages.count(name) for name in ("en", "sw")] == [10, 10]
    assert parallel.some(60) is parallel


def test_encoders_of_a_collection_on_the_command_line(passages, fake_encoder, tmp_path, capsys):
    rng = np.random.default_rng(0)
    words = tuple(dict.fromkeys(word for each in passages for word in each.text.split()))
    for name in ("a", "b"):
        vectors = rng.normal(size=(len(words), 8)).astype(np.float32)
        Embeddings(words, vectors, name).write(tmp_path / f"{name}.vec")
    CrossLingualSearch.build(passages, fake_encoder).save(tmp_path / "c")
    assert len(texts_of_collection(tmp_path / "c", id_field="topic").ids) == len(passages)
    names = [str(tmp_path / f"{name}.vec") for name in ("a", "b")]
    assert main(["audit", str(tmp_path / "c"), "--id-field", "topic", "--json", "--encoder", *names]) == 0
    out, err = capsys.readouterr()
    assert list(json.loads(out)["encoders"]) == names
    assert "no bound of recall can be given" in err
    assert main(["audit", "en=x.npy", "fr=y.npy", "--encoder", *names]) == 2
    assert "vectors are of one encoder" in capsys.readouterr().err
