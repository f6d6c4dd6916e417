"""Texts a second: bfloat16 in batches of equal tokens beside sentence-transformers' own defaults."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interlingua.benchmarks.harness.datasets import read_ntrex
from interlingua.benchmarks.harness.measure import Case
from interlingua.pipelines.demo.demo import load_declaration
from interlingua.pipelines.encoders.transformer import TransformerEncoder

from .command import finish, machine

LANGUAGES = ("eng", "deu", "rus", "ara", "cmn", "hin", "swh", "fin")
_TOKENS = 65_536  # in a batch
_TOY_TEXTS = 24


def texts(device: str) -> list[str]:
    """Return NTREX-128 in eight languages, or a few articles of the Declaration of Human Rights."""
    if device == "cuda":
        return [text for language in LANGUAGES for text in read_ntrex(language) if text.strip()]
    return [text[:60] for each in load_declaration().values() for text in each.articles[:1]][:_TOY_TEXTS]


def encoding(device: str, seconds: float, folder: Path | None = None) -> Iterator[Case]:
    """Encode by both ways; what they give is compared.

    Parameters
    ----------
    device : str
    seconds : float
        The texts are halved until sentence-transformers takes at most a third of it.
    folder : Path, optional
        The model; by default the bundled encoder's checkpoint.
    """
    if folder is None:
        from interlingua.pipelines.encoders.bundled.checkpoint import bundled_checkpoint

        folder = bundled_checkpoint().folder
    own = texts(device)
    exact = TransformerEncoder(folder, device=device, dtype="float32")
    exact.model.encode(own[:64], show_progress_bar=False)
    begun = time.perf_counter()
    exact.model.encode(own[:256], show_progress_bar=False)
    pace = (time.perf_counter() - begun) / len(own[:256])
    own = own[:: max(1, int(np.ceil(3 * pace * len(own) / seconds)))]
    finish(device)
    begun = time.perf_counter()
    wanted = np.asarray(exact.model.encode(own, prompt=exact.prompts["symmetric"] or None, show_progress_bar=False))
    finish(device)
    took = time.perf_counter() - begun
    data = f"NTREX-128, {len(LANGUAGES)} languages, {machine(device)}"
    yield _case(data, "sentence-transformers, its defaults", took, wanted, wanted)
    for dtype in ("float32", "bfloat16"):
        encoder = TransformerEncoder(folder, device=device, dtype=dtype)
        encode_by_tokens(encoder, own[:64])
        finish(device)
        begun = time.perf_counter()
        found = encode_by_tokens(encoder, own)
        finish(device)
        yield _case(data, f"{dtype}, batches of {_TOKENS:,} tokens", time.perf_counter() - begun, found, wanted)


def encode_by_tokens(encoder: TransformerEncoder, some: list[str], tokens: int = _TOKENS) -> NDArray[np.float32]:
    """Encode in batches of like length whose texts, padded, are at most so many tokens together."""
    lengths = encoder.text_lengths(some)
    order = np.argsort(-lengths, kind="stable").tolist()
    vectors = np.empty((len(some), encoder.dimension), np.float32)
    while order:
        rows = order[: max(1, tokens // max(int(lengths[order[0]]), 1))]
        del order[: len(rows)]
        encoder.batch_size = len(rows)
        vectors[rows] = encoder.encode([some[row] for row in rows])
    return vectors


def _case(data: str, method: str, took: float, found: NDArray[np.float32], wanted: NDArray[np.float32]) -> Case:
    lengths = np.linalg.norm(wanted, axis=1) * np.linalg.norm(found, axis=1)
    cosines = np.einsum("ij,ij->i", found, wanted) / lengths
    figures = {"texts / s": len(found) / took, "mean cosine": float(cosines.mean())}
    return Case(task="GPU: encoding", data=data, method=method, figures=figures, n=len(found), seconds=took)
