"""The vectors of `interlingua.benchmarks.search.ann`: drawn in clusters, or of real sentences."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from interlingua.benchmarks.harness.datasets import (
    SIB_CODES,
    TATOEBA_LANGUAGES,
    read_bible,
    read_ntrex,
    read_sib200,
    read_tatoeba,
)

DIMENSION = 384
_BLOCK = 20_000


def draw_vectors(n: int, seed: int) -> NDArray[np.float32]:
    """Return n vectors around 2000 centres, as the docstring of `ann` says, shape (n, 384)."""
    fixed, rng = np.random.default_rng(99), np.random.default_rng(seed)
    centres, projection = fixed.normal(size=(2000, 48)), fixed.normal(size=(48, DIMENSION)) / np.sqrt(48)
    offset, weights = fixed.normal(size=DIMENSION), 1 / np.arange(1, 2001)
    latent = centres[rng.choice(2000, size=n, p=weights / weights.sum())] + 0.5 * rng.normal(size=(n, 48))
    vectors = latent @ projection + 0.15 * rng.normal(size=(n, DIMENSION)) + 0.5 * offset
    single: NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return single


def clusters(n: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield n drawn vectors in blocks, each with the number of its first."""
    for number, start in enumerate(range(0, n, _BLOCK)):
        yield start, draw_vectors(min(_BLOCK, n - start), seed=number)


def sentence_vectors(*, centred: bool) -> NDArray[np.float32]:
    """Return the bundled encoder's vectors of different sentences of 16 languages, in random order, shape (n, 384).

    Tatoeba, NTREX-128, SIB-200 and the New Testament in English and Swahili; with `centred`, less the mean of their
    language, and of unit length again.
    """
    from interlingua.align import Centring
    from interlingua.pipelines import load_encoder

    texts: dict[str, dict[str, None]] = {language: {} for language in (*TATOEBA_LANGUAGES, "eng")}
    for language in TATOEBA_LANGUAGES:
        foreign, english = read_tatoeba(language)
        texts[language] |= dict.fromkeys(foreign)
        texts["eng"] |= dict.fromkeys(english)
    for language, own in texts.items():
        own |= dict.fromkeys(read_ntrex(language))
        for part in ("train", "dev", "test"):
            own |= dict.fromkeys(text for _, text in read_sib200(SIB_CODES[language], part).values())
    for language, verses in zip(("eng", "swh"), read_bible()):
        texts[language] |= dict.fromkeys(verses)
    encoder = load_encoder()
    vectors = {language: encoder.encode(list(own)) for language, own in texts.items()}
    if centred:
        space = Centring().fit(vectors).space_
        vectors = {language: space.transform(rows, language) for language, rows in vectors.items()}
    rows = np.concatenate(list(vectors.values()))
    return rows[np.random.default_rng(0).permutation(len(rows))]


def exact_neighbors(
    queries: NDArray[np.float32], blocks: Iterator[tuple[int, NDArray[np.float32]]], k: int, allowed: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the k best of the allowed vectors of each query by inner product, shape (n, k)."""
    import faiss

    heap = faiss.ResultHeap(len(queries), k, keep_max=True)
    for start, block in blocks:
        rows = allowed[(allowed >= start) & (allowed < start + len(block))]
        if len(rows):
            scores, ids = faiss.knn(queries, block[rows - start], k, metric=faiss.METRIC_INNER_PRODUCT)
            heap.add_result(scores, np.where(ids >= 0, rows[ids], -1))
    heap.finalize()
    found: NDArray[np.int64] = heap.I
    return found
