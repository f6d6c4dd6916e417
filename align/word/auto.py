"""One call from two vocabularies to a shared space: the method chosen by what is given, and failure said."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from interlingua.align.dictionary import Coverage, SeedDictionary
from interlingua.align.space import SharedSpace
from interlingua.align.vocabulary import Embeddings
from interlingua.align.word.methods import (
    UNSUPERVISED_METHODS,
    WORD_METHODS,
    is_available,
    settings_of,
    word_aligner,
)
from interlingua.align.word.methods.self_learning import SelfLearning

from .confidence import Confidence, OnFailure, assess_space
from .evaluation import estimated_ranks, gold_rows, ranks_score
from .refit import data_hash, with_provenance
from .restarts import Restarts, RestartsState, Run

Pairs = NDArray[np.int64]
Seeds = Literal["identical", "numerals"]

#: With so many covered source words methods are compared, with fewer the pairs are a start to learn more from.
MANY_PAIRS = 300
#: With fewer words a side there is nothing to induce, and no sign to judge by.
FEWEST_WORDS = 100
#: A held-out precision below it is that of a failed alignment.
FAILED = 0.05
#: What is compared where there are many pairs, the simplest first.
_COMPARED = ("procrustes", "multi-step", "expansion")
#: With fewer source words a held-out score says nothing.
FEWEST_HELD_OUT = 20
#: Methods are compared on so many words, in so many folds at most.
_ENOUGH_HELD_OUT = 300
_MOST_FOLDS = 3
#: Gets {"method", "iteration", "objective", ...} after each iteration of a method that has iterations.
Callback = Callable[[Mapping[str, Any]], None]


def align(
    source: Embeddings,
    target: Embeddings,
    dictionary: SeedDictionary | None = None,
    *,
    method: str = "auto",
    seeds: Seeds | None = None,
    held_out: float = 0.1,
    seed: int = 0,
    on_failure: OnFailure = "raise",
    callback: Callback | None = None,
    checkpoint: str | Path | None = None,
    **parameters: Any,
) -> SharedSpace:
    """Align two languages by what there is to learn from, and refuse a result that shows no sign of being right.

    With ``method="auto"``:

    - a dictionary with at least 300 covered source words: Procrustes, the multi-step pipeline and its expansion
      by the pairs it finds are fitted without a held-out part of the dictionary (half of it
      the rarest words, see `hold_out_folds`), up to three times, and ranked on it. The one with the highest mean
      reciprocal rank is fitted again on all pairs.
    - fewer: self-learning, which keeps the pairs, restarted until two runs agree (see `Restarts`); with fewer than
      100 words a side, Procrustes.
    - `seeds`: the same, from equal strings, which it may leave.
    - nothing: a race of unsupervised starts (see `Race`).

    Where there is no held-out score, or one under 5 %, the result is judged by signs that need no pair (see
    `align.word.confidence`), the agreement of raced starts or restarts among them. Self-learning is restarted
    where it is asked for by name, too.

    Parameters
    ----------
    source, target : Embeddings
        The vocabularies, most frequent first; their dimensions may differ. Their `space` names the languages. A vector
        of zeros stands for none: such words take no part.
    dictionary : SeedDictionary, optional
        Translation pairs; those without both vectors are left out and counted.
    method : str
        "auto" is the best on held-out pairs, or what fits what is given.

        Otherwise a name from `WORD_METHODS`, or without pairs from `UNSUPERVISED_METHODS`.
    seeds : {"identical", "numerals"}, optional
        Instead of a dictionary: start from the labels, or the numerals, that both vocabularies hold.
    held_out : float
        Share of the dictionary's source words to score on; 0 for none, and then "auto" does not compare. Where
        fewer than 20 words would be held out, no score is taken.
    seed : int
        For all that is drawn at random.
    on_failure : {"raise", "warn", "ignore"}
        What to do with a result that shows no sign of being right: whose confidence lies below the threshold.
    callback : callable, optional
        Gets {"method", "iteration", "objective", ...} after each iteration, {"method", "mrr", ...} after each trial.
    checkpoint : str or path, optional
        Where self-learning keeps its state after each round of the last fit, and goes on from if the file is there;
        removed once the fit is done.

        The data and parameters must be the same as before.
    **parameters
        For the method's constructor; with "auto" each candidate gets those that it takes.

    Returns
    -------
    SharedSpace
        With the scores ``precision_at_1``, ``precision_at_5``, ``mrr`` (CSLS, held-out words, whole target
        vocabulary) or ``confidence``, and the provenance: ``candidates`` with their scores, ``chosen`` with the
        reason, pairs, coverage, parameters, seed and a hash of the data.

    Raises
    ------
    AlignmentFailedError
        If the confidence is below the threshold and `on_failure` is "raise".
    ValueError
        If what is given does not fit together, no pair has both vectors, or without a dictionary a side has fewer
        than 100 words.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = (rng.normal(size=(400, 8)) * np.linspace(2, 0.5, 8)).astype(np.float32)
    >>> turned = x @ np.linalg.qr(rng.normal(size=(8, 8)))[0].astype(np.float32)
    >>> english = Embeddings(tuple(f"e{i}" for i in range(400)), x, "en")
    >>> french = Embeddings(tuple(f"f{i}" for i in range(400)), turned, "fr")
    >>> pairs = SeedDictionary(tuple((f"e{i}", f"f{i}") for i in range(250)))
    >>> space = align(english, french, pairs, method="procrustes")
    >>> space.method, space.scores["precision_at_1"]
    ('procrustes', 1.0)
    """
    given = _named(source, target)
    source, target = (each.known() for each in given)
    _check(source, target, dictionary, method, seeds, checkpoint)
    if on_failure not in get_args(OnFailure):
        raise ValueError(f"on_failure must be one of {', '.join(get_args(OnFailure))}, but is {on_failure!r}")
    fitting = _Fitting(source, target, seed, callback, checkpoint, parameters, guess=seeds is not None)
    if seeds is not None:
        dictionary = _equal_strings(source, target, seeds)
    notes: dict[str, Any] = {}
    pairs = None
    if dictionary is None:
        fitted = fitting.without_pairs(method)
    else:
        pairs, coverage = covered_pairs(source, target, dictionary)
        notes["dictionary_pairs"] = coverage.n_pairs
        fitted = fitting.with_pairs(method, pairs, coverage.n_sources_covered, held_out)
    scores = {**fitted.space.scores, **fitted.held_out_scores}
    confidence = judged(
        fitted.space, source, target, scores, on_failure=on_failure, seeds=pairs, others=fitted.others, seed=seed
    )
    if confidence is not None:
        scores["confidence"] = confidence.value
        notes["signs"] = {
            sign: {"value": each.value, "wrong_map": each.null} for sign, each in confidence.signs.items()
        }
    return with_provenance(
        fitted.space,
        (source, target),
        fitted.parameters,
        scores=scores,
        seed=seed,
        candidates=fitted.candidates,
        chosen={"method": fitted.method, "because": fitted.because},
        seeds=seeds or ("dictionary" if dictionary is not None else "none"),
        data_sha256=data_hash(*given, dictionary),
        **notes,
    )


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
    space. `align` chooses the method as well, and refuses failed alignments.

    Parameters
    ----------
    source, target : Embeddings
        The vocabularies, most frequent first. Their `space` names the languages.
    dictionary : SeedDictionary
        Translation pairs; those without both vectors are left out and counted.
    method : str
        A name from `WORD_METHODS`.
    held_out : float
        Share of the source words to score on (see `hold_out_folds`); 0 for no score. Where fewer than 20 words would be
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
    source, target = _named(source, target)
    pairs, coverage = covered_pairs(source, target, dictionary)
    folds = hold_out_folds(pairs, held_out, seed, enough=1)
    scores = try_folds(method, source, target, folds, **parameters).scores if folds else {}
    aligner = word_aligner(method, **parameters)
    return with_provenance(
        aligner.fit(source.vectors, target.vectors, pairs, names=(source.space, target.space)).space_,
        (source, target),
        parameters,
        scores=scores,
        seed=seed,
        dictionary_pairs=coverage.n_pairs,
        chosen={"method": method, "because": "asked for"},
        data_sha256=data_hash(source, target, dictionary),
    )


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


def hold_out_folds(
    pairs: Pairs, share: float, seed: int, *, enough: int = _ENOUGH_HELD_OUT
) -> tuple[tuple[Pairs, Pairs], ...]:
    """Split pairs by source word, several times if one part is small: no word is held out twice.

    Half of those held out are the rarest, half are drawn from the others. Dictionaries are made of frequent words, and
    methods differ most on rare ones: a random part alone would hide it.

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
        In the order of the pairs. Empty where a fold would hold out fewer than 20 source words.

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
    def scores(self) -> dict[str, float]:
        """Shares and means over the held-out words."""
        score = ranks_score(self.ranks, self.ranks.size)
        return {
            "precision_at_1": score.precision_at_1,
            "precision_at_5": score.precision_at_5,
            "mrr": score.mrr,
            "held_out_words": score.n_words,
        }


def try_folds(
    method: str, source: Embeddings, target: Embeddings, folds: Sequence[tuple[Pairs, Pairs]], **parameters: Any
) -> Trial:
    """Try a method on each (held, kept) of `hold_out_folds`: fit it on the kept pairs, rank the others' translations.

    The ranks of all held-out words, among the whole target vocabulary (see `estimated_ranks`), follow each other.
    """
    ranks = []
    for held, kept in folds:
        fitted = word_aligner(method, **parameters).fit(source.vectors, target.vectors, kept, names=("s", "t")).space_
        mapped = (fitted.transform(source.vectors, "s"), fitted.transform(target.vectors, "t"))
        ranks.append(estimated_ranks(*mapped, gold_rows(held)))
    return Trial(method, np.concatenate(ranks))


def best_of(trials: Sequence[Trial]) -> str:
    """Return the method with the highest mean reciprocal rank; of equal ones the first.

    Give the trials simplest first, all on the same held-out words. The simplest within a standard error of the best
    would be the safer choice if a simpler map were worth something by itself; it is not, and held-out words that are
    few would then mostly choose the worse map.
    """
    return max(trials, key=lambda trial: trial.scores["mrr"]).method


def judged(
    space: SharedSpace,
    source: Embeddings,
    target: Embeddings,
    scores: Mapping[str, float],
    *,
    on_failure: OnFailure,
    **known: Any,
) -> Confidence | None:
    """Judge a space by signs that need no pair, where no held-out precision shows already that it is right.

    Parameters
    ----------
    space, source, target
        As in `assess_space`.
    scores : mapping of str to float
        On held-out words, if there were any.
    on_failure : {"raise", "warn", "ignore"}
    **known
        `seeds`, `others` and `seed` of `assess_space`.

    Returns
    -------
    Confidence or None
        None where the precision is above failure, or there are too few words to judge by.

    Raises
    ------
    AlignmentFailedError
        If the confidence is below the threshold and `on_failure` is "raise".
    """
    if scores.get("precision_at_1", 0.0) >= FAILED or min(len(source), len(target)) < FEWEST_WORDS:
        return None
    return assess_space(space, source, target, **known).check(on_failure)


#: What a space tells of each run of a race or of restarts.
_RECORDED_OF_RUN = ("start", "seed", "search_vocabulary", "criterion", "mutual_rate", "agreement")


@dataclass(frozen=True)
class _Fitted:
    """A fit on all there is: by which method and why, with what settings, and what was compared."""

    space: SharedSpace
    method: str
    because: str
    parameters: Mapping[str, Any]
    trials: Sequence[Trial] = ()
    runs: Sequence[Run] = ()
    others: Sequence[SharedSpace] = ()

    @property
    def candidates(self) -> list[dict[str, Any]]:
        """The methods tried, or else the runs of a race or of restarts, the one believed first."""
        tried = [{"method": each.method, **each.scores} for each in self.trials]
        runs = [{"method": self.method, **{key: getattr(run, key) for key in _RECORDED_OF_RUN}} for run in self.runs]
        return tried or runs or [{"method": self.method}]

    @property
    def held_out_scores(self) -> dict[str, float]:
        """Those of the method chosen."""
        return next((each.scores for each in self.trials if each.method == self.method), {})


@dataclass(frozen=True)
class _Fitting:
    """Two vocabularies, and how any method is fitted on them; the parameters are those of `align`."""

    source: Embeddings
    target: Embeddings
    seed: int
    callback: Callback | None
    checkpoint: str | Path | None
    given: Mapping[str, Any]
    guess: bool

    def with_pairs(self, method: str, pairs: Pairs, n_words: int, held_out: float) -> _Fitted:
        """Try the methods that the pairs allow on pairs held out, and fit the best on all; few pairs mean restarts."""
        folds = hold_out_folds(pairs, 0.0 if self.guess else held_out, self.seed)
        names, because = self._candidates(method, n_words, comparable=len(folds) > 0)
        unknown = [key for key in self.given if not any(key in settings_of(each) for each in names)]
        if method == "auto" and unknown:
            raise TypeError(f"none of the candidates {', '.join(names)} has a parameter {', '.join(unknown)}")
        folds = folds if len(names) > 1 else folds[:1]  # to score one method one part will do
        trials: tuple[Trial, ...] = ()
        if folds:
            trials = tuple(self._tried(each, folds, names) for each in names)
        chosen = names[0]
        if len(names) > 1:
            chosen = best_of(trials)
            because = f"the highest mean reciprocal rank on {trials[0].ranks.size} held-out words"
        settings = self._settings(chosen, names)
        aligner = word_aligner(chosen, **settings)
        if isinstance(aligner, SelfLearning):
            restarts = self._restarted(aligner, pairs)
            return _Fitted(restarts.space_, chosen, because, settings, trials, restarts.runs_, restarts.others_)
        space = aligner.fit(self.source.vectors, self.target.vectors, pairs, names=self._names).space_
        return _Fitted(space, chosen, because, settings, trials)

    def _tried(self, method: str, folds: Any, among: Sequence[str]) -> Trial:
        trial = try_folds(method, self.source, self.target, folds, **self._settings(method, among))
        if self.callback is not None:
            self.callback({"method": method, **trial.scores})
        return trial

    def without_pairs(self, method: str) -> _Fitted:
        """Fit an unsupervised method; unless one is asked for, race several starts."""
        name, because = ("race", "there are no pairs") if method == "auto" else (method, "asked for")
        settings = own = self._settings(name)
        if name == "race":
            own = {"seeds": (self.seed, self.seed + 1), **settings}
            changes = {"normalize": own.pop("normalize")} if "normalize" in own else {}
            if self.callback is not None:
                changes["callback"] = _telling(name, self.callback)
            own["learner"] = replace(own.get("learner") or SelfLearning(), **changes)
        aligner = UNSUPERVISED_METHODS[name](**own).fit(self.source.vectors, self.target.vectors, names=self._names)
        runs, others = (aligner.runs_, aligner.others_) if name == "race" else ((), ())
        return _Fitted(aligner.space_, name, because, settings, runs=runs, others=others)

    @property
    def _names(self) -> tuple[str, str]:
        return self.source.space, self.target.space

    def _settings(self, method: str, among: Sequence[str] = ()) -> dict[str, Any]:
        """Return what the constructor gets; of several candidates each gets what it takes."""
        known = settings_of(method)
        chosen = {key: value for key, value in self.given.items() if len(among) < 2 or key in known}
        if "seed" in known:
            chosen.setdefault("seed", self.seed)
        if "callback" in known and self.callback is not None:
            chosen.setdefault("callback", _telling(method, self.callback))
        if self.guess and "trust_pairs" in known:
            chosen.setdefault("trust_pairs", False)
        return chosen

    def _restarted(self, learner: SelfLearning, pairs: Pairs) -> Restarts:
        """Run self-learning until two runs agree, from the checkpoint if there is one."""
        restarts, state, path = Restarts(learner=learner), None, None
        if self.checkpoint is not None:
            path = Path(self.checkpoint)
            state = RestartsState.load(path) if path.exists() else None
            restarts.learner = replace(learner, callback=_keeping(path, restarts, learner.callback))
        restarts.fit(self.source.vectors, self.target.vectors, pairs, names=self._names, state=state)
        if path is not None:
            path.unlink(missing_ok=True)
        return restarts

    def _candidates(self, method: str, n_words: int, *, comparable: bool) -> tuple[tuple[str, ...], str]:
        """Return the supervised methods to compare, the simplest first, and why these."""
        if method != "auto":
            return (method,), "asked for"
        if self.guess:
            return ("self-learning",), "equal strings are a start, not translations"
        if min(len(self.source), len(self.target)) < FEWEST_WORDS:
            return ("procrustes",), f"with fewer than {FEWEST_WORDS} words a side there is nothing to induce"
        if n_words < MANY_PAIRS:
            return ("self-learning",), f"there are pairs of {n_words} source words, fewer than {MANY_PAIRS}"
        if not comparable:
            return ("multi-step",), "nothing was held out to compare methods on"
        return tuple(each for each in _COMPARED if is_available(each)), ""


def _telling(method: str, callback: Callback) -> Callback:
    return lambda event: callback({"method": method, **event})


def _keeping(path: Path, fit: Restarts, callback: Callback | None) -> Callback:
    """Return a callback that saves the state of a fit after each round, and tells the caller's."""

    def keep(event: Mapping[str, Any]) -> None:
        fit.state_.save(path)
        if callback is not None:
            callback(event)

    return keep


def _named(source: Embeddings, target: Embeddings) -> tuple[Embeddings, Embeddings]:
    return replace(source, space=source.space or "source"), replace(target, space=target.space or "target")


def _equal_strings(source: Embeddings, target: Embeddings, seeds: Seeds) -> SeedDictionary:
    if seeds not in get_args(Seeds):
        raise ValueError(f"seeds must be one of {', '.join(get_args(Seeds))}, but is {seeds!r}")
    found = getattr(SeedDictionary, seeds)(source, target)
    if not len(found):
        raise ValueError(f"the two vocabularies hold no {seeds} in common; give a dictionary of 25 or more pairs")
    return SeedDictionary(found.pairs)


def _check(
    source: Embeddings,
    target: Embeddings,
    dictionary: SeedDictionary | None,
    method: str,
    seeds: str | None,
    checkpoint: str | Path | None,
) -> None:
    if source.space == target.space:
        raise ValueError(f"the two languages need two names, but both are called {source.space!r}")
    if dictionary is not None and seeds is not None:
        raise ValueError("a dictionary and seeds were given; give one of the two")
    paired = dictionary is not None or seeds is not None
    known = WORD_METHODS if paired else UNSUPERVISED_METHODS
    if method != "auto" and method not in known:
        given = "pairs" if paired else "no pairs"
        raise ValueError(f"with {given} the method must be one of auto, {', '.join(known)}, but is {method!r}")
    if dictionary is None and min(len(source), len(target)) < FEWEST_WORDS:
        raise ValueError(
            f"without a dictionary at least {FEWEST_WORDS} words a side are needed, but there are {len(source)} and "
            f"{len(target)}; give a dictionary"
        )
    if checkpoint is not None and (not paired or method not in ("auto", "self-learning")):
        raise ValueError(
            "only self-learning from pairs or seeds keeps a checkpoint; leave it out, or choose that method"
        )
