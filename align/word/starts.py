"""First guesses of a dictionary without any pair, from how words lie among the words of their own language."""

from typing import Any

from interlingua.align.arrays import as_matrix, namespace, unit_rows
from interlingua.align.linalg import svd
from interlingua.align.space import Normalization

from .induction import InducedDictionary, induce_dictionary


def sorted_similarity(source: Any, target: Any, *, vocabulary: int = 4000) -> Any:
    """Describe each word by its sorted similarities to the words of its own language.

    If the two spaces were rotations of each other, with the same words in another order, a word and its translation
    would have the same similarities to all words but in another order; sorted, they are equal and can be compared
    [1]_. With X = U S Vᵀ the first `vocabulary` rows of one side, its description is M = (X Xᵀ)^(1/2) = U S Uᵀ,
    each row sorted, then unit length, centred, unit length. Dimensions of the two sides may differ.

    Parameters
    ----------
    source : (n, d_source) array
        Normalised rows, most frequent first.
    target : (m, d_target) array
        Likewise.
    vocabulary : int
        Words of each side; where one side has fewer, so many of both, for rows of unlike length cannot be compared.

    Returns
    -------
    tuple of two (v, v) arrays of float32
        Unit rows; the inner products across the sides are the guess.

    References
    ----------
    .. [1] Artetxe, Labaka and Agirre (2018), "A robust self-learning method for fully unsupervised cross-lingual
       mappings of word embeddings", ACL. doi:10.18653/v1/P18-1073

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(60, 5)).astype(np.float32)
    >>> order = rng.permutation(60)
    >>> y = (x @ np.linalg.qr(rng.normal(size=(5, 5)))[0].astype(np.float32))[order]
    >>> guess = sorted_similarity_pairs(x, y, vocabulary=60)
    >>> bool((order[guess.pairs[:, 1]] == guess.pairs[:, 0]).all())
    True
    """
    source, target = as_matrix(source, "source"), as_matrix(target, "target")
    size = min(vocabulary, int(source.shape[0]), int(target.shape[0]))
    if size < 2:
        raise ValueError(f"sorted similarities need at least two words a side, but there are {size}")
    return tuple(_description(each[:size, :]) for each in (source, target))


def sorted_similarity_pairs(source: Any, target: Any, *, vocabulary: int = 4000) -> InducedDictionary:
    """Induce pairs (CSLS, both directions) from the descriptions of `sorted_similarity`."""
    return induce_dictionary(*sorted_similarity(source, target, vocabulary=vocabulary), direction="union")


def pairs_from_similarity(similarity: Any, *, neighborhood: int = 10) -> InducedDictionary:
    """Induce pairs (CSLS, both directions) from any matrix of similarities, such as a transport plan.

    Parameters
    ----------
    similarity : (n, m) array
        Higher is more alike; held whole in memory, so meant for a few thousand words.
    neighborhood : int
        Neighbours in the means of CSLS.

    Examples
    --------
    >>> import numpy as np
    >>> similarity = np.array([[0.9, 0.1], [0.8, 0.6]], dtype=np.float32)
    >>> pairs_from_similarity(similarity, neighborhood=2).pairs.tolist()
    [[0, 0], [1, 1], [0, 0], [1, 1]]
    """
    similarity = as_matrix(similarity, "similarity")
    xp = namespace(similarity)
    # subtle: times the identity, the similarities themselves are what the induction sees
    identity = xp.eye(int(similarity.shape[1]), dtype=xp.float32, device=similarity.device)
    return induce_dictionary(similarity, identity, neighborhood=neighborhood)


def principal_directions(rows: Any, dimension: int) -> Any:
    """Return the (d, k) leading directions of the rows, uncentred, by falling variance.

    Parameters
    ----------
    rows : (n, d) array
        Normalised rows.
    dimension : int
        k <= d.
    """
    rows = as_matrix(rows, "rows")
    if not 1 <= dimension <= rows.shape[1]:
        raise ValueError(f"dimension must be in 1 to {rows.shape[1]}, but is {dimension}")
    xp = namespace(rows)
    exact = xp.astype(rows, xp.float64)
    _, vectors = xp.linalg.eigh(xp.matrix_transpose(exact) @ exact)
    return xp.astype(xp.flip(vectors, axis=1)[:, :dimension], xp.float32)


def reducing_maps(source: Any, target: Any) -> tuple[Any, Any]:
    """Return for each side the (d, k) map to the smaller dimension: leading directions, or the identity."""
    sides = as_matrix(source, "source"), as_matrix(target, "target")
    smaller = min(int(each.shape[1]) for each in sides)
    first, second = (
        namespace(each).eye(smaller, dtype=namespace(each).float32, device=each.device)
        if each.shape[1] == smaller
        else principal_directions(each, smaller)
        for each in sides
    )
    return first, second


def reduce_dimension(source: Any, target: Any) -> tuple[Any, Any]:
    """Project the larger of two spaces on as many of its leading directions as the smaller has; unit rows again.

    A rotation can then bring them together; what the smaller space cannot hold no longer counts in the length of
    the other's rows. The smaller one, and equal dimensions, are returned as they are.
    """
    sides = as_matrix(source, "source"), as_matrix(target, "target")
    first, second = (
        each if basis.shape[0] == basis.shape[1] else unit_rows(each @ basis)
        for each, basis in zip(sides, reducing_maps(*sides), strict=True)
    )
    return first, second


def _description(rows: Any) -> Any:
    """Return the sorted rows of (X Xᵀ)^(1/2), unit, centred, unit."""
    xp = namespace(rows)
    u, s, _ = svd(xp.astype(rows, xp.float64))
    root = xp.astype((u * s) @ xp.matrix_transpose(u), xp.float32)
    ordered = xp.sort(root, axis=1)
    return Normalization.fit(ordered, "unit-centre-unit").transform(ordered)
