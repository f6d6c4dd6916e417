"""Bilingual lexicon induction: from many pairs, few pairs, equal strings, and nothing.

    python -m interlingua.benchmarks bli
    python -m interlingua.benchmarks bli --only "en-fr, 1k" --dry-run

English: GloVe, 20,000 words; French: fastText CBOW, lower-cased; Russian: Navec; so that algorithm, corpus and (for
French) dimension differ. "documents": 15,000 words each, both trained alike on small corpora. Dictionaries of
xling-eval (Glavaš et al. 2019, doi:10.18653/v1/P19-1070). Candidates: the whole target vocabulary. Only test words with
a vector and a translation with a vector are scored; `coverage` says how many. The interval is a bootstrap over the test
words. No setting is chosen on the test words.

"CSLS, then re-ranking" is another task than plain CSLS: a ranking of the 50 best candidates by CSLS, learned from the
same pairs (`Reranker`), by vectors and frequencies alone or by word forms (spelling and endings) too.

"25 pairs" are the training pairs of the 25 most frequent words. Each fit runs in a process of its own: CPU seconds of
all its threads are those of the fit alone, peak memory is that of the process, with vectors and libraries loaded.
"""

import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from interlingua.align import AlignmentWarning, Embeddings, SeedDictionary, SharedSpace
from interlingua.align.neighbors import Criterion
from interlingua.align.word import align, fit_dictionary
from interlingua.align.word.auto import Seeds, covered_pairs
from interlingua.align.word.confidence import THRESHOLD
from interlingua.align.word.methods import is_available
from interlingua.align.word.reranking.ranking import CandidateRanking, Reranker
from interlingua.benchmarks.harness.datasets import read_lexicon, read_vectors
from interlingua.benchmarks.harness.measure import Case, measured_apart
from interlingua.pipelines.translate.words import RANKING_SUFFIX, score_translations

Given = Literal["5k pairs", "1k pairs", "25 pairs", "identical strings", "no pairs"]

#: How tables call the methods.
_NAMES = {"procrustes": "Procrustes", "multi-step": "multi-step", "rcsls": "RCSLS", "expansion": "expansion",
          "self-learning": "self-learning", "contrastive": "contrastive", "auto": "auto"}  # fmt: skip
#: What is said of a ranking learned on top, and whether it looks at word forms.
_RANKINGS = {"CSLS, then re-ranking (vectors)": False, "CSLS, then re-ranking (vectors, word forms)": True}
_MANY: tuple[Given, ...] = ("5k pairs", "1k pairs")
_FEW: tuple[Given, ...] = ("25 pairs", "identical strings", "no pairs")
_CRITERIA: tuple[tuple[str, Criterion], ...] = (
    ("nearest neighbour", "nn"),
    ("CSLS", "csls"),
    ("inverted softmax", "isf"),
)

#: Pair of spaces, what is given, method.
CASES: tuple[tuple[str, Given, str], ...] = (
    *(("en-fr", given, method) for given in _MANY for method in _NAMES),
    *(("en-fr", given, "auto") for given in _FEW),
    *(("en-fr documents", "5k pairs", method) for method in ("procrustes", "multi-step", "auto")),
    ("en-fr documents", "no pairs", "auto"),
    *(("en-ru", given, method) for given in _MANY for method in _NAMES),
    *((pair, "5k pairs", f"multi-step + {ranking}") for pair in ("en-fr", "en-ru") for ranking in _RANKINGS),
    *((pair, "1k pairs", f"expansion + {ranking}") for pair in ("en-fr", "en-ru") for ranking in _RANKINGS),
)


def run(only: str = "", fit: Callable[[str, Given, str, str], dict[str, Any]] | None = None) -> Iterator[Case]:
    """Fit every case whose data or method holds `only`, each in a process of its own, and score it."""
    with tempfile.TemporaryDirectory() as folder:
        for pair, given, method in CASES:
            if only not in f"{pair}, {given}, {method}" or not _is_available_here(method):
                continue
            path = str(Path(folder) / "fitted.space")
            used = (
                fit(pair, given, method, path)
                if fit
                else measured_apart(f"{__name__}:fit_case", pair, given, method, path)
            )
            name = _NAMES[method.partition(" + ")[0]]
            if method == "auto":
                name += f" ({used['chosen']}{', refused' if used['refused'] else ''})"
            yield from _scored(pair, given, name, SharedSpace.load(path), used, method.partition(" + ")[2], path)


def _is_available_here(method: str) -> bool:
    """Tell whether a method can run with what is installed."""
    return method == "auto" or is_available(method.partition(" + ")[0])


def fit_case(pair: str, given: Given, method: str, path: str) -> dict[str, Any]:
    """Fit one case, save its space and ranking, and return CPU and wall seconds, the method chosen and the verdict."""
    method, _, ranking = method.partition(" + ")
    source, target = _vocabularies(pair)
    seeds: Seeds | None = "identical" if given == "identical strings" else None
    dictionary = None
    if given == "25 pairs":
        dictionary = most_frequent(read_lexicon(_lexicon(pair), "5k"), source, target, 25)
    elif given in _MANY:
        dictionary = read_lexicon(_lexicon(pair), given.split()[0])
    cpu, wall = time.process_time(), time.perf_counter()
    if method == "auto":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AlignmentWarning)  # a refusal is reported, and scored all the same
            space = align(source, target, dictionary, seeds=seeds, on_failure="warn")
    elif dictionary is None:
        raise ValueError(f"{method!r} is measured with a dictionary only, but the case is {given!r}")
    else:  # no held-out part, no verdict: their time is no part of a single method's
        space = fit_dictionary(source, target, dictionary, method=method, held_out=0.0)
        if ranking:
            pairs, _ = covered_pairs(source, target, dictionary)
            learned = Reranker(forms=_RANKINGS[ranking]).fit(space, source, target, pairs).ranking_
            learned.save(f"{path}{RANKING_SUFFIX}")
    used = {"cpu": time.process_time() - cpu, "seconds": time.perf_counter() - wall}
    space.save(path)
    return {
        **used,
        "chosen": space.provenance.get("chosen", {}).get("method", method),
        "refused": space.scores.get("confidence", 1.0) < THRESHOLD,
    }


def most_frequent(dictionary: SeedDictionary, source: Embeddings, target: Embeddings, count: int) -> SeedDictionary:
    """Return the covered pairs of the most frequent source words, `count` in all."""
    rows, _ = dictionary.index_pairs(source, target)
    chosen = rows[rows[:, 0].argsort(kind="stable")][:count]
    return SeedDictionary(tuple((source.labels[s], target.labels[t]) for s, t in chosen.tolist()))


def _scored(
    pair: str, given: Given, name: str, space: SharedSpace, used: dict[str, Any], ranking: str, path: str
) -> Iterator[Case]:
    """Give the figures of one fit: by CSLS or its ranking, for Procrustes by the other criteria too."""
    source, target = _vocabularies(pair)
    test = read_lexicon(_lexicon(pair), "test")
    learned = CandidateRanking.load(f"{path}{RANKING_SUFFIX}") if ranking else None
    criteria: Sequence[tuple[str, Criterion]] = _CRITERIA if name == "Procrustes" else _CRITERIA[1:2]
    for label, criterion in ((ranking, "csls"),) if ranking else criteria:
        report = score_translations(space, source, target, test, criterion=criterion, ranking=learned)
        score = report.score
        figures = {
            "P@1 %": 100 * score.precision_at_1,
            "P@5 %": 100 * score.precision_at_5,
            "MRR %": 100 * score.mrr,
            "coverage %": 100 * score.coverage,
        }
        if criterion == "csls":
            interval = report.interval
            figures |= {"P@1 from %": 100 * interval.low, "P@1 to %": 100 * interval.high}
            figures |= {"CPU s": used["cpu"], "peak MB": used["process"]["peak_mb"]}
        yield Case(task="lexicon induction", data=f"{pair}, {given}", method=f"{name} + {label}", figures=figures,
                   n=score.n_words, seconds=used["seconds"], peak_mb=used["process"]["peak_mb"])  # fmt: skip


def _vocabularies(pair: str) -> tuple[Embeddings, Embeddings]:
    languages, _, kind = pair.partition(" ")
    first, second = languages.split("-")
    if kind == "documents":
        return read_vectors(f"{first}.docs"), read_vectors(f"{second}.docs")
    return read_vectors(first), read_vectors(second)


def _lexicon(pair: str) -> str:
    return pair.split()[0]
