"""Write a file or a folder whole or not at all."""

import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal


@contextlib.contextmanager
def replacing(
    path: str | os.PathLike[str], mode: Literal["w", "wb"] = "wb", *, links: Literal["follow", "replace"] = "follow"
) -> Iterator[IO[Any]]:
    r"""Open a file for writing that takes the place of `path` only when it is complete.

    The text goes to a new file in the same folder, which is flushed to the disk (fsync) and renamed over `path` at
    the end of the block. An exception inside the block, Ctrl-C included, removes the new file and leaves an older
    `path` as it was; a killed process leaves at most a stray ``.interlingua-*.tmp``. Readers that have the old file
    open or mapped keep the old content.

    Parameters
    ----------
    path : str or path
        What to write. A symbolic link is followed, so that the link stays. A device or a pipe, such as
        ``/dev/stdout``, cannot be replaced and is written to directly.
    mode : {"wb", "w"}
        Bytes, or text as UTF-8 with ``\n`` line ends on every system.
    links : {"follow", "replace"}
        "replace" puts the file in the place of a link or device: for a folder's own files, which nobody has named, so
        that a folder from elsewhere cannot point to files outside it.

    Yields
    ------
    file object
        Open for writing; ``.name`` is the path of the temporary file.

    Raises
    ------
    IsADirectoryError
        If `path` is a folder.
    OSError
        If the folder does not exist or cannot be written, or the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "note.txt"
    ...     with replacing(path, "w") as file:
    ...         written = file.write("whole")
    ...         seen_early = path.exists()
    ...     (seen_early, path.read_text())
    (False, 'whole')
    """
    if mode not in ("w", "wb"):
        raise ValueError(f"mode must be 'w' or 'wb', got {mode!r}")
    if links == "follow" and _is_special(Path(path)):
        with _open(Path(path), mode) as file:
            yield file
        return
    with replacing_path(path, links=links) as temporary, _open(temporary, mode) as file:
        yield file


@contextlib.contextmanager
def replacing_path(path: str | os.PathLike[str], *, links: Literal["follow", "replace"] = "follow") -> Iterator[Path]:
    """Name a temporary file that takes the place of `path` at the end of the block.

    For libraries that open the file themselves. The same promises as `replacing`; the file exists, empty, when the
    block begins, and may be overwritten or replaced by the library.

    Parameters
    ----------
    path : str or path
        What to write: a new name or an existing ordinary file.
    links : {"follow", "replace"}
        As for `replacing`.

    Yields
    ------
    Path
        The temporary file, in the folder of `path`.

    Raises
    ------
    IsADirectoryError
        If `path` is a folder.
    OSError
        If `path` is a device or a pipe, which cannot be replaced, or the folder cannot be written.
    """
    if links == "follow" and _is_special(Path(path)):
        raise OSError(f"{os.fspath(path)} is a device or a pipe and cannot be replaced; name an ordinary file")
    target = Path(os.path.realpath(path)) if links == "follow" else Path(path)
    if target.is_dir() and (links == "follow" or not target.is_symlink()):
        raise IsADirectoryError(f"{os.fspath(path)} is a folder; name a file in it")
    temporary = target.parent / f".interlingua-{secrets.token_hex(8)}.tmp"
    try:
        # Created here with the usual permissions (the umask applies), not with the 0600 of `tempfile`.
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"cannot write {os.fspath(path)}: the folder {target.parent} does not exist; create it first"
        ) from error
    try:
        if target.is_file() and not target.is_symlink():
            shutil.copymode(target, temporary)
        with naming_full_disk(path):
            yield temporary
            _flush_to_disk(temporary, os.O_RDWR)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        _flush_to_disk(target.parent, os.O_RDONLY)  # the rename itself


@contextlib.contextmanager
def replacing_folder(path: str | os.PathLike[str], *, marker: str, kind: str) -> Iterator[Path]:
    """Name a new folder that takes the place of `path` at the end of the block.

    An exception inside the block, Ctrl-C included, removes the new folder and leaves an older `path` as it was. A
    process killed between the two renames leaves the older one beside, under its name with a dot and ``-old``.

    Parameters
    ----------
    path : str or path
        What to write; folders above it are made.
    marker : str
        A file that every such folder holds: only a folder that has it, or an empty one, is replaced.
    kind : str
        What such a folder is called in the error, such as ``"classifier"``.

    Yields
    ------
    Path
        The new folder, empty, beside `path`.

    Raises
    ------
    FileExistsError
        If something else lies at `path`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     with replacing_folder(Path(place) / "model", marker="about.json", kind="model") as folder:
    ...         written = (folder / "about.json").write_text("{}")
    ...     sorted(each.name for each in Path(place).rglob("*"))
    ['about.json', 'model']
    """
    target = Path(path)
    if target.exists() and not (target / marker).is_file() and (target.is_file() or any(target.iterdir())):
        raise FileExistsError(f"{target} holds something else than a {kind}; name another folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.parent / f".{target.name}-{secrets.token_hex(8)}"
    old = beside.with_name(f"{beside.name}-old")
    try:
        beside.mkdir()
        with naming_full_disk(path):
            yield beside
        if target.exists():
            target.rename(old)
        try:
            beside.replace(target)
        except BaseException:
            if old.exists():
                old.rename(target)
            raise
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)  # only now: until here it may be all that there is


@contextlib.contextmanager
def naming_full_disk(path: str | os.PathLike[str]) -> Iterator[None]:
    """Let the errors of a disk that takes no more name what is written: the libraries' own name nothing.

    NumPy's is "75900 requested and 36832 written", safetensors and torch have classes of their own.
    """
    try:
        yield
    except Exception as error:
        told = str(error)
        if isinstance(error, OSError):
            full = error.filename is None and (error.errno in _FULL or (error.errno is None and "requested" in told))
        else:
            full = any(mark in told for mark in _FULL_TEXTS)
        if not full:
            raise
        code = error.errno if isinstance(error, OSError) and error.errno else errno.ENOSPC
        raise OSError(code, os.strerror(code), os.fspath(path)) from error


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_TEXTS = ("No space left on device (os error 28)", "PytorchStreamWriter failed writing file")


def refuse_links(*paths: str | os.PathLike[str]) -> None:
    """Refuse to go on with a folder's own files and folders where one of them is a link.

    Raises
    ------
    FileExistsError
        If one is, whatever it points to.
    """
    for path in paths:
        if Path(path).is_symlink():
            raise FileExistsError(
                f"{os.fspath(path)} is a link, and nothing is written through one inside a folder; remove it, or name "
                "another folder"
            )


def _is_special(path: Path) -> bool:
    """Tell whether `path` exists and is neither an ordinary file nor a folder."""
    try:
        kind = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(kind) or stat.S_ISDIR(kind))


def _open(path: Path, mode: Literal["w", "wb"]) -> IO[Any]:
    return path.open("w", encoding="utf-8", newline="\n") if mode == "w" else path.open("wb")


def _flush_to_disk(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
