"""Intrinsic quality of word vectors: similarity judgements and analogies, before and after a map."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interlingua.align.arrays import unit_rows
from interlingua.align.lines import Source, decoded, raw_lines, source_name
from interlingua.align.neighbors import top_k
from interlingua.align.space import SharedSpace
from interlingua.align.vocabulary import Embeddings

_FEWEST_PAIRS = 2


@dataclass(frozen=True)
class SimilarityJudgements:
    """Pairs of words with the similarity that people gave them; the words may be of two languages.

    Parameters
    ----------
    pairs : tuple of (str, str)
    scores : tuple of float
        Higher is more alike, on any scale: only their order counts.
    name : str
    """

    pairs: tuple[tuple[str, str], ...]
    scores: tuple[float, ...]
    name: str = ""

    def __post_init__(self) -> None:
        if len(self.pairs) != len(self.scores):
            raise ValueError(f"one score a pair is needed: {len(self.pairs)} pairs, {len(self.scores)} scores")

    @classmethod
    def read(cls, path: Source, *, lower: bool = True, name: str | None = None) -> "SimilarityJudgements":
        """Read lines of word, word, score, as in WordSim-353: by tab where there is one, else by blanks.

        A first line whose third field is no number is a header. Fields after the third are left out.

        Parameters
        ----------
        path : str, path or binary file
            UTF-8.
        lower : bool
            Lower-case the words, as most vocabularies are.
        name : str, optional
            What errors call it; by default its path, or ``<stream>``.

        Raises
        ------
        ValueError
            If a line holds no judgement or is not UTF-8, with path and line.
        """
        pairs, scores, called = [], [], source_name(path, name)
        for number, line in _numbered_lines(path, called):
            if not line.strip():
                continue
            fields = [field.strip() for field in (line.split("\t") if "\t" in line else line.split())]
            score = _number(fields[2]) if len(fields) > 2 else None
            if score is None:
                if number == 1 and len(fields) > 2:
                    continue
                raise ValueError(
                    f"{called}, line {number}: a line must hold word, word, score, "
                    f"but is {line[:60]!r}; separate them by tabs"
                )
            first, second = (word.lower() if lower else word for word in fields[:2])
            pairs.append((first, second))
            scores.append(score)
        return cls(tuple(pairs), tuple(scores), Path(called).stem)


@dataclass(frozen=True)
class SimilarityScore:
    """How well cosine orders pairs as people do.

    Attributes
    ----------
    spearman : float
        Rank correlation in [-1, 1], ties by mean rank; NaN where fewer than two pairs are covered or all are equal.
    n_pairs : int
        Pairs with both vectors; the others are left out, not given a middle score.
    n_asked : int
        Pairs in the set.
    """

    spearman: float
    n_pairs: int
    n_asked: int

    @property
    def coverage(self) -> float:
        """Share of the pairs that were scored."""
        return self.n_pairs / self.n_asked if self.n_asked else 0.0


def word_similarity(
    judgements: SimilarityJudgements, first: Embeddings, second: Embeddings | None = None
) -> SimilarityScore:
    """Return Spearman's rank correlation of cosines and judgements.

    Parameters
    ----------
    judgements : SimilarityJudgements
        The first word of each pair is looked up in `first`, the second in `second`.
    first : Embeddings
        One language.
    second : Embeddings, optional
        The language of the second words, in the same space as `first`; by default `first`.

    Raises
    ------
    ValueError
        If the two differ in dimension.

    Examples
    --------
    >>> words = Embeddings(("cat", "dog", "car"), np.array([[1, 0.1], [1, 0.3], [0, 1]]))
    >>> said = SimilarityJudgements((("cat", "dog"), ("dog", "car"), ("cat", "car")), (9, 2, 1))
    >>> round(word_similarity(said, words).spearman, 6)
    1.0
    """
    first, second = first.known(), (first if second is None else second).known()
    if first.dimension != second.dimension:
        raise ValueError(
            f"both languages must lie in one space, but have dimensions {first.dimension} and "
            f"{second.dimension}; map them first (see SharedSpace.transform)"
        )
    covered = [
        (first.index[a], second.index[b], score)
        for (a, b), score in zip(judgements.pairs, judgements.scores, strict=True)
        if a in first.index and b in second.index
    ]
    if not covered:
        return SimilarityScore(float("nan"), 0, len(judgements.pairs))
    rows_a, rows_b, scores = (list(column) for column in zip(*covered, strict=True))
    x, y = unit_rows(first.vectors[rows_a]), unit_rows(second.vectors[rows_b])
    cosines = np.einsum("ij,ij->i", x, y, dtype=np.float64)
    return SimilarityScore(_spearman(cosines, np.array(scores, np.float64)), len(covered), len(judgements.pairs))


@dataclass(frozen=True)
class Analogies:
    """Questions a : b = c : d in sections; the answer is d.

    Parameters
    ----------
    sections : mapping of str to sequence of (str, str, str, str)
    """

    sections: Mapping[str, Sequence[tuple[str, str, str, str]]]

    @classmethod
    def read(cls, path: Source, *, lower: bool = True, name: str | None = None) -> "Analogies":
        """Read lines of four words, in sections that begin with ``: name``.

        Parameters
        ----------
        path : str, path or binary file
            UTF-8.
        lower : bool
            Lower-case the words, as most vocabularies are.
        name : str, optional
            What errors call it; by default its path, or ``<stream>``.

        Raises
        ------
        ValueError
            If a line does not hold four words or is not UTF-8, with path and line.
        """
        sections: dict[str, list[tuple[str, str, str, str]]] = {}
        section, called = "", source_name(path, name)
        for number, line in _numbered_lines(path, called):
            if line.startswith(":"):
                section = line[1:].strip()
                continue
            words = line.lower().split() if lower else line.split()
            if not words:
                continue
            if len(words) != 4:
                raise ValueError(f"{called}, line {number}: a question must be four words, but is {line[:60]!r}")
            sections.setdefault(section, []).append((words[0], words[1], words[2], words[3]))
        return cls(sections)


@dataclass(frozen=True)
class AnalogyScore:
    """Share of analogies answered.

    Attributes
    ----------
    accuracy : float
        Over all scored questions, in [0, 1]; NaN where none is covered.
    by_section : mapping of str to float
        Sections with at least one scored question.
    n_scored, n_asked : int
        Questions with all four vectors, and all questions.
    """

    accuracy: float
    by_section: Mapping[str, float]
    n_scored: int
    n_asked: int

    @property
    def coverage(self) -> float:
        """Share of the questions that were scored."""
        return self.n_scored / self.n_asked if self.n_asked else 0.0


def analogy_accuracy(embeddings: Embeddings, analogies: Analogies) -> AnalogyScore:
    """Answer a : b = c : ? by 3CosAdd: the word nearest to b - a + c other than a, b and c.

    Vectors are made unit first; the whole vocabulary is searched [1]_.

    Parameters
    ----------
    embeddings : Embeddings
        One language.
    analogies : Analogies
        Questions with a word without a vector are left out and counted.

    References
    ----------
    .. [1] Mikolov, Yih and Zweig (2013), "Linguistic regularities in continuous space word representations", NAACL.
       https://aclanthology.org/N13-1090

    Examples
    --------
    >>> vectors = np.array([[1, 0, 1], [0, 1, 1], [1, 0, -1], [0, 1, -1]])
    >>> words = Embeddings(("man", "woman", "king", "queen"), vectors)
    >>> analogy_accuracy(words, Analogies({"": [("man", "woman", "king", "queen")]})).accuracy
    1.0
    """
    embeddings = embeddings.known()
    vectors = unit_rows(embeddings.vectors)
    index = embeddings.index
    by_section: dict[str, float] = {}
    n_right = n_scored = n_asked = 0
    for section, questions in analogies.sections.items():
        n_asked += len(questions)
        rows = [[index[word] for word in question] for question in questions if all(w in index for w in question)]
        if not rows:
            continue
        a, b, c, d = np.array(rows, np.int64).T
        found = top_k(vectors[b] - vectors[a] + vectors[c], vectors, 4).ids
        # of four neighbours at most three are words of the question
        asked = np.stack([a, b, c], axis=1)
        allowed = ~(found[:, :, None] == asked[:, None, :]).any(axis=2)
        best = np.take_along_axis(found, allowed.argmax(axis=1)[:, None], axis=1)[:, 0]
        right = int(((best == d) & allowed.any(axis=1)).sum())
        by_section[section] = right / len(rows)
        n_right, n_scored = n_right + right, n_scored + len(rows)
    return AnalogyScore(n_right / n_scored if n_scored else float("nan"), by_section, n_scored, n_asked)


@dataclass(frozen=True)
class MonolingualQuality:
    """What a map does to one language; an orthogonal one changes nothing but what centring does.

    Attributes
    ----------
    similarity : mapping of str to (SimilarityScore, SimilarityScore)
        By set: before and after.
    analogy : (AnalogyScore, AnalogyScore) or None
        Before and after, where analogies were given.
    """

    similarity: Mapping[str, tuple[SimilarityScore, SimilarityScore]]
    analogy: tuple[AnalogyScore, AnalogyScore] | None = None


def monolingual_quality(
    space: SharedSpace,
    embeddings: Embeddings,
    judgements: Sequence[SimilarityJudgements] = (),
    analogies: Analogies | None = None,
) -> MonolingualQuality:
    """Score one language's vectors before and after its map.

    Parameters
    ----------
    space : SharedSpace
        Its language is named by `embeddings.space`.
    embeddings : Embeddings
        The vectors before the map.
    judgements : sequence of SimilarityJudgements
        With different names.
    analogies : Analogies, optional
    """
    after = Embeddings(embeddings.labels, space.transform(embeddings.vectors, embeddings.space), embeddings.space)
    return MonolingualQuality(
        {each.name: (word_similarity(each, embeddings), word_similarity(each, after)) for each in judgements},
        None if analogies is None else (analogy_accuracy(embeddings, analogies), analogy_accuracy(after, analogies)),
    )


def _spearman(first: np.ndarray, second: np.ndarray) -> float:
    if first.size < _FEWEST_PAIRS or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    from scipy.stats import spearmanr

    return float(spearmanr(first, second).statistic)


def _numbered_lines(source: Source, name: str) -> Iterator[tuple[int, str]]:
    for number, raw in raw_lines(source):
        try:
            yield number, decoded(raw)
        except ValueError as error:
            raise ValueError(f"{name}, line {number}: {error}") from error


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None
