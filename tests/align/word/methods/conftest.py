"""Two vocabularies whose translations are known."""

import numpy as np
import pytest
from scipy.stats import ortho_group


def _planted(n, d, d_target, noise, seed=0):
    """Return an anisotropic source and its noisy rotation in another order; word i translates word order[i]."""
    rng = np.random.default_rng(seed)
    source = rng.standard_t(4, size=(n, d)) * np.linspace(2, 0.5, d) + rng.normal(size=d)
    rotation = ortho_group.rvs(max(d, d_target), random_state=seed)[:d, :d_target]
    order = rng.permutation(n)
    target = np.empty((n, d_target))
    target[order] = source @ rotation + noise * rng.normal(size=(n, d_target))
    return source.astype(np.float32), target.astype(np.float32), order


@pytest.fixture(scope="session")
def planted():
    return _planted
