"""Translate words through a shared space: the nearest words of the other language."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from interlingua.align import Embeddings, SharedSpace, retrieve
from interlingua.align.retrieval import Criterion
from interlingua.align.word.candidate_ranking import CandidateRanking

__all__ = ["RANKING_SUFFIX", "WordTranslations", "translate_words"]

#: Added to the name of a space's file for the ranking that was learned for it.
RANKING_SUFFIX = ".ranking"


@dataclass(frozen=True)
class WordTranslations:
    """The best translations of one word.

    Attributes
    ----------
    word : str
        As it was asked for.
    found_as : str or None
        The label that was looked up: the word itself, else its lower-case form; None if neither has a vector.
    translations : tuple of (str, float)
        Target word and score, best first; empty for an unknown word.
    """

    word: str
    found_as: str | None
    translations: tuple[tuple[str, float], ...]


def translate_words(
    space: SharedSpace,
    source: Embeddings,
    target: Embeddings,
    words: Sequence[str],
    *,
    k: int = 5,
    criterion: Criterion = "csls",
    ranking: CandidateRanking | None = None,
) -> list[WordTranslations]:
    """Return the k best translations of each word among the whole target vocabulary.

    Parameters
    ----------
    space : SharedSpace
        Holds maps under the names `source.space` and `target.space`.
    source, target : Embeddings
        The vocabularies. For CSLS the whole source vocabulary measures hubness.
    words : sequence of str
        Words of the source language.
    k : int
        Translations a word.
    criterion : {"csls", "nn", "isf"}
        How translations are ranked.
    ranking : CandidateRanking, optional
        Learned for this space (see `Reranker`): ranks the best candidates by CSLS, whatever the criterion. The scores
        then are log-probabilities among these candidates.

    Raises
    ------
    SpaceError
        If the space lacks a language, the vectors are not those that it was learned on, or the ranking was learned for
        another space.

    Examples
    --------
    >>> import numpy as np
    >>> from interlingua.align.word import Procrustes
    >>> english = Embeddings(("sun", "moon", "star"), np.eye(3), "en")
    >>> french = Embeddings(("lune", "soleil", "étoile"), np.eye(3)[[1, 0, 2]], "fr")
    >>> pairs = np.array([[0, 1], [1, 0], [2, 2]])
    >>> space = Procrustes(normalize="unit").fit(english.vectors, french.vectors, pairs, names=("en", "fr")).space_
    >>> translate_words(space, english, french, ["Sun"], k=1)[0].translations[0][0]
    'soleil'
    """
    looked_up = [word if word in source else word.lower() if word.lower() in source else None for word in words]
    known = [label for label in looked_up if label is not None]
    ranked: Iterator[tuple[tuple[str, float], ...]] = iter(())
    if known:
        rows = [source.index[label] for label in known]
        if ranking is None:
            mapped_source = space.transform(source.vectors, source.space)
            mapped_target = space.transform(target.vectors, target.space)
            found = retrieve(mapped_source[rows], mapped_target, k, criterion=criterion, background=mapped_source)
        else:
            found = ranking.rank(space, source, target, rows, k)
        ranked = iter(
            [
                tuple((target.labels[row], float(score)) for row, score in zip(ids, scores, strict=True))
                for ids, scores in zip(found.ids.tolist(), found.scores.tolist(), strict=True)
            ]
        )
    return [
        WordTranslations(word, label, () if label is None else next(ranked))
        for word, label in zip(words, looked_up, strict=True)
    ]
