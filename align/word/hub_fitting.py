"""From vocabularies of many languages and dictionaries with a pivot to one shared space, scored and judged."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..confidence import OnFailure, assess_space
from ..dictionary import SeedDictionary
from ..embeddings import Embeddings
from ..evaluation import lexicon_ranks
from ..shared_space import SharedSpace
from .fitting import Pairs, Trial, covered_pairs, data_hash, gold_rows, hold_out
from .multilingual import PivotHub
from .refitting import recorded_parameters
from .registry import takes, word_aligner

__all__ = ["align_many"]

_MANY_PAIRS = 300
_FEWEST_WORDS = 100
_FAILED = 0.05


def align_many(
    vocabularies: Sequence[Embeddings],
    dictionaries: Mapping[str, SeedDictionary],
    *,
    pivot: str,
    method: str = "auto",
    held_out: float = 0.1,
    seed: int = 0,
    on_failure: OnFailure = "raise",
    **parameters: Any,
) -> SharedSpace:
    """Align many languages through a pivot (see `PivotHub`), score each on pairs held out, and refuse failures.

    Parameters
    ----------
    vocabularies : sequence of Embeddings
        Most frequent words first; their `space` names the languages, the pivot among them.
    dictionaries : mapping of str to SeedDictionary
        For each language but the pivot: pairs (pivot, language).
    pivot : str
    method : str
        A name from `WORD_METHODS`; "auto" takes the multi-step pipeline where every dictionary covers at least 300
        words of the pivot, else self-learning (Procrustes where a vocabulary has fewer than 100 words).
    held_out, seed, on_failure, **parameters
        As in `align`.

    Returns
    -------
    SharedSpace
        With the scores ``PIVOT-LANGUAGE precision_at_1`` and so on, or ``PIVOT-LANGUAGE confidence`` where there is
        no held-out precision of at least 5 %.

    Raises
    ------
    AlignmentFailedError
        If a language has a confidence below the threshold and `on_failure` is "raise".
    ValueError
        If a language has no name or no dictionary, two share a name, or a dictionary covers nothing.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(60, 4)).astype(np.float32)
    >>> turned = [x @ np.linalg.qr(rng.normal(size=(4, 4)))[0].astype(np.float32) for _ in range(3)]
    >>> words = [f"w{i}" for i in range(60)]
    >>> spaces = [Embeddings(tuple(words), each, name) for each, name in zip(turned, ("en", "fr", "ru"))]
    >>> same = SeedDictionary(tuple((word, word) for word in words[:30]))
    >>> align_many(spaces, {"fr": same, "ru": same}, pivot="en").languages
    ('en', 'fr', 'ru')
    """
    named = {each.space: each for each in vocabularies}
    if len(named) < len(vocabularies) or "" in named:
        raise ValueError(f"each language needs its own name, but they are {[each.space for each in vocabularies]}")
    others = [name for name in named if name != pivot]
    if pivot not in named or set(dictionaries) != set(others):
        raise ValueError(
            f"the pivot {pivot!r} needs vectors and every other language a dictionary with it, but there are vectors "
            f"of {', '.join(named)} and dictionaries of {', '.join(dictionaries) or 'none'}"
        )
    covered = {name: covered_pairs(named[pivot], named[name], dictionaries[name]) for name in others}
    if method == "auto":
        method = _chosen(min(len(each) for each in vocabularies), min(c.n_sources_covered for _, c in covered.values()))
    if takes(method, "seed"):
        parameters.setdefault("seed", seed)

    def fit(pairs: Mapping[str, Pairs]) -> SharedSpace:
        hub = PivotHub(pivot=pivot, aligner=word_aligner(method, **parameters))
        return hub.fit({name: each.vectors for name, each in named.items()}, pairs).space_

    parts = {name: hold_out(pairs, held_out, seed) for name, (pairs, _) in covered.items()}
    scores: dict[str, float] = {}
    if any(len(held) for held, _ in parts.values()):
        trial = fit({name: kept for name, (_, kept) in parts.items()})
        for name, (held, _) in parts.items():
            if len(held):
                of_one = _scored(trial, named[pivot], named[name], held).scores
                scores |= {f"{pivot}-{name} {key}": value for key, value in of_one.items()}
    fitted = fit({name: pairs for name, (pairs, _) in covered.items()})
    for name in others:
        small = min(len(named[pivot]), len(named[name])) < _FEWEST_WORDS
        if scores.get(f"{pivot}-{name} precision_at_1", 0.0) < _FAILED and not small:
            confidence = assess_space(fitted, named[pivot], named[name], seeds=covered[name][0], seed=seed)
            confidence.check(on_failure)
            scores[f"{pivot}-{name} confidence"] = confidence.value
    provenance = {
        **fitted.provenance,
        "dictionary_pairs": {name: coverage.n_pairs for name, (_, coverage) in covered.items()},
        "vocabulary": {name: len(each) for name, each in named.items()},
        **recorded_parameters(parameters),
        "seed": seed,
        "data_sha256": {name: data_hash(named[pivot], named[name], dictionaries[name]) for name in others},
    }
    return replace(fitted, scores=scores, provenance=provenance)


def _chosen(fewest_words: int, fewest_pairs: int) -> str:
    if fewest_words < _FEWEST_WORDS:
        return "procrustes"
    return "multi-step" if fewest_pairs >= _MANY_PAIRS else "self-learning"


def _scored(space: SharedSpace, pivot: Embeddings, other: Embeddings, held: Pairs) -> Trial:
    mapped = [space.transform(each.vectors, each.space) for each in (pivot, other)]
    return Trial(space.method, np.asarray(lexicon_ranks(mapped[0], mapped[1], gold_rows(held))))
