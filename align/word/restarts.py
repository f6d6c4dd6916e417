"""Self-learning run again and again until two independent runs find the same, with pairs or without.

A race goes through starts with each seed, restarts through seeds and sizes of the search: both make runs, compare them,
believe one and grow it to the full vocabulary.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from interlingua.align.space import SharedSpace
from interlingua.align.word.methods import WordMethod
from interlingua.align.word.methods.gromov_wasserstein import draw_pairs, gromov_wasserstein_plan
from interlingua.align.word.methods.optimal_transport import convex_initialization
from interlingua.align.word.methods.procrustes import check_fit, check_vocabularies, given_rows, normalized
from interlingua.align.word.methods.self_learning import SelfLearning, SelfLearningState, state_format

from .induction import mean_csls_cosine, translation_agreement
from .starts import reduce_dimension, sorted_similarity_pairs

#: Wrong runs from other starts agree on a thirtieth of their pairs at most, from the same pairs on a sixth; right ones
#: on more than a third.
_CHANCE = 0.25
#: Rounds after which a race compares its runs, a third of those in which the keep probability rises: right ones agree
#: by then on 7 of 100 of the pairs found both ways, wrong ones with right ones on 3, and among each other on .4.
_HEAT = 14
_HINT = 0.04
#: Of the starts, so many go again with the next seed.
_AGAIN = 3


@dataclass(frozen=True)
class Run:
    """Where self-learning went from one start, on the most frequent words.

    Attributes
    ----------
    start : str
        Its name.
    seed : int
        Of the stochastic induction.
    search_vocabulary : int
        Words of each side in the search.
    criterion : float
        `mean_csls_cosine` of the map; -1 of a run that was given up.
    mutual_rate : float
        Share of words in pairs found both ways.
    agreement : float
        The best `translation_agreement` with another run; 0 where there is none.
    pairs : (p, 2) array of int64
        What it learned beside the pairs it was given.
    """

    start: str
    seed: int
    search_vocabulary: int
    criterion: float
    mutual_rate: float
    agreement: float
    pairs: NDArray[np.int64]

    def state(self, seeds: NDArray[np.int64], *, grown: bool) -> SelfLearningState:
        """Return the state of self-learning with the run's pairs: before the growth, or with nothing left to do."""
        unknown = np.zeros(len(self.pairs), np.float32)
        return SelfLearningState(seeds, self.pairs, unknown, 1, np.iinfo(np.int32).max if grown else 0, self.seed)


def run_on(
    learner: SelfLearning,
    source: Any,
    target: Any,
    pairs: NDArray[np.int64],
    *,
    start: str,
    state: SelfLearningState | None = None,
) -> Run:
    """Fit a learner, whose `vocabulary` is small, and keep what tells it from others."""
    learner.fit(source, target, pairs, state=state)
    mapped = (
        learner.space_.transform(each[: min(learner.vocabulary, int(each.shape[0])), :], language)
        for each, language in zip((source, target), learner.space_.languages, strict=True)
    )
    last = learner.history_[-1]["mutual_rate"]
    induced = learner.state_.pairs
    return Run(start, learner.seed, learner.search_vocabulary, mean_csls_cosine(*mapped), last, 0.0, induced)


def best_agreement(run: Run, runs: Sequence[Run]) -> float:
    """Return the best agreement of a run with another one of `runs`; 0 where there is none.

    Examples
    --------
    >>> one, same, other = (Run("", 0, 9, 0.0, 0.0, 0.0, np.array([[0, i], [1, 2]])) for i in (0, 0, 1))
    >>> best_agreement(one, [one, other]), best_agreement(one, [one, other, same])
    (0.3333333333333333, 1.0)
    """
    other = nearest(run, runs)
    return 0.0 if other is None else translation_agreement(run.pairs, other.pairs)


def nearest(run: Run, runs: Sequence[Run]) -> Run | None:
    """Return the other run that agrees best with this one."""
    others = [other for other in runs if other is not run]
    return max(others, key=lambda other: translation_agreement(run.pairs, other.pairs), default=None)


def believed_first(runs: Sequence[Run], by: Literal["criterion", "mutual_rate"]) -> tuple[Run, ...]:
    """Fill in the agreements and sort: first the runs that agree with another half as well as the best agreement.

    Within these, and where none agree better than by chance, the higher criterion or mutual rate goes first. Agreement
    decides first because wrong maps reach nearly the criterion of right ones, but not each other.
    """
    runs = [replace(run, agreement=best_agreement(run, runs)) for run in runs]
    best = max(run.agreement for run in runs)
    floor = best / 2 if best >= _CHANCE else 0.0
    return tuple(sorted(runs, key=lambda run: (run.agreement >= floor, getattr(run, by)), reverse=True))


def until_two_agree(coming: Iterator[Callable[[], Run]], enough: float, done: tuple[Run, ...] = ()) -> tuple[Run, ...]:
    """Make the coming runs until the last one agrees so well with an earlier one; return all."""
    while not done or best_agreement(done[-1], done) < enough:
        make = next(coming, None)
        if make is None:
            break
        done = (*done, make())
    return done


def _in_given_rows(runs: Sequence[Run], learner: SelfLearning, words: tuple[Any, Any]) -> tuple[Run, ...]:
    """Return runs of words with vectors in the rows of the vocabularies that were given, as the learner's pairs are."""
    learner.pairs_ = given_rows(learner.pairs_, *words)
    learner.dictionary_ = replace(learner.dictionary_, pairs=given_rows(learner.dictionary_.pairs, *words))
    return tuple(replace(run, pairs=given_rows(run.pairs, *words)) for run in runs)


def confirming_spaces(
    runs: Sequence[Run],
    learner: SelfLearning,
    source: Any,
    target: Any,
    names: tuple[str, str],
    seeds: NDArray[np.int64] | None = None,
) -> tuple[SharedSpace, ...]:
    """Return the space of the run that agrees best with the first one; its pairs are its seeds, if none are given."""
    other = nearest(runs[0], runs)
    if other is None:
        return ()
    given = other.pairs if seeds is None else seeds
    own = replace(learner, seed=other.seed, callback=None)
    return (own.fit(source, target, given, names=names, state=other.state(given, grown=True)).space_,)


#: From normalised rows of both sides, most frequent first, to a guess: (p, 2) pairs of int, most of which may be
#: wrong, or an (n, m) plan of float, from which each seed draws its pairs.
Start = Callable[[Any, Any], NDArray[Any]]


def _by_sorted_similarities(source: Any, target: Any, *, vocabulary: int) -> NDArray[Any]:
    """Guess by how alike the sorted similarities of two words are."""
    return sorted_similarity_pairs(source, target, vocabulary=vocabulary).pairs


def _by_distances(source: Any, target: Any, *, vocabulary: int) -> NDArray[Any]:
    """Guess by fused Gromov-Wasserstein."""
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
#: The starts by name: how a guess is made, and from how many of the most frequent words. "gromov-wasserstein" is
#: the strongest. Between unlike spaces a start works with some numbers of words and fails with others, in no
#: order that is known beforehand; so several are raced.
STARTS: Mapping[str, Start] = {
    f"{kind} {size}": partial(guess, vocabulary=size)
    for kind, guess in _KINDS.items()
    for size in (1000, 1250, 1500, 1750, 2000, 2500)
}
_RACED = (
    *("gromov-wasserstein 1500", "sorted 1500", "gromov-wasserstein 1250", "gromov-wasserstein 1000"),
    *("gromov-wasserstein 2000", "sorted 1000", "gromov-wasserstein 1750", "sorted 2500"),
)


class _HeatEndedError(Exception):
    """Self-learning has made its first rounds."""


@dataclass(eq=False)
class _Heat:
    """The first rounds of self-learning from one start: what tells whether it is worth going on."""

    start: str
    learner: SelfLearning
    guess: NDArray[np.int64]
    mutual: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    run: Run | None = None

    def begin(self, source: Any, target: Any, rounds: int) -> None:
        """Make the first rounds of the search; all there is, where it ends before."""
        tell = self.learner.callback

        def stop(event: Mapping[str, Any]) -> None:
            if tell is not None:
                tell(event)
            if event["stage"] == 0 and event["iteration"] + 1 >= rounds:
                raise _HeatEndedError

        first = replace(self.learner, callback=stop)
        try:
            self.run = run_on(first, source, target, self.guess, start=self.start)
            self.mutual = self.run.pairs
        except _HeatEndedError:
            # found both ways, a pair stands twice
            pairs, counts = np.unique(first.state_.pairs, axis=0, return_counts=True)
            self.mutual = pairs[counts > 1]
        self.state, last = first.state_, first.history_[-1]
        self.objective, self.mutual_rate = float(last["objective"]), float(last["mutual_rate"])

    def finish(self, source: Any, target: Any) -> Run:
        """Go on to the end."""
        if self.run is None:
            self.run = run_on(self.learner, source, target, self.guess, start=self.start, state=self.state)
        return self.run

    def result(self) -> Run:
        """Return the run, or what there is of it."""
        learner = self.learner
        given_up = Run(
            self.start, learner.seed, learner.search_vocabulary, -1.0, self.mutual_rate, 0.0, self.mutual
        )  # fmt: skip
        return self.run or given_up


@dataclass(kw_only=True, eq=False)
class Race(WordMethod):
    """Align two spaces without pairs: run self-learning from several starts and keep the best.

    Every start is run with the first seed on a small vocabulary, for a third of the search; equal guesses count once.
    Runs that agree with another by then go on to their end, until two agree there. Where none do, the three starts with
    the highest objective are run with each further seed; then, the best one alone goes on. Among the runs
    that agree with another at least half as well as the best agreement (among all, where none agree), the one with the
    best criterion wins and is grown to the full vocabulary, if one agrees with it. Agreement goes first because wrong
    maps reach nearly the criterion of right ones, but not each other: right runs share most of their pairs, wrong ones
    hardly any.

    Parameters
    ----------
    starts : mapping of str to Start, optional
        Guesses from normalised rows; by default those of `STARTS` by "gromov-wasserstein" and "sorted" from 1,000 to
        2,500 words, 1,500 first.
    seeds : sequence of int
        Of the stochastic induction.
    enough_agreement : float
        The race ends once a run agrees so well with an earlier one; above 1 every start is run with every seed to its
        end.
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

    name: ClassVar[str] = "race"
    needs_pairs: ClassVar[bool] = False

    starts: Mapping[str, Start] | None = None
    seeds: Sequence[int] = (0, 1)
    enough_agreement: float = 0.3
    learner: SelfLearning | None = None
    vocabulary: int = 5000

    def fit(self, source: Any, target: Any, *, names: tuple[str, str] = ("source", "target")) -> "Race":
        """Run the race on (n, d_source) and (m, d_target) arrays, most frequent words first.

        Raises
        ------
        ValueError
            If there is no start or no seed.
        """
        words = source, target
        source, target = check_vocabularies(source, target, names)
        starts = {name: STARTS[name] for name in _RACED} if self.starts is None else self.starts
        if not starts or not self.seeds:
            raise ValueError(f"a race needs starts and seeds, but has {len(starts)} and {len(self.seeds)}")
        learner = replace(self.learner or SelfLearning(), trust_pairs=False)
        small = replace(learner, vocabulary=min(self.vocabulary, learner.vocabulary))
        runs = tuple(heat.result() for heat in self._raced(starts, small, source, target))
        self.runs_ = believed_first(runs, "criterion")
        self.others_ = confirming_spaces(self.runs_, small, source, target, names)
        winner = self.runs_[0]
        self.agreement_ = winner.agreement
        # where nothing agrees the map is wrong: no larger vocabulary makes it right
        believed = learner if winner.agreement >= _CHANCE or len(runs) == 1 else small
        self.learner_ = replace(believed, seed=winner.seed, search_iterations=0)
        fitted = self.learner_.fit(source, target, winner.pairs, names=names).space_
        scores = {
            "criterion": winner.criterion,
            "mutual_rate": self.learner_.dictionary_.mutual_rate,
            "agreement": winner.agreement,
        }
        notes = {"start": winner.start, "seed": winner.seed, "runs": len(runs)}
        self.space_ = replace(fitted, scores=scores, provenance={**fitted.provenance, **notes})
        self.runs_ = _in_given_rows(self.runs_, self.learner_, words)
        return self

    def _raced(self, starts: Mapping[str, Start], learner: SelfLearning, source: Any, target: Any) -> list["_Heat"]:
        """Return all heats that were run; those that agree with another, or else the best one, to their end."""
        guesses = _Guesses(starts, normalized(source, target, learner.normalize)[1])
        rounds = max(_HEAT, round(_HEAT / 60 * learner.search_iterations))
        every = self.enough_agreement > 1
        heats: list[_Heat] = []
        for number, seed in enumerate(self.seeds):
            names: Sequence[str] = tuple(starts)
            if number and not every:
                first = [heat for heat in heats if heat.learner.seed == self.seeds[0]]
                best = sorted(first, key=lambda heat: heat.objective, reverse=True)[:_AGAIN]
                names = [heat.start for heat in best]
            for name in names:
                pairs = guesses.pairs(name, seed)
                if pairs is None:
                    continue
                # subtle: a guess is never "enough pairs", however many: it has to be searched from
                heat = _Heat(name, replace(learner, seed=seed, enough_pairs=len(pairs) + 1), pairs)
                heat.begin(source, target, rounds)
                like = [each for each in heats if translation_agreement(each.mutual, heat.mutual) >= _HINT]
                heats.append(heat)
                if every or like:
                    found = [each.finish(source, target) for each in (*like, heat)]
                    if best_agreement(found[-1], found) >= self.enough_agreement:
                        return heats
        if all(heat.run is None for heat in heats):
            max(heats, key=lambda heat: heat.objective).finish(source, target)
        return heats


class _Guesses:
    """The guesses of named starts: made when it is their turn, equal ones used once."""

    def __init__(self, starts: Mapping[str, Start], rows: tuple[Any, Any]) -> None:
        self._starts, self._rows = starts, rows
        self._made: dict[str, NDArray[Any] | None] = {}

    def pairs(self, name: str, seed: int) -> NDArray[np.int64] | None:
        """Return a start's pairs; None where another start guesses the same."""
        if name not in self._made:
            guess = self._starts[name](*self._rows)
            # subtle: small vocabularies make starts of unlike sizes equal, and a run must not confirm itself
            twice = any(np.array_equal(guess, other) for other in self._made.values() if other is not None)
            self._made[name] = None if twice else guess
        made = self._made[name]
        if made is None or np.issubdtype(made.dtype, np.integer):
            return made
        return draw_pairs(made, rng=seed)


_FORMAT = state_format("restarts")


@dataclass(frozen=True)
class RestartsState:
    """One point between two rounds of `Restarts`.

    Attributes
    ----------
    seeds : (s, 2) array of int64
        The pairs that every run starts from.
    runs : tuple of Run
        The runs done.
    current : SelfLearningState or None
        Of the run that is under way, or of the growth after the last one; None before its first round.
    """

    seeds: NDArray[np.int64]
    runs: tuple[Run, ...] = ()
    current: SelfLearningState | None = None

    def check(self, seeds: NDArray[np.int64]) -> None:
        """Raise ValueError unless the state belongs to a fit that started from these seeds."""
        SelfLearningState.start(self.seeds, stage=0, seed=0).check(seeds)

    def save(self, path: str | Path) -> None:
        """Write one safetensors file; an old one stays whole until the new one is."""
        tensors = {"seeds": self.seeds, **{f"run {i}": run.pairs for i, run in enumerate(self.runs)}}
        runs = [{key: value for key, value in vars(run).items() if key != "pairs"} for run in self.runs]
        current = None
        if self.current is not None:
            tensors |= {f"current {name}": each for name, each in self.current.tensors().items()}
            current = self.current.header()
        _FORMAT.write(path, tensors, {"runs": runs, "current": current})

    @classmethod
    def load(cls, path: str | Path) -> "RestartsState":
        """Read what `save` wrote; errors as of `SelfLearningState.load`."""
        tensors, header = _FORMAT.read(path)
        with _FORMAT.building(str(path)):
            runs = tuple(Run(**each, pairs=tensors[f"run {i}"]) for i, each in enumerate(header["runs"]))
            current = None
            if header["current"] is not None:
                parts = {name.removeprefix("current "): each for name, each in tensors.items()}
                parts["seeds"] = tensors["current seeds"]
                current = SelfLearningState.of_parts(parts, header["current"])
            return cls(tensors["seeds"], runs, current)


@dataclass(kw_only=True, eq=False)
class Restarts:
    """Run self-learning from the same pairs with other search vocabularies and seeds, and keep the run to believe.

    From 25 pairs self-learning mostly finds the right map, but from some sets of pairs (of function words, say, with
    several translations each) it ends in a wrong one with some seeds and in the right one with others. So it is run on
    a small vocabulary until two runs agree. Among the runs that agree at least half as well as the best agreement
    (among all, where none agree), the one with the highest mutual rate is grown to the full vocabulary.

    Where there are `few_pairs` that the learner trusts, or so many that it leaves the search out, one run will do,
    which is that of the learner itself.

    Parameters
    ----------
    learner : SelfLearning, optional
        How each run goes; copied.
    factors : sequence of float
        The learner's search vocabulary is multiplied by each in turn.
    restarts : int
        Most runs. Each has the next seed.
    enough_agreement : float
        The restarts end once two runs agree so well (`translation_agreement`); above 1 every run is made.
    vocabulary : int
        Most frequent words of each side in the runs; the learner's own in the end.
    few_pairs : int
        With so many trusted pairs there are no restarts.

    Attributes
    ----------
    space_ : SharedSpace
        The believed run's maps; its `scores` hold mutual_rate and, of several runs, agreement.
    runs_ : tuple of Run
        All runs, the believed one first.
    others_ : tuple of SharedSpace
        The space of the run that agrees best with it: for `assess_space`.
    learner_ : SelfLearning
        Fitted on the full vocabulary.
    state_ : RestartsState
        After each round, so also when a callback stopped the fit: save it, and give it to `fit` to go on.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> french = rng.normal(size=(300, 8)).astype(np.float32)
    >>> english = french @ np.linalg.qr(rng.normal(size=(8, 8)))[0].astype(np.float32)
    >>> few = np.stack([np.arange(6), np.arange(6)], axis=1)
    >>> restarts = Restarts(learner=SelfLearning(search_iterations=10)).fit(english, french, few)
    >>> len(restarts.runs_), bool(restarts.space_.scores["agreement"] > 0.9)
    (2, True)
    """

    learner: SelfLearning | None = None
    factors: Sequence[float] = (1.0, 1.4, 2.0)
    restarts: int = 8
    enough_agreement: float = 0.4
    vocabulary: int = 5000
    few_pairs: int = 300

    def fit(
        self,
        source: Any,
        target: Any,
        pairs: Any,
        *,
        names: tuple[str, str] = ("source", "target"),
        state: RestartsState | None = None,
    ) -> "Restarts":
        """Run and choose.

        Parameters
        ----------
        source, target : (n, d_source), (m, d_target) array
            The whole vocabularies, most frequent first.
        pairs : (p, 2) array of int
            Rows that translate each other, or may do (see `SelfLearning`).
        names : tuple of two str
            What the two languages are called in the shared space.
        state : RestartsState, optional
            Where an earlier fit of the same data and parameters stood; the result is the same as without the stop.

        Raises
        ------
        ValueError
            If there is no restart or no factor, a factor is not positive, or a pair points outside the vocabularies.
        """
        if self.restarts < 1 or not self.factors or min(self.factors) <= 0:
            raise ValueError(
                f"restarts must be at least 1 and factors positive, but are {self.restarts} and {tuple(self.factors)}"
            )
        words = source, target
        source, target, seeds = check_fit(source, target, pairs, names)
        learner = self.learner or SelfLearning()
        small = replace(learner, vocabulary=min(self.vocabulary, learner.vocabulary))
        self.state_ = RestartsState(seeds) if state is None else state
        self.state_.check(seeds)
        few = min(self.few_pairs, learner.enough_pairs) if learner.trust_pairs else learner.enough_pairs
        searching = learner.search_iterations > 0 and len(np.unique(seeds, axis=0)) < few
        coming = self._coming(small, source, target) if searching else iter(())
        runs = until_two_agree(coming, self.enough_agreement, self.state_.runs)
        self.runs_ = believed_first(runs, "mutual_rate") if runs else ()
        self.others_ = confirming_spaces(self.runs_, small, source, target, names, seeds) if runs else ()
        scores: dict[str, float] = {}
        current = self.state_.current
        if runs:
            believed = self.runs_[0]
            if self.others_:
                scores["agreement"] = believed.agreement
            learner = replace(learner, seed=believed.seed, search_vocabulary=small.vocabulary)
            current = current or believed.state(seeds, grown=False)
        self.learner_ = self._watched(learner, len(runs))
        fitted = self.learner_.fit(source, target, seeds, names=names, state=current).space_
        scores["mutual_rate"] = self.learner_.history_[-1]["mutual_rate"]
        self.space_ = replace(fitted, scores=scores, provenance={**fitted.provenance, "restarts": len(runs)})
        self.runs_ = _in_given_rows(self.runs_, self.learner_, words)
        return self

    def _coming(self, learner: SelfLearning, source: Any, target: Any) -> Iterator[Callable[[], Run]]:
        """Yield the runs still to do, the first from where the state stands."""

        def make(own: SelfLearning, number: int) -> Run:
            watched, state = self._watched(own, number), self.state_
            run = run_on(watched, source, target, state.seeds, start="pairs", state=state.current)
            self.state_ = RestartsState(state.seeds, (*state.runs, run))
            return run

        for number in range(len(self.state_.runs), self.restarts):
            size = max(1, round(learner.search_vocabulary * self.factors[number % len(self.factors)]))
            own = replace(learner, seed=learner.seed + number, search_vocabulary=min(size, learner.vocabulary))
            yield partial(make, own, number)

    def _watched(self, learner: SelfLearning, run: int) -> SelfLearning:
        """Return a copy whose rounds move this state on; the callback is told the run too."""
        tell = learner.callback

        def keep(event: Mapping[str, float]) -> None:
            self.state_ = RestartsState(self.state_.seeds, self.state_.runs, own.state_)
            if tell is not None:
                tell({**event, "run": run})

        own = replace(learner, callback=keep)
        return own
