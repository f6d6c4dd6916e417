"""Which of the candidates a mention means, or none: a probability for each, from features of its nearness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.logit import fit_logit

from .names import NameTable, Nearness, centred_by_script

FEATURES = ("name", "spelling", "exact", "script", "context", "language", "letters", "sounds")
#: What tells whether the best candidate is right: itself, and how alike the next ones are.
LEVELS = (
    *(f"{which}{name}" for which in ("", "next ", "apart ") for name in ("name", "spelling", "letters")),
    *FEATURES[2:6],
    "sounds",
)
_OWN = (2, 3, 4, 5, FEATURES.index("sounds"))
_COMPARED = tuple(FEATURES.index(name) for name in LEVELS[:3])
_NEXT = 10
_RIDGE = 0.01
_ROUNDS, _HELD = 200, 10
UNKNOWN = 0.2  # the share of mentions that mean nothing, as long as nothing else is known
_MOST, _FEWEST = 1000, 50
# fitted by benchmarks.linking_weights to names alone; those of exact, context and language are set by hand
_WEIGHTS = (16.4, 10.4, 3.0, 0.0, 25.0, 0.5, 6.9, 3.3)
_LEVELS = (5.8, 4.9, 1.1, -14.1, -6.4, -0.9, 8.7, 0.3, 15.3, 2.0, 1.0, 25.0, 0.0, 1.7)
_BIAS = -2.88
_ALIKE = 1e-5
_SUREST = 12.0  # log-odds: nothing that was learned says more
_NEVER_AGAINST = ("exact", "context", "language")
_FAR = (-0.06, 0.12, 0.42)  # what a table of few entities lacks of next ones


@dataclass(frozen=True)
class LinkModel:
    r"""A conditional logit with the outside choice "none of them" [1]_.

    With the features :math:`f_c` of candidate c, :math:`z_c = w \cdot f_c + b`:

    .. math:: P(c) = e^{z_c} / (1 + \sum_j e^{z_j}), \qquad P(\text{none}) = 1 / (1 + \sum_j e^{z_j})

    With `levels` v it is a nested logit: which candidate is the best is one question, whether that is right another,

    .. math:: P(c) = \sigma(v \cdot g + b) \, e^{w \cdot f_c} / \sum_j e^{w \cdot f_j}

    where g are `LEVELS`: features of the best candidate, the means of the ten next ones, and the squares of what lies
    between. A name in a script that is far from all names, right or wrong, is known by how far it stands out.

    Attributes
    ----------
    weights : tuple of float
        One for each of `FEATURES`.
    bias : float
    unknown : float
        The share of mentions without a candidate that it holds for.
    levels : tuple of float
        One for each of `LEVELS`, or none.

    References
    ----------
    .. [1] McFadden (1974), "Conditional logit analysis of qualitative choice behavior", in Frontiers in Econometrics.
    .. [2] Saerens, Latinne and Decaestecker (2002), "Adjusting the outputs of a classifier to new a priori
       probabilities: a simple procedure", Neural Computation 14. doi:10.1162/089976602753284446
    """

    weights: tuple[float, ...]
    bias: float
    unknown: float = 0.5
    levels: tuple[float, ...] = ()

    def probability(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probability of each candidate of one mention, (c,), from (c, f)."""
        z = self._scores(features)
        top = max(0.0, float(z.max(initial=0.0)))
        e = np.exp(z - top)
        found: NDArray[np.float64] = e / (np.exp(-top) + e.sum())
        return found

    def _scores(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the log-odds of each candidate against none."""
        z: NDArray[np.float64] = _weighed(features, self.weights)
        if features.shape[1] > len(FEATURES):
            z = np.where(features[:, len(FEATURES)] > 0, z, -np.inf)
        if not self.levels or not np.isfinite(z).any():
            return z + self.bias
        before = float(np.log((1 - self.unknown) / self.unknown))
        told = float(_levels(features, z, self.weights) @ np.array(self.levels)) + self.bias - before
        return z - _log_sum(z) + before + float(np.clip(told, -_SUREST, _SUREST))

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
        total = np.array([np.exp(np.minimum(self._scores(each), 50)).sum() for each in groups])
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
        known = (sum(answer is not None for _, answer in kept) + 1) / (len(kept) + 2)  # never 0 or 1
        ridge = 2 * _RIDGE * weight * len(kept) ** 0.5
        if not self.levels:
            *found, bias = self._choosing(kept, ridge, outside=True)
            return LinkModel(tuple(found), bias, 1 - known)
        told = [each for each in kept if each[1] is not None]
        weights = self._choosing(told, ridge, outside=False) if told else self.weights
        rows = np.array([_levels(group, _weighed(group, weights), weights) for group, _ in kept])
        found = fit_logit(
            np.column_stack([rows, np.ones(len(rows))]),
            np.arange(len(rows)),
            np.array([answer is not None for _, answer in kept]),
            penalties=ridge * np.array([*(rows.std(axis=0) + 1e-3), 1.0]) ** 2,
            prior=np.array([*self.levels, self.bias]),
            outside=True,
            bounds=[*((0.0, None) if name in _NEVER_AGAINST else (None, None) for name in LEVELS), (None, None)],
        ).tolist()
        return LinkModel(tuple(weights), found[-1], 1 - known, tuple(found[:-1]))

    def _choosing(
        self, kept: Sequence[tuple[NDArray[np.floating], int | None]], ridge: float, *, outside: bool
    ) -> tuple[float, ...]:
        """Return the weights by which the right candidates are chosen, and with `outside` the bias."""
        rows = np.concatenate([group[:, : len(FEATURES)] for group, _ in kept]).astype(np.float64)
        starts = np.cumsum([0, *(len(group) for group, _ in kept[:-1])])
        chosen = [start + answer for start, (_, answer) in zip(starts, kept, strict=True) if answer is not None]
        weights = [*self.weights, *([0.0] * (rows.shape[1] - len(self.weights)))]
        # subtle: only the script may weigh against a candidate; likeness never does, whatever a small sample says
        bounds: list[Any] = [(None, None) if name == "script" else (0.0, None) for name in FEATURES[: len(weights)]]
        scale = rows.std(axis=0) + 1e-3
        if outside:
            rows = np.column_stack([rows, np.ones(len(rows))])
            weights, bounds, scale = [*weights, self.bias], [*bounds, (None, None)], np.append(scale, 1.0)
        found = fit_logit(
            rows,
            starts,
            np.isin(np.arange(len(rows)), chosen),
            penalties=ridge * scale**2,
            prior=np.array(weights),
            outside=outside,
            bounds=bounds,
        )
        return tuple(found.tolist())

    def to_json(self) -> dict[str, Any]:
        """Return everything as values of JSON."""
        return {
            "weights": dict(zip(FEATURES, self.weights, strict=False)),
            "bias": self.bias,
            "unknown": self.unknown,
            "levels": dict(zip(LEVELS, self.levels, strict=False)),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> LinkModel:
        """Return what `to_json` wrote; of older ones, what they did not know weighs nothing."""
        weights = tuple(float(value["weights"].get(name, 0.0)) for name in FEATURES)
        levels = value.get("levels") or {}
        known = tuple(float(levels.get(name, 0.0)) for name in LEVELS) if levels else ()
        return cls(weights, float(value["bias"]), float(value.get("unknown", 0.5)), known)


def default_model() -> LinkModel:
    """Return the model for an index that says nothing about itself."""
    return LinkModel(_WEIGHTS, _BIAS, UNKNOWN, _LEVELS)


def _log_sum(z: NDArray[np.float64]) -> float:
    """Return log(sum(exp(z))), where one of them is finite; SciPy's takes a millisecond to find out what z is."""
    top = float(z.max())
    return top + float(np.log(np.exp(z - top).sum()))


def _weighed(features: NDArray[np.floating], weights: Sequence[float]) -> NDArray[np.float64]:
    """Return the features times their weights; features beyond these weigh nothing."""
    found: NDArray[np.float64] = features[:, : len(weights)].astype(np.float64) @ np.array(weights)
    return found


def _levels(features: NDArray[np.floating], z: NDArray[np.float64], weights: Sequence[float]) -> NDArray[np.float64]:
    """Return `LEVELS` of one mention: namesakes of the best candidate are no next ones, and few are filled up.

    Next ones may be such as are not allowed, whose z is -inf.
    """
    best, z = int(z.argmax()), _weighed(features, weights)
    compared = features[:, _COMPARED].astype(np.float64)
    others = np.flatnonzero((np.abs(compared - compared[best]) > _ALIKE).any(axis=1))
    others = others[np.argsort(-z[others], kind="stable")[:_NEXT]]
    next_ones = (compared[others].sum(axis=0) + (_NEXT - len(others)) * np.array(_FAR)) / _NEXT
    apart = np.maximum(compared[best] - next_ones, 0.0) ** 2
    return np.concatenate([compared[best], next_ones, apart, features[best, _OWN].astype(np.float64)])


def feature_rows(near: Nearness, context: NDArray[np.floating] | None = None) -> NDArray[np.float32]:
    """Return the features of candidates, (c, f + 1), in the order of `FEATURES`; then whether each is allowed.

    Parameters
    ----------
    near : Nearness
    context : (c,) array, optional
        How much nearer the context is to each description than one that says nothing would be; by default 0.
    """
    around = np.zeros(len(near.owners), np.float32) if context is None else context
    columns = (near.name, near.spelling, near.exact, near.script, around, near.language, near.letters, near.sounds)
    return np.column_stack([each.astype(np.float32) for each in (*columns, near.allowed)])


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
    found = model.fitted(groups, right)
    return found.with_unknown(UNKNOWN)
