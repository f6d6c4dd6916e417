"""One call from two vocabularies to a shared space: the method chosen by what is given, and failure said.

From two vocabularies and a dictionary to a shared space with held-out scores and provenance.

Fit any word aligner on two vocabularies: seeds, callbacks, checkpoints.

What a space keeps of how it was learned, and the aligner that learns it again from other pairs.
"""

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from interlingua.align.dictionary import Coverage, SeedDictionary
from interlingua.align.neighbors import Criterion
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

from .confidence import OnFailure, assess_space
from .evaluation import LexiconScore, lexicon_ranks, lexicon_score
from .restarts import Restarts, RestartsState, Run

_WITHOUT_PAIRS = frozenset({*UNSUPERVISED_METHODS, "gromov-wasserstein"})


def recorded_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a constructor's parameters as a space's provenance keeps them: in JSON's form, a tuple as a list.

    Callbacks are left out, for they change nothing that is learned.

    Returns
    -------
    dict
        ``parameters`` and ``parameters_not_recorded``, the names of those JSON cannot hold. Files of versions that
        left out what is no single value have no such list.

    Examples
    --------
    >>> recorded_parameters({"normalize": ("unit", "centre"), "start": word_aligner("procrustes")})
    {'parameters': {'normalize': ['unit', 'centre']}, 'parameters_not_recorded': ['start']}
    """
    kept: dict[str, Any] = {}
    lost = []
    for name, value in parameters.items():
        if name == "callback":
            continue
        try:
            kept[name] = json.loads(json.dumps(value, default=_number))
        except (TypeError, ValueError):
            lost.append(name)
    return {"parameters": kept, "parameters_not_recorded": lost}


def aligner_of(space: SharedSpace) -> Any:
    """Return an unfitted aligner like the one that learned a space of two languages from pairs.

    Of a space by `align` or `fit_dictionary` it has the parameters; of another one the defaults, and for the
    multi-step pipeline the shrinkage. A space of a version that did not record parameters such as tuples gets the
    defaults for what it does not name, with a warning that says so.

    Returns
    -------
    aligner or None
        None where the pairs took no part: for methods that need none, and for self-learning from equal strings.

    Raises
    ------
    ValueError
        If the method is not known or started from other pairs, or a parameter could not be recorded.

    Examples
    --------
    >>> from interlingua.align.word import Procrustes
    >>> x = np.eye(4, dtype=np.float32)
    >>> space = Procrustes().fit(x, x, np.stack([np.arange(4)] * 2, axis=1)).space_
    >>> type(aligner_of(space)).__name__
    'Procrustes'
    """
    provenance = space.provenance
    chosen = provenance.get("chosen")
    method = str(chosen["method"]) if isinstance(chosen, Mapping) and "method" in chosen else space.method
    if method in _WITHOUT_PAIRS:
        return None
    if method.startswith("self-learning ("):  # fitted by itself, and named after the method of its last map
        if "start" in provenance:
            return None
        method = "self-learning"
    if method not in WORD_METHODS:
        raise ValueError(
            f"a space learned by {method!r} cannot be fitted again without a part of the pairs; "
            "give the aligner that learned it"
        )
    # subtle: files of earlier versions hold what was given to all the candidates
    given = provenance.get("parameters", {}).items()
    parameters = {name: _of_json(value) for name, value in given if name in settings_of(method)}
    if provenance.get("seeds") in ("identical", "numerals"):
        if parameters.get("trust_pairs") is False:
            return None
        raise ValueError(
            f"this space was learned by {method!r} from equal strings, not from pairs that parts can be left out of; "
            "give the aligner to fit with these pairs"
        )
    lost = provenance.get("parameters_not_recorded", ())
    if "parameters" in provenance and "parameters_not_recorded" not in provenance:
        warnings.warn(
            f"this space was learned by {method!r} with a version that did not record every parameter: it is fitted "
            f"again with {_listed(parameters)} and otherwise the defaults; give the aligner that learned it, or learn "
            "the space again, if it had others",
            stacklevel=2,
        )
    if lost:
        raise ValueError(
            f"this space was learned by {method!r} with a value of {', '.join(lost)} that no file can hold, so that it "
            "cannot be fitted again; give the aligner that learned it"
        )
    if method == "multi-step" and "shrinkage" in provenance:
        parameters["shrinkage"] = tuple(provenance["shrinkage"])
    aligner = word_aligner(method, **parameters)
    if "restarts" in provenance and isinstance(aligner, SelfLearning):
        return Restarts(learner=aligner)
    return aligner


def _listed(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in parameters.items()) or "no parameter"


def _number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"JSON cannot hold a {type(value).__name__}")


def _of_json(value: Any) -> Any:
    return tuple(_of_json(each) for each in value) if isinstance(value, list) else value


Pairs = NDArray[np.int64]

#: With fewer source words a held-out score says nothing.
FEWEST_HELD_OUT = 20
#: Methods are compared on so many words, in so many folds at most.
_ENOUGH_HELD_OUT = 300
_MOST_FOLDS = 3


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
    space. `align` in `interlingua.align.word.auto` chooses the method as well, and refuses failed alignments.

    Parameters
    ----------
    source, target : Embeddings
        The vocabularies, most frequent first. Their `space` names the languages.
    dictionary : SeedDictionary
        Translation pairs; those without both vectors are left out and counted.
    method : str
        A name from `WORD_METHODS`.
    held_out : float
        Share of the source words to score on (see `hold_out`); 0 for no score. Where fewer than 20 words would be
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
    names = (source.space or "source", target.space or "target")
    pairs, coverage = covered_pairs(source, target, dictionary)
    scores: Mapping[str, float] = {}
    test, train = hold_out(pairs, held_out, seed)
    if len(test):
        scores = try_method(method, source, target, train, test, **parameters).scores
    fitted = word_aligner(method, **parameters).fit(source.vectors, target.vectors, pairs, names=names).space_
    provenance = {
        **fitted.provenance,
        "dictionary_pairs": coverage.n_pairs,
        "vocabulary": {names[0]: len(source), names[1]: len(target)},
        "chosen": {"method": method, "because": "asked for"},
        **recorded_parameters(parameters),
        "seed": seed,
        "data_sha256": data_hash(source, target, dictionary),
    }
    return SharedSpace(fitted.maps, fitted.method, fitted.encoder, scores, provenance)


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


def hold_out(pairs: Pairs, share: float, seed: int) -> tuple[Pairs, Pairs]:
    """Split pairs by source word: half of those held out are the rarest, half are drawn from the others.

    Dictionaries are made of frequent words, and methods differ most on rare ones: a random part alone would hide it.

    Parameters
    ----------
    pairs : (p, 2) array of int64
        Rows of source and target, most frequent first.
    share : float
        Of the source words, in [0, 1).
    seed : int
        Draws the second half.

    Returns
    -------
    held, kept : (p', 2) arrays of int64
        In the order of the pairs. `held` is empty where it would have fewer than 20 source words.

    Raises
    ------
    ValueError
        If the share is out of range.

    Examples
    --------
    >>> held, kept = hold_out(np.stack([np.arange(400)] * 2, axis=1), 0.1, seed=0)
    >>> len(held), len(kept), int((held[:, 0] >= 380).sum())
    (40, 360, 20)
    """
    folds = hold_out_folds(pairs, share, seed, enough=1)
    return folds[0] if folds else (pairs[:0], pairs)


def hold_out_folds(
    pairs: Pairs, share: float, seed: int, *, enough: int = _ENOUGH_HELD_OUT
) -> tuple[tuple[Pairs, Pairs], ...]:
    """Split pairs as `hold_out` does, several times if one part is small: no word is held out twice.

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
        Empty where a fold would hold out fewer than 20 source words.

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
    def reciprocal_ranks(self) -> NDArray[np.float64]:
        """1 / rank of each word, 0 beyond ten."""
        return np.where(self.ranks > 0, 1.0 / np.maximum(self.ranks, 1), 0.0)

    @property
    def scores(self) -> dict[str, float]:
        """Shares and means over the held-out words."""
        found = self.ranks > 0
        return {
            "precision_at_1": float((self.ranks == 1).mean()),
            "precision_at_5": float((found & (self.ranks <= 5)).mean()),
            "mrr": float(self.reciprocal_ranks.mean()),
            "held_out_words": int(self.ranks.size),
        }


def try_method(
    method: str, source: Embeddings, target: Embeddings, train: Pairs, test: Pairs, **parameters: Any
) -> Trial:
    """Fit a method on some pairs and rank the translations of others among the whole target vocabulary."""
    return try_folds(method, source, target, ((test, train),), **parameters)


def try_folds(
    method: str, source: Embeddings, target: Embeddings, folds: Sequence[tuple[Pairs, Pairs]], **parameters: Any
) -> Trial:
    """Try a method on each (held, kept) of `hold_out_folds`; the ranks of all held-out words follow each other."""
    ranks = []
    for held, kept in folds:
        fitted = word_aligner(method, **parameters).fit(source.vectors, target.vectors, kept, names=("s", "t")).space_
        mapped = (fitted.transform(source.vectors, "s"), fitted.transform(target.vectors, "t"))
        ranks.append(lexicon_ranks(*mapped, gold_rows(held)))
    return Trial(method, np.concatenate(ranks))


def score_dictionary(
    space: SharedSpace,
    source: Embeddings,
    target: Embeddings,
    test: SeedDictionary,
    *,
    criterion: Criterion = "csls",
) -> LexiconScore:
    """Score a space on a test dictionary; the languages are named by the embeddings' `space`.

    Only source words with a vector and at least one gold translation with a vector are scored; `LexiconScore.coverage`
    says how many that are.
    """
    pairs, coverage = test.index_pairs(source, target)
    return lexicon_score(
        space.transform(source.vectors, source.space or "source"),
        space.transform(target.vectors, target.space or "target"),
        gold_rows(pairs),
        n_asked=coverage.n_sources,
        criterion=criterion,
    )


def gold_rows(pairs: Pairs) -> dict[int, NDArray[np.int64]]:
    """Return the right target rows of each source row, in the order of the pairs."""
    grouped: dict[int, list[int]] = {}
    for row, translation in pairs.tolist():
        grouped.setdefault(row, []).append(translation)
    return {row: np.array(translations, np.int64) for row, translations in grouped.items()}


def data_hash(source: Embeddings, target: Embeddings, dictionary: SeedDictionary | None = None) -> str:
    """Return the SHA-256 of labels, vectors and pairs: equal data, equal hash, whatever the file format."""
    digest = hashlib.sha256()
    for each in (source, target):
        digest.update("\0".join(each.labels).encode())
        digest.update(np.ascontiguousarray(each.vectors).data)
    if dictionary is not None:
        digest.update("\0".join("\t".join(pair) for pair in dictionary.pairs).encode())
    return digest.hexdigest()


#: Gets {"method", "iteration", "objective", ...} after each iteration of a method that has iterations.
Callback = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Fitted:
    """What a fit gives.

    Attributes
    ----------
    space : SharedSpace
    runs : list of dict
        What a race, or restarts, have tried: the one believed first.
    others : sequence of SharedSpace
        Spaces of independent runs.
    """

    space: SharedSpace
    runs: list[dict[str, Any]] = field(default_factory=list)
    others: Sequence[SharedSpace] = ()


@dataclass(frozen=True)
class FittingJob:
    """The two vocabularies and how to fit any method on them.

    Attributes
    ----------
    source, target : Embeddings
        Their `space` names the languages.
    seed : int
    callback : callable or None
    checkpoint : str, path or None
        For self-learning from pairs.
    given : mapping
        Parameters for the constructors.
    guess : bool
        Whether the pairs are equal strings, which may be wrong.
    """

    source: Embeddings
    target: Embeddings
    seed: int
    callback: Callback | None
    checkpoint: str | Path | None
    given: Mapping[str, Any]
    guess: bool

    @property
    def arrays(self) -> tuple[Any, Any]:
        """Source and target vectors."""
        return self.source.vectors, self.target.vectors

    @property
    def names(self) -> tuple[str, str]:
        """What the two languages are called."""
        return self.source.space, self.target.space

    def parameters_of(self, method: str, among: Sequence[str] = ()) -> dict[str, Any]:
        """Return the constructor's parameters; of several candidates each gets what it takes."""
        chosen = {key: value for key, value in self.given.items() if len(among) < 2 or key in settings_of(method)}
        if "seed" in settings_of(method):
            chosen.setdefault("seed", self.seed)
        if "callback" in settings_of(method) and self.callback is not None:
            chosen.setdefault("callback", self._telling(method))
        if self.guess and "trust_pairs" in settings_of(method):
            chosen.setdefault("trust_pairs", False)
        return chosen

    def fit(self, method: str, pairs: Pairs, among: Sequence[str]) -> Fitted:
        """Fit a supervised method on all pairs; self-learning is restarted where they are few."""
        aligner = word_aligner(method, **self.parameters_of(method, among))
        if not isinstance(aligner, SelfLearning):
            return Fitted(aligner.fit(*self.arrays, pairs, names=self.names).space_)
        restarts = Restarts(learner=aligner)
        state = None
        if self.checkpoint is not None:
            path = Path(self.checkpoint)
            state = RestartsState.load(path) if path.exists() else None
            aligner.callback = _keeping(path, restarts, aligner.callback)
        restarts.fit(*self.arrays, pairs, names=self.names, state=state)
        if self.checkpoint is not None:
            path.unlink(missing_ok=True)
        return Fitted(restarts.space_, _told(method, restarts.runs_), restarts.others_)

    def fit_without_pairs(self, method: str) -> Fitted:
        """Fit an unsupervised method."""
        if method != "race":
            aligner = UNSUPERVISED_METHODS[method](**self.parameters_of(method))
            return Fitted(aligner.fit(*self.arrays, names=self.names).space_)
        own = {"seeds": (self.seed, self.seed + 1), **self.given}
        changes: dict[str, Any] = {"normalize": own.pop("normalize")} if "normalize" in own else {}
        if self.callback is not None:
            changes["callback"] = self._telling(method)
        learner = replace(own.pop("learner", None) or SelfLearning(), **changes)
        race = UNSUPERVISED_METHODS[method](learner=learner, **own).fit(*self.arrays, names=self.names)
        return Fitted(race.space_, _told(method, race.runs_), race.others_)

    def _telling(self, method: str) -> Callback:
        def tell(event: Mapping[str, Any]) -> None:
            if self.callback is not None:
                self.callback({"method": method, **event})

        return tell


def _keeping(path: Path, fit: Restarts, told: Callback | None) -> Callback:
    """Return a callback that saves the state of a fit after each round, and tells the caller's."""

    def keep(event: Mapping[str, Any]) -> None:
        fit.state_.save(path)
        if told is not None:
            told(event)

    return keep


def _told(method: str, runs: Sequence[Run]) -> list[dict[str, Any]]:
    keys = ("start", "seed", "search_vocabulary", "criterion", "mutual_rate", "agreement")
    return [{"method": method, **{key: getattr(run, key) for key in keys}} for run in runs]


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
    `align.word.confidence`), the agreement of raced starts or restarts among them. Self-learning is restarted
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
    unknown = [key for key in parameters if not any(key in settings_of(each) for each in names)]
    if method == "auto" and unknown:
        raise TypeError(f"none of the candidates {', '.join(names)} has a parameter {', '.join(unknown)}")
