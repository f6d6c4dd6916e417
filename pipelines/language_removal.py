"""What a collection does about the languages of its passages, learned from the passages themselves."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from interlingua.align import ANY_LANGUAGE, REMOVAL_METHODS, SharedSpace

from .language_centres import FEWEST_FOR_MEAN, centre_languages, rows_of_languages

__all__ = ["LanguageMethod", "check_method", "remove_languages"]

#: What `CrossLingualSearch.build` takes; all but "auto" are those of `interlingua.align.REMOVAL_METHODS`.
LanguageMethod = Literal["auto", "centring", "mean-variance", "mean-covariance", "lir", "lsar", "leace"]

_ONE_MAP = ("lsar", "leace")


def check_method(method: str) -> None:
    """Raise ValueError unless `method` is a `LanguageMethod`."""
    if method not in get_args(LanguageMethod):
        raise ValueError(
            f"languages are removed by one of {', '.join(get_args(LanguageMethod))}, but the method is {method!r}"
        )


def remove_languages(
    raw: NDArray[np.float32], languages: Sequence[str], encoder: str, method: LanguageMethod | str = "auto"
) -> SharedSpace | None:
    """Learn from passages how to map each language.

    "auto" is mean-covariance where at least two languages have as many passages as the vectors have dimensions, for
    those languages, and centring otherwise. With fewer passages no covariance is known in all directions, and what is
    unlike the passages, such as short questions about a collection of 30 texts a language, is found less often than
    after centring; with that many, mean-covariance was better on every set; see `benchmarks/results/search.json`.

    Parameters
    ----------
    raw : (n, d) array
        Vectors of the passages, as the encoder gave them.
    languages : sequence of n str
        Their languages.
    encoder : str
        Identity of the encoder.
    method : str
        See `LanguageMethod`.

    Returns
    -------
    SharedSpace or None
        For "lsar" and "leace" one map for all languages, ``"*"``. Otherwise one for each language with enough
        passages, and those of `centre_languages` for the others, "und" among them. None with fewer than ten passages.

    Raises
    ------
    ValueError
        If the method is none, or "lsar" or "leace" has fewer than two languages with ten passages to compare.
    """
    check_method(method)
    centred = centre_languages(raw, languages, encoder)
    if centred is None or method == "centring":
        return centred
    fewest = raw.shape[1] if method == "auto" else FEWEST_FOR_MEAN
    enough = rows_of_languages(raw, languages, fewest)
    if method in _ONE_MAP and len(enough) < 2:
        raise ValueError(
            f"{method} compares languages: it needs two with at least {fewest} passages each, but there are "
            f"{len(enough)}; take another method, such as centring"
        )
    # one language alone cannot tell what the languages have in common
    if len(enough) < 2:
        return centred
    fitted = REMOVAL_METHODS["mean-covariance" if method == "auto" else method]().fit(enough, encoder=encoder).space_
    maps = dict(fitted.maps) if ANY_LANGUAGE in fitted.maps else {**centred.maps, **fitted.maps}
    return SharedSpace(maps, fitted.method, encoder, provenance=fitted.provenance)
