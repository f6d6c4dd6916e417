"""How many texts of a language a search finds at most, without a question whose answer is known.

A text asks for itself by its own beginning. Real questions say it in other words, so they find it less often: what
is found here bounds their recall from above, as far as the sample tells.

Held out, the text is there without its beginning, so that no word that asks is found again for that alone; it asks more
of the search than most questions do.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.shares import share_interval
from interlingua.pipelines.search.finding import SearchHit
from interlingua.pipelines.search.languages import map_by_language
from interlingua.pipelines.search.ranked import hubness_of, typical_hubness
from interlingua.pipelines.search.search import CrossLingualSearch
from interlingua.pipelines.search.windows import passage_of
from interlingua.pipelines.texts.passages import UNDETERMINED

#: Texts of a language that a bound needs.
FEWEST = 20
_BEGINNING = 12  # words
_UNSPACED = 24  # characters, where words are not set apart
_LEAST_LONGER = 1.5  # times the beginning, or the text is its own question


@dataclass(frozen=True)
class RecallBound:
    """What part of a language's texts is found by their beginnings.

    Attributes
    ----------
    language : str
    texts : int
        In the sample.
    found : float
        Share of them among the first k.
    low, high : float
        The 95 % interval of Clopper and Pearson; recall of real questions is at most `high`.
    held_out, held_out_low, held_out_high : float
        The same of texts that are there without their beginnings; NaN where passages have windows.
    """

    language: str
    texts: int
    found: float
    low: float
    high: float
    held_out: float
    held_out_low: float
    held_out_high: float


@dataclass(frozen=True)
class RecallBounds:
    """The bounds of a search.

    Attributes
    ----------
    k : int
        Hits a question.
    bounds : tuple of RecallBound
        One for each language that has enough texts.
    refused : mapping of str to int
        The languages that have too few, each with the number of texts that could ask.
    """

    k: int
    bounds: tuple[RecallBound, ...]
    refused: dict[str, int]

    def of(self, language: str) -> RecallBound:
        """Return the bound of a language.

        Raises
        ------
        ValueError
            If too few of its texts are longer than a question.
        """
        for each in self.bounds:
            if each.language == language:
                return each
        seen = self.refused.get(language, 0)
        raise ValueError(
            f"a bound of recall needs {FEWEST} texts longer than a question, but {language!r} has {seen}; add texts, "
            "or measure with questions and their answers"
        )


def recall_bounds(
    search: CrossLingualSearch, *, k: int = 10, sample: int = 50, seed: int = 0, prefer: float | None = None
) -> RecallBounds:
    """Ask a search for texts of its own by their beginnings.

    Parameters
    ----------
    search : CrossLingualSearch
        With the texts; in memory, or in Milvus, where the first are taken.
    k : int
        Hits a question.
    sample : int
        Texts a language, at most; each is encoded.
    seed : int
        Draws them.
    prefer : float, optional
        As in `CrossLingualSearch.search`.

    Raises
    ------
    ValueError
        If k or the sample is below 1.
    """
    if k < 1 or sample < 1:
        raise ValueError(f"k ({k}) and sample ({sample}) must be at least 1")
    asking = _drawn(search, sample, seed)
    chosen = [(name, id, text) for name, rows in asking.items() if len(rows) >= FEWEST for id, text in rows]
    refused = {name: len(rows) for name, rows in asking.items() if len(rows) < FEWEST}
    if not chosen:
        return RecallBounds(k, (), refused)
    spoken = [name for name, *_ in chosen]
    raw = search.encoder.encode([beginning(text) or text for *_, text in chosen], role="query")
    # subtle: beginnings are not the questions that a batch would be centred on
    vectors = map_by_language(search.question_space, raw, spoken)
    lists = search.search_vectors(vectors, k + 1, asked_in=spoken, prefer=prefer)
    hit = np.array([any(each.id == id for each in hits[:k]) for (_, id, _), hits in zip(chosen, lists, strict=True)])
    held = None if search.windows else _held_out(search, chosen, vectors, lists, k)
    names = np.array(spoken)
    bounds = [
        _bound(name, hit[names == name], None if held is None else held[names == name])
        for name in dict.fromkeys(spoken)
    ]
    return RecallBounds(k, tuple(bounds), refused)


def _held_out(
    search: CrossLingualSearch,
    chosen: Sequence[tuple[str, str, str]],
    vectors: NDArray[np.float32],
    lists: Sequence[Sequence[SearchHit]],
    k: int,
) -> NDArray[np.bool_]:
    """Tell which texts would be found if their beginnings were not there, by what their scores would be then."""
    spoken, ids = [name for name, *_ in chosen], [id for _, id, _ in chosen]
    rest = [text[len(beginning(text) or "") :].strip() for *_, text in chosen]
    planted = map_by_language(search.space, search.encoder.encode(rest, role="passage"), spoken)
    whole = search.vectors(ids)
    twice = 2 if search.background else 1
    gain = twice * np.einsum("ij,ij->i", vectors, planted - whole)
    if search.background:
        typical = partial(typical_hubness, search.background, search.neighborhood)
        known = search.background, search.neighborhood, typical
        gain -= hubness_of(planted, spoken, *known) - hubness_of(whole, spoken, *known)
    found = []
    for id, hits, more in zip(ids, lists, gain.tolist(), strict=True):
        own = [hit.score for hit in hits if hit.id == id]
        others = [hit.score for hit in hits if hit.id != id]
        found.append(bool(own) and sum(score > own[0] + more for score in others) < k)
    return np.array(found)


def beginning(text: str) -> str | None:
    """Return the first words of a text, as a question might be; None where hardly more follows.

    Examples
    --------
    >>> beginning("one two three four five six seven eight nine ten eleven twelve " + "more " * 9)
    'one two three four five six seven eight nine ten eleven twelve'
    >>> beginning("a short text")
    """
    words = text.split()
    if len(words) >= _BEGINNING * _LEAST_LONGER:
        end = re.match(rf"\s*(?:\S+\s+){{{_BEGINNING - 1}}}\S+", text)
        return text[: end.end()] if end else None
    unspaced = len(text) >= _UNSPACED * _LEAST_LONGER and len(text) > 15 * len(words)
    return text[:_UNSPACED] if unspaced else None


def _bound(language: str, hit: NDArray[np.bool_], held: NDArray[np.bool_] | None) -> RecallBound:
    nan = float("nan")
    own = float(hit.mean()), *share_interval(int(hit.sum()), len(hit))
    other = (nan, nan, nan) if held is None else (float(held.mean()), *share_interval(int(held.sum()), len(held)))
    return RecallBound(language, len(hit), *own, *other)


def _drawn(search: CrossLingualSearch, sample: int, seed: int) -> dict[str, list[tuple[str, str]]]:
    """Return ids and texts, of different beginnings, of at most so many of each language."""
    found: dict[str, list[tuple[str, str]]] = {name: [] for name in search.languages if name != UNDETERMINED}
    seen: set[str] = set()
    collection: Any = search.collection
    for batch in collection.batches(4096):
        for row_id, row in zip(batch.ids, batch.metadata):
            text, name, id = row.get("text"), row.get("language"), passage_of(row_id, row)
            if id != row_id:  # a further window of a passage
                continue
            if isinstance(text, str) and name in found and (asked := beginning(text)) and asked not in seen:
                seen.add(asked)
                found[name].append((id, text))
    rng = np.random.default_rng(seed)
    return {name: _some(rows, sample, rng) for name, rows in found.items()}


def _some(rows: Sequence[tuple[str, str]], n: int, rng: np.random.Generator) -> list[tuple[str, str]]:
    return [rows[place] for place in sorted(rng.permutation(len(rows))[:n].tolist())]
