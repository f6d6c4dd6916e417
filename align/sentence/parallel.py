"""Translations as arrays: domains of rows that correspond across two languages or many.

How well translations find each other in a space: the score that heads are chosen by.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import as_matrix, to_numpy, unit_rows
from interlingua.align.neighbors import top_k

Vectors = NDArray[np.float32]
_ONE_DOMAIN = "all"


@dataclass(frozen=True)
class ParallelVectors:
    """Sentence vectors of one encoder: in each domain, row i of one language translates row i of every other.

    Parameters
    ----------
    domains : mapping of str to mapping of str to (n, d) array
        Domain, language, unit rows. A bitext is a domain of two languages; domains may differ in languages and
        rows. Make one with `of`, which checks.

    Examples
    --------
    >>> x = np.eye(3, dtype=np.float32)
    >>> parallel = ParallelVectors.of({"news": {"eng": x, "fin": x, "swh": x}, "bible": {"eng": x[:2], "swh": x[:2]}})
    >>> parallel.languages, parallel.n_pairs
    (('eng', 'fin', 'swh'), 8)
    """

    domains: Mapping[str, Mapping[str, Vectors]]

    @classmethod
    def of(cls, data: Any) -> "ParallelVectors":
        """Check `data` and bring its rows to unit length.

        Parameters
        ----------
        data : ParallelVectors, or mapping of domains, or mapping of str to (n, d) array
            The last stands for a single domain.

        Raises
        ------
        ValueError
            If a domain has fewer than two languages, none or unequal numbers of rows, or dimensions differ.
        """
        if isinstance(data, ParallelVectors):
            return data
        if not isinstance(data, Mapping) or not data:
            raise ValueError('give translations as {"eng": vectors, "fin": vectors}, or as a mapping of such domains')
        if not all(isinstance(each, Mapping) for each in data.values()):
            data = {_ONE_DOMAIN: data}
        domains = {}
        for domain, languages in data.items():
            if len(languages) < 2:
                raise ValueError(
                    f"translations need two languages, but {domain!r} has {', '.join(languages) or 'none'}"
                )
            rows = {
                name: unit_rows(to_numpy(as_matrix(each, f"the vectors of {name!r} in {domain!r}")))
                for name, each in languages.items()
            }
            sizes = {name: len(each) for name, each in rows.items()}
            if len(set(sizes.values())) > 1 or 0 in sizes.values():
                raise ValueError(
                    f"row i must translate row i, but in {domain!r} the languages have {sizes} rows; give each "
                    "sentence with all its translations, or split the set into domains"
                )
            domains[str(domain)] = MappingProxyType(rows)
        dimensions = {each.shape[1] for languages in domains.values() for each in languages.values()}
        if len(dimensions) > 1:
            raise ValueError(f"all vectors must come from one encoder, but have the dimensions {sorted(dimensions)}")
        return cls(MappingProxyType(domains))

    @property
    def languages(self) -> tuple[str, ...]:
        """All languages, sorted."""
        return tuple(sorted({name for languages in self.domains.values() for name in languages}))

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return int(next(iter(next(iter(self.domains.values())).values())).shape[1])

    @property
    def n_pairs(self) -> int:
        """Number of translation pairs, each sentence paired with one of its languages."""
        return sum(rows * (len(self.domains[name]) - 1) for name, rows in self.sizes.items())

    @property
    def sizes(self) -> dict[str, int]:
        """Sentences of each domain."""
        return {name: len(next(iter(languages.values()))) for name, languages in self.domains.items()}

    def split(self, share: float, seed: int = 0, *, fewest: int = 20) -> "tuple[ParallelVectors, ParallelVectors]":
        """Return (the rest, a random `share` of the sentences of each domain), with all their translations.

        Domains where fewer than `fewest` would be held out keep all rows. Where none is left to hold out, the
        second is empty.
        """
        rng = np.random.default_rng(seed)
        kept: dict[str, dict[str, Vectors]] = {}
        held: dict[str, dict[str, Vectors]] = {}
        for domain, languages in self.domains.items():
            size = self.sizes[domain]
            out = np.zeros(size, np.bool_)
            if share * size >= fewest:
                out[rng.permutation(size)[: round(share * size)]] = True
                held[domain] = {name: rows[out] for name, rows in languages.items()}
            kept[domain] = {name: rows[~out] for name, rows in languages.items()}
        return ParallelVectors(kept), ParallelVectors(held)

    def with_validation(self, validation: Any) -> "ParallelVectors":
        """Return these translations and those of `validation`, if any, as domains named ``validation: ...``."""
        extra = {} if validation is None else ParallelVectors.of(validation).domains
        return ParallelVectors({**self.domains, **{f"validation: {name}": each for name, each in extra.items()}})

    def check_pivot(self, pivot: str) -> None:
        """Raise ValueError unless `pivot` is empty or one of the languages."""
        if pivot and pivot not in self.languages:
            raise ValueError(
                f"the pivot must be a language of the translations, but {pivot!r} is none of "
                f"{', '.join(self.languages)}"
            )

    def __iter__(self) -> Iterator[tuple[str, Mapping[str, Vectors]]]:
        return iter(self.domains.items())

    def __bool__(self) -> bool:
        return bool(self.domains)


def language_means(parallel: ParallelVectors) -> dict[str, Vectors]:
    """Return each language's mean vector, as if every language had every domain.

    The mean of a language in a domain is taken as m_language + d_domain; both are fitted by least squares over the
    cells that there are, and a language's mean is m_language plus the mean of all d_domain. Without this, a language
    with a domain of its own would be centred on that domain.

    Returns
    -------
    dict of str to (d,) array of float32

    Examples
    --------
    >>> x = np.eye(2, dtype=np.float32)
    >>> both = ParallelVectors.of({"a": {"eng": x[:1], "swh": x[1:]}, "b": {"eng": x[:1], "swh": x[1:]}})
    >>> {name: np.abs(mean).round(3).tolist() for name, mean in language_means(both).items()}
    {'eng': [1.0, 0.0], 'swh': [0.0, 1.0]}
    """
    languages, domains = parallel.languages, tuple(parallel.domains)
    design, means = [], []
    for number, (_, rows) in enumerate(parallel):
        for name, vectors in rows.items():
            line = np.zeros(len(languages) + len(domains))
            line[[languages.index(name), len(languages) + number]] = 1.0
            design.append(line)
            means.append(vectors.mean(axis=0, dtype=np.float64))
    # subtle: a constant can move between the two parts; the sum that is returned does not depend on it, as long as
    # the domains are linked by languages; where they are not, the least-norm solution shares it out
    fitted = np.linalg.lstsq(np.stack(design), np.stack(means), rcond=None)[0]
    shared = fitted[len(languages) :].mean(axis=0)
    return {name: (fitted[row] + shared).astype(np.float32) for row, name in enumerate(languages)}


_TEMPERATURES = np.geomspace(0.005, 0.5, 15)
_MOST_PAIRS = 40
_NEIGHBORHOOD = 4
_RIVALS = 20


@dataclass(frozen=True)
class TranslationQuality:
    """Retrieval of translations by CSLS, both ways, the mean over domains of the mean over language pairs.

    Attributes
    ----------
    accuracy : float
        Share of sentences whose best candidate is their translation, in [0, 1].
    surprisal : float
        Mean of -log p(translation), in nats, p the softmax of CSLS / temperature over the translation and the best 20
        others, at the temperature that makes it least. Lower is better. It tells heads apart where all are near an
        accuracy of 1.
    by_domain : mapping of str to float
        The accuracy in each domain.
    by_pair : mapping of (domain, language, language) to tuple of two float
        The accuracy there and back.
    """

    accuracy: float
    surprisal: float
    by_domain: Mapping[str, float]
    by_pair: Mapping[tuple[str, str, str], tuple[float, float]]


def translation_quality(
    transform: Callable[[Any, str], Any],
    parallel: ParallelVectors,
    *,
    pivot: str = "",
    neighborhood: int = _NEIGHBORHOOD,
    most_rows: int = 1000,
) -> TranslationQuality:
    """Score a map on translations that it was not fitted on.

    Parameters
    ----------
    transform : callable
        (vectors, language) to unit rows, such as `SharedSpace.transform`.
    parallel : ParallelVectors
        Held-out translations.
    pivot : str
        Score only the pairs with this language where a domain has it; otherwise all pairs, at most 40 a domain,
        evenly chosen.
    neighborhood : int
        Neighbours in the means of CSLS.
    most_rows : int
        Sentences a domain; the first are taken.

    Raises
    ------
    ValueError
        If there is no translation.

    Examples
    --------
    >>> x = np.eye(30, dtype=np.float32)
    >>> translation_quality(lambda rows, _: rows, ParallelVectors.of({"eng": x, "fin": x})).accuracy
    1.0
    """
    if not parallel:
        raise ValueError("there is no held-out translation to score on; give validation pairs, or more pairs")
    by_domain, by_pair, losses = {}, {}, []
    for domain, languages in parallel:
        mapped = {name: transform(rows[:most_rows], name) for name, rows in languages.items()}
        hits, curves = [], []
        for one, other in _pairs(tuple(languages), pivot):
            scores = _csls(mapped[one], mapped[other], neighborhood)
            gold = np.arange(len(scores))
            there, back = (float((scores.argmax(axis=axis) == gold).mean()) for axis in (1, 0))
            by_pair[domain, one, other] = (there, back)
            hits.append((there + back) / 2)
            curves.append(_surprisals(scores))
        by_domain[domain] = float(np.mean(hits))
        losses.append(float(np.mean(curves, axis=0).min()))
    return TranslationQuality(float(np.mean(list(by_domain.values()))), float(np.mean(losses)), by_domain, by_pair)


def _pairs(languages: tuple[str, ...], pivot: str) -> list[tuple[str, str]]:
    if pivot in languages:
        return [(name, pivot) for name in languages if name != pivot]
    pairs = list(combinations(languages, 2))
    return pairs[:: -(-len(pairs) // _MOST_PAIRS)]


def _csls(source: NDArray[np.float32], target: NDArray[np.float32], neighborhood: int) -> NDArray[np.float32]:
    own = top_k(source, target, neighborhood).scores.mean(axis=1)
    other = top_k(target, source, neighborhood).scores.mean(axis=1)
    return np.asarray(source @ target.T - (own[:, None] + other[None, :]) / 2, np.float32)


def _surprisals(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean of -log p of the diagonal among the best others, both ways, at each temperature."""
    gold = np.diag(scores).astype(np.float64)[:, None]
    others = scores.copy()
    np.fill_diagonal(others, -np.inf)
    rivals = min(_RIVALS, len(gold))
    found = np.zeros(len(_TEMPERATURES))
    for table in (others, others.T):
        ahead = np.partition(table, -rivals, axis=1)[:, -rivals:] - gold
        for number, temperature in enumerate(_TEMPERATURES):
            found[number] += np.logaddexp.reduce(np.append(ahead / temperature, 0 * gold, axis=1), axis=1).mean() / 2
    return found
