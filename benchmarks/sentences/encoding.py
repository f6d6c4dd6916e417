"""Texts a second of the bundled encoder, by what computes them, beside sentence-transformers.

    python -m interlingua.benchmarks encoding

Sentences of NTREX-128 in eight languages and seven scripts, mixed; one thread. All are computed in one process, in
three rounds, one after the other, and the best round of each counts: what else the machine does spoils single ones. The
tokenizer, the model of 8 bits and the checkpoint are made before; loading is not counted.

- *sentence-transformers, its defaults*: ``model.encode(texts)`` of the rebuilt checkpoint, in torch.
- *rebuilt checkpoint in torch*: the same in batches of like length in tokens, as `TransformerEncoder` makes them.
- *NumPy*, *CTranslate2* and *the package's engine*: `BundledEncoder` with dtype "float32", "int8" and "int4".

Cosines are those to the rebuilt checkpoint in float32.
"""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import require
from interlingua.benchmarks.harness.datasets import read_ntrex
from interlingua.benchmarks.harness.measure import Case, measured_apart
from interlingua.pipelines.encoders.bundled.checkpoint import bundled_checkpoint
from interlingua.pipelines.encoders.bundled.encoder import BundledEncoder
from interlingua.pipelines.encoders.transformer import TransformerEncoder

LANGUAGES = ("eng", "deu", "rus", "ara", "cmn", "hin", "swh", "fin")
_TEXTS = 20  # a language
_ROUNDS = 3
DEFAULT, BEFORE, KERNELS = "sentence-transformers, its defaults", "rebuilt checkpoint in torch", "CTranslate2, 8 bits"
_LEAST_MEAN, _FASTER_THAN_BEFORE, _FASTER_THAN_DEFAULT = 0.998, 2.0, 2.6


def run() -> Iterator[Case]:
    """Measure all in one process of one thread."""
    found = measured_apart("interlingua.benchmarks.sentences.encoding:measure", threads=1)
    seconds = found["cpu"]
    n = _TEXTS * len(LANGUAGES)
    for method, cpu in seconds.items():
        figures = {
            "texts / CPU-s": n / cpu,
            "times sentence-transformers": seconds[DEFAULT] / cpu,
            "times before": seconds[BEFORE] / cpu,
            "mean cosine": found["mean"][method],
            "least cosine": found["least"][method],
        }
        yield Case(task="encoding", data=f"NTREX-128, {len(LANGUAGES)} languages", method=method, figures=figures, n=n,
                   seconds=cpu)  # fmt: skip


def measure() -> dict[str, dict[str, float]]:
    """Return for each way the CPU seconds of its best round, and mean and least cosine."""
    os.environ["OMP_NUM_THREADS"] = "1"
    require("torch", extra="torch").set_num_threads(1)
    texts = [text for language in LANGUAGES for text in read_ntrex(language)[:_TEXTS]]
    before = TransformerEncoder(bundled_checkpoint().folder, device="cpu", dtype="float32", batch_size=32)
    ways: dict[str, Callable[[list[str]], NDArray[np.float32]]] = {
        DEFAULT: lambda some: np.asarray(before.model.encode(some, prompt="query: ", show_progress_bar=False)),
        BEFORE: before.encode,
        "NumPy, float32": BundledEncoder(device="cpu", dtype="float32").encode,
        KERNELS: BundledEncoder(device="cpu", dtype="int8").encode,
        "the package's engine, 4 bits": BundledEncoder(device="cpu", dtype="int4").encode,
    }
    exact = before.encode(texts)
    cpu = dict.fromkeys(ways, float("inf"))
    cosines: dict[str, NDArray[np.float32]] = {}
    for encode in ways.values():
        encode(texts[:20])
    for _ in range(_ROUNDS):
        for method, encode in ways.items():
            begun = time.process_time()
            vectors = encode(texts)
            cpu[method] = min(cpu[method], time.process_time() - begun)
            cosines[method] = np.einsum("ij,ij->i", vectors, exact) / np.linalg.norm(vectors, axis=1)
    mean = {method: float(each.mean()) for method, each in cosines.items()}
    return {"cpu": cpu, "mean": mean, "least": {method: float(each.min()) for method, each in cosines.items()}}


def missed(rows: list[dict[str, Any]]) -> list[str]:
    """Say where the kernels for many texts are slower, or less like float32, than they shall be."""
    least = {
        "mean cosine": _LEAST_MEAN,
        "times before": _FASTER_THAN_BEFORE,
        "times sentence-transformers": _FASTER_THAN_DEFAULT,
    }
    return [
        f"{each['metric']} of {KERNELS} is {each['value']}, below {least[str(each['metric'])]}"
        for each in rows
        if each["method"] == KERNELS
        and each["metric"] in least
        and float(str(each["value"])) < least[str(each["metric"])]
    ]
