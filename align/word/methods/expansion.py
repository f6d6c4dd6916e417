"""Expand a dictionary by what it teaches: fit, find pairs in the whole vocabularies, fit again on both."""

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from interlingua.align.space import SharedSpace, SpaceMap
from interlingua.align.word.induction import induce_dictionary

from . import WordMethod
from .multi_step import MultiStep, Shrinkage
from .procrustes import check_weighted_fit, given_rows, normalized

_LARGEST_WEIGHT = 0.5
_PAIRS_OF_FULL_TRUST = 1000


@dataclass(kw_only=True, eq=False)
class Expansion(WordMethod):
    """Align from a dictionary and from the pairs that the alignment itself finds, given pairs counting more.

    Fit `MultiStep` on the given pairs. Then, `rounds` times: map both whole vocabularies, take the pairs of words that
    are each other's best by CSLS, drop those with a word of a given pair, and fit `MultiStep` on given and found pairs
    together. A given pair weighs 1; the found ones, q of them in rising order of their CSLS score, weigh 2 w i / q for
    i = 1 ... q, so w in the mean. It is self-learning [1]_ with a dictionary that is believed: for some hundreds of
    pairs or more. From fewer, and from none, see `SelfLearning`.

    Parameters
    ----------
    normalize : str or tuple of {"unit", "centre"}
        Steps on both sides, learned on the whole vocabularies (see `Normalization`).
    rounds : int
        Refits; most of the gain comes with the first.
    weight : "auto" or float
        w; "auto" is min(0.5, 1000 / p) for p given pairs: the more are given, the less the found ones count.
    shrinkage, refit_shrinkage : "auto", float or pair of float
        Of `MultiStep` in the first fit, and in the others.
    seed : int
        Of the cross-validation in "auto".

    Attributes
    ----------
    space_ : SharedSpace
        The maps of both languages, after `fit`.
    found_ : (q, 2) array of int64
        The pairs found in the last round.

    References
    ----------
    .. [1] Artetxe, Labaka and Agirre (2018), "A robust self-learning method for fully unsupervised cross-lingual
       mappings of word embeddings", ACL. doi:10.18653/v1/P18-1073

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> french = rng.normal(size=(300, 6)).astype(np.float32)
    >>> english = french @ rng.normal(size=(6, 6)).astype(np.float32)
    >>> pairs = np.stack([np.arange(40), np.arange(40)], axis=1)
    >>> learned = Expansion(normalize="unit").fit(english, french, pairs, names=("en", "fr"))
    >>> bool((learned.found_[:, 0] == learned.found_[:, 1]).mean() > 0.9)
    True
    """

    name: ClassVar[str] = "expansion"

    normalize: str | tuple[Any, ...] = "iterative"
    rounds: int = 2
    weight: float | Literal["auto"] = "auto"
    shrinkage: Shrinkage | Literal["auto"] = "auto"
    refit_shrinkage: Shrinkage = (0.1, 0.3)
    seed: int = 0

    def fit(
        self,
        source: Any,
        target: Any,
        pairs: Any,
        *,
        weights: Any = None,
        names: tuple[str, str] = ("source", "target"),
    ) -> "Expansion":
        """Learn both maps.

        Parameters
        ----------
        source, target : (n, d_source) and (m, d_target) array
            The whole vocabularies, most frequent first.
        pairs : (p, 2) array of int
            Rows that translate each other.
        weights : (p,) array, optional
            Of the given pairs; scaled so that their mean is 1.
        names : tuple of two str
            What the two languages are called in the shared space.

        Raises
        ------
        ValueError
            If a pair points outside the vocabularies, there is none, or a parameter is out of range.
        """
        if self.rounds < 1 or (self.weight != "auto" and not 0 < float(self.weight) < np.inf):
            raise ValueError(
                f"rounds must be at least 1 and weight positive, but are {self.rounds} and {self.weight}; "
                "without a round it is MultiStep"
            )
        words = source, target
        source, target, rows, shares = check_weighted_fit(source, target, pairs, weights, names)
        given = shares * len(rows)
        weight = min(_LARGEST_WEIGHT, _PAIRS_OF_FULL_TRUST / len(rows)) if self.weight == "auto" else float(self.weight)
        steps, (x, y) = normalized(source, target, self.normalize)
        first = MultiStep(normalize="none", shrinkage=self.shrinkage, seed=self.seed)
        space = first.fit(x, y, rows, weights=given, names=names).space_
        refit = MultiStep(normalize="none", shrinkage=self.refit_shrinkage, seed=self.seed)
        self.found_ = rows[:0]
        for _ in range(self.rounds):
            self.found_, order = _find(space, x, y, rows, names)
            if not len(self.found_):
                warnings.warn(
                    "no pair was found beyond the given ones: the result is that of the multi-step pipeline",
                    RuntimeWarning,
                    stacklevel=2,
                )
                break
            together = np.concatenate([given, 2 * weight * (order + 1) / len(order)])
            space = refit.fit(x, y, np.concatenate([rows, self.found_]), weights=together, names=names).space_
        self.space_ = SharedSpace(
            {name: SpaceMap(step, space.maps[name].matrix) for name, step in zip(names, steps, strict=True)},
            method="expansion",
            provenance={"pairs": len(rows), "found_pairs": len(self.found_), "weight": weight},
        )
        self.found_ = given_rows(self.found_, *words)
        return self


def _find(
    space: SharedSpace, x: Any, y: Any, given: NDArray[np.int64], names: tuple[str, str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the mutual pairs without a word of a given one, and the rank of each by its score, from 0."""
    induced = induce_dictionary(space.transform(x, names[0]), space.transform(y, names[1]), direction="mutual")
    new = ~(np.isin(induced.pairs[:, 0], given[:, 0]) | np.isin(induced.pairs[:, 1], given[:, 1]))
    return induced.pairs[new], np.argsort(np.argsort(induced.scores[new], kind="stable"), kind="stable")
