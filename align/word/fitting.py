"""From two vocabularies and a dictionary to a shared space with held-out scores and provenance."""

import hashlib
from typing import Any

import numpy as np

from ..dictionary import SeedDictionary
from ..embeddings import Embeddings
from ..evaluation import LexiconScore, lexicon_score
from ..retrieval import Criterion
from ..shared_space import SharedSpace
from .registry import word_aligner

__all__ = ["data_hash", "fit_dictionary", "score_dictionary"]

_FEWEST_HELD_OUT = 20


def fit_dictionary(
    source: Embeddings,
    target: Embeddings,
    dictionary: SeedDictionary,
    *,
    method: str = "procrustes",
    held_out: float = 0.1,
    seed: int = 0,
    **parameters: Any,
) -> SharedSpace:
    """Learn a shared space of two languages from a seed dictionary, and score it on pairs held out.

    The method is fitted twice: on all but a share of the dictionary's source words, to be scored on that share, and
    then on all pairs, which gives the space that is returned. The scores are therefore those of a slightly weaker
    space.

    Parameters
    ----------
    source, target : Embeddings
        The vocabularies, most frequent first. Their `space` names the languages.
    dictionary : SeedDictionary
        Translation pairs; those without both vectors are left out and counted.
    method : str
        A name from `WORD_METHODS`.
    held_out : float
        Share of the source words to score on; 0 for no score. Where fewer than 20 words would be held out, no score
        is taken.
    seed : int
        Chooses the words held out.
    **parameters
        For the method's constructor.

    Returns
    -------
    SharedSpace
        With the scores ``precision_at_1``, ``precision_at_5``, ``mrr`` (CSLS, whole target vocabulary) and the
        provenance: pairs, coverage, parameters, seed and a hash of the data.

    Raises
    ------
    ValueError
        If no pair has both vectors, the languages share a name, or the method is unknown.
    """
    names = (source.space or "source", target.space or "target")
    pairs, coverage = dictionary.index_pairs(source, target)
    if coverage.n_covered == 0:
        raise ValueError(
            f"none of the {coverage.n_pairs} dictionary pairs has both vectors (first missing: "
            f"{', '.join(map(' - '.join, coverage.missing[:3]))}); check the direction of the dictionary, "
            "the casing (lower-case both sides) and the vocabulary cut-off"
        )
    scores: dict[str, float] = {}
    if held_out and held_out * coverage.n_sources_covered >= _FEWEST_HELD_OUT:
        covered = SeedDictionary(tuple((source.labels[s], target.labels[t]) for s, t in pairs.tolist()))
        test, train = covered.split(held_out, seed)
        train_pairs, _ = train.index_pairs(source, target)
        trial = word_aligner(method, **parameters).fit(source.vectors, target.vectors, train_pairs, names=names)
        score = score_dictionary(trial.space_, source, target, test)
        scores = {
            "precision_at_1": score.precision_at_1,
            "precision_at_5": score.precision_at_5,
            "mrr": score.mrr,
            "held_out_words": score.n_words,
        }
    fitted = word_aligner(method, **parameters).fit(source.vectors, target.vectors, pairs, names=names).space_
    provenance = {
        **fitted.provenance,
        "dictionary_pairs": coverage.n_pairs,
        "vocabulary": {names[0]: len(source), names[1]: len(target)},
        "parameters": {key: value for key, value in parameters.items() if isinstance(value, str | int | float)},
        "seed": seed,
        "data_sha256": data_hash(source, target, dictionary),
    }
    return SharedSpace(fitted.maps, fitted.method, fitted.encoder, scores, provenance)


def score_dictionary(
    space: SharedSpace,
    source: Embeddings,
    target: Embeddings,
    test: SeedDictionary,
    *,
    criterion: Criterion = "csls",
) -> LexiconScore:
    """Score a space on a test dictionary; the languages are named by the embeddings' `space`.

    Only source words with a vector and at least one gold translation with a vector are scored; `LexiconScore.coverage`
    says how many that are.
    """
    pairs, coverage = test.index_pairs(source, target)
    gold: dict[int, list[int]] = {}
    for row, translation in pairs.tolist():
        gold.setdefault(row, []).append(translation)
    return lexicon_score(
        space.transform(source.vectors, source.space or "source"),
        space.transform(target.vectors, target.space or "target"),
        {row: np.array(translations, np.int64) for row, translations in gold.items()},
        n_asked=coverage.n_sources,
        criterion=criterion,
    )


def data_hash(source: Embeddings, target: Embeddings, dictionary: SeedDictionary) -> str:
    """Return the SHA-256 of labels, vectors and pairs: equal data, equal hash, whatever the file format."""
    digest = hashlib.sha256()
    for each in (source, target):
        digest.update("\0".join(each.labels).encode())
        digest.update(memoryview(np.ascontiguousarray(each.vectors)).cast("B"))
    digest.update("\0".join("\t".join(pair) for pair in dictionary.pairs).encode())
    return digest.hexdigest()
