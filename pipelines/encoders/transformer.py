"""Encode with any sentence-transformers model, from a folder or from the Hub.

Whether the Hugging Face Hub answers, asked once before its client asks many times.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import MissingExtraError, require, torch_device

from .base import Role, UnknownTextError, check_role, check_texts, resolve_prompts, unit_rows
from .cache import encoding_progress
from .identity import folder_identity, former_folder_identity, read_json
from .limits import warn_of_cuts
from .tokens import of_text

_SECONDS = 10.0


def hub_is_reachable() -> bool:
    """Return whether the Hub, or what stands in for it (HF_ENDPOINT), answers at all.

    Its client tries each of a model's files six times before it gives up, a minute in all, with a line each time. False
    too where the client is told to stay offline (HF_HUB_OFFLINE). Whatever else goes wrong is for the client to say.
    """
    import socket
    import urllib.error
    import urllib.request

    not_there = (socket.gaierror, ConnectionError, TimeoutError)
    constants = require("huggingface_hub.constants", extra="torch")
    if constants.HF_HUB_OFFLINE:
        return False
    request = urllib.request.Request(str(constants.ENDPOINT), method="HEAD")  # noqa: S310 - the user's own endpoint
    try:
        urllib.request.urlopen(request, timeout=_SECONDS).close()  # noqa: S310
    except urllib.error.HTTPError:
        return True  # an answer, if not a friendly one
    except urllib.error.URLError as error:
        return not isinstance(error.reason, not_there)
    except not_there:
        return False
    except (OSError, ValueError):
        return True
    return True


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


#: What may compute a sentence-transformers model.
Backend = Literal["torch", "onnx", "openvino"]
DTYPES = ("float32", "bfloat16", "float16")
_TOKENIZE_AT_ONCE = 4096
_BYTES_AT_ONCE = 1 << 21
_NO_LIMIT = 1 << 24  # tokens: what states more states that there is no limit
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
    backend : {"torch", "onnx", "openvino"}
        What computes: passed on to sentence-transformers, which says what else must be installed. Those other than
        torch compute in the model's own numbers, on the CPU unless their files say otherwise.
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
        backend: Backend = "torch",
        prompts: Mapping[str, str] | None = None,
        revision: str | None = None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if dtype != "auto" and dtype not in DTYPES:
            raise ValueError(f"dtype must be 'auto' or one of {', '.join(DTYPES)}; got {dtype!r}")
        if backend not in get_args(Backend):
            raise ValueError(f"backend must be one of {', '.join(get_args(Backend))}; got {backend!r}")
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
        self.backend = backend
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
        """The number type in which the model computes, or its backend; the vectors are float32 always."""
        wanted = self._wanted[1]
        if self.backend != "torch":
            return self.backend
        return native_dtype(self.device) if wanted == "auto" else wanted

    @cached_property
    def identity(self) -> str:
        """The model's name by content: equal weights, tokenizer and settings, equal identity; see `folder_identity`."""
        if self.folder is not None:
            return folder_identity(self.folder)
        model = self.model  # loading it first brings the files here
        return hub_identity(self.name, self.revision) or f"{self.name}@{_weights_hash(model)}"

    @cached_property
    def former_identities(self) -> tuple[str, ...]:
        """What earlier versions called the same model, see `identity_for`."""
        return () if self.folder is None else (former_folder_identity(self.folder),)

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
            settings = read_json(self.folder / "config_sentence_transformers.json")
            stated = settings.get("prompts") or {}
            origin = f"{self.folder.name} {read_json(self.folder / 'config.json').get('_name_or_path', '')}"
        return MappingProxyType(resolve_prompts(origin, stated, self._chosen_prompts))

    @cached_property
    def model(self) -> Any:
        """The `SentenceTransformer` itself, loaded at the first use."""
        torch = require("torch", extra="torch")
        library = require("sentence_transformers", extra="torch")
        elsewhere = {} if self.backend == "torch" else {"backend": self.backend}
        local = self.folder is not None or not self._may_ask_the_hub()
        device = self.device
        try:
            with quiet_loading(local):
                model = library.SentenceTransformer(
                    self.name, device=device, revision=self.revision, local_files_only=local, **elsewhere
                )
        except (OSError, ValueError) as error:
            place = "the Hugging Face Hub" if self.folder is None else "that folder"
            raise OSError(
                f"cannot load the encoder {self.name!r} from {place}: {error}; the encoder 'bundled' needs no download"
            ) from error
        _cap_length(model)
        model.default_prompt_name = None  # prompts are chosen by role, never behind our back
        model.eval()
        return model if elsewhere else model.to(getattr(torch, self.dtype))

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

    @cached_property
    def token_limit(self) -> int | None:
        """How many tokens the model reads, of prompt, text and marks together; None for all."""
        tokenizer, limit = self._tokenizer, getattr(self.model, "max_seq_length", None)
        return None if tokenizer is None or limit is None or limit >= _NO_LIMIT else int(limit)

    @property
    def _tokenizer(self) -> Any:
        """The tokenizer, or None where it is none that counts."""
        tokenizer = getattr(self.model, "tokenizer", None)
        return tokenizer if getattr(tokenizer, "is_fast", False) else None

    def text_lengths(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return how long each text is for the model: in tokens, or bytes where it has no fast tokenizer.

        Batches of like length in tokens waste 8 % on padding where five languages are mixed, of like
        length in characters half as much again as the texts themselves.
        """
        lengths = self._whole_lengths(texts)
        return lengths if self._tokenizer is None else np.minimum(lengths, self.token_limit or _LONGEST)

    def cut(self, texts: Sequence[str], role: Role = "symmetric") -> NDArray[np.int64]:
        """Return for each text the limit that it exceeds, or 0; see `interlingua.pipelines.encoders.limits`."""
        return self._cut(texts, self._whole_lengths(texts), self.prompts[check_role(role)])

    def token_spans(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Return for each text an (m, 2) array: the first character of each token, and the one behind its last."""
        tokenizer = self._tokenizer
        if tokenizer is None:
            raise TypeError(f"the tokenizer of {self.name!r} does not say where its tokens lie")
        options = {"truncation": False, "add_special_tokens": False, "verbose": False}
        return [
            np.array(spans, np.int64).reshape(-1, 2)
            for part in _parts(texts)
            for spans in tokenizer(part, return_offsets_mapping=True, **options)["offset_mapping"]
        ]

    def token_vectors(self, texts: Sequence[str], role: Role = "symmetric") -> list[NDArray[np.float32]]:
        """Return the vectors of each text's tokens; see `interlingua.pipelines.encoders.tokens`.

        Raises
        ------
        TypeError
            If the model has no tokenizer that says where its tokens lie.
        """
        checked, prompt = check_texts(texts), self.prompts[check_role(role)]
        of_prompt = len(self.token_spans([prompt])[0]) if prompt else 0
        marks = int(self._whole_lengths([""])[0])  # at the beginning, and one at the end
        if not checked:
            return []
        found = self.model.encode(
            checked,
            prompt=prompt or None,
            batch_size=self.batch_size,
            show_progress_bar=False,
            output_value="token_embeddings",
        )
        return [of_text(rows.float().cpu().numpy(), of_prompt + max(marks - 1, 0), min(marks, 1)) for rows in found]

    def _whole_lengths(self, texts: Sequence[str]) -> NDArray[np.int64]:
        tokenizer = self._tokenizer
        if tokenizer is None:
            return np.array([len(text.encode()) for text in texts], dtype=np.int64)
        found: list[int] = []
        for part in _parts(texts):
            found += map(len, tokenizer(part, truncation=False, verbose=False)["input_ids"])
        return np.array(found, dtype=np.int64)

    def _cut(self, texts: Sequence[str], lengths: NDArray[np.int64], prompt: str) -> NDArray[np.int64]:
        """Return `cut` of texts whose lengths without the prompt are known."""
        limits = np.zeros(len(texts), np.int64)
        limit = self.token_limit
        if limit is None:
            return limits
        # subtle: a prompt and a text are cut into tokens together, which may be one more or less than each alone
        longest = lengths + (len(self.token_spans([prompt])[0]) + 2 if prompt else 0)
        rows = np.flatnonzero(longest > limit)
        limits[rows] = np.where(self._whole_lengths([prompt + texts[row] for row in rows.tolist()]) > limit, limit, 0)
        return limits

    def encode(self, texts: Sequence[str], *, role: Role = "symmetric", progress: bool = False) -> NDArray[np.float32]:
        """Return one unit vector for each text, in order; see `Encoder.encode`.

        Raises
        ------
        TypeError, ValueError
            If `texts` are no strings, the role is unknown, or a vector is not finite.
        UnknownTextError
            If the model finds no token in a text; a ValueError.

        Warns
        -----
        TextsCutWarning
            If texts are longer than the model reads.
        """
        checked = check_texts(texts)
        prompt = self.prompts[check_role(role)] or None
        if not checked:
            return np.empty((0, self.dimension), dtype=np.float32)
        rows = {text: row for row, text in enumerate(dict.fromkeys(checked))}
        unique = list(rows)
        vectors = np.empty((len(unique), self.dimension), dtype=np.float32)
        places = [rows[text] for text in checked]
        with encoding_progress(len(unique), show=progress) as advance:
            lengths = self._whole_lengths(unique)
            warn_of_cuts(self._cut(unique, lengths, prompt or "")[places])
            if self._tokenizer is not None:
                lengths = np.minimum(lengths, self.token_limit or _LONGEST)
            order = np.argsort(-lengths, kind="stable")
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
                found = raw.float().cpu().numpy()
                if (nothing := np.flatnonzero(~found.any(axis=1))).size:
                    raise _no_token(checked, [chosen[row] for row in nothing])
                vectors[batch] = unit_rows(found, chosen)
                advance(len(chosen))
        return vectors[places]


def _no_token(texts: Sequence[str], empty: Sequence[str]) -> UnknownTextError:
    position = min(texts.index(text) for text in empty)
    return UnknownTextError(
        position, f"has no vector: the encoder finds no token in {texts[position]!r:.60}; leave such texts out"
    )


def _parts(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield texts in order, so many at once that their tokens take little memory."""
    part: list[str] = []
    size = 0
    for text in texts:
        if part and (len(part) >= _TOKENIZE_AT_ONCE or size + len(text) > _BYTES_AT_ONCE):
            yield part
            part, size = [], 0
        part.append(text)
        size += len(text)
    if part:
        yield part


def _cap_length(model: Any) -> None:
    """Have texts cut at the positions that a transformer has, where its folder states no length, or a longer one.

    The family of RoBERTa counts positions from behind the number of its padding token.
    """
    limits = []
    for module in model.modules():
        positions = getattr(module, "position_embeddings", None)
        rows = getattr(positions, "num_embeddings", None)
        if rows is not None:
            padding = getattr(positions, "padding_idx", None)
            limits.append(rows - (0 if padding is None else padding + 1))
    stated = getattr(model, "max_seq_length", None)
    if limits and min(limits) > 0 and (stated is None or stated > min(limits)):
        model.max_seq_length = min(limits)


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
