"""Sentence retrieval on Tatoeba: top-1 accuracy in both directions, with and without alignment.

    python -m interlingua.benchmarks.tatoeba

Baseline: nearest neighbour by cosine of the encoder's vectors (the prompt "query: " on both sides). *Transductive*
methods take each language's mean from the test sentences themselves, as XTREME's ``--use_shift_embeds`` does;
*inductive* ones from NTREX-128, other texts. CSLS always measures hubness among the test sentences. Its neighbourhood
is that of margin-based mining, k = 4 (Artetxe and Schwenk 2019, doi:10.18653/v1/P19-1309), beside k = 10 of word
retrieval.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import Centring, SharedSpace, parallel_accuracy
from interlingua.pipelines import Encoder, load_encoder

from .datasets import TATOEBA_LANGUAGES, read_ntrex, read_tatoeba
from .measure import peak_mb, run_benchmark, watch
from .report import row

__all__ = ["main", "run", "score_method"]

COMMAND = "python -m interlingua.benchmarks.tatoeba"
Vectors = NDArray[np.float32]
Pair = tuple[Vectors, Vectors]
#: Method: does it align, with which means, criterion, neighbourhood.
METHODS: dict[str, tuple[str, Any, int]] = {
    "cosine (raw)": ("raw", "nn", 10),
    "centred, transductive": ("transductive", "nn", 10),
    "centred + CSLS k=4, transductive": ("transductive", "csls", 4),
    "centred + CSLS k=10, transductive": ("transductive", "csls", 10),
    "centred + inverted softmax, transductive": ("transductive", "isf", 10),
    "centred + CSLS k=4, inductive": ("inductive", "csls", 4),
    "centred + CSLS k=10, inductive": ("inductive", "csls", 10),
}


def score_method(
    pairs: dict[str, Pair], space: Callable[[str], SharedSpace | None], criterion: Any, k: int
) -> dict[str, tuple[float, float]]:
    """Return the accuracy of each language to English and back, in percent."""
    scores = {}
    for language, (foreign, english) in pairs.items():
        chosen = space(language)
        if chosen is not None:
            foreign, english = chosen.transform(foreign, language), chosen.transform(english, "eng")
        there, back = parallel_accuracy(foreign, english, criterion=criterion, neighborhood=k)
        scores[language] = (100 * there, 100 * back)
    return scores


def run(encoder: Encoder | None = None) -> list[dict[str, Any]]:
    """Encode, score every method on every language, and return the result rows."""
    encoder = load_encoder() if encoder is None else encoder
    progress = sys.stderr.isatty()
    with watch() as encoding:
        pairs: dict[str, Pair] = {}
        for language in TATOEBA_LANGUAGES:
            foreign, english = read_tatoeba(language)
            pairs[language] = (encoder.encode(foreign, progress=progress), encoder.encode(english, progress=progress))
        news = {
            language: encoder.encode(read_ntrex(language), progress=progress)
            for language in (*TATOEBA_LANGUAGES, "eng")
        }
    inductive = Centring().fit(news, encoder=encoder.identity).space_
    transductive = {
        language: Centring().fit({language: foreign, "eng": english}).space_
        for language, (foreign, english) in pairs.items()
    }
    spaces: dict[str, Callable[[str], SharedSpace | None]] = {
        "raw": lambda _: None,
        "transductive": transductive.__getitem__,
        "inductive": lambda _: inductive,
    }
    rows: list[dict[str, Any]] = []
    for method, (space, criterion, k) in METHODS.items():
        with watch() as scoring:
            scores = score_method(pairs, spaces[space], criterion, k)
        common: dict[str, Any] = {
            "method": method,
            "command": COMMAND,
            "peak_mb": peak_mb(),
            "seconds": scoring.seconds,
        }
        means = np.mean(list(scores.values()), axis=0)
        named = {f"mean of {len(scores)} languages": tuple(means), **scores}
        for language, (there, back) in named.items():
            n = len(pairs[language][0]) if language in pairs else len(pairs)
            for metric, value in (("xx-en top-1 %", there), ("en-xx top-1 %", back)):
                rows.append(row(task="Tatoeba", data=language, metric=metric, value=value, n=n, **common))
    rows.append(
        row(
            task="Tatoeba",
            data="all sentences",
            method=f"{encoder.identity}, {_number_type(encoder)}",
            metric="encoding seconds (0 when cached)",
            value=encoding.seconds,
            n=sum(2 * len(each[0]) for each in pairs.values()) + sum(map(len, news.values())),
            command=COMMAND,
            seconds=encoding.seconds,
            peak_mb=peak_mb(),
        )
    )
    return rows


def _number_type(encoder: Any) -> str:
    """Return what the encoder computes in: bfloat16 moves a vector by a cosine of about 1e-4."""
    return str(getattr(getattr(encoder, "encoder", encoder), "dtype", "float32"))


def main(arguments: list[str] | None = None) -> int:
    """Run the command in the module's docstring."""
    return run_benchmark("tatoeba", run, arguments)


if __name__ == "__main__":
    sys.exit(main())
