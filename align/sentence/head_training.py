"""The steps that train a projection head, in torch."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import to_numpy, unit_rows
from ..optional import require
from ..shared_space import SharedSpace
from ..space_map import HiddenLayer, SpaceMap
from .hard_negatives import HardNegatives, mean_rows, mine_hard_negatives, same_meaning_limit
from .losses import translation_ranking_loss
from .parallel import ParallelVectors

if TYPE_CHECKING:
    from .contrastive import ContrastiveHead

__all__ = ["HeadTraining"]

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
        device = settings.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
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
        self.n_candidates = 2 * self.batch_size - 1 if settings.own_language_negatives else self.batch_size
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
            own_language=settings.own_language_negatives,
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
