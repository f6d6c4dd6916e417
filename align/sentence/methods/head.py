"""A projection head on a frozen encoder, learned by contrast: translations together, other sentences apart.

And how to tell when training has made all sentences alike: the loss may still look well, retrieval is lost.
"""

import copy
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import as_matrix, require, to_numpy, torch_device, unit_rows
from interlingua.align.sentence.losses import translation_ranking_loss
from interlingua.align.sentence.mining import HardNegatives, mean_rows, mine_hard_negatives, same_meaning_limit
from interlingua.align.sentence.parallel import ParallelVectors, translation_quality
from interlingua.align.space import HiddenLayer, SharedSpace, SpaceMap

from .consensus import Consensus

_HIGHEST_COSINE = 0.9
_SMALLEST_SHARE_OF_RANK = 0.1
_LOSS_OF_CHANCE = 0.98
_WAY_OUT = "lower the learning rate, raise the penalty, or give larger batches and other pairs"


class CollapseError(RuntimeError):
    """The vectors of different sentences have become alike."""


class CollapseWarning(UserWarning):
    """The vectors of different sentences have become alike, and training was stopped before."""


@dataclass(frozen=True)
class CollapseSigns:
    """What a collapse shows in.

    Attributes
    ----------
    mean_cosine : float
        Of two different sentences: 1 when all are one point.
    effective_rank : float
        exp(entropy of the normalised squared singular values) of the unit rows [1]_: from 1, all on one line, to d.

    References
    ----------
    .. [1] Roy and Vetterli (2007), "The effective rank: a measure of effective dimensionality", EUSIPCO.
    """

    mean_cosine: float
    effective_rank: float

    def reasons(
        self, start: "CollapseSigns", *, loss: float | None = None, batch_size: int | None = None
    ) -> tuple[str, ...]:
        """Return why this is a collapse, seen from the state before training; nothing if it is none.

        Parameters
        ----------
        start : CollapseSigns
            Before training.
        loss : float, optional
            The contrastive loss without its margin.
        batch_size : int, optional
            Candidates that it was computed over: log n is the loss of a guess.
        """
        found = []
        if self.mean_cosine > max(_HIGHEST_COSINE, start.mean_cosine + (1 - start.mean_cosine) / 2):
            found.append(f"different sentences have a mean cosine of {self.mean_cosine:.2f}")
        if self.effective_rank < _SMALLEST_SHARE_OF_RANK * start.effective_rank:
            found.append(f"the effective rank fell from {start.effective_rank:.1f} to {self.effective_rank:.1f}")
        if loss is not None and not math.isfinite(loss):
            found.append(f"the loss is {loss}")
        elif loss is not None and batch_size and batch_size > 1 and loss > _LOSS_OF_CHANCE * math.log(batch_size):
            found.append(f"the loss is {loss:.2f}, that of a guess among {batch_size}")
        return tuple(found)

    @staticmethod
    def message(reasons: tuple[str, ...], step: int) -> str:
        """Return what to tell the user: where, why and the way out."""
        return f"training collapsed by step {step}: {'; '.join(reasons)}; {_WAY_OUT}"


def collapse_signs(vectors: Any) -> CollapseSigns:
    """Measure the signs on vectors of different sentences.

    Parameters
    ----------
    vectors : (n, d) array
        Two rows or more.

    Examples
    --------
    >>> collapse_signs(np.eye(4, dtype=np.float32))
    CollapseSigns(mean_cosine=0.0, effective_rank=4.0)
    >>> signs = collapse_signs(np.ones((4, 4), dtype=np.float32))
    >>> round(signs.mean_cosine, 6), round(signs.effective_rank, 6)
    (1.0, 1.0)
    """
    rows = np.asarray(unit_rows(to_numpy(as_matrix(vectors, "vectors"))), np.float64)
    n = len(rows)
    if n < 2:
        raise ValueError(f"signs of a collapse need the vectors of two sentences or more, but there are {n}")
    mean_cosine = (float((rows.sum(axis=0) ** 2).sum()) - n) / (n * (n - 1))
    spectrum = np.maximum(np.linalg.eigvalsh(rows.T @ rows if rows.shape[1] <= n else rows @ rows.T), 0)
    shares = spectrum[spectrum > 0] / spectrum.sum()
    return CollapseSigns(round(mean_cosine, 12), float(round(np.exp(-(shares * np.log(shares)).sum()), 9)))


#: More languages than this say little more about which sentences mean the same.
_MEANING_LANGUAGES = 6


class HeadTraining:
    """One run: the parameters, the optimiser and the batches.

    Parameters
    ----------
    start : SharedSpace
        Maps that normalise and multiply by a square matrix.
    parallel : ParallelVectors
        Translations to learn from.
    settings : ContrastiveHead
        Its parameters.
    seed : int
        For the first values and the batches.
    """

    def __init__(self, start: SharedSpace, parallel: ParallelVectors, settings: "ContrastiveHead", seed: int) -> None:
        self.torch: Any = require("torch", extra="torch")
        torch, self.settings, self.start = self.torch, settings, start
        device = torch_device(settings.device)
        self.rng = np.random.default_rng(seed)
        generator = torch.Generator().manual_seed(seed)
        self.rows = {
            domain: {
                name: torch.as_tensor(_started(start.maps[name], rows), device=device)
                for name, rows in languages.items()
            }
            for domain, languages in parallel
        }
        self.sizes = parallel.sizes
        self.batch_size = min(settings.batch_size, max(self.sizes.values()))
        self.n_candidates = 2 * self.batch_size - 1 if settings.same_language_negatives else self.batch_size
        self.meanings = {domain: _meanings(languages) for domain, languages in self.rows.items()}
        k = settings.hard_negatives
        self.negatives: dict[str, HardNegatives] = {
            domain: mine_hard_negatives(each, k)
            if k
            else HardNegatives(np.empty((self.sizes[domain], 0), np.int64), same_meaning_limit(each))
            for domain, each in self.meanings.items()
        }
        self.places = {name: row if settings.per_language else 0 for row, name in enumerate(start.languages)}
        heads, d, r = max(self.places.values()) + 1, parallel.dimension, settings.rank

        def parameter(*shape: int, spread: float = 0.0) -> Any:
            values = spread * torch.randn(shape, generator=generator)
            return values.to(device).requires_grad_()

        linear = settings.kind != "low-rank"
        self.square: Any = parameter(heads, d, d) if linear else None
        self.inner: Any = None if settings.kind == "linear" else parameter(heads, d, r, spread=d**-0.5)
        self.outer: Any = None if settings.kind == "linear" else parameter(heads, r, d)
        self.bias: Any = parameter(heads, r) if settings.kind == "mlp" else None
        learned = [each for each in (self.square, self.inner, self.outer, self.bias) if each is not None]
        self.optimizer = torch.optim.Adam(learned, lr=settings.learning_rate)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, settings.steps)
        weights = np.sqrt([self.sizes[domain] * (len(each) - 1) for domain, each in self.rows.items()])
        self.shares = weights / weights.sum()
        self.step = 0

    def run(self, step: int) -> float | None:
        """Train up to a step; return the mean loss since the last call, without the margin and the penalty."""
        losses = []
        while self.step < step:
            losses.append(self._advance())
            self.step += 1
        return float(np.mean(losses)) if losses else None

    def maps(self) -> dict[str, SpaceMap]:
        """Return the maps as they are now."""
        found = {}
        for name, place in self.places.items():
            first = self.start.maps[name]
            matrix = np.eye(first.input_dimension) if first.matrix is None else first.matrix.astype(np.float64)
            hidden = None
            if self.bias is not None:
                inner, bias, outer = (to_numpy(each[place]) for each in (self.inner, self.bias, self.outer))
                hidden = HiddenLayer((matrix @ inner).astype(np.float32), bias.copy(), outer.copy())
            matrix = matrix + matrix @ to_numpy(self._change(place)).astype(np.float64)
            found[name] = SpaceMap(first.normalization, matrix.astype(np.float32), hidden)
        return found

    @staticmethod
    def mean(maps: Sequence[SpaceMap]) -> SpaceMap:
        """Return the map with the mean of the matrices; one map as it is."""
        if len(maps) == 1:
            return maps[0]
        matrices = [each.matrix for each in maps if each.matrix is not None]
        mean = np.asarray(np.mean(matrices, axis=0, dtype=np.float64), np.float32)
        return SpaceMap(maps[0].normalization, mean)

    def _advance(self) -> float:
        torch, settings = self.torch, self.settings
        domain = list(self.rows)[self.rng.choice(len(self.shares), p=self.shares)]
        names = list(self.rows[domain])
        one, other = self._two(names)
        ids = self._batch(domain)
        meanings = torch.as_tensor(mean_rows(self.meanings[domain][:, ids]), device=self.rows[domain][one].device)
        ignore = meanings @ meanings.T >= self.negatives[domain].limit
        chosen = torch.as_tensor(ids, device=meanings.device)
        source, target = (self._mapped(self.rows[domain][name][chosen], self.places[name]) for name in (one, other))
        loss_of = partial(
            translation_ranking_loss,
            temperature=settings.temperature,
            ignore=ignore,
            same_language_negatives=settings.same_language_negatives,
        )
        loss = loss_of(source, target, margin=settings.margin)
        penalty = sum((self._norm(place) for place in {self.places[one], self.places[other]}), torch.zeros(()))
        self.optimizer.zero_grad()
        (loss + settings.penalty * penalty.to(loss.device)).backward()
        self.optimizer.step()
        self.schedule.step()
        if settings.margin == 0:
            return float(loss.detach())
        with torch.no_grad():
            return float(loss_of(source, target))

    def _two(self, names: list[str]) -> tuple[str, str]:
        pivot = self.settings.pivot
        if pivot in names and self.rng.random() < 0.5:
            others = [name for name in names if name != pivot]
            return others[self.rng.integers(len(others))], pivot
        one, other = self.rng.choice(len(names), 2, replace=False)
        return names[one], names[other]

    def _batch(self, domain: str) -> NDArray[np.int64]:
        """Return sentences at random, or sentences and their neighbours."""
        size, k = self.sizes[domain], self.settings.hard_negatives
        wanted = min(self.batch_size, size)
        if k == 0 or wanted == size:
            return self.rng.choice(size, wanted, replace=False)
        anchors = self.rng.choice(size, max(1, wanted // (1 + k)), replace=False)
        near = self.negatives[domain].ids[anchors].ravel()
        chosen = np.union1d(anchors, near[near >= 0])
        missing = wanted - len(chosen)
        if missing > 0:
            chosen = np.union1d(chosen, self.rng.choice(size, missing, replace=False))
        return chosen

    def _mapped(self, rows: Any, place: int) -> Any:
        """Apply the head to rows z W, and bring them to unit length."""
        mapped = rows + rows @ self._change(place)
        if self.bias is not None:
            mapped = mapped + self.torch.relu(rows @ self.inner[place] + self.bias[place]) @ self.outer[place]
        return self.torch.nn.functional.normalize(mapped, dim=1)

    def _change(self, place: int) -> Any:
        if self.square is not None:
            return self.square[place]
        return self.inner[place] @ self.outer[place]

    def _norm(self, place: int) -> Any:
        total = self._change(place).square().sum()
        return total if self.bias is None else total + self.outer[place].square().sum()


def _started(start: SpaceMap, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return z W at its length after the normalisation: the head sees short vectors as short."""
    z = start.normalization.transform(rows)
    return np.asarray(z if start.matrix is None else z @ start.matrix, np.float32)


def _meanings(languages: Mapping[str, Any]) -> NDArray[np.float32]:
    chosen = list(languages.values())[:_MEANING_LANGUAGES]
    return np.stack([unit_rows(to_numpy(each)) for each in chosen]).astype(np.float32)


HeadKind = Literal["linear", "low-rank", "mlp"]
Callback = Callable[[Mapping[str, float]], None]


@dataclass(kw_only=True, eq=False)
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
    same_language_negatives : bool
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

    kind: HeadKind = "linear"
    per_language: bool = False
    rank: int = 64
    start: Any = None
    temperature: float = 0.05
    margin: float = 0.0
    penalty: float = 1e-3
    steps: int = 300
    batch_size: int = 512
    hard_negatives: int = 0
    same_language_negatives: bool = False
    learning_rate: float = 1e-3
    pivot: str = ""
    held_out: float = 0.1
    check_every: int = 50
    patience: int = 3
    n_seeds: int = 1
    seed: int = 0
    on_collapse: Literal["raise", "warn"] = "raise"
    device: str = "auto"
    callback: Callback | None = None

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
        held = held.with_validation(validation)
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
