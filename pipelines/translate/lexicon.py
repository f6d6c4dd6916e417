"""Words that translate each other, counted from sentence pairs: a dictionary grows out of bitext."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from interlingua.align import SeedDictionary
from interlingua.align.matching import Candidates, match
from interlingua.pipelines.encoders.static import WordSegmenter, text_runs
from interlingua.pipelines.texts.pairs import Pair

Association = Literal["log-likelihood", "dice"]


@dataclass(frozen=True)
class BitextLexicon:
    """Word pairs found in bitext, best first.

    Attributes
    ----------
    words : tuple of (str, str)
        Source word, target word.
    scores : (p,) array of float32
        Association of the two, falling.
    together : (p,) array of int64
        Sentence pairs that hold both.
    n_pairs : int
        Sentence pairs that were read.
    """

    words: tuple[tuple[str, str], ...]
    scores: NDArray[np.float32]
    together: NDArray[np.int64]
    n_pairs: int

    def __len__(self) -> int:
        return len(self.words)

    def dictionary(self) -> SeedDictionary:
        """Return the word pairs as a dictionary, best first."""
        return SeedDictionary(self.words)


def lexicon_from_bitext(
    pairs: Iterable[Pair],
    *,
    source_vocabulary: Collection[str] | None = None,
    target_vocabulary: Collection[str] | None = None,
    association: Association = "log-likelihood",
    one_to_one: Literal["mutual", "stable"] = "mutual",
    at_least: int = 2,
    least: float = 0.0,
) -> BitextLexicon:
    r"""Return the words that stand in the same sentence pairs too often for chance, each in one pair at most.

    Of N sentence pairs, a hold the source word s, b the target word t, k both. The pairs (s, t) with k above
    a b / N are scored by

        log-likelihood    G^2 = 2 \sum_{ij} n_ij ln(n_ij N / (n_i. n_.j))    [1]_
        dice              2 k / (a + b)                                      [2]_

    where n_ij are the four counts of sentence pairs with or without s and t. What is best for both words is kept
    (``mutual``), or, further, the best of what remains, again and again (``stable``): competitive linking [3]_ of
    types.

    Parameters
    ----------
    pairs : iterable of Pair
        All of one language pair; such as `mine_bitext(...).pairs` or `read_pairs(...)`.
    source_vocabulary, target_vocabulary : collection of str, optional
        Words to be found, such as those that have vectors; needed for scripts without spaces. By default all runs of
        letters and digits, in lower case.
    association : {"log-likelihood", "dice"}
        The score.
    one_to_one : {"mutual", "stable"}
        Which pairs are kept: the best of both words, or, further, the best of what remains.
    at_least : int
        Least number of sentence pairs that hold both words, k.
    least : float
        Least score.

        A G^2 above 10.8 has a chance of 0.001 for one pair of independent words; there are many pairs, but
        k = 2 among thousands passes 20 already.

    Returns
    -------
    BitextLexicon

    Raises
    ------
    ValueError
        If an argument is unknown or out of range, there is no pair, or pairs are of several language pairs.

    Notes
    -----
    Memory grows with the pairs of words that occur together, about 12 bytes each before the rare ones are dropped.

    References
    ----------
    .. [1] Dunning (1993), "Accurate methods for the statistics of surprise and coincidence", Computational Linguistics
       19(1). https://aclanthology.org/J93-1003/
    .. [2] Dice (1945), "Measures of the amount of ecologic association between species", Ecology 26.
       doi:10.2307/1932409
    .. [3] Melamed (2000), "Models of translational equivalence among words", Computational Linguistics 26(2).
       doi:10.1162/089120100561683

    Examples
    --------
    >>> texts = [("red sun", "soleil rouge"), ("the sun", "le soleil"), ("red wine", "vin rouge"), ("one", "un")]
    >>> found = lexicon_from_bitext([Pair(*each) for each in texts])
    >>> sorted(found.words)
    [('red', 'rouge'), ('sun', 'soleil')]
    """
    if association not in get_args(Association) or one_to_one not in ("mutual", "stable"):
        known = "log-likelihood or dice, and mutual or stable"
        raise ValueError(f"association and one_to_one must be {known}, but are {association!r} and {one_to_one!r}")
    if at_least < 1:
        raise ValueError(f"at_least must be 1 or more, but is {at_least}")
    given = tuple(pairs)
    kinds = sorted({f"{each.source_language}-{each.target_language}" for each in given})
    if len(kinds) != 1:
        raise ValueError(
            f"expected sentence pairs of one language pair; got {len(given)} of {', '.join(kinds) or 'none'}"
        )
    sources, source_words = _incidence([each.source for each in given], source_vocabulary)
    targets, target_words = _incidence([each.target for each in given], target_vocabulary)
    counts = sparse.coo_array(sources.T @ targets)
    together = counts.data.astype(np.int64)
    of_source, of_target = (np.bincount(each.indices, minlength=each.shape[1]) for each in (sources, targets))
    rows, columns = counts.row.astype(np.int64), counts.col.astype(np.int64)
    kept = (together >= at_least) & (together * len(given) > of_source[rows] * of_target[columns])
    rows, columns, together = rows[kept], columns[kept], together[kept]
    scores = _association(association, together, of_source[rows], of_target[columns], len(given))
    order = np.lexsort((columns, rows))
    rows, columns, together = rows[order], columns[order], together[order]
    table = Candidates(rows, columns, scores[order].astype(np.float32), (len(source_words), len(target_words)))
    found = match(table, one_to_one, threshold=least)
    best = np.argsort(-found.scores, kind="stable")
    chosen = found.pairs[best]
    words = tuple((source_words[s], target_words[t]) for s, t in chosen.tolist())
    return BitextLexicon(words, found.scores[best], together[table.find(*chosen.T)], len(given))


def extend_dictionary(seed: SeedDictionary, found: SeedDictionary | BitextLexicon) -> SeedDictionary:
    """Return the seed and those found pairs of which the seed knows neither word.

    Examples
    --------
    >>> seed = SeedDictionary((("sun", "soleil"),))
    >>> extend_dictionary(seed, SeedDictionary((("sun", "jour"), ("red", "rouge")))).pairs
    (('sun', 'soleil'), ('red', 'rouge'))
    """
    pairs = found.words if isinstance(found, BitextLexicon) else found.pairs
    sources, targets = {source for source, _ in seed.pairs}, {target for _, target in seed.pairs}
    return SeedDictionary(
        (
            *seed.pairs,
            *((source, target) for source, target in pairs if source not in sources and target not in targets),
        )
    )


def _incidence(texts: Sequence[str], vocabulary: Collection[str] | None) -> tuple[Any, list[str]]:
    """Return which text holds which word, (n, v) of int64, and the words."""
    numbers: dict[str, int] = {}
    columns: list[int] = []
    starts = [0]
    segmenter = None if vocabulary is None else WordSegmenter(vocabulary)
    for text in texts:
        words: Iterator[str] = iter(text_runs(text.lower())) if segmenter is None else segmenter.words(text)
        columns += sorted({numbers.setdefault(word, len(numbers)) for word in words})
        starts.append(len(columns))
    shape = (len(texts), len(numbers))
    return sparse.csr_array((np.ones(len(columns), np.int64), columns, starts), shape=shape), list(numbers)


def _association(
    name: str, k: NDArray[np.int64], a: NDArray[np.int64], b: NDArray[np.int64], n: int
) -> NDArray[np.float64]:
    if name == "dice":
        return np.asarray(2.0 * k / (a + b), np.float64)
    cells = (k, a - k, b - k, n - a - b + k)
    margins = (a, n - a, b, n - b)
    total = sum(_entropy(each) for each in cells) - sum(_entropy(each) for each in margins) + n * np.log(n)
    return np.asarray(2 * np.maximum(total, 0.0), np.float64)


def _entropy(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return x ln x, 0 of 0."""
    values = counts.astype(np.float64)
    return np.asarray(values * np.log(np.maximum(values, 1.0)), np.float64)
