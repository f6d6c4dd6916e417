"""Array namespaces that every linear method must work with."""

import array_api_strict
import numpy as np
import pytest


def _torch(array):
    torch = pytest.importorskip("torch")
    return torch.asarray(array)


@pytest.fixture(params=["numpy", "strict", "torch"])
def to_namespace(request):
    """Turn a NumPy array into one of another namespace."""
    return {"numpy": np.asarray, "strict": array_api_strict.asarray, "torch": _torch}[request.param]
