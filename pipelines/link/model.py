"""Which of the candidates a mention means, or none: a probability for each, from features of its nearness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.logit import fit_logit

from .names import NameTable, Nearness, centred_by_script

FEATURES = ("name", "spelling", "exact", "script", "context", "language")
_RIDGE = 0.01
_ROUNDS, _HELD = 200, 10
# fitted by benchmarks.linking_weights, half of the mentions unknown; the context's to namesakes that no benchmark holds
_WEIGHTS = (18.7, 8.5, 3.0, 3.6, 25.0, 0.5)
_BIAS = -8.4
_MOST, _FEWEST = 1000, 50


@dataclass(frozen=True)
class LinkModel:
    r"""A conditional logit with the outside choice "none of them" [1]_.

    With the features :math:`f_c` of candidate c, :math:`z_c = w \cdot f_c + b`:

    .. math:: P(c) = e^{z_c} / (1 + \sum_j e^{z_j}), \qquad P(\text{none}) = 1 / (1 + \sum_j e^{z_j})

    Attributes
    ----------
    weights : tuple of float
        One for each of `FEATURES`.
    bias : float
    unknown : float
        The share of mentions without a candidate that it holds for.

    References
    ----------
    .. [1] McFadden (1974), "Conditional logit analysis of qualitative choice behavior", in Frontiers in Econometrics.
    .. [2] Saerens, Latinne and Decaestecker (2002), "Adjusting the outputs of a classifier to new a priori
       probabilities: a simple procedure", Neural Computation 14. doi:10.1162/089976602753284446
    """

    weights: tuple[float, ...]
    bias: float
    unknown: float = 0.5

    def probability(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probability of each candidate of one mention, (c,), from (c, f)."""
        z = features.astype(np.float64) @ np.array(self.weights) + self.bias
        top = max(0.0, float(z.max(initial=0.0)))
        e = np.exp(z - top)
        found: NDArray[np.float64] = e / (np.exp(-top) + e.sum())
        return found

    def with_unknown(self, share: float) -> LinkModel:
        """Return the model for another share of mentions without a candidate: the odds of each candidate follow it.

        Raises
        ------
        ValueError
            If the share is not between 0 and 1.
        """
        if not 0 < share < 1:
            raise ValueError(f"the share of unknown mentions must be between 0 and 1, but is {share}")
        odds = np.log((1 - share) / share) - np.log((1 - self.unknown) / self.unknown)
        return replace(self, bias=self.bias + float(odds), unknown=share)

    def with_unknown_of(self, groups: Sequence[NDArray[np.floating]]) -> LinkModel:
        """Return the model for the share that fits these mentions best, by expectation maximisation [2]_.

        The share is held towards that of this model as if by ten further mentions, so that one alone tells little. It
        never exceeds it: names of a language that the index does not have are as far from it as unknown ones.

        Parameters
        ----------
        groups : sequence of (c, f) arrays
            The features of the candidates of each mention.

        Examples
        --------
        >>> sure, unsure = np.array([[1.0, 0, 0, 0, 0, 0]]), np.zeros((1, 6))
        >>> model = LinkModel((8.0, 0, 0, 0, 0, 0), -4.0)
        >>> [round(model.with_unknown_of([sure] * n + [unsure] * (100 - n)).unknown, 1) for n in (90, 70, 10)]
        [0.1, 0.3, 0.5]
        """
        if not groups:
            return self
        weights = np.array(self.weights)
        total = np.array([np.exp(np.minimum(each @ weights + self.bias, 50)).sum() for each in groups])
        share = self.unknown
        for _ in range(_ROUNDS):
            ratio = (1 - share) / share * self.unknown / (1 - self.unknown)
            before, share = share, float((1 / (1 + ratio * total)).sum() + _HELD * self.unknown) / (len(total) + _HELD)
            if abs(share - before) < 1e-5:
                break
        return self.with_unknown(min(share, self.unknown))

    def fitted(
        self, groups: Sequence[NDArray[np.floating]], right: Sequence[int | None], *, weight: float = 1.0
    ) -> LinkModel:
        """Return a model fitted to mentions whose right candidates are known, drawn towards this one by a ridge.

        Parameters
        ----------
        groups : sequence of (c, f) arrays
            The features of the candidates of each mention.
        right : sequence of int or None
            The row of the right one; None where there is none among them.
        weight : float
            How strongly the weights are held at those of this model.
        """
        kept = [(group, answer) for group, answer in zip(groups, right, strict=True) if len(group)]
        if not kept:
            return self
        rows = np.concatenate([group for group, _ in kept]).astype(np.float64)
        starts = np.cumsum([0, *(len(group) for group, _ in kept[:-1])])
        chosen = [start + answer for start, (_, answer) in zip(starts, kept, strict=True) if answer is not None]
        scale = np.array([*(rows.std(axis=0) + 1e-3), 1.0])
        # subtle: only the script may weigh against a candidate; likeness never does, whatever a small sample says
        bounds = [*((None, None) if name == "script" else (0.0, None) for name in FEATURES), (None, None)]
        found = fit_logit(
            np.column_stack([rows, np.ones(len(rows))]),
            starts,
            np.isin(np.arange(len(rows)), chosen),
            penalties=2 * _RIDGE * weight * len(kept) ** 0.5 * scale**2,
            prior=np.array([*self.weights, self.bias]),
            outside=True,
            bounds=bounds,
        )
        known = (len(chosen) + 1) / (len(kept) + 2)  # never 0 or 1
        return LinkModel(tuple(found[:-1].tolist()), float(found[-1]), 1 - known)

    def to_json(self) -> dict[str, Any]:
        """Return everything as values of JSON."""
        return {
            "weights": dict(zip(FEATURES, self.weights, strict=True)),
            "bias": self.bias,
            "unknown": self.unknown,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> LinkModel:
        """Return what `to_json` wrote."""
        weights = tuple(float(value["weights"][name]) for name in FEATURES)
        return cls(weights, float(value["bias"]), float(value.get("unknown", 0.5)))


def default_model() -> LinkModel:
    """Return the model for an index that says nothing about itself."""
    return LinkModel(_WEIGHTS, _BIAS)


def feature_rows(near: Nearness, context: NDArray[np.floating] | None = None) -> NDArray[np.float32]:
    """Return the features of candidates, (c, f), in the order of `FEATURES`.

    The cosines of the context are less their mean over the ten nearest candidates; NaN, for an entity without
    description, is the mean.
    """
    around = np.zeros(len(near.owners), np.float32)
    if context is not None and np.isfinite(context).any():
        first = np.argsort(-near.name)[:10]
        known = context[first][np.isfinite(context[first])]
        middle = known.mean() if len(known) else np.nanmean(context)
        around = np.where(np.isfinite(context), context - middle, 0.0).astype(np.float32)
    columns = (near.name, near.spelling, near.exact, near.script, around, near.language)
    return np.column_stack([each.astype(np.float32) for each in columns])


def calibrated(model: LinkModel, table: NameTable, *, seed: int = 0) -> LinkModel:
    """Return the model fitted to the index: names looked up as if their language were not there.

    Once the entity has its names in other languages only, so that it should be found, and once none at all. Where fewer
    than 50 names have a name in another language beside them, the model stays as it is.
    """
    rng = np.random.default_rng(seed)
    own = np.split(np.arange(len(table.owners)), np.searchsorted(table.owners, np.arange(1, table.owners.max() + 1)))
    foreign = {
        row: [int(each) for each in own[owner] if table.languages[each] in ("", table.languages[row])]
        for row, owner in enumerate(table.owners.tolist())
        if table.languages[row]
    }
    several = np.array([row for row, hidden in foreign.items() if len(hidden) < len(own[table.owners[row]])], np.int64)
    if len(several) < _FEWEST:
        return model
    rows = np.sort(rng.permutation(several)[:_MOST])
    names = [table.names[row] for row in rows]
    vectors = centred_by_script(names, table.vectors[rows], np.zeros(table.vectors.shape[1]))
    groups, right = [], []
    for hidden in ([foreign[int(row)] for row in rows], [own[table.owners[row]].tolist() for row in rows]):
        for row, near in zip(rows, table.near(names, vectors, hidden=hidden, prepared=True), strict=True):
            hit = np.flatnonzero(near.owners == table.owners[row])
            groups.append(feature_rows(near))
            right.append(int(hit[0]) if len(hit) else None)
    return model.fitted(groups, right)
