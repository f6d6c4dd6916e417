"""Translate words through a shared space: the nearest words of the other language.

Translate words and phrases through a shared space, with regard to the sentence that they stand in.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, permutations, product

import numpy as np
from numpy.typing import NDArray

from interlingua.align import Embeddings, SeedDictionary, SharedSpace, retrieve, top_k
from interlingua.align.arrays import unit_rows
from interlingua.align.neighbors import Criterion, fold_csls, fold_query, mean_neighbor_similarity
from interlingua.align.word import LexiconReport, lexicon_report
from interlingua.align.word.auto import covered_pairs
from interlingua.align.word.evaluation import gold_ranks, gold_rows, ranks_report
from interlingua.align.word.reranking.ranking import CandidateRanking
from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.encoders.static import WordSegmenter, is_unspaced, text_runs

#: Added to the name of a space's file for the ranking that was learned for it.
RANKING_SUFFIX = ".ranking"


@dataclass(frozen=True)
class WordTranslations:
    """The best translations of one word.

    Attributes
    ----------
    word : str
        As it was asked for.
    found_as : str or None
        The label that was looked up: the word itself, else its lower-case form; None if neither has a vector.
    translations : tuple of (str, float)
        Target word and score, best first; empty for an unknown word.
    """

    word: str
    found_as: str | None
    translations: tuple[tuple[str, float], ...]


def translate_words(
    space: SharedSpace,
    source: Embeddings,
    target: Embeddings,
    words: Sequence[str],
    *,
    k: int = 5,
    criterion: Criterion = "csls",
    ranking: CandidateRanking | None = None,
) -> list[WordTranslations]:
    """Return the k best translations of each word among the whole target vocabulary.

    Parameters
    ----------
    space : SharedSpace
        Holds maps under the names `source.space` and `target.space`.
    source, target : Embeddings
        The vocabularies. For CSLS the whole source vocabulary measures hubness.
    words : sequence of str
        Words of the source language.
    k : int
        Translations a word.
    criterion : {"csls", "nn", "isf"}
        How translations are ranked.
    ranking : CandidateRanking, optional
        Learned for this space (see `Reranker`): ranks the best candidates by CSLS, whatever the criterion. The scores
        then are log-probabilities among these candidates.

    Raises
    ------
    SpaceError
        If the space lacks a language, the vectors are not those that it was learned on, or the ranking was learned for
        another space.

    Examples
    --------
    >>> import numpy as np
    >>> from interlingua.align.word import Procrustes
    >>> english = Embeddings(("sun", "moon", "star"), np.eye(3), "en")
    >>> french = Embeddings(("lune", "soleil", "étoile"), np.eye(3)[[1, 0, 2]], "fr")
    >>> pairs = np.array([[0, 1], [1, 0], [2, 2]])
    >>> space = Procrustes(normalize="unit").fit(english.vectors, french.vectors, pairs, names=("en", "fr")).space_
    >>> translate_words(space, english, french, ["Sun"], k=1)[0].translations[0][0]
    'soleil'
    """
    looked_up = [_known_as(word, source) for word in words]
    known = [label for label in looked_up if label is not None]
    ranked: Iterator[tuple[tuple[str, float], ...]] = iter(())
    if known:
        rows = [source.index[label] for label in known]
        if ranking is None:
            mapped_source = space.transform(source.vectors, source.space)
            mapped_target = space.transform(target.vectors, target.space)
            found = retrieve(mapped_source[rows], mapped_target, k, criterion=criterion, background=mapped_source)
        else:
            found = ranking.rank(space, source, target, rows, k)
        ranked = iter(
            [
                tuple((target.labels[row], float(score)) for row, score in zip(ids, scores, strict=True))
                for ids, scores in zip(found.ids.tolist(), found.scores.tolist(), strict=True)
            ]
        )
    return [
        WordTranslations(word, label, () if label is None else next(ranked))
        for word, label in zip(words, looked_up, strict=True)
    ]


def _known_as(word: str, source: Embeddings) -> str | None:
    """Return the label that has a vector: the word, else its lower-case form."""
    return next((each for each in (word, word.lower()) if source.row(each) is not None), None)


def score_translations(
    space: SharedSpace,
    source: Embeddings,
    target: Embeddings,
    test: SeedDictionary,
    *,
    criterion: Criterion = "csls",
    ranking: CandidateRanking | None = None,
    seed: int = 0,
) -> LexiconReport:
    """Score the translations of a test dictionary's words among the whole target vocabulary.

    Parameters
    ----------
    space, source, target, criterion, ranking
        As in `translate_words`; the vocabularies are sorted by frequency.
    test : SeedDictionary
        Words without a vector, and those none of whose translations has one, are left out and counted.
    seed : int
        Of the bootstrap interval.

    Raises
    ------
    ValueError
        If no pair has both vectors.

    Examples
    --------
    >>> from interlingua.align.word import Procrustes
    >>> english, french = (Embeddings(("a", "b", "c"), np.eye(3), name) for name in ("en", "fr"))
    >>> pairs = np.array([[0, 0], [1, 1], [2, 2]])
    >>> space = Procrustes(normalize="unit").fit(english.vectors, french.vectors, pairs, names=("en", "fr")).space_
    >>> found = score_translations(space, english, french, SeedDictionary((("a", "a"), ("b", "c"), ("d", "a"))))
    >>> found.score.precision_at_1, found.score.n_words, found.score.n_asked
    (0.5, 2, 3)
    """
    pairs, coverage = covered_pairs(source, target, test)
    gold = gold_rows(pairs)
    if ranking is None:
        mapped = [space.transform(each.vectors, each.space) for each in (source, target)]
        return lexicon_report(mapped[0], mapped[1], gold, n_asked=coverage.n_sources, criterion=criterion, seed=seed)
    rows = np.array(list(gold), np.int64)
    ranks = gold_ranks(ranking.rank(space, source, target, rows, k=10).ids, gold)
    return ranks_report(ranks, rows, len(source), n_asked=coverage.n_sources, seed=seed)


_NEIGHBORHOOD = 10
_PER_WORD, _PER_WORD_WITH_EXAMPLES, _MOST_PHRASES = 3, 10, 200
_LONGEST_REORDERED = 3  # words; every order of more of them would be too many
#: Weights of context and examples relative to CSLS, fitted on Russian candidates of English words in sentences.
_CONTEXT, _EXAMPLE = 2.2, 1.8
_SAID = 0.1  # what counts of pieces weigh beside CSLS
_BETWEEN = 2  # words of a piece that translate none of the phrase
_STOPS = re.compile(r"[^\w\s'\u2019-]")  # a piece does not go beyond
_TYPICAL = 300  # words of the target language, whose mean is what any word is like to the encoder

Vectors = NDArray[np.float32]


class Translator:
    r"""Translate words and phrases of one language.

    Candidates come from the shared space by CSLS. For a phrase they are words near to the sum of its words' vectors,
    and phrases made of the best translations of each word: pieces of examples that hold them with at most two words
    between, or the words alone, in any order where there are up to three, that of the source first. A piece that n
    examples hold counts 0.1 log(1 + n) more. In a context x, a candidate c is ranked by

        s(c) + 2.2 cos(e(c) - m, e(x)) + 1.8 max cos(e(x), e(y) - n),    y an example that holds c,

    where s is CSLS (or the log-probability of a `ranking`), e the sentence encoder, m the mean of e over 300 words of
    the target language, and n that over the examples; the last term is 0 where no example holds c. So a candidate gains
    when the sentence is about what it means, and when sentences like it, in the other language, use it. Which
    inflection is due the encoder cannot see.

    Parameters
    ----------
    space : SharedSpace
        Holds maps under the names `source.space` and `target.space`.
    source, target : Embeddings
        The whole vocabularies, most frequent first.
    encoder : Encoder, optional
        For contexts.
    examples : sequence of str
        Sentences of the target language, any that are at hand; they need no translations. They are encoded once.
    ranking : CandidateRanking, optional
        Learned for this space: ranks the candidates of single words.
    n_candidates : int
        How many candidates a context chooses from, 2 or more.

    Raises
    ------
    ValueError
        If there are examples but no encoder, or n_candidates < 2.

    Examples
    --------
    ::

        translator = Translator(space, english, french, encoder=load_encoder())
        translator.translate("bank", context="They walked along the bank of the river.").translations[0]
    """

    def __init__(
        self,
        space: SharedSpace,
        source: Embeddings,
        target: Embeddings,
        *,
        encoder: Encoder | None = None,
        examples: Sequence[str] = (),
        ranking: CandidateRanking | None = None,
        n_candidates: int = 10,
    ) -> None:
        if examples and encoder is None:
            raise ValueError(
                f"{len(examples)} examples were given, but no encoder to compare them with a context; give one"
            )
        if n_candidates < 2:
            raise ValueError(f"n_candidates must be at least 2, but is {n_candidates}")
        self.space, self.source, self.target = space, source, target
        self.encoder, self.examples, self.ranking = encoder, tuple(examples), ranking
        self.n_candidates = n_candidates

    def translate(self, phrase: str, *, context: str | None = None, k: int = 5) -> WordTranslations:
        """Return the k best translations of a word or phrase.

        Parameters
        ----------
        phrase : str
            Words between blanks; those without a vector are passed over.
        context : str, optional
            A sentence that holds the phrase.
        k : int

        Returns
        -------
        WordTranslations
            Scores are CSLS (of a ranking: log-probabilities), with a context the sum above. Not found if no word has a
            vector.

        Raises
        ------
        ValueError
            If k < 1, or there is a context but no encoder, or the context does not hold the phrase.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, but is {k}")
        if context is not None:
            self._check_context(phrase, context)
        found = self.candidates(phrase, max(k, self.n_candidates if context is not None else 0))
        if context is None or not found.translations:
            return WordTranslations(phrase, found.found_as, found.translations[:k])
        texts = [text for text, _ in found.translations]
        scores = np.array([score for _, score in found.translations]) + self._fit(texts, context)
        order = np.argsort(-scores, kind="stable")[:k]
        return WordTranslations(phrase, found.found_as, tuple((texts[at], float(scores[at])) for at in order.tolist()))

    def candidates(self, phrase: str, k: int) -> WordTranslations:
        """Return the k best translations without regard to a context."""
        words = [label for each in phrase.split() if (label := self._label(each)) is not None]
        whole = self._label(" ".join(phrase.split()))
        if whole is not None or len(words) < 2:
            label = whole or next(iter(words), None)
            if label is None:
                return WordTranslations(phrase, None, ())
            if self.ranking is not None:
                (found,) = translate_words(self.space, self.source, self.target, [label], k=k, ranking=self.ranking)
                return WordTranslations(phrase, label, found.translations)
            return WordTranslations(phrase, label, self._nearest(self._mapped_source[[self.source.index[label]]], k))
        return WordTranslations(phrase, " ".join(words), self._phrases(words, k))

    def _phrases(self, words: Sequence[str], k: int) -> tuple[tuple[str, float], ...]:
        rows = [self.source.index[word] for word in words]
        asked = unit_rows(self._mapped_source[rows].sum(axis=0, keepdims=True))
        scores = dict(self._nearest(asked, k))
        most = min(_PER_WORD_WITH_EXAMPLES, int(_MOST_PHRASES ** (1 / len(rows))))
        per_word = max(_PER_WORD, most) if self.examples else _PER_WORD
        choices = [self._nearest(self._mapped_source[[row]], per_word) for row in rows]
        own = float(top_k(asked, self._mapped_target, _NEIGHBORHOOD).scores.mean())
        made: dict[tuple[str, ...], float] = {}
        for numbers in islice(product(range(per_word), repeat=len(rows)), _MOST_PHRASES):
            labels = tuple(dict.fromkeys(each[at][0] for each, at in zip(choices, numbers, strict=True)))
            if labels in made or (max(numbers) >= _PER_WORD and not len(self._holding(" ".join(labels)))):
                continue
            vector = unit_rows(self._mapped_target[[self.target.index[label] for label in labels]].sum(axis=0)[None])
            hub = float(top_k(vector, self._mapped_source, _NEIGHBORHOOD).scores.mean())
            made[labels] = 2 * float(asked[0] @ vector[0]) - own - hub
        for labels in sorted(made, key=lambda each: -made[each]):
            for text, count in self._pieces(labels).items():
                scores.setdefault(text, made[labels] + _SAID * float(np.log1p(count)))
            # subtle: vectors do not tell one order from another; that of the source stays first among equals
            for order in permutations(labels) if len(labels) <= _LONGEST_REORDERED else (labels,):
                scores.setdefault(" ".join(order), made[labels])
        ranked = sorted(scores.items(), key=lambda each: -each[1])
        return tuple(ranked[:k])

    def _nearest(self, vectors: Vectors, k: int) -> tuple[tuple[str, float], ...]:
        """Return the best words for one vector, by CSLS."""
        found = top_k(fold_query(vectors), self._folded_target, k)
        own = float(top_k(vectors, self._mapped_target, _NEIGHBORHOOD).scores.mean())
        return tuple(
            (self.target.labels[row], float(score) - own)
            for row, score in zip(found.ids[0].tolist(), found.scores[0].tolist(), strict=True)
        )

    def _fit(self, texts: Sequence[str], context: str) -> NDArray[np.float64]:
        """Return what the context adds to the score of each candidate."""
        if self.encoder is None:
            return np.zeros(len(texts))
        encoded = self.encoder.encode([context, *texts])
        sentence, candidates = encoded[0].astype(np.float64), encoded[1:].astype(np.float64)
        gained = _CONTEXT * (_centred(candidates, self._typical_word) @ sentence)
        for number, text in enumerate(texts):
            rows = self._holding(text)
            if len(rows):
                gained[number] += _EXAMPLE * float((self._encoded_examples[rows] @ sentence).max())
        return np.asarray(gained, np.float64)

    def _holding(self, text: str) -> NDArray[np.int64]:
        """Return the examples that hold all words of a text."""
        sets = [self._occurrences.get(word, frozenset()) for word in text.split()]
        return np.array(sorted(frozenset.intersection(*sets)) if sets else [], np.int64)

    def _pieces(self, labels: Sequence[str]) -> Counter[str]:
        """Return the shortest pieces of examples that hold the words, and how many examples do."""
        found: Counter[str] = Counter()
        patterns = [re.compile(_whole_word(each)) for each in labels]
        for row in self._holding(" ".join(labels)).tolist():
            text = unicodedata.normalize("NFC", self.examples[row]).lower()
            places = [[each.span() for each in pattern.finditer(text)] for pattern in patterns]
            ends = [(min(start for start, _ in each), max(end for _, end in each))
                    for each in islice(product(*places), _MOST_PHRASES)]  # fmt: skip
            if not ends:
                continue
            start, end = min(ends, key=lambda each: each[1] - each[0])
            piece = text[start:end]
            if not _STOPS.search(piece) and len(text_runs(piece)) <= len(labels) + _BETWEEN:
                found[piece] += 1
        return found

    def _check_context(self, phrase: str, context: str) -> None:
        if self.encoder is None:
            raise ValueError("a context needs a sentence encoder; make the translator with encoder=load_encoder()")
        if not re.search(re.escape(" ".join(phrase.split())), " ".join(context.split()), re.IGNORECASE):
            raise ValueError(f"the context must hold {phrase!r}, but is {context!r:.80}")

    def _label(self, word: str) -> str | None:
        return _known_as(word, self.source)

    @cached_property
    def _mapped_source(self) -> Vectors:
        return np.asarray(self.space.transform(self.source.vectors, self.source.space), np.float32)

    @cached_property
    def _mapped_target(self) -> Vectors:
        return np.asarray(self.space.transform(self.target.vectors, self.target.space), np.float32)

    @cached_property
    def _folded_target(self) -> Vectors:
        hubness = mean_neighbor_similarity(self._mapped_target, self._mapped_source, _NEIGHBORHOOD)
        return np.asarray(fold_csls(self._mapped_target, hubness), np.float32)

    @cached_property
    def _typical_word(self) -> NDArray[np.float64]:
        if self.encoder is None:
            return np.empty(0)
        words = self.target.labels[:: max(len(self.target) // _TYPICAL, 1)]
        return np.asarray(self.encoder.encode(words).mean(axis=0, dtype=np.float64))

    @cached_property
    def _encoded_examples(self) -> NDArray[np.float64]:
        if self.encoder is None:
            return np.empty((0, 0))
        vectors = self.encoder.encode(self.examples).astype(np.float64)
        return _centred(vectors, vectors.mean(axis=0))

    @cached_property
    def _occurrences(self) -> dict[str, frozenset[int]]:
        segmenter = WordSegmenter(self.target.index)
        found: dict[str, set[int]] = {}
        for number, text in enumerate(self.examples):
            for word in segmenter.words(text):
                found.setdefault(word, set()).add(number)
        return {word: frozenset(rows) for word, rows in found.items()}


def _whole_word(label: str) -> str:
    """Return the pattern of a word between spaces or punctuation, or anywhere where its script writes no spaces."""
    pattern = re.escape(label)
    return pattern if is_unspaced(label[:1]) else rf"(?<!\w){pattern}(?!\w)"


def _centred(vectors: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    moved = vectors - mean
    return np.asarray(moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12), np.float64)
