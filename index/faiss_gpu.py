"""Search on a GPU through FAISS, where its GPU build is installed; the index itself stays on the CPU."""

from typing import Any

from .faiss_config import FaissConfig
from .faiss_library import load_faiss

__all__ = ["GPU_KINDS", "LARGEST_GPU_K", "gpu_wanted", "to_gpu"]

GPU_KINDS = ("faiss-flat", "ivf-flat")
LARGEST_GPU_K = 2048  # FAISS refuses more on a GPU


def gpu_wanted(config: FaissConfig) -> bool:
    """Return whether an index of this configuration is to search on a GPU.

    ``device="auto"`` takes one where FAISS sees one and knows the kind there (exact search, and inverted lists of whole
    vectors); ``"cuda"`` insists; ``"cpu"`` never does.

    Raises
    ------
    RuntimeError
        If ``"cuda"`` is asked for and FAISS sees no GPU.
    """
    device = getattr(config, "device", "cpu")  # graphs and short codes have no such setting
    if device == "cpu" or config.kind not in GPU_KINDS:
        return False
    faiss = load_faiss()
    seen = faiss.get_num_gpus() if hasattr(faiss, "get_num_gpus") else 0
    if device == "cuda" and not seen:
        raise RuntimeError(
            "device='cuda' needs a GPU that FAISS can use, and it sees none; install faiss-gpu-cu12 in place of "
            "faiss-cpu, or give device='cpu'"
        )
    return bool(seen)


def to_gpu(index: Any) -> Any:
    """Return a copy of a FAISS index on the first GPU; it keeps what memory it needs as long as it lives."""
    faiss = load_faiss()
    copy = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)
    return copy
