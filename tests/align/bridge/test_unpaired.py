"""Rows of two models matched by few known ones, and refused where nothing tells."""

import numpy as np
import pytest

from interlingua.align.bridge import BridgeError, match_rows

N = 260


def models(seed, n=N, noise=0.15):
    """Two models of the same texts, the second of another dimension and order; row i of the first is its own[i]."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 20)) * np.linspace(2, 0.7, 20)
    turned = np.linalg.qr(rng.normal(size=(24, 20)))[0].T
    order = rng.permutation(n)
    y = (x @ turned + noise * rng.normal(size=(n, 24)))[order] + 0.5
    return x + 1, y, np.argsort(order)


@pytest.mark.parametrize("count", [20, 60])
def test_rows_are_matched_from_a_few_known_ones(count):
    x, y, own = models(count)
    known = np.stack([np.arange(count), own[:count]], axis=1)
    found = match_rows(x, y, known)
    assert (own[found.pairs[:, 0]] == found.pairs[:, 1]).mean() > 0.98
    assert len(found.pairs) > 0.9 * N
    assert found.agreement > 0.8
    assert found.found > 0.9
    assert {tuple(each) for each in known.tolist()} <= {tuple(each) for each in found.pairs.tolist()}


@pytest.mark.parametrize("seed", range(2))
def test_anchors_of_other_rows_are_refused(seed):
    x, y, own = models(seed)
    rng = np.random.default_rng(seed)
    wrong = np.stack([np.arange(60), rng.permutation(own)[:60]], axis=1)
    with pytest.raises(BridgeError, match=r"two independent runs agree on .* check the anchors"):
        match_rows(x, y, wrong, seed=seed)


@pytest.mark.parametrize("anchored", [True, False])
def test_models_that_have_nothing_in_common_are_refused(anchored):
    x, y, own = models(5)
    other = np.random.default_rng(6).normal(size=y.shape)
    with pytest.raises(BridgeError, match="nothing tells which rows belong together"):
        match_rows(x, other, np.stack([np.arange(40), own[:40]], axis=1) if anchored else None)


def test_what_is_given_is_checked():
    x, y, own = models(0)
    known = np.stack([np.arange(30), own[:30]], axis=1)
    with pytest.raises(BridgeError, match="there are 5 anchors, and 20 are needed"):
        match_rows(x, y, known[:5])
    with pytest.raises(BridgeError, match="two anchors name the same row"):
        match_rows(x, y, np.concatenate([known, known[:1]]))
    with pytest.raises(BridgeError, match="names row 999, but there are 260 rows"):
        match_rows(x, y, np.concatenate([known, [[999, 1]]]))
    with pytest.raises(BridgeError, match="from 200 to 5000 a side, but there are 100 and 260"):
        match_rows(x[:100], y, None)
