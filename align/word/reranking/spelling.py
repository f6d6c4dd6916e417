"""How words are spelled in two languages: which letters and which endings answer each other, learned from pairs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LONGEST = 24
_BLOCK = 2048
_SMOOTHING = 1.0
_START_RELATED = 0.3
_START_GAPS = 0.3
_LEAST_ODDS = 1e-250

Numbers = NDArray[np.float64]
Ids = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SpellingModel:
    """A stochastic edit distance between the words of two languages, in any two alphabets.

    Related words, such as names, loans and cognates, are spelled alike up to regular changes; most translations are
    not related. A pair (s, t) is therefore drawn from a mixture, p(s, t) = m E(s, t) + (1 - m) S(s) T(t). S and T draw
    the characters of each word independently. E is a memoryless transducer [1]_: a word pair grows by one edit after
    another, each a substitution a -> b, a deletion a -> "" or an insertion "" -> b, drawn with the probability d(a, b),
    until it ends; E(s, t) is the sum over all edit sequences that give s and t. The score of a pair is the log-odds
    log(E / (S T)) divided by the length of the longer word.

    Nothing is assumed of the scripts: that ``f`` is ``ф``, or is ``f``, is learned from the pairs.

    Parameters
    ----------
    source_characters, target_characters : str
        The alphabets. All other characters are one, "unknown".
    edits : (n_source + 2, n_target + 2) array of float64
        d(a, b); row 0 holds insertions, column 0 deletions, the last row and column are the unknown characters.
    source_frequencies, target_frequencies : (n_source + 2,) and (n_target + 2,) array of float64
        Of the characters in S and T.
    ends : tuple of three float
        The probabilities that E, S and T end.
    related : float
        m, the share of related pairs.

    References
    ----------
    .. [1] Ristad and Yianilos (1998), "Learning string-edit distance", IEEE Transactions on Pattern Analysis and
       Machine Intelligence 20. doi:10.1109/34.682181

    Examples
    --------
    >>> english = ["tractor", "radar", "motor", "atom", "rotor", "doctor", "drama", "tram", "cat", "mad", "road", "arm"]
    >>> letters = str.maketrans("tracomd", "тракомд")
    >>> model = SpellingModel.fit(english, [word.translate(letters) for word in english])
    >>> model.scores(["actor", "actor"], ["актор", "дом"]).round(1).tolist()
    [2.5, -3.0]
    """

    source_characters: str
    target_characters: str
    edits: Numbers
    source_frequencies: Numbers
    target_frequencies: Numbers
    ends: tuple[float, float, float]
    related: float

    @classmethod
    def fit(cls, source: Sequence[str], target: Sequence[str], *, n_iterations: int = 12) -> "SpellingModel":
        """Learn from translation pairs, related or not, by expectation maximisation.

        Parameters
        ----------
        source, target : sequence of str
            Words that translate each other, one by one. Of longer words the first 24 characters count.
        n_iterations : int
            Passes over the pairs; each raises the likelihood (with the prior of one edit in all for each character).

        Raises
        ------
        ValueError
            If the numbers of words differ, there is none, or a word is empty.
        """
        if len(source) != len(target) or not source or not all(source) or not all(target):
            raise ValueError(
                f"words must come in pairs, none of them empty, but there are {len(source)} and {len(target)}, "
                f"{sum(not word for word in [*source, *target])} of them empty"
            )
        first, second = ("".join(sorted(set("".join(words)))) for words in (source, target))
        sides = [_encode(source, first), _encode(target, second)]
        (of_source, source_end), (of_target, target_end) = (
            _independent(*side, len(alphabet)) for side, alphabet in zip(sides, (first, second), strict=True)
        )
        edits, end = _start(sides, (of_source, of_target))
        model = cls(first, second, edits, of_source, of_target, (end, source_end, target_end), _START_RELATED)
        for _ in range(n_iterations):
            model = model._maximise(sides)[0]
        return model

    def scores(self, source: Sequence[str], target: Sequence[str]) -> NDArray[np.float32]:
        """Return the log-odds per character of each pair of words, (n,): above 0 for words that seem related."""
        (a, n_a), (b, n_b) = _encode(source, self.source_characters), _encode(target, self.target_characters)
        ratios, constant = self._ratios()
        result = np.empty(len(a))
        for block in _blocks(n_a, n_b):
            table = _forward(a[block, : n_a[block].max()], b[block, : n_b[block].max()], ratios)
            odds = table[n_a[block], n_b[block], np.arange(block.size)]
            result[block] = np.log(np.maximum(odds, _LEAST_ODDS)) + np.log(constant)
        return np.asarray(result / np.maximum(n_a, n_b), np.float32)

    def _ratios(self) -> tuple[Numbers, float]:
        """Return d(a, b) over the chance of its characters in S and T, and what the ends contribute once a pair.

        subtle: the sum over edit sequences then is E / (S T) at once, and neither underflows.
        """
        end, of_source, of_target = self.ends
        first, second = (1 - of_source) * self.source_frequencies, (1 - of_target) * self.target_frequencies
        first[0] = second[0] = 1.0
        return self.edits / np.outer(first, second), end / (of_source * of_target)

    def _maximise(self, sides: Sequence[tuple[Ids, Ids]]) -> tuple["SpellingModel", float]:
        """Return the model after one step, and the log-likelihood (against S T) before it."""
        (a, n_a), (b, n_b) = sides
        ratios, constant = self._ratios()
        counts = _SMOOTHING * np.outer(_with_gap(self.source_frequencies), _with_gap(self.target_frequencies))
        counts[0, 0] = 0.0
        likelihood, related = 0.0, 0.0
        for block in _blocks(n_a, n_b):
            x, y, n_x, n_y = a[block, : n_a[block].max()], b[block, : n_b[block].max()], n_a[block], n_b[block]
            forward, backward = _forward(x, y, ratios), _backward(x, y, n_x, n_y, ratios)
            odds = np.maximum(forward[n_x, n_y, np.arange(block.size)], _LEAST_ODDS)
            mixture = self.related * constant * odds + 1 - self.related
            likelihood += float(np.log(mixture).sum())
            share = self.related * constant * odds / mixture
            related += float(share.sum())
            _count(counts, x, y, ratios, forward, backward, share / odds)
        end = related / (counts.sum() + related)
        model = SpellingModel(
            self.source_characters,
            self.target_characters,
            (1 - end) * counts / counts.sum(),
            self.source_frequencies,
            self.target_frequencies,
            (end, *self.ends[1:]),
            min(max(related / len(a), 1e-3), 1 - 1e-3),
        )
        return model, likelihood


def _encode(words: Sequence[str], alphabet: str) -> tuple[Ids, Ids]:
    """Return the numbers of the characters, from 1, padded with 0, and the lengths."""
    number = {character: position for position, character in enumerate(alphabet, start=1)}
    lengths = np.array([min(len(word), _LONGEST) for word in words], np.int64)
    ids = np.zeros((len(words), max(1, int(lengths.max(initial=1)))), np.int64)
    for row, word in enumerate(words):
        ids[row, : lengths[row]] = [number.get(character, len(alphabet) + 1) for character in word[:_LONGEST]]
    return ids, np.maximum(lengths, 1)


def _blocks(first: Ids, second: Ids) -> Iterator[Ids]:
    """Cut the pairs into blocks of similar length."""
    order = np.lexsort((second, first))
    for start in range(0, order.size, _BLOCK):
        yield order[start : start + _BLOCK]


def _with_gap(frequencies: Numbers) -> Numbers:
    return np.concatenate([[1.0 / frequencies.size], frequencies[1:]])


def _independent(ids: Ids, lengths: Ids, n_characters: int) -> tuple[Numbers, float]:
    """Return the frequencies of the characters and the probability that a word ends."""
    counts = np.bincount(ids.ravel(), minlength=n_characters + 2).astype(np.float64)
    counts[0], counts[-1] = 0, 0.5
    return counts / counts.sum(), len(ids) / float(len(ids) + lengths.sum())


def _start(sides: Sequence[tuple[Ids, Ids]], frequencies: Sequence[Numbers]) -> tuple[Numbers, float]:
    """Guess the first edits: characters that stand at the same relative place more often than chance."""
    (a, n_a), (b, n_b) = sides
    met: Counter[tuple[int, int]] = Counter()
    for row, (n, m) in enumerate(zip(n_a.tolist(), n_b.tolist(), strict=True)):
        x, y = a[row].tolist(), b[row].tolist()
        for i in range(n):
            place = i * m // n
            met.update((x[i], y[j]) for j in range(max(0, place - 1), min(m, place + 2)))
    together = np.full((frequencies[0].size, frequencies[1].size), 1e-3)
    for (i, j), count in met.items():
        together[i, j] += count
    together[0], together[:, 0] = 0.0, 0.0
    chance = np.outer(together.sum(axis=1), together.sum(axis=0))
    edits = np.divide(together**2, chance, out=np.zeros_like(together), where=chance > 0)
    edits *= (1 - _START_GAPS) / edits.sum()
    edits[:, 0], edits[0] = _START_GAPS / 2 * frequencies[0], _START_GAPS / 2 * frequencies[1]
    end = 2 * len(a) / (2 * len(a) + float(n_a.sum() + n_b.sum()))
    return (1 - end) * edits, end


def _forward(x: Ids, y: Ids, ratios: Numbers) -> Numbers:
    """Sum over the edit sequences of the first i and j characters of each pair, (i + 1, j + 1, pairs)."""
    n, m = x.shape[1], y.shape[1]
    table = np.zeros((n + 1, m + 1, len(x)))
    table[0, 0] = 1.0
    for i in range(n + 1):
        for j in range(m + 1):
            if i:
                table[i, j] += table[i - 1, j] * ratios[x[:, i - 1], 0]
            if j:
                table[i, j] += table[i, j - 1] * ratios[0, y[:, j - 1]]
            if i and j:
                table[i, j] += table[i - 1, j - 1] * ratios[x[:, i - 1], y[:, j - 1]]
    return table


def _backward(x: Ids, y: Ids, n_x: Ids, n_y: Ids, ratios: Numbers) -> Numbers:
    """Sum over the edit sequences of what follows the first i and j characters of each pair."""
    n, m = x.shape[1], y.shape[1]
    table = np.zeros((n + 1, m + 1, len(x)))
    table[n_x, n_y, np.arange(len(x))] = 1.0  # beyond the end of a word all stays 0
    for i in range(n, -1, -1):
        for j in range(m, -1, -1):
            if i < n:
                table[i, j] += table[i + 1, j] * ratios[x[:, i], 0]
            if j < m:
                table[i, j] += table[i, j + 1] * ratios[0, y[:, j]]
            if i < n and j < m:
                table[i, j] += table[i + 1, j + 1] * ratios[x[:, i], y[:, j]]
    return table


def _count(
    counts: Numbers, x: Ids, y: Ids, ratios: Numbers, forward: Numbers, backward: Numbers, weights: Numbers
) -> None:
    """Add how often each edit is expected in the pairs."""
    n, m = x.shape[1], y.shape[1]
    gap = np.zeros(len(x), np.int64)
    for i in range(n + 1):
        for j in range(m + 1):
            before = weights * forward[i, j]
            if i < n:
                _add(counts, x[:, i], gap, before * backward[i + 1, j] * ratios[x[:, i], 0])
            if j < m:
                _add(counts, gap, y[:, j], before * backward[i, j + 1] * ratios[0, y[:, j]])
            if i < n and j < m:
                _add(counts, x[:, i], y[:, j], before * backward[i + 1, j + 1] * ratios[x[:, i], y[:, j]])


def _add(counts: Numbers, rows: Ids, columns: Ids, values: Numbers) -> None:
    width = counts.shape[1]
    counts += np.bincount(rows * width + columns, values, counts.size).reshape(counts.shape)


_ENDINGS_LONGEST = 3


@dataclass(frozen=True)
class EndingPairs:
    """Pairs of a source ending and a target ending, each a yes-or-no feature of a pair of words.

    An ending is the last one, two or three characters; the source ending may be empty too, so that a target ending is
    known by itself.

    Parameters
    ----------
    pairs : tuple of (str, str)
        Different from each other.

    Examples
    --------
    >>> known = EndingPairs.learn(["cats", "dogs", "cat"], ["chats", "chiens", "chat"], least=2)
    >>> known.pairs
    (('', 's'), ('s', 's'))
    >>> known.matrix(["suns"], ["soleil", "soleils"], np.array([[0, 1]])).toarray().tolist()
    [[0.0, 0.0], [1.0, 1.0]]
    """

    pairs: tuple[tuple[str, str], ...]

    @classmethod
    def learn(cls, source: Sequence[str], target: Sequence[str], *, least: int = 2) -> "EndingPairs":
        """Return the pairs of endings that `least` of the word pairs share, in order of the alphabet."""
        counts = Counter(
            (first, second)
            for word, other in zip(source, target, strict=True)
            for first in ("", *endings(word))
            for second in endings(other)
        )
        return cls(tuple(sorted(pair for pair, count in counts.items() if count >= least)))

    def matrix(self, source: Sequence[str], target: Sequence[str], ids: Ids) -> Any:
        """Return which pairs of endings each source word has with each of its candidates.

        Parameters
        ----------
        source : sequence of n str
        target : sequence of m str
            The words that `ids` numbers.
        ids : (n, k) array of int
            The candidates of each source word.

        Returns
        -------
        (n * k, len(pairs)) sparse array of float64
        """
        from scipy.sparse import csr_array

        first = {ending: number for number, ending in enumerate(sorted({pair[0] for pair in self.pairs}))}
        second = {ending: number for number, ending in enumerate(sorted({pair[1] for pair in self.pairs}))}
        keys = np.array([first[pair[0]] * len(second) + second[pair[1]] for pair in self.pairs], np.int64)
        words, at = np.unique(ids, return_inverse=True)
        of_target = _numbers([endings(target[word]) for word in words.tolist()], second)[at.reshape(ids.shape)]
        of_source = _numbers([["", *endings(word)] for word in source], first)
        asked = of_source[:, None, :, None] * len(second) + of_target[:, :, None, :]
        there = (of_source >= 0)[:, None, :, None] & (of_target >= 0)[:, :, None, :]
        order = np.argsort(keys)
        place = np.searchsorted(keys[order], asked)
        found = there & (place < keys.size)
        found[found] = keys[order[place[found]]] == asked[found]
        rows = np.broadcast_to(np.arange(ids.size).reshape(*ids.shape, 1, 1), found.shape)[found]
        return csr_array((np.ones(rows.size), (rows, order[place[found]])), shape=(ids.size, len(self.pairs)))


def endings(word: str) -> list[str]:
    """Return the last one, two and three characters of a word, with ``^`` before a shorter one.

    Examples
    --------
    >>> endings("cats"), endings("a")
    (['s', 'ts', 'ats'], ['a', '^a'])
    """
    marked = f"^{word}"
    return [marked[-size:] for size in range(1, min(_ENDINGS_LONGEST, len(marked)) + 1)]


def _numbers(lists: Sequence[Sequence[str]], number: dict[str, int]) -> Ids:
    """Return the numbers of some endings, one row a list; -1 where there is none."""
    result = np.full((len(lists), _ENDINGS_LONGEST + 1), -1, np.int64)
    for row, some in enumerate(lists):
        result[row, : len(some)] = [number.get(ending, -1) for ending in some]
    return result
