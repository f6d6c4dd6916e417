"""Contrastive tuning: bring translations nearer to each other than to the rest of the vocabulary."""

import copy
import inspect
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import require, to_numpy, torch_device, unit_rows
from interlingua.align.space import SharedSpace, SpaceMap
from interlingua.align.word.evaluation import lexicon_ranks, reciprocal_ranks

from . import Callback, WordMethod
from .multi_step import MultiStep, rare_words
from .procrustes import check_weighted_fit

_FEWEST_HELD_OUT = 20
_BACKGROUND = 2000


@dataclass(kw_only=True, eq=False)
class Contrastive(WordMethod):
    """Tune the maps of another aligner by a symmetric softmax over candidates, from translation pairs.

    With u_i the unit vector of x_i W_source and v_j that of y_j W_target, w the weights of the pairs of a batch, and
    X, Y the candidates of the step, the loss is [1]_ [2]_

    f = - sum_(i,j) w_ij [ log( e^(u_i·v_j / tau) / sum_(y_k in Y_ij) e^(u_i·v_k / tau) )
    + log( e^(u_i·v_j / tau) / sum_(x_k in X_ij) e^(u_k·v_j / tau) ) ] / sum_(i,j) w_ij

    where Y_ij leaves out of Y the other translations of i that the pairs list, and X_ij those of j: a right answer is
    never pushed away. Candidates are all words of the batch and random others. Both matrices move, without a bias;
    source and target may differ in dimension.

    Part of the source words is held out, every second of the rarest: their translations are ranked after each epoch,
    and the fit is repeated with all pairs and the fewest epochs that come within one standard error of the best (of
    the difference, word by word). These may be 0: then the maps of the start are returned.

    Parameters
    ----------
    start : aligner, optional
        Gives the first maps and the normalisation; by default `MultiStep`. It is copied, not changed, and gets the
        weights where its `fit` takes them.
    temperature : float
        tau.
    epochs : int
        Passes over the pairs, at most.
    batch_size : int
        Pairs in a step.
    negatives : int, optional
        Random words a side and step, beside those of the batch; None for the whole vocabularies.
    learning_rate : float
        Of Adam [3]_, for matrices scaled so that mapped rows have mean length one. It falls to 0 along a half cosine.
    held_out : float
        Share of the source words to stop by, in [0, 0.5]. With 0, or where fewer than 20 words would be held out,
        all `epochs` are done.
    seed : int
        Chooses the words held out, the batches and the negatives.
    device : str
        "auto" for a GPU where there is one.
    callback : callable, optional
        Gets {"iteration", "objective"} after each epoch, with "held_out_mrr" while words are held out; where they
        are, iterations begin again at 1 for the final fit.

    Attributes
    ----------
    space_ : SharedSpace
        The maps of both languages, after `fit`.
    start_ : aligner
        The start, fitted on all pairs.
    n_epochs_ : int
        Epochs of the final fit.
    history_ : tuple of dict
        What the callback got; with words held out, the trial that was stopped by them. Iteration 0 is the start, with
        an objective of nan.

    Notes
    -----
    The schedule ends by itself: a best epoch that is the last is no sign that more would help. Results repeat with
    the seed on one machine; sums in another order make them differ in the last digits elsewhere.

    References
    ----------
    .. [1] Li, Liu, Collier, Korhonen and Vulić (2022), "Improving word translation via two-stage contrastive learning",
       ACL. doi:10.18653/v1/2022.acl-long.299
    .. [2] van den Oord, Li and Vinyals (2018), "Representation learning with contrastive predictive coding".
       arXiv:1807.03748
    .. [3] Kingma and Ba (2015), "Adam: a method for stochastic optimization", ICLR. arXiv:1412.6980

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> french = rng.normal(size=(200, 6)).astype(np.float32)
    >>> english = french @ rng.normal(size=(6, 4)).astype(np.float32)
    >>> pairs = np.stack([np.arange(60), np.arange(60)], axis=1)
    >>> aligner = Contrastive(epochs=2, held_out=0).fit(english, french, pairs, names=("en", "fr"))
    >>> aligner.space_.dimension, aligner.n_epochs_
    (4, 2)
    """

    name: ClassVar[str] = "contrastive"
    library: ClassVar[str | None] = "torch"

    start: Any = None
    temperature: float = 0.1
    epochs: int = 4
    batch_size: int = 512
    negatives: int | None = 4000
    learning_rate: float = 3e-3
    held_out: float = 0.1
    seed: int = 0
    device: str = "auto"
    callback: Callback | None = None

    def fit(
        self,
        source: Any,
        target: Any,
        pairs: Any,
        *,
        weights: Any = None,
        names: tuple[str, str] = ("source", "target"),
    ) -> "Contrastive":
        """Learn both maps.

        Parameters
        ----------
        source : (n, d_source) array
            The whole source vocabulary, most frequent first.
        target : (m, d_target) array
            The whole target vocabulary.
        pairs, names
            As in `MultiStep.fit`.
        weights : (p,) array of float, optional
            How much each pair counts, not negative. Only words with a pair of the largest weight are held out.

        Raises
        ------
        MissingExtraError
            If torch is not installed.
        ValueError
            If a pair points outside the vocabularies, there is none, or a parameter is out of range.
        """
        require("torch", extra="torch")
        source, target, rows, shares = check_weighted_fit(source, target, pairs, weights, names)
        source, target = to_numpy(source), to_numpy(target)
        self._check_parameters()
        rows, shares = rows[shares > 0], shares[shares > 0]
        out = self._held_out(rows, shares)
        self.history_: tuple[dict[str, float], ...] = ()
        start, n_epochs = copy.copy(self.start if self.start is not None else MultiStep()), self.epochs
        if out.any():
            _fit_start(start, source, target, rows[~out], shares[~out], weights is not None, names)
            trial = _Tuning(start.space_, source, target, rows[~out], shares[~out], names, self)
            history, ranks = self._tune(trial, self.epochs, rows[out])
            self.history_, n_epochs = tuple(history), _fewest_epochs(ranks)
            if isinstance(start, MultiStep):
                start.shrinkage = start.shrinkage_
        self.start_ = _fit_start(start, source, target, rows, shares, weights is not None, names)
        final = _Tuning(start.space_, source, target, rows, shares, names, self)
        history, _ = self._tune(final, n_epochs, rows[:0])
        self.history_ = self.history_ or tuple(history)
        self.n_epochs_ = n_epochs
        self.space_ = SharedSpace(
            final.space_maps() if n_epochs else start.space_.maps,
            method="contrastive",
            provenance={"pairs": len(rows), "start": start.space_.method, "epochs": n_epochs, "seed": self.seed},
        )
        return self

    def _check_parameters(self) -> None:
        for name in ("temperature", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, but is {getattr(self, name)}")
        if min(self.epochs, self.batch_size) < 1:
            raise ValueError(f"epochs and batch_size must be at least 1, but are {self.epochs} and {self.batch_size}")
        if self.negatives is not None and self.negatives < 0:
            raise ValueError(f"negatives must not be negative, but is {self.negatives}; None takes all words")
        if not 0 <= self.held_out <= 0.5:
            raise ValueError(f"held_out must lie in [0, 0.5], but is {self.held_out}")

    def _held_out(self, rows: NDArray[np.int64], shares: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which pairs are held out: those of every second of the rarest words."""
        none = np.zeros(len(rows), np.bool_)
        if self.held_out == 0:
            return none
        rng = np.random.default_rng(self.seed)
        words = rng.permutation(rare_words(rows, shares, 2 * self.held_out, fewest=1))
        words = words[: (words.size + 1) // 2]
        return np.isin(rows[:, 0], words) if words.size >= _FEWEST_HELD_OUT else none

    def _tune(
        self, tuning: "_Tuning", n_epochs: int, held: NDArray[np.int64]
    ) -> tuple[list[dict[str, float]], list[NDArray[np.float64]]]:
        """Run the first `n_epochs` of the schedule; return what was noted after each and the ranks, the start first."""
        history: list[dict[str, float]] = []
        ranks: list[NDArray[np.float64]] = []
        for epoch in range(n_epochs + 1):
            objective = tuning.epoch() if epoch else float("nan")
            if not epoch and not len(held):
                continue
            entry = {"iteration": float(epoch), "objective": objective}
            if len(held):
                ranks.append(tuning.reciprocal_ranks(held))
                entry["held_out_mrr"] = float(ranks[-1].mean())
            history.append(entry)
            if self.callback is not None:
                self.callback(dict(entry))
        return history, ranks


def contrastive_loss(
    source_map: Any,
    target_map: Any,
    source: Any,
    target: Any,
    pairs: NDArray[np.int64],
    weights: Any,
    *,
    known: NDArray[np.int64],
    temperature: float = 0.1,
) -> Any:
    """Return the loss of one step, the formula of `Contrastive`.

    Parameters
    ----------
    source_map, target_map : (d_source, k) and (d_target, k) tensor
        W_source and W_target.
    source, target : (n, d_source) and (m, d_target) tensor
        The candidates of the step.
    pairs : (b, 2) array of int
        The batch, as rows of the candidates.
    weights : (b,) tensor
        w.
    known : (g, 2) array of int
        All listed pairs among the candidates, as rows of them: what is masked.
    temperature : float
        tau.

    Returns
    -------
    () tensor
        Lower is better.
    """
    torch = require("torch", extra="torch")
    functional = torch.nn.functional
    device = source_map.device
    u, v = functional.normalize(source @ source_map, dim=1), functional.normalize(target @ target_map, dim=1)
    rows, columns = (torch.as_tensor(pairs[:, side], device=device) for side in (0, 1))
    loss = 0.0
    for side, (queries, candidates, right) in enumerate(((u[rows], v, columns), (v[columns], u, rows))):
        scores = queries @ candidates.T / temperature
        masked = (torch.as_tensor(each, device=device) for each in _other_answers(pairs, known, side))
        # subtle: a finite number, since minus infinity times a zero gradient would be NaN
        scores = scores.index_put(tuple(masked), scores.new_tensor(-1e4))
        loss = loss + functional.cross_entropy(scores, right, reduction="none")
    return (loss * weights).sum() / weights.sum()


def _other_answers(
    pairs: NDArray[np.int64], known: NDArray[np.int64], side: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (query number, candidate) of each known answer of a query that is not the pair's own."""
    known = known[np.argsort(known[:, side], kind="stable")]
    low = np.searchsorted(known[:, side], pairs[:, side], "left")
    counts = np.searchsorted(known[:, side], pairs[:, side], "right") - low
    query = np.repeat(np.arange(len(pairs)), counts)
    answer = known[np.repeat(low - np.cumsum(counts) + counts, counts) + np.arange(counts.sum()), 1 - side]
    other = answer != pairs[query, 1 - side]
    return query[other], answer[other]


def _fewest_epochs(ranks: list[NDArray[np.float64]]) -> int:
    """Return the first epoch whose reciprocal ranks are within one standard error of the best."""
    best = max(ranks, key=lambda each: float(each.mean()))
    return [(best - each).mean() <= (best - each).std() / np.sqrt(best.size) for each in ranks].index(True)


def _fit_start(
    start: Any,
    source: NDArray[np.float32],
    target: NDArray[np.float32],
    rows: NDArray[np.int64],
    shares: NDArray[np.float64],
    weighted: bool,
    names: tuple[str, str],
) -> Any:
    weighted = weighted and "weights" in inspect.signature(start.fit).parameters
    return start.fit(source, target, rows, names=names, **({"weights": shares} if weighted else {}))


class _Tuning:
    """Both vocabularies and maps on the device, with the optimiser."""

    def __init__(
        self,
        space: SharedSpace,
        source: NDArray[np.float32],
        target: NDArray[np.float32],
        rows: NDArray[np.int64],
        shares: NDArray[np.float64],
        names: tuple[str, str],
        settings: Contrastive,
    ) -> None:
        torch = self.torch = require("torch", extra="torch")
        self.settings, self.rows, self.names = settings, rows, names
        device = torch_device(settings.device)
        self.steps = tuple(space.maps[name].normalization for name in names)
        self.vectors, self.maps = [], []
        for name, step, each in zip(names, self.steps, (source, target), strict=True):
            matrix = space.maps[name].matrix
            vectors = step.transform(each)
            matrix = np.eye(vectors.shape[1], dtype=np.float32) if matrix is None else matrix
            # subtle: Adam's steps have the size of the learning rate, whatever the gradient, so the scale is fixed
            length = float(np.linalg.norm(vectors @ matrix, axis=1).mean()) or 1.0
            self.vectors.append(torch.as_tensor(vectors, device=device))
            self.maps.append(torch.tensor(matrix / length, device=device, requires_grad=True))
        self.weights = torch.as_tensor((shares / shares.mean()).astype(np.float32), device=device)
        self.optimizer = torch.optim.Adam(self.maps, lr=settings.learning_rate)
        self.rng = np.random.default_rng(settings.seed)
        batches = -(-len(rows) // settings.batch_size)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, settings.epochs * batches)

    def epoch(self) -> float:
        """Take one step for each batch; return the mean loss."""
        order, size = self.rng.permutation(len(self.rows)), self.settings.batch_size
        total = 0.0
        for first in range(0, order.size, size):
            batch = order[first : first + size]
            words = [self._candidates(side, self.rows[batch, side]) for side in (0, 1)]
            place = [np.full(len(each), -1) for each in self.vectors]
            for side in (0, 1):
                place[side][words[side]] = np.arange(words[side].size)
            known = np.stack([place[side][self.rows[:, side]] for side in (0, 1)], axis=1)
            chosen = (self.torch.as_tensor(each, device=self.weights.device) for each in words)
            source, target = (vectors[rows] for vectors, rows in zip(self.vectors, chosen, strict=True))
            loss = contrastive_loss(
                self.maps[0],
                self.maps[1],
                source,
                target,
                known[batch],
                self.weights[self.torch.as_tensor(batch, device=self.weights.device)],
                known=known[(known >= 0).all(axis=1)],
                temperature=self.settings.temperature,
            )
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
            total += float(loss.detach()) * batch.size / order.size
        return total

    def reciprocal_ranks(self, held: NDArray[np.int64]) -> NDArray[np.float64]:
        """Rank the translations of held-out words among the whole target vocabulary, by CSLS; 0 beyond the tenth."""
        words, query_of = np.unique(held[:, 0], return_inverse=True)
        others = np.random.default_rng(0).permutation(len(self.vectors[0]))[:_BACKGROUND]
        background = np.concatenate([words, np.setdiff1d(others, words)])
        with self.torch.no_grad():
            x, y = (
                unit_rows(to_numpy(rows @ matrix))
                for rows, matrix in zip((self.vectors[0][background], self.vectors[1]), self.maps, strict=True)
            )
        ranks = lexicon_ranks(x, y, {query: held[query_of == query, 1] for query in range(words.size)})
        return reciprocal_ranks(ranks)

    def space_maps(self) -> dict[str, SpaceMap]:
        """Return the maps as they are now."""
        return {
            name: SpaceMap(step, np.array(to_numpy(matrix), np.float32))
            for name, step, matrix in zip(self.names, self.steps, self.maps, strict=True)
        }

    def _candidates(self, side: int, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """All words of the batch and random others."""
        n, negatives = len(self.vectors[side]), self.settings.negatives
        if negatives is None or negatives >= n:
            return np.arange(n)
        return np.union1d(rows, self.rng.choice(n, negatives, replace=False))
