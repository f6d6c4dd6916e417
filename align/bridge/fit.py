"""Fit a bridge on vectors of the same texts by two models; which map, is told by texts held out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import unit_matrix

from .bridge import Bridge, BridgeEnd, BridgeError
from .linear import LinearMap
from .recall import Retention, answer_ranks, retention

#: Fewest texts that a bridge is fitted on.
FEWEST = 40
_HELD_OUT = 0.2
_MOST_HELD_OUT = 400
#: What a bridge must keep of re-embedding among the texts held out, in the language that it was fitted on.
LEAST_KEPT = 0.5
_K = 10
#: Weight of the map where the index's model understands nothing of a language, and what to take off where it
#: understands all; chosen on bridges from another model than those whose figures are reported.
_SHARE, _LESS = 0.7, 0.3

CANDIDATES = (
    LinearMap("orthogonal"),
    *(LinearMap("ridge", strength) for strength in (0.03, 0.1, 0.3, 1.0, 3.0)),
    *(LinearMap("low-rank", 0.3, rank) for rank in (64, 128, 256)),
)
#: Beside them where all questions are in the language of the fit. Whitening makes much of the directions in which rows
#: differ little, and so of those in which languages do: better at home, worse in other languages, which no text held
#: out would tell.
AT_HOME = tuple(LinearMap("whitened", strength) for strength in (0.15, 0.25, 0.35))


@dataclass(frozen=True)
class TextVectors:
    """Vectors of the same texts by one model.

    Attributes
    ----------
    short, long : (n, d) array
        Row i of `short`, a title, a first sentence or a question, belongs to the text of row i of `long`.
    parallel : sequence of mappings of str to (p, d) array
        Sets of short texts that are each other's translations, by language; only those count that have the fitted one.
    about : BridgeEnd, optional
        Whose `encoder`, `name`, `prompts` and `probes` the bridge keeps.
    """

    short: Any
    long: Any
    parallel: Sequence[Mapping[str, Any]] = ()
    about: BridgeEnd | None = None


def language_offsets(parallel: Sequence[Mapping[str, Any]], language: str) -> dict[str, NDArray[np.float32]]:
    """Return by language how far its mean lies from that of `language`: the mean over the sets that have both."""
    found: dict[str, list[NDArray[np.float64]]] = {}
    for some in parallel:
        means = {name: unit_matrix(each, name).mean(axis=0, dtype=np.float64) for name, each in some.items()}
        for name, mean in means.items() if language in means else ():
            found.setdefault(name, []).append(mean - means[language])
    return {name: np.mean(each, axis=0).astype(np.float32) for name, each in found.items()}


def understood(parallel: Sequence[Mapping[str, Any]], language: str) -> dict[str, float]:
    """Return by language how many of its texts find their translation in `language` nearest, from 0 to 1.

    Both sides are centred by their own means. Of the first set that has a language beside `language`.
    """
    found: dict[str, float] = {}
    for some in parallel:
        if language not in some:
            continue
        rows = {name: unit_matrix(each, name) for name, each in some.items()}
        base = rows[language] - rows[language].mean(axis=0)
        for name, each in rows.items():
            if name not in found:
                ranks = answer_ranks(each - each.mean(axis=0), base, range(len(base)))
                found[name] = float((ranks < 1).mean())
    return found


@dataclass(frozen=True)
class _Role:
    """Vectors of one role by both models: unit rows, and those without their means."""

    x: NDArray[np.float32]
    y: NDArray[np.float32]

    def means(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.x[rows].mean(axis=0, dtype=np.float64), self.y[rows].mean(axis=0, dtype=np.float64)

    def centred(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        one, other = self.means(rows)
        return self.x[rows] - one, self.y[rows] - other


@dataclass(frozen=True)
class HeldOut:
    """How a map did on texts that it was not fitted on.

    Attributes
    ----------
    map : LinearMap
    at_one, at_ten : float
        Recall of the text by its short one, at 1 and at 10, among all texts.
    """

    map: LinearMap
    at_one: float
    at_ten: float

    @property
    def merit(self) -> float:
        """The mean of both."""
        return (self.at_one + self.at_ten) / 2


def fit_bridge(
    source: TextVectors,
    target: TextVectors,
    *,
    language: str = "",
    candidates: Sequence[LinearMap] | None = None,
    share: float = _SHARE,
    least: float = LEAST_KEPT,
    seed: int = 0,
) -> Bridge:
    """Fit a bridge from the questions of one model to the index of another.

    Short and long texts are centred each by their own mean, in both spaces, and both are part of the fit, with equal
    weight: long texts are many and alike, short ones teach how questions look. Of the candidates the one is taken that
    finds most of the held-out texts by their short ones, among all texts; the squared error is no guide to that.

    Parameters
    ----------
    source, target : TextVectors
        Vectors of the same texts by the model of the questions and by the model of the index.
    language : str
        Of the texts.
    candidates : sequence of LinearMap, optional
        Among which recall decides; by default `CANDIDATES`, and `AT_HOME` where no translations are given.
    share : float, above 0 and at most 1
        Weight of the map beside the index's own model, see `Bridge`, in a language that this does not understand; it
        falls by up to three tenths as far as it does.
    least : float
        The share of re-embedding's recall at 10 that must be kept on the texts held out.
    seed : int
        Of the choice of texts held out.

    Raises
    ------
    BridgeError
        If the held-out texts are found too seldom: the rows of the two sides do not belong together, or one of the
        models does not understand these texts. Also if there are too few texts.
    ValueError
        If the numbers of rows differ.
    """
    short, long = _roles(source, target)
    held, kept = _split(len(long.x), seed)
    if candidates is None:
        candidates = CANDIDATES if source.parallel else (*CANDIDATES, *AT_HOME)
    tried = [_held_out(each, short, long, kept, held) for each in candidates]
    best = max(tried, key=lambda each: each.merit)
    matrix = _fitted(best.map, short, long, kept)
    answers = answer_ranks(_mapped(matrix, short, kept, held), long.y, held) < _K
    yardstick = answer_ranks(short.x[held], long.x, held) < _K
    measured = _checked(answers, yardstick, len(long.x), least)
    everything = np.arange(len(long.x))
    ends = []
    for each, number in ((source, 0), (target, 1)):
        means = [np.asarray(role.means(everything)[number], np.float32) for role in (short, long)]
        about = each.about or BridgeEnd(means[0], means[1])
        ends.append(replace(about, short=means[0], long=means[1]))
    read = understood(target.parallel, language)
    return Bridge(
        _fitted(best.map, short, long, everything),
        replace(ends[0], offsets=language_offsets(source.parallel, language)),
        ends[1],
        language,
        share * (1 - _LESS / 4),
        {name: share * (1 - _LESS * each) for name, each in read.items()},
        best.map.kind,
        scores={
            "recall@1": best.at_one,
            "recall@10": best.at_ten,
            "kept@10": measured.value,
            "kept@10 from": measured.low,
            "kept@10 to": measured.high,
        },
        provenance={
            "texts": len(long.x),
            "held_out": len(held),
            "map": {"kind": best.map.kind, "strength": best.map.strength, "rank": best.map.rank},
            "tried": {_called(each.map): round(each.merit, 4) for each in tried},
            "seed": seed,
        },
    )


@dataclass(frozen=True)
class CurvePoint:
    """What a bridge fitted on so many texts keeps.

    Attributes
    ----------
    texts : int
    kept : Retention
        Of re-embedding's recall at 10, by the map alone, in the language of the fit, on texts held out.
    """

    texts: int
    kept: Retention


def learning_curve(
    source: TextVectors,
    target: TextVectors,
    sizes: Sequence[int],
    *,
    candidates: Sequence[LinearMap] = CANDIDATES,
    seed: int = 0,
) -> list[CurvePoint]:
    """Return what bridges fitted on growing parts of the texts keep, all on the same texts held out.

    Parameters
    ----------
    source, target : TextVectors
        As of `fit_bridge`; a fifth of them is held out.
    sizes : sequence of int
        Numbers of texts to fit on; those beyond what is not held out are left out.
    candidates : sequence of LinearMap
        Among which recall decides, on a part of the texts of the fit.
    seed : int
        Of the choice of texts.

    Raises
    ------
    BridgeError
        If re-embedding finds none of the texts held out, or there are too few.
    """
    short, long = _roles(source, target)
    held, rest = _split(len(long.x), seed)
    yardstick = answer_ranks(short.x[held], long.x, held) < _K
    if not yardstick.any():
        raise BridgeError("re-embedding finds none of the texts by their short ones; there is nothing to keep")
    points = []
    for size in sorted({each for each in sizes if FEWEST <= each <= len(rest)}):
        part = rest[:size]
        inner, tuned = part[size // 5 :], part[: size // 5]
        best = max((_held_out(each, short, long, inner, tuned) for each in candidates), key=lambda each: each.merit)
        matrix = _fitted(best.map, short, long, part)
        found = answer_ranks(_mapped(matrix, short, part, held), long.y, held) < _K
        points.append(CurvePoint(size, retention(found, yardstick, seed=seed)))
    return points


def _split(n: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows held out, and the others in an order of chance."""
    order = np.random.default_rng(seed).permutation(n)
    n_held = min(_MOST_HELD_OUT, max(10, int(_HELD_OUT * n)))
    return order[:n_held], order[n_held:]


def _roles(source: TextVectors, target: TextVectors) -> tuple[_Role, _Role]:
    found = []
    for role in ("short", "long"):
        found.append(_Role(*(unit_matrix(getattr(each, role), f"{role} texts") for each in (source, target))))
    sizes = {len(each) for role in found for each in (role.x, role.y)}
    if len(sizes) > 1:
        raise ValueError(f"both models need a vector of each text, long and short, but the numbers of rows are {sizes}")
    if min(sizes) < FEWEST:
        raise BridgeError(f"a bridge needs at least {FEWEST} texts, but there are {min(sizes)}; give more of the index")
    return found[0], found[1]


def _fitted(chosen: LinearMap, short: _Role, long: _Role, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    parts = [each.centred(rows) for each in (short, long)]
    x, y = (np.concatenate(each) for each in zip(*parts, strict=True))
    return chosen.fit(x, y)


def _mapped(
    matrix: NDArray[np.float32], short: _Role, kept: NDArray[np.int64], held: NDArray[np.int64]
) -> NDArray[np.float32]:
    return np.asarray((short.x[held] - short.means(kept)[0]) @ matrix, np.float32)


def _held_out(
    chosen: LinearMap,
    short: _Role,
    long: _Role,
    kept: NDArray[np.int64],
    held: NDArray[np.int64],
) -> HeldOut:
    matrix = _fitted(chosen, short, long, kept)
    ranks = answer_ranks(_mapped(matrix, short, kept, held), long.y, held)
    return HeldOut(chosen, float((ranks < 1).mean()), float((ranks < _K).mean()))


def _checked(answers: NDArray[np.bool_], yardstick: NDArray[np.bool_], n_texts: int, least: float) -> Retention:
    """Return what is kept on the texts held out, or refuse."""
    chance = min(1.0, _K / n_texts)
    recall, reached = float(answers.mean()), float(yardstick.mean())
    spread = 3 * np.sqrt(chance * (1 - chance) / len(answers))
    if reached <= min(chance + spread, 0.999):
        raise BridgeError(
            f"the model of the questions finds {reached:.0%} of {len(answers)} texts by their own short texts, no "
            "more than chance would; the short texts do not belong to the texts, or the model does not understand them"
        )
    measured = retention(answers, yardstick)
    if measured.value < least or recall <= min(chance + spread, 0.999):
        raise BridgeError(
            f"the bridge finds {recall:.0%} of {len(answers)} held-out texts by their short ones where re-embedding "
            f"finds {reached:.0%}; the vectors of the two models are not of the same texts in the same order, or the "
            "models are too unlike; encode again, give more texts, or re-embed"
        )
    return measured


def _called(chosen: LinearMap) -> str:
    parts = [chosen.kind, *([f"rank {chosen.rank}"] if chosen.rank else [])]
    return " ".join([*parts, *([] if chosen.kind == "orthogonal" else [f"strength {chosen.strength:g}"])])
