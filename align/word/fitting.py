"""From two vocabularies and a dictionary to a shared space with held-out scores and provenance."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dictionary import Coverage, SeedDictionary
from ..embeddings import Embeddings
from ..evaluation import LexiconScore, lexicon_ranks, lexicon_score
from ..retrieval import Criterion
from ..shared_space import SharedSpace
from .refitting import recorded_parameters
from .registry import word_aligner

__all__ = [
    "FEWEST_HELD_OUT",
    "Trial",
    "covered_pairs",
    "data_hash",
    "fit_dictionary",
    "gold_rows",
    "hold_out",
    "hold_out_folds",
    "score_dictionary",
    "try_folds",
    "try_method",
]

Pairs = NDArray[np.int64]

#: With fewer source words a held-out score says nothing.
FEWEST_HELD_OUT = 20
#: Methods are compared on so many words, in so many folds at most.
_ENOUGH_HELD_OUT = 300
_MOST_FOLDS = 3


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
    space. `align` in `interlingua.align.word.auto` chooses the method as well, and refuses failed alignments.

    Parameters
    ----------
    source, target : Embeddings
        The vocabularies, most frequent first. Their `space` names the languages.
    dictionary : SeedDictionary
        Translation pairs; those without both vectors are left out and counted.
    method : str
        A name from `WORD_METHODS`.
    held_out : float
        Share of the source words to score on (see `hold_out`); 0 for no score. Where fewer than 20 words would be
        held out, no score is taken.
    seed : int
        Chooses the words held out.
    **parameters
        For the method's constructor.

    Returns
    -------
    SharedSpace
        With the scores ``precision_at_1``, ``precision_at_5``, ``mrr`` (CSLS, whole target vocabulary) and the
        provenance: pairs, coverage, method, parameters, seed and a hash of the data.

    Raises
    ------
    ValueError
        If no pair has both vectors, the languages share a name, or the method is unknown.
    """
    names = (source.space or "source", target.space or "target")
    pairs, coverage = covered_pairs(source, target, dictionary)
    scores: Mapping[str, float] = {}
    test, train = hold_out(pairs, held_out, seed)
    if len(test):
        scores = try_method(method, source, target, train, test, **parameters).scores
    fitted = word_aligner(method, **parameters).fit(source.vectors, target.vectors, pairs, names=names).space_
    provenance = {
        **fitted.provenance,
        "dictionary_pairs": coverage.n_pairs,
        "vocabulary": {names[0]: len(source), names[1]: len(target)},
        "chosen": {"method": method, "because": "asked for"},
        **recorded_parameters(parameters),
        "seed": seed,
        "data_sha256": data_hash(source, target, dictionary),
    }
    return SharedSpace(fitted.maps, fitted.method, fitted.encoder, scores, provenance)


def covered_pairs(source: Embeddings, target: Embeddings, dictionary: SeedDictionary) -> tuple[Pairs, Coverage]:
    """Return the rows of the pairs with both vectors, and the coverage.

    Raises
    ------
    ValueError
        If there is none.
    """
    pairs, coverage = dictionary.index_pairs(source, target)
    if coverage.n_covered == 0:
        raise ValueError(
            f"none of the {coverage.n_pairs} dictionary pairs has both vectors (first missing: "
            f"{', '.join(map(' - '.join, coverage.missing[:3]))}); check the direction of the dictionary, "
            "the casing (lower-case both sides) and the vocabulary cut-off"
        )
    return pairs, coverage


def hold_out(pairs: Pairs, share: float, seed: int) -> tuple[Pairs, Pairs]:
    """Split pairs by source word: half of those held out are the rarest, half are drawn from the others.

    Dictionaries are made of frequent words, and methods differ most on rare ones: a random part alone would hide it.

    Parameters
    ----------
    pairs : (p, 2) array of int64
        Rows of source and target, most frequent first.
    share : float
        Of the source words, in [0, 1).
    seed : int
        Draws the second half.

    Returns
    -------
    held, kept : (p', 2) arrays of int64
        In the order of the pairs. `held` is empty where it would have fewer than 20 source words.

    Raises
    ------
    ValueError
        If the share is out of range.

    Examples
    --------
    >>> held, kept = hold_out(np.stack([np.arange(400)] * 2, axis=1), 0.1, seed=0)
    >>> len(held), len(kept), int((held[:, 0] >= 380).sum())
    (40, 360, 20)
    """
    folds = hold_out_folds(pairs, share, seed, enough=1)
    return folds[0] if folds else (pairs[:0], pairs)


def hold_out_folds(
    pairs: Pairs, share: float, seed: int, *, enough: int = _ENOUGH_HELD_OUT
) -> tuple[tuple[Pairs, Pairs], ...]:
    """Split pairs as `hold_out` does, several times if one part is small: no word is held out twice.

    Parameters
    ----------
    pairs : (p, 2) array of int64
        Rows of source and target, most frequent first.
    share : float
        Of the source words in each fold, in [0, 1).
    seed : int
        Draws which words go together.
    enough : int
        Source words to hold out in all folds together; there are three folds at most.

    Returns
    -------
    tuple of (held, kept)
        Empty where a fold would hold out fewer than 20 source words.

    Raises
    ------
    ValueError
        If the share is out of range.

    Examples
    --------
    >>> pairs = np.stack([np.arange(400)] * 2, axis=1)
    >>> [(len(held), int((held[:, 0] >= 340).sum())) for held, _ in hold_out_folds(pairs, 0.1, seed=0)]
    [(40, 20), (40, 20), (40, 20)]
    """
    if not 0 <= share < 1:
        raise ValueError(f"the held-out share must lie in [0, 1), but is {share}")
    words = np.unique(pairs[:, 0])
    count = round(share * words.size)
    if count < FEWEST_HELD_OUT:
        return ()
    folds = max(1, min(_MOST_FOLDS, -(-enough // count), words.size // (2 * count)))
    rng = np.random.default_rng(seed)
    n_rare = folds * (count // 2)
    drawn = rng.permutation(words[: words.size - n_rare])
    rare = rng.permutation(words[words.size - n_rare :])
    split = []
    for fold in range(folds):
        held = np.isin(pairs[:, 0], np.concatenate([rare[fold::folds], drawn[fold::folds][: count - count // 2]]))
        split.append((pairs[held], pairs[~held]))
    return tuple(split)


@dataclass(frozen=True)
class Trial:
    """A method fitted without the held-out pairs, and how it did on them.

    Attributes
    ----------
    method : str
    ranks : (n,) array of int64
        Of the best gold translation of each held-out source word, by CSLS; 0 beyond ten.
    """

    method: str
    ranks: Pairs

    @property
    def reciprocal_ranks(self) -> NDArray[np.float64]:
        """1 / rank of each word, 0 beyond ten."""
        return np.where(self.ranks > 0, 1.0 / np.maximum(self.ranks, 1), 0.0)

    @property
    def scores(self) -> dict[str, float]:
        """Shares and means over the held-out words."""
        found = self.ranks > 0
        return {
            "precision_at_1": float((self.ranks == 1).mean()),
            "precision_at_5": float((found & (self.ranks <= 5)).mean()),
            "mrr": float(self.reciprocal_ranks.mean()),
            "held_out_words": int(self.ranks.size),
        }


def try_method(
    method: str, source: Embeddings, target: Embeddings, train: Pairs, test: Pairs, **parameters: Any
) -> Trial:
    """Fit a method on some pairs and rank the translations of others among the whole target vocabulary."""
    return try_folds(method, source, target, ((test, train),), **parameters)


def try_folds(
    method: str, source: Embeddings, target: Embeddings, folds: Sequence[tuple[Pairs, Pairs]], **parameters: Any
) -> Trial:
    """Try a method on each (held, kept) of `hold_out_folds`; the ranks of all held-out words follow each other."""
    ranks = []
    for held, kept in folds:
        fitted = word_aligner(method, **parameters).fit(source.vectors, target.vectors, kept, names=("s", "t")).space_
        mapped = (fitted.transform(source.vectors, "s"), fitted.transform(target.vectors, "t"))
        ranks.append(lexicon_ranks(*mapped, gold_rows(held)))
    return Trial(method, np.concatenate(ranks))


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
    return lexicon_score(
        space.transform(source.vectors, source.space or "source"),
        space.transform(target.vectors, target.space or "target"),
        gold_rows(pairs),
        n_asked=coverage.n_sources,
        criterion=criterion,
    )


def gold_rows(pairs: Pairs) -> dict[int, NDArray[np.int64]]:
    """Return the right target rows of each source row, in the order of the pairs."""
    grouped: dict[int, list[int]] = {}
    for row, translation in pairs.tolist():
        grouped.setdefault(row, []).append(translation)
    return {row: np.array(translations, np.int64) for row, translations in grouped.items()}


def data_hash(source: Embeddings, target: Embeddings, dictionary: SeedDictionary | None = None) -> str:
    """Return the SHA-256 of labels, vectors and pairs: equal data, equal hash, whatever the file format."""
    digest = hashlib.sha256()
    for each in (source, target):
        digest.update("\0".join(each.labels).encode())
        digest.update(np.ascontiguousarray(each.vectors).data)
    if dictionary is not None:
        digest.update("\0".join("\t".join(pair) for pair in dictionary.pairs).encode())
    return digest.hexdigest()
