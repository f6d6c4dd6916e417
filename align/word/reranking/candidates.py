"""Candidate translations of words, and what vectors, frequencies and spelling say of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from interlingua.align.neighbors import Neighbors, fold_csls, fold_query, mean_neighbor_similarity, top_k
from interlingua.align.space import Normalization, SharedSpace
from interlingua.align.vocabulary import Embeddings

from .spelling import SpellingModel

#: What `vector_features` returns, column by column.
VECTOR_FEATURES = (
    "similarity",
    "hubness",
    "rank",
    "margin of the source word",
    "target frequency",
    "difference of frequencies",
    "similarity to translations of neighbours",
)
#: What `spelling_features` returns.
SPELLING_FEATURES = ("spelling", "related spelling", "spelling times CSLS")

_NEIGHBOUR_TEMPERATURE = 0.05
_MOST_SPELLING = 5.0
_BLOCK = 1024

Ids = NDArray[np.int64]
Matrix = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class MappedVocabularies:
    """Two whole vocabularies in a shared space.

    Attributes
    ----------
    source, target : (n, d) and (m, d) array
        Unit rows.
    """

    source: Matrix
    target: Matrix

    @classmethod
    def of(cls, space: SharedSpace, source: Embeddings, target: Embeddings) -> "MappedVocabularies":
        """Map both vocabularies, whose `space` names their language."""
        return cls(
            space.transform(source.vectors, source.space or "source"),
            space.transform(target.vectors, target.space or "target"),
        )

    @classmethod
    def apart(cls, source: Embeddings, target: Embeddings) -> "MappedVocabularies":
        """Normalise both vocabularies and map neither: similarities hold within a language only."""
        x, y = source.vectors, target.vectors
        return cls(*(Normalization.fit(each, "unit-centre-unit").transform(each) for each in (x, y)))

    @cached_property
    def source_hubness(self) -> Matrix:
        """The mean similarity of each source word to its nearest ten target words: r_T in CSLS, (n,)."""
        return mean_neighbor_similarity(self.source, self.target)

    @cached_property
    def target_hubness(self) -> Matrix:
        """The mean similarity of each target word to its nearest ten source words: r_S in CSLS, (m,)."""
        return mean_neighbor_similarity(self.target, self.source)

    def candidates(self, rows: Ids, k: int) -> Neighbors:
        """Return the k best target words of some source words, by CSLS."""
        found = top_k(fold_query(self.source[rows]), fold_csls(self.target, self.target_hubness), k)
        return Neighbors(found.ids, found.scores - self.source_hubness[rows][:, None])

    def similarity(self, rows: Ids, ids: Ids) -> Matrix:
        """Return the inner product of each source word with its candidates, (n, k)."""
        return _products(self.source[rows], self.target, ids)

    def margin(self, rows: Ids, ids: Ids) -> Matrix:
        """Return the CSLS of each source word with its candidate less that of the candidate's best other source word.

        Above 0 the source word is the candidate's own best: the two are mutual neighbours.
        """
        words, at = np.unique(ids, return_inverse=True)
        at = at.reshape(ids.shape)
        best = top_k(fold_query(self.target[words]), fold_csls(self.source, self.source_hubness), 2)
        if best.ids.shape[1] < 2:
            return np.zeros(ids.shape, np.float32)
        other = np.where(best.ids[at, 0] == rows[:, None], best.scores[at, 1], best.scores[at, 0])
        csls = 2 * self.similarity(rows, ids) - self.source_hubness[rows][:, None]
        return np.asarray(csls - other, np.float32)


def vector_features(
    mapped: MappedVocabularies, own: MappedVocabularies, rows: Ids, ids: Ids, dictionary: Ids
) -> Matrix:
    """Return what vectors and frequencies say of each candidate, (n, k, 7), named by `VECTOR_FEATURES`.

    Parameters
    ----------
    mapped : MappedVocabularies
        In the space whose candidates they are.
    own : MappedVocabularies
        Each vocabulary in a space of its own (see `MappedVocabularies.apart`).
    rows : (n,) array of int
        The source words.
    ids : (n, k) array of int
        Their candidates, best first.
    dictionary : (p, 2) array of int
        Known translations. What stands close to the translations of a word's neighbours is likely its own; a
        word's own entries are not used.
    """
    n, k = ids.shape
    frequency = np.log1p(ids) / np.log1p(len(mapped.target))
    own_frequency = (np.log1p(rows) / np.log1p(len(mapped.source)))[:, None]
    columns = (
        mapped.similarity(rows, ids),
        mapped.target_hubness[ids],
        np.broadcast_to(np.log1p(np.arange(k)), (n, k)),
        mapped.margin(rows, ids),
        frequency,
        np.abs(frequency - own_frequency),
        _near_translations(own, rows, ids, dictionary),
    )
    return np.stack([np.asarray(column, np.float32) for column in columns], axis=2)


def spelling_features(
    model: SpellingModel, source: Sequence[str], target: Sequence[str], ids: Ids, csls: Matrix
) -> Matrix:
    """Return what the spelling says of each candidate, (n, k, 3), named by `SPELLING_FEATURES`.

    Parameters
    ----------
    model : SpellingModel
    source : sequence of n str
        The source words.
    target : sequence of m str
        The words that `ids` numbers.
    ids : (n, k) array of int
        Their candidates.
    csls : (n, k) array
        Of each candidate.
    """
    repeated = [word for word in source for _ in range(ids.shape[1])]
    scores = model.scores(repeated, [target[word] for word in ids.ravel().tolist()]).reshape(ids.shape)
    scores = np.clip(scores, -_MOST_SPELLING, _MOST_SPELLING)
    return np.stack([scores, np.maximum(scores, 0), scores * csls], axis=2, dtype=np.float32)


def _near_translations(own: MappedVocabularies, rows: Ids, ids: Ids, dictionary: Ids) -> Matrix:
    """Similarity of each candidate to a mean of the dictionary's translations, near source words weighing more."""
    known, answers = own.source[dictionary[:, 0]], own.target[dictionary[:, 1]]
    result = np.zeros(ids.shape, np.float32)
    for first in range(0, len(rows) if len(dictionary) else 0, _BLOCK):
        block = slice(first, first + _BLOCK)
        exponents = own.source[rows[block]] @ known.T / _NEIGHBOUR_TEMPERATURE
        weights = np.exp(exponents - exponents.max(axis=1, keepdims=True))
        weights[rows[block][:, None] == dictionary[:, 0]] = 0.0
        expected = weights @ answers
        expected /= np.maximum(np.linalg.norm(expected, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        result[block] = _products(expected, own.target, ids[block])
    return result


def _products(queries: Matrix, candidates: Matrix, ids: Ids) -> Matrix:
    """Inner product of each query with its candidates, (n, k), in blocks."""
    result = np.empty(ids.shape, np.float32)
    for first in range(0, len(ids), _BLOCK):
        block = slice(first, first + _BLOCK)
        result[block] = np.einsum("nd,nkd->nk", queries[block], candidates[ids[block]])
    return result
