"""One call from two vocabularies to a shared space: the method chosen by what is given, and failure said."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

from ..confidence import OnFailure, assess_space
from ..dictionary import SeedDictionary
from ..embeddings import Embeddings
from ..shared_space import SharedSpace
from .fitting import Trial, covered_pairs, data_hash, hold_out_folds, try_folds
from .fitting_job import Callback, FittingJob
from .refitting import recorded_parameters
from .registry import UNSUPERVISED_METHODS, WORD_METHODS, is_available, takes

__all__ = ["Seeds", "align", "best_of"]

Seeds = Literal["identical", "numerals"]

_MANY_PAIRS = 300
_FEWEST_WORDS = 100
#: A held-out precision below it is that of a failed alignment.
_FAILED = 0.05
#: What is compared where there are many pairs, the simplest first.
_COMPARED = ("procrustes", "multi-step", "expansion")


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
    `interlingua.align.confidence`), the agreement of raced starts or restarts among them. Self-learning is restarted
    where it is asked for by name, too.

    Parameters
    ----------
    source, target : Embeddings
        The vocabularies, most frequent first; their dimensions may differ. Their `space` names the languages.
    dictionary : SeedDictionary, optional
        Translation pairs; those without both vectors are left out and counted.
    method : str
        "auto", or a name from `WORD_METHODS`, or without pairs from `UNSUPERVISED_METHODS`.
    seeds : {"identical", "numerals"}, optional
        Instead of a dictionary: start from the labels, or the numerals, that both vocabularies hold.
    held_out : float
        Share of the dictionary's source words to score on; 0 for none, and then "auto" does not compare. Where
        fewer than 20 words would be held out, no score is taken.
    seed : int
        For all that is drawn at random.
    on_failure : {"raise", "warn", "ignore"}
        What to do with a result whose confidence lies below the threshold.
    callback : callable, optional
        Gets {"method", "iteration", "objective", ...} after each iteration.
    checkpoint : str or path, optional
        Where self-learning keeps its state after each round of the last fit, and goes on from if the file is there;
        removed once the fit is done. The data and parameters must be the same as before.
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
    source, target = (
        replace(each, space=each.space or name) for each, name in ((source, "source"), (target, "target"))
    )
    _check(source, target, dictionary, method, seeds, checkpoint)
    if on_failure not in get_args(OnFailure):
        raise ValueError(f"on_failure must be one of {', '.join(get_args(OnFailure))}, but is {on_failure!r}")
    job = FittingJob(source, target, seed, callback, checkpoint, parameters, guess=seeds is not None)
    if seeds is not None:
        dictionary = _equal_strings(source, target, seeds)
    trials: tuple[Trial, ...] = ()
    notes: dict[str, Any] = {}
    if dictionary is None:
        name, reason = ("race", "there are no pairs") if method == "auto" else (method, "asked for")
        fitted = job.fit_without_pairs(name)
        final = parameters if name == "race" else job.parameters_of(name)
        candidates, pairs = fitted.runs or [{"method": name}], None
    else:
        pairs, coverage = covered_pairs(source, target, dictionary)
        notes["dictionary_pairs"] = coverage.n_pairs
        folds = hold_out_folds(pairs, 0.0 if job.guess else held_out, seed)
        names, reason = _candidates(method, job, coverage.n_sources_covered, comparable=len(folds) > 0)
        folds = folds if len(names) > 1 else folds[:1]  # to score one method one part will do
        _check_parameters(parameters, names, method)
        if folds:
            trials = tuple(try_folds(each, source, target, folds, **job.parameters_of(each, names)) for each in names)
        name = names[0]
        if len(names) > 1:
            name = best_of(trials)
            reason = f"the highest mean reciprocal rank on {trials[0].ranks.size} held-out words"
        fitted, final = job.fit(name, pairs, names), job.parameters_of(name, names)
        candidates = [{"method": each.method, **each.scores} for each in trials] or fitted.runs or [{"method": name}]
    scores = {**fitted.space.scores}
    for trial in trials:
        if trial.method == name:
            scores |= trial.scores
    provenance = {
        **fitted.space.provenance,
        **notes,
        "candidates": candidates,
        "chosen": {"method": name, "because": reason},
        "vocabulary": {source.space: len(source), target.space: len(target)},
        **recorded_parameters(final),
        "seeds": seeds or ("dictionary" if dictionary is not None else "none"),
        "seed": seed,
        "data_sha256": data_hash(source, target, dictionary),
    }
    space = SharedSpace(fitted.space.maps, fitted.space.method, fitted.space.encoder, scores, provenance)
    if scores.get("precision_at_1", 0.0) >= _FAILED or min(len(source), len(target)) < _FEWEST_WORDS:
        return space
    confidence = assess_space(space, source, target, seeds=pairs, others=fitted.others, seed=seed)
    confidence.check(on_failure)
    signs = {sign: {"value": each.value, "wrong_map": each.null} for sign, each in confidence.signs.items()}
    return replace(space, scores={**scores, "confidence": confidence.value}, provenance={**provenance, "signs": signs})


def best_of(trials: Sequence[Trial]) -> str:
    """Return the method with the highest mean reciprocal rank; of equal ones the first.

    Give the trials simplest first, all on the same held-out words. The simplest within a standard error of the best
    would be the safer choice if a simpler map were worth something by itself; it is not, and held-out words that are
    few would then mostly choose the worse map.
    """
    return max(trials, key=lambda trial: float(trial.reciprocal_ranks.mean())).method


def _candidates(method: str, job: FittingJob, n_words: int, *, comparable: bool) -> tuple[tuple[str, ...], str]:
    """Return the supervised methods to compare, the simplest first, and why these."""
    if method != "auto":
        return (method,), "asked for"
    if job.guess:
        return ("self-learning",), "equal strings are a start, not translations"
    if min(len(job.source), len(job.target)) < _FEWEST_WORDS:
        return ("procrustes",), f"with fewer than {_FEWEST_WORDS} words a side there is nothing to induce"
    if n_words < _MANY_PAIRS:
        return ("self-learning",), f"there are pairs of {n_words} source words, fewer than {_MANY_PAIRS}"
    if not comparable:
        return ("multi-step",), "nothing was held out to compare methods on"
    return tuple(each for each in _COMPARED if is_available(each)), ""


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
    if dictionary is None and min(len(source), len(target)) < _FEWEST_WORDS:
        raise ValueError(
            f"without a dictionary at least {_FEWEST_WORDS} words a side are needed, but there are {len(source)} and "
            f"{len(target)}; give a dictionary"
        )
    if checkpoint is not None and (not paired or method not in ("auto", "self-learning")):
        raise ValueError(
            "only self-learning from pairs or seeds keeps a checkpoint; leave it out, or choose that method"
        )


def _check_parameters(parameters: Mapping[str, Any], names: Sequence[str], method: str) -> None:
    unknown = [key for key in parameters if not any(takes(each, key) for each in names)]
    if method == "auto" and unknown:
        raise TypeError(f"none of the candidates {', '.join(names)} has a parameter {', '.join(unknown)}")
