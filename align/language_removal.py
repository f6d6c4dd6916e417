"""Take out of sentence vectors what tells the language: the first aligner, without any pair."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .arrays import as_matrix, to_numpy
from .normalization import Normalization
from .shared_space import SharedSpace, SpaceError, SpaceMap

__all__ = ["Centring", "nearest_language"]


class Centring:
    """Subtract from each language its own mean: x -> unit(unit(x) - m_language).

    A multilingual encoder puts the sentences of one language near each other whatever they say. The difference of
    the language means carries most of it. After centring, all languages share the mean zero, and no linear
    classifier that looks at means can tell them apart [1]_. No pair and no parallel text is needed, but texts of
    comparable content: the mean of recipes and the mean of statutes differ in more than language.

    Parameters
    ----------
    minimum : int
        Fewest vectors of a language that a mean is taken of.

    Attributes
    ----------
    space_ : SharedSpace
        One map a language, after `fit`.

    Notes
    -----
    Means of the very texts that are searched make a *transductive* system; means of other texts an *inductive*
    one. Say which, when you report a figure.

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

    def __init__(self, *, minimum: int = 2) -> None:
        self.minimum = minimum

    def fit(self, vectors: Mapping[str, Any], *, encoder: str = "") -> "Centring":
        """Learn the mean of each language.

        Parameters
        ----------
        vectors : mapping of str to (n, d) array
            The vectors of each language; they need not correspond.
        encoder : str
            Identity of the encoder that made them, kept in the space.

        Raises
        ------
        ValueError
            If there is no language, a language has too few vectors, or the dimensions differ.
        """
        if not vectors:
            raise ValueError("centring needs the vectors of at least one language, but none was given")
        matrices = {name: as_matrix(each, f"the vectors of {name!r}") for name, each in vectors.items()}
        dimensions = {name: int(each.shape[1]) for name, each in matrices.items()}
        if len(set(dimensions.values())) > 1:
            raise ValueError(f"all languages must come from one encoder and have one dimension, but have {dimensions}")
        for name, each in matrices.items():
            if each.shape[0] < self.minimum:
                raise ValueError(
                    f"the mean of {name!r} needs at least {self.minimum} vectors, but there are {each.shape[0]}; "
                    "give more texts of this language, or leave it out"
                )
        self.space_ = SharedSpace(
            {name: SpaceMap(Normalization.fit(each, "unit-centre")) for name, each in matrices.items()},
            method="centring",
            encoder=encoder,
            provenance={
                "vectors": {name: int(each.shape[0]) for name, each in matrices.items()},
                "data_sha256": _data_hash(matrices),
            },
        )
        return self


def nearest_language(space: SharedSpace, vectors: Any, *, among: Sequence[str] | None = None) -> list[str]:
    """Guess the language of each vector: the one whose mean is nearest.

    Parameters
    ----------
    space : SharedSpace
        A space whose maps centre, learned by `Centring`.
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
        If the space's maps do not start with unit length and a mean in one common dimension.
    """
    names = list(space.languages if among is None else among)
    means = []
    for name in names:
        each = space.maps[name]
        if each.normalization.steps[:2] != ("unit", "centre"):
            raise SpaceError(
                f"a language can be guessed only in a space whose maps centre unit vectors, but the map of {name!r} "
                f"has the steps {each.normalization.steps}; name the language"
            )
        means.append(each.normalization.means[0])
    if len({mean.shape for mean in means}) > 1:
        raise SpaceError("a language can be guessed only where all maps take one dimension; name the language")
    centres = np.stack(means).astype(np.float64)
    rows = to_numpy(Normalization.fit(vectors, "unit").transform(vectors))
    # ||x - m||² = const - 2 x·m + ||m||²
    distances = (centres**2).sum(axis=1) - 2 * rows @ centres.T
    return [names[best] for best in distances.argmin(axis=1)]


def _data_hash(matrices: Mapping[str, Any]) -> str:
    """Return the SHA-256 of names and vectors."""
    digest = hashlib.sha256()
    for name, matrix in matrices.items():
        digest.update(f"{name}\0{tuple(matrix.shape)}\0".encode())
        digest.update(np.ascontiguousarray(to_numpy(matrix)).data)
    return digest.hexdigest()
