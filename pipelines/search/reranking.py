"""The best passages of a search ranked anew, by question and passage together.

By the vectors of their tokens, late interaction [1]_: each token of the question looks for the nearest one of the
passage, and the mean of these cosines is the score t. Tokens carry language as whole texts do, so that they are mapped
as texts are: each text's are scaled until their mean has length 1, and moved and turned by the map of its language.
With z(.) in deviations from the mean of the passages that are ranked anew, and s the score that found them, which knows
words and preferred languages,

    z(t) + z(s) / 2

Or by a cross-encoder, which reads both together, and whose score decides alone.

References
----------
.. [1] Khattab and Zaharia (2020), "ColBERT: Efficient and effective passage search via contextualized late interaction
   over BERT", arXiv:2004.12832.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from interlingua.align import SharedSpace
from interlingua.align.arrays import require, unit_rows
from interlingua.pipelines.encoders.base import Encoder, Role
from interlingua.pipelines.encoders.tokens import Tokens, token_vectors
from interlingua.pipelines.encoders.transformer import quiet_loading

from .finding import SearchHit
from .judged import Searching
from .questions import map_of

#: Passages that are ranked anew.
RERANKED = 50
_FOUND = 0.5  # of z(s); chosen on descriptions of packages in nine languages
_TINY = 1e-9


class Reranker(Protocol):
    """Scores passages that were found for a question."""

    @property
    def found(self) -> float:
        """How much the score counts that found them, in deviations of its own scores."""

    def scores(self, question: str, asked_in: str, hits: Sequence[SearchHit]) -> NDArray[np.float64]:
        """Return one score a passage, higher is better."""


class TokenReranker:
    """Late interaction: the mean, over the question's tokens, of the cosine of the nearest token of the passage.

    Parameters
    ----------
    encoder : Encoder
        Gives vectors of tokens.
    space, question_space : SharedSpace or None
        Map passages and questions.
    keep : int
        Texts whose tokens are kept, the last used; some 80 kB each.

    Raises
    ------
    ValueError
        If the encoder gives no vectors of tokens, once it is asked.
    """

    found = _FOUND

    def __init__(
        self, encoder: Encoder, space: SharedSpace | None, question_space: SharedSpace | None, *, keep: int = 64
    ) -> None:
        self._encoder, self._spaces = encoder, {"passage": space, "query": question_space}
        self._kept: dict[tuple[str, str], Tokens] = {}
        self._keep = keep

    def scores(self, question: str, asked_in: str, hits: Sequence[SearchHit]) -> NDArray[np.float64]:
        """Return the mean of the nearest cosines for each passage."""
        (asked,) = self._tokens([(question, asked_in)], "query")
        said = self._tokens([(shown(hit), hit.language) for hit in hits], "passage")
        return np.array([(asked @ each.T).max(axis=1).mean() for each in said], np.float64)

    def _tokens(self, texts: Sequence[tuple[str, str]], role: Role) -> list[Tokens]:
        known = {} if role == "query" else {each: self._kept[each] for each in texts if each in self._kept}
        missing = [each for each in dict.fromkeys(texts) if each not in known]
        if missing:
            fresh = token_vectors(self._encoder, [text for text, _ in missing], role)
            known |= {
                each: mapped_tokens(self._spaces[role], rows, each[1])
                for each, rows in zip(missing, fresh, strict=True)
            }
        if role != "query":
            kept = {**{each: rows for each, rows in self._kept.items() if each not in known}, **known}
            self._kept = dict(list(kept.items())[-self._keep :])
        return [known[each] for each in texts]


def mapped_tokens(space: SharedSpace | None, rows: Tokens, language: str) -> Tokens:
    """Return tokens (t, d) of a text, mapped as the text is, of length 1.

    Only the mean and the matrix of a map are taken: a hidden layer has learned from whole texts alone.
    """
    each = None if space is None else space.maps.get(map_of(space, language))
    if each is not None:
        if len(each.normalization.means):
            rows = rows - each.normalization.means[0]
        if each.matrix is not None:
            rows = rows @ each.matrix
    return np.asarray(unit_rows(rows), np.float32)


@dataclass(frozen=True)
class CrossEncoderReranker:
    """A cross-encoder of sentence-transformers, which reads question and passage together.

    Attributes
    ----------
    model : CrossEncoder
    name : str
    """

    model: Any
    name: str
    found = 0.0

    def scores(self, question: str, asked_in: str, hits: Sequence[SearchHit]) -> NDArray[np.float64]:
        """Return what the model says of each pair of question and passage.

        Raises
        ------
        ValueError
            If it gives more than one number a pair, as classifiers do.
        """
        pairs = [(question, shown(hit)) for hit in hits]
        scores = np.asarray(self.model.predict(pairs, show_progress_bar=False), np.float64)
        if scores.shape != (len(hits),) or not np.isfinite(scores).all():
            raise ValueError(
                f"a cross-encoder must give one finite number a pair, but {self.name} gives an array of the shape "
                f"{scores.shape} for {len(hits)} pairs; take one that was trained to rank"
            )
        return scores


@lru_cache(maxsize=2)
def load_cross_encoder(name: str) -> CrossEncoderReranker:
    """Load a cross-encoder.

    Parameters
    ----------
    name : str
        A folder, or the name of a model on the Hugging Face hub.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    library, local = require("sentence_transformers", extra="torch"), Path(name).is_dir()
    try:
        with quiet_loading(local):
            return CrossEncoderReranker(library.CrossEncoder(name, local_files_only=local), name)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"no cross-encoder could be loaded from {name!r} ({str(error).splitlines()[0]}); give the folder or the "
            "name of a model for sentence-transformers' CrossEncoder"
        ) from error


def reranker_of(rerank: bool | str, search: Searching) -> Reranker:
    """Return what ranks a search's passages anew: the cross-encoder of a name, or the tokens of its own encoder."""
    if isinstance(rerank, str):
        return load_cross_encoder(rerank)
    return TokenReranker(search.encoder, search.space, search.question_space)


def reranked(
    reranker: Reranker, questions: Sequence[str], asked_in: Sequence[str], found: Sequence[list[SearchHit]]
) -> list[list[SearchHit]]:
    """Return what was found for each question, the first 50 as `reranker` ranks them.

    Scores stay on the scale of those that were found: the mean and the deviation of the passages are theirs.
    """
    answers = []
    for question, language, hits in zip(questions, asked_in, found, strict=True):
        first, rest = hits[:RERANKED], hits[RERANKED:]
        if len(first) > 1:
            before = np.array([hit.score for hit in first])
            anew = _standard(reranker.scores(question, language, first)) + reranker.found * _standard(before)
            scores = before.mean() + before.std() * _standard(anew)
            first = [replace(first[place], score=float(scores[place])) for place in np.argsort(-anew, kind="stable")]
        answers.append([*first, *rest])
    return answers


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((values - values.mean()) / max(float(values.std()), _TINY))


def shown(hit: SearchHit) -> str:
    """Return the part of a passage that was found."""
    return hit.text if hit.window is None else hit.text[slice(*hit.window)]
