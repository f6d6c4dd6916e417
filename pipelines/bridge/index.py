"""A bridge into an index whose encoder is not at hand: its texts and their vectors are the pairs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interlingua.align.bridge import Bridge, BridgeEnd, BridgeError, TextVectors, fit_bridge, match_rows
from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.search.foreign import is_foreign, rows_in
from interlingua.pipelines.search.parts import read_search
from interlingua.pipelines.stored import EncoderNote, kind_of
from interlingua.pipelines.stores.base import without_password
from interlingua.pipelines.texts.lines import PathLike
from interlingua.pipelines.texts.passages import UNDETERMINED
from interlingua.pipelines.texts.tables import open_table

from .fit import fitted_language, refused_languages, translated_vectors
from .models import end_of
from .texts import BridgeTexts, opening

_MOST = 5000


@dataclass(frozen=True)
class IndexTexts:
    """Rows of an index that have texts, of one language.

    Attributes
    ----------
    texts : BridgeTexts
    vectors : (n, d) array of float32, or None
        As the index keeps them; None where it keeps others than its encoder gave, as a search that takes languages
        out of them does.
    encoder : EncoderNote
        What the index says of its encoder, which may be nothing.
    left_out : int
        Rows of other languages, or without a text, or more than are needed.
    """

    texts: BridgeTexts
    vectors: NDArray[np.float32] | None
    encoder: EncoderNote
    left_out: int = 0


def is_index(place: str | Path) -> bool:
    """Tell whether a search of ours, a plain collection, or a store of another program lies there."""
    return is_foreign(place) or kind_of(place) == "search"


def read_index(
    place: str | Path,
    *,
    titles: str | None = None,
    language: str | None = None,
    shorts: BridgeTexts | None = None,
    seed: int = 0,
) -> IndexTexts:
    """Read texts and vectors of an index, at most 5,000.

    Parameters
    ----------
    place : str or Path
        As for `CrossLingualSearch.load`.
    titles : str, optional
        The field of short texts; by default, and for rows without one, a text's first sentence stands in.
    language : str, optional
        Which rows to take; by default the language that most rows name.
    shorts : BridgeTexts, optional
        Texts of the index with their short ones; other rows are left out.
    seed : int
        Of the draw where there are more.

    Raises
    ------
    BridgeError
        If no row has a text.
    """
    named = without_password(place)
    if is_foreign(place):
        note, rows, field = rows_in(place)
        plain = True
    else:
        parts, held = read_search(place)
        note, rows, field, plain = held.encoder, parts.collection, "text", parts.space is None
    ids = list(rows.ids)
    about = rows.get(ids)
    short_of = {} if shorts is None else dict(zip(shorts.long, shorts.short, strict=True))
    usable = [
        row for row, each in enumerate(about)
        if isinstance(text := each.get(field), str) and text.strip() and (not short_of or text in short_of)
    ]  # fmt: skip
    spoken = Counter(str(about[row].get("language") or UNDETERMINED) for row in usable)
    taken = (language, UNDETERMINED) if language else tuple(name for name, _ in spoken.most_common(1))
    first = {str(about[row][field]): row for row in reversed(usable)
             if str(about[row].get("language") or UNDETERMINED) in taken}  # fmt: skip
    kept = sorted(first.values())
    if len(kept) > _MOST:
        kept = sorted(np.random.default_rng(seed).permutation(kept)[:_MOST].tolist())
    if not kept:
        said = "is any of the texts that were given" if short_of else f"has a text in the field {field!r}"
        if usable:
            said = f"is in {language!r}, but in {', '.join(spoken)}"
        raise BridgeError(
            f"{named}: none of its {len(ids)} rows {said}; a bridge into an index needs its texts, or the encoder that "
            "made it (--to ENCODER --texts TEXTS.jsonl)"
        )
    long = [str(about[row][field]) for row in kept]
    short = [_short(about[row].get(titles) if titles else None, short_of.get(text), text)
             for row, text in zip(kept, long, strict=True)]  # fmt: skip
    vectors = rows.vectors([ids[row] for row in kept]) if plain else None
    return IndexTexts(BridgeTexts(tuple(short), tuple(long), language or taken[0]), vectors, note, len(ids) - len(kept))


def _short(title: object, given: str | None, text: str) -> str:
    if isinstance(title, str) and title.strip():
        return title.strip()
    return given or opening(text)


def fit_index_bridge(
    index: IndexTexts,
    source: Encoder,
    *,
    least: float = 0.5,
    languages: bool = True,
    seed: int = 0,
    progress: bool = False,
) -> Bridge:
    """Fit a bridge that maps questions of an encoder into an index, by the vectors that it holds.

    A short text belongs to the vector of its text, since nothing tells where the index's encoder would put it. So the
    map keeps less than one by `fit_text_bridge`, and there is no vector of the index's own model beside it.

    Parameters
    ----------
    index : IndexTexts
        With vectors.
    source : Encoder
        The multilingual model that encodes questions.
    least : float, from 0 to 1
        The share of re-embedding's recall at 10 that must be kept on texts held out.
    languages : bool
        Learn where other languages lie; without, the bridge is for the language of the texts.
    seed : int
        Of the choice of texts held out.
    progress : bool
        Show bars on standard error.

    Raises
    ------
    BridgeError
        If the bridge keeps less than `least`, or there are too few texts, or the index keeps no vectors as they were.
    """
    if index.vectors is None:
        raise BridgeError("the index keeps other vectors than its encoder gave; name that encoder")
    texts = index.texts
    vectors: Sequence[NDArray[np.float32]] = [
        source.encode(texts.short, role="query", progress=progress),
        source.encode(texts.long, role="passage", progress=progress),
    ]
    parallel = translated_vectors(source, progress=progress) if languages else ()
    language = fitted_language(texts)
    nothing = np.zeros(index.vectors.shape[1], np.float32)
    end = BridgeEnd(nothing, nothing, {}, index.encoder.identity, index.encoder.name)
    bridge = fit_bridge(
        TextVectors(vectors[0], vectors[1], parallel, end_of(source)),
        TextVectors(index.vectors, index.vectors, (), end),
        language=language,
        least=least,
        seed=seed,
    )
    told = {"of": "the vectors of an index", "not_understood": refused_languages(parallel, language)}
    return replace(bridge, provenance={**bridge.provenance, **told})


def fit_unpaired_bridge(
    place: str | Path,
    texts: BridgeTexts,
    source: Encoder,
    anchors: Mapping[str, str] | None = None,
    *,
    least: float = 0.5,
    languages: bool = True,
    seed: int = 0,
    progress: bool = False,
) -> Bridge:
    """Fit a bridge into an index whose rows have no texts, by texts that most of its rows are of; see `match_rows`.

    Parameters
    ----------
    place : str or Path
        A plain collection or a store.
    texts : BridgeTexts
        Texts of the index, in any order.
    source : Encoder
        The multilingual model that encodes questions.
    anchors : mapping of str to str, optional
        Of some of the texts, the id of the row; without, little is found.
    least, languages, seed, progress
        As of `fit_index_bridge`.

    Raises
    ------
    BridgeError
        If nothing tells which rows are of which texts, or an anchor names a text or an id that is not there.
    """
    note, rows, _ = rows_in(place)
    ids = list(rows.ids)
    at = {text: row for row, text in enumerate(texts.long)}
    where = {id: row for row, id in enumerate(ids)}
    for text, id in (anchors or {}).items():
        if text not in at or id not in where:
            raise BridgeError(f"the anchor {text!r:.60} is none of the texts" if text not in at
                              else f"{without_password(place)} has no row {id!r}, which an anchor names")  # fmt: skip
    known = np.array([(at[text], where[id]) for text, id in (anchors or {}).items()], np.int64).reshape(-1, 2)
    vectors = rows.vectors(ids)
    long = source.encode(texts.long, role="passage", progress=progress)
    found = match_rows(long, vectors, known, seed=seed)
    own, theirs = found.pairs.T
    paired = BridgeTexts(
        tuple(texts.short[row] for row in own), tuple(texts.long[row] for row in own), texts.language, texts.repeated
    )
    bridge = fit_index_bridge(
        IndexTexts(paired, vectors[theirs], note), source,
        least=least, languages=languages, seed=seed, progress=progress,
    )  # fmt: skip
    told = {"anchors": len(known), "matched": len(found.pairs), "agreement": round(found.agreement, 4)}
    return replace(bridge, provenance={**bridge.provenance, **told})


def read_anchors(path: PathLike) -> dict[str, str]:
    """Read texts with the ids of their rows: a table with a `text` and an `id`; ValueError names the row.

    Parameters
    ----------
    path : str or path
    """
    table = open_table(path)
    found: dict[str, str] = {}
    for number, row in table.rows:
        text, id = row.get("text"), row.get("id")
        if not isinstance(text, str) or not text.strip() or id in (None, ""):
            raise ValueError(f'{table.where(number)}: an anchor needs a "text" and the "id" of its row')
        found[text] = str(id)
    return found
