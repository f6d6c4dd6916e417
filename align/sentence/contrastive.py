"""A projection head on a frozen encoder, learned by contrast: translations together, other sentences apart."""

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from ..optional import require
from ..shared_space import SharedSpace
from ..space_map import SpaceMap
from .collapse import CollapseError, CollapseSigns, CollapseWarning, collapse_signs
from .consensus import Consensus
from .head_training import HeadTraining
from .parallel import ParallelVectors
from .translation_quality import translation_quality

__all__ = ["ContrastiveHead", "HeadKind"]

HeadKind = Literal["linear", "low-rank", "mlp"]
Callback = Callable[[Mapping[str, float]], None]


class ContrastiveHead:
    """Learn a head on frozen sentence vectors from translations, by a symmetric softmax over the batch.

    A language's map starts as z W, z its vectors centred, from another aligner, and becomes

    - ``linear``: z W (I + D);
    - ``low-rank``: z W (I + U V), of `rank` r;
    - ``mlp``: z W (I + D) + max(z W A + a, 0) B, of `rank` hidden units;

    D, U V and B start at zero and are held near it by a penalty, so that the head begins as its start and stays near
    it where the pairs say nothing. They are shared by all languages, or each language has its own.

    Each step takes a domain, two of its languages and a batch of sentences, and lowers `translation_ranking_loss`
    [1]_ [2]_ among them. With `hard_negatives` a batch is made of sentences and their neighbours of another meaning
    (see `mine_hard_negatives`). Sentences as near to each other as translations are never pushed apart.

    Part of the sentences is held out. The step with the least surprisal of their translations is kept, and the fit
    is repeated with all sentences up to that step; it may be 0, and then the start is what is returned. With several
    seeds the matrices are averaged (of an MLP the best seed is taken).

    Parameters
    ----------
    kind : {"linear", "low-rank", "mlp"}
        The form of the head.
    per_language : bool
        Whether each language has a head of its own.
    rank : int
        Of a low-rank head; hidden units of an MLP.
    start : aligner, optional
        Has `fit(parallel)` and yields maps that centre and multiply; by default `Consensus`. It is copied.
    temperature, margin : float
        Of the loss; LaBSE's margin is 0.3.
    penalty : float
        Weight of the squared Frobenius norm of what is learned.
    steps : int
        At most; the learning rate falls to 0 over them along a half cosine.
    batch_size : int
        Sentences in a step.
    hard_negatives : int
        Neighbours that each sentence brings along; 0 draws batches at random.
    own_language_negatives : bool
        Whether a translation must also win against the other sentences of its own language; for search over texts of
        all languages at once.
    learning_rate : float
        Of Adam [3]_.
    pivot : str
        A language that half of the steps pair with another; empty for any two.
    held_out : float
        Share of the sentences of each domain to stop by, in [0, 0.5].
    check_every, patience : int
        Steps between two looks at the held-out sentences, and looks without a gain before training stops.
    n_seeds : int
        Repetitions.
    seed : int
        The first seed.
    on_collapse : {"raise", "warn"}
        Whether a collapse is an error, or is warned of and the best step before it returned.
    device : str
        "auto" for a GPU where there is one.
    callback : callable, optional
        Gets {"seed", "iteration", "objective", "surprisal", "accuracy"} after each look.

    Attributes
    ----------
    space_ : SharedSpace
    history_ : tuple of dict
        What the callback got.
    steps_ : tuple of int
        The best step of each seed.

    References
    ----------
    .. [1] van den Oord, Li and Vinyals (2018), "Representation learning with contrastive predictive coding".
       arXiv:1807.03748
    .. [2] Feng, Yang, Cer, Arivazhagan and Wang (2022), "Language-agnostic BERT sentence embedding", ACL.
       doi:10.18653/v1/2022.acl-long.62
    .. [3] Kingma and Ba (2015), "Adam: a method for stochastic optimization", ICLR. arXiv:1412.6980

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> meaning = rng.normal(size=(200, 8)).astype(np.float32)
    >>> pairs = {"eng": meaning, "fin": meaning + rng.normal(size=(200, 8)).astype(np.float32)}
    >>> head = ContrastiveHead(kind="low-rank", rank=2, steps=4, check_every=2, batch_size=64).fit(pairs)
    >>> head.space_.languages, head.space_.method
    (('eng', 'fin'), 'contrastive head')
    """

    def __init__(
        self,
        *,
        kind: HeadKind = "linear",
        per_language: bool = False,
        rank: int = 64,
        start: Any = None,
        temperature: float = 0.05,
        margin: float = 0.0,
        penalty: float = 1e-3,
        steps: int = 300,
        batch_size: int = 512,
        hard_negatives: int = 0,
        own_language_negatives: bool = False,
        learning_rate: float = 1e-3,
        pivot: str = "",
        held_out: float = 0.1,
        check_every: int = 50,
        patience: int = 3,
        n_seeds: int = 1,
        seed: int = 0,
        on_collapse: Literal["raise", "warn"] = "raise",
        device: str = "auto",
        callback: Callback | None = None,
    ) -> None:
        self.kind = kind
        self.per_language = per_language
        self.rank = rank
        self.start = start
        self.temperature = temperature
        self.margin = margin
        self.penalty = penalty
        self.steps = steps
        self.batch_size = batch_size
        self.hard_negatives = hard_negatives
        self.own_language_negatives = own_language_negatives
        self.learning_rate = learning_rate
        self.pivot = pivot
        self.held_out = held_out
        self.check_every = check_every
        self.patience = patience
        self.n_seeds = n_seeds
        self.seed = seed
        self.on_collapse = on_collapse
        self.device = device
        self.callback = callback

    def fit(self, parallel: Any, *, validation: Any = None, encoder: str = "") -> "ContrastiveHead":
        """Learn the head.

        Parameters
        ----------
        parallel : ParallelVectors, or what `ParallelVectors.of` takes
            Translations; several domains are better than one large one.
        validation : the same, optional
            Translations to stop by, beside the held-out share; best of another domain.
        encoder : str
            Identity of the encoder that made the vectors, kept in the space.

        Raises
        ------
        MissingExtraError
            If torch is not installed.
        CollapseError
            If the vectors of different sentences become alike, and `on_collapse` is "raise".
        ValueError
            If the translations do not correspond, the pivot is none of their languages, or a parameter is out of range.
        """
        require("torch", extra="torch")
        self._check_parameters()
        parallel = ParallelVectors.of(parallel)
        parallel.check_pivot(self.pivot)
        train, held = parallel.split(self.held_out, self.seed)
        refits = bool(held)
        if validation is not None:
            extra = ParallelVectors.of(validation)
            held = ParallelVectors({**held.domains, **{f"validation: {name}": each for name, each in extra}})
        self.history_: tuple[dict[str, float], ...] = ()
        start = self._start(train)
        trials = []
        for seed in range(self.seed, self.seed + self.n_seeds):
            training = HeadTraining(start, train, self, seed)
            if held:
                trials.append(self._try(training, held, seed))
            else:
                training.run(self.steps)
                trials.append(_Outcome(seed, self.steps, training.maps()))
        if self.kind == "mlp":
            trials = [min(trials, key=lambda each: each.surprisal)]
        self._trials = tuple(trials)
        self.steps_ = tuple(each.step for each in trials)
        if refits:
            return self.refit(parallel, encoder=encoder)
        self.space_ = self._space([each.maps for each in trials], parallel, start.method, encoder)
        return self

    def refit(self, parallel: Any, *, encoder: str = "") -> "ContrastiveHead":
        """Learn again with other translations, such as all there are, for as many steps as `fit` found best."""
        parallel = ParallelVectors.of(parallel)
        start = self._start(parallel)
        heads = []
        for trial in self._trials:
            training = HeadTraining(start, parallel, self, trial.seed)
            training.run(trial.step)
            heads.append(training.maps())
        self.space_ = self._space(heads, parallel, start.method, encoder)
        return self

    def _space(
        self, heads: Sequence[Mapping[str, SpaceMap]], parallel: ParallelVectors, start: str, encoder: str
    ) -> SharedSpace:
        surprisals = [each.surprisal for each in self._trials]
        return SharedSpace(
            {name: HeadTraining.mean([each[name] for each in heads]) for name in heads[0]},
            method="contrastive head",
            encoder=encoder,
            provenance={
                "kind": self.kind,
                "per_language": self.per_language,
                "start": start,
                "steps": list(self.steps_),
                "held_out_surprisal": [round(each, 6) for each in surprisals if np.isfinite(each)],
                "seeds": [each.seed for each in self._trials],
                "sentences": parallel.sizes,
                "pairs": parallel.n_pairs,
            },
        )

    def _start(self, parallel: ParallelVectors) -> SharedSpace:
        start = copy.copy(self.start if self.start is not None else Consensus())
        space: SharedSpace = start.fit(parallel).space_
        for name, each in space.maps.items():
            if each.hidden is not None or each.output_dimension != parallel.dimension:
                raise ValueError(f"a head starts from square matrices, but that of {name!r} in the start is none")
        return space

    def _try(self, training: "HeadTraining", held: ParallelVectors, seed: int) -> "_Outcome":
        """Train with a look at the held-out sentences every now and then; return the best step."""
        best, waited, first = _Outcome(seed, 0, training.maps()), 0, None
        for step in [*range(0, self.steps, self.check_every), self.steps]:
            loss = training.run(step)
            maps = training.maps()
            space = SharedSpace(maps, "trial")
            signs = collapse_signs(_sample(space, held))
            first = signs if first is None else first
            reasons = signs.reasons(first, loss=loss, batch_size=training.n_candidates) if step else ()
            if reasons:
                message = CollapseSigns.message(reasons, step)
                if self.on_collapse == "raise":
                    raise CollapseError(message)
                warnings.warn(f"{message}; the state of step {best.step} is kept", CollapseWarning, stacklevel=3)
                break
            quality = translation_quality(space.transform, held, pivot=self.pivot)
            entry = {
                "seed": float(seed),
                "iteration": float(step),
                "objective": float("nan") if loss is None else loss,
                "surprisal": quality.surprisal,
                "accuracy": quality.accuracy,
            }
            self.history_ += (entry,)
            if self.callback is not None:
                self.callback(entry)
            if quality.surprisal < best.surprisal:
                best, waited = _Outcome(seed, step, maps, quality.surprisal), 0
            elif (waited := waited + 1) >= self.patience:
                break
        return best

    def _check_parameters(self) -> None:
        if self.kind not in get_args(HeadKind):
            raise ValueError(f"kind must be one of {', '.join(get_args(HeadKind))}, but is {self.kind!r}")
        for name in ("temperature", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, but is {getattr(self, name)}")
        for name in ("rank", "steps", "check_every", "patience", "n_seeds"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, but is {getattr(self, name)}")
        for name in ("penalty", "hard_negatives", "margin"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, but is {getattr(self, name)}")
        if self.batch_size < 2:
            raise ValueError(f"batch_size must be at least 2, but is {self.batch_size}: there is no other sentence")
        if not 0 <= self.held_out <= 0.5:
            raise ValueError(f"held_out must lie in [0, 0.5], but is {self.held_out}")
        if self.on_collapse not in ("raise", "warn"):
            raise ValueError(f"on_collapse must be 'raise' or 'warn', but is {self.on_collapse!r}")


@dataclass(frozen=True)
class _Outcome:
    """The best step of one seed, and the maps of that step."""

    seed: int
    step: int
    maps: Mapping[str, SpaceMap]
    surprisal: float = float("inf")


def _sample(space: SharedSpace, held: ParallelVectors) -> Any:
    """Return mapped vectors of different held-out sentences, of one language each domain."""
    parts = []
    for _, languages in held:
        name, rows = next(iter(languages.items()))
        parts.append(space.transform(rows[:300], name))
    return np.concatenate(parts)
