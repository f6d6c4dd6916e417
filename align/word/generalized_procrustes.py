"""Generalised Procrustes: one rotation a language, all learned at once from dictionaries between any of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..normalization import Normalization
from ..shared_space import SharedSpace, SpaceMap
from .joint_rotations import (
    Callback,
    compose_pairs,
    cross_products,
    joint_rotations,
    named_pairs,
    pairs_of_rows,
    vocabularies,
)

__all__ = ["GeneralizedProcrustes"]


class GeneralizedProcrustes:
    """Align many languages at once by one orthogonal map each, from dictionaries between any of them.

    The maps maximise the sum of inner products over all translation pairs (see `joint_rotations`), so that no
    language is the centre. Dimensions may differ; the common space has the largest [1]_.

    Parameters
    ----------
    normalize : str or tuple of {"unit", "centre"}
        Steps on every language before, learned on the whole vocabularies (see `Normalization`).
    compose : bool
        Two languages without a dictionary of their own get the pairs that share a word of a third. Without them,
        what a language has beyond the dimension of its only partner would be turned arbitrarily.
    max_iterations, tolerance
        When to stop, as in `joint_rotations`.

    Attributes
    ----------
    space_ : SharedSpace
        The maps of all languages, after `fit`.
    history_ : tuple of dict
        Iteration and objective, which never falls, as a share of what each dictionary alone could reach.

    References
    ----------
    .. [1] Kementchedjhieva, Ruder, Cotterell and Søgaard (2018), "Generalizing Procrustes analysis for better
       bilingual dictionary induction", CoNLL. doi:10.18653/v1/K18-1021

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(60, 4)).astype(np.float32)
    >>> turned = {name: x @ np.linalg.qr(rng.normal(size=(4, 4)))[0].astype(np.float32) for name in ("en", "fr", "ru")}
    >>> same = np.stack([np.arange(30)] * 2, axis=1)
    >>> space = GeneralizedProcrustes().fit(turned, {("en", "fr"): same, ("fr", "ru"): same}).space_
    >>> bool(np.allclose(space.transform(turned["en"], "en"), space.transform(turned["ru"], "ru"), atol=1e-5))
    True
    """

    def __init__(
        self,
        *,
        normalize: str | tuple[Any, ...] = "unit-centre-unit",
        compose: bool = True,
        max_iterations: int = 200,
        tolerance: float = 1e-7,
    ) -> None:
        self.normalize = normalize
        self.compose = compose
        self.max_iterations = max_iterations
        self.tolerance = tolerance

    def fit(
        self,
        vectors: Mapping[str, Any],
        pairs: Mapping[tuple[str, str], Any] | None = None,
        *,
        rows: Any | None = None,
        callback: Callback | None = None,
    ) -> "GeneralizedProcrustes":
        """Learn all maps.

        Parameters
        ----------
        vectors : mapping of str to (n, d) array
            The whole vocabulary of each language, most frequent first; at least two.
        pairs : mapping of (language, language) to (p, 2) array of int, optional
            Dictionaries. All languages must hang together.
        rows : (q, number of languages) array of int, optional
            N-way dictionary: in each row the words that mean the same, in the order of `vectors`; -1 where a language
            has none. Both may be given.
        callback : callable, optional
            Called with {"iteration", "objective"} after each round.

        Raises
        ------
        ValueError
            If neither is given, a row is out of range, or a language hangs on nothing.
        """
        arrays = vocabularies(vectors)
        counts = {name: len(each) for name, each in arrays.items()}
        given = named_pairs(pairs or {}, counts)
        if rows is not None:
            for key, found in pairs_of_rows(rows, tuple(arrays), counts).items():
                given = named_pairs(given | {key: np.concatenate([given.get(key, found[:0]), found])}, counts)
        if not given:
            raise ValueError("at least one pair is needed, but neither pairs nor rows hold any")
        n_given = sum(map(len, given.values()))
        if self.compose:
            given |= compose_pairs(given, tuple(arrays))
        steps = {name: Normalization.fit(each, self.normalize) for name, each in arrays.items()}
        normal = {name: steps[name].transform(each) for name, each in arrays.items()}
        rotations, self.history_ = joint_rotations(
            cross_products(normal, given),
            {name: each.shape[1] for name, each in arrays.items()},
            max_iterations=self.max_iterations,
            tolerance=self.tolerance,
            callback=callback,
        )
        self.space_ = SharedSpace(
            {name: SpaceMap(steps[name], rotations[name].astype(np.float32)) for name in arrays},
            method="generalized-procrustes",
            provenance={"pairs": n_given, "composed_pairs": sum(map(len, given.values())) - n_given},
        )
        return self
