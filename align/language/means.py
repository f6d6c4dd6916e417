"""Take out of sentence vectors what tells the language, by the mean and the spread of each language.

Without any pair, and with the language of each vector known; `subspace` has the methods that need no label at query
time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import unit_matrix
from interlingua.align.space import ANY_LANGUAGE, Normalization, SharedSpace, SpaceError, SpaceMap

from .removal import LanguageRemoval, Shrinkage, ledoit_wolf, unit_languages

_SMALLEST = 1e-12
_FLOOR = 1e-6


@dataclass(kw_only=True, eq=False)
class Centring(LanguageRemoval):
    """Subtract from each language its own mean: x -> unit(unit(x) - m_language).

    A multilingual encoder puts the sentences of one language near each other whatever they say. The difference of
    the language means carries most of it. After centring, all languages share the mean zero, and no linear
    classifier that looks at means can tell them apart [1]_. No pair and no parallel text is needed, but texts of
    comparable content: the mean of recipes and the mean of statutes differ in more than language.

    Parameters
    ----------
    minimum : int
        Fewest vectors of a language that a mean is taken of.
    shrinkage : float or "auto"
        From 0 to 1: how far each mean is drawn to the mean of all means, against the chance in a few vectors. "auto"
        draws each as far as its own sampling error asks (Notes).

    Attributes
    ----------
    space_ : SharedSpace
        One map a language, after `fit`.
    shrinkage_ : dict of str to float
        The shrinkage of each language.

    Notes
    -----
    Means of the very texts that are searched make a *transductive* system; means of other texts an *inductive*
    one. Say which, when you report a figure.

    With "auto" the share is that of the positive-part James-Stein estimator, min(1, (tr S_l / n_l) / ||m_l - m||²),
    where S_l is the covariance of the n_l unit vectors of the language. It is near 0 for a hundred sentences of another
    script, and matters for languages with a handful.

    References
    ----------
    .. [1] Belrose et al. (2023), "LEACE: Perfect linear concept erasure in closed form", NeurIPS.
       arXiv:2306.03819
    .. [2] Libovický, Rosa and Fraser (2020), "On the language neutrality of pre-trained multilingual
       representations", Findings of EMNLP. doi:10.18653/v1/2020.findings-emnlp.150

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> meaning = rng.normal(size=(40, 8)).astype(np.float32)
    >>> finnish, english = meaning + 3 * np.eye(8, dtype=np.float32)[0], meaning
    >>> space = Centring().fit({"fin": finnish, "eng": english}).space_
    >>> means = [space.transform(x, name).mean(axis=0) for name, x in [("fin", finnish), ("eng", english)]]
    >>> bool(np.linalg.norm(means[0] - means[1]) < 0.1)
    True
    """

    name: ClassVar[str] = "centring"

    shrinkage: Shrinkage = 0.0

    def _learn(self, matrices: Mapping[str, Any]) -> tuple[dict[str, SpaceMap], dict[str, Any]]:
        self.shrinkage_ = dict.fromkeys(matrices, 0.0)
        if self.shrinkage == 0:
            return {name: SpaceMap(Normalization.fit(each, "unit-centre")) for name, each in matrices.items()}, {}
        maps = {}
        rows = unit_languages(matrices)
        middle = np.mean([each.mean(axis=0) for each in rows.values()], axis=0)
        for name, each in rows.items():
            mean = each.mean(axis=0)
            share = _james_stein(each, middle) if self.shrinkage == "auto" else float(self.shrinkage)
            maps[name] = SpaceMap(Normalization.centring(mean + share * (middle - mean)))
            self.shrinkage_[name] = share
        return maps, {"shrinkage": self.shrinkage_}


@dataclass(kw_only=True, eq=False)
class MeanVariance(LanguageRemoval):
    """Give all languages one mean and one variance: x -> unit((unit(x) - m_l) / s_l * s), dimension by dimension.

    Where `Centring` makes the first moments equal, this makes the second ones equal too [1]_.

    Parameters
    ----------
    minimum : int
        Fewest vectors of a language.
    rescale : bool
        Multiply by s, the spread that the languages have on average. False leaves all dimensions with variance one, as
        published, which also enlarges the dimensions that carry little.
    shrinkage : float or "auto"
        From 0 to 1: how far the variances of a language are drawn to the average s². "auto" draws each language as far
        as the sampling error of its variances asks: min(1, sum_d 2 v_d² / (n - 1) / sum_d (v_d - s_d²)²), where
        2 v² / (n - 1) is the variance of a Gaussian sample's variance.

    Attributes
    ----------
    space_ : SharedSpace
        One map a language, after `fit`.
    shrinkage_ : dict of str to float
        The shrinkage of each language.

    References
    ----------
    .. [1] Zhao, Eger, Bjerva and Augenstein (2021), "Inducing language-agnostic multilingual representations", *SEM.
       doi:10.18653/v1/2021.starsem-1.22

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> wide, narrow = (rng.normal(size=(50, 4)) * [1, s, 1, 1] + [0, 0, s, 1] for s in (3, 1))
    >>> spaces = MeanVariance(rescale=False, shrinkage=0.0).fit({"a": wide, "b": narrow}).space_
    >>> spaces.languages
    ('a', 'b')
    """

    name: ClassVar[str] = "mean-variance"

    minimum: int = 3
    rescale: bool = True
    shrinkage: Shrinkage = "auto"

    def _learn(self, matrices: Mapping[str, Any]) -> tuple[dict[str, SpaceMap], dict[str, Any]]:
        rows = unit_languages(matrices)
        variances = {name: each.var(axis=0, ddof=1) for name, each in rows.items()}
        average = np.mean(list(variances.values()), axis=0)
        maps = {}
        self.shrinkage_ = {}
        for name, each in rows.items():
            own = variances[name]
            share = self.shrinkage
            if share == "auto":
                share = _share((2 * own**2 / (len(each) - 1)).sum(), ((own - average) ** 2).sum())
            spread = np.sqrt(np.maximum(own + share * (average - own), _SMALLEST * average.max() + _SMALLEST**2))
            scale = (np.sqrt(average) if self.rescale else 1.0) / spread
            maps[name] = SpaceMap(Normalization.centring(each.mean(axis=0)), np.diag(scale).astype(np.float32))
            self.shrinkage_[name] = float(share)
        return maps, {"shrinkage": self.shrinkage_, "rescale": self.rescale}


@dataclass(kw_only=True, eq=False)
class MeanCovariance(LanguageRemoval):
    """Map each language by the optimal transport to the common Gaussian: x -> unit((unit(x) - m_l) A_l).

    A_l = S_l^-1/2 (S_l^1/2 C S_l^1/2)^1/2 S_l^-1/2 takes the covariance S_l of a language to the mean covariance C of
    all languages. Of all maps that do so, it moves the vectors least in mean squared length [1]_. Where `Centring`
    makes means equal, this makes every linear correlation within a language equal, and it needs no pair either; the
    idea is that of correlation alignment [2]_.

    It asks for many vectors: a covariance has d (d + 1) / 2 numbers. With fewer vectors than dimensions, most of what
    tells two covariances apart is chance, and a map by it loses more than the language: such a language is centred, by
    a shrinkage of 1, unless that is "auto". And it asks for vectors like those that are mapped: fitted on other texts,
    it does no more than `Centring` or a little.

    Parameters
    ----------
    minimum : int
        Fewest vectors of a language.
    shrinkage : float or "auto"
        From 0 to 1: how far S_l is drawn to C. "auto" by the formula of Ledoit and Wolf [3]_ with C for a target: the
        least error of the covariance, which for retrieval was more caution than needed.

    Attributes
    ----------
    space_ : SharedSpace
        One map a language, after `fit`.
    shrinkage_ : dict of str to float
        The shrinkage of each language.

    References
    ----------
    .. [1] Flamary, Lounici and Ferrari (2019), "Concentration bounds for linear Monge mapping estimation and optimal
       transport domain adaptation". arXiv:1905.10155
    .. [2] Sun, Feng and Saenko (2016), "Return of frustratingly easy domain adaptation", AAAI.
       doi:10.1609/aaai.v30i1.10306
    .. [3] Ledoit and Wolf (2004), "A well-conditioned estimator for large-dimensional covariance matrices", Journal of
       Multivariate Analysis. doi:10.1016/S0047-259X(03)00096-4

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(500, 4)), rng.normal(size=(500, 4)) * [2, 1, 1, 1] + 1
    >>> space = MeanCovariance().fit({"fin": a, "eng": b}).space_
    >>> space.maps["fin"].matrix.shape
    (4, 4)
    """

    name: ClassVar[str] = "mean-covariance"

    minimum: int = 10
    shrinkage: Shrinkage = 0.3

    def _fewest_vectors(self) -> int:
        return max(2, self.minimum)

    def _learn(self, matrices: Mapping[str, Any]) -> tuple[dict[str, SpaceMap], dict[str, Any]]:
        means, centred = {}, {}
        for name, rows in unit_languages(matrices).items():
            means[name] = rows.mean(axis=0)
            centred[name] = rows - means[name]
        covariances = {name: rows.T @ rows / len(rows) for name, rows in centred.items()}
        common = np.mean(list(covariances.values()), axis=0)
        common[np.diag_indices_from(common)] += _FLOOR * np.trace(common) / len(common) + _FLOOR**2
        self.shrinkage_ = {
            name: ledoit_wolf(rows, common)
            if self.shrinkage == "auto"
            else 1.0
            if len(rows) < rows.shape[1]
            else float(self.shrinkage)
            for name, rows in centred.items()
        }
        maps = {}
        for name, own in covariances.items():
            shrunk = (1 - self.shrinkage_[name]) * own + self.shrinkage_[name] * common
            moved = monge_map(shrunk, common).astype(np.float32)
            maps[name] = SpaceMap(Normalization.centring(means[name]), moved)
        return maps, {"shrinkage": self.shrinkage_}


def nearest_language(space: SharedSpace, vectors: Any, *, among: Sequence[str] | None = None) -> list[str]:
    """Guess the language of each vector: the one whose mean is nearest.

    Parameters
    ----------
    space : SharedSpace
        A space whose maps centre, learned by `Centring` or `MeanVariance`.
    vectors : (n, d) array
        Vectors of the same encoder, not yet mapped.
    among : sequence of str, optional
        The languages to choose from; by default all of the space.

    Returns
    -------
    list of n str
        Names from `among`.

    Raises
    ------
    SpaceError
        If the space's maps do not start with unit length and a mean in one common dimension, or there is only one map
        for all languages.
    """
    names = [name for name in space.languages if name != ANY_LANGUAGE] if among is None else list(among)
    if not names:
        raise SpaceError("this space has one map for all languages, and no means to guess one by; name the language")
    means = []
    for name in names:
        each = space.map_of(name)
        if each.normalization.steps[:2] != ("unit", "centre"):
            raise SpaceError(
                f"a language can be guessed only in a space whose maps centre unit vectors, but the map of {name!r} "
                f"has the steps {each.normalization.steps}; name the language"
            )
        means.append(each.normalization.means[0])
    if len({mean.shape for mean in means}) > 1:
        raise SpaceError("a language can be guessed only where all maps take one dimension; name the language")
    centres = np.stack(means).astype(np.float64)
    rows = unit_matrix(vectors, "vectors")
    # ||x - m||² = const - 2 x·m + ||m||²
    distances = (centres**2).sum(axis=1) - 2 * rows @ centres.T
    return [names[best] for best in distances.argmin(axis=1)]


def monge_map(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the symmetric A with A S A = T that moves a Gaussian of covariance S to one of covariance T.

    A = S^-1/2 (S^1/2 T S^1/2)^1/2 S^-1/2, the only positive semi-definite solution.

    Parameters
    ----------
    source, target : (d, d) array
        Covariances; directions in which the source has (almost) no variance are given no more than rounding allows.

    Examples
    --------
    >>> print(monge_map(np.diag([1.0, 4.0]), np.diag([9.0, 4.0])))
    [[3. 0.]
     [0. 1.]]
    """
    root, inverse = symmetric_powers(source, 0.5, -0.5)
    return np.asarray(inverse @ symmetric_power(root @ target @ root, 0.5) @ inverse)


def symmetric_power(matrix: NDArray[np.float64], power: float) -> NDArray[np.float64]:
    """Return the power of a positive semi-definite matrix; eigenvalues that are zero but for rounding stay zero."""
    return symmetric_powers(matrix, power)[0]


def symmetric_powers(matrix: NDArray[np.float64], *powers: float) -> list[NDArray[np.float64]]:
    """Return several powers of one matrix, see `symmetric_power`; what takes the time is done once."""
    values, axes = np.linalg.eigh((matrix + matrix.T) / 2)
    kept = values > values[-1] * len(values) * np.finfo(values.dtype).eps
    held = np.where(kept, values, 1.0)
    return [np.asarray((axes * np.where(kept, held**power, 0.0)) @ axes.T) for power in powers]


def _james_stein(rows: NDArray[np.float64], middle: NDArray[np.float64]) -> float:
    """Return how far the mean of the rows is drawn to `middle`."""
    if len(rows) < 2:
        return 1.0
    return _share(rows.var(axis=0, ddof=1).sum() / len(rows), ((rows.mean(axis=0) - middle) ** 2).sum())


def _share(error: float, signal: float) -> float:
    return 0.0 if error <= 0 else float(min(1.0, error / max(signal, _SMALLEST)))
