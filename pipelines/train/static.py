"""Distil an encoder into a table of piece vectors on somebody's own texts, judged on texts held out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from interlingua.align.files import replacing_folder
from interlingua.align.linalg import svd

from .settings import check_counts, check_positive, check_shares

if TYPE_CHECKING:
    from interlingua.pipelines.encoders.base import Encoder
    from interlingua.pipelines.encoders.pieces import PieceEncoder
    from interlingua.pipelines.texts.passages import Passage

_FEWEST = 100  # texts of a language that is judged
_OWN_MEAN = 10  # texts of a language that has a mean of its own
_ASKED = 100  # questions of a language whose mean is taken
_K = 10
_LEAST_BODY, _LEAST_REST = 60, 200  # bytes: of what stands below a first line, and behind a first sentence
_SAME_DIRECTION = 1e-6


class StaticRecallError(ValueError):
    """A table of pieces finds too little of what the encoder finds that it was distilled from."""


@dataclass(frozen=True, kw_only=True)
class StaticSettings:
    """How a table of piece vectors is learned.

    Attributes
    ----------
    questions : {"full", "static"}
        What reads questions: the encoder itself, mapped to the table's space, and the table beside it; or the table
        alone, which then needs no other encoder.
    pieces : int
        Words and parts of words at most; a piece takes two bytes a dimension.
    phrases : int, at least 0
        Pairs of pieces at most that get a vector of their own.
    dimension : int, optional
        Of the vectors, the principal components of what the encoder gives; by default all that it has.
    smoothing : float, above 0
        a of the weights a / (a + p) that pieces begin with.
    doubt : float, above 0
        A piece that the texts hold so often is half what its vector by itself says and half what they say.
    held_out : int
        Texts of a language to judge by, at most a fifth of them.
    least : float, from 0 to 1
        The share of the encoder's recall at 10 that must be kept in every language that is judged.
    seed : int
        Of the choice of texts held out.
    """

    questions: Literal["full", "static"] = "full"
    pieces: int = 24000
    phrases: int = 4000
    dimension: int | None = None
    smoothing: float = 1e-3
    doubt: float = 5.0
    held_out: int = 200
    least: float = 0.75
    seed: int = 0

    def __post_init__(self) -> None:
        if self.questions not in ("full", "static"):
            raise ValueError(f"questions must be 'full' or 'static', got {self.questions!r}")
        if self.phrases < 0:
            raise ValueError(f"phrases must not be negative, got {self.phrases}")
        check_counts(self, "pieces", "dimension", "held_out")
        check_positive(self, "smoothing", "doubt")
        check_shares(self, "least")


@dataclass(frozen=True)
class OwnTexts:
    """Texts with their languages, and titles or questions that ask for them.

    Attributes
    ----------
    texts, languages : tuple of str
        Row by row.
    titles : tuple of str
        "" where there is none.
    repeated : int
        Texts left out, since an equal one came before.
    """

    texts: tuple[str, ...]
    languages: tuple[str, ...]
    titles: tuple[str, ...]
    repeated: int = 0

    @classmethod
    def of(cls, passages: Iterable[Passage], *, titles: str | None = None) -> OwnTexts:
        """Return the texts of passages, equal ones once.

        Parameters
        ----------
        passages : iterable of Passage
        titles : str, optional
            The field of short texts, such as titles or questions, that ask for the text; a text without one is asked
            for by its first line or sentence.

        Raises
        ------
        ValueError
            If there is no text, no passage has the field, or what one has is no text.
        """
        found: dict[str, tuple[str, str]] = {}
        count = titled = 0
        for each in passages:
            count += 1
            title = each.metadata.get(titles) if titles is not None else None
            if title is not None and not isinstance(title, str):
                raise ValueError(f"the field {titles!r} of {each.id!r} must be a text, but is {title!r:.60}")
            titled += bool(title and title.strip())
            found.setdefault(each.text, (each.language, (title or "").strip()))
        if not found:
            raise ValueError("there is no text to learn from; give files of texts, some thousands of each language")
        if titles is not None and not titled:
            raise ValueError(f"no text has the field {titles!r}; name another with --titles, or none")
        languages, asked = zip(*found.values(), strict=True)
        return cls(tuple(found), languages, asked, count - len(found))


@dataclass(frozen=True)
class LanguageRecall:
    """What is found by questions for a language's texts that were held out.

    What a question asks for is the text, or the rest of it; see `asked_for`. A short text asks for what the encoder
    finds nearest to it among those learned from, so that there the encoder finds all.

    Attributes
    ----------
    texts : int
        All texts of the language.
    judged : int
        Those held out; 0 where there are too few.
    full : float
        Recall at 10 of the encoder, among the texts held out and those learned from.
    asymmetric : float
        The same with the table's vectors of texts, and questions that the encoder reads.
    symmetric : float
        The same with the table's vectors of both.
    """

    texts: int
    judged: int = 0
    full: float = float("nan")
    asymmetric: float = float("nan")
    symmetric: float = float("nan")

    def kept(self, questions: str) -> float:
        """Return the share of the encoder's recall that is kept with questions read "full" or "static"."""
        found = self.asymmetric if questions == "full" else self.symmetric
        return found / self.full if self.full > 0 else float("nan")


@dataclass(frozen=True)
class StaticResult:
    """What was trained.

    Attributes
    ----------
    folder : Path
    pieces, dimension : int
        Rows and columns of the table.
    megabytes : float
        Of the folder.
    languages : mapping of str to LanguageRecall
    seconds : float
    """

    folder: Path
    pieces: int
    dimension: int
    megabytes: float
    languages: Mapping[str, LanguageRecall]
    seconds: float


def asked_for(text: str, title: str = "") -> tuple[str, str]:
    """Return a question that asks for a text, and what is to be found: the text, or the rest of it.

    Parameters
    ----------
    text : str
    title : str
        What asks for the whole text, where there is such a thing; by default its first line or sentence, which asks for
        the rest.

    Returns
    -------
    pair of str
        Of a text whose rest would be short, the whole text and "": it asks for what an encoder finds nearest to it.

    Examples
    --------
    >>> asked_for("Dig a deep hole, then set the tree into it.", "How to plant a tree?")
    ('How to plant a tree?', 'Dig a deep hole, then set the tree into it.')
    >>> asked_for("One short sentence.")
    ('One short sentence.', '')
    """
    from interlingua.pipelines.bridge.texts import opening

    if title:
        return title, text
    whole = text.strip()
    first = opening(whole)
    rest = whole[len(first) :].strip()
    enough = _LEAST_BODY if rest and "\n" in whole[: len(first) + 2] else _LEAST_REST
    return (first, rest) if len(rest.encode()) >= enough else (whole, "")


def train_static(
    encoder: Encoder,
    texts: OwnTexts,
    output: str | Path,
    *,
    settings: StaticSettings | None = None,
    name: str = "",
    progress: bool = False,
) -> StaticResult:
    """Distil an encoder into a table of piece vectors on texts, judge it, and write it if it keeps enough.

    A text's vector is the sum of its pieces', scaled to length 1. Pieces begin with the vectors that the encoder gives
    them alone, weighted and without the mean of their languages; then `fit_rows` brings the means over the
    texts' pieces nearest to the encoder's own vectors, each less the mean of its language, so that what the table
    gives is free of language. Questions that the encoder reads lose the directions in which languages differ, and
    the table's own vector of the question is added to them.

    Parameters
    ----------
    encoder : Encoder
        What to distil.
    texts : OwnTexts
        Some thousands of each language that matters.
    output : str or Path
        The folder to make, which model2vec and sentence-transformers load as well.
    settings : StaticSettings, optional
    name : str
        What `load_encoder` makes the encoder by, for a table whose questions it reads; by default the name that it was
        loaded by.
    progress : bool
        Show bars on standard error.

    Raises
    ------
    StaticRecallError
        If it keeps less than `settings.least` of the encoder's recall in a language; then nothing is written.
    ValueError
        If no language has enough texts to judge, or the encoder has no name and is to read the questions.
    FileExistsError
        If something else lies at `output`.
    """
    from interlingua.pipelines.encoders.load import lasting_name
    from interlingua.pipelines.encoders.pieces import MARKER, is_piece_table

    chosen = settings or StaticSettings()
    began = time.monotonic()
    known = lasting_name(name or None, encoder)
    if chosen.questions == "full" and not known:
        raise ValueError(
            "the encoder that reads the questions needs a name that loads it again; load it by `load_encoder`, "
            "or let the table read them (questions='static')"
        )
    if known and is_piece_table(known):
        raise ValueError(f"{known} is a table of pieces already; distil an encoder that reads whole texts")
    if chosen.dimension is not None and chosen.dimension > encoder.dimension:
        raise ValueError(
            f"the encoder gives {encoder.dimension} dimensions, and a table cannot have {chosen.dimension}; take fewer"
        )
    held = _held_out(texts, chosen)
    if not held:
        counts = ", ".join(f"{key}: {n}" for key, n in Counter(texts.languages).most_common())
        raise ValueError(
            f"it takes {_FEWEST} texts of a language to judge a table, but there are {counts}; give more texts, some "
            "thousands of each language that matters"
        )
    distilled = _Distillation.of(encoder, texts, held, chosen, progress=progress)
    table = distilled.table(known)
    found = distilled.judged(table)
    _refuse_weak(found, chosen)
    with replacing_folder(output, marker=MARKER, kind="table of pieces") as folder:
        told = {each: {**vars(recall)} for each, recall in found.items() if recall.judged}
        table.write(folder, about={"encoder": encoder.identity, "settings": vars(chosen), "languages": told})
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    return StaticResult(Path(output), len(table.vectors), table.dimension, size, found, time.monotonic() - began)


def _held_out(texts: OwnTexts, settings: StaticSettings) -> dict[int, tuple[str, str]]:
    """Return question and rest of the texts held out, by row."""
    rng = np.random.default_rng(settings.seed)
    rows: dict[str, list[int]] = {}
    for row, language in enumerate(texts.languages):
        rows.setdefault(language, []).append(row)
    chosen = [
        row
        for own in rows.values()
        if len(own) >= _FEWEST
        for row in rng.permutation(own)[: min(settings.held_out, len(own) // 5)].tolist()
    ]
    return {row: asked_for(texts.texts[row], texts.titles[row]) for row in chosen}


def _refuse_weak(found: Mapping[str, LanguageRecall], settings: StaticSettings) -> None:
    weak = {
        name: each
        for name, each in found.items()
        if each.judged and not each.kept(settings.questions) >= settings.least
    }
    if not weak:
        return
    seen = "; ".join(
        f"{name}: {100 * each.kept(settings.questions):.1f} % (recall at {_K} of {each.judged} texts held out "
        f"{100 * (each.asymmetric if settings.questions == 'full' else each.symmetric):.1f} %, the encoder's "
        f"{100 * each.full:.1f} %; {each.texts} texts)"
        for name, each in weak.items()
    )
    full = "" if settings.questions == "full" else "have questions read by the encoder (--questions full), "
    raise StaticRecallError(
        f"a table of pieces must keep {100 * settings.least:.0f} % of the encoder's recall in every language, but "
        f"keeps {seen}; give more texts of that kind, {full}more --pieces, or a smaller --least"
    )


@dataclass(frozen=True)
class _Distillation:
    """Texts cut into pieces, and what the encoder gives for them."""

    settings: StaticSettings
    encoder: Encoder
    texts: OwnTexts
    held: Mapping[int, tuple[str, str]]
    learned: list[int]  # rows
    pieces: bytes
    vectors: NDArray[np.float32]  # of the rows learned from
    alone: NDArray[np.float32]  # of the pieces
    questions: NDArray[np.float32]  # of some texts learned from, a block a language of equal weight

    @classmethod
    def of(
        cls, encoder: Encoder, texts: OwnTexts, held: Mapping[int, tuple[str, str]], settings: StaticSettings, *,
        progress: bool,
    ) -> _Distillation:  # fmt: skip
        from interlingua.pipelines.encoders.limits import naming_languages

        from .pieces import learn_pieces, spoken

        learned = [row for row in range(len(texts.texts)) if row not in held]
        own = [texts.texts[row] for row in learned]
        pieces = learn_pieces(own, size=settings.pieces, phrases=settings.phrases)
        with naming_languages([texts.languages[row] for row in learned]):
            vectors = encoder.encode(own, role="passage", progress=progress)
        alone = _vectors_or_zero(encoder, spoken(pieces), progress=progress)
        asked: list[str] = []
        counts: Counter[str] = Counter()
        for row in learned:
            if counts[texts.languages[row]] < _ASKED:
                asked.append(asked_for(texts.texts[row], texts.titles[row])[0])
                counts[texts.languages[row]] += 1
        questions = encoder.encode(asked, role="query", progress=progress)
        return cls(settings, encoder, texts, held, learned, pieces, vectors, alone, questions)

    def table(self, name: str) -> PieceEncoder:
        """Return the table, with the encoder of its questions."""
        from interlingua.pipelines.encoders.fingerprint import fingerprint
        from interlingua.pipelines.encoders.pieces import PieceEncoder, QuestionMap

        from .piece_table import fit_rows

        languages = [self.texts.languages[row] for row in self.learned]
        means, of = _means(self.vectors, languages)
        centred = self.vectors - means[of]
        components = _components(centred, self.settings.dimension)
        rows = self._start(of, len(means)) @ components
        aims = np.asarray(centred @ components, np.float32)
        table = fit_rows(self._bags, aims, rows, doubt=self.settings.doubt)
        table[0] = 0
        if self.settings.questions == "static":
            return PieceEncoder(self.pieces, table)
        weight = _without_languages(means) @ components
        offset = -(self.questions.mean(axis=0) @ weight)
        prompt = self.encoder.prompts["query"]
        asks = QuestionMap(
            weight.astype(np.float32), offset.astype(np.float32), self.encoder.identity, name, prompt,
            probes=fingerprint(self.encoder),
        )  # fmt: skip
        return PieceEncoder(self.pieces, table, questions=asks, asked=self.encoder)

    @property
    def _bags(self) -> Any:
        from interlingua.align.arrays import require

        from .piece_table import bags_of

        cutter = require("sentencepiece", extra="train").SentencePieceProcessor(model_proto=self.pieces)
        return bags_of(cutter.encode([self.texts.texts[row] for row in self.learned]), cutter.get_piece_size())

    def _start(self, of: NDArray[np.int64], n_languages: int) -> NDArray[np.float32]:
        """Return the pieces' own vectors, less the mean of the languages that they stand in, weighted."""
        from .piece_table import smooth_weights

        bags = self._bags
        understood = self.alone.any(axis=1)
        mass = np.stack([np.asarray(bags[of == each].sum(axis=0)).ravel() for each in range(n_languages)]) * understood
        means = (mass @ self.alone) / np.maximum(mass.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        total = mass.sum(axis=0)
        shares = np.where(total > 0, mass / np.maximum(total, np.finfo(np.float32).tiny), 1 / n_languages)
        weights = smooth_weights(bags, self.settings.smoothing)
        start = (weights * understood)[:, None] * (self.alone - shares.T @ means)
        return np.asarray(start, np.float32)

    def judged(self, table: PieceEncoder) -> dict[str, LanguageRecall]:
        """Return what is found again of each language's texts that were held out."""
        from .piece_table import recall_at

        rows: dict[str, list[int]] = {}
        for row in self.held:
            rows.setdefault(self.texts.languages[row], []).append(row)
        place = {row: at for at, row in enumerate(self.learned)}
        found = {}
        for language, n in Counter(self.texts.languages).most_common():
            if language not in rows:
                found[language] = LanguageRecall(n)
                continue
            asked, rests = zip(*(self.held[row] for row in rows[language]), strict=True)
            parted = [rest for rest in rests if rest]
            others = [row for row in self.learned if self.texts.languages[row] == language]
            full = self.encoder.encode(asked, role="query")
            learned = self.vectors[[place[row] for row in others]]
            answers = np.argmax(full @ learned.T, axis=1) + len(parted)
            answers[[at for at, rest in enumerate(rests) if rest]] = np.arange(len(parted))
            whole = np.concatenate([self.encoder.encode(parted, role="passage"), learned])
            pool = table.encode([*parted, *(self.texts.texts[row] for row in others)], role="passage")
            both = [table.encode(asked, role="query")] if table.questions else []
            both.append(table.encode(asked, role="symmetric"))
            recalls = [recall_at(each, pool, answers, _K) for each in both]
            found[language] = LanguageRecall(
                n, len(rests), recall_at(full, whole, answers, _K), *([float("nan")] * (2 - len(both))), *recalls
            )
        return found


def _vectors_or_zero(encoder: Encoder, texts: list[str], *, progress: bool = False) -> NDArray[np.float32]:
    """Return the vectors of texts, zeros where the encoder knows nothing in one."""
    from interlingua.pipelines.encoders.base import UnknownTextError

    try:
        return encoder.encode(texts, role="passage", progress=progress)
    except UnknownTextError:
        if len(texts) == 1:
            return np.zeros((1, encoder.dimension), np.float32)
        middle = len(texts) // 2
        return np.concatenate([_vectors_or_zero(encoder, part) for part in (texts[:middle], texts[middle:])])


def _means(vectors: NDArray[np.float32], languages: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the mean of each language and which of them each row has; languages of few texts share the mean of all."""
    counts = Counter(languages)
    names = [name for name, n in counts.items() if n >= _OWN_MEAN]
    number = {name: at for at, name in enumerate(names)}
    of = np.array([number.get(name, len(names)) for name in languages])
    means = [vectors[of == at].mean(axis=0) for at in range(len(names))]
    if (of == len(names)).any():
        means.append(vectors.mean(axis=0))
    return np.stack(means).astype(np.float32), of


def _components(centred: NDArray[np.float32], dimension: int | None) -> NDArray[np.float32]:
    """Return (t, d): the principal components of vectors, or the identity where all are kept."""
    full = centred.shape[1]
    if dimension is None or dimension == full:
        return np.eye(full, dtype=np.float32)
    _, vectors = np.linalg.eigh(centred.T.astype(np.float64) @ centred)
    return np.ascontiguousarray(vectors[:, ::-1][:, :dimension]).astype(np.float32)


def _without_languages(means: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the projection that takes away the directions in which the means of languages differ, half at most."""
    size = means.shape[1]
    _, lengths, directions = svd(means.astype(np.float64) - means.mean(axis=0))
    kept = directions[: size // 2][lengths[: size // 2] > _SAME_DIRECTION * max(lengths.max(initial=0.0), 1e-3)]
    projection: NDArray[np.float64] = np.eye(size) - kept.T @ kept
    return projection
