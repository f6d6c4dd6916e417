"""Array containers: ``.npz`` and safetensors, with the labels as UTF-8 bytes and offsets."""

import json
import lzma
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.files import replacing, replacing_path
from interlingua.align.tensors import tensors_hash

from .rows import LONGEST_LABEL, EmbeddingFileError, ReadOptions, RowCollector, check_dimension
from .unpacking import LARGEST_EXPANSION

_FORMAT_VERSION = 1
# What the zip and NumPy readers raise on files whose bytes were altered; OSError: offsets that make no sense.
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ValueError,
    KeyError,
    OSError,
    RuntimeError,
    OverflowError,
    TypeError,
    MemoryError,
    SyntaxError,
    tokenize.TokenError,
    lzma.LZMAError,
    struct.error,
)
_EXPANDS_FREELY = 1 << 26  # bytes of a member: labels are padded with zeros
_ROWS_PER_BLOCK = 8192
_METADATA = "interlingua-embeddings"
_LABELS, _OFFSETS, _VECTORS = "labels_utf8", "label_offsets", "vectors"


def read_npz(path: str, options: ReadOptions) -> tuple[RowCollector, str]:
    """Read ``vectors`` (n, d) and their labels from an ``.npz`` file, up to the limit.

    The labels are ``labels_utf8`` with ``label_offsets``, as `write_npz` writes them, or an (n,) array of strings
    named ``words`` or ``labels``. Arrays of Python objects are refused: to read one means to run code from the file.

    Returns
    -------
    rows : RowCollector
        Not finished.
    space : str
        The space name kept in the file, or ``""``.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_npz(archive, options)
    except EmbeddingFileError:
        raise
    except UNREADABLE as error:
        options.fail(f"not a readable .npz file of embeddings ({error}); fetch or write it again")


def write_npz(path: str, labels: Sequence[str], vectors: NDArray[np.float32], space: str) -> None:
    """Write an uncompressed ``.npz`` file: vectors, labels_utf8, label_offsets, space_utf8, format_version."""
    labels_utf8, offsets = _pack(labels)
    with replacing(path) as file:
        np.savez(
            file,
            allow_pickle=False,
            vectors=vectors,
            labels_utf8=labels_utf8,
            label_offsets=offsets,
            space_utf8=np.frombuffer(space.encode("utf-8"), dtype=np.uint8),
            format_version=np.int64(_FORMAT_VERSION),
        )


def read_safetensors(path: str, options: ReadOptions) -> tuple[RowCollector, str]:
    """Read the tensor ``vectors`` and its labels from a safetensors file, up to the limit.

    The labels are the tensors ``labels_utf8`` (uint8) and ``label_offsets`` (int64, n + 1), as `write_safetensors`
    writes them. Only the rows wanted are read from the disk.

    Returns
    -------
    rows : RowCollector
        Not finished.
    space : str
        The space name kept in the file, or ``""``.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            names = set(file.keys())
            if missing := {_LABELS, _OFFSETS, _VECTORS} - names:
                options.fail(f"the tensors {sorted(missing)} are missing; found {sorted(names)[:10]}")
            metadata = json.loads((file.metadata() or {}).get(_METADATA, "{}"))
            _check_version(str(metadata.get("format_version", 1)), options)
            vectors = file.get_slice(_VECTORS)
            shape = tuple(vectors.get_shape())
            _check_shape(shape, options)
            n = _n_wanted(shape[0], options)
            offsets_slice, labels_slice = file.get_slice(_OFFSETS), file.get_slice(_LABELS)
            if tuple(offsets_slice.get_shape()) != (shape[0] + 1,) or len(labels_slice.get_shape()) != 1:
                options.fail(f"{shape[0]} vectors need {shape[0] + 1} label offsets, found {offsets_slice.get_shape()}")
            offsets = offsets_slice[: n + 1]
            labels = _unpack(labels_slice[: max(int(offsets[-1]), 0)], offsets, options)
            space = str(metadata.get("space", ""))
            if n == shape[0] and "sha256" in metadata:  # of rows up to a limit nobody knows
                whole = {_VECTORS: vectors[:], _LABELS: labels_slice[:], _OFFSETS: offsets}
                if _sha256(whole, space) != metadata["sha256"]:
                    options.fail("its content is not what was written; fetch or write it again")
            rows = _collect(labels, lambda start, stop: vectors[start:stop], shape, options)
            return rows, space
    except (SafetensorError, TypeError, AttributeError, json.JSONDecodeError) as error:
        # TypeError: a number format that NumPy lacks, such as bfloat16; AttributeError: metadata of another kind
        options.fail(f"not a readable safetensors file of embeddings ({error}); fetch or write it again")


def write_safetensors(path: str, labels: Sequence[str], vectors: NDArray[np.float32], space: str) -> None:
    """Write a safetensors file: vectors, labels_utf8, label_offsets; the space name in the metadata."""
    from safetensors.numpy import save_file

    labels_utf8, offsets = _pack(labels)
    tensors: dict[str, NDArray[Any]] = {_VECTORS: vectors, _LABELS: labels_utf8, _OFFSETS: offsets}
    # One key, since the library writes several in random order: equal content would give different files.
    held = {"format_version": _FORMAT_VERSION, "space": space}
    held["sha256"] = _sha256(tensors, space)
    metadata = {_METADATA: json.dumps(held, ensure_ascii=False)}
    with replacing_path(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def _sha256(tensors: Mapping[str, NDArray[Any]], space: str) -> str:
    return tensors_hash({**tensors, "space": np.frombuffer(space.encode("utf-8", "surrogatepass"), np.uint8)})


def _read_npz(archive: zipfile.ZipFile, options: ReadOptions) -> tuple[RowCollector, str]:
    for each in archive.infolist():
        if each.file_size > max(_EXPANDS_FREELY, LARGEST_EXPANSION * each.compress_size):
            options.fail(
                f"the member {each.filename!r} would expand from {each.compress_size} to {each.file_size} bytes; "
                "is this a file of embeddings? write it without compression"
            )
    names = {name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")}
    found = f"found {sorted(names)[:10]}"
    if _VECTORS not in names:
        options.fail(f"no array named 'vectors'; {found}; save one as np.savez(path, words=labels, vectors=vectors)")
    if "format_version" in names:
        _check_version(str(int(_load(archive, "format_version", options, most=1))), options)
    with archive.open(_VECTORS + ".npy") as file:
        shape, fortran_order, dtype = _read_npy_header(file, _VECTORS, options)
        _check_shape(shape, options)
        if dtype.kind not in "fiu":
            options.fail(f"'vectors' must hold real numbers, found {dtype}")
        n = _n_wanted(shape[0], options)
        if {_LABELS, _OFFSETS} <= names:
            offsets = _load(archive, _OFFSETS, options, first=n + 1)
            end = max(int(offsets[-1]), 0) if offsets.size else 0
            labels = _unpack(_load(archive, _LABELS, options, first=end), offsets, options)
        elif simple := sorted({"words", "labels"} & names, reverse=True):
            labels = _strings(_load(archive, simple[0], options, first=n), options)
        else:
            options.fail(f"no labels: an array 'words' or 'labels' of strings is needed; {found}")
        if fortran_order:  # columns first: the rows wanted lie all over the member
            whole = _read_values(file, dtype, shape[0] * shape[1]).reshape(shape[::-1]).T
            rows = _collect(labels, lambda start, stop: whole[start:stop], shape, options)
        else:
            width = shape[1]
            rows = _collect(
                labels,
                lambda start, stop: _read_values(file, dtype, (stop - start) * width).reshape(-1, width),
                shape,
                options,
            )
    space = _load(archive, "space_utf8", options).tobytes().decode("utf-8") if "space_utf8" in names else ""
    return rows, space


def _collect(
    labels: Sequence[str],
    read: Callable[[int, int], NDArray[Any]],
    shape: tuple[int, ...],
    options: ReadOptions,
) -> RowCollector:
    n = _n_wanted(shape[0], options)
    if len(labels) != n:
        options.fail(f"'vectors' has {shape[0]} rows and there are {len(labels)} labels; write the file again")
    rows = RowCollector(options, dimension=shape[1], promised=shape[0], unit="row")
    for start in range(0, n, _ROWS_PER_BLOCK):
        stop = min(start + _ROWS_PER_BLOCK, n)
        rows.add(labels[start:stop], read(start, stop), range(start + 1, stop + 1))
    return rows


def _load(
    archive: zipfile.ZipFile, name: str, options: ReadOptions, *, first: int | None = None, most: int = LONGEST_LABEL
) -> NDArray[Any]:
    """Return the array `name`, of at most `most` entries, or its first `first` entries (fewer if it is shorter)."""
    with archive.open(name + ".npy") as file:
        shape, _, dtype = _read_npy_header(file, name, options)
        if dtype.itemsize > 4 * LONGEST_LABEL:
            options.fail(f"the entries of {name!r} are labels of at most {LONGEST_LABEL} bytes, found {dtype}")
        if first is None:
            if int(np.prod(shape, dtype=object)) > most:
                options.fail(f"the array {name!r} must have at most {most} entries, found shape {shape}")
            return _read_values(file, dtype, int(np.prod(shape, dtype=object))).reshape(shape)
        if len(shape) != 1:
            options.fail(f"the array {name!r} must have one dimension, found shape {shape}")
        # One entry more than wanted is not read, so an array that is longer shows only when the limit does not cut it.
        count = shape[0] if options.limit is None else min(first, shape[0])
        return _read_values(file, dtype, count)


def _read_npy_header(file: IO[bytes], name: str, options: ReadOptions) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, fortran_order, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        options.fail(f"the array {name!r} has the unknown .npy version {version}")
    if dtype.hasobject:
        options.fail(
            f"the array {name!r} holds Python objects, which are not read since that would run code from the file; "
            "save labels as np.array(labels, dtype=str) and vectors as float32"
        )
    return shape, fortran_order, dtype


def _read_values(file: IO[bytes], dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    data = file.read(count * dtype.itemsize)
    if len(data) != count * dtype.itemsize:
        raise ValueError(f"{count * dtype.itemsize} bytes expected, {len(data)} found")
    return np.frombuffer(data, dtype=dtype) if dtype.itemsize else np.zeros(count, dtype=dtype)


def _strings(array: NDArray[Any], options: ReadOptions) -> list[str]:
    if array.dtype.kind == "S":
        return [label.decode("utf-8", options.errors) for label in array.tolist()]
    if array.dtype.kind != "U":
        options.fail(f"labels must be strings, found {array.dtype}")
    return [str(label) for label in array.tolist()]


def _pack(labels: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    if "" in labels:
        raise ValueError(f"labels are not empty, got '' at row {labels.index('')}; name or drop it")
    encoded = [label.encode("utf-8") for label in labels]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(label) for label in encoded], out=offsets[1:])
    return np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets


def _unpack(packed: NDArray[Any], offsets: NDArray[Any], options: ReadOptions) -> list[str]:
    sound = packed.dtype == np.uint8 and offsets.dtype == np.int64 and offsets.size and offsets[0] == 0
    if not sound or (np.diff(offsets) < 0).any() or int(offsets[-1]) > packed.size:
        options.fail("the labels are damaged: their offsets do not fit; fetch or write the file again")
    data, ends = packed.tobytes(), offsets.tolist()
    try:
        return [data[start:end].decode("utf-8", options.errors) for start, end in pairwise(ends)]
    except UnicodeDecodeError as error:
        options.fail(f"the labels are damaged: not UTF-8 ({error}); errors='replace' reads them all the same")


def _n_wanted(n: int, options: ReadOptions) -> int:
    return n if options.limit is None else min(n, options.limit)


def _check_shape(shape: tuple[int, ...], options: ReadOptions) -> None:
    if len(shape) != 2 or shape[1] < 1:
        options.fail(f"'vectors' must be (rows, dimension), found shape {shape}")
    check_dimension(shape[1], options)


def _check_version(version: str, options: ReadOptions) -> None:
    if not version.isdigit() or int(version) > _FORMAT_VERSION:
        options.fail(
            f"format_version {version} is newer than this library knows ({_FORMAT_VERSION}); update interlingua"
        )
