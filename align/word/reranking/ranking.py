"""The learned ranking of candidate translations: learned from pairs, applied, saved, loaded."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.logit import fit_logit
from interlingua.align.neighbors import Neighbors
from interlingua.align.space import SharedSpace, SpaceError
from interlingua.align.tensors import TensorFormat
from interlingua.align.vocabulary import Embeddings
from interlingua.align.word.evaluation import gold_rows
from interlingua.align.word.methods.procrustes import check_pairs
from interlingua.align.word.refit import aligner_of

from .candidates import SPELLING_FEATURES, VECTOR_FEATURES, MappedVocabularies, spelling_features, vector_features
from .spelling import EndingPairs, SpellingModel

_FORMAT = TensorFormat(
    kind="candidate ranking",
    key="ranking",
    name="interlingua candidate ranking",
    versions=(1, 2),
    error=SpaceError,
    source="learn one with `align --rerank`",
    again="learn it again with `align --rerank`",
    header_hashed_since=2,
)
_SPELLING = ("edits", "source_frequencies", "target_frequencies")

Ids = NDArray[np.int64]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class WordForms:
    """What was learned of how words are written.

    Attributes
    ----------
    spelling : SpellingModel
    endings : EndingPairs
    """

    spelling: SpellingModel
    endings: EndingPairs


@dataclass(frozen=True, eq=False)
class CandidateRanking:
    """Ranks the candidates that a shared space finds, by more than their similarity. `Reranker` learns one.

    Parameters
    ----------
    languages : tuple of two str
        Source and target.
    space_fingerprint : str
        Of the shared space whose candidates it ranks.
    n_candidates : int
        How many a word, by CSLS.
    dictionary : tuple of (str, str)
        Known translations.
    forms : WordForms or None
        None for a ranking by vectors and frequencies alone.
    weights : (c,) array of float64
        Of the features: `VECTOR_FEATURES`, with `forms` `SPELLING_FEATURES` and the pairs of endings.
    centre, scale : (c_dense,) array of float64
        Of the features but the endings.
    scores : mapping of str to float
        On held-out words of the dictionary: ``precision_at_1`` and the like of the ranking, ``csls_precision_at_1`` and
        the like of the candidates as they came.
    """

    languages: tuple[str, str]
    space_fingerprint: str
    n_candidates: int
    dictionary: tuple[tuple[str, str], ...]
    forms: WordForms | None
    weights: Numbers
    centre: Numbers
    scale: Numbers
    scores: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scores", MappingProxyType(dict(self.scores)))
        dense = len(VECTOR_FEATURES) + (len(SPELLING_FEATURES) if self.forms else 0)
        expected = dense + (len(self.forms.endings.pairs) if self.forms else 0)
        if self.weights.shape != (expected,) or self.centre.shape != (dense,) or self.scale.shape != (dense,):
            raise ValueError(
                f"{expected} weights and {dense} centres and scales are needed, but there are "
                f"{self.weights.size}, {self.centre.size} and {self.scale.size}"
            )

    def rank(
        self, space: SharedSpace, source: Embeddings, target: Embeddings, rows: Sequence[int] | Ids, k: int = 5
    ) -> Neighbors:
        """Return the best k translations of source words.

        Parameters
        ----------
        space : SharedSpace
            The one that the ranking was learned for.
        source, target : Embeddings
            The whole vocabularies, most frequent first; their `space` names the language.
        rows : (n,) sequence of int
            Rows of the source words.
        k : int
            Where it exceeds `n_candidates`, as many candidates are ranked.

        Returns
        -------
        Neighbors
            Scores are log-probabilities that the candidate is the translation, if one of the candidates is.

        Raises
        ------
        SpaceError
            If the space or the languages are not those of the ranking.
        ValueError
            If k < 1.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, but is {k}")
        if space.fingerprint != self.space_fingerprint:
            raise SpaceError("the ranking was learned for another shared space; learn one for this space")
        if (source.space, target.space) != self.languages:
            raise SpaceError(
                f"the ranking was learned from {self.languages[0]!r} to {self.languages[1]!r}, "
                f"but is asked from {source.space!r} to {target.space!r}"
            )
        rows = np.asarray(rows, np.int64)
        if not rows.size:
            return Neighbors(np.empty((0, k), np.int64), np.empty((0, k), np.float32))
        mapped = MappedVocabularies.of(space, source, target)
        own = MappedVocabularies.apart(source, target)
        known = [(source.index[s], target.index[t]) for s, t in self.dictionary if s in source and t in target]
        found = mapped.candidates(rows, max(k, self.n_candidates))
        dense = dense_features(
            mapped, own, source, target, rows, found, np.array(known, np.int64).reshape(-1, 2), self.forms
        )
        scores = ((dense - self.centre) / self.scale) @ self.weights[: self.centre.size]
        if self.forms:
            words = [source.labels[row] for row in rows.tolist()]
            present = self.forms.endings.matrix(words, target.labels, found.ids)
            scores += (present @ self.weights[self.centre.size :]).reshape(scores.shape)
        scores -= np.logaddexp.reduce(scores, axis=1, keepdims=True)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return Neighbors(
            np.take_along_axis(found.ids, order, axis=1),
            np.take_along_axis(scores, order, axis=1).astype(np.float32),
        )

    def save(self, path: str | Path) -> None:
        """Write one safetensors file with a JSON header, whole or not at all."""
        tensors: dict[str, NDArray[Any]] = {"weights": self.weights, "centre": self.centre, "scale": self.scale}
        header: dict[str, Any] = {
            "languages": self.languages,
            "space": self.space_fingerprint,
            "n_candidates": self.n_candidates,
            "features": [*VECTOR_FEATURES, *(SPELLING_FEATURES if self.forms else ())],
            "dictionary": self.dictionary,
            "scores": dict(self.scores),
        }
        if self.forms:
            spelling = self.forms.spelling
            header["endings"] = self.forms.endings.pairs
            header["spelling"] = {
                "source_characters": spelling.source_characters,
                "target_characters": spelling.target_characters,
                "ends": spelling.ends,
                "related": spelling.related,
            }
            tensors |= {f"spelling.{name}": getattr(spelling, name) for name in _SPELLING}
        _FORMAT.write(path, tensors, header)

    @classmethod
    def load(cls, path: str | Path) -> "CandidateRanking":
        """Read what `save` wrote.

        Raises
        ------
        SpaceError
            If it is no ranking, of another format version, or damaged.
        OSError
            If it cannot be read.
        """
        tensors, header = _FORMAT.read(path)
        with _FORMAT.building(str(path)):
            forms = None
            if "spelling" in header:
                numbers = {name: tensors[f"spelling.{name}"] for name in _SPELLING}
                fields = header["spelling"] | numbers | {"ends": tuple(header["spelling"]["ends"])}
                forms = WordForms(SpellingModel(**fields), EndingPairs(tuple(map(tuple, header["endings"]))))
            return cls(
                tuple(header["languages"]),
                header["space"],
                header["n_candidates"],
                tuple(map(tuple, header["dictionary"])),
                forms,
                tensors["weights"],
                tensors["centre"],
                tensors["scale"],
                header["scores"],
            )


def dense_features(
    mapped: MappedVocabularies,
    own: MappedVocabularies,
    source: Embeddings,
    target: Embeddings,
    rows: Ids,
    found: Neighbors,
    dictionary: Ids,
    forms: WordForms | None,
) -> Numbers:
    """Return all features but the endings, (n, k, c); see `vector_features` and `spelling_features`."""
    columns = [vector_features(mapped, own, rows, found.ids, dictionary)]
    if forms:
        words = [source.labels[row] for row in rows.tolist()]
        columns.append(spelling_features(forms.spelling, words, target.labels, found.ids, found.scores))
    return np.concatenate(columns, axis=2).astype(np.float64)


def fit_listwise(features: Any, right: NDArray[np.bool_], penalties: Numbers) -> Numbers:
    """Return the weights of the smallest `logit_loss` of lists of candidates, several of which may be right.

    Lists without a right candidate say nothing and are left out.

    Parameters
    ----------
    features : (n * k, c) sparse matrix or array
        Those of candidate j of list i in row i k + j.
    right : (n, k) array of bool
    penalties : (c,) array
        Of the squared weights.

    Raises
    ------
    ValueError
        If no list has a right candidate.
    """
    n_candidates, answered = right.shape[1], right.any(axis=1)
    if not answered.any():
        raise ValueError("no list of candidates holds a right one: there is nothing to learn a ranking from")
    kept, answers = features[np.repeat(answered, n_candidates)], right[answered].ravel()
    return fit_logit(kept, np.arange(0, answers.size, n_candidates), answers, penalties=penalties)


_FEWEST_WORDS = 100


@dataclass(kw_only=True, eq=False)
class Reranker:
    """Learn a ranking of the candidates of a shared space, from translation pairs.

    A linear map finds the neighbourhood of a translation more often than the translation itself. The best
    `n_candidates` by CSLS are therefore ranked again, with a linear score over

    - similarity, hubness and rank in the space, and how far the source word is from being the candidate's own best;
    - similarity to the translations of the source word's neighbours in the dictionary;
    - the frequency rank of the candidate, and its difference from that of the source word;
    - spelling (`SpellingModel`), learned from the pairs, whatever the scripts;
    - pairs of endings (`EndingPairs`): how inflections answer each other, and which forms a dictionary lists;

    by the likelihood of the right candidates in each list (`interlingua.align.logit.logit_loss`). For a word that
    helped to fit a map, the map's features lie: they look better than they will for new words. So the source words are
    cut into folds, and the candidates and features of each fold come from maps and a spelling model fitted without it.

    Parameters
    ----------
    n_candidates : int
        Candidates a word.
    forms : bool
        Whether spelling and endings count. Without them the ranking knows vectors and frequencies alone.
    aligner : aligner, optional
        Fitted without each fold, on copies; by default that which the space was learned by (see `aligner_of` in
        `interlingua.align.word.refit`): few pairs mean self-learning once more for each fold. Where pairs took no
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

    n_candidates: int = 50
    forms: bool = True
    aligner: Any = None
    n_folds: int = 5
    penalty: float = 3.0
    ending_penalty: float = 6.0
    seed: int = 0

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
        rows = rows[source.vectors[rows[:, 0]].any(axis=1) & target.vectors[rows[:, 1]].any(axis=1)]
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
