"""Pictures of what was saved: their files, and the figures that they show."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from interlingua.pipelines.plots.draw import draw_points, draw_shares
from interlingua.pipelines.plots.points import flat
from interlingua.pipelines.plots.retrieval import found_first

HEADS = {".png": b"\x89PNG", ".svg": b"<?xml", ".html": b"<!doctype html>"}


@pytest.mark.parametrize("ending", HEADS)
def test_pictures_are_of_the_kind_that_their_name_says(tmp_path, ending):
    points = np.array([[0, 1], [1, 0], [0.5, 0.5]], np.float32)
    path = draw_points({"before": points, "after": points[::-1]}, ["en", "sw", "en"], tmp_path / f"a{ending}")
    assert path.read_bytes().startswith(HEADS[ending])
    again = draw_points({"before": points, "after": points[::-1]}, ["en", "sw", "en"], tmp_path / f"b{ending}")
    assert again.read_bytes() == path.read_bytes()
    shares = {"now": np.array([[0.25, np.nan], [0.5, 1.0]])}
    path = draw_shares(shares, ["x<y", "z"], ["x<y", "z"], tmp_path / f"c{ending}", sides=("said", "true"))
    text = path.read_bytes()
    if ending != ".png":
        assert b">25<" in text
        assert b"x&lt;y" in text
        assert b"nan" not in text.lower()
    with pytest.raises(ValueError, match=r"\*\.png"):
        draw_points({"a": points}, ["en"] * 3, tmp_path / "a.gif")


def test_points_are_principal_components():
    rng = np.random.default_rng(2)
    vectors = (rng.normal(size=(200, 6)) * [9, 5, 1, 1, 1, 1]).astype(np.float32)
    points = flat(vectors)
    centred = vectors - vectors.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    expected = centred @ axes[:2].T
    expected /= np.abs(expected).max()
    np.testing.assert_allclose(np.abs(points), np.abs(expected), atol=1e-4)


def test_found_first_counts_texts_whose_translation_is_the_nearest():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(12, 8))
    vectors = np.concatenate([rows, rows + 0.9 * rng.normal(size=rows.shape)]).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names, shares = found_first(vectors, ["en"] * 12 + ["sw"] * 12, [*range(12), *range(12)])
    alike = vectors[:12] @ vectors[12:].T
    assert names == ["en", "sw"]
    assert shares[0, 1] == np.mean(alike.argmax(axis=1) == np.arange(12))
    assert shares[1, 0] == np.mean(alike.argmax(axis=0) == np.arange(12))
    with pytest.raises(ValueError, match="between languages"):
        found_first(vectors[:12], ["en"] * 12, list(range(12)))
