"""Several unsupervised starts raced against each other; the best is chosen without a pair."""

import importlib.util
import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import as_matrix
from ..normalization import Normalization
from ..shared_space import SharedSpace
from .gromov_wasserstein import draw_pairs, gromov_wasserstein_plan
from .initialization import reduce_dimension, sorted_similarity_pairs
from .optimal_transport import convex_initialization
from .runs import Run, believed_first, best_agreement, changed, nearest, run_on, space_of
from .self_learning import SelfLearning

__all__ = ["STARTS", "Race", "Run", "Start"]

#: From normalised rows of both sides, most frequent first, to a guess: (p, 2) pairs of int, most of which may be
#: wrong, or an (n, m) plan of float, from which each seed draws its pairs.
Start = Callable[[Any, Any], NDArray[Any]]


def _by_sorted_similarities(source: Any, target: Any, *, vocabulary: int) -> NDArray[Any]:
    """Guess by how alike the sorted similarities of two words are."""
    return sorted_similarity_pairs(source, target, vocabulary=vocabulary).pairs


def _by_distances(source: Any, target: Any, *, vocabulary: int) -> NDArray[Any]:
    """Guess by fused Gromov-Wasserstein (needs POT)."""
    source, target = reduce_dimension(source, target)
    return gromov_wasserstein_plan(*(each[: min(vocabulary, int(each.shape[0])), :] for each in (source, target)))


def _by_convex_relaxation(source: Any, target: Any, *, vocabulary: int) -> NDArray[Any]:
    """Guess by the start of Wasserstein-Procrustes."""
    size = min(vocabulary, int(source.shape[0]), int(target.shape[0]))
    return convex_initialization(source[:size, :], target[:size, :]).T


_KINDS: Mapping[str, Callable[..., NDArray[Any]]] = {
    "gromov-wasserstein": _by_distances,
    "convex": _by_convex_relaxation,
    "sorted": _by_sorted_similarities,
}
#: The starts by name: how a guess is made, and from how many of the most frequent words. "gromov-wasserstein" needs
#: POT and is the strongest. Between unlike spaces a start works with some numbers of words and fails with others, in no
#: order that is known beforehand; so several are raced.
STARTS: Mapping[str, Start] = {
    f"{kind} {size}": partial(guess, vocabulary=size)
    for kind, guess in _KINDS.items()
    for size in (1000, 1250, 1500, 1750, 2000, 2500)
}
_RACED = ("{} 1500", "sorted 1500", "{} 1250", "{} 1000", "{} 2000", "sorted 1000", "{} 1750", "sorted 2500")


class Race:
    """Align two spaces without pairs: run self-learning from several starts and keep the best.

    Every start is run with every seed on a small vocabulary, until two runs agree; equal guesses count once. Among the
    runs that agree with another at least half as well as the best agreement (among all, where none agree), the one with
    the best criterion wins and is grown to the full vocabulary. Agreement goes first because wrong maps reach nearly
    the criterion of right ones, but not each other: right runs share most of their pairs, wrong ones hardly any.

    Parameters
    ----------
    starts : mapping of str to Start, optional
        Guesses from normalised rows; by default those of `STARTS` by "gromov-wasserstein" (where POT is installed,
        else "convex") and "sorted" from 1,000 to 2,500 words, 1,500 first.
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
    others_ : tuple of SharedSpace
        The space of the run that agrees best with the winner: for `assess_space`.
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
    >>> race = Race(starts={"sorted": STARTS["sorted 1000"]}, learner=learner).fit(english, french)
    >>> bool((race.learner_.pairs_[:, 0] == race.learner_.pairs_[:, 1]).mean() > 0.99)
    True
    """

    def __init__(
        self,
        *,
        starts: Mapping[str, Start] | None = None,
        seeds: Sequence[int] = (0, 1),
        enough_agreement: float = 0.3,
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
        limit = min(self.vocabulary, learner.vocabulary)
        runs: list[Run] = []
        guesses: dict[str, NDArray[Any] | None] = {}
        for seed, name in itertools.product(self.seeds, starts):
            if name not in guesses:
                made = starts[name](x, y)
                # subtle: small vocabularies make starts of unlike sizes equal, and a run must not confirm itself
                twice = any(np.array_equal(made, other) for other in guesses.values() if other is not None)
                guesses[name] = None if twice else made
            guess = guesses[name]
            if guess is None:
                continue
            pairs = guess if np.issubdtype(guess.dtype, np.integer) else draw_pairs(guess, rng=seed)
            # subtle: a guess is never "enough pairs", however many: it has to be searched from
            own = changed(learner, trust_pairs=False, seed=seed, vocabulary=limit, enough_pairs=len(pairs) + 1)
            runs.append(run_on(own, source, target, pairs, start=name))
            if best_agreement(runs[-1], runs) >= self.enough_agreement:
                break
        self.runs_ = believed_first(runs, "criterion")
        winner = self.runs_[0]
        self.agreement_ = winner.agreement
        other = nearest(winner, self.runs_)
        small = changed(learner, trust_pairs=False, vocabulary=limit)
        self.others_: tuple[SharedSpace, ...] = ()
        if other is not None:
            self.others_ = (space_of(other, small, source, target, other.pairs, names),)
        self.learner_ = changed(learner, trust_pairs=False, seed=winner.seed, search_iterations=0)
        fitted = self.learner_.fit(source, target, winner.pairs, names=names).space_
        scores = {
            "criterion": winner.criterion,
            "mutual_rate": self.learner_.dictionary_.mutual_rate,
            "agreement": winner.agreement,
        }
        provenance = {**fitted.provenance, "start": winner.start, "seed": winner.seed, "runs": len(runs)}
        self.space_ = SharedSpace(fitted.maps, fitted.method, fitted.encoder, scores, provenance)
        return self


def _default_starts() -> dict[str, Start]:
    main = "gromov-wasserstein" if importlib.util.find_spec("ot") else "convex"
    return {name: STARTS[name] for name in (each.format(main) for each in _RACED)}
