"""Words and their translations, learned from texts that say the same, such as titles in several languages.

Two words belong together as often as they stand in the same texts: by Dice, 2 n_st / (n_s + n_t), where n_s texts have
the one, n_t the other, and n_st both [1]_. A word that has no translation in a language gets those of its translations
in third languages, for 0.8 times the product of both.

References
----------
.. [1] Dice (1945), "Measures of the amount of ecologic association between species", doi:10.2307/1932409.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import numpy as np

from interlingua.pipelines.texts.languages import find_language

from .words import pieces, pieces_of, words

Translations = dict[str, list[tuple[str, float]]]  # of a word, the likeliest first
_LEAST, _MOST, _TOGETHER = 0.3, 2, 2  # Dice, translations of a word, texts that have both
_LEAST_THROUGH, _THROUGH = 0.2, 0.8  # what is left of Dice by way of a third language, and its share
_NAME = "lexicon.json"


@dataclass
class WordLexicon:
    """Translations of words, for each pair of languages.

    Attributes
    ----------
    translations : dict of (str, str) to dict of str to list of (str, float)
        Languages -> word, as `interlingua.pipelines.search.lexical.words` gives it -> its translations with their Dice,
        best first.
    """

    translations: dict[tuple[str, str], Translations] = field(default_factory=dict)

    @classmethod
    def learned(cls, rows: Sequence[Mapping[str, str]]) -> "WordLexicon":
        """Learn from texts that say the same.

        Parameters
        ----------
        rows : sequence of mapping of str to str
            Language -> text; where one is missing or blank, the row tells nothing of that language.

        Raises
        ------
        ValueError
            If no row has texts in two languages.

        Examples
        --------
        >>> rows = [{"en": "red wine", "de": "roter Wein"}, {"en": "white wine", "de": "weißer Wein"}]
        >>> WordLexicon.learned(rows).translations["en", "de"]["wine"]
        [('wein', 1.0)]
        """
        cut: dict[str, dict[int, list[str]]] = {}
        for number, row in enumerate(rows):
            for language, text in row.items():
                if found := sorted(set(words(text or ""))):
                    cut.setdefault(language, {})[number] = found
        pairs = {pair: _by_dice(cut[pair[0]], cut[pair[1]]) for pair in permutations(cut, 2)}
        if not any(len(cut[source].keys() & cut[target].keys()) for source, target in pairs):
            raise ValueError(
                "a lexicon is learned from rows with texts in two languages that say the same, but no row has them; "
                "give a table with a column for each language, such as en, de"
            )
        wider = {pair: _with_third(pair, pairs, cut) for pair in pairs}
        return cls({pair: each for pair, each in wider.items() if each})

    def __len__(self) -> int:
        return sum(map(len, self.translations.values()))

    def pieces(self, question: str, asked_in: str, language: str) -> dict[str, float]:
        """Return the weighted pieces that ask a question of texts in another language.

        A word with translations is asked for by these, each by its Dice; others, such as names, stay as they are.

        Examples
        --------
        >>> lexicon = WordLexicon({("en", "de"): {"wine": [("wein", 0.9)]}})
        >>> lexicon.pieces("wine", "en", "de")
        {' wei': 0.9, 'wein': 0.9, 'ein ': 0.9}
        """
        known = self._between(asked_in, language)
        if not known:
            return dict.fromkeys(pieces(question), 1.0)
        asked: dict[str, float] = {}
        for word in dict.fromkeys(words(question)):
            for said, weight in known.get(word) or [(word, 1.0)]:
                for piece in pieces_of(said):
                    asked[piece] = max(asked.get(piece, 0.0), weight)
        whole = [piece for piece in pieces(question) if piece.startswith("=")]
        return asked | dict.fromkeys(whole, 1.0)

    def _between(self, asked_in: str, language: str) -> Translations:
        sources = {source: None for source, _ in self.translations}
        targets = {target: None for _, target in self.translations}
        source, target = _nearest(asked_in, sources), _nearest(language, targets)
        if source is None or target is None or source == target:
            return {}
        return self.translations.get((source, target), {})

    def attachments(self) -> dict[str, bytes]:
        """Return what `restored` reads."""
        rows = [[*pair, found] for pair, found in self.translations.items()]
        return {_NAME: json.dumps(rows, ensure_ascii=False).encode("utf-8", "surrogatepass")}

    @classmethod
    def restored(cls, files: Mapping[str, bytes]) -> "WordLexicon | None":
        """Return what `attachments` gave, or None where there is none."""
        if _NAME not in files:
            return None
        rows: list[tuple[str, str, dict[str, Any]]] = json.loads(files[_NAME])
        return cls(
            {(a, b): {word: [tuple(each) for each in said] for word, said in known.items()} for a, b, known in rows}
        )


def _nearest(language: str, held: Collection[str]) -> str | None:
    """Return the language as it is held, or the one that it is a variety of."""
    return find_language(language, held) or find_language(re.split("[-_]", language)[0], held)


def _by_dice(sources: Mapping[int, Sequence[str]], targets: Mapping[int, Sequence[str]]) -> Translations:
    shared = sorted(sources.keys() & targets.keys())
    if not shared:
        return {}
    (left, left_words), (right, right_words) = (
        _incidence([side[row] for row in shared]) for side in (sources, targets)
    )
    both = (left.T @ right).tocoo()
    n_left, n_right = np.asarray(left.sum(axis=0)).ravel(), np.asarray(right.sum(axis=0)).ravel()
    dice = 2 * both.data / (n_left[both.row] + n_right[both.col])
    kept = np.flatnonzero((dice >= _LEAST) & (both.data >= min(_TOGETHER, len(shared))))
    found: Translations = {}
    for place in kept[np.lexsort((both.col[kept], -dice[kept]))].tolist():
        said = found.setdefault(left_words[both.row[place]], [])
        if len(said) < _MOST:
            said.append((right_words[both.col[place]], round(float(dice[place]), 4)))
    return found


def _with_third(
    pair: tuple[str, str], known: Mapping[tuple[str, str], Translations], languages: Iterable[str]
) -> Translations:
    """Return the translations of a pair of languages, with those of other words by way of a third language."""
    source, target = pair
    found: dict[str, dict[str, float]] = {}
    for third in set(languages) - {source, target}:
        onward = known[third, target]
        for word, said in known[source, third].items():
            if word not in known[pair]:
                for middle, first in said:
                    for end, second in onward.get(middle, ()):
                        ends = found.setdefault(word, {})
                        ends[end] = max(ends.get(end, 0.0), round(_THROUGH * first * second, 4))
    more = {
        word: sorted(((end, dice) for end, dice in ends.items() if dice >= _LEAST_THROUGH), key=lambda x: (-x[1], x[0]))
        for word, ends in found.items()
    }
    return {**known[pair], **{word: more[word][:_MOST] for word in sorted(more) if more[word]}}


def _incidence(rows: Sequence[Sequence[str]]) -> tuple[Any, list[str]]:
    from scipy import sparse  # subtle: here, since a search that has no lexicon to learn needs none of it

    numbers: dict[str, int] = {}
    columns = [numbers.setdefault(word, len(numbers)) for row in rows for word in row]
    places = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    counts = sparse.csr_array((np.ones(len(columns), np.float32), (places, columns)), shape=(len(rows), len(numbers)))
    return counts, list(numbers)
