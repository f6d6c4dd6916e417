"""What a question costs in a fresh process, and with torch as it was before.

    python -m interlingua.benchmarks cold_start

`interlingua search COLLECTION QUESTION` on the Universal Declaration of Human Rights, 30 articles in 41 languages, and
on many passages (100,000, or --count), which are its articles, numbered. The vectors are drawn at random: what a
question costs does not depend on them. No cache holds the question's vector. One thread; the least of three runs
counts, of torch one is made. *Torch* is the same search with the rebuilt checkpoint in sentence-transformers as its
encoder; the checkpoint is there already.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.benchmarks.harness.measure import Case
from interlingua.benchmarks.harness.processes import run_measured
from interlingua.pipelines import CrossLingualSearch, Passage
from interlingua.pipelines.demo.demo import load_declaration
from interlingua.pipelines.encoders.bundled.checkpoint import bundled_checkpoint
from interlingua.pipelines.encoders.bundled.encoder import BundledEncoder

QUESTION = "Do parents have to pay for school?"
ONE, TORCH = "interlingua search", "with the rebuilt checkpoint in torch"
_MANY = 100_000
_RUNS = {ONE: 3, TORCH: 1}
_MOST_CPU, _MOST_MB = 1.2, 350
_DECLARATION = "UDHR, 41 languages"
_TORCH_SCRIPT = """
import sys
from interlingua.pipelines import CrossLingualSearch
from interlingua.pipelines.encoders.transformer import TransformerEncoder
collection, question, checkpoint, identity = sys.argv[1:]
encoder = TransformerEncoder(checkpoint, device="cpu", dtype="float32")
encoder.identity = identity
print(CrossLingualSearch.load(collection, encoder).search([question], 3))
"""


@dataclass(frozen=True)
class _Drawn:
    """An encoder with the name of the bundled one, whose vectors are drawn at random."""

    identity: str
    dimension: int
    prompts = MappingProxyType({"symmetric": "", "query": "", "passage": ""})

    def encode(self, texts: Sequence[str], *, role: str = "symmetric", progress: bool = False) -> NDArray[np.float32]:
        rows = np.random.default_rng(len(texts)).standard_normal((len(texts), self.dimension), np.float32)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def passages(count: int | None = None) -> list[Passage]:
    """Return the articles of the declaration; with a count so many, numbered where they repeat."""
    articles = [
        Passage(f"{code}-{number}", text, code)
        for code, each in load_declaration().items()
        for number, text in enumerate(each.articles, start=1)
    ]
    if count is None:
        return articles
    rounds = range(-(-count // len(articles)))
    return [Passage(f"{p.id}-{n}", f"{p.text} ({n})", p.language) for n in rounds for p in articles][:count]


def run(count: int = _MANY) -> Iterator[Case]:
    """Build both collections, and ask each in processes of their own."""
    bundled, checkpoint = BundledEncoder(device="cpu"), bundled_checkpoint()
    with tempfile.TemporaryDirectory() as place:
        sets = {_DECLARATION: passages(), f"{count} passages": passages(count)}
        for data, texts in sets.items():
            folder = Path(place) / f"collection-{len(texts)}"
            drawn: Any = _Drawn(bundled.identity, bundled.dimension)
            CrossLingualSearch.build(texts, drawn, encoder_name="bundled").save(folder)
            commands = {
                ONE: ["-m", "interlingua.pipelines.commands.main", "search", str(folder), QUESTION, "-k", "3"],
                TORCH: ["-c", _TORCH_SCRIPT, str(folder), QUESTION, str(checkpoint.folder), checkpoint.identity],
            }
            for method, command in commands.items():
                yield _asked(data, method, [sys.executable, *command], Path(place), len(texts))


def _asked(data: str, method: str, command: list[str], place: Path, n: int) -> Case:
    best = None
    for number in range(_RUNS[method]):
        cache = place / f"cache-{number}"
        fresh = {"INTERLINGUA_CACHE": str(cache), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        used = run_measured(command, directory=place, environment=fresh)
        if used.code:
            raise RuntimeError(f"{' '.join(command[:4])} ended with {used.code}")
        best = used if best is None or used.cpu < best.cpu else best
        for left in cache.glob("embeddings*"):  # another collection is asked the same
            left.unlink()
    assert best is not None  # noqa: S101 - there is a run
    return Case(task="question in a fresh process", data=data, method=method,
                figures={"CPU seconds": best.cpu, "peak MB": best.peak_mb}, n=n, seconds=best.seconds)  # fmt: skip


def missed(rows: list[dict[str, Any]]) -> list[str]:
    """Say where a question to a small collection takes more than it may."""
    most = {"CPU seconds": _MOST_CPU, "peak MB": _MOST_MB}
    return [
        f"{each['metric']} of a question is {each['value']}, more than {most[each['metric']]}"
        for each in rows
        if each["method"] == ONE and each["data"] == _DECLARATION and each["value"] > most[each["metric"]]
    ]
