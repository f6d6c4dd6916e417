"""What every array that enters `align` passes: its namespace, its shape, its values.

The linear methods take NumPy, CuPy, torch or any other arrays of the array API standard and stay on the
array's device; `array_api_compat` gives the one namespace to write against.

Import optional libraries where they are used, with an error that names the extra.
"""

import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import array_api_compat
import numpy as np
from numpy.typing import NDArray

_NUMPY_IS_ONE = np.lib.NumpyVersion(np.__version__) >= "2.1.0"
_CACHED = 1 << 17  # numbers that are worked on while the processor has them near


def namespace(*arrays: Any) -> Any:
    """Return the array API namespace that the arrays share."""
    # subtle: NumPy itself is one since 2.1, and the wrapper of it takes a quarter of a second to import
    if _NUMPY_IS_ONE and all(type(array) is np.ndarray for array in arrays):
        return np
    return array_api_compat.array_namespace(*arrays)


def is_numpy(array: Any) -> bool:
    """Tell whether `array` is a NumPy array."""
    return bool(array_api_compat.is_numpy_array(array))


def to_numpy(array: Any) -> NDArray[Any]:
    """Return a NumPy copy or view of an array of any namespace, wherever it lies, or of nested lists.

    Raises
    ------
    ValueError
        If it has masked entries.
    """
    refuse_masked(array, "an array")
    if is_numpy(array) or not array_api_compat.is_array_api_obj(array):
        return np.asarray(array)
    if array_api_compat.is_torch_array(array):
        return np.asarray(array.detach().cpu().numpy())
    if array_api_compat.is_cupy_array(array):
        return np.asarray(array.get())
    return np.from_dlpack(array)


def as_matrix(array: Any, name: str) -> Any:
    """Return `array` as a finite two-dimensional float32 matrix of its own namespace.

    Parameters
    ----------
    array : (n, d) array, or a nested list of numbers
        The rows.
    name : str
        What to call it in an error.

    Raises
    ------
    ValueError
        If it is not two-dimensional, has no column, or holds NaN, infinity, masked entries, or numbers that float32
        cannot hold.
    """
    refuse_masked(array, name)
    if not array_api_compat.is_array_api_obj(array):
        array = np.asarray(array)
    xp = namespace(array)
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(
            f"{name} must be a matrix of shape (n, d) with one vector a row, "
            f"but its shape is {tuple(array.shape)}; reshape a single vector with x[None, :]"
        )
    with np.errstate(over="ignore", under="ignore"):  # what float32 cannot hold is refused below
        matrix = xp.astype(array, xp.float32, copy=False)
    if is_numpy(matrix):
        matrix = np.ascontiguousarray(matrix)
    if not _all_finite(xp, matrix):
        bad = ~to_numpy(xp.all(xp.isfinite(matrix), axis=1))
        given = to_numpy(array)[bad]
        if given.dtype.kind == "f" and np.isfinite(given).all():
            raise _beyond_float32(name, bad, f"up to {np.abs(given).max():.3g}")
        raise ValueError(
            f"{name} must be finite, but {bad.sum()} of {matrix.shape[0]} rows hold NaN or infinity "
            f"(first: row {np.flatnonzero(bad)[0]}); drop these rows before calling"
        )
    if array.dtype == getattr(xp, "float64", None) and known_rows(matrix) is not None:
        bad = ~to_numpy(xp.any(matrix != 0, axis=1)) & to_numpy(xp.any(array != 0, axis=1))
        if bad.any():
            raise _beyond_float32(name, bad, f"of at most {np.abs(to_numpy(array)[bad]).max():.3g}, which become zero")
    return matrix


def _beyond_float32(name: str, bad: NDArray[np.bool_], seen: str) -> ValueError:
    return ValueError(
        f"{name} must fit float32, but {bad.sum()} of {len(bad)} rows hold numbers {seen} "
        f"(first: row {np.flatnonzero(bad)[0]}); scale the vectors, such as to unit length"
    )


def refuse_masked(array: Any, name: str) -> None:
    """Raise ValueError if an array has masked entries, whose numbers NumPy would take for given."""
    if np.ma.is_masked(array):
        raise ValueError(f"{name} has masked entries; leave such rows out, or fill them (`filled`)")


def _all_finite(xp: Any, matrix: Any) -> bool:
    if is_numpy(matrix):
        flat = matrix.ravel()
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(np.dot(flat, flat)):  # a fifth of the time; of large numbers it may be infinite
                return True
    return bool(xp.all(xp.isfinite(matrix)))


def check_same_dimension(first: Any, second: Any, names: tuple[str, str]) -> None:
    """Raise ValueError unless two matrices have the same number of columns."""
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"{names[0]} and {names[1]} must have the same dimension, but have {first.shape[1]} and "
            f"{second.shape[1]}; bring both into one space first (see SharedSpace.transform)"
        )


def unit_rows(matrix: Any) -> Any:
    """Return the rows divided by their Euclidean length; a zero row stays zero.

    Examples
    --------
    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]], dtype=np.float32)).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    if is_numpy(matrix) and matrix.size > _CACHED and matrix.dtype.kind == "f":
        made = np.empty_like(matrix)
        for first, block in row_blocks(matrix, max(1, _CACHED // matrix.shape[1])):
            made[first : first + len(block)] = unit_rows(block)
        return made
    xp = namespace(matrix)
    # subtle: squares of very large or small numbers leave float32's range, so the largest is brought to one first
    largest = xp.max(xp.abs(matrix), axis=1, keepdims=True) if matrix.shape[0] else matrix[:, :1]
    matrix = matrix / xp.where(largest > 0, largest, xp.ones_like(largest))
    lengths = xp.sqrt(xp.sum(matrix * matrix, axis=1, keepdims=True))
    return matrix / xp.where(lengths > 0, lengths, xp.ones_like(lengths))


def known_rows(matrix: Any) -> NDArray[np.int64] | None:
    """Return the numbers of the rows that are not zero, or None where none is.

    A zero row stands for what has no vector: it has no direction, so that it is nobody's neighbour and part of no mean.

    Examples
    --------
    >>> known_rows(np.array([[3.0, 4.0], [0.0, 0.0], [0.0, 1.0]])).tolist()
    [0, 2]
    >>> known_rows(np.eye(2)) is None
    True
    """
    if is_numpy(matrix):
        known = matrix[:, 0] != 0  # most often one number tells
        doubtful = np.flatnonzero(~known)
        known[doubtful] = (matrix[doubtful] != 0).any(axis=1)
    else:
        known = to_numpy(namespace(matrix).any(matrix != 0, axis=1))
    return None if known.all() else np.flatnonzero(known).astype(np.int64)


def take_known(matrix: Any) -> Any:
    """Return the rows that are not zero; the matrix itself where none is."""
    rows = known_rows(matrix)
    return matrix if rows is None else take_rows(matrix, rows)


def take_rows(matrix: Any, rows: NDArray[np.int64]) -> Any:
    """Return some rows of a matrix, in its namespace and on its device."""
    xp = namespace(matrix)
    return xp.take(matrix, xp.asarray(rows, device=matrix.device), axis=0)


def unit_matrix(array: Any, name: str) -> NDArray[np.float32]:
    """Return checked rows (see `as_matrix`) at unit length, as a NumPy array of float32."""
    return np.asarray(unit_rows(to_numpy(as_matrix(array, name))), np.float32)


def row_blocks(matrix: Any, size: int) -> Iterator[tuple[int, Any]]:
    """Yield (first row, block of at most `size` rows) over the whole matrix.

    Examples
    --------
    >>> [(first, len(block)) for first, block in row_blocks(np.zeros((5, 1)), 2)]
    [(0, 2), (2, 2), (4, 1)]
    """
    # subtle: the array API leaves a stop beyond the last row undefined, so it is clipped here
    rows = int(matrix.shape[0])
    for first in range(0, rows, size):
        yield first, matrix[first : min(first + size, rows), :]


class MissingExtraError(ImportError):
    """An optional library is needed and absent."""


def require(name: str, *, extra: str) -> ModuleType:
    """Return the module `name`, or say which extra installs it.

    Parameters
    ----------
    name : str
        What to import, as in an import statement.
    extra : str
        The extra of this project that brings the library.

    Raises
    ------
    MissingExtraError
        If the library is not installed.

    Examples
    --------
    >>> require("math", extra="torch").sqrt(4.0)
    2.0
    >>> require("no_such_library", extra="torch")
    Traceback (most recent call last):
    ...
    interlingua.align.arrays.MissingExtraError: this needs the library 'no_such_library', which is not \
installed; install it with: pip install "interlingua[torch]"
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
            raise  # the library is there and one of its own imports is broken: say that instead
        raise MissingExtraError(
            f"this needs the library {name!r}, which is not installed; "
            f'install it with: pip install "interlingua[{extra}]"',
            name=name,
        ) from error


def torch_device(wanted: str, *, mps: bool = False) -> str:
    """Return the torch device for "auto" (a CUDA GPU where there is one, else the CPU) or a name.

    Parameters
    ----------
    wanted : str
    mps : bool
        Whether "auto" may take Apple's GPU.

    Raises
    ------
    ValueError
        If the device named is not there.
    """
    torch = require("torch", extra="torch")
    has_mps = hasattr(torch.backends, "mps") and torch.backends.mps.is_available()
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if mps and has_mps else "cpu"
    kind = wanted.split(":")[0]
    if (kind == "cuda" and not torch.cuda.is_available()) or (kind == "mps" and not has_mps):
        raise ValueError(f"device {wanted!r} is not available here; use 'cpu' or 'auto'")
    return wanted
