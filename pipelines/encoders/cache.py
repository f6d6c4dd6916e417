"""Keep embeddings on disk, so that each text is encoded once.

A progress bar for encoding, on standard error.

Where interlingua keeps what can be rebuilt: checkpoints and cached embeddings.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import threading
import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .base import Encoder, Role, UnknownTextError, check_role, check_texts, encoder_for
from .limits import cut_limits, cuts_told_elsewhere, warn_of_cuts


@contextmanager
def encoding_progress(total: int, *, show: bool) -> Iterator[Callable[[int], None]]:
    """Yield a function that advances the bar by a number of texts; does nothing unless `show`."""
    if not show or total == 0:
        yield lambda _n: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("encoding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=console.is_terminal) as bar:  # a log keeps one line
        task = bar.add_task("encoding", total=total)
        yield lambda n: bar.advance(task, n)


def user_cache_folder() -> Path:
    """Return the cache folder: `$INTERLINGUA_CACHE`, else the platform's own place for caches.

    The folder need not exist yet; everything in it may be deleted at any time.
    """
    chosen = os.environ.get("INTERLINGUA_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("interlingua", appauthor=False))


_FILE_NAME = "embeddings-v1.sqlite"  # another layout gets another name
_BUSY_SECONDS = 60.0
_SURELY_WHOLE = 48  # bytes: a token is hardly ever less than one, and every encoder reads that many
_KEYS_PER_QUERY = 500  # older SQLite allows 999 variables a statement
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_SCHEMA = "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, checksum INTEGER NOT NULL, vector BLOB NOT NULL)"

_T = TypeVar("_T")


class EmbeddingCacheWarning(UserWarning):
    """The cache could not be used; embeddings are right, but are computed again."""


class EmbeddingCache:
    """Vectors by key in one SQLite file, shared by any number of processes.

    A damaged file is moved aside with a warning and started anew; where the file cannot be opened or
    written (read-only home, full disk), a warning says so once and nothing is kept. Vectors carry a
    checksum: an altered one counts as absent.

    Parameters
    ----------
    path : Path, optional
        The file; by default `embeddings-v1.sqlite` in `user_cache_folder()`.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = user_cache_folder() / _FILE_NAME if path is None else Path(path)
        self._lock = threading.Lock()
        self._disabled = False

    @property
    def size(self) -> int:
        """Number of vectors kept."""
        return self._use(lambda db: int(db.execute("SELECT COUNT(*) FROM vectors").fetchone()[0]), 0)

    def get(self, keys: Sequence[bytes], dimension: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield (position in `keys`, vector) for the keys that are there, whole and of that dimension."""
        positions = {key: position for position, key in enumerate(keys)}
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            some = keys[start : start + _KEYS_PER_QUERY]
            nothing: list[tuple[bytes, int, bytes]] = []
            for key, checksum, raw in self._use(_selection(some), nothing):
                if len(raw) == 4 * dimension and zlib.crc32(raw) == checksum:
                    yield positions[key], np.frombuffer(raw, dtype="<f4").astype(np.float32)

    def put(self, keys: Iterable[bytes], vectors: NDArray[np.float32]) -> None:
        """Keep the rows of `vectors` under `keys`, all or none of them."""
        raws = [np.asarray(row, dtype="<f4").tobytes() for row in vectors]
        rows = [(key, zlib.crc32(raw), raw) for key, raw in zip(keys, raws)]
        self._use(lambda db: db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows), None)

    def clear(self) -> None:
        """Forget every vector and give the space back."""

        def delete(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM vectors")
            db.commit()
            db.execute("VACUUM")

        self._use(delete, None)

    def _use(self, action: Callable[[sqlite3.Connection], _T], otherwise: _T) -> _T:
        """Run the action on an open database; `otherwise` is the answer where there is none."""
        with self._lock:
            for attempt in (1, 2):
                if self._disabled:
                    break
                try:
                    with self._open() as db:
                        return action(db)
                except (sqlite3.Error, OSError) as error:
                    damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED
                    if damaged and attempt == 1 and self._move_aside(error):
                        continue
                    self._disable(error)
            return otherwise

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        # One connection a use: it costs well under a millisecond and is safe across threads and forks.
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(self.path, timeout=_BUSY_SECONDS)) as db:
            with contextlib.suppress(sqlite3.OperationalError):  # another process is switching it right now
                db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            db.execute(_SCHEMA)
            with db:
                yield db

    def _move_aside(self, error: Exception) -> bool:
        aside = self.path.with_name(f"{self.path.name}.damaged-{time.time_ns()}")
        try:
            self.path.replace(aside)
            for suffix in ("-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        except OSError:
            return False
        warnings.warn(
            f"the embedding cache {self.path} was damaged ({error}); it was moved to {aside.name} and started anew",
            EmbeddingCacheWarning,
            stacklevel=4,
        )
        return True

    def _disable(self, error: Exception) -> None:
        self._disabled = True
        warnings.warn(
            f"the embedding cache {self.path} cannot be used ({error}); going on without it. "
            "Set INTERLINGUA_CACHE to a folder that can be written",
            EmbeddingCacheWarning,
            stacklevel=4,
        )


class CachedEncoder:
    """An encoder that looks into a cache first and keeps what it encodes.

    Equal texts of one call are encoded once; what is missing goes to the encoder longest first in
    chunks, each kept as soon as it is done, so that an interrupted run goes on where it stopped. A
    cached vector comes back bit for bit as the encoder gave it.

    Parameters
    ----------
    encoder : Encoder
        Its identity, and its `dtype` if it has one, are part of the key.
    cache : EmbeddingCache
        Where the vectors lie.
    chunk_size : int
        Texts encoded between two writes.

    Attributes
    ----------
    hits, misses : int
        Distinct texts found and encoded so far.
    """

    def __init__(self, encoder: Encoder, cache: EmbeddingCache, *, chunk_size: int = 512) -> None:
        if chunk_size < 1:
            raise ValueError(f"chunk_size must be at least 1, got {chunk_size}")
        self.encoder = encoder
        self.cache = cache
        self.chunk_size = chunk_size
        self.hits = 0
        self.misses = 0

    @property
    def identity(self) -> str:
        """The encoder's own."""
        return self.encoder.identity

    @property
    def former_identities(self) -> tuple[str, ...]:
        """The encoder's own."""
        return tuple(getattr(self.encoder, "former_identities", ()))

    @property
    def loaded_as(self) -> str:
        """The encoder's own."""
        return str(getattr(self.encoder, "loaded_as", ""))

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return self.encoder.dimension

    @property
    def prompts(self) -> Mapping[str, str]:
        """The prefix for each role."""
        return self.encoder.prompts

    def encode(self, texts: Sequence[str], *, role: Role = "symmetric", progress: bool = False) -> NDArray[np.float32]:
        """Return one unit vector for each text, in order; see `Encoder.encode`."""
        checked = check_texts(texts)
        rows = {text: row for row, text in enumerate(dict.fromkeys(checked))}
        unique = list(rows)
        # subtle: how texts are computed depends on how many are asked for, never on what the cache happens to have
        encoder = encoder_for(self.encoder, len(unique))
        base = self._base(encoder, check_role(role))
        keys = [_text_key(base, text) for text in unique]
        vectors = np.empty((len(unique), self.dimension), dtype=np.float32)
        missing = np.ones(len(unique), dtype=bool)
        for row, vector in self.cache.get(keys, self.dimension):
            vectors[row] = vector
            missing[row] = False
        places = [rows[text] for text in checked]
        if checked:
            warn_of_cuts(self._cut(unique, base, role)[places])
        todo = np.flatnonzero(missing)
        self.hits += len(unique) - len(todo)
        todo = todo[_longest_first(encoder, [unique[row] for row in todo])]
        with encoding_progress(len(todo), show=progress) as advance:
            for start in range(0, len(todo), self.chunk_size):
                chunk = todo[start : start + self.chunk_size]
                vectors[chunk] = self._encoded(encoder, [unique[row] for row in chunk], checked, role)
                self.cache.put([keys[row] for row in chunk], vectors[chunk])
                self.misses += len(chunk)
                advance(len(chunk))
        return vectors[places] if checked else vectors

    def cut(self, texts: Sequence[str], role: Role = "symmetric") -> NDArray[np.int64]:
        """Return for each text the limit that it exceeds, or 0; see `interlingua.pipelines.encoders.limits`."""
        return self._cut(texts, self._base(encoder_for(self.encoder, len(texts)), check_role(role)), role)

    def token_spans(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Return where the tokens of each text lie; the encoder's own."""
        found: list[NDArray[np.int64]] = self.encoder.token_spans(texts)  # type: ignore[attr-defined]  # if it cuts
        return found

    def token_vectors(self, texts: Sequence[str], role: Role = "symmetric") -> list[NDArray[np.float32]]:
        """Return the vectors of each text's tokens, which are not kept; the encoder's own, if it has them."""
        found: list[NDArray[np.float32]] = self.encoder.token_vectors(texts, role)  # type: ignore[attr-defined]
        return found

    def _base(self, encoder: Encoder, role: Role) -> hashlib._Hash:
        """Return what keys begin with, of vectors that this encoder computes."""
        number = getattr(encoder, "dtype", "")
        return hashlib.sha256(f"{self.identity}\0{number}\0{self.prompts[role]}\0".encode())

    def _cut(self, texts: Sequence[str], base: hashlib._Hash, role: Role) -> NDArray[np.int64]:
        """Return `cut`, from the cache where it is known: whose vectors are all there needs no model for it."""
        limits = np.zeros(len(texts), np.int64)
        if not hasattr(self.encoder, "cut"):
            return limits
        long = [row for row, text in enumerate(texts) if len(text.encode()) > _SURELY_WHOLE]
        noted = base.copy()
        noted.update(b"limit\0")
        keys = [_text_key(noted, texts[row]) for row in long]
        unknown = dict.fromkeys(range(len(long)))
        for place, (limit,) in self.cache.get(keys, 1):
            limits[long[place]] = int(limit)
            del unknown[place]
        if unknown:
            rows = [long[place] for place in unknown]
            limits[rows] = cut_limits(self.encoder, [texts[row] for row in rows], role)
            self.cache.put([keys[place] for place in unknown], limits[rows, None].astype(np.float32))
        return limits

    def _encoded(self, encoder: Encoder, some: list[str], texts: Sequence[str], role: Role) -> NDArray[np.float32]:
        try:
            with cuts_told_elsewhere():
                return encoder.encode(some, role=role)
        except UnknownTextError as error:
            raise UnknownTextError(texts.index(some[error.position]), error.reason) from error


def _longest_first(encoder: Encoder, texts: Sequence[str]) -> NDArray[np.intp]:
    # subtle: the encoder's own order, so that a cold cache gives it the batches that it would make itself
    # (chunk_size being a multiple of its batch size), and the vectors are the same to the bit
    measure = getattr(encoder, "text_lengths", None)
    if measure is None or not texts:
        measure = _byte_lengths
    return np.argsort(-measure(texts), kind="stable")


def _selection(keys: Sequence[bytes]) -> Callable[[sqlite3.Connection], list[tuple[bytes, int, bytes]]]:
    marks = ",".join("?" * len(keys))
    query = f"SELECT key, checksum, vector FROM vectors WHERE key IN ({marks})"  # noqa: S608 - question marks only
    return lambda db: db.execute(query, keys).fetchall()


def _byte_lengths(texts: Sequence[str]) -> NDArray[np.int64]:
    return np.array([len(text.encode()) for text in texts], dtype=np.int64)


def _text_key(base: hashlib._Hash, text: str) -> bytes:
    digest = base.copy()
    digest.update(text.encode())
    return digest.digest()
