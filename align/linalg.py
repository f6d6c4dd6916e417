"""Singular values, also where LAPACK's quicker way to them does not converge."""

from typing import Any

import numpy as np

from .arrays import namespace


def svd(matrix: Any) -> tuple[Any, Any, Any]:
    """Return u, s, vt of the thin singular value decomposition, u @ diag(s) @ vt, of a finite matrix.

    NumPy divides and conquers (``gesdd``), which does not converge on some matrices of low rank; ``gesvd``, which is
    slower, does [1]_.

    Parameters
    ----------
    matrix : (n, d) array
        Of any namespace; stays on its device.

    Returns
    -------
    u : (n, k) array
    s : (k,) array
        Falling; k is the smaller of n and d.
    vt : (k, d) array

    Raises
    ------
    numpy.linalg.LinAlgError
        If the matrix is not finite.

    References
    ----------
    .. [1] Anderson et al. (1999), "LAPACK Users' Guide", third edition, SIAM. doi:10.1137/1.9780898719604

    Examples
    --------
    >>> u, s, vt = svd(np.array([[0.0, 2.0], [1.0, 0.0], [0.0, 0.0]]))
    >>> s.tolist(), (u * s @ vt).tolist()
    ([2.0, 1.0], [[0.0, 2.0], [1.0, 0.0], [0.0, 0.0]])
    """
    xp = namespace(matrix)
    try:
        u, s, vt = xp.linalg.svd(matrix, full_matrices=False)
    except np.linalg.LinAlgError:
        if not np.isfinite(matrix).all():
            raise
        from scipy.linalg import svd as by_lapack

        u, s, vt = by_lapack(matrix, full_matrices=False, lapack_driver="gesvd")
    return u, s, vt
