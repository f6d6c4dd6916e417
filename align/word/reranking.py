"""Learn to rank the candidate translations that a shared space finds."""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..embeddings import Embeddings
from ..shared_space import SharedSpace
from .candidate_ranking import CandidateRanking, WordForms, dense_features
from .candidates import MappedVocabularies
from .endings import EndingPairs
from .fitting import gold_rows
from .listwise import fit_listwise
from .procrustes import check_pairs
from .refitting import aligner_of
from .spelling import SpellingModel

__all__ = ["Reranker"]

_FEWEST_WORDS = 100

Ids = NDArray[np.int64]
Numbers = NDArray[np.float64]


class Reranker:
    """Learn a ranking of the candidates of a shared space, from translation pairs.

    A linear map finds the neighbourhood of a translation more often than the translation itself. The best
    `n_candidates` by CSLS are therefore ranked again, with a linear score over

    - similarity, hubness and rank in the space, and how far the source word is from being the candidate's own best;
    - similarity to the translations of the source word's neighbours in the dictionary;
    - the frequency rank of the candidate, and its difference from that of the source word;
    - spelling (`SpellingModel`), learned from the pairs, whatever the scripts;
    - pairs of endings (`EndingPairs`): how inflections answer each other, and which forms a dictionary lists;

    by the likelihood of the right candidates in each list (see `listwise_loss`). For a word that helped to fit a map,
    the map's features lie: they look better than they will for new words. So the source words are cut into folds, and
    the candidates and features of each fold come from maps and a spelling model fitted without it.

    Parameters
    ----------
    n_candidates : int
        Candidates a word.
    forms : bool
        Whether spelling and endings count. Without them the ranking knows vectors and frequencies alone.
    aligner : aligner, optional
        Fitted without each fold, on copies; by default that which the space was learned by (see `aligner_of` in
        `interlingua.align.word.refitting`): few pairs mean self-learning once more for each fold. Where pairs took no
        part, the space itself serves all folds.
    n_folds : int
        Parts of the source words.
    penalty, ending_penalty : float
        Of the squared weights, of all features but the endings (scaled to unit deviation within lists), and of the
        endings.
    seed : int
        Cuts the folds.

    Attributes
    ----------
    ranking_ : CandidateRanking
        To be applied and saved, after `fit`.

    Notes
    -----
    A source word may have several right answers in the pairs; each is as good. Right answers that the pairs do not list
    count as wrong, so that the ranking learns the habits of its dictionary too, such as listing singulars: use pairs of
    the kind that is asked for. The scores of the ranking are cross-validated: each fold is ranked by endings and
    weights learned on the others.

    References
    ----------
    .. [1] Cao, Qin, Liu, Tsai and Li (2007), "Learning to rank: from pairwise approach to listwise approach", ICML.
       doi:10.1145/1273496.1273513
    .. [2] Irvine and Callison-Burch (2017), "A comprehensive analysis of bilingual lexicon induction", Computational
       Linguistics 43. doi:10.1162/COLI_a_00284

    Examples
    --------
    >>> from interlingua.align.word import MultiStep
    >>> rng = np.random.default_rng(0)
    >>> words = sorted({"".join(rng.choice(list("abcdef"), 5)) for _ in range(300)})
    >>> vectors = rng.normal(size=(len(words), 8))
    >>> english = Embeddings(words, vectors, "en")
    >>> other = Embeddings([word.upper() for word in words], vectors + 0.7 * rng.normal(size=vectors.shape), "xx")
    >>> pairs = np.stack([np.arange(150), np.arange(150)], axis=1)
    >>> space = MultiStep(shrinkage=0.3).fit(english.vectors, other.vectors, pairs, names=("en", "xx")).space_
    >>> scores = Reranker(n_candidates=10).fit(space, english, other, pairs).ranking_.scores
    >>> scores["precision_at_1"] > scores["csls_precision_at_1"]
    True
    """

    def __init__(
        self,
        *,
        n_candidates: int = 50,
        forms: bool = True,
        aligner: Any = None,
        n_folds: int = 5,
        penalty: float = 3.0,
        ending_penalty: float = 6.0,
        seed: int = 0,
    ) -> None:
        self.n_candidates = n_candidates
        self.forms = forms
        self.aligner = aligner
        self.n_folds = n_folds
        self.penalty = penalty
        self.ending_penalty = ending_penalty
        self.seed = seed

    def fit(self, space: SharedSpace, source: Embeddings, target: Embeddings, pairs: Any) -> "Reranker":
        """Learn the ranking.

        Parameters
        ----------
        space : SharedSpace
            Whose candidates are ranked; learned from the same pairs, or from none.
        source, target : Embeddings
            The whole vocabularies, most frequent first. Their `space` names the languages.
        pairs : (p, 2) array of int
            Rows that translate each other, with at least 100 different source words.

        Raises
        ------
        ValueError
            If there are too few source words, a parameter is out of range, or no aligner is given and the space does
            not tell how it was learned.
        """
        self._check_parameters()
        rows = check_pairs(pairs, len(source), len(target))
        words = np.unique(rows[:, 0])
        if words.size < _FEWEST_WORDS:
            raise ValueError(
                f"a ranking is learned from at least {_FEWEST_WORDS} source words, but the pairs have {words.size}; "
                "give more pairs, or rank by CSLS alone"
            )
        aligner = self.aligner if self.aligner is not None else aligner_of(space)
        folds = np.array_split(np.random.default_rng(self.seed).permutation(words), self.n_folds)
        own = MappedVocabularies.apart(source, target)
        parts = [self._fold(space, aligner, source, target, own, rows, np.sort(fold)) for fold in folds]
        lists = _Lists.joined(parts)
        scores = self._validate(lists, source, target, rows)
        learned = self._learn(lists, source, target, rows)
        names = (source.space or "source", target.space or "target")
        forms = WordForms(SpellingModel.fit(*_spelled(source, target, rows)), learned.endings) if self.forms else None
        self.ranking_ = CandidateRanking(
            names,
            space.fingerprint,
            self.n_candidates,
            tuple(zip(*_spelled(source, target, rows), strict=True)),
            forms,
            learned.weights,
            learned.centre,
            learned.scale,
            scores,
        )
        return self

    def _check_parameters(self) -> None:
        if self.n_candidates < 2 or self.n_folds < 2:
            raise ValueError(
                f"n_candidates and n_folds must be at least 2, but are {self.n_candidates} and {self.n_folds}"
            )
        if not (self.penalty > 0 and self.ending_penalty > 0):
            raise ValueError(f"penalties must be positive, but are {self.penalty} and {self.ending_penalty}")

    def _fold(
        self,
        space: SharedSpace,
        aligner: Any,
        source: Embeddings,
        target: Embeddings,
        own: MappedVocabularies,
        rows: Ids,
        words: Ids,
    ) -> "_Lists":
        """Return the candidates of some words, and their features, from maps and spelling learned without them."""
        kept = rows[~np.isin(rows[:, 0], words)]
        names = (source.space or "source", target.space or "target")
        if aligner is not None:
            space = copy.deepcopy(aligner).fit(source.vectors, target.vectors, kept, names=names).space_
        forms = None
        if self.forms:
            forms = WordForms(SpellingModel.fit(*_spelled(source, target, kept)), EndingPairs(()))
        mapped = MappedVocabularies.of(space, source, target)
        found = mapped.candidates(words, self.n_candidates)
        dense = dense_features(mapped, own, source, target, words, found, kept, forms)
        gold = gold_rows(rows)
        right = np.stack([np.isin(ids, gold[word]) for word, ids in zip(words.tolist(), found.ids, strict=True)])
        return _Lists(words, found.ids, dense, right, np.zeros(words.size, np.int64))

    def _learn(self, lists: "_Lists", source: Embeddings, target: Embeddings, rows: Ids) -> "_Learned":
        """Return endings, statistics and weights, from some lists and the pairs of their words."""
        endings = EndingPairs.learn(*_spelled(source, target, rows)) if self.forms else EndingPairs(())
        centre, scale = lists.statistics()
        features = _features(lists, source, target, endings, centre, scale)
        penalties = np.full(features.shape[1], self.ending_penalty)
        penalties[: centre.size] = self.penalty
        return _Learned(endings, centre, scale, fit_listwise(features, lists.right, penalties))

    def _validate(self, lists: "_Lists", source: Embeddings, target: Embeddings, rows: Ids) -> dict[str, float]:
        """Rank each fold by what is learned on the others; a word without a right candidate counts as missed."""
        before, after = lists.right, np.zeros_like(lists.right)
        for fold in range(self.n_folds):
            out = lists.folds == fold
            kept = rows[~np.isin(rows[:, 0], lists.words[out])]
            learned, held = self._learn(lists.of(~out), source, target, kept), lists.of(out)
            features = _features(held, source, target, learned.endings, learned.centre, learned.scale)
            order = np.argsort(-(features @ learned.weights).reshape(held.ids.shape), axis=1, kind="stable")
            after[out] = np.take_along_axis(held.right, order, axis=1)
        scores = {"held_out_words": float(len(before))}
        for prefix, hits in (("csls_", before), ("", after)):
            scores |= {
                f"{prefix}precision_at_1": float(hits[:, 0].mean()),
                f"{prefix}precision_at_5": float(hits[:, :5].any(axis=1).mean()),
            }
        return scores


@dataclass(frozen=True, eq=False)
class _Lists:
    """Source words with their candidates, the features of these, which are right, and the fold of each word."""

    words: Ids
    ids: Ids
    dense: Numbers
    right: NDArray[np.bool_]
    folds: Ids

    @classmethod
    def joined(cls, parts: "list[_Lists]") -> "_Lists":
        return cls(
            np.concatenate([part.words for part in parts]),
            np.concatenate([part.ids for part in parts]),
            np.concatenate([part.dense for part in parts]),
            np.concatenate([part.right for part in parts]),
            np.repeat(np.arange(len(parts)), [part.words.size for part in parts]),
        )

    def of(self, which: NDArray[np.bool_]) -> "_Lists":
        """Return some of the lists."""
        return _Lists(self.words[which], self.ids[which], self.dense[which], self.right[which], self.folds[which])

    def statistics(self) -> tuple[Numbers, Numbers]:
        """Return the mean of each feature, and its deviation within lists: a constant of the list ranks nothing."""
        within = self.dense - self.dense.mean(axis=1, keepdims=True)
        return self.dense.mean(axis=(0, 1)), within.std(axis=(0, 1)) + np.finfo(np.float32).eps


@dataclass(frozen=True, eq=False)
class _Learned:
    """The endings that count, what scales the other features, and the weights of all."""

    endings: EndingPairs
    centre: Numbers
    scale: Numbers
    weights: Numbers


def _features(
    lists: _Lists, source: Embeddings, target: Embeddings, endings: EndingPairs, centre: Numbers, scale: Numbers
) -> Any:
    """Return all features of all candidates as a sparse array, one row a candidate."""
    from scipy.sparse import csr_array, hstack

    dense = ((lists.dense - centre) / scale).reshape(lists.ids.size, -1)
    if not endings.pairs:
        return csr_array(dense)
    words = [source.labels[word] for word in lists.words.tolist()]
    return hstack([csr_array(dense), endings.matrix(words, target.labels, lists.ids)], format="csr")


def _spelled(source: Embeddings, target: Embeddings, rows: Ids) -> tuple[list[str], list[str]]:
    return [source.labels[row] for row in rows[:, 0].tolist()], [target.labels[row] for row in rows[:, 1].tolist()]
