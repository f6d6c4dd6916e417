"""Document alignment: NTREX-128's documents with sentences merged and deleted on both sides.

    python -m interlingua.benchmarks documents

Of either side, independently, a tenth of the sentences is deleted and 15 % of those that are left are joined with the
next one. *Documents*: each is aligned with its own translation. *Shuffled documents*: a tenth of the documents of
either side is deleted too, and the partners are found first. *Shuffled sentences*: within each document, deleted but
not joined, one to one. Strict scores count beads that are exactly right, lax ones those that overlap a right one on
both sides; beads with an empty side do not count (Thompson and Koehn 2019). Beside it the alignment by lengths of
Gale and Church (1993).

Spans of sentences are encoded or, where said, averaged. The skip cost (0.02) and the weight of the lengths (0.25) were
chosen on Spanish, Turkish and Japanese.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from interlingua.align.sentence import align_in_order
from interlingua.benchmarks.harness.datasets import read_ntrex, read_ntrex_documents
from interlingua.benchmarks.harness.measure import Case, peak_mb, watch
from interlingua.benchmarks.harness.scores import f1
from interlingua.pipelines import load_encoder
from interlingua.pipelines.mine import match_documents
from interlingua.pipelines.mine.documents import AlignedDocuments

LANGUAGES = ("deu", "fra", "rus", "cmn")
_DELETED, _JOINED = 0.1, 0.15
Bead = tuple[frozenset[int], frozenset[int]]
Segments = list[list[int]]


def run() -> Iterator[Case]:
    """Measure all languages."""
    encoder = load_encoder()
    english = read_ntrex("eng")
    documents = np.array([each.replace(".", "-") for each in read_ntrex_documents()])
    for language in LANGUAGES:
        texts = read_ntrex(language), english
        for task in ("documents", "shuffled documents", "shuffled sentences"):
            sides, gold = _task(texts, documents, language, task)
            given = [{name: [line for line, _ in side[name]] for name in side} for side in sides]
            methods = {}
            for overlaps in ("encode", "mean") if task == "documents" else ("mean",):
                with watch() as working:
                    found = match_documents(
                        *given,
                        languages=(language, "eng"),
                        encoder=encoder,
                        by_name=task != "shuffled documents",
                        order="any" if task == "shuffled sentences" else "same",
                        overlaps="encode" if overlaps == "encode" else "mean",
                    )
                method = "interlingua" if task == "shuffled sentences" else f"interlingua, spans by {overlaps}"
                methods[method] = _found(found, sides), working.seconds
            if task == "documents":
                with watch() as working:
                    methods["lengths (Gale and Church)"] = _by_lengths(sides), working.seconds
            for method, (beads, seconds) in methods.items():
                yield Case(task="document alignment", data=f"{language} to English, {task}", method=method,
                           figures=scores(beads, gold), n=len(gold), seconds=seconds)  # fmt: skip
            if task == "shuffled documents":
                yield _matched_documents(found, language, working.seconds)
    yield from _time()


def scores(found: set[Bead], gold: set[Bead]) -> dict[str, float]:
    """Return strict and lax precision, recall and F1 in percent; beads with an empty side do not count."""
    found, gold = ({bead for bead in beads if bead[0] and bead[1]} for beads in (found, gold))
    strict = len(found & gold)
    by_source: dict[int, list[Bead]] = {}
    by_target: dict[int, list[Bead]] = {}
    for bead in gold:
        for place, side in ((by_source, bead[0]), (by_target, bead[1])):
            for each in side:
                place.setdefault(each, []).append(bead)
    touched: set[Bead] = set()
    lax = 0
    for source, target in found:
        hit = {b for s in source for b in by_source.get(s, ())} & {b for t in target for b in by_target.get(t, ())}
        lax += bool(hit)
        touched |= hit
    figures: dict[str, float] = {}
    for name, (right, recalled) in {"strict": (strict, strict), "lax": (lax, len(touched))}.items():
        precision, recall = right / max(len(found), 1), recalled / max(len(gold), 1)
        both = {"precision": precision, "recall": recall, "F1": f1(precision, recall)}
        figures |= {f"{name} {metric} %": 100 * value for metric, value in both.items()}
    return figures


def changed_document(rng: np.random.Generator, rows: list[int], *, joined: float = _JOINED) -> Segments:
    """Delete a tenth of the sentences, join some of the others with the next one, and return which are together."""
    left = [each for each in rows if rng.random() >= _DELETED] or rows[:1]
    segments: Segments = [[left[0]]]
    for each in left[1:]:
        if len(segments[-1]) == 1 and rng.random() < joined:
            segments[-1].append(each)
        else:
            segments.append([each])
    return segments


def gale_church(source: list[int], target: list[int]) -> list[tuple[int, int]]:
    """Align by lengths in characters (Gale and Church 1993); return the sizes of the beads."""
    moves = {(1, 1): 0.89, (1, 0): 0.00495, (0, 1): 0.00495, (2, 1): 0.0445, (1, 2): 0.0445, (2, 2): 0.011}
    ratio = sum(target) / max(sum(source), 1)
    n, m = len(source), len(target)
    best = np.full((n + 1, m + 1), np.inf)
    best[0, 0] = 0.0
    came: dict[tuple[int, int], tuple[int, int]] = {}
    for i in range(n + 1):
        for j in range(m + 1):
            for (a, b), prior in moves.items():
                if i >= a and j >= b and best[i - a, j - b] < np.inf:
                    one, other = sum(source[i - a : i]), sum(target[j - b : j])
                    away = abs(other - ratio * one) / math.sqrt(6.8 * max(one, other / ratio, 1))
                    cost = best[i - a, j - b] - math.log(prior) - math.log(max(math.erfc(away / math.sqrt(2)), 1e-300))
                    if cost < best[i, j]:
                        best[i, j], came[i, j] = cost, (a, b)
    path = []
    i, j = n, m
    while i or j:
        a, b = came[i, j]
        path.append((a, b))
        i, j = i - a, j - b
    return path[::-1]


def _task(
    texts: tuple[list[str], list[str]], documents: Any, language: str, task: str
) -> tuple[list[dict[str, list[tuple[str, list[int]]]]], set[Bead]]:
    """Return each side's documents, by name, as lines with the sentences they hold; and the right beads."""
    rng = np.random.default_rng(0)
    sides: list[dict[str, list[tuple[str, list[int]]]]] = []
    for side, lines in enumerate(texts):
        made = {}
        for name in rng.permutation(np.unique(documents)).tolist():
            rows = np.flatnonzero(documents == name).tolist()
            segments = changed_document(rng, rows, joined=0.0 if task == "shuffled sentences" else _JOINED)
            if task == "shuffled sentences" and side:
                rng.shuffle(segments)
            gone = task == "shuffled documents" and rng.random() < _DELETED
            blank = "" if lines is texts[0] and language == "cmn" else " "
            if not gone:
                made[name] = [(blank.join(lines[each] for each in segment), segment) for segment in segments]
        sides.append(made)
    gold: set[Bead] = set()
    for name in set(sides[0]) & set(sides[1]):
        gold |= _right([segment for _, segment in sides[0][name]], [segment for _, segment in sides[1][name]])
    return sides, gold


def _right(left: Segments, right: Segments) -> set[Bead]:
    """Return the smallest beads that cut no line: lines that share a sentence are in one."""
    parts = [(set(each), side) for side, segments in enumerate((left, right)) for each in segments]
    groups: list[tuple[set[int], list[tuple[set[int], int]]]] = []
    for sentences, side in parts:
        met = [group for group in groups if group[0] & sentences]
        groups = [group for group in groups if not group[0] & sentences]
        together = sentences.union(*(group[0] for group in met))
        groups.append((together, [(sentences, side), *(part for group in met for part in group[1])]))
    beads = set()
    for _, members in groups:
        one, other = (
            frozenset(each for sentences, of in members if of == side for each in sentences) for side in (0, 1)
        )
        beads.add((one, other))
    return beads


def _found(found: AlignedDocuments, sides: list[Any]) -> set[Bead]:
    beads = set()
    for which, (a, b, c, d) in zip(found.of.tolist(), found.spans.tolist()):
        left, right = found.pairs[which]
        names = found.sources[left].name, found.targets[right].name
        beads.add((_held(sides[0][names[0]][a:b]), _held(sides[1][names[1]][c:d])))
    return beads


def _by_lengths(sides: list[Any]) -> set[Bead]:
    beads = set()
    for name, left in sides[0].items():
        right = sides[1][name]
        i = j = 0
        for a, b in gale_church(*([len(line) for line, _ in side] for side in (left, right))):
            beads.add((_held(left[i : i + a]), _held(right[j : j + b])))
            i, j = i + a, j + b
    return beads


def _held(lines: list[tuple[str, list[int]]]) -> frozenset[int]:
    return frozenset(each for _, segment in lines for each in segment)


def _matched_documents(found: AlignedDocuments, language: str, seconds: float) -> Case:
    names = [(found.sources[a].name, found.targets[b].name) for a, b in found.pairs.tolist()]
    there = {each.name for each in found.sources} & {each.name for each in found.targets}
    right = sum(a == b for a, b in names)
    figures = {"F1 %": 200 * right / (len(names) + len(there))}
    return Case(task="document matching", data=f"{language} to English, shuffled documents", method="interlingua",
                figures=figures, n=len(there), seconds=seconds)  # fmt: skip


def _time() -> Iterator[Case]:
    """Two drawn texts of n sentences, the second a noisy copy."""
    for n in (1_000, 10_000, 50_000):
        rng = np.random.default_rng(0)
        x = rng.standard_normal((n, 128)).astype(np.float32)
        y = x + 0.7 * rng.standard_normal((n, 128)).astype(np.float32)
        with watch() as working:
            align_in_order(x, y)
        yield Case(task="time of document alignment", data=f"{n} drawn sentences a side, 128 dimensions",
                   method="interlingua", figures={"seconds": working.seconds, "peak MB": peak_mb()}, n=1,
                   seconds=working.seconds)  # fmt: skip
