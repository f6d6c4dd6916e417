"""Many languages in one space: around a pivot, or one more in a finished space; all at once in `joint`."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import as_matrix, to_numpy
from interlingua.align.dictionary import SeedDictionary
from interlingua.align.linalg import svd
from interlingua.align.space import Normalization, SharedSpace, SpaceError, SpaceMap
from interlingua.align.vocabulary import Embeddings
from interlingua.align.word.methods import WordAligner, settings_of, word_aligner
from interlingua.align.word.methods.procrustes import check_pairs

from .auto import FEWEST_WORDS, MANY_PAIRS, Pairs, Trial, covered_pairs, hold_out_folds, judged
from .confidence import OnFailure
from .evaluation import gold_rows, lexicon_ranks
from .joint import compose_pairs, joint_rotations, named_pairs, vocabularies
from .refit import data_hash, with_provenance

#: How much the copies of the pivot outweigh the composed pairs, which then decide only what the copies leave open.
_COPIES_FIRST = 1e4
#: Directions of the reference weaker than this share of the strongest are float32's noise.
_NOTHING = 1e-5


@dataclass(kw_only=True, eq=False)
class PivotHub:
    """Align many languages through one, the pivot, with any supervised aligner.

    Each language is fitted with the pivot alone. Aligners may map the pivot too, so that each fit has its own copy of
    it; the copies are then brought together by one rotation a fit, and the pivot gets their mean. With orthogonal
    Procrustes the copies coincide exactly and every pair with the pivot keeps the similarities of its own fit.

    Where languages have more dimensions than the pivot, the copies leave open how the surplus of one lies to that of
    another. Pairs composed through words of the pivot decide it; where there are none it is arbitrary.

    Parameters
    ----------
    pivot : str
        The language that has a dictionary with each other one.
    aligner : str or aligner
        The name of a supervised method, or an unfitted aligner, which is copied for each language.

    Attributes
    ----------
    space_ : SharedSpace
        The maps of all languages, after `fit`.
    agreement_ : float
        How well the copies of the pivot coincide in the end: mean cosine of a pivot word's copies with its final
        vector. 1 for orthogonal aligners.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(60, 4)).astype(np.float32)
    >>> turned = {name: x @ np.linalg.qr(rng.normal(size=(4, 4)))[0].astype(np.float32) for name in ("en", "fr", "ru")}
    >>> same = np.stack([np.arange(30)] * 2, axis=1)
    >>> hub = PivotHub(pivot="en").fit(turned, {"fr": same, "ru": same})
    >>> fr, ru = (hub.space_.transform(turned[name], name) for name in ("fr", "ru"))
    >>> bool(np.allclose(fr, ru, atol=1e-5)), round(hub.agreement_, 5)
    (True, 1.0)
    """

    pivot: str
    aligner: str | WordAligner = "procrustes"

    def fit(self, vectors: Mapping[str, Any], pairs: Mapping[str, Any]) -> "PivotHub":
        """Learn all maps.

        Parameters
        ----------
        vectors : mapping of str to (n, d) array
            The whole vocabulary of each language, the pivot among them.
        pairs : mapping of str to (p, 2) array of int
            For each language but the pivot: rows of the pivot and of the language.

        Raises
        ------
        ValueError
            If the pivot has no vectors, a language no dictionary, a row is out of range, or the aligner normalises
            the pivot differently from fit to fit.
        """
        arrays = vocabularies(vectors)
        others = [name for name in arrays if name != self.pivot]
        if self.pivot not in arrays or set(pairs) != set(others):
            raise ValueError(
                f"the pivot {self.pivot!r} needs vectors and every other language a dictionary with it, but there are "
                f"vectors of {', '.join(arrays)} and dictionaries of {', '.join(pairs) or 'none'}"
            )
        counts = {name: len(each) for name, each in arrays.items()}
        dictionaries = named_pairs({(self.pivot, name): pairs[name] for name in others}, counts)
        fits = {name: self._fit_one(arrays, name, dictionaries[self.pivot, name]) for name in others}
        copies = {name: each.maps[self.pivot] for name, each in fits.items()}
        steps = next(iter(copies.values())).normalization
        if any(not _same_steps(steps, each.normalization) for each in copies.values()):
            raise ValueError("the aligner must normalise the pivot alike in every fit; use one whose steps are fixed")
        normal = steps.transform(arrays[self.pivot]).astype(np.float64)
        gram = normal.T @ normal
        turned = _turn_together(arrays, fits, copies, gram, compose_pairs(dictionaries, tuple(arrays)))
        images = {name: _matrix(copies[name]).astype(np.float64) @ turned[name] for name in others}
        centre = np.mean(list(images.values()), axis=0)
        # the pivot as it came in, where that can be: one rotation of everything
        frame = _square_polar(centre.T @ gram @ np.eye(*centre.shape))
        self.agreement_ = float(np.mean([_mean_cosine(normal @ each, normal @ centre) for each in images.values()]))
        maps = {self.pivot: SpaceMap(steps, (centre @ frame).astype(np.float32))}
        for name in others:
            own = fits[name].maps[name]
            maps[name] = SpaceMap(own.normalization, (_matrix(own) @ (turned[name] @ frame)).astype(np.float32))
        self.space_ = SharedSpace(
            {name: maps[name] for name in arrays},
            method=f"pivot-hub of {next(iter(fits.values())).method}",
            provenance={
                "pivot": self.pivot,
                "pairs": {name: len(dictionaries[self.pivot, name]) for name in others},
                "pivot_agreement": round(self.agreement_, 6),
            },
        )
        return self

    def _fit_one(self, arrays: Mapping[str, Any], name: str, rows: NDArray[np.int64]) -> SharedSpace:
        return _fit_pair(self.aligner, (self.pivot, arrays[self.pivot]), (name, arrays[name]), rows)


def add_language(
    space: SharedSpace,
    name: str,
    vectors: Any,
    pairs: Any,
    *,
    reference: tuple[str, Any],
    also: Sequence[tuple[str, Any, Any]] = (),
    aligner: str | WordAligner = "procrustes",
) -> SharedSpace:
    """Return the space with one more language; the maps it has stay bit for bit as they are.

    The language is aligned with the reference language as it lies in the space. An aligner that moves the reference
    too is undone by the rotation that brings the moved reference back to where it was, as well as a rotation can.
    Dimensions in which the reference has nothing say nothing of the new language either: there it gets nothing.

    Parameters
    ----------
    space : SharedSpace
        Not modified.
    name : str
        The new language.
    vectors : (n, d) array
        Its whole vocabulary. Where d exceeds the dimension of the space, what does not fit is projected away.
    pairs : (p, 2) array of int
        Rows of the new language and of the reference.
    reference : tuple of str and (m, d_reference) array
        A language of the space with its vectors, not yet mapped.
    also : sequence of (language, vectors, pairs)
        More languages of the space, with the rows of the new language and of that one: dictionaries of their own, or
        what `compose_pairs` finds through the reference. They help where the reference has fewer dimensions.
    aligner : str or aligner
        As in `PivotHub`.

    Returns
    -------
    SharedSpace
        Scores and encoder are kept: they say nothing of the new language.

    Raises
    ------
    SpaceError
        If the space has the language already, or lacks the reference.
    ValueError
        If a pair is out of range.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(60, 4)).astype(np.float32)
    >>> en, fr, ru = (x @ np.linalg.qr(rng.normal(size=(4, 4)))[0].astype(np.float32) for _ in range(3))
    >>> same = np.stack([np.arange(30)] * 2, axis=1)
    >>> space = PivotHub(pivot="en").fit({"en": en, "fr": fr}, {"fr": same}).space_
    >>> larger = add_language(space, "ru", ru, same, reference=("fr", fr))
    >>> larger.languages, larger.maps["en"] is space.maps["en"]
    (('en', 'fr', 'ru'), True)
    >>> cosines = (larger.transform(en, "en") * larger.transform(ru, "ru")).sum(axis=1)
    >>> bool(cosines.min() > 0.98)
    True
    """
    if not name or name in space.maps:
        raise SpaceError(f"the new language needs a name that the space lacks, but {name!r} is empty or in it")
    new = to_numpy(as_matrix(vectors, "vectors"))
    # subtle: several references are one vocabulary, for in the common space a vector is a vector
    parts, joined, size = [], [], 0
    for language, known, dictionary in ((*reference, pairs), *also):
        parts.append(to_numpy(space.transform(known, language)))
        joined.append(check_pairs(dictionary, len(new), len(parts[-1]))[:, ::-1] + np.array([size, 0]))
        size += len(parts[-1])
    common, rows = np.concatenate(parts), np.concatenate(joined)
    fitted = _fit_pair(aligner, ("", common), (name, new), rows)
    moved = to_numpy(fitted.transform(common, "")).astype(np.float64)
    u, strength, vt = svd(moved.T @ common.astype(np.float64))
    kept = strength > _NOTHING * strength[0]
    u, vt = u[:, kept], vt[kept]
    own = fitted.maps[name]
    added = SpaceMap(own.normalization, (_matrix(own) @ (u @ vt)).astype(np.float32))
    earlier = list(space.provenance.get("added", []))
    references = [reference[0], *(each[0] for each in also)]
    note = {"language": name, "references": references, "method": fitted.method, "pairs": len(rows)}
    return SharedSpace(
        {**space.maps, name: added},
        space.method,
        space.encoder,
        space.scores,
        {**space.provenance, "added": [*earlier, note]},
    )


def _fit_pair(
    aligner: str | WordAligner, pivot: tuple[str, Any], other: tuple[str, Any], rows: NDArray[np.int64]
) -> SharedSpace:
    """Fit the smaller space to the larger, so that an aligner whose target stays loses no dimension."""
    fresh = word_aligner(aligner) if isinstance(aligner, str) else copy.deepcopy(aligner)
    if other[1].shape[1] <= pivot[1].shape[1]:
        return fresh.fit(other[1], pivot[1], rows[:, ::-1], names=(other[0], pivot[0])).space_
    return fresh.fit(pivot[1], other[1], rows, names=(pivot[0], other[0])).space_


def _turn_together(
    arrays: Mapping[str, Any],
    fits: Mapping[str, SharedSpace],
    copies: Mapping[str, SpaceMap],
    gram: NDArray[np.float64],
    composed: Mapping[tuple[str, str], NDArray[np.int64]],
) -> dict[str, NDArray[np.float64]]:
    """Return the rotation of each fit: copies of the pivot first, composed pairs for what these leave open."""
    names = list(fits)
    images = {name: _matrix(each).astype(np.float64) for name, each in copies.items()}
    products: dict[tuple[str, str], NDArray[np.float64]] = {}
    for place, a in enumerate(names):
        for b in names[place + 1 :]:
            products[a, b] = _COPIES_FIRST * (images[a].T @ gram @ images[b])
            if (a, b) in composed:
                rows = composed[a, b]
                first = to_numpy(fits[a].transform(arrays[a][rows[:, 0]], a)).astype(np.float64)
                second = to_numpy(fits[b].transform(arrays[b][rows[:, 1]], b)).astype(np.float64)
                products[a, b] += first.T @ second
    rotations, _ = joint_rotations(products, {name: each.dimension for name, each in fits.items()}, tolerance=1e-9)
    return rotations


def _matrix(one: SpaceMap) -> NDArray[np.float32]:
    return np.eye(one.input_dimension, dtype=np.float32) if one.matrix is None else one.matrix


def _same_steps(one: Normalization, other: Normalization) -> bool:
    return one.steps == other.steps and np.allclose(one.means, other.means, atol=1e-6)


def _square_polar(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    u, _, vt = svd(matrix)
    result: NDArray[np.float64] = u @ vt
    return result


def _mean_cosine(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    kept = lengths > 0
    return float((np.sum(one * other, axis=1)[kept] / lengths[kept]).mean())


def align_many(
    vocabularies: Sequence[Embeddings],
    dictionaries: Mapping[str, SeedDictionary],
    *,
    pivot: str,
    method: str = "auto",
    held_out: float = 0.1,
    seed: int = 0,
    on_failure: OnFailure = "raise",
    **parameters: Any,
) -> SharedSpace:
    """Align many languages through a pivot (see `PivotHub`), score each on pairs held out, and refuse failures.

    Parameters
    ----------
    vocabularies : sequence of Embeddings
        Most frequent words first; their `space` names the languages, the pivot among them.
    dictionaries : mapping of str to SeedDictionary
        For each language but the pivot: pairs (pivot, language).
    pivot : str
    method : str
        A name from `WORD_METHODS`; "auto" takes the multi-step pipeline where every dictionary covers at least 300
        words of the pivot, else self-learning (Procrustes where a vocabulary has fewer than 100 words).
    held_out, seed, on_failure, **parameters
        As in `align`.

    Returns
    -------
    SharedSpace
        With the scores ``PIVOT-LANGUAGE precision_at_1`` and so on, or ``PIVOT-LANGUAGE confidence`` where there is
        no held-out precision of at least 5 %.

    Raises
    ------
    AlignmentFailedError
        If a language has a confidence below the threshold and `on_failure` is "raise".
    ValueError
        If a language has no name or no dictionary, two share a name, or a dictionary covers nothing.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(60, 4)).astype(np.float32)
    >>> turned = [x @ np.linalg.qr(rng.normal(size=(4, 4)))[0].astype(np.float32) for _ in range(3)]
    >>> words = [f"w{i}" for i in range(60)]
    >>> spaces = [Embeddings(tuple(words), each, name) for each, name in zip(turned, ("en", "fr", "ru"))]
    >>> same = SeedDictionary(tuple((word, word) for word in words[:30]))
    >>> align_many(spaces, {"fr": same, "ru": same}, pivot="en").languages
    ('en', 'fr', 'ru')
    """
    named = {each.space: each for each in vocabularies}
    if len(named) < len(vocabularies) or "" in named:
        raise ValueError(f"each language needs its own name, but they are {[each.space for each in vocabularies]}")
    others = [name for name in named if name != pivot]
    if pivot not in named or set(dictionaries) != set(others):
        raise ValueError(
            f"the pivot {pivot!r} needs vectors and every other language a dictionary with it, but there are vectors "
            f"of {', '.join(named)} and dictionaries of {', '.join(dictionaries) or 'none'}"
        )
    hashes = {name: data_hash(named[pivot], named[name], dictionaries[name]) for name in others}
    named = {name: each.known() for name, each in named.items()}
    covered = {name: covered_pairs(named[pivot], named[name], dictionaries[name]) for name in others}
    if method == "auto":
        method = _chosen(min(map(len, named.values())), min(c.n_sources_covered for _, c in covered.values()))
    if "seed" in settings_of(method):
        parameters.setdefault("seed", seed)

    def fit(pairs: Mapping[str, Pairs]) -> SharedSpace:
        hub = PivotHub(pivot=pivot, aligner=word_aligner(method, **parameters))
        return hub.fit({name: each.vectors for name, each in named.items()}, pairs).space_

    parts = {name: hold_out_folds(pairs, held_out, seed, enough=1) for name, (pairs, _) in covered.items()}
    tried: dict[str, dict[str, float]] = {}
    if any(parts.values()):
        trial = fit({name: folds[0][1] if folds else covered[name][0] for name, folds in parts.items()})
        tried = {
            name: _scored(trial, named[pivot], named[name], folds[0][0]).scores
            for name, folds in parts.items()
            if folds
        }
    scores = {f"{pivot}-{name} {key}": value for name, each in tried.items() for key, value in each.items()}
    fitted = fit({name: pairs for name, (pairs, _) in covered.items()})
    for name in others:
        known = {"seeds": covered[name][0], "seed": seed}
        confidence = judged(fitted, named[pivot], named[name], tried.get(name, {}), on_failure=on_failure, **known)
        if confidence is not None:
            scores[f"{pivot}-{name} confidence"] = confidence.value
    return with_provenance(
        fitted,
        list(named.values()),
        parameters,
        scores=scores,
        seed=seed,
        dictionary_pairs={name: coverage.n_pairs for name, (_, coverage) in covered.items()},
        data_sha256=hashes,
    )


def _chosen(fewest_words: int, fewest_pairs: int) -> str:
    if fewest_words < FEWEST_WORDS:
        return "procrustes"
    return "multi-step" if fewest_pairs >= MANY_PAIRS else "self-learning"


def _scored(space: SharedSpace, pivot: Embeddings, other: Embeddings, held: Pairs) -> Trial:
    mapped = [space.transform(each.vectors, each.space) for each in (pivot, other)]
    return Trial(space.method, np.asarray(lexicon_ranks(mapped[0], mapped[1], gold_rows(held))))
