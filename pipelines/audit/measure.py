"""Audit an index of many languages: whether it finds what texts say, or the language they say it in."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import SharedSpace
from interlingua.align.language import REMOVAL_METHODS, LanguageBias, language_bias

Vectors = NDArray[np.float32]
#: How many times as many neighbours as fair, or which share of all that are not fair, are strong or any bias.
_STRONG, _WEAK = (2.0, 0.3), (1.25, 0.05)
_WITHOUT_IDS = "centring"


@dataclass(frozen=True)
class AuditVectors:
    """Vectors with the language of each, and with ids where rows of different languages belong together.

    Attributes
    ----------
    vectors : (n, d) array of float32
    languages : tuple of n str
    ids : tuple of n hashable, or None
    encoder : str
        Identity of the encoder; empty: not known.
    mapped_already : bool or None
        Whether they were mapped into a shared space; None: not known.
    """

    vectors: Vectors
    languages: tuple[str, ...]
    ids: tuple[Hashable, ...] | None = None
    encoder: str = ""
    mapped_already: bool | None = None

    def by_language(self) -> dict[str, Vectors]:
        """Return the vectors of each language."""
        names = np.asarray(self.languages, dtype=object)
        return {name: self.vectors[names == name] for name in dict.fromkeys(self.languages)}

    def mapped(self, space: SharedSpace) -> "AuditVectors":
        """Return the same rows in a shared space."""
        names = np.asarray(self.languages, dtype=object)
        rows = np.empty((len(self.vectors), space.dimension), np.float32)
        for name in dict.fromkeys(self.languages):
            rows[names == name] = space.transform(self.vectors[names == name], name)
        return AuditVectors(rows, self.languages, self.ids, self.encoder, True)


@dataclass(frozen=True)
class Audit:
    """What was found, raw and after each method of removing language.

    Attributes
    ----------
    raw : LanguageBias
    methods : mapping of str to LanguageBias
        Each fitted on the audited vectors themselves; empty unless asked for.
    """

    raw: LanguageBias
    methods: Mapping[str, LanguageBias] = field(default_factory=dict)

    @property
    def recommended(self) -> str:
        """The method that finds most translations in the mixed pool; centring where there are none to find."""
        measured = {
            name: each.translations.mixed for name, each in self.methods.items() if each.translations is not None
        }
        return max(measured, key=lambda name: measured[name]) if measured else _WITHOUT_IDS

    @property
    def biased(self) -> bool:
        """Whether neighbours in the query's language are more frequent than language-blind search would make them."""
        return _exceeds(self.raw, _WEAK)

    def verdict(self) -> list[str]:
        """Return what is the matter, in up to three sentences that name languages and figures."""
        raw = self.raw
        strength = "Strong" if _exceeds(raw, _STRONG) else "Some" if self.biased else "No"
        lines = [
            f"{strength} language bias: {_percent(raw.same_language_share)} of the first {raw.k} hits are in the "
            f"query's own language, where {_percent(raw.fair_share)} would be fair."
        ]
        if self.biased:
            query, answer = _worst(raw)
            fair = raw.counts[answer] / sum(raw.counts)
            see = "hardly see" if raw.shares[query, answer] < fair / 2 else "see too few"
            lines.append(
                f"Questions in {raw.languages[query]} {see} texts in {raw.languages[answer]}: "
                f"{_percent(raw.shares[query, answer])} of their hits, where {_percent(fair)} of all texts are in it; "
                f"{raw.languages[query]} texts score {raw.score_offsets[query]:+.3f} above those of the others."
            )
        if raw.translations is not None and np.isfinite(raw.lost):
            lines.append(
                f"Right texts of another language found in the first {raw.k}: {_percent(raw.translations.single)} when "
                f"only that language is searched, {_percent(raw.translations.mixed)} when all are in one index."
            )
        return lines

    def advice(self, files: Sequence[str] = ()) -> str:
        """Return one line that says what to do; `files` are what `space fit` takes."""
        if not self.biased:
            return "Nothing needs to be done about language."
        given = " ".join(files) or "LANGUAGE=FILE.npy ..."
        return (
            f"Remove language with: interlingua space fit {given} --method {self.recommended} -o languages.space, "
            "then give --space languages.space to `interlingua encode` and `interlingua index build`."
        )

    def measures(self) -> dict[str, dict[str, float]]:
        """Return the main figures of each row of the comparison, by name; NaN where they need ids."""
        rows = {name: _measures(each) for name, each in {"raw": self.raw, **self.methods}.items()}
        own = f"recall@{self.raw.k}, own language"
        if not any(np.isfinite(each[own]) for each in rows.values()):  # no text has another one of its own language
            for each in rows.values():
                del each[own]
        return rows

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON can hold it; what is not known is null."""
        found: dict[str, Any] = {
            "verdict": self.verdict(),
            "biased": self.biased,
            "recommended": self.recommended,
            "measures": self.measures(),
            "raw": asdict(self.raw) | {"score_offsets": self.raw.score_offsets},
            "methods": {
                name: asdict(each) | {"score_offsets": each.score_offsets} for name, each in self.methods.items()
            },
        }
        return dict(_plain(found))


def audit(
    searched: AuditVectors,
    questions: AuditVectors | None = None,
    *,
    methods: Sequence[str] | None = (),
    k: int = 5,
    sample: int = 2000,
    seed: int = 0,
) -> Audit:
    """Measure the language bias of vectors, raw and after methods that remove it.

    Each method is fitted on the vectors themselves, on questions and on texts each for itself: an upper bound of what a
    space learned on other texts does, and what `space fit` on these files does.

    Parameters
    ----------
    searched : AuditVectors
        What is in the index.
    questions : AuditVectors, optional
        What it is asked; by default every text is asked of all others.
    methods : sequence of str, optional
        Of `REMOVAL_METHODS`; None for all of them.
    k : int
        Hits a question.
    sample : int
        Ask at most so many questions.
    seed : int
        As in `language_bias`.

    Raises
    ------
    ValueError
        If questions and texts are not of one encoder, or only one of them was mapped; else as in `language_bias` and
        the methods.
    """
    if questions is not None:
        _require_one_encoder(searched, questions)
    return Audit(
        _bias(searched, questions, k, sample, seed),
        {
            name: _bias(
                _removed(searched, name), None if questions is None else _removed(questions, name), k, sample, seed
            )
            for name in (REMOVAL_METHODS if methods is None else methods)
        },
    )


def _require_one_encoder(searched: AuditVectors, questions: AuditVectors) -> None:
    """Refuse questions that cannot be compared with the texts; what is unknown is believed."""
    if searched.encoder and questions.encoder and searched.encoder != questions.encoder:
        raise ValueError(
            f"questions and texts must come from one encoder, but the questions come from {questions.encoder} and the "
            f"texts from {searched.encoder}; encode both alike"
        )
    if {searched.mapped_already, questions.mapped_already} == {True, False}:
        mapped, other = ("questions", "texts") if questions.mapped_already else ("texts", "questions")
        raise ValueError(
            f"the {mapped} were mapped into a shared space, but the {other} were not; give `interlingua encode` a "
            "--space for both or for none"
        )
    dimensions = [each.vectors.shape[1] for each in (questions, searched)]
    if dimensions[0] != dimensions[1]:
        raise ValueError(
            f"questions and texts must come from one encoder, but the questions have {dimensions[0]} dimensions and "
            f"the texts {dimensions[1]}; encode both alike"
        )


def _bias(searched: AuditVectors, questions: AuditVectors | None, k: int, sample: int, seed: int) -> LanguageBias:
    asked: dict[str, Any] = {}
    if questions is not None:
        asked = {"queries": questions.vectors, "query_languages": questions.languages, "query_ids": questions.ids}
    return language_bias(searched.vectors, searched.languages, searched.ids, k=k, sample=sample, seed=seed, **asked)


def _removed(given: AuditVectors, method: str) -> AuditVectors:
    return given.mapped(REMOVAL_METHODS[method]().fit(given.by_language()).space_)


def _measures(each: LanguageBias) -> dict[str, float]:
    translations = each.translations
    nan = float("nan")
    return {
        f"same language in top {each.k}": each.same_language_share,
        "fair share": each.fair_share,
        "own language scores higher by": float(np.nanmean(each.score_offsets)),
        "probe tells language": each.probe.accuracy,
        "by chance": each.probe.majority,
        f"recall@{each.k}, one language": nan if translations is None else translations.single,
        f"recall@{each.k}, all languages": nan if translations is None else translations.mixed,
        f"recall@{each.k}, own language": nan if translations is None else translations.own,
        "own language first": nan if translations is None else translations.preference,
        "rank correlation": nan if translations is None else translations.rank_correlation,
    }


def _exceeds(each: LanguageBias, bounds: tuple[float, float]) -> bool:
    share, fair = each.same_language_share, each.fair_share
    return share > bounds[0] * fair or share - fair > bounds[1] * (1 - fair)


def _worst(each: LanguageBias) -> tuple[int, int]:
    """Return the languages of query and answer whose share falls most below its fair one."""
    fair = np.asarray(each.counts) / sum(each.counts)
    ratio = np.where(np.isfinite(each.shares), each.shares, np.inf) / fair
    np.fill_diagonal(ratio, np.inf)
    # subtle: of equally hidden pairs, the one where the query's language crowds out most
    ratio = ratio - 1e-6 * np.nan_to_num(np.diag(each.shares))[:, None]
    query, answer = np.unravel_index(ratio.argmin(), ratio.shape)
    return int(query), int(answer)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
