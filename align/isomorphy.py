"""How alike two spaces are in shape, without any map or pair: distances of their spectra."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import as_matrix, to_numpy, unit_rows
from .neighbors import top_k

__all__ = ["gram_distance", "laplacian_distance"]


def gram_distance(source: Any, target: Any) -> float:
    """Return how much the singular values of two spaces differ; 0 for a rotated copy.

    The mean over i of (log s_i - log t_i)^2, where s and t are the singular values of the unit rows, divided by their
    sums, over the first min(d_source, d_target) of them: the singular value gap [1]_ per dimension, made free of size.

    Parameters
    ----------
    source : (n, d_source) array
        Vectors of frequent words.
    target : (m, d_target) array
        Vectors of frequent words of the other language; take about as many.

    Raises
    ------
    ValueError
        If a side has no vector but zero.

    References
    ----------
    .. [1] Dubossarsky, Vulić, Reichart and Korhonen (2020), "The secret is in the spectra: predicting cross-lingual
       task performance with spectral similarity measures", EMNLP. doi:10.18653/v1/2020.emnlp-main.186

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    >>> round(gram_distance(x, x[:, ::-1]), 6)
    0.0
    """
    spectra = [_shares(each, name) for each, name in ((source, "source"), (target, "target"))]
    size = min(map(len, spectra))
    logs = [np.log(np.maximum(each[:size], 1e-8)) for each in spectra]
    return float(np.mean((logs[0] - logs[1]) ** 2))


def laplacian_distance(source: Any, target: Any, *, neighborhood: int = 10) -> float:
    """Return how much the neighbourhood graphs of two spaces differ in shape; 0 for a rotated copy.

    Each graph joins every word with its `neighborhood` nearest others, both ways. With l_1 >= l_2 >= ... the
    eigenvalues of its Laplacian (degrees minus adjacency), the distance is the mean of (l_i - m_i)^2 over the first k,
    where k is the smaller number that holds 90 % of the sum in one of the graphs [1]_; here divided by k, so that it
    does not grow with the number of words.

    Parameters
    ----------
    source, target : (n, d) arrays
        Vectors of frequent words, as many on both sides: time grows as n cubed, 1000 take a second. The dimensions
        may differ.
    neighborhood : int
        Below n.

    Raises
    ------
    ValueError
        If the numbers of words differ or are not above `neighborhood`.

    References
    ----------
    .. [1] Søgaard, Ruder and Vulić (2018), "On the limitations of unsupervised bilingual dictionary induction", ACL.
       doi:10.18653/v1/P18-1072
    """
    first, second = (unit_rows(as_matrix(each, name)) for each, name in ((source, "source"), (target, "target")))
    n = int(first.shape[0])
    if n != second.shape[0] or n <= neighborhood or neighborhood < 1:
        raise ValueError(
            f"both sides need the same number of words, above neighborhood={neighborhood}, "
            f"but have {n} and {second.shape[0]}"
        )
    spectra = [_laplacian_spectrum(each, neighborhood) for each in (first, second)]
    k = min(int(np.searchsorted(np.cumsum(each), 0.9 * each.sum())) + 1 for each in spectra)
    return float(np.mean((spectra[0][:k] - spectra[1][:k]) ** 2))


def _shares(vectors: Any, name: str) -> NDArray[np.float64]:
    rows = to_numpy(unit_rows(as_matrix(vectors, name))).astype(np.float64)
    values = np.sqrt(np.maximum(np.linalg.eigvalsh(rows.T @ rows)[::-1], 0.0))
    if values.sum() == 0:
        raise ValueError(f"{name} must have a vector that is not zero, but has none")
    shares: NDArray[np.float64] = values / values.sum()
    return shares


def _laplacian_spectrum(vectors: Any, neighborhood: int) -> NDArray[np.float64]:
    ids = top_k(vectors, vectors, neighborhood + 1).ids
    n = len(ids)
    adjacency = np.zeros((n, n))
    adjacency[np.arange(n)[:, None], ids] = 1.0
    np.fill_diagonal(adjacency, 0.0)
    adjacency = np.maximum(adjacency, adjacency.T)
    laplacian = np.diag(adjacency.sum(axis=1)) - adjacency
    return np.asarray(np.linalg.eigvalsh(laplacian)[::-1], np.float64)
