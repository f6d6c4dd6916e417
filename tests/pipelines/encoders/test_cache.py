import hashlib
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.encoders.cache import CachedEncoder, EmbeddingCache, EmbeddingCacheWarning

PROMPTS = {"symmetric": "q: ", "query": "q: ", "passage": "p: "}


class CountingEncoder:
    """Vectors from a hash of prompt and text; keeps what it was asked for, and may fail after a number of texts."""

    dimension = 8
    prompts = PROMPTS

    def __init__(self, identity="counting", dtype="float32", fail_after=None):
        self.identity = identity
        self.dtype = dtype
        self.fail_after = fail_after
        self.asked = []

    def encode(self, texts, *, role="symmetric", progress=False):
        self.asked.extend(texts)
        if self.fail_after is not None and len(self.asked) > self.fail_after:
            raise KeyboardInterrupt
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            seed = hashlib.sha256((self.identity + self.prompts[role] + text).encode()).digest()[:8]
            vectors[row] = np.random.default_rng(int.from_bytes(seed, "little")).standard_normal(self.dimension)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def cache(tmp_path):
    return EmbeddingCache(tmp_path / "cache.sqlite")


TEXTS = ["one", "a longer text", "", "three", "one", "火车", "the longest text of all of them"]


def test_results_are_bit_identical_to_the_uncached_ones(cache):
    plain = CountingEncoder().encode(TEXTS)
    cold = CachedEncoder(CountingEncoder(), cache, chunk_size=2).encode(TEXTS)
    warm = CachedEncoder(CountingEncoder(), cache).encode(TEXTS)
    assert cold.dtype == warm.dtype == np.float32
    np.testing.assert_array_equal(cold, plain)
    np.testing.assert_array_equal(warm, plain)


def test_each_text_is_encoded_once(cache):
    encoder = CountingEncoder()
    cached = CachedEncoder(encoder, cache)
    cached.encode(TEXTS)
    assert sorted(encoder.asked) == sorted(set(TEXTS))
    assert (cached.hits, cached.misses, cache.size) == (0, 6, 6)
    cached.encode([*TEXTS, "new"])
    assert encoder.asked[6:] == ["new"]
    assert (cached.hits, cached.misses, cache.size) == (6, 7, 7)


def test_it_is_an_encoder_like_the_one_inside(cache):
    cached = CachedEncoder(CountingEncoder(), cache)
    assert isinstance(cached, Encoder)
    assert (cached.identity, cached.dimension, cached.prompts) == ("counting", 8, PROMPTS)


def test_roles_with_the_same_prompt_share_their_vectors_and_others_do_not(cache):
    encoder = CountingEncoder()
    cached = CachedEncoder(encoder, cache)
    symmetric = cached.encode(["text"])
    np.testing.assert_array_equal(cached.encode(["text"], role="query"), symmetric)
    assert len(encoder.asked) == 1
    assert not np.array_equal(cached.encode(["text"], role="passage"), symmetric)
    assert len(encoder.asked) == 2


@pytest.mark.parametrize("other", [{"identity": "other"}, {"dtype": "bfloat16"}])
def test_another_encoder_or_number_type_has_its_own_vectors(cache, other):
    CachedEncoder(CountingEncoder(), cache).encode(["text"])
    encoder = CountingEncoder(**other)
    CachedEncoder(encoder, cache).encode(["text"])
    assert encoder.asked == ["text"]


def test_prompt_and_text_are_not_mixed_up(cache):
    encoder = CountingEncoder()
    encoder.prompts = {"symmetric": "a", "query": "ab", "passage": ""}
    cached = CachedEncoder(encoder, cache)
    cached.encode(["bc"], role="symmetric")
    cached.encode(["c"], role="query")
    cached.encode(["abc"], role="passage")
    assert encoder.asked == ["bc", "c", "abc"]


def test_missing_texts_go_longest_first_in_chunks(cache):
    encoder = CountingEncoder()
    CachedEncoder(encoder, cache, chunk_size=2).encode(["a", "bbb", "cc", "dddd", "火车"])
    assert encoder.asked == ["火车", "dddd", "bbb", "cc", "a"]  # by UTF-8 bytes


def test_an_interrupted_run_keeps_what_is_done(cache):
    texts = [f"text {i}" for i in range(100)]
    with pytest.raises(KeyboardInterrupt):
        CachedEncoder(CountingEncoder(fail_after=60), cache, chunk_size=10).encode(texts)
    assert cache.size == 60
    encoder = CountingEncoder()
    result = CachedEncoder(encoder, cache, chunk_size=10).encode(texts)
    assert len(encoder.asked) == 40
    np.testing.assert_array_equal(result, CountingEncoder().encode(texts))


def test_no_texts_touch_nothing(cache):
    assert CachedEncoder(CountingEncoder(), cache).encode([]).shape == (0, 8)


def test_more_texts_than_a_statement_takes(cache):
    texts = [f"text {i}" for i in range(1203)]
    first = CachedEncoder(CountingEncoder(), cache).encode(texts)
    cached = CachedEncoder(CountingEncoder(), cache)
    np.testing.assert_array_equal(cached.encode(texts[::-1]), first[::-1])
    assert (cached.hits, cached.misses) == (1203, 0)


def test_clear_forgets_and_gives_the_space_back(cache):
    cached = CachedEncoder(CountingEncoder(), cache)
    cached.encode([f"text {i}" for i in range(2000)])
    before = cache.path.stat().st_size
    cache.clear()
    assert cache.size == 0
    assert cache.path.stat().st_size < before / 4
    cached.encode(["text 1"])
    assert cache.size == 1


def test_a_file_that_is_no_database_is_moved_aside(cache):
    cache.path.write_bytes(b"this is no database at all" * 1000)
    with pytest.warns(EmbeddingCacheWarning, match="damaged"):
        result = CachedEncoder(CountingEncoder(), cache).encode(TEXTS)
    np.testing.assert_array_equal(result, CountingEncoder().encode(TEXTS))
    assert cache.size == 6
    (aside,) = cache.path.parent.glob("cache.sqlite.damaged-*")
    assert aside.read_bytes().startswith(b"this is no database")


def test_a_truncated_database_is_moved_aside(cache):
    texts = [f"text {i}" for i in range(3000)]
    CachedEncoder(CountingEncoder(), cache).encode(texts)
    with cache.path.open("r+b") as file:
        file.truncate(cache.path.stat().st_size // 2)
    with pytest.warns(EmbeddingCacheWarning, match="damaged"):
        result = CachedEncoder(CountingEncoder(), cache).encode(texts)
    np.testing.assert_array_equal(result, CountingEncoder().encode(texts))
    assert cache.size == 3000


@pytest.mark.parametrize("change", ["zeroblob(32)", "zeroblob(31)", "x'00'"])
def test_an_altered_vector_counts_as_absent(cache, change):
    CachedEncoder(CountingEncoder(), cache).encode(["one", "two"])
    db = sqlite3.connect(cache.path)
    db.execute(f"UPDATE vectors SET vector = {change}")  # noqa: S608 - from the lines above
    db.commit()
    db.close()
    encoder = CountingEncoder()
    result = CachedEncoder(encoder, cache).encode(["one", "two"])
    assert sorted(encoder.asked) == ["one", "two"]
    np.testing.assert_array_equal(result, CountingEncoder().encode(["one", "two"]))


def test_a_place_that_cannot_be_written_costs_one_warning_only(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    cached = CachedEncoder(CountingEncoder(), EmbeddingCache(tmp_path / "file" / "cache.sqlite"), chunk_size=2)
    with pytest.warns(EmbeddingCacheWarning, match="going on without it") as caught:
        result = cached.encode(TEXTS)
    assert len(caught) == 1
    np.testing.assert_array_equal(result, CountingEncoder().encode(TEXTS))


def test_threads_share_one_cache(cache):
    texts = [f"text {i}" for i in range(200)]
    cached = CachedEncoder(CountingEncoder(), cache, chunk_size=16)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda shift: cached.encode(texts[shift:]), range(8)))
    expected = CountingEncoder().encode(texts)
    for shift, result in enumerate(results):
        np.testing.assert_array_equal(result, expected[shift:])
    assert cache.size == 200


@pytest.mark.slow
def test_processes_share_one_cache(cache):
    code = (
        "import sys, warnings; warnings.simplefilter('error'); import numpy as np\n"
        "from interlingua.pipelines.encoders.cache import EmbeddingCache\n"
        "cache = EmbeddingCache(sys.argv[1]); me = int(sys.argv[2])\n"
        "for i in range(50):\n"
        "    keys = [bytes([me, i, j]) for j in range(20)]\n"
        "    cache.put(keys, np.full((20, 8), me * 1000 + i, dtype=np.float32))\n"
        "    assert all((v == me * 1000 + i).all() for _, v in cache.get(keys, 8))\n"
    )
    command = [sys.executable, "-c", code, str(cache.path)]
    running = [subprocess.Popen([*command, str(me)], stderr=subprocess.PIPE, text=True) for me in range(4)]
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert cache.size == 4 * 50 * 20


@pytest.mark.parametrize("texts", ["one text", [1], ["a", None]])
def test_what_is_no_text_is_refused(cache, texts):
    with pytest.raises(TypeError):
        CachedEncoder(CountingEncoder(), cache).encode(texts)


def test_the_default_place_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERLINGUA_CACHE", str(tmp_path / "chosen"))
    assert EmbeddingCache().path.parent == tmp_path / "chosen"
    monkeypatch.delenv("INTERLINGUA_CACHE")
    assert "interlingua" in EmbeddingCache().path.parts
    assert not EmbeddingCache().path.is_relative_to(tmp_path)


def test_a_chunk_of_no_texts_is_refused(cache):
    with pytest.raises(ValueError, match="chunk_size"):
        CachedEncoder(CountingEncoder(), cache, chunk_size=0)
