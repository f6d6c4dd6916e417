"""BM25 of the texts of one language, with the statistics of that language alone [1]_.

The library bm25s computes what each text owes to each of its pieces, once [2]_. It takes no text afterwards; so a text
that comes later is kept beside, weighed by the statistics that are there, until enough have come to index all anew.

References
----------
.. [1] Robertson and Zaragoza (2009), "The probabilistic relevance framework: BM25 and beyond",
   doi:10.1561/1500000019.
.. [2] Lù (2024), "BM25S: orders of magnitude faster lexical search via eager sparse scoring", arXiv:2407.03618.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .words import is_unspaced

K1, B = 1.2, 0.75


@dataclass
class LanguageTexts:
    """The texts of one language, as what they owe to each piece. Equal ones are one text of several rows.

    Attributes
    ----------
    numbers : (n,) array of int64
        Of the rows that the texts are of.
    places : (n,) array of int32
        The text of each row.
    tokens : dict of str to int
        The number of each piece.
    weights : (m,) array of float32
        idf(t) f / (f + k1 (1 - b + b l / L)) of each piece t that stands f times in a text of l pieces; the mean of the
        language is L, and idf(t) = log(1 + (n - n_t + 1/2) / (n_t + 1/2)), for n_t texts with t.
    texts : (m,) array of int32
        The text of each weight.
    starts : (t + 1,) array of int64
        Where the weights of each piece begin.
    mean_length : float
        L.
    """

    numbers: NDArray[np.int64]
    places: NDArray[np.int32]
    tokens: dict[str, int]
    weights: NDArray[np.float32]
    texts: NDArray[np.int32]
    starts: NDArray[np.int64]
    mean_length: float
    _later: list[tuple[int, dict[str, float]]] = field(default_factory=list, repr=False)
    _gone: set[int] = field(default_factory=set, repr=False)

    @classmethod
    def of(cls, numbers: Sequence[int], pieces: Sequence[Sequence[str]]) -> "LanguageTexts":
        """Return the texts of rows, from the pieces of each; there is at least one row."""
        import bm25s

        tokens: dict[str, int] = {}
        distinct: dict[tuple[str, ...], int] = {}
        places = np.array([distinct.setdefault(tuple(each), len(distinct)) for each in pieces], np.int32)
        rows = [[tokens.setdefault(piece, len(tokens)) for piece in each] for each in distinct]
        lengths = sum(map(len, rows))
        held = np.asarray(numbers, np.int64), places
        if not tokens:  # texts without a letter
            return cls(*held, {}, np.empty(0, np.float32), np.empty(0, np.int32), np.zeros(1, np.int64), 0.0)
        model = bm25s.BM25(k1=K1, b=B, method="lucene", backend="numpy", csc_backend="numpy")
        # subtle: bm25s takes texts without a piece only where there is a token for "nothing"
        model.index((rows, tokens), create_empty_token=False, show_progress=False)
        found = model.scores
        starts = np.asarray(found["indptr"], np.int64)
        starts = np.concatenate([starts, np.full(len(tokens) + 1 - len(starts), starts[-1])])
        weights, texts = np.asarray(found["data"], np.float32), np.asarray(found["indices"], np.int32)
        return cls(*held, tokens, weights, texts, starts, lengths / len(rows))

    def __len__(self) -> int:
        return len(self.numbers) + len(self._later)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The rows of what `scores` returns; those that are gone score nothing."""
        return np.concatenate([self.numbers, np.array([number for number, _ in self._later], np.int64)])

    @property
    def drift(self) -> float:
        """How many texts have come or gone since the statistics were taken, as a share of those there were then."""
        return (len(self._later) + len(self._gone)) / max(len(self.numbers), 1)

    def add(self, number: int, pieces: Sequence[str]) -> None:
        """Keep one more text, weighed by the statistics of those that are there."""
        length = len(pieces) / self.mean_length if self.mean_length else 1.0
        damping = K1 * (1 - B + B * length)
        counted = Counter(pieces).items()
        self._later.append((number, {piece: self.rarity(piece) * n / (n + damping) for piece, n in counted}))

    def remove(self, numbers: NDArray[np.int64]) -> None:
        """Have rows score nothing from now on."""
        wanted = set(numbers.tolist())
        self._later = [each for each in self._later if each[0] not in wanted]
        self._gone |= set(np.flatnonzero(np.isin(self.numbers, numbers)).tolist())

    @cached_property
    def n_indexed(self) -> int:
        """How many different texts the statistics are of."""
        return int(self.places.max(initial=-1)) + 1

    @property
    def n_texts(self) -> int:
        """How many texts `scores_of_texts` tells of."""
        return self.n_indexed + len(self._later)

    @property
    def living(self) -> NDArray[np.int64]:
        """The rows that are not gone."""
        return self.living_texts[0]

    @property
    def living_texts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows that are not gone, and for each the place of its text in what `scores_of_texts` returns."""
        gone = sorted(self._gone)
        later = np.arange(self.n_indexed, self.n_indexed + len(self._later))
        texts = np.concatenate([np.delete(self.places, gone).astype(np.int64), later])
        return np.concatenate([np.delete(self.numbers, gone), self.rows[len(self.numbers) :]]), texts

    def rarity(self, piece: str) -> float:
        """Return idf of a piece; the highest for one that no text has."""
        return float(self._rarities[self.tokens.get(piece, -1)])

    @cached_property
    def _rarities(self) -> NDArray[np.float64]:
        """How rare each piece is, by its number; the last is of one that no text has."""
        holding = np.append(np.diff(self.starts), 0)
        return np.asarray(np.log1p((self.n_indexed - holding + 0.5) / (holding + 0.5)))

    def weighed(self, asked: Mapping[str, float]) -> float:
        """Return what the pieces of a question weigh, each by its rarity."""
        tokens = [self.tokens.get(piece, -1) for piece in asked]
        return float(self._rarities[tokens] @ np.fromiter(asked.values(), np.float64, len(asked)))

    def scores(self, asked: Mapping[str, float]) -> NDArray[np.float64]:
        """Return the BM25 of each of `rows` for weighted pieces of a question; 0 for rows that are gone."""
        values, n_indexed = self.scores_of_texts(asked), self.n_indexed
        rows = np.concatenate([values[:n_indexed][self.places], values[n_indexed:]])
        rows[sorted(self._gone)] = 0.0
        return rows

    def scores_of_texts(self, asked: Mapping[str, float]) -> NDArray[np.float64]:
        """Return the BM25 of each different text, and of each that came later; 0 where no row has it any more."""
        asked = self._spread(asked)
        held = [(self.tokens[piece], weight) for piece, weight in asked.items() if piece in self.tokens]
        spans = [slice(*self.starts[token : token + 2]) for token, _ in held]
        n_indexed = self.n_indexed
        total = np.zeros(self.n_texts)
        if spans:
            texts = np.concatenate([self.texts[span] for span in spans])
            owed = np.concatenate([self.weights[span] * np.float32(weight) for span, (_, weight) in zip(spans, held)])
            total[:n_indexed] = np.bincount(texts, owed, minlength=n_indexed)
        if self._gone:
            total[:n_indexed][np.bincount(np.delete(self.places, sorted(self._gone)), minlength=n_indexed) == 0] = 0.0
        for place, (_, owed_of) in enumerate(self._later, n_indexed):
            total[place] = sum(weight * owed_of.get(piece, 0.0) for piece, weight in asked.items())
        return total

    def _spread(self, asked: Mapping[str, float]) -> dict[str, float]:
        """Return the pieces with the pairs that hold a single character, where a question names one by itself."""
        spread = dict(asked)
        for piece, weight in asked.items():
            if len(piece) == 1 and len(spread) < _SPREAD and is_unspaced(piece):
                pairs = [each for each in self.tokens if len(each) > len(piece) and piece in each and is_unspaced(each)]
                for each in pairs[:_SPREAD]:
                    spread.setdefault(each, weight / 2)
        return spread


_SPREAD = 512  # pairs at most
