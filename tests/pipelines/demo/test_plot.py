import struct

import numpy as np
import pytest

from interlingua.pipelines.demo.plot import draw_spaces, flatten

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")


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
