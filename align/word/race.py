"""Several unsupervised starts raced against each other; the best is chosen without a pair."""

import copy
import importlib.util
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import as_matrix
from ..normalization import Normalization
from ..shared_space import SharedSpace
from .gromov_wasserstein import draw_pairs, gromov_wasserstein_plan
from .initialization import reduce_dimension, sorted_similarity_pairs
from .optimal_transport import convex_initialization
from .self_learning import SelfLearning
from .unsupervised_criterion import mean_csls_cosine, translation_agreement

__all__ = ["STARTS", "Race", "Run", "Start"]

#: From normalised rows of both sides, most frequent first, to a guess: (p, 2) pairs of int, most of which may be
#: wrong, or an (n, m) plan of float, from which each seed draws its pairs.
Start = Callable[[Any, Any], NDArray[Any]]

_CHANCE = 0.1  # wrong runs agree on less than a fiftieth of their pairs, right ones on most
_FREQUENT = 1500  # words that the quadratic and cubic starts look at


def _by_sorted_similarities(source: Any, target: Any) -> NDArray[Any]:
    """Guess by how alike the sorted similarities of two words are."""
    return sorted_similarity_pairs(source, target).pairs


def _by_distances(source: Any, target: Any) -> NDArray[Any]:
    """Guess by fused Gromov-Wasserstein (needs POT)."""
    source, target = reduce_dimension(source, target)
    return gromov_wasserstein_plan(*(each[: min(_FREQUENT, int(each.shape[0])), :] for each in (source, target)))


def _by_convex_relaxation(source: Any, target: Any) -> NDArray[Any]:
    """Guess by the start of Wasserstein-Procrustes."""
    size = min(_FREQUENT, int(source.shape[0]), int(target.shape[0]))
    return convex_initialization(source[:size, :], target[:size, :]).T


#: The starts by name. "gromov-wasserstein" needs POT and is the strongest.
STARTS: Mapping[str, Start] = {
    "sorted": _by_sorted_similarities,
    "gromov-wasserstein": _by_distances,
    "convex": _by_convex_relaxation,
}


@dataclass(frozen=True)
class Run:
    """One start and where self-learning took it.

    Attributes
    ----------
    start : str
        Its name.
    seed : int
        Of the stochastic induction.
    criterion : float
        `mean_csls_cosine` of the map.
    mutual_rate : float
        Share of words in pairs found both ways.
    agreement : float
        The best `translation_agreement` with another run, of another start or another seed; 0 where there is none.
    pairs : (p, 2) array of int64
        What it learned.
    """

    start: str
    seed: int
    criterion: float
    mutual_rate: float
    agreement: float
    pairs: NDArray[np.int64]


class Race:
    """Align two spaces without pairs: run self-learning from several starts and keep the best.

    Every start is run with every seed on a small vocabulary, until two runs agree. Among the runs that agree with
    another at least half as well as the best agreement (among all, where none agree), the one with the best criterion
    wins and is grown to the full vocabulary. Agreement goes first because wrong maps reach nearly the criterion of
    right ones, but not each other: right runs share most of their pairs, wrong ones hardly any.

    Parameters
    ----------
    starts : mapping of str to Start, optional
        Guesses from normalised rows; by default "gromov-wasserstein" (where POT is installed, else "convex") and
        "sorted" of `STARTS`.
    seeds : sequence of int
        Each start is run once for each.
    enough_agreement : float
        The race ends once a run agrees so well with an earlier one; above 1 every run is made.
    learner : SelfLearning, optional
        How each run goes on.
    vocabulary : int
        Most frequent words of each side in the race; the learner's own in the end.

    Attributes
    ----------
    space_ : SharedSpace
        The winner's maps; its `scores` hold criterion, mutual_rate and agreement.
    runs_ : tuple of Run
        All runs, the winner first.
    agreement_ : float
        The winner's agreement: near 0 means that no two independent runs found the same thing, so that the result
        must be taken for wrong.
    learner_ : SelfLearning
        Fitted, of the winner.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> french = (rng.normal(size=(400, 6)) ** 3).astype(np.float32)
    >>> english = french @ np.linalg.qr(rng.normal(size=(6, 6)))[0].astype(np.float32)
    >>> learner = SelfLearning(search_iterations=15)
    >>> race = Race(starts={"sorted": STARTS["sorted"]}, learner=learner).fit(english, french)
    >>> bool((race.learner_.pairs_[:, 0] == race.learner_.pairs_[:, 1]).mean() > 0.99)
    True
    """

    def __init__(
        self,
        *,
        starts: Mapping[str, Start] | None = None,
        seeds: Sequence[int] = (0, 1),
        enough_agreement: float = 0.5,
        learner: SelfLearning | None = None,
        vocabulary: int = 5000,
    ) -> None:
        self.starts = starts
        self.seeds = seeds
        self.enough_agreement = enough_agreement
        self.learner = learner
        self.vocabulary = vocabulary

    def fit(self, source: Any, target: Any, *, names: tuple[str, str] = ("source", "target")) -> "Race":
        """Run the race on (n, d_source) and (m, d_target) arrays, most frequent words first.

        Raises
        ------
        ValueError
            If there is no start or no seed.
        """
        source, target = as_matrix(source, "source"), as_matrix(target, "target")
        starts = _default_starts() if self.starts is None else self.starts
        if not starts or not self.seeds:
            raise ValueError(f"a race needs starts and seeds, but has {len(starts)} and {len(self.seeds)}")
        learner = self.learner or SelfLearning()
        x, y = (Normalization.fit(each, learner.normalize).transform(each) for each in (source, target))
        runs: list[Run] = []
        guesses = {name: start(x, y) for name, start in starts.items()}
        for seed, (name, guess) in itertools.product(self.seeds, guesses.items()):
            pairs = guess if np.issubdtype(guess.dtype, np.integer) else draw_pairs(guess, rng=seed)
            runs.append(self._run(learner, name, seed, pairs, source, target))
            if _best_agreement(runs[-1], runs) >= self.enough_agreement:
                break
        runs = [replace(run, agreement=_best_agreement(run, runs)) for run in runs]
        best = max(run.agreement for run in runs)
        floor = best / 2 if best >= _CHANCE else 0.0  # agreements by chance decide nothing
        self.runs_ = tuple(sorted(runs, key=lambda run: (run.agreement >= floor, run.criterion), reverse=True))
        winner = self.runs_[0]
        self.agreement_ = winner.agreement
        self.learner_ = _changed(learner, trust_pairs=False, seed=winner.seed, search_iterations=0)
        fitted = self.learner_.fit(source, target, winner.pairs, names=names).space_
        scores = {
            "criterion": winner.criterion,
            "mutual_rate": self.learner_.dictionary_.mutual_rate,
            "agreement": winner.agreement,
        }
        provenance = {**fitted.provenance, "start": winner.start, "seed": winner.seed, "runs": len(runs)}
        self.space_ = SharedSpace(fitted.maps, fitted.method, fitted.encoder, scores, provenance)
        return self

    def _run(
        self, learner: SelfLearning, start: str, seed: int, guess: NDArray[np.int64], source: Any, target: Any
    ) -> Run:
        """Go on from a guess on the small vocabulary."""
        limit = min(self.vocabulary, learner.vocabulary)
        # subtle: a guess is never "enough pairs", however many: it has to be searched from
        own = _changed(learner, trust_pairs=False, seed=seed, vocabulary=limit, enough_pairs=len(guess) + 1)
        own.fit(source, target, guess)
        mapped = (
            own.space_.transform(each[: min(limit, int(each.shape[0])), :], language)
            for each, language in zip((source, target), own.space_.languages, strict=True)
        )
        return Run(start, seed, mean_csls_cosine(*mapped), own.dictionary_.mutual_rate, 0.0, own.pairs_)


def _default_starts() -> dict[str, Start]:
    second = "gromov-wasserstein" if importlib.util.find_spec("ot") else "convex"
    return {name: STARTS[name] for name in (second, "sorted")}


def _best_agreement(run: Run, runs: Sequence[Run]) -> float:
    others = [other for other in runs if other is not run]
    return max((translation_agreement(run.pairs, other.pairs) for other in others), default=0.0)


def _changed(learner: SelfLearning, **parameters: Any) -> SelfLearning:
    own = copy.copy(learner)
    for name, value in parameters.items():
        setattr(own, name, value)
    return own
