"""Unsupervised map by adversarial training: mapped source words that a discriminator takes for target words."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import require, to_numpy, torch_device, unit_rows
from interlingua.align.space import SharedSpace, SpaceMap
from interlingua.align.word.induction import induce_dictionary, mean_csls_cosine
from interlingua.align.word.starts import principal_directions

from . import Callback, WordMethod
from .procrustes import check_vocabularies, normalized, orthogonal_map

_LOWEST_RATE = 1e-6


@dataclass(kw_only=True, eq=False)
class Adversarial(WordMethod):
    """Align two spaces without pairs, by a game between a map and a discriminator [1]_.

    The discriminator learns to tell mapped source words x W from target words y; the map learns to deceive it, and is
    drawn to the rotations after each step by W <- (1 + b) W - b W Wᵀ W. After each epoch the map is judged by
    `mean_csls_cosine`, the best is kept; its learning rate falls, and falls by half when the criterion got worse the
    second time and later. Then `refinements` rounds of Procrustes on the pairs found by CSLS.

    The game often ends in a wrong map: run several seeds and compare (see `race`).

    Parameters
    ----------
    normalize : str or tuple of {"unit", "centre"}
        Steps on both sides, learned on the whole vocabularies.
    vocabulary : int
        Most frequent words of each side that batches are drawn from.
    epochs, steps : int
        Epochs, and map steps of each.
    discriminator_steps : int
        Discriminator steps before each map step.
    batch_size, hidden, dropout, smoothing : int, int, float, float
        Words of each side in a batch, width of the two hidden layers, dropout of the discriminator's input, label
        smoothing.
    learning_rate, rate_decay, orthogonalization : float
        Of both players (plain gradient descent), factor of the map's rate each epoch, b.
    refinements, refinement_vocabulary : int
        Rounds after the game, and most frequent words of each side whose pairs count there.
    criterion_vocabulary : int
        See `mean_csls_cosine`.
    seed : int
        Draws batches and the discriminator's weights.
    device : str
        "auto" for a GPU where there is one.
    callback : callable, optional
        Gets {"iteration", "objective", "discriminator_loss", "refined"} after each epoch and each refinement.

    Attributes
    ----------
    space_ : SharedSpace
        The maps, after `fit`.
    criterion_ : float
        `mean_csls_cosine` of the map kept.
    history_ : tuple of dict
        What the callback got.

    Notes
    -----
    Where the dimensions differ, the larger space is first projected on as many of its leading directions as the
    smaller has, since the map is square and its orthogonalisation too: the common space has the smaller dimension.

    References
    ----------
    .. [1] Conneau, Lample, Ranzato, Denoyer and Jégou (2018), "Word translation without parallel data", ICLR.
       arXiv:1710.04087
    """

    name: ClassVar[str] = "adversarial"
    needs_pairs: ClassVar[bool] = False
    library: ClassVar[str | None] = "torch"

    normalize: str | tuple[Any, ...] = "unit-centre-unit"
    vocabulary: int = 75_000
    epochs: int = 5
    steps: int = 31_250
    discriminator_steps: int = 5
    batch_size: int = 32
    hidden: int = 2048
    dropout: float = 0.1
    smoothing: float = 0.1
    learning_rate: float = 0.1
    rate_decay: float = 0.98
    orthogonalization: float = 0.001
    refinements: int = 5
    refinement_vocabulary: int = 15_000
    criterion_vocabulary: int = 10_000
    seed: int = 0
    device: str = "auto"
    callback: Callback | None = None

    def fit(self, source: Any, target: Any, *, names: tuple[str, str] = ("source", "target")) -> "Adversarial":
        """Learn the maps from (n, d_source) and (m, d_target) arrays, most frequent words first.

        Raises
        ------
        MissingExtraError
            If torch is not installed.
        ValueError
            If a parameter is out of range.
        """
        source, target = check_vocabularies(source, target, names)
        self._check_parameters()
        steps, rows = normalized(to_numpy(source), to_numpy(target), self.normalize)
        smaller = min(each.shape[1] for each in rows)
        bases = [None if each.shape[1] == smaller else principal_directions(each, smaller) for each in rows]
        x, y = (each if basis is None else unit_rows(each @ basis) for each, basis in zip(rows, bases, strict=True))
        self.history_: tuple[dict[str, float], ...] = ()
        matrix, best = self._refine(x, y, *self._play(x, y))
        self.criterion_ = best
        self.space_ = SharedSpace(
            {
                names[0]: SpaceMap(steps[0], matrix if bases[0] is None else bases[0] @ matrix),
                names[1]: SpaceMap(steps[1], bases[1]),
            },
            method="adversarial",
            provenance={"criterion": best, "seed": self.seed},
        )
        return self

    def _play(self, x: NDArray[np.float32], y: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
        """Return the map with the best criterion over the epochs, and that criterion."""
        torch = require("torch", extra="torch")
        device = torch_device(self.device)
        # subtle: layers draw their weights from torch's global generator, which is put back afterwards
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            game = _Game(torch, x[: self.vocabulary], y[: self.vocabulary], self, device)
            best, kept = -np.inf, game.matrix()
            rate, worse_before = self.learning_rate, False
            for _ in range(self.epochs):
                loss = 0.0
                for _ in range(self.steps):
                    for _ in range(self.discriminator_steps):
                        loss += game.discriminator_step() / (self.steps * self.discriminator_steps)
                    game.map_step(rate)
                matrix = game.matrix()
                if not np.isfinite(matrix).all():
                    raise ValueError(
                        "adversarial training diverged: the map is not finite; lower learning_rate "
                        f"({self.learning_rate}) or raise orthogonalization ({self.orthogonalization})"
                    )
                value = self._criterion(x, y, matrix)
                self._record(value, loss, refined=0.0)
                rate = max(_LOWEST_RATE, rate * self.rate_decay)
                if value < best:
                    rate, worse_before = (rate / 2 if worse_before else rate), True
                else:
                    best, kept = value, matrix
                if rate < _LOWEST_RATE:
                    break
        return kept, float(best)

    def _refine(
        self, x: NDArray[np.float32], y: NDArray[np.float32], matrix: NDArray[np.float32], best: float
    ) -> tuple[NDArray[np.float32], float]:
        """Return the best of the map and its refinements by Procrustes on the pairs found with CSLS."""
        kept = matrix
        for _ in range(self.refinements):
            found = induce_dictionary(unit_rows(x @ matrix), y, direction="forward").pairs
            found = found[(found < self.refinement_vocabulary).all(axis=1)]
            matrix = orthogonal_map(x[found[:, 0]], y[found[:, 1]])
            value = self._criterion(x, y, matrix)
            self._record(value, 0.0, refined=1.0)
            if value > best:
                best, kept = value, matrix
        return kept, best

    def _criterion(self, x: NDArray[np.float32], y: NDArray[np.float32], matrix: NDArray[np.float32]) -> float:
        return mean_csls_cosine(unit_rows(x @ matrix), y, vocabulary=self.criterion_vocabulary)

    def _record(self, objective: float, loss: float, *, refined: float) -> None:
        event = {
            "iteration": float(len(self.history_)),
            "objective": objective,
            "discriminator_loss": loss,
            "refined": refined,
        }
        self.history_ = (*self.history_, event)
        if self.callback is not None:
            self.callback(event)

    def _check_parameters(self) -> None:
        for name in ("epochs", "steps", "batch_size", "hidden", "vocabulary"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, but is {getattr(self, name)}")
        if not 0 <= self.smoothing < 0.5 or not 0 <= self.dropout < 1:
            raise ValueError(
                f"smoothing must be in [0, 0.5) and dropout in [0, 1), but are {self.smoothing} and {self.dropout}"
            )


class _Game:
    """The two players and their steps."""

    def __init__(
        self, torch: Any, x: NDArray[np.float32], y: NDArray[np.float32], settings: Adversarial, device: str
    ) -> None:
        nn = torch.nn
        self.torch, self.settings, self.device = torch, settings, device
        self.x, self.y = (torch.as_tensor(np.ascontiguousarray(each), device=device) for each in (x, y))
        d, hidden = x.shape[1], settings.hidden
        self.discriminator = nn.Sequential(
            nn.Dropout(settings.dropout),
            *(nn.Linear(d, hidden), nn.LeakyReLU(0.2)),
            *(nn.Linear(hidden, hidden), nn.LeakyReLU(0.2)),
            nn.Linear(hidden, 1),
        ).to(device)
        self.map = torch.eye(d, device=device, requires_grad=True)
        self.optimizer = torch.optim.SGD(self.discriminator.parameters(), lr=settings.learning_rate)
        half = torch.ones(settings.batch_size, device=device)
        smoothing = settings.smoothing
        # what the discriminator should say: 1 - s for mapped source words, s for target words
        self.labels = torch.cat([half * (1 - smoothing), half * smoothing])

    def discriminator_step(self) -> float:
        """Learn to tell the sides apart; return the loss."""
        self.discriminator.train()
        with self.torch.no_grad():
            batch = self._batch()
        loss = self._loss(batch, self.labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())

    def map_step(self, rate: float) -> None:
        """Learn to deceive the discriminator, then come nearer to a rotation."""
        self.discriminator.eval()
        loss = self._loss(self._batch(), 1 - self.labels)
        (gradient,) = self.torch.autograd.grad(loss, self.map)
        with self.torch.no_grad():
            self.map -= rate * gradient
            self.map.copy_(orthogonalize(self.map, self.settings.orthogonalization))

    def matrix(self) -> NDArray[np.float32]:
        """Return a copy of the map."""
        return np.array(to_numpy(self.map), np.float32)

    def _batch(self) -> Any:
        size = self.settings.batch_size
        rows = [self.torch.randint(len(side), (size,)).to(self.device) for side in (self.x, self.y)]
        return self.torch.cat([self.x[rows[0]] @ self.map, self.y[rows[1]]])

    def _loss(self, batch: Any, labels: Any) -> Any:
        scores = self.discriminator(batch).squeeze(1)
        return self.torch.nn.functional.binary_cross_entropy_with_logits(scores, labels)


def orthogonalize(matrix: Any, strength: float) -> Any:
    """Return (1 + b) W - b W Wᵀ W: a step towards the nearest rotation, b the strength.

    Singular values s go to (1 + b) s - b s^3, whose fixed point is 1; it draws near while s < sqrt(1 + 2 / b).

    Examples
    --------
    >>> float(orthogonalize(np.array([[0.9]]), 0.5)[0, 0])
    0.9855
    """
    return (1 + strength) * matrix - strength * (matrix @ matrix.T @ matrix)
