"""The names of all entities as arrays: how near each is to a mention, and how alike in spelling, in any script."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interlingua.pipelines.texts.languages import MULTIPLE, matches

from .scripts import ScriptOffsets
from .spelling import SpellingIndex, main_script

_NEIGHBORS = 10
_SAMPLE = 4096
_BLOCK = 1 << 25  # cosines held at a time
_FEW = 10
_LANGUAGES = 50  # of mentions, that are kept in mind
_PRIOR = 10.0  # names' worth of the index in the mean of mentions


def folded_name(name: str) -> str:
    """Return a name without what only looks different: width, case, marks of compatibility, spaces.

    Examples
    --------
    >>> folded_name("  ＧＥＯＲＧＩＡ ") == folded_name("Georgia")
    True
    """
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())


@dataclass(frozen=True)
class Nearness:
    """The candidates of one mention.

    Attributes
    ----------
    owners : (c,) array of int64
        Rows of entities.
    name, spelling : (c,) array of float32
        Of the entity's nearest name.
    letters, sounds : (c,) array of float32
        Of the entity's most alike name, see `SpellingIndex.likeness`.
    exact, script, language : (c,) array of bool
        Whether a name is written alike, whether the nearest name is in another script than the mention, and whether it
        is in the mention's language.
    allowed : (c,) array of bool
        Whether it may be meant; the others are there to be compared with.
    """

    owners: NDArray[np.int64]
    name: NDArray[np.float32]
    spelling: NDArray[np.float32]
    letters: NDArray[np.float32]
    sounds: NDArray[np.float32]
    exact: NDArray[np.bool_]
    script: NDArray[np.bool_]
    language: NDArray[np.bool_]
    allowed: NDArray[np.bool_]


class NameTable:
    """Names, grouped by the entity that has them.

    The nearness of a mention x and a name y is cos(x, y) - (r(x) + r(y)) / 2, half of CSLS [1]_: r(y) is the mean
    cosine of y and the ten nearest entities but its own, r(x) that of the mention; an entity counts once, with its
    nearest name. Vectors are freed of the mean of all names first: half of every cosine is the encoder's own. Mentions
    are freed of the mean of those in their script that are looked up together, as what a script's names share is their
    language, which no name in another is near to. That mean is drawn, by ten mentions, towards the mean of the names
    moved by how far the script lies from those of the table, see `ScriptOffsets`.

    Parameters
    ----------
    names : sequence of str
    languages : sequence of str
        "" where unknown.
    owners : (n,) array
        The row of each name's entity.
    vectors : (n, d) array
        Of unit length.

    References
    ----------
    .. [1] Conneau, Lample, Ranzato, Denoyer and Jégou (2018), "Word translation without parallel data", ICLR.
       arXiv:1710.04087
    """

    def __init__(
        self, names: Sequence[str], languages: Sequence[str], owners: NDArray[np.int64], vectors: NDArray[np.float32]
    ) -> None:
        order = np.argsort(owners, kind="stable")
        self.names = [names[row] for row in order]
        self.languages = np.array([languages[row] for row in order], dtype=object)
        self._scripts = np.array([main_script(name) for name in self.names], dtype=object)
        self._written = Counter(self._scripts.tolist())
        self.owners = np.asarray(owners, np.int64)[order]
        self._starts = np.flatnonzero(np.r_[True, self.owners[1:] != self.owners[:-1]])
        self._entities = self.owners[self._starts]
        self._sizes = np.diff(np.r_[self._starts, len(self.owners)])
        self.mean = vectors.mean(axis=0) if len(set(self.owners.tolist())) >= _FEW else np.zeros(vectors.shape[1])
        self.vectors = centred(vectors[order], self.mean)
        self._spelling = SpellingIndex(self.names)
        self._exact: dict[str, list[int]] = {}
        for row, name in enumerate(self.names):
            self._exact.setdefault(folded_name(name), []).append(row)
        self._spoken: dict[str | None, NDArray[np.bool_]] = {None: np.zeros(len(self.names), bool)}
        self._hubness = self._measure_hubness()

    def near(
        self,
        mentions: Sequence[str],
        vectors: NDArray[np.float32],
        *,
        languages: Sequence[str | None] | None = None,
        allowed: NDArray[np.bool_] | None = None,
        hidden: Sequence[Sequence[int]] | None = None,
        n: int = 50,
        offsets: ScriptOffsets | None = None,
        prepared: bool = False,
    ) -> list[Nearness]:
        """Return the candidates of each mention, at least `n` where there are as many entities.

        Parameters
        ----------
        mentions : sequence of str
        vectors : (m, d) array
            As the encoder gave them.
        languages : sequence of str or None, optional
            Of each mention.
        allowed : (entities,) array of bool, optional
            Who may be meant.
        hidden : sequence of sequences of int, optional
            For each mention the rows of names that shall not be seen.
        offsets : ScriptOffsets, optional
            Of the encoder.
        prepared : bool
            Whether the vectors are centred already.
        """
        block = max(1, _BLOCK // max(1, len(self.names)))
        queries = vectors if prepared else self._centred(mentions, vectors, offsets)
        found = []
        for start in range(0, len(mentions), block):
            part = slice(start, start + block)
            cosines = queries[part] @ self.vectors.T
            spellings = self._spelling.scores(mentions[part])
            for row, mention in enumerate(mentions[part]):
                unseen = [] if hidden is None else list(hidden[start + row])
                spoken = self._spoken_in(None if languages is None else languages[start + row])
                found.append(self._candidates(mention, cosines[row], spellings[row], spoken, allowed, unseen, n))
        return found

    def _centred(
        self, mentions: Sequence[str], vectors: NDArray[np.float32], offsets: ScriptOffsets | None
    ) -> NDArray[np.float32]:
        scripts = [main_script(each) for each in mentions]
        moved = None if offsets is None else offsets.of(scripts, self._written)
        return centred_by_script(mentions, vectors, self.mean, moved)

    def _candidates(
        self,
        mention: str,
        cosines: NDArray[np.float32],
        spellings: NDArray[np.float32],
        spoken: NDArray[np.bool_],
        allowed: NDArray[np.bool_] | None,
        hidden: list[int],
        n: int,
    ) -> Nearness:
        cosines[hidden], spellings[hidden] = -2.0, -1.0
        own = _mean_of_best(np.maximum.reduceat(cosines, self._starts), _NEIGHBORS)
        near = cosines - 0.5 * (own + self._hubness)
        exact = np.zeros(len(self.names), bool)
        exact[self._exact.get(folded_name(mention), [])] = True
        exact[hidden] = False
        named = np.maximum.reduceat(near, self._starts)
        spelt = np.maximum.reduceat(spellings, self._starts)
        alike = np.maximum.reduceat(exact, self._starts)
        best = np.maximum.reduceat(cosines, self._starts) > -2  # entities with a name that is seen
        may = np.ones(len(named), bool) if allowed is None else allowed[self._entities]
        chosen = np.zeros(len(named), bool)
        for scores, among in (
            (each, kept) for each in (named, spelt) for kept in ([best] if may.all() else [best, may])
        ):
            ranked = np.where(best & among, scores, -np.inf)
            chosen[np.argpartition(-ranked, min(n, len(ranked)) - 1)[:n]] = True
        groups = np.flatnonzero((chosen | alike) & best)
        nearest = np.array(
            [
                start + int(np.argmax(near[start : start + size]))
                for start, size in zip(self._starts[groups], self._sizes[groups])
            ],
            np.int64,
        )
        other = self._scripts[nearest] != main_script(mention)
        letters, sounds = self._alike(mention, groups, hidden)
        return Nearness(
            self._entities[groups],
            named[groups],
            spelt[groups],
            letters,
            sounds,
            alike[groups],
            other,
            spoken[nearest],
            may[groups],
        )

    def _alike(self, mention: str, groups: NDArray[np.int64], hidden: list[int]) -> NDArray[np.float32]:
        """Return for each entity how alike its most alike name is, by letters and by sounds, (2, groups)."""
        sizes = self._sizes[groups]
        starts = np.r_[0, np.cumsum(sizes)[:-1]]
        rows = np.repeat(self._starts[groups] - starts, sizes) + np.arange(sizes.sum())
        found = self._spelling.likeness(mention, rows)
        found[:, np.isin(rows, hidden)] = 0.0
        best: NDArray[np.float32] = np.maximum.reduceat(found, starts, axis=1) if len(rows) else found
        return best

    def _spoken_in(self, language: str | None) -> NDArray[np.bool_]:
        """Return which names (n,) are in a language, or "mul" where their entity has none in it."""
        if language is not None and language not in self._spoken:
            tags = list(dict.fromkeys(self.languages.tolist()))
            spoken = np.isin(self.languages, [tag for tag in tags if matches(language, tag)])
            lacking = np.repeat(~np.logical_or.reduceat(spoken, self._starts), self._sizes)
            kept = dict(list(self._spoken.items())[-_LANGUAGES:])
            self._spoken = {
                None: self._spoken[None],
                **kept,
                language: spoken | (lacking & (self.languages == MULTIPLE)),
            }
        return self._spoken[language]

    def _measure_hubness(self) -> NDArray[np.float32]:
        """Return r of each name, against all entities or a sample of them."""
        sample = np.arange(len(self._starts))
        if len(self.names) > _SAMPLE:
            sample = np.sort(
                np.random.default_rng(0).permutation(sample)[: max(1, _SAMPLE * len(sample) // len(self.names))]
            )
        rows = np.concatenate([np.arange(self._starts[g], self._starts[g] + self._sizes[g]) for g in sample])
        starts = np.r_[0, np.cumsum(self._sizes[sample])[:-1]]
        found = np.zeros(len(self.names), np.float32)
        block = max(1, _BLOCK // len(rows))
        for start in range(0, len(self.names), block):
            cosines = np.maximum.reduceat(self.vectors[start : start + block] @ self.vectors[rows].T, starts, axis=1)
            cosines[self.owners[start : start + block, None] == self._entities[sample][None]] = -2.0
            found[start : start + block] = [_mean_of_best(each, _NEIGHBORS) for each in cosines]
        return found


def centred(vectors: NDArray[np.float32], mean: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the vectors less the mean, of unit length again."""
    moved = vectors - mean
    found: NDArray[np.float32] = (moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9)).astype(
        np.float32
    )
    return found


def centred_by_script(
    texts: Sequence[str],
    vectors: NDArray[np.float32],
    mean: NDArray[np.floating],
    offsets: Mapping[str, NDArray[np.floating]] | None = None,
) -> NDArray[np.float32]:
    """Return vectors less the mean of those in their script, of unit length again.

    That mean is drawn towards `mean`, moved by the offset of the script where one is given.
    """
    scripts = np.array([main_script(each) for each in texts])
    found = np.empty(vectors.shape, np.float32)
    for script in set(scripts.tolist()):
        rows = np.flatnonzero(scripts == script)
        before = mean + (offsets or {}).get(script, 0.0)
        own = (vectors[rows].sum(axis=0) + _PRIOR * before) / (len(rows) + _PRIOR)
        found[rows] = centred(vectors[rows], own)
    return found


def _mean_of_best(scores: NDArray[np.float32], k: int) -> float:
    """Return the mean of the k best of those above -2; 0 where there are fewer than two."""
    seen = scores[scores > -1.5]
    if len(seen) < 2:
        return 0.0
    k = min(k, len(seen) - 1) if len(seen) <= k else k
    return float(np.partition(seen, len(seen) - k)[-k:].mean())
