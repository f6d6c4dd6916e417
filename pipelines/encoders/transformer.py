"""Encode with any sentence-transformers model, from a folder or from the Hub.

Whether the Hugging Face Hub answers, asked once before its client asks many times.

Name a model by its content, so that equal weights have equal names everywhere.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import MissingExtraError, require, torch_device

from .base import Role, check_role, check_texts, resolve_prompts, unit_rows
from .cache import encoding_progress

_SECONDS = 10.0
_NOT_THERE = (socket.gaierror, ConnectionError, TimeoutError)


def hub_is_reachable() -> bool:
    """Return whether the Hub, or what stands in for it (HF_ENDPOINT), answers at all.

    Its client tries each of a model's files six times before it gives up, a minute in all, with a line each time. False
    too where the client is told to stay offline (HF_HUB_OFFLINE). Whatever else goes wrong is for the client to say.
    """
    constants = require("huggingface_hub.constants", extra="torch")
    if constants.HF_HUB_OFFLINE:
        return False
    request = urllib.request.Request(str(constants.ENDPOINT), method="HEAD")  # noqa: S310 - the user's own endpoint
    try:
        urllib.request.urlopen(request, timeout=_SECONDS).close()  # noqa: S310
    except urllib.error.HTTPError:
        return True  # an answer, if not a friendly one
    except urllib.error.URLError as error:
        return not isinstance(error.reason, _NOT_THERE)
    except _NOT_THERE:
        return False
    except (OSError, ValueError):
        return True
    return True


_SUFFIXES = (".json", ".txt", ".model", ".safetensors", ".bin", ".npz", ".npy")
_IGNORED_PARTS = ("onnx", "openvino", "coreml", "eval", "logs", "runs")
_IGNORED_NAMES = (
    "trainer_state.json",
    "training_args.bin",
    "all_results.json",
    "train_results.json",
    "eval_results.json",
    "README.txt",
    "LICENSE.txt",
    "requirements.txt",
    "interlingua-checkpoint.json",
)
# Written by libraries, without effect on the vectors; `_name_or_path` even holds a path of the machine.
_VOLATILE_KEYS = ("transformers_version", "__version__", "_name_or_path", "torch_dtype", "dtype")
_SMALL = 1 << 20


def folder_identity(folder: Path) -> str:
    """Return `model-<hash>` over the contents of the folder's weights, tokenizer and settings.

    Neither the folder's place and name nor version stamps inside its JSON files enter.

    Raises
    ------
    FileNotFoundError
        If the folder holds no model file.
    """
    files = [path for path in sorted(folder.rglob("*")) if _belongs(path, folder)]
    if any(path.suffix == ".safetensors" for path in files):
        files = [path for path in files if path.suffix != ".bin"]  # an older copy of the same weights
    if not files:
        raise FileNotFoundError(f"{folder} holds no model: expected config.json or modules.json and weights in it")
    digest = hashlib.sha256()
    for path in files:
        stat = path.stat()
        content = _file_hash(str(path.resolve()), stat.st_size, stat.st_mtime_ns)
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\0".encode())
    return f"model-{digest.hexdigest()[:32]}"


def hub_identity(name: str, revision: str | None) -> str | None:
    """Return `name@commit` of the copy that the Hub's client keeps on this machine, or None.

    Where that copy is missing the caller has to name the weights otherwise.
    """
    repository, folder = _hub_copy(name, revision)
    return None if folder is None else f"{repository}@{folder.name}"


def hub_folder(name: str, revision: str | None) -> Path | None:
    """Return where the Hub's client keeps its copy of a model, or None where it has none."""
    return _hub_copy(name, revision)[1]


def _hub_copy(name: str, revision: str | None) -> tuple[str, Path | None]:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    for repository in (name, f"sentence-transformers/{name}"):
        if repository.count("/") != 1:
            continue
        for file in ("modules.json", "config.json"):
            try:
                found = try_to_load_from_cache(repository, file, revision=revision)
            except HFValidationError:  # no model has such a name
                return name, None
            if isinstance(found, str):
                return repository, Path(found).parent
    return name, None


def _belongs(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    return (
        path.is_file()
        and path.suffix in _SUFFIXES
        and path.name not in _IGNORED_NAMES
        and not any(part in _IGNORED_PARTS or part.startswith((".", "checkpoint-")) for part in parts)
    )


@lru_cache(maxsize=1024)
def _file_hash(path: str, size: int, modified_ns: int) -> str:
    """Hash a file once in the life of the process, as long as its size and time stay."""
    del modified_ns  # part of the cache's key only
    file = Path(path)
    if file.suffix == ".json" and size < _SMALL:
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            content = None
        if isinstance(content, dict):
            kept = {key: value for key, value in content.items() if key not in _VOLATILE_KEYS}
            return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


_DTYPES = ("float32", "bfloat16", "float16")
_TOKENIZE_AT_ONCE = 4096
_LONGEST = 8192  # tokens, for models that state no limit
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_NATIVE_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16"})


class TransformerEncoder:
    """A sentence-transformers model as an `Encoder`.

    The model is loaded at the first use, so that an encoder whose vectors are all cached costs nothing.
    Texts are encoded longest first, in batches of like length; equal texts once. Vectors are scaled to
    length 1 in float32. Which texts share a batch moves their components by 1e-7 in float32 and by
    1e-3 in bfloat16 (a cosine of 0.99998), as with every transformer.

    Parameters
    ----------
    name : str or Path
        A folder that `SentenceTransformer(folder)` loads, or a name on the Hugging Face Hub.
    device : str
        "auto" (cuda, else mps, else cpu) or a torch device.
    dtype : str
        "auto": bfloat16 on GPUs that have it and on CPUs with AVX512-BF16 or AMX, else float32.
    batch_size : int
        Texts encoded at once.
    prompts : mapping, optional
        Role -> prefix, where the model's own or its family's are not wanted.
    revision : str, optional
        Branch, tag or commit on the Hub.

    Raises
    ------
    MissingExtraError
        If the extra `torch` is not installed.
    ValueError
        If `batch_size` or `dtype` is none, or the device is not there.
    """

    loaded_as = ""  # the lasting name that `load_encoder` made it by

    def __init__(
        self,
        name: str | Path,
        *,
        device: str = "auto",
        dtype: str = "auto",
        batch_size: int = 32,
        prompts: Mapping[str, str] | None = None,
        revision: str | None = None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if dtype != "auto" and dtype not in _DTYPES:
            raise ValueError(f"dtype must be 'auto' or one of {', '.join(_DTYPES)}; got {dtype!r}")
        if importlib.util.find_spec("sentence_transformers") is None:
            raise MissingExtraError(
                "encoding needs the library 'sentence_transformers', which is not installed; "
                'install it with: pip install "interlingua[torch]"',
                name="sentence_transformers",
            )
        for role in prompts or {}:
            check_role(role)
        self.name = str(name)
        self.batch_size = batch_size
        self.folder = _model_folder(self.name)
        self.revision = revision
        self._chosen_prompts = dict(prompts or {})
        self._wanted = (device, dtype)
        if device not in ("auto", "cpu"):
            _ = self.device  # a device that is not there is refused now, not at the first text

    @cached_property
    def device(self) -> str:
        """The torch device that encodes."""
        return torch_device(self._wanted[0], mps=True)

    @cached_property
    def dtype(self) -> str:
        """The number type in which the model computes; the vectors are float32 always."""
        wanted = self._wanted[1]
        return native_dtype(self.device) if wanted == "auto" else wanted

    @cached_property
    def identity(self) -> str:
        """The model's name by content: equal weights and tokenizer, equal identity."""
        if self.folder is not None:
            return folder_identity(self.folder)
        model = self.model  # loading it first brings the files here
        return hub_identity(self.name, self.revision) or f"{self.name}@{_weights_hash(model)}"

    @cached_property
    def dimension(self) -> int:
        """Length of the vectors."""
        model = self.model
        rename = getattr(model, "get_embedding_dimension", None)  # the name since sentence-transformers 5
        size = rename() if rename is not None else model.get_sentence_embedding_dimension()
        return int(size) if size is not None else int(model.encode(["a"], show_progress_bar=False).shape[1])

    @cached_property
    def prompts(self) -> Mapping[str, str]:
        """The prefix for each role."""
        if self.folder is None:
            stated, origin = self.model.prompts, self.name
        else:
            settings = _read_json(self.folder / "config_sentence_transformers.json")
            stated = settings.get("prompts") or {}
            origin = f"{self.folder.name} {_read_json(self.folder / 'config.json').get('_name_or_path', '')}"
        return MappingProxyType(resolve_prompts(origin, stated, self._chosen_prompts))

    @cached_property
    def model(self) -> Any:
        """The `SentenceTransformer` itself, loaded at the first use."""
        torch = require("torch", extra="torch")
        library = require("sentence_transformers", extra="torch")
        local = self.folder is not None or not self._may_ask_the_hub()
        device = self.device
        try:
            with quiet_loading(local):
                model = library.SentenceTransformer(
                    self.name, device=device, revision=self.revision, local_files_only=local
                )
        except (OSError, ValueError) as error:
            place = "the Hugging Face Hub" if self.folder is None else "that folder"
            raise OSError(
                f"cannot load the encoder {self.name!r} from {place}: {error}; the encoder 'bundled' needs no download"
            ) from error
        model.default_prompt_name = None  # prompts are chosen by role, never behind our back
        model.eval()
        return model.to(getattr(torch, self.dtype))

    def _may_ask_the_hub(self) -> bool:
        """Tell whether the Hub answers; if not, a copy of the model must be on this machine.

        Raises
        ------
        OSError
            If there is neither.
        """
        reachable = hub_is_reachable()
        if not reachable and hub_folder(self.name, self.revision) is None:
            raise OSError(
                f"cannot load the encoder {self.name!r}: there is no copy of it on this machine, and the Hugging Face "
                "Hub cannot be reached; give a model's folder, or use the encoder 'bundled', which needs no download"
            )
        return reachable

    def text_lengths(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return how long each text is for the model: in tokens, or bytes where it has no fast tokenizer.

        Batches of like length in tokens waste 8 % on padding where five languages are mixed, of like
        length in characters half as much again as the texts themselves.
        """
        tokenizer = getattr(self.model, "tokenizer", None)
        if tokenizer is None or not getattr(tokenizer, "is_fast", False):
            return np.array([len(text.encode()) for text in texts], dtype=np.int64)
        lengths = np.empty(len(texts), dtype=np.int64)
        for start in range(0, len(texts), _TOKENIZE_AT_ONCE):
            some = list(texts[start : start + _TOKENIZE_AT_ONCE])
            tokens = tokenizer(some, truncation=True, max_length=self.model.max_seq_length or _LONGEST)
            lengths[start : start + len(some)] = [len(ids) for ids in tokens["input_ids"]]
        return lengths

    def encode(self, texts: Sequence[str], *, role: Role = "symmetric", progress: bool = False) -> NDArray[np.float32]:
        """Return one unit vector for each text, in order; see `Encoder.encode`.

        Raises
        ------
        TypeError, ValueError
            If `texts` are no strings, the role is unknown, or a vector is zero or not finite.
        """
        checked = check_texts(texts)
        prompt = self.prompts[check_role(role)] or None
        if not checked:
            return np.empty((0, self.dimension), dtype=np.float32)
        rows = {text: row for row, text in enumerate(dict.fromkeys(checked))}
        unique = list(rows)
        vectors = np.empty((len(unique), self.dimension), dtype=np.float32)
        with encoding_progress(len(unique), show=progress) as advance:
            order = np.argsort(-self.text_lengths(unique), kind="stable")
            for start in range(0, len(order), self.batch_size):
                batch = order[start : start + self.batch_size]
                chosen = [unique[row] for row in batch]
                raw = self.model.encode(
                    chosen,
                    prompt=prompt,
                    batch_size=len(chosen),
                    show_progress_bar=False,
                    convert_to_tensor=True,
                )
                vectors[batch] = unit_rows(raw.float().cpu().numpy(), chosen)
                advance(len(chosen))
        return vectors[[rows[text] for text in checked]]


def _model_folder(name: str) -> Path | None:
    path = Path(name).expanduser()
    if path.is_dir():
        if not any((path / file).is_file() for file in ("modules.json", "config.json")):
            raise FileNotFoundError(f"{path} holds no model: neither modules.json nor config.json is in it")
        return path
    if path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise FileNotFoundError(f"no folder at {name}; give a model's folder, its name on the Hub, or 'bundled'")
    return None


def native_dtype(device: str) -> str:
    """Return "bfloat16" where the device computes with it natively, else "float32"."""
    torch = require("torch", extra="torch")
    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.get_device_capability(device)[0] >= 8 else "float32"
    return "bfloat16" if device == "cpu" and _cpu_flags() & _NATIVE_BFLOAT16 else "float32"


def _cpu_flags(source: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Return the processor's feature flags on Linux, elsewhere none.

    torch can emulate bfloat16 on any CPU, slower than float32; it has no public test for the real thing.
    """
    try:
        lines = source.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return frozenset(flags.partition(":")[2].split())


def _weights_hash(model: Any) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


@contextmanager
def quiet_loading(active: bool) -> Iterator[None]:
    """Hide transformers' bar over the weights, unless a download from the Hub shows its own, and its idle reports."""
    library = require("transformers.utils.logging", extra="torch")
    logger = library.get_logger("transformers.modeling_utils")
    logger.addFilter(_tells_news)
    shown = getattr(library, "is_progress_bar_enabled", lambda: True)()
    if active:
        library.disable_progress_bar()
    try:
        yield
    finally:
        logger.removeFilter(_tells_news)
        if active and shown:
            library.enable_progress_bar()


def _tells_news(record: logging.LogRecord) -> bool:
    """Tell whether a record is more than a report that a head was left out which embeddings do without.

    A model pretrained on masked words has weights of that head, and none of the pooler, which pooling never asks.
    """
    text = _COLOURS.sub("", record.getMessage())
    if "LOAD REPORT" not in text:
        return True
    rows = [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if "|" in line]
    idle = [
        status in ("Status", "UNEXPECTED") or (status == "MISSING" and "pooler" in key.split("."))
        for key, status, *_ in rows
    ]
    return not idle or not all(idle)
