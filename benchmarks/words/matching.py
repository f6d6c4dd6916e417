"""The matchers beside each other on the same scores: words, sentences, entities; and what an asked precision gives.

    python -m interlingua.benchmarks matching [--only words]

*Words*: English GloVe and French fastText or Russian Navec in a space learned from xling-eval's 5,000 pairs; all words
of both vocabularies compete, the 50 nearest of each word both ways are candidates, the test words are scored.
*Sentences*: Tatoeba and NTREX-128 to English, e5-small, each language centred; all pairs are candidates. *Entities*:
the 15,000 linked entities of DBP15K by their names alone; 50 nearest both ways. CSLS and margins over 10 neighbours,
of sentences over 4; Sinkhorn at temperature 0.02 with 30 iterations: none of it was chosen on these figures.

*Accuracy*: share of the left items whose best right item by the score is right; for Hungarian and stable matching,
whose pair is. *Mutual*: share of the left items that are in a mutually best pair, and how many of these pairs are
right. Seconds and memory are those of the matcher alone, the scores given.

*A third without*: a third of the right side is taken away. The dustbin's score is the lower third of the best scores of
all left items: the share is taken as known, no pair is.

*Asked precision*: as many pairs as the mean estimated probability allows. Words: isotonic regression on the best
candidates of training words that are left out of the map, a tenth drawn at random or the rarest tenth. Sentences:
decoys, no known pair (`mine_pairs`), a third of the right side away. Entities: isotonic regression on the 4,500 known
links, the 10,500 others judged.
"""

import ctypes
import gc
import os
import pickle
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import SeedDictionary, retrieve, top_k
from interlingua.align.matching import (
    Candidates,
    ScoreCalibration,
    as_candidates,
    margin_scores,
    match,
    reciprocal_rank_scores,
    sinkhorn_scores,
)
from interlingua.align.matching.confidence import count_for_precision
from interlingua.align.sentence import mine_pairs
from interlingua.align.word import fit_dictionary
from interlingua.benchmarks.harness.datasets import data_folder, read_lexicon, read_ntrex, read_tatoeba, read_vectors
from interlingua.benchmarks.harness.measure import Case, cases_to_json, in_pieces, peak_mb, watch
from interlingua.pipelines import load_encoder
from interlingua.pipelines.graphs.graph import read_graph_pair

_WORDS, _ENTITIES = ("en-fr", "en-ru"), ("zh_en", "fr_en")
_SENTENCES = (("Tatoeba", "deu"), ("Tatoeba", "jpn"), ("Tatoeba", "tam"), ("NTREX-128", "fin"), ("NTREX-128", "cmn"))
_DEPTH, _ITERATIONS = 50, 30
_ASKED = (0.8, 0.9, 0.95)
Table = NDArray[np.float32] | Candidates


def run(only: str = "", keep: Path | None = None) -> Iterator[Case]:
    """Measure every piece whose name holds `only`, each in a process of its own; with `keep`, they are kept there."""
    for name, _ in pieces():
        if only in name:
            yield from in_pieces(f"{__name__}:piece", name, keep)


def piece(name: str) -> list[dict[str, Any]]:
    """Measure one piece."""
    return cases_to_json(dict(pieces())[name]())


def pieces() -> Iterator[tuple[str, Callable[[], Iterator[Case]]]]:
    """Yield what is measured, by name."""
    for pair in _WORDS:
        yield f"words {pair}", partial(_words, pair)
    for data, language in _SENTENCES:
        yield f"sentences {data} {language}", partial(_sentences, data, language)
    for pair in _ENTITIES:
        yield f"entities {pair}", partial(_entities, pair)


def compare(table: Table, gold: NDArray[np.int64], task: str, data: str, k: int) -> Iterator[Case]:
    """Give the figures of all matchers; `gold` holds the right column of each row, -1 of those that are not scored."""
    scored = np.flatnonzero(gold >= 0)
    scorers: dict[str, Callable[[], Table]] = {
        "cosine": lambda: table,
        "ratio margin": lambda: margin_scores(table, "ratio", k=k),
        "CSLS (distance margin)": lambda: margin_scores(table, "csls", k=k),
        "reciprocal rank": lambda: reciprocal_rank_scores(table),
        "Sinkhorn": lambda: sinkhorn_scores(table, iterations=_ITERATIONS, log=True),
    }
    for name, scorer in scorers.items():
        (best, pairs), seconds, extra = measured_alone(partial(_decoded, scorer))
        mutual = _columns(pairs, len(gold))
        answered = mutual[scored] >= 0
        figures = {
            "accuracy %": 100 * float((best[scored] == gold[scored]).mean()),
            "mutual, right %": 100 * float((mutual[scored] == gold[scored])[answered].mean()),
            "mutual, share %": 100 * float(answered.mean()),
            "seconds": seconds,
            "MB": extra,
        }
        yield _case(task, data, name, figures, len(scored), seconds)
    for name, method in {"stable matching": "stable", "Hungarian": "hungarian"}.items():
        pairs, seconds, extra = measured_alone(partial(_paired, table, method))
        columns = _columns(pairs, len(gold))
        figures = {
            "accuracy %": 100 * float((columns[scored] == gold[scored]).mean()),
            "seconds": seconds,
            "MB": extra,
        }
        yield _case(task, data, name, figures, len(scored), seconds)


def without_partner(table: NDArray[np.float32], gold: NDArray[np.int64], data: str, k: int) -> Iterator[Case]:
    """Give the figures of the matchers where some rows have no partner (-1 in `gold`)."""
    floor = float(np.quantile(table.max(axis=1), 1 / 3))
    ways: dict[str, Callable[[], Any]] = {
        "cosine, mutual": lambda: match(table, "mutual"),
        "CSLS, mutual": lambda: match(table, "csls", k=k),
        "Sinkhorn, mutual": lambda: match(table, "sinkhorn", iterations=_ITERATIONS),
        "Sinkhorn, dustbin": lambda: match(table, "sinkhorn", iterations=_ITERATIONS, dustbin=floor),
        "Hungarian": lambda: match(table, "hungarian"),
        "Hungarian, dustbin": lambda: match(table, "hungarian", dustbin=floor),
    }
    for name, way in ways.items():
        with watch() as working:
            pairs = way().pairs
        right = int((gold[pairs[:, 0]] == pairs[:, 1]).sum())
        precision, recall = right / max(len(pairs), 1), right / int((gold >= 0).sum())
        figures = {
            "precision %": 100 * precision,
            "recall %": 100 * recall,
            "F1 %": 200 * right / (len(pairs) + int((gold >= 0).sum())),
        }
        yield _case("sentences", f"{data}, a third without", name, figures, len(gold), working.seconds)


def asked(task: str, data: str, way: str, sure: NDArray[Any], right: NDArray[np.bool_]) -> Iterator[Case]:
    """Give the share of pairs that is right where a precision was asked for, and how many of the right ones stay."""
    order = np.argsort(-sure, kind="stable")
    figures: dict[str, float] = {}
    for wanted in _ASKED:
        kept = right[order[: count_for_precision(sure[order], wanted, required=False)]]
        figures[f"right % where {100 * wanted:.0f} was asked"] = 100 * float(kept.mean()) if len(kept) else 100.0
        figures[f"right ones kept % at {100 * wanted:.0f}"] = 100 * float(kept.sum()) / max(int(right.sum()), 1)
    yield _case(task, f"{data}, asked precision", way, figures, len(right), 0.0)


def _words(pair: str) -> Iterator[Case]:
    language = pair.split("-")[1]
    source, target = read_vectors("en"), read_vectors(language)
    known, _ = read_lexicon(pair, "5k").index_pairs(source, target)
    known = known[np.argsort(known[:, 0], kind="stable")]
    n = len(known) // 10
    drawn = np.random.default_rng(0).permutation(len(known) - n)[:n]
    held = {"a tenth drawn": known[drawn], "the rarest tenth": known[-n:]}
    rest = np.delete(known[:-n], drawn, axis=0)
    fitted = SeedDictionary(tuple((source.labels[s], target.labels[t]) for s, t in rest.tolist()))
    space = fit_dictionary(source, target, fitted, method="multi-step", held_out=0.0)
    left, right = space.transform(source.vectors, "en"), space.transform(target.vectors, language)
    gold = np.full(len(source), -1, np.int64)
    for s, t in read_lexicon(pair, "test").index_pairs(source, target)[0].tolist():
        gold[s] = t
    yield from compare(_both_ways(left, right), gold, "words", f"{pair}, both vocabularies", 10)
    test = np.flatnonzero(gold >= 0)
    found = retrieve(left[test], right, 1, background=left)
    for which, pairs in held.items():
        own = retrieve(left[pairs[:, 0]], right, 1, background=left)
        calibration = _calibrated(own.scores[:, 0], own.ids[:, 0] == pairs[:, 1])
        sure, way = calibration.probability(found.scores[:, 0]), f"CSLS, calibrated on {which}"
        yield from asked("words", pair, way, sure, found.ids[:, 0] == gold[test])


def _sentences(data: str, language: str) -> Iterator[Case]:
    encoder = load_encoder()
    texts = read_tatoeba(language) if data == "Tatoeba" else (read_ntrex(language), read_ntrex("eng"))
    left, right = (_centred(encoder.encode(each)) for each in texts)
    n = len(left)
    name = f"{data}, {language} to English"
    order = np.random.default_rng(0).permutation(n)  # so that no tie is broken by the order of the files
    yield from compare(left @ right[order].T, np.argsort(order), "sentences", f"{name}, all have a partner", 4)
    kept = order[: 2 * n // 3]
    gold = np.full(n, -1, np.int64)
    gold[kept] = np.arange(len(kept))
    yield from without_partner(left @ right[kept].T, gold, name, 4)
    found = mine_pairs(left, right[kept])
    hit = gold[found.rows[:, 0]] == found.rows[:, 1]
    yield from asked("sentences", name, "ratio margin, decoys", found.confidences, hit)


def _entities(pair: str) -> Iterator[Case]:
    graphs = read_graph_pair(data_folder("dbp15k") / pair)
    seeds, tests = graphs.links["sup_pairs"], graphs.links["ref_pairs"]
    links = np.concatenate([seeds, tests])
    order = np.random.default_rng(0).permutation(len(links))  # so that no row knows its column
    encoder = load_encoder()
    left = _centred(encoder.encode([graphs.left.names[each] for each in links[:, 0]]))
    right = _centred(encoder.encode([graphs.right.names[each] for each in links[order, 1]]))
    gold = np.argsort(order)
    table = _both_ways(left, right)
    yield from compare(table, gold, "entities", f"{pair}, all have a partner", 10)
    found = match(table, "csls", k=10)
    hit = gold[found.pairs[:, 0]] == found.pairs[:, 1]
    known = found.pairs[:, 0] < len(seeds)
    sure = _calibrated(found.scores[known], hit[known]).probability(found.scores[~known])
    yield from asked("entities", pair, "CSLS, calibrated on known links", sure, hit[~known])


def _calibrated(scores: NDArray[np.float32], right: NDArray[np.bool_]) -> ScoreCalibration:
    return ScoreCalibration.fit(scores[right], scores[~right], share=float(right.mean()))


def _both_ways(left: NDArray[np.float32], right: NDArray[np.float32]) -> Candidates:
    """Return the 50 nearest of each row, and of each column, as candidates."""
    ahead = as_candidates(top_k(left, right, _DEPTH), len(right))
    back = as_candidates(top_k(right, left, _DEPTH), len(left))
    rows, columns = np.concatenate([ahead.rows, back.columns]), np.concatenate([ahead.columns, back.rows])
    keys, first = np.unique(rows * len(right) + columns, return_index=True)
    scores = np.concatenate([ahead.scores, back.scores])[first]
    return Candidates(keys // len(right), keys % len(right), scores, (len(left), len(right)))


def _decoded(scorer: Callable[[], Table]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the best column of each row, and the mutually best pairs."""
    table = scorer()
    if not isinstance(table, Candidates):
        return table.argmax(axis=1), match(table, "mutual").pairs
    order = np.lexsort((table.columns, -table.scores, table.rows))
    first = order[np.unique(table.rows[order], return_index=True)[1]]
    best = np.full(table.shape[0], -1, np.int64)
    best[table.rows[first]] = table.columns[first]
    return best, match(table, "mutual").pairs


def measured_alone(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return what `work` gives in a forked process, its seconds, and the MB by which its memory rose."""
    gc.collect()
    with suppress(OSError, AttributeError):  # memory that was freed, but kept by the allocator, would hide a rise
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "result"
        child = os.fork()
        if not child:
            code = 1
            try:
                held = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
                with watch() as working:
                    result = work()
                told.write_bytes(pickle.dumps((result, working.seconds, max(peak_mb() - held / 1e6, 0.0))))
                code = 0
            finally:
                os._exit(code)  # not through the parent's open files and exit handlers
        if os.waitpid(child, 0)[1]:
            raise RuntimeError("a matcher ended without a result; call it in this process to see why")
        found: tuple[Any, float, float] = pickle.loads(told.read_bytes())  # noqa: S301 # written just now, by us
    return found


def _paired(table: Table, method: Any) -> NDArray[np.int64]:
    return match(table, method).pairs


def _columns(pairs: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    columns = np.full(n, -1, np.int64)
    columns[pairs[:, 0]] = pairs[:, 1]
    return columns


def _centred(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    moved = vectors - vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), np.float32)


def _case(task: str, data: str, method: str, figures: dict[str, float], n: int, seconds: float) -> Case:
    return Case(task=task, data=data, method=method, figures=figures, n=n, seconds=seconds)
