"""The names of all entities as arrays: how near each is to a mention, and how alike in spelling, in any script."""

from __future__ import annotations

import io
import json
import unicodedata
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interlingua.pipelines.texts.languages import MULTIPLE, main_script, matches

from .scripts import ScriptOffsets
from .spelling import SpellingIndex, SpeltNames

_NEIGHBORS = 10
_RUN = 128  # scores in a row, of which the best is looked at first
_SAMPLE = 4096
_BLOCK = 1 << 25  # cosines held at a time
_FEW = 10
_LANGUAGES = 50  # of mentions, that are kept in mind
_PACKED = 1  # another number whenever something in `packed` is computed otherwise
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
    known : bytes, optional
        What `packed` returned for a table of the same names, owners and vectors.

    References
    ----------
    .. [1] Conneau, Lample, Ranzato, Denoyer and Jégou (2018), "Word translation without parallel data", ICLR.
       arXiv:1710.04087
    """

    def __init__(
        self,
        names: Sequence[str],
        languages: Sequence[str],
        owners: NDArray[np.int64],
        vectors: NDArray[np.float32],
        *,
        known: bytes | None = None,
    ) -> None:
        order = np.argsort(owners, kind="stable")
        self.names = [names[row] for row in order]
        self.languages = np.array([languages[row] for row in order], dtype=object)
        self.owners = np.asarray(owners, np.int64)[order]
        self._starts = np.flatnonzero(np.r_[True, self.owners[1:] != self.owners[:-1]])
        self._entities = self.owners[self._starts]
        self._sizes = np.diff(np.r_[self._starts, len(self.owners)])
        self._groups = np.repeat(np.arange(len(self._starts)), self._sizes)  # of each name, its entity's place
        self._grouped = _Grouped(self._starts, self._sizes)
        self.mean = vectors.mean(axis=0) if len(set(self.owners.tolist())) >= _FEW else np.zeros(vectors.shape[1])
        self.vectors = centred(vectors[order], self.mean)
        held = _unpacked(known, self.names)
        self._spelling = SpellingIndex(self.names, known=None if held is None else held[0])
        self._scripts = np.array([main_script(name) for name in self.names] if held is None else held[1], dtype=object)
        self._written = Counter(self._scripts.tolist())
        self._exact: dict[str, list[int]] = {}
        for row, name in enumerate(map(folded_name, self.names)):
            self._exact.setdefault(name, []).append(row)
        self._hubness = self._measured(self.vectors, self.owners) if held is None else held[2]
        self._more: _More | None = None
        self._spoken: dict[str | None, NDArray[np.bool_]] = {None: np.zeros(len(self._groups), bool)}

    def with_more(self, names: Sequence[str], owners: NDArray[np.int64], vectors: NDArray[np.float32]) -> NameTable:
        """Return a table with more names, behind the others, of owners that have one here.

        They are measured against the names that were given first, and change nothing for these: not the mean, not what
        is rare, not who is near to everything. So one more costs nothing of what all cost, and however many came in
        whichever order, the table is the same.

        Parameters
        ----------
        names, owners, vectors
            As for the class; of no known language.
        """
        made, rows = copy(self), centred(vectors, self.mean)
        groups = np.searchsorted(self._entities, owners)
        exact: dict[str, list[int]] = {} if self._more is None else dict(self._more.exact)
        for row, name in enumerate(map(folded_name, names), start=len(self._groups)):
            exact[name] = [*exact.get(name, []), row]
        if self._more is None:
            made._more = _More(rows, SpellingIndex(names, weights=self._spelling.weights), exact)
        else:
            spelling = self._more.spelling.with_more(names)
            made._more = _More(np.concatenate([self._more.vectors, rows]), spelling, exact)
        scripts = [main_script(name) for name in names]
        made._scripts = np.concatenate([self._scripts, np.array(scripts, dtype=object)])
        made._written = self._written + Counter(scripts)
        made._groups = np.concatenate([self._groups, groups])
        made._hubness = np.concatenate([self._hubness, self._measured(rows, owners)])
        made._spoken = {None: np.zeros(len(made._groups), bool)}
        return made

    def packed(self) -> bytes:
        """Return what took the time to make of the names that were given first, for `known`."""
        file, scripts = io.BytesIO(), json.dumps(self._scripts[: len(self.names)].tolist())
        np.savez(
            file,
            version=np.array([_PACKED, _digest(self.names)]),
            scripts=np.frombuffer(scripts.encode(), np.uint8),
            hubness=self._hubness[: len(self.names)],
            **self._spelling.spelt.to_arrays(),  # type: ignore[arg-type] # of names that are no options
        )
        return file.getvalue()

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
            if (more := self._more) is not None:
                cosines = np.concatenate([cosines, queries[part] @ more.vectors.T], axis=1)
                spellings = np.concatenate([spellings, more.spelling.scores(mentions[part])], axis=1)
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
        top = self._best(cosines)
        near = cosines - 0.5 * (_mean_of_best(top, _NEIGHBORS) + self._hubness)
        named, spelt = self._best(near), self._best(spellings)
        folded, best = folded_name(mention), top > -2  # entities with a name that is seen
        written = [*self._exact.get(folded, []), *(self._more.exact.get(folded, []) if self._more else [])]
        alike = np.zeros(len(top), bool)
        alike[self._groups[np.setdiff1d(written, hidden).astype(np.int64)]] = True
        may = np.ones(len(named), bool) if allowed is None else allowed[self._entities]
        chosen = np.zeros(len(named), bool)
        for scores, among in (
            (each, kept) for each in (named, spelt) for kept in ([best] if may.all() else [best, may])
        ):
            ranked = np.where(best & among, scores, -np.inf)
            chosen[_best_places(ranked, n)] = True
        groups = np.flatnonzero((chosen | alike) & best)
        rows, starts = self._rows_of(groups)
        hit = near[rows] == np.repeat(named[groups], np.diff(np.r_[starts, len(rows)]))
        nearest = np.minimum.reduceat(np.where(hit, rows, len(near)), starts) if len(rows) else rows
        other = self._scripts[nearest] != main_script(mention)
        likeness = self._likeness(mention, rows)
        likeness[:, np.isin(rows, hidden)] = 0.0
        letters, sounds = np.maximum.reduceat(likeness, starts, axis=1) if len(rows) else likeness
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

    def _best(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the best score of each entity's names."""
        best = self._grouped.best(scores[: len(self.names)])
        if self._more is not None:
            np.maximum.at(best, self._groups[len(self.names) :], scores[len(self.names) :])
        return best

    def _rows_of(self, groups: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the names of some entities, each entity's in order, and where each begins."""
        sizes = self._sizes[groups]
        starts = np.r_[0, np.cumsum(sizes)[:-1]].astype(np.int64)
        rows = np.repeat(self._starts[groups] - starts, sizes) + np.arange(sizes.sum())
        if self._more is None:
            return rows, starts
        later = self._groups[len(self.names) :]
        rows = np.concatenate([rows, np.flatnonzero(np.isin(later, groups)) + len(self.names)])
        rows = rows[np.argsort(self._groups[rows], kind="stable")]
        return rows, np.searchsorted(self._groups[rows], groups)

    def _likeness(self, mention: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return how alike a mention and names are, by letters and by sounds, (2, rows)."""
        if self._more is None:
            return self._spelling.likeness(mention, rows)
        found, first = np.empty((2, len(rows)), np.float32), rows < len(self.names)
        found[:, first] = self._spelling.likeness(mention, rows[first])
        found[:, ~first] = self._more.spelling.likeness(mention, rows[~first] - len(self.names))
        return found

    def _spoken_in(self, language: str | None) -> NDArray[np.bool_]:
        """Return which names (n,) are in a language, or "mul" where their entity has none in it."""
        if language is not None and language not in self._spoken:
            more = np.full(len(self._groups) - len(self.names), "", dtype=object)
            languages = np.concatenate([self.languages, more])
            tags = [tag for tag in dict.fromkeys(languages.tolist()) if matches(language, tag)]
            spoken = np.isin(languages, tags)
            lacking = np.bincount(self._groups[spoken], minlength=len(self._starts))[self._groups] == 0
            kept = dict(list(self._spoken.items())[-_LANGUAGES:])
            self._spoken = {
                None: self._spoken[None],
                **kept,
                language: spoken | (lacking & (languages == MULTIPLE)),
            }
        return self._spoken[language]

    def _measured(self, vectors: NDArray[np.float32], owners: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return r of names, against all entities or a sample of them, by the names that were given first."""
        sample = np.arange(len(self._starts))
        if len(self.names) > _SAMPLE:
            sample = np.sort(
                np.random.default_rng(0).permutation(sample)[: max(1, _SAMPLE * len(sample) // len(self.names))]
            )
        sizes = self._sizes[sample]
        rows = np.concatenate([np.arange(self._starts[g], self._starts[g] + self._sizes[g]) for g in sample])
        grouped = _Grouped(np.r_[0, np.cumsum(sizes)[:-1]], sizes)
        others, named = self.vectors[rows[grouped.order]].T, self._entities[sample][grouped.groups]
        found = np.zeros(len(vectors), np.float32)
        block = max(1, _BLOCK // 8 // len(rows))
        for start in range(0, len(vectors), block):
            part = slice(start, start + block)
            cosines = grouped.best_in_order(vectors[part] @ others)
            cosines[owners[part, None] == named[None]] = -2.0
            if len(sample) > _NEIGHBORS + 1:
                best = np.partition(cosines, len(sample) - _NEIGHBORS, axis=1)[:, -_NEIGHBORS:]
                found[part] = best.mean(axis=1)
            else:
                found[part] = [_mean_of_best(each, _NEIGHBORS) for each in cosines]
        return found


@dataclass(frozen=True)
class _More:
    """Names that came later, behind the others: their vectors, spellings, and rows by folded name."""

    vectors: NDArray[np.float32]
    spelling: SpellingIndex
    exact: Mapping[str, list[int]]


class _Grouped:
    """Rows in groups, one behind the other, and the best of each group: the first rows of all, then the second ...

    `order` are the rows so, largest groups first, and `groups` the groups in that order.
    """

    def __init__(self, starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> None:
        self.groups = np.argsort(-sizes, kind="stable")
        least = sizes[self.groups]
        self._counts = [int(np.searchsorted(-least, -place)) for place in range(int(sizes.max()))]
        self.order = np.concatenate([starts[self.groups[:n]] + place for place, n in enumerate(self._counts)])
        self._back = np.empty(len(sizes), np.int64)
        self._back[self.groups] = np.arange(len(sizes))

    def best(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the best of each group (g,) of the scores of rows (n,)."""
        if len(self._counts) == 1:  # each its own group
            return scores.copy()
        found: NDArray[np.float32] = self.best_in_order(scores[None, self.order])[0, self._back]
        return found

    def best_in_order(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the best of each of `groups`, (m, g), of scores (m, n) in the `order` of rows."""
        best, end = scores[:, : self._counts[0]].copy(), self._counts[0]
        for count in self._counts[1:]:
            np.maximum(best[:, :count], scores[:, end : end + count], out=best[:, :count])
            end += count
        return best


def _digest(names: Sequence[str]) -> int:
    return zlib.crc32("\n".join(names).encode("utf-8", "surrogatepass"))


def _unpacked(known: bytes | None, names: Sequence[str]) -> tuple[SpeltNames, list[str], NDArray[np.float32]] | None:
    """Return spellings, scripts and hubness of what `packed` wrote; None where it is of other names, or of old."""
    if known is None:
        return None
    with np.load(io.BytesIO(known), allow_pickle=False) as arrays:
        if arrays["version"].tolist() != [_PACKED, _digest(names)]:
            return None
        scripts = json.loads(arrays["scripts"].tobytes())
        return SpeltNames.from_arrays(arrays, len(names)), scripts, arrays["hubness"]


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
    return float(seen[_best_places(seen, k)].mean())


def _best_places(scores: NDArray[np.float32], n: int) -> NDArray[np.int64]:
    """Return where the n best scores are, in no order; all, if there are no more."""
    if n >= len(scores):
        return np.arange(len(scores))
    places = np.arange(len(scores))
    if len(scores) >= _RUN * n:  # the n-th best of the best of runs is a bound that most scores are below
        best = np.maximum.reduceat(scores, np.arange(0, len(scores), _RUN))
        places = np.flatnonzero(scores >= np.partition(best, len(best) - n)[len(best) - n])
    found: NDArray[np.int64] = places[np.argpartition(-scores[places], n - 1)[:n]]
    return found
