import json

import numpy as np
import pytest

from interlingua.align.space import Normalization, SharedSpace, SpaceError, SpaceMap


def random_rows(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def a_space(**changes):
    maps = {
        "fi": SpaceMap(Normalization.fit(random_rows(20, 4)), random_rows(4, 3, seed=1)),
        "日本": SpaceMap(Normalization.fit(random_rows(20, 3, seed=2), "iterative")),
    }
    arguments = {"method": "test", "encoder": "e5@abc", "scores": {"csls": 0.5}, "provenance": {"pairs": 7}}
    return SharedSpace(maps, **(arguments | changes))


def test_a_map_normalises_multiplies_and_normalises():
    space, x = a_space(), random_rows(5, 4, seed=3)
    normalization, matrix = space.maps["fi"].normalization, space.maps["fi"].matrix
    expected = normalization.transform(x).astype(np.float64) @ matrix
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(space.transform(x, "fi"), expected, atol=1e-6)


def test_what_is_loaded_is_what_was_saved(tmp_path):
    space = a_space()
    space.save(tmp_path / "a.space")
    loaded = SharedSpace.load(tmp_path / "a.space", encoder="e5@abc")
    assert loaded.languages == ("fi", "日本")
    assert (loaded.method, dict(loaded.scores), dict(loaded.provenance)) == (
        "test",
        {"csls": 0.5},
        {"pairs": 7},
    )
    for name, d in (("fi", 4), ("日本", 3)):
        x = random_rows(6, d, seed=5)
        assert np.array_equal(loaded.transform(x, name), space.transform(x, name))


def test_another_encoder_is_refused(tmp_path):
    a_space().save(tmp_path / "a.space")
    with pytest.raises(SpaceError, match="learned on vectors of 'e5@abc', but is given vectors of 'labse'"):
        SharedSpace.load(tmp_path / "a.space", encoder="labse")


def test_another_format_version_is_refused():
    content = a_space().to_bytes()
    old = json.dumps({"format_version": 1})[1:-1].replace('"', '\\"').encode()
    newer = old.replace(b"1", b"9")
    assert content.count(old) == 1
    with pytest.raises(SpaceError, match="format version 9, but this release reads up to version 2"):
        SharedSpace.from_bytes(content.replace(old, newer))


@pytest.mark.parametrize("kept", [0, 4, 100, 0.5, 0.99])
def test_a_truncated_file_is_refused_by_name(tmp_path, kept):
    content = a_space().to_bytes()
    cut = content[: int(kept * len(content)) if isinstance(kept, float) else kept]
    (tmp_path / "cut.space").write_bytes(cut)
    with pytest.raises(SpaceError, match=r"cut\.space"):
        SharedSpace.load(tmp_path / "cut.space")


def test_another_safetensors_file_is_refused():
    from safetensors.numpy import save

    with pytest.raises(SpaceError, match="no shared space; write one with"):
        SharedSpace.from_bytes(save({"x": np.zeros(2, np.float32)}))


def test_a_wrong_dimension_and_an_unknown_language_are_refused():
    with pytest.raises(SpaceError, match="dimension 4, but these have 9"):
        a_space().transform(random_rows(2, 9), "fi")
    with pytest.raises(SpaceError, match="no language 'sv'; it has: fi, 日本"):
        a_space().transform(random_rows(2, 4), "sv")


def test_maps_must_end_in_one_dimension():
    normalization = Normalization.fit(random_rows(5, 4))
    with pytest.raises(SpaceError, match="one dimension"):
        SharedSpace({"a": SpaceMap(normalization), "b": SpaceMap(normalization, random_rows(4, 2))}, method="x")


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.space"
    a_space().save(path)
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        a_space(method="other").save(path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["a.space"]


def test_an_altered_number_is_refused():
    content = bytearray(a_space().to_bytes())
    content[-2] ^= 1  # in the last tensor, which stays finite
    with pytest.raises(SpaceError, match="its numbers are not those that were saved"):
        SharedSpace.from_bytes(bytes(content))


def test_a_deeply_nested_header_is_refused():
    header = b"[" * 200_000
    with pytest.raises(SpaceError, match="no shared space or is damaged"):
        SharedSpace.from_bytes(len(header).to_bytes(8, "little") + header)


def test_equal_spaces_are_equal_bytes():
    assert a_space().to_bytes() == a_space().to_bytes()
    assert a_space().fingerprint != a_space(method="other").fingerprint
