"""How likely a passage answers a question, in one meaning for collections of any size, language and encoder.

No label is needed: texts about anything, in many languages, tell how alike two texts are that have nothing to do with
each other, and how alike two are that say the same.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interlingua.align.arrays import unit_rows
from interlingua.pipelines.encoders.base import Encoder, Role, UnknownTextError
from interlingua.pipelines.texts.passages import UNDETERMINED

from .ranked import rows_by_language

Vectors = NDArray[np.float32]
_PACKED = "about_anything.npz"  # what the bundled encoder makes of the texts
_TELLING = 16  # texts of a language that tell where it lies; the others are too short
_FEWEST_KNOWN = 8  # texts of a language that an encoder of words must tell apart
_USUAL_UNIT = 6.4  # of spreads: what the bundled encoder has, for one that knows one language only
RIVALS = 50  # passages that compete to be the one that answers, however many were found
_FARTHEST = 300.0  # of which exp, and its sums, are finite
_EQUAL = 1e-5  # what rounding makes of equal texts
_COPY = 0.95  # cosine of texts, less their language, that differ by no word that counts


@dataclass(frozen=True)
class _Odds:
    """log odds = slope x - far sqrt(2 log n) d / u - near y + share log share - offset."""

    slope: float
    far: float
    near: float
    share: float
    offset: float


# fitted as `python -m interlingua.benchmarks calibration` says, on none of the texts that its tables show
_ANSWERS = _Odds(8.7, 8.5, 3.9, 1.6, -0.2)
_ANSWERABLE = _Odds(19.1, 14.8, 9.9, 0.0, -1.6)
_SHARPNESS, _APART = 11.7, 20.0  # f of y, h of shares


@dataclass(frozen=True)
class Judgement:
    """What is thought of the passages found for a question.

    Attributes
    ----------
    similarity : (h,) array of float64
        s of `Relevance`.
    probability : (h,) array of float64
        That each answers the question.
    answerable : float
        The probability that the collection is about what was asked, be the best passage the right one or not.
    """

    similarity: NDArray[np.float64]
    probability: NDArray[np.float64]
    answerable: float


@dataclass(frozen=True)
class Relevance:
    r"""The probability that a passage answers a question, and that a collection answers it at all.

    With q and p the vectors of question and passage as the encoder gives them, each less the mean of texts about
    anything in the nearest language, of the same role,

        s = cos(q - m_l(q), p - m_l(p)),    l(x) = argmax_l cos(x - m, m_l - m)

    The texts say the same in every language. So they also tell the mean s_0 and deviation d of s between texts that
    have nothing to do with each other, and the mean s_0 + u of translations. The largest s of a question with n
    passages that have nothing to do with it is about s_0 + d sqrt(2 log n) [1]_, and who asks for nothing in particular
    (a greeting, the weather, random letters) is near to one of the texts g. With x = (s - s_0) / u,

        log P / (1 - P) = a_1 x - a_2 sqrt(2 log n) d / u - a_3 y + a_4 log share - a_5
        y = max(1 / f log sum_g exp(f x_g), max_t x_t)
        share = exp(h x) / sum of exp(h x) over the passages that were found in its language

    where t are the texts in each language, each by itself, which knows a greeting in the words of its language, and g
    what they mean. a_1 ... a_5, f and h are constants, one set for "the collection is about what was asked" (of the
    best x; a_4 is 0) and one for "this passage answers". In a share translations and copies do not compete, others do.
    The constants were fitted on a table of frequent questions, on titles of packages and on questions of XQuAD-R
    (`benchmarks/search/calibration.py` says how), and are the same for every encoder, as s is measured in units of its
    own.

    What neither knows is a question about the very subject of the collection that it yet does not answer; learn that
    from questions with known answers, see `interlingua.pipelines.QuestionAnswerer.calibrate`.

    Attributes
    ----------
    languages : tuple of str
        Those of the means; "und" are greetings to nobody: letters, digits, signs, code.
    questions, passages : (l, d) array of float32
        m_l of either role.
    anything : (g, d) array of float32
        The texts g as passages less m_l, each the mean of its translations, of unit length.
    texts : (t, d) array of float32
        Each of the texts in each language by itself, likewise.
    origin, spread, unit : float
        s_0, d and u.

    References
    ----------
    .. [1] Leadbetter, Lindgren and Rootzén (1983), "Extremes and Related Properties of Random Sequences and
       Processes", Springer. doi:10.1007/978-1-4612-5449-2

    Examples
    --------
    ::

        relevance = Relevance.of(encoder)
        question, found = encoder.encode([asked], role="query"), encoder.encode(texts, role="passage")
        relevance.judge(question[0], found, n=len(collection)).probability
    """

    languages: tuple[str, ...]
    questions: Vectors
    passages: Vectors
    anything: Vectors
    texts: Vectors
    origin: float
    spread: float
    unit: float

    @classmethod
    def of(cls, encoder: Encoder, *, symmetric: bool = False) -> "Relevance":
        """Return that of an encoder: from the package for the bundled one, else by encoding some 500 short texts.

        Parameters
        ----------
        encoder : Encoder
        symmetric : bool
            For texts of which neither is a question, such as translations.

        Raises
        ------
        ValueError
            If the encoder knows too few of the texts, as word vectors of a language that is not among theirs.
        """
        roles: tuple[Role, Role] = ("symmetric", "symmetric") if symmetric else ("query", "passage")
        prompts = tuple(encoder.prompts[role] for role in roles)
        if (packed := _packed().get(encoder.identity.rpartition("-")[0])) and prompts in packed:
            return packed[prompts]
        key = encoder.identity, prompts
        if key not in _MADE:
            _MADE[key] = cls.fit(*(_known_vectors(encoder, role) for role in roles))
        return _MADE[key]

    @staticmethod
    def is_at_hand(encoder: Encoder) -> bool:
        """Tell whether `of` encodes nothing for questions and passages of this encoder."""
        prompts = tuple(encoder.prompts[role] for role in ("query", "passage"))
        packed = _packed().get(encoder.identity.rpartition("-")[0], {})
        return prompts in packed or (encoder.identity, prompts) in _MADE

    @classmethod
    def fit(
        cls, questions: Mapping[tuple[str, int], ArrayLike], passages: Mapping[tuple[str, int], ArrayLike]
    ) -> "Relevance":
        """Learn the means and the units from texts that say the same in several languages.

        Parameters
        ----------
        questions, passages : mapping of (language, number) to (d,) array
            Vectors of the same texts in either role; texts of one number say the same, but those of "und" nothing.

        Raises
        ------
        ValueError
            If no language has eight texts that differ.
        """
        keys = [key for key in questions if key in passages]
        of = {
            name: [row for row in rows if _tells(*keys[row])]
            for name, rows in rows_by_language([language for language, _ in keys]).items()
        }
        sides = [np.array([each[key] for key in keys], np.float32) for each in (questions, passages)]
        # subtle: to an encoder of few words all texts may be the same one
        kept = [name for name, rows in of.items() if len(np.unique(sides[1][rows], axis=0)) >= _FEWEST_KNOWN]
        if not any(name != UNDETERMINED for name in kept):
            raise ValueError(
                "what an answer is worth is told by texts about anything, of which the encoder knows too few: take "
                "an encoder of sentences, or ask for no probability"
            )
        means = [np.stack([side[of[name]].mean(axis=0) for name in kept]) for side in sides]
        mapped = [_centred(side, mean) for side, mean in zip(sides, means, strict=True)]
        # subtle: what says nothing has no translation, and each of it stands for itself
        said = rows_by_language([f"{number}" if name != UNDETERMINED else f"{name} {number}" for name, number in keys])
        anything = unit_rows(np.stack([mapped[1][rows].mean(axis=0) for rows in said.values()]))
        rows = [row for row, (name, number) in enumerate(keys) if name != UNDETERMINED and _tells(name, number)]
        alike = mapped[0][rows] @ mapped[1][rows].T
        number = np.array([keys[row][1] for row in rows])
        language = np.array([keys[row][0] for row in rows])
        same, own = number[:, None] == number, language[:, None] == language
        origin, spread = float(alike[~same].mean()), float(alike[~same].std())
        # subtle: an encoder of one language takes translations for strangers, and they say nothing then
        unit = float(alike[same & ~own].mean()) - origin if (same & ~own).any() else 0.0
        unit = unit if unit > 3 * spread else _USUAL_UNIT * spread
        known = np.asarray(anything, np.float32), mapped[1]
        return cls(tuple(kept), means[0], means[1], *known, origin, spread, unit)

    def map_questions(self, raw: Vectors) -> Vectors:
        """Return questions less the mean of their nearest language, as unit rows (n, d)."""
        return _centred(raw, self.questions)

    def map_passages(self, raw: Vectors) -> Vectors:
        """Return passages less the mean of their nearest language, as unit rows (n, d)."""
        return _centred(raw, self.passages)

    def similarity(self, questions: Vectors, passages: Vectors) -> Vectors:
        """Return s of vectors as the encoder gave them, (n, m)."""
        return self.map_questions(questions) @ self.map_passages(passages).T

    def judge(self, question: Vectors, passages: Vectors, n: int, languages: Sequence[str] | None = None) -> Judgement:
        """Judge the passages that were found for a question.

        Parameters
        ----------
        question : (d,) array
            As the encoder gave it.
        passages : (h, d) array
            Likewise; the best of the collection, best first, of which 50 compete.
        n : int
            Passages that were searched.
        languages : sequence of h str, optional
            Of the passages; by default they are of one.
        """
        rows = self.map_passages(passages)
        alike = (rows @ self.map_questions(question[None])[0]).astype(np.float64)
        near = self.nearness(question[None])[0]
        best = float(self.answerable(alike[:RIVALS].max(), n, near)) if len(alike) else 0.0
        return Judgement(alike, self.probability(alike, n, near, languages, copies=rows @ rows.T > _COPY), best)

    def nearness(self, questions: Vectors) -> NDArray[np.float64]:
        """Return y of questions as the encoder gave them, (n,): how near each is to texts about anything."""
        return self.nearness_of_mapped(self.map_questions(questions))

    def nearness_of_mapped(self, rows: Vectors) -> NDArray[np.float64]:
        """Return y of what `map_questions` gave, (n,)."""
        meant, said = (
            ((rows @ texts.T).astype(np.float64) - self.origin) / self.unit for texts in (self.anything, self.texts)
        )
        together = np.log(np.exp(_SHARPNESS * meant).sum(axis=1)) / _SHARPNESS
        return np.asarray(np.maximum(together, said.max(axis=1)), np.float64)

    def probability(
        self,
        similarity: ArrayLike,
        n: int,
        near: float,
        languages: Sequence[str] | None = None,
        *,
        copies: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        """Return the probability of each passage that was found that it answers the question, (h,).

        Parameters
        ----------
        similarity : (h,) array
            s of the question and each passage.
        n, languages
            As in `judge`.
        near : float
            Of the question, from `nearness`.
        copies : (h, h) array of bool, optional
            Which passages say the same in the same words, or nearly; by default those of equal s.
        """
        alike = np.asarray(similarity, np.float64)
        names = np.array([""] * len(alike) if languages is None else list(languages))
        gaps = (alike[None, :] - alike[:, None]) / self.unit  # of the others to each
        same = np.abs(gaps) <= _EQUAL if copies is None else copies | np.eye(len(alike), dtype=bool)
        rivals = (names[:, None] == names) & ~same
        rivals[:, RIVALS:] = False
        weights = np.where(rivals, np.exp(np.clip(_APART * gaps, None, _FARTHEST)), 0.0)
        return self._of(_ANSWERS, alike, n, near, 1 / (1 + weights.sum(axis=1)))

    def answerable(self, best: ArrayLike, n: int, near: ArrayLike) -> NDArray[np.float64]:
        """Return the probability that a collection is about what was asked, from its best s among n passages."""
        return self._of(_ANSWERABLE, best, n, near)

    def to_bytes(self) -> bytes:
        """Return everything as a .npz file, which `from_bytes` reads."""
        file = io.BytesIO()
        np.savez(file, **dict[str, Any](self.to_arrays()))
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Relevance":
        """Return what `to_bytes` wrote."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return cls.from_arrays(arrays)

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return everything as arrays by name."""
        scale = np.array([self.origin, self.spread, self.unit], np.float64)
        return {
            "languages": np.array(self.languages),
            "questions": self.questions,
            "passages": self.passages,
            "anything": self.anything,
            "texts": self.texts,
            "scale": scale,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "Relevance":
        """Return what `to_arrays` gave."""
        questions, passages, anything, texts = (
            np.asarray(arrays[name], np.float32) for name in ("questions", "passages", "anything", "texts")
        )
        if arrays["texts"].dtype == np.int8:
            texts = np.asarray(unit_rows(texts), np.float32)
        origin, spread, unit = np.asarray(arrays["scale"], np.float64).tolist()
        names = tuple(str(each) for each in arrays["languages"])
        return cls(names, questions, passages, anything, texts, origin, spread, unit)

    def _of(
        self, odds: _Odds, similarity: ArrayLike, n: int, near: ArrayLike, share: ArrayLike = 1.0
    ) -> NDArray[np.float64]:
        x = (np.asarray(similarity, np.float64) - self.origin) / self.unit
        far = np.sqrt(2 * np.log(max(n, 1))) * self.spread / self.unit
        pro = odds.slope * x - odds.far * far - odds.near * np.asarray(near) + odds.share * np.log(np.asarray(share))
        return np.asarray(1 / (1 + np.exp(np.clip(odds.offset - pro, None, _FARTHEST))))


@cache
def texts_about_anything() -> tuple[tuple[str, int, str], ...]:
    """Return language, number and text of short texts about anything; those of one number say the same.

    Examples
    --------
    >>> texts_about_anything()[0]
    ('en', 0, 'Why is the sky blue?')
    """
    text = (resources.files("interlingua.pipelines") / "data" / "about_anything.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t", 1) for line in text.splitlines()[1:]]
    seen: dict[str, int] = {}
    numbered = []
    for language, said in rows:
        seen[language] = seen.get(language, -1) + 1
        numbered.append((language, seen[language], said))
    return tuple(numbered)


def _tells(language: str, number: int) -> bool:
    return language == UNDETERMINED or number < _TELLING


_MADE: dict[tuple[str, tuple[str, ...]], Relevance] = {}


@cache
def _packed() -> dict[str, dict[tuple[str, ...], Relevance]]:
    """Return what is in the package, by the encoder's identity without its recipe and by the prompts."""
    place = resources.files("interlingua.pipelines") / "data" / _PACKED
    with np.load(io.BytesIO(place.read_bytes()), allow_pickle=False) as kept:
        found: dict[str, dict[tuple[str, ...], Relevance]] = {}
        for number, (identity, *prompts) in enumerate(kept["of"].tolist()):
            own = {name.partition("/")[2]: kept[name] for name in kept.files if name.startswith(f"{number}/")}
            found.setdefault(identity, {})[tuple(prompts)] = Relevance.from_arrays(own)
    return found


def pack_relevance(encoder: Encoder) -> bytes:
    """Return the package's file of what an encoder makes of the texts; see pipelines/data/README.md."""
    arrays: dict[str, Any] = {}
    of = []
    pairs: tuple[tuple[Role, Role], ...] = (("query", "passage"), ("symmetric", "symmetric"))
    for number, roles in enumerate(pairs):
        made = Relevance.fit(*(_known_vectors(encoder, role) for role in roles))
        of.append([encoder.identity.rpartition("-")[0], *(encoder.prompts[role] for role in roles)])
        arrays |= {f"{number}/{name}": _short(each) for name, each in made.to_arrays().items()}
        arrays[f"{number}/texts"] = np.round(127 * made.texts).astype(np.int8)  # cosines are off by less than 0.005
    file = io.BytesIO()
    np.savez_compressed(file, of=np.array(of), **arrays)
    return file.getvalue()


def _short(array: NDArray[np.generic]) -> NDArray[np.generic]:
    return array.astype(np.float16) if array.dtype == np.float32 else array  # means are off by less than 0.0005


def _known_vectors(encoder: Encoder, role: Role) -> dict[tuple[str, int], Vectors]:
    """Return the vector of each text that the encoder knows."""
    texts = list(texts_about_anything())
    known, vectors = texts, _encoded(encoder, [text for *_, text in texts], role)
    if vectors is None:
        each = [(row, _encoded(encoder, [row[2]], role)) for row in texts]
        known = [row for row, vector in each if vector is not None]
        vectors = np.concatenate([np.empty((0, encoder.dimension), np.float32), *(v for _, v in each if v is not None)])
    return {(language, number): vector for (language, number, _), vector in zip(known, vectors, strict=True)}


def _encoded(encoder: Encoder, texts: Sequence[str], role: Role) -> Vectors | None:
    try:
        return encoder.encode(texts, role=role)
    except UnknownTextError:
        return None


def _nearest(raw: Vectors, means: Vectors) -> NDArray[np.intp]:
    middle = means.mean(axis=0)
    return np.asarray((unit_rows(raw - middle) @ unit_rows(means - middle).T).argmax(axis=1))


def _centred(raw: Vectors, means: Vectors) -> Vectors:
    rows = np.asarray(raw, np.float32)
    return np.asarray(unit_rows(rows - means[_nearest(rows, means)]), np.float32)
