"""Closed-form maps from translations: towards what the languages of a sentence agree on, and away from the rest."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from interlingua.align.sentence.parallel import ParallelVectors, language_means
from interlingua.align.space import Normalization, SharedSpace, SpaceMap
from interlingua.align.word.methods.procrustes import orthogonal_map

Turn = Literal["none", "rotation", "ridge"]
Matrix = NDArray[np.float64]


@dataclass(kw_only=True, eq=False)
class Consensus:
    """Map each language towards the mean of all translations, then shorten what translations disagree in.

    With x the unit vectors of a language less its mean, and t the mean over the languages of a sentence, brought to
    the mean length of the x:

    1. turn: each language gets the W that brings its x near to t and stays near the identity,

       - ``rotation``: argmax tr(Wᵀ (Xᵀ T + r I)) over orthogonal W, Procrustes with shrinkage;
       - ``ridge``: argmin ||X W - T||² + r ||W - I||², in closed form (XᵀX + r I)⁻¹ (XᵀT + r I);

       r = penalty · tr(XᵀX) / d;
    2. whiten within meanings: S is the covariance of x W around the mean of its sentence's translations, and all
       languages are multiplied by ((1 - s) S / (tr(S) / d) + s I)^-1/2, s the shrinkage. It is the within-class
       covariance normalisation of speaker recognition [1]_ with sentences as classes and languages as channels.

    Nothing is drawn at random and no label of a topic is needed; 400 sentences in a few languages are enough for the
    second step with s = 0.7.

    Parameters
    ----------
    turn : {"ridge", "rotation", "none"}
        The first step.
    penalty : float
        Of the turn.
    shrinkage : float, optional
        s in (0, 1]; None or 1 leaves the second step out.

    Attributes
    ----------
    space_ : SharedSpace
        A mean and one matrix a language, after `fit`.

    References
    ----------
    .. [1] Hatch, Kajarekar and Stolcke (2006), "Within-class covariance normalization for SVM-based speaker
       recognition", Interspeech. doi:10.21437/Interspeech.2006-183

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> meaning = rng.normal(size=(300, 12))
    >>> noisy = {name: meaning + rng.normal(size=meaning.shape) * np.linspace(0, 2, 12) for name in ("eng", "fin")}
    >>> matrix = Consensus(turn="none").fit(noisy).space_.maps["fin"].matrix
    >>> bool(np.linalg.norm(matrix[0]) > np.linalg.norm(matrix[11]))
    True
    """

    turn: Turn = "ridge"
    penalty: float = 1.0
    shrinkage: float | None = 0.7

    def fit(self, parallel: Any, *, encoder: str = "") -> "Consensus":
        """Learn the maps of all languages.

        Parameters
        ----------
        parallel : ParallelVectors, or what `ParallelVectors.of` takes
            Translations.
        encoder : str
            Identity of the encoder that made the vectors, kept in the space.

        Raises
        ------
        ValueError
            If the translations do not correspond, or a parameter is out of range.
        """
        self._check_parameters()
        parallel = ParallelVectors.of(parallel)
        means = language_means(parallel)
        turns = self._turns(parallel, means)
        if self.shrinkage is not None and self.shrinkage < 1:
            whitening = _inverse_root(_within(parallel, means, turns), self.shrinkage)
            turns = {name: each @ whitening for name, each in turns.items()}
        plain = self.turn == "none" and self.shrinkage in (None, 1)
        self.space_ = SharedSpace(
            {
                name: SpaceMap(Normalization.centring(mean), None if plain else turns[name].astype(np.float32))
                for name, mean in means.items()
            },
            method="consensus",
            encoder=encoder,
            provenance={
                "turn": self.turn,
                "penalty": self.penalty,
                "shrinkage": self.shrinkage,
                "sentences": parallel.sizes,
                "pairs": parallel.n_pairs,
            },
        )
        return self

    def _check_parameters(self) -> None:
        if self.turn not in get_args(Turn):
            raise ValueError(f"turn must be one of {', '.join(get_args(Turn))}, but is {self.turn!r}")
        if not self.penalty >= 0:
            raise ValueError(f"penalty must not be negative, but is {self.penalty}")
        if self.shrinkage is not None and not 0 < self.shrinkage <= 1:
            raise ValueError(f"shrinkage must lie in (0, 1], but is {self.shrinkage}")

    def _turns(self, parallel: ParallelVectors, means: dict[str, NDArray[np.float32]]) -> dict[str, Matrix]:
        d = parallel.dimension
        identity = np.eye(d)
        own = {name: np.zeros((d, d)) for name in means}
        cross = {name: np.zeros((d, d)) for name in means}
        if self.turn == "none":
            return dict.fromkeys(means, identity)
        for _, languages in parallel:
            rows = {name: (each - means[name]).astype(np.float64) for name, each in languages.items()}
            target = np.mean(list(rows.values()), axis=0)
            length = np.mean([np.linalg.norm(each, axis=1).mean() for each in rows.values()])
            target *= length / max(float(np.linalg.norm(target, axis=1).mean()), 1e-12)
            for name, each in rows.items():
                own[name] += each.T @ each
                cross[name] += each.T @ target
        turns = {}
        for name in means:
            r = self.penalty * max(float(np.trace(own[name])), 1e-12) / d
            if self.turn == "rotation":
                turns[name] = np.asarray(orthogonal_map(identity, cross[name] + r * identity), np.float64)
            else:
                solved = np.linalg.lstsq(own[name] + r * identity, cross[name] + r * identity, rcond=None)[0]
                turns[name] = np.asarray(solved, np.float64)
        return turns


def _within(parallel: ParallelVectors, means: dict[str, NDArray[np.float32]], turns: dict[str, Matrix]) -> Matrix:
    """Return the covariance of mapped rows around the mean of their translations."""
    d = parallel.dimension
    total, freedom = np.zeros((d, d)), 0
    for _, languages in parallel:
        mapped = np.stack([(each - means[name]) @ turns[name] for name, each in languages.items()])
        rest = (mapped - mapped.mean(axis=0)).reshape(-1, d)
        total += rest.T @ rest
        freedom += (len(languages) - 1) * mapped.shape[1]
    return np.asarray(total / freedom)


def _inverse_root(covariance: Matrix, shrinkage: float) -> Matrix:
    values, basis = np.linalg.eigh(covariance)
    mean = float(values.mean())
    if mean <= 1e-12:  # translations agree in everything: nothing to shorten
        return np.eye(len(values))
    shrunk = (1 - shrinkage) * np.maximum(values, 0) / mean + shrinkage
    return np.asarray((basis / np.sqrt(shrunk)) @ basis.T)
