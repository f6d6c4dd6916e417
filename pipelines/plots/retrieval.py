"""How often a text's nearest one in another language is the one that says the same."""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1024


def found_first(
    vectors: NDArray[np.float32], languages: Sequence[str], ids: Sequence[Hashable]
) -> tuple[list[str], NDArray[np.float64]]:
    """Return the languages, and for each pair the share of texts whose nearest one of the other language is theirs.

    Texts of one id say the same. Asked are those whose id the other language has; NaN where there are none, and of a
    language with itself.

    Parameters
    ----------
    vectors : (n, d) array
        Unit rows.
    languages, ids : sequences of n

    Returns
    -------
    list of str
    (l, l) array of float64
        Row: the language asked in.

    Raises
    ------
    ValueError
        If there are fewer than two languages.

    Examples
    --------
    >>> rows = np.array([[1, 0], [0, 1], [0.9, 0.1], [0.8, 0.2]], np.float32)
    >>> found_first(rows, ["en", "en", "sw", "sw"], [1, 2, 1, 2])[1].tolist()
    [[nan, 1.0], [0.5, nan]]
    """
    names = list(dict.fromkeys(languages))
    if len(names) < 2:
        raise ValueError(f"retrieval is between languages, but there is {', '.join(names) or 'none'} alone")
    of = np.asarray(languages, object)
    keys = {each: number for number, each in enumerate(dict.fromkeys(ids))}
    numbers = np.array([keys[each] for each in ids])
    shares = np.full((len(names), len(names)), np.nan)
    for row, asked in enumerate(names):
        for column, searched in enumerate(names):
            if row == column:
                continue
            there = np.flatnonzero(of == searched)
            asking = np.flatnonzero((of == asked) & np.isin(numbers, numbers[there]))
            if not len(asking):
                continue
            right = 0
            for start in range(0, len(asking), _BLOCK):
                block = asking[start : start + _BLOCK]
                nearest = there[(vectors[block] @ vectors[there].T).argmax(axis=1)]
                right += int((numbers[nearest] == numbers[block]).sum())
            shares[row, column] = right / len(asking)
    return names, shares
