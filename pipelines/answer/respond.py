"""Choose the reply of a dialogue from replies that are there, in any language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.search.judged import relevance_of, search_judged
from interlingua.pipelines.search.relevance import Relevance
from interlingua.pipelines.search.search import CrossLingualSearch
from interlingua.pipelines.texts.passages import UNDETERMINED, Passage
from interlingua.pipelines.texts.tables import read_columns


@dataclass(frozen=True)
class Exchange:
    """A reply, and what it replies to where that is known.

    Attributes
    ----------
    response : str
        What is said.
    prompt : str
        What it answers, such as the question of a list of frequent ones; it is matched with what a user says. Without
        one the reply itself is matched.
    language : str
        Of both; "und" where unknown.
    """

    response: str
    prompt: str = ""
    language: str = UNDETERMINED


@dataclass(frozen=True)
class Reply:
    """A reply that was chosen.

    Attributes
    ----------
    response, prompt, language
        Of the exchange.
    score : float
        What replies are ranked by, the turns' scores weighted and summed; higher is better.
    cosine : float
        The largest cosine of a turn and what was matched.
    probability : float
        That it is the right reply, see `Relevance`; the same in tables of all sizes and languages. NaN where the
        encoder knows too few texts to tell.
    answerable : float
        The probability that the table is about what was said last; what `least` goes by.
    """

    response: str
    prompt: str
    language: str
    score: float
    cosine: float
    probability: float = float("nan")
    answerable: float = float("nan")


class ResponseSelector:
    r"""Choose replies to the turns of a dialogue.

    The score of a reply r after turns u_1 ... u_n is

        s(r) = sum_t decay^(n - t) s(u_t, r) / sum_t decay^(n - t)

    over the last `memory` turns, where s is the score of `CrossLingualSearch`: CSLS in the shared space of the
    languages. A reply that is not among the best 50 of a turn counts there as the last of these.

    Parameters
    ----------
    search : CrossLingualSearch
        Over what is matched; the replies are metadata. `build` makes it.
    decay : float
        Weight of a turn relative to the next one, from 0 (only the last turn counts) to 1.
    memory : int
        Turns that count, at least 1.

    Examples
    --------
    ::

        bot = ResponseSelector.build(read_exchanges("FAQ.tsv", language="en"))
        bot.respond(["Wie kann ich mein Passwort ändern?"])[0].response
    """

    def __init__(self, search: CrossLingualSearch, *, decay: float = 0.3, memory: int = 3) -> None:
        if not 0 <= decay <= 1 or memory < 1:
            raise ValueError(f"decay must lie in 0 ... 1 and memory be at least 1, but they are {decay} and {memory}")
        self.search, self.decay, self.memory = search, decay, memory

    @classmethod
    def build(
        cls,
        exchanges: Iterable[Exchange],
        encoder: Encoder | None = None,
        *,
        decay: float = 0.3,
        memory: int = 3,
        **options: Any,
    ) -> ResponseSelector:
        """Encode and index what is matched; `options` are those of `CrossLingualSearch.build`.

        Raises
        ------
        ValueError
            If there is no exchange, or one without a response.
        """
        given = list(exchanges)
        empty = [number for number, each in enumerate(given, start=1) if not each.response.strip()]
        if not given or empty:
            seen = f"number {empty[0]} has none" if empty else "there are none"
            raise ValueError(f"each exchange needs a response, but {seen}")
        passages = [
            Passage(str(number), each.prompt or each.response, each.language, {"response": each.response})
            for number, each in enumerate(given)
        ]
        return cls(CrossLingualSearch.build(passages, encoder, lexical=False, **options), decay=decay, memory=memory)

    def respond(
        self,
        turns: Sequence[str],
        k: int = 3,
        *,
        least: float = 0.5,
        language: str | None = None,
        languages: Iterable[str] | None = None,
    ) -> list[Reply]:
        """Return the k best replies to a dialogue, or none where the table is not about what was said.

        Parameters
        ----------
        turns : sequence of str
            What was said, oldest first; the reply follows the last.
        k : int
            Replies, at most.
        least : float
            None, where the probability that the table is about what was said last is lower; 0 always replies.

            Where the encoder knows too few texts to tell, as word vectors may, nothing is refused.
        language : str, optional
            Of the turns; guessed for each if not given.
        languages : iterable of str, optional
            Only replies in these languages.

        Raises
        ------
        ValueError
            If there is no turn, k < 1, or `least` is no probability.
        """
        if not turns:
            raise ValueError("there must be at least one turn to reply to, but there is none")
        if not 0 <= least <= 1:
            raise ValueError(f"least is a probability from 0 to 1, but is {least}")
        recent = list(turns)[-self.memory :]
        if self.decay == 0:
            recent = recent[-1:]
        allowed = None if languages is None else list(languages)
        judged = search_judged(self.search, self.relevance, recent, k, language=language, languages=allowed)
        weights = self.decay ** np.arange(len(recent))[::-1]
        weights = weights / weights.sum()
        hits = {hit.id: hit for found in judged for hit in found.hits}
        scores = _together(weights, [{hit.id: hit.score for hit in found.hits} for found in judged], hits)
        # subtle: earlier turns help to choose, but do not make sense of what has none
        last = judged[-1]
        sure = dict(zip([hit.id for hit in last.hits], last.probability.tolist(), strict=True))
        if self.search.space is None and self.relevance is not None:  # too few to remove the languages by themselves
            alike = [dict(zip([hit.id for hit in each.hits], each.similarity.tolist(), strict=True)) for each in judged]
            scores = _together(weights, alike, hits)
        if last.answerable < least:
            return []
        best = sorted(scores, key=lambda name: -scores[name])[:k]
        cosines = {name: max(hit.cosine for found in judged for hit in found.hits if hit.id == name) for name in best}
        return [
            Reply(
                hits[name].metadata["response"],
                hits[name].text if hits[name].text != hits[name].metadata["response"] else "",
                hits[name].language,
                scores[name],
                cosines[name],
                sure.get(name, min(sure.values(), default=float("nan"))),
                last.answerable,
            )
            for name in best
        ]

    @cached_property
    def relevance(self) -> Relevance | None:
        """What tells probabilities; None where the encoder knows too few texts about anything."""
        return relevance_of(self.search.encoder)


def _together(
    weights: NDArray[np.float64], lists: Sequence[Mapping[str, float]], names: Iterable[str]
) -> dict[str, float]:
    """Return the weighted sum of each reply's scores; where a turn did not find it, the least of those it found."""
    scores = dict.fromkeys(names, 0.0)
    for weight, own in zip(weights, lists, strict=True):
        least = min(own.values(), default=0.0)
        for name in scores:
            scores[name] += float(weight) * own.get(name, least)
    return scores


def read_exchanges(
    path: str | Path,
    *,
    prompt: str = "question",
    response: str = "answer",
    language: str | None = None,
) -> list[Exchange]:
    r"""Return the exchanges of a table (TSV, JSON lines or parquet, see `read_columns`).

    Parameters
    ----------
    path : str or Path
    prompt, response : str
        Columns; that of prompts may be missing. A column `language` is read where there is one.
    language : str, optional
        Of all rows, where there is no such column.

    Raises
    ------
    ValueError
        From `read_columns`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "faq.tsv"
    ...     written = path.write_text("question\tanswer\nWhen do you open?\tAt nine.\n")
    ...     read_exchanges(path, language="en")
    [Exchange(response='At nine.', prompt='When do you open?', language='en')]
    """
    found = read_columns(path, [response], optional=[prompt, "language"])
    n = len(found[response])
    prompts = found.get(prompt, [""] * n)
    names = found.get("language", [language or UNDETERMINED] * n)
    return [Exchange(*each) for each in zip(found[response], prompts, names, strict=True)]
