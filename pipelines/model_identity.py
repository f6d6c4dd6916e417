"""Name a model by its content, so that equal weights have equal names everywhere."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path

__all__ = ["folder_identity", "hub_folder", "hub_identity"]

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
        message = f"{folder} holds no model: expected config.json or modules.json and weights in it"
        raise FileNotFoundError(message)
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
