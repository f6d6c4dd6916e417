import struct

import numpy as np
import pytest

from interlingua.pipelines.demo.plot import draw_spaces, flatten, similarities

pytest.importorskip("matplotlib")


@pytest.fixture
def clusters():
    """Six rows in each of eight languages: row i of all languages is near centre i."""
    rng = np.random.default_rng(0)
    centres = 5 * rng.normal(size=(6, 10))
    rows = {
        code: centres + 0.02 * rng.normal(size=(6, 10)) for code in ("ar", "de", "en", "fi", "hi", "ru", "sw", "zh")
    }
    return {
        code: (each / np.linalg.norm(each, axis=1, keepdims=True)).astype(np.float32) for code, each in rows.items()
    }


def test_rows_that_are_near_stay_near_in_the_plane(clusters):
    points = flatten(np.concatenate(list(clusters.values())), seed=1)
    assert points.shape == (48, 2)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2) + 1e9 * np.eye(48)
    assert (distances.argmin(axis=1) % 6 == np.arange(48) % 6).mean() > 0.9


def test_each_row_has_as_many_neighbours_as_the_perplexity_says():
    rows = np.random.default_rng(2).normal(size=(20, 5)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    joint = similarities(rows, 5)
    np.testing.assert_allclose(joint, joint.T)
    assert joint.sum() == pytest.approx(1, abs=1e-5)
    distances = 2 - 2 * rows.astype(np.float64) @ rows.T
    shares = np.zeros((20, 20))
    for row in range(20):  # the precision by a fine grid
        others = np.delete(np.arange(20), row)
        away = distances[row, others] - distances[row, others].min()
        tried = [np.exp(-beta * away) for beta in np.geomspace(0.1, 1e3, 2000)]
        tried = [each / each.sum() for each in tried]
        entropies = [-(each * np.log(each + 1e-300)).sum() for each in tried]
        shares[row, others] = tried[int(np.argmin(np.abs(np.array(entropies) - np.log(5))))]
    np.testing.assert_allclose(joint, (shares + shares.T) / 40, atol=2e-4)


def test_points_are_those_of_another_implementation_in_what_counts():
    manifold = pytest.importorskip("sklearn.manifold")
    rng = np.random.default_rng(4)
    rows = np.repeat(rng.normal(size=(12, 20)), 10, axis=0) + 0.7 * rng.normal(size=(120, 20))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    other = manifold.TSNE(init="pca", perplexity=30, random_state=0, max_iter=300).fit_transform(rows)
    ours, theirs = (manifold.trustworthiness(rows, points) for points in (flatten(rows), other))
    assert ours > theirs - 0.02


@pytest.mark.slow  # matplotlib
def test_four_panels_are_drawn_whole_and_the_old_picture_is_replaced(clusters, tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    drawn = []
    save = Figure.savefig

    def spy(figure, *arguments, **options):
        drawn.append([axis.get_title() for axis in figure.axes])
        return save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", spy)
    path = tmp_path / "spaces.png"
    path.write_bytes(b"old")
    assert draw_spaces(clusters, clusters, path) == path
    titles = drawn[0]
    assert len(titles) == 4
    assert [title.split(":")[0] for title in titles] == ["before alignment"] * 2 + ["after centring each language"] * 2
    assert ["language" in title.split(":")[1] for title in titles] == [True, False, True, False]
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    assert min(width, height) > 1000
    assert [each.name for each in tmp_path.iterdir()] == ["spaces.png"]
