"""What our doors cost beside the bare library beneath them: CPU seconds of both, one thread, in one process.

    python -m interlingua.benchmarks performance
    python -m interlingua.benchmarks performance --n 10000 --dry-run

Drawn vectors of 384 numbers in ten languages; the encoder looks its vectors up, so that none of the time is its own.
Each figure is the smallest of a few runs; the ratio is to the bare call beside it. Words: 20,000 x 300, 5,000 pairs.
"""

import csv
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import Embeddings, SeedDictionary
from interlingua.align.arrays import unit_rows
from interlingua.align.word import align
from interlingua.benchmarks.harness.measure import Case
from interlingua.index.engines.scan import load_faiss
from interlingua.pipelines import CrossLingualSearch, Passage

_DIMENSION, _LANGUAGES, _K, _QUESTIONS = 384, 10, 10, 100
_KINDS = ("flat", "faiss-flat")


class _Known:
    """An encoder that gives the vector of a text from a table."""

    identity = "known"
    dimension = _DIMENSION

    def __init__(self, texts: Sequence[str], vectors: NDArray[np.float32]) -> None:
        self._rows = {text: row for row, text in enumerate(texts)}
        self._vectors = vectors

    def encode(self, texts: Sequence[str], *, role: str = "symmetric", **_: Any) -> NDArray[np.float32]:
        """Return the rows of texts; of those that it does not know, the first ones'."""
        return self._vectors[[self._rows.get(text, 0) for text in texts]]


def run(n: int = 100_000, words: int = 20_000, width: int = 300) -> Iterator[Case]:
    """Measure searches of `n` passages, and reading and aligning `words` word vectors of `width` numbers."""
    load_faiss().omp_set_num_threads(1)
    for kind in _KINDS:
        yield from _searches(n, kind)
    yield from _word_vectors(words, width)


def _searches(n: int, kind: str) -> Iterator[Case]:
    rng = np.random.default_rng(0)
    topics = rng.normal(size=(200, _DIMENSION))
    raw = topics[rng.integers(0, 200, n + _QUESTIONS)] * 0.6 + rng.normal(size=(n + _QUESTIONS, _DIMENSION))
    texts = [f"text {number}" for number in range(n + _QUESTIONS)]
    encoder: Any = _Known(texts, unit_rows(raw.astype(np.float32)))
    given = [Passage(f"p{row}", texts[row], f"l{row % _LANGUAGES}", {"year": row % 100}) for row in range(n)]
    build, search = _cpu(lambda: CrossLingualSearch.build(given, encoder, kind=kind), 1)  # type: ignore[arg-type]
    faiss = load_faiss()
    rows = search.vectors([each.id for each in given])
    bare = faiss.IndexFlatIP(_DIMENSION)
    add, _ = _cpu(lambda: bare.add(rows), 1)
    asked, _ = search.map_questions(texts[n:], "l1")
    one, alone = asked[:1], faiss.SearchParameters(sel=faiss.IDSelectorAll())
    scan, _ = _cpu(lambda: bare.search(one, _K, params=alone), 9)
    product, _ = _cpu(lambda: bare.search(asked, _K), 3)
    data = f"{n} x {_DIMENSION}, {_LANGUAGES} languages"
    doors: tuple[tuple[str, Callable[[], object], float, int], ...] = (
        ("one question", lambda: search.search_vectors(one, _K), scan, 9),
        ("one question, one language", lambda: search.search_vectors(one, _K, languages=["l3"]), scan, 9),
        ("one question, 1 % of the rows", lambda: search.search_vectors(one, _K, where={"year": 7}), scan, 9),
        ("one question, balanced", lambda: search.search_vectors(one, _K, balance=True), scan, 9),
        (f"{_QUESTIONS} questions", lambda: search.search_vectors(asked, _K), product, 3),
    )
    for task, door, beside, times in doors:
        yield _case(task, data, kind, _cpu(door, times)[0], beside)
    numbers = iter(range(10**6))
    replaced = lambda: search.upsert([Passage(f"p{7 * next(numbers)}", texts[0], "l2", {"year": 3})])  # noqa: E731
    yield _case("one row replaced", data, kind, _cpu(replaced, 15)[0], None)
    yield _case("build", data, kind, build, add)


def _word_vectors(n: int, d: int) -> Iterator[Case]:
    rng = np.random.default_rng(0)
    meaning = rng.normal(size=(n, d)) * np.linspace(2, 0.3, d)
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    x, y = (
        (meaning + 0.6 * rng.normal(size=(n, d))).astype(np.float32) @ each.astype(np.float32)
        for each in (np.eye(d), turn)
    )
    english, french = (
        Embeddings(tuple(f"{code}{row}" for row in range(n)), each, code) for code, each in (("en", x), ("fr", y))
    )
    drawn = rng.permutation(n)[: n // 4]
    pairs = SeedDictionary(tuple((f"en{row}", f"fr{row}") for row in drawn))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "en.vec"
        lines = (f"en{row} " + " ".join(f"{value:.4f}" for value in each) for row, each in enumerate(x.tolist()))
        path.write_text(f"{n} {d}\n" + "\n".join(lines) + "\n", encoding="utf-8")
        beside, _ = _cpu(lambda: _read_by_pandas(path, d), 3)
        yield _case("read a .vec", f"{n} x {d}, 4 decimals", "Embeddings.read", *_both(path, beside))
    plain, _ = _cpu(lambda: _procrustes(x, y, drawn), 3)
    for method in ("procrustes", "multi-step", "auto"):
        seconds, _ = _cpu(lambda: align(english, french, pairs, method=method), 1)  # noqa: B023
        yield _case("align words", f"{n} x {d}, {n // 4} pairs", method, seconds, plain)


def _both(path: Path, beside: float) -> tuple[float, float]:
    return _cpu(lambda: Embeddings.read(path), 3)[0], beside


def _read_by_pandas(path: Path, d: int) -> object:
    import pandas as pd  # type: ignore[import-untyped]  # ships no types

    columns = dict.fromkeys(range(1, d + 1), np.float32)
    return pd.read_csv(path, sep=" ", header=None, skiprows=1, quoting=csv.QUOTE_NONE, na_filter=False, dtype=columns)


def _procrustes(x: NDArray[np.float32], y: NDArray[np.float32], rows: NDArray[np.int64]) -> object:
    """Return the mapped source, in the four lines that it takes in NumPy."""
    x, y = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (x, y))
    left, _, right = np.linalg.svd(x[rows].T @ y[rows])
    return x @ (left @ right)


def _cpu(call: Callable[[], Any], times: int) -> tuple[float, Any]:
    """Return the fewest CPU seconds of `times` calls (after one that is not counted, if several), and the result."""
    result = call() if times > 1 else None
    taken = []
    for _ in range(times):
        start = time.process_time()
        result = call()
        taken.append(time.process_time() - start)
    return min(taken), result


def _case(task: str, data: str, method: str, seconds: float, beside: float | None) -> Case:
    figures = {"CPU ms": 1e3 * seconds}
    if beside is not None:
        figures |= {"bare CPU ms": 1e3 * beside, "ratio": seconds / beside}
    return Case(task=task, data=data, method=method, figures=figures, n=1)
