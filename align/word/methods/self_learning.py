"""Self-learning: from a few pairs to a dictionary of the whole vocabulary, round by round, with any aligner."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from interlingua.align.space import Normalization, SharedSpace, SpaceMap
from interlingua.align.tensors import TensorFormat
from interlingua.align.word.induction import InducedDictionary, induce_dictionary
from interlingua.align.word.starts import pairs_from_similarity, reduce_dimension

from . import Callback, WordAligner, WordMethod
from .multi_step import MultiStep
from .procrustes import Procrustes, check_fit, given_rows, normalized


def state_format(key: str) -> TensorFormat:
    """Return the format of the file in which a fit of that name keeps where it stands."""
    kind = key.replace("_", "-")
    return TensorFormat(
        kind=f"state of {kind}",
        key=key,
        name=f"interlingua state of {kind}",
        versions=(1, 2),
        error=ValueError,
        source="start the fit anew",
        again="start the fit anew",
        header_hashed_since=2,
        unsigned=True,
    )


_FORMAT = state_format("self_learning")


@dataclass(frozen=True)
class SelfLearningState:
    """One point between two rounds of `SelfLearning`.

    Attributes
    ----------
    seeds : (s, 2) array of int64
        The pairs it started from.
    pairs : (p, 2) array of int64
        The present pairs.
    scores : (p,) array of float32
        Their scores; empty before the first induction.
    stage : int
        0 for the search, 1 for the growth.
    round : int
        Rounds done in this stage.
    seed : int
        Of the stochastic induction; each round draws from its own stream, so that no generator has to be kept.
    history : tuple of dict
        One entry for each round done.
    """

    seeds: NDArray[np.int64]
    pairs: NDArray[np.int64]
    scores: NDArray[np.float32]
    stage: int
    round: int
    seed: int
    history: tuple[Mapping[str, float], ...] = ()

    @classmethod
    def start(cls, seeds: NDArray[np.int64], *, stage: int, seed: int) -> "SelfLearningState":
        """Return the state before the first round."""
        return cls(seeds, seeds, np.empty(0, np.float32), stage, 0, seed)

    def generator(self) -> np.random.Generator:
        """Return the generator of the coming round."""
        return np.random.default_rng([self.seed, self.stage, self.round])

    def next_round(self, found: InducedDictionary, history: tuple[Mapping[str, float], ...]) -> "SelfLearningState":
        """Return the state after a round that found these pairs."""
        return replace(self, pairs=found.pairs, scores=found.scores, round=self.round + 1, history=history)

    def next_stage(self) -> "SelfLearningState":
        """Return the state at the beginning of the growth, with the pairs of the search."""
        return replace(self, stage=1, round=0)

    def changed(self, pairs: NDArray[np.int64]) -> float:
        """Return the share of `pairs` that the present pairs do not hold."""
        if len(pairs) == 0 or len(self.scores) == 0:
            return 1.0
        return float(1 - np.isin(_keys(pairs), _keys(self.pairs)).mean())

    def check(self, seeds: NDArray[np.int64]) -> None:
        """Raise ValueError unless the state belongs to a fit that started from these seeds."""
        if not np.array_equal(self.seeds, seeds):
            raise ValueError(
                f"this state belongs to a fit from {len(self.seeds)} other pairs than the {len(seeds)} given now; "
                "resume with the pairs of that fit, or start anew without a state"
            )

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of the state; `header` has the rest."""
        return {"seeds": self.seeds, "pairs": self.pairs, "scores": self.scores}

    def header(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        history = [dict(event) for event in self.history]
        return {"stage": self.stage, "round": self.round, "seed": self.seed, "history": history}

    @classmethod
    def of_parts(cls, tensors: Mapping[str, NDArray[Any]], header: Mapping[str, Any]) -> "SelfLearningState":
        """Put a state together again."""
        seeds, pairs, scores = (tensors[name] for name in ("seeds", "pairs", "scores"))
        return cls(seeds, pairs, scores, header["stage"], header["round"], header["seed"], tuple(header["history"]))

    def save(self, path: str | Path) -> None:
        """Write one safetensors file; an old one stays whole until the new one is."""
        _FORMAT.write(path, self.tensors(), self.header())

    @classmethod
    def load(cls, path: str | Path) -> "SelfLearningState":
        """Read what `save` wrote; ValueError if it is no state, of another version or damaged, or OSError."""
        tensors, header = _FORMAT.read(path)
        with _FORMAT.building(str(path)):
            return cls.of_parts(tensors, header)


def _keys(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """One number for each pair."""
    return (pairs[:, 0] << 32) | pairs[:, 1]


_LANGUAGES = ("source", "target")
_RISING = 0.7  # share of the search in which the keep probability rises to one


@dataclass(kw_only=True, eq=False)
class SelfLearning(WordMethod):
    """Learn the map and the dictionary in turns, from few pairs or from a guess.

    Each round fits an aligner on the present pairs, maps both vocabularies and induces new pairs. Two stages:

    - *Search*, where there are fewer than `enough_pairs` to begin with: `aligner`, an orthogonal map that few pairs
      determine well, on the most frequent words, the larger space reduced to its leading directions, pairs of both
      directions. Candidate pairs are kept with a probability that rises geometrically to one (stochastic induction
      [1]_, dropped ones excluded), which leaves poor local optima.
    - *Growth*: `refiner`, a stronger aligner, on pairs found both ways; the vocabulary grows by half each round up to
      `vocabulary`.

    A stage ends early once a round changes less than `tolerance` of the pairs. The last pairs give the space, by
    `final`.

    Parameters
    ----------
    aligner, refiner, final : aligner, optional
        Supervised aligners of the search, of the growth and of the result: by default `Procrustes`, `MultiStep`
        without de-whitening, and the refiner. Each is copied; where it has a `normalize` parameter that is set to
        "none", for the normalisation is done once, here.
    normalize : str or tuple of {"unit", "centre"}
        Steps on both sides, learned on the whole vocabularies.
    vocabulary : int
        Most frequent words of each side that the growth reaches.
    search_vocabulary : int
        Words of each side in the search.
    search_iterations : int
        Most rounds of the search.
    keep_probability : float
        Where the probability of keeping a candidate starts.
    enough_pairs : int
        With so many pairs the search is left out.
    trust_pairs : bool
        True keeps the given pairs throughout and lets no induced pair contradict them (translations); False only
        starts from them (identical strings, numerals, other guesses).
    pair_weight : float
        Weight of all given pairs together in the search, relative to two words a vocabulary entry.
    tolerance : float
        Share of changed pairs that ends a stage.
    seed : int
        Of the stochastic induction.
    callback : callable, optional
        Gets {"iteration", "stage", "objective", "mutual_rate", "vocabulary", "keep_probability", "changed"} after each
        round (stage 0 is the search, 1 the growth).

    Attributes
    ----------
    space_ : SharedSpace
        The maps of both languages, after `fit`.
    pairs_ : (p, 2) array of int64
        The last pairs: the given ones, if trusted, and those found both ways.
    dictionary_ : InducedDictionary
        The last induction.
    history_ : tuple of dict
        What the callback got.
    state_ : SelfLearningState
        After each round, so also when a callback stopped the fit: save it, and give it to `fit` to go on.

    Notes
    -----
    It always ends with a space, right or wrong: neither objective nor mutual rate shows failure by itself. Compare
    independent starts (`interlingua.align.word.restarts`).

    References
    ----------
    .. [1] Artetxe, Labaka and Agirre (2018), "A robust self-learning method for fully unsupervised cross-lingual
       mappings of word embeddings", ACL. doi:10.18653/v1/P18-1073

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> french = rng.normal(size=(300, 8)).astype(np.float32)
    >>> english = french @ np.linalg.qr(rng.normal(size=(8, 8)))[0].astype(np.float32)
    >>> few = np.stack([np.arange(6), np.arange(6)], axis=1)
    >>> learned = SelfLearning(search_iterations=10).fit(english, french, few, names=("en", "fr"))
    >>> bool((learned.pairs_[:, 0] == learned.pairs_[:, 1]).mean() > 0.99)
    True
    """

    name: ClassVar[str] = "self-learning"

    aligner: WordAligner | None = None
    refiner: WordAligner | None = None
    final: WordAligner | None = None
    normalize: str | tuple[Any, ...] = "iterative"
    vocabulary: int = 20_000
    search_vocabulary: int = 2500
    search_iterations: int = 60
    keep_probability: float = 0.1
    enough_pairs: int = 1000
    trust_pairs: bool = True
    pair_weight: float = 0.15
    tolerance: float = 0.01
    seed: int = 0
    callback: Callback | None = None

    def fit(
        self,
        source: Any,
        target: Any,
        pairs: Any = None,
        *,
        similarity: Any = None,
        names: tuple[str, str] = ("source", "target"),
        state: SelfLearningState | None = None,
    ) -> "SelfLearning":
        """Learn both maps.

        Parameters
        ----------
        source : (n, d_source) array
            The whole source vocabulary, most frequent first.
        target : (m, d_target) array
            The whole target vocabulary; the dimensions may differ.
        pairs : (p, 2) array of int, optional
            Rows of source and target that translate each other, or may do.
        similarity : (n', m') array, optional
            Instead of pairs, a guess: scores between the first words of each side (see
            `interlingua.align.word.starts`). Never trusted.
        names : tuple of two str
            What the two languages are called in the shared space.
        state : SelfLearningState, optional
            Where an earlier fit of the same data and parameters stood; the result is the same as without the stop.

        Raises
        ------
        ValueError
            If there are neither pairs nor a similarity, or both, a pair points outside the vocabularies, or a
            parameter is out of range.
        """
        self._check_parameters()
        trusted = self.trust_pairs and similarity is None
        if (pairs is None) == (similarity is None):
            raise ValueError("self-learning starts from pairs or from a similarity; give one of the two")
        seeds = pairs_from_similarity(similarity).pairs if pairs is None else pairs
        words = source, target
        source, target, seeds = check_fit(source, target, seeds, names)
        largest = max(int(source.shape[0]), int(target.shape[0]))
        steps, rows = normalized(source, target, self.normalize)
        kept = seeds if trusted else None
        if state is None:
            searching = self.search_iterations > 0 and (
                pairs is None or len(np.unique(seeds, axis=0)) < self.enough_pairs
            )
            state = SelfLearningState.start(seeds, stage=0 if searching else 1, seed=self.seed)
        state.check(seeds)
        self.state_, self.history_ = state, state.history
        if state.stage == 0:
            self._search(reduce_dimension(*rows), kept)
        for size in self._sizes(largest, self.state_.round):
            if not self._grow(rows, kept, size, largest):
                break
        self.pairs_ = _together(kept, self.state_.pairs)
        final = self.final or self._refiner(len(self.pairs_))
        fitted = _without_normalization(final).fit(*rows, self.pairs_, names=_LANGUAGES).space_
        maps = {
            name: _composed(step, fitted.maps[side]) for name, step, side in zip(names, steps, _LANGUAGES, strict=True)
        }
        self.space_ = SharedSpace(
            maps,
            method=f"self-learning ({fitted.method})",
            provenance={
                "pairs": len(seeds),
                "induced_pairs": len(self.state_.pairs),
                "rounds": len(self.history_),
                **({"start": "similarity"} if pairs is None else {}),
            },
        )
        self.pairs_ = given_rows(self.pairs_, *words)
        if self.history_:
            self.dictionary_: InducedDictionary = replace(
                self.dictionary_, pairs=given_rows(self.dictionary_.pairs, *words)
            )
        return self

    def _search(self, rows: tuple[Any, Any], kept: NDArray[np.int64] | None) -> None:
        """Run the stochastic rounds, from where the state stands to the end of the stage."""
        n = self.search_vocabulary
        repeated = None
        if kept is not None:
            repeated = np.repeat(kept, max(1, round(self.pair_weight * 2 * n / len(kept))), axis=0)
        rising = max(1, round(_RISING * self.search_iterations))
        for i in range(self.state_.round, self.search_iterations):
            p = self.keep_probability ** (1 - i / rising) if i < rising else 1.0
            given = self.state_.pairs if repeated is None or i == 0 else np.concatenate([repeated, self.state_.pairs])
            mapped = self._mapped(self.aligner or Procrustes(), rows, given, n)
            found = induce_dictionary(*mapped, keep_probability=p, rng=self.state_.generator())
            changed = self._advance(found, p, n)
            if p == 1 and changed < self.tolerance:
                break
        self.state_ = self.state_.next_stage()

    def _grow(self, rows: tuple[Any, Any], kept: NDArray[np.int64] | None, size: int, largest: int) -> bool:
        """Run one round of the growth; tell whether another one is of use."""
        refiner = self._refiner(len(self.state_.pairs))
        mapped = self._mapped(refiner, rows, _together(kept, self.state_.pairs), size)
        found = induce_dictionary(*mapped, direction="mutual")
        if kept is not None:
            free = ~np.isin(found.pairs[:, 0], kept[:, 0]) & ~np.isin(found.pairs[:, 1], kept[:, 1])
            found = InducedDictionary(found.pairs[free], found.scores[free], found.objective, found.mutual_rate)
        changed = self._advance(found, 1.0, size)
        return changed >= self.tolerance or size < min(self.vocabulary, largest)

    def _advance(self, found: InducedDictionary, keep_probability: float, vocabulary: int) -> float:
        """Move the state one round on, and tell the callback; return the share of changed pairs."""
        changed = self.state_.changed(found.pairs)
        event = {
            "iteration": len(self.history_),
            "stage": self.state_.stage,
            "objective": found.objective,
            "mutual_rate": found.mutual_rate,
            "vocabulary": vocabulary,
            "keep_probability": keep_probability,
            "changed": changed,
        }
        self.history_ = (*self.history_, event)
        self.state_ = self.state_.next_round(found, self.history_)
        self.dictionary_ = found
        if self.callback is not None:
            self.callback(event)
        return changed

    def _mapped(
        self, aligner: WordAligner, rows: tuple[Any, Any], pairs: NDArray[np.int64], size: int
    ) -> tuple[Any, Any]:
        """Fit a copy of the aligner on what the pairs name and map the first words of both sides."""
        space = _without_normalization(aligner).fit(*rows, pairs, names=_LANGUAGES).space_
        source, target = (
            space.transform(each[: min(size, int(each.shape[0])), :], name)
            for each, name in zip(rows, _LANGUAGES, strict=True)
        )
        return source, target

    def _sizes(self, largest: int, done: int) -> Iterator[int]:
        """Yield the vocabulary of each round of the growth that is still to do: larger by half, then full thrice."""
        limit = min(self.vocabulary, largest)
        sizes, size = [], float(min(1.2 * self.search_vocabulary, limit))
        while size < limit:
            sizes.append(round(size))
            size *= 1.5
        yield from [*sizes, limit, limit, limit][done:]

    def _refiner(self, n_pairs: int) -> WordAligner:
        if self.refiner is not None:
            return self.refiner
        # few pairs estimate a covariance badly: the fewer, the nearer to the identity
        shrinkage = min(0.9, 0.2 * max(1.0, 4000 / max(1, n_pairs)))  # of given pairs alone there may be none
        return MultiStep(reweight_source=1.0, reweight_target=1.0, dewhiten=False, shrinkage=shrinkage)

    def _check_parameters(self) -> None:
        if not 0 < self.keep_probability <= 1:
            raise ValueError(f"keep_probability must be in (0, 1], but is {self.keep_probability}")
        for name in ("vocabulary", "search_vocabulary"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, but is {getattr(self, name)}")
        if self.search_iterations < 0 or self.pair_weight < 0 or self.tolerance < 0:
            raise ValueError(
                "search_iterations, pair_weight and tolerance must not be negative, but are "
                f"{self.search_iterations}, {self.pair_weight} and {self.tolerance}"
            )


def _together(kept: NDArray[np.int64] | None, induced: NDArray[np.int64]) -> NDArray[np.int64]:
    return induced if kept is None or kept is induced else np.concatenate([kept, induced])


def _without_normalization(aligner: WordAligner) -> WordAligner:
    """Return a copy that takes rows normalised already."""
    own = copy.copy(aligner)
    if hasattr(own, "normalize"):
        own.normalize = "none"
    return own


def _composed(first: Normalization, then: SpaceMap) -> SpaceMap:
    """Return the map that normalises by `first` and goes on with `then`."""
    means = np.concatenate([first.means, then.normalization.means])
    return SpaceMap(Normalization((*first.steps, *then.normalization.steps), means), then.matrix)
