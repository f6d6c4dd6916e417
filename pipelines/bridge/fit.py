"""Fit a bridge on texts: encode them by both models, and learn where the languages lie."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.bridge import Bridge, TextVectors, fit_bridge, understood
from interlingua.pipelines.demo.demo import load_declaration
from interlingua.pipelines.encoders.base import Encoder, UnknownTextError
from interlingua.pipelines.search.languages import everyday_questions
from interlingua.pipelines.texts.passages import UNDETERMINED

from .models import encode_both, end_of, known_as
from .texts import BridgeTexts, guess_language, opening

#: A language of which the model finds fewer articles by their translations is not understood.
LEAST_UNDERSTOOD = 0.5


def fit_text_bridge(
    texts: BridgeTexts,
    source: Encoder,
    target: Encoder,
    *,
    share: float = 0.7,
    least: float = 0.5,
    languages: bool = True,
    seed: int = 0,
    progress: bool = False,
) -> Bridge:
    """Fit a bridge that maps questions of one encoder into an index of another.

    Where the languages lie in both spaces, and what translations differ by, is learned from the Universal Declaration
    of Human Rights in 41 languages, which comes with the package.

    Parameters
    ----------
    texts : BridgeTexts
        Texts of one language, best those of the index itself: some hundreds or more. Where their language is "und", it
        is guessed by their letters.
    source : Encoder
        The multilingual model that encodes questions.
    target : Encoder
        The model that the index was made with.
    share : float, above 0 and at most 1
        Weight of the map beside the index's own model, in a language that this does not understand; less in others.
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
        If the bridge keeps less than `least`, or there are too few texts.
    """
    short, long = encode_both(texts, (source, target), progress=progress)
    of_source = translated_vectors(source, progress=progress) if languages else ()
    language = fitted_language(texts)
    of_target = translated_vectors(target, progress=progress) if languages else ()
    sides = [
        TextVectors(short[0], long[0], of_source, end_of(source)),
        TextVectors(short[1], long[1], of_target, end_of(target)),
    ]
    bridge = fit_bridge(sides[0], sides[1], language=language, share=share, least=least, seed=seed)
    poor = refused_languages(of_source, language)
    return replace(bridge, provenance={**bridge.provenance, "repeated": texts.repeated, "not_understood": poor})


def fitted_language(texts: BridgeTexts) -> str:
    """Return the language of texts as the declaration calls it; guessed by their letters where none is named."""
    if texts.language == UNDETERMINED:
        return guess_language(texts.long)
    return known_as(texts.language, list(load_declaration())) or texts.language


def refused_languages(parallel: Sequence[Mapping[str, Any]], language: str) -> dict[str, float]:
    """Return the languages that a model does not understand, with the share of articles that it finds in each."""
    return {name: round(each, 3) for name, each in understood(parallel, language).items() if each < LEAST_UNDERSTOOD}


def translated_vectors(encoder: Encoder, *, progress: bool = False) -> tuple[dict[str, NDArray[np.float32]], ...]:
    """Return vectors of two sets of translations, by language: openings of articles, and everyday questions.

    None of an encoder that knows nothing in one of them, such as word vectors.
    """
    sets = (declared_openings(), translated_questions())
    try:
        vectors = encoder.encode([text for each in sets for some in each.values() for text in some], role="query",
                                 progress=progress)  # fmt: skip
    except UnknownTextError:
        return ()
    found, at = [], 0
    for each in sets:
        rows = {}
        for name, some in each.items():
            rows[name] = vectors[at : at + len(some)]
            at += len(some)
        found.append(rows)
    return tuple(found)


@cache
def declared_openings() -> dict[str, tuple[str, ...]]:
    """Return the first sentences of the articles of the Universal Declaration of Human Rights, by language."""
    return {name: tuple(map(opening, each.articles)) for name, each in load_declaration().items()}


@cache
def translated_questions() -> dict[str, tuple[str, ...]]:
    """Return 40 everyday questions in nine languages, row by row.

    Examples
    --------
    >>> translated_questions()["fr"][5]
    'Pourquoi le ciel est-il bleu ?'
    """
    text = (resources.files("interlingua.pipelines") / "data" / "everyday_translations.tsv").read_text("utf-8")
    names, *rows = (line.split("\t") for line in text.splitlines())
    return {"en": everyday_questions(), **dict(zip(names, zip(*rows, strict=True), strict=True))}


def about_bridge(bridge: Bridge) -> dict[str, Any]:
    """Return what a bridge is, as JSON can hold it."""
    return {
        "from": bridge.source.encoder,
        "to": bridge.target.encoder,
        "dimensions": [bridge.source.dimension, bridge.target.dimension],
        "language": bridge.language,
        "languages": list(bridge.languages),
        "refused": dict(bridge.provenance.get("not_understood", {})),
        "method": bridge.method,
        "share": bridge.share,
        "texts": bridge.provenance.get("texts", 0),
        "scores": {name: round(float(value), 4) for name, value in bridge.scores.items()},
        "fingerprint": bridge.fingerprint,
    }
