"""Name a model by what it computes with, so that equal weights have equal names everywhere.

Equal are models whose tensors, tokenizer and settings are; how a library's version has written them down is not looked
at. So a model that was loaded and saved again keeps its name, and so does one whose weights were cut into shards, or
written in other numbers without a loss.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import require

from .base import resolve_prompts

_FORMAT = "model-2"  # enters the hash: raise it whenever other facts do
#: Facts of config.json that decide what weights compute; the shapes of tensors say the rest.
_ARCHITECTURE = ("model_type", "hidden_size", "num_attention_heads", "hidden_act", "layer_norm_eps")
_OTHER_WORDS = {
    "dim": "hidden_size",
    "d_model": "hidden_size",
    "n_heads": "num_attention_heads",
    "num_heads": "num_attention_heads",
    "activation": "hidden_act",
    "activation_function": "hidden_act",
    "layer_norm_epsilon": "layer_norm_eps",
}
#: Names that a model's tensors have in front where it was saved with a head; the head itself is not read here.
_PREFIXES = ("bert.", "roberta.", "distilbert.", "mpnet.", "electra.", "deberta.", "albert.", "transformer.", "model.")
_UNREAD = ("pooler.", "cls.", "lm_head.")  # pooling is over the tokens: no other head is asked
_BUFFERS = ("position_ids", "token_type_ids")
#: What positions begin at, besides the number of the padding token, in the family of RoBERTa.
_OFFSET_TYPES = ("roberta", "xlm-roberta", "xlm-roberta-xl", "roberta-prelayernorm", "camembert", "xmod", "mpnet")
_LONGEST_STATED = 1 << 24  # what says more says that there is no limit
_POOLING_MODES = {
    "cls_token": "cls",
    "mean_tokens": "mean",
    "max_tokens": "max",
    "mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "weightedmean_tokens": "weightedmean",
    "lasttoken": "lasttoken",
}
_PROBES = (
    "The quick brown fox jumps over the lazy dog; 1,234.5 km/h (50 %)!",
    "Straße, naïve café, ÅNGSTRÖM, İstanbul, e\u0301te\u0301, ﬁne, ｆｕｌｌ　ｗｉｄｔｈ, x²",
    "two  blanks,\ta tab,\na line and a trailing blank ",
    "Все люди рождаются свободными и равными в своём достоинстве",
    "人人生而自由，在尊严和权利上一律平等。",
    "すべての人間は、生まれながらにして自由であり、",
    "모든 인간은 태어날 때부터 자유로우며",
    "يولد جميع الناس أحراراً متساوين في الكرامة والحقوق",
    "सभी मनुष्यों को गौरव और अधिकारों के मामले में",
    "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกัน",
    "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι",
    "A b C d E f Query Passage: mañana don't 😀 👩‍👩‍👧 \u200b\ufeff end",
)


def folder_identity(folder: Path) -> str:
    """Return `model-<hash>` over the folder's tensors, tokenizer and settings, by what they mean.

    Neither the folder's place and name enter, nor how its files are written and cut, nor a head that no embedding
    reads. What is no weight, tokenizer or setting of a kind that is known here enters by its bytes.

    Raises
    ------
    FileNotFoundError
        If the folder holds no model file.
    """
    if not any(_belongs(path, folder) for path in folder.rglob("*")):
        raise FileNotFoundError(f"{folder} holds no model: expected config.json or modules.json and weights in it")
    digest = hashlib.sha256(f"{_FORMAT}\0".encode())
    stated = read_json(folder / "config_sentence_transformers.json").get("prompts") or {}
    digest.update(_json(resolve_prompts("", stated)))
    for kind, place in _modules(folder):
        digest.update(f"{kind}\0".encode())
        for fact in _facts(kind, place, folder):
            digest.update(fact)
            digest.update(b"\0")
    return f"model-{digest.hexdigest()[:32]}"


def _modules(folder: Path) -> list[tuple[str, Path]]:
    """Return kind and folder of each module, in order; without a list it is a transformer and the mean."""
    try:
        listed = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
        return [(str(each["type"]).rpartition(".")[2], folder / str(each["path"])) for each in listed]
    except (OSError, ValueError, KeyError, TypeError):
        return [("Transformer", folder), ("Pooling", folder / "1_Pooling")]


def _facts(kind: str, place: Path, folder: Path) -> Iterator[bytes]:
    settings = read_json(place / "config.json")
    if kind == "Transformer":
        yield _json(_architecture(settings))
        yield _json(_sequence(place, settings))
        yield _tokenizer(place, lower=bool(read_json(place / "sentence_bert_config.json").get("do_lower_case")))
        yield _tensors(place, transformer=True)
    elif kind == "Pooling":
        yield _json([_pooling(settings), bool(settings.get("include_prompt", True))])
    elif kind == "Dense":
        yield _json([str(settings.get("activation_function", "")).rpartition(".")[2], settings.get("bias", True)])
        yield _tensors(place)
    elif kind != "Normalize":
        files = [path for path in sorted(place.rglob("*")) if _belongs(path, folder)]
        for path in files:
            stat = path.stat()
            hashed = _file_hash(str(path.resolve()), stat.st_size, stat.st_mtime_ns)
            yield f"{path.relative_to(place).as_posix()}\0{hashed}".encode()


def _architecture(config: Mapping[str, Any]) -> dict[str, Any]:
    named = {_OTHER_WORDS.get(key, key): value for key, value in config.items()}
    return {key: named[key] for key in _ARCHITECTURE if named.get(key) is not None}


def _sequence(place: Path, config: Mapping[str, Any]) -> int | None:
    """Return how many tokens of a text are read, or None where nothing says."""
    own = read_json(place / "sentence_bert_config.json").get("max_seq_length")
    stated = (own or read_json(place / "tokenizer_config.json").get("model_max_length"), position_limit(config))
    return min((int(each) for each in stated if each is not None and each < _LONGEST_STATED), default=None)


def position_limit(config: Mapping[str, Any]) -> int | None:
    """Return how many tokens a model has positions for, by its config.json; None where it has no such limit."""
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int) or positions < 1:
        return None
    if config.get("model_type") in _OFFSET_TYPES:
        return positions - int(config.get("pad_token_id") or 1) - 1
    return positions


def _pooling(settings: Mapping[str, Any]) -> list[str]:
    modes = settings.get("pooling_mode")
    if modes is None:
        flags = {name: settings.get(f"pooling_mode_{name}", name == "mean_tokens") for name in _POOLING_MODES}
        modes = [_POOLING_MODES[name] for name, wanted in flags.items() if wanted]
    return [modes] if isinstance(modes, str) else sorted(map(str, modes))


def _tokenizer(place: Path, *, lower: bool) -> bytes:
    """Return a hash of a tokenizer's vocabulary and of how it cuts texts of many scripts."""
    probes = [text.lower() if lower else text for text in _PROBES]
    try:
        tokenizer = _loaded_tokenizer(place)
        tokenizer.no_truncation()
        tokenizer.no_padding()
        vocabulary = sorted((number, token) for token, number in tokenizer.get_vocab().items())
        cut = [each.ids for each in tokenizer.encode_batch(probes)]
    except Exception:  # no tokenizer that is known here: the libraries raise bare exceptions too
        names = ("tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "sentencepiece.bpe.model", "spiece.model")
        files = [place / name for name in names if (place / name).is_file()]
        return b"".join(path.name.encode() + hashlib.sha256(path.read_bytes()).digest() for path in files)
    return hashlib.sha256(_json([vocabulary, cut])).digest()


def _loaded_tokenizer(place: Path) -> Any:
    if (place / "tokenizer.json").is_file():
        return require("tokenizers", extra="torch").Tokenizer.from_file(str(place / "tokenizer.json"))
    made = require("transformers", extra="torch").AutoTokenizer.from_pretrained(str(place), local_files_only=True)
    return made.backend_tokenizer


def _tensors(place: Path, *, transformer: bool = False) -> bytes:
    """Return a hash of the tensors of a folder by name, in float32, however many files they lie in."""
    files = sorted(place.glob("*.safetensors")) or sorted(place.glob("*.bin"))
    stats = tuple((str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files)
    return _tensor_hash(stats, transformer)


@lru_cache(maxsize=64)
def _tensor_hash(files: tuple[tuple[str, int, int], ...], transformer: bool) -> bytes:
    """Hash weights once in the life of the process, as long as sizes and times of their files stay."""
    found: dict[str, Any] = {}
    for name, _, _ in files:
        path = Path(name)
        try:
            found |= _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
        except Exception:  # what is no file of tensors enters as it is
            return hashlib.sha256(b"".join(Path(each).read_bytes() for each, _, _ in files)).digest()
    names = {_plain_name(name, found) if transformer else name: name for name in found}
    digest = hashlib.sha256()
    for plain in sorted(names):
        if transformer and (plain.startswith(_UNREAD) or plain.rpartition(".")[2] in _BUFFERS or not plain):
            continue
        array = found[names[plain]]()
        digest.update(f"{plain}{array.shape}".encode())
        digest.update(array.data)
    return digest.digest()


def _plain_name(name: str, every: Mapping[str, Any]) -> str:
    """Return what a tensor is called in a model without a head; "" for what such a model has not."""
    prefix = next((each for each in _PREFIXES if any(other.startswith(each) for other in every)), None)
    if prefix is None:
        return name
    return name.removeprefix(prefix) if name.startswith(prefix) else ""


def _read_safetensors(path: Path) -> dict[str, Any]:
    """Return for each tensor of a file what reads it in float32."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        head = json.loads(file.read(length))
    head.pop("__metadata__", None)
    mapped = np.memmap(path, np.uint8, mode="r", offset=8 + length)

    def reader(about: Mapping[str, Any]) -> Any:
        begin, end = about["data_offsets"]
        return lambda: _in_float32(mapped[begin:end], str(about["dtype"])).reshape(about["shape"])

    return {name: reader(about) for name, about in head.items()}


def _in_float32(raw: NDArray[np.uint8], kind: str) -> NDArray[Any]:
    if kind == "BF16":
        return (raw.view("<u2").astype(np.uint32) << 16).view(np.float32)
    known = {"F32": "<f4", "F16": "<f2", "F64": "<f8"}
    return np.ascontiguousarray(raw.view(known[kind]), np.float32) if kind in known else np.ascontiguousarray(raw)


def _read_torch(path: Path) -> dict[str, Any]:
    torch = require("torch", extra="torch")
    held = torch.load(path, map_location="cpu", weights_only=True)

    def reader(tensor: Any) -> Any:
        wide = tensor.float() if tensor.is_floating_point() else tensor
        return lambda: np.ascontiguousarray(wide.contiguous().numpy())

    return {str(name): reader(tensor) for name, tensor in held.items()}


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a file; empty where none is there."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


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


def former_folder_identity(folder: Path) -> str:
    """Return the identity that earlier versions gave a folder: a hash over its files, as they are written.

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
