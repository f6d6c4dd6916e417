import hashlib
import json

import numpy as np
import pytest

from interlingua.align.arrays import to_numpy
from interlingua.align.space import PRESETS, HiddenLayer, Normalization, SharedSpace, SpaceError, SpaceMap


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
    old = json.dumps({"format_version": 3})[1:-1].replace('"', '\\"').encode()
    newer = old.replace(b"3", b"9")
    assert content.count(old) == 1
    with pytest.raises(SpaceError, match="format version 9, but this release reads up to version 3"):
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


def a_map(seed=0, d=5, h=7, d_out=4):
    rng = np.random.default_rng(seed)

    def draw(*shape):
        return rng.normal(size=shape).astype(np.float32)

    normalization = Normalization.fit(draw(30, d), "unit-centre")
    return SpaceMap(normalization, draw(d, d_out), HiddenLayer(draw(d, h), draw(h), draw(h, d_out)))


def test_a_hidden_layer_adds_what_the_formula_says():
    each, x = a_map(), np.random.default_rng(1).normal(size=(6, 5)).astype(np.float32)
    z = each.normalization.transform(x).astype(np.float64)
    layer = each.hidden
    expected = z @ each.matrix + np.maximum(z @ layer.inner + layer.bias, 0) @ layer.outer
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.abs(each.transform(x) - expected).max() < 1e-6


def test_a_hidden_layer_needs_no_matrix():
    first = a_map(d_out=5)
    alone = SpaceMap(first.normalization, None, first.hidden)
    same = SpaceMap(first.normalization, np.eye(5, dtype=np.float32), first.hidden)
    x = np.random.default_rng(1).normal(size=(6, 5)).astype(np.float32)
    assert np.array_equal(alone.transform(x), same.transform(x))


def test_a_hidden_layer_works_on_torch_arrays():
    torch = pytest.importorskip("torch")
    each, x = a_map(), np.random.default_rng(1).normal(size=(6, 5)).astype(np.float32)
    mapped = each.transform(torch.from_numpy(x))
    assert isinstance(mapped, torch.Tensor)
    assert np.abs(mapped.numpy() - each.transform(x)).max() < 1e-6


def test_a_space_with_a_hidden_layer_survives_its_file(tmp_path):
    space = SharedSpace({"a": a_map(), "b": SpaceMap(a_map().normalization, a_map().matrix)}, method="mlp")
    space.save(tmp_path / "s")
    again = SharedSpace.load(tmp_path / "s")
    x = np.random.default_rng(1).normal(size=(6, 5)).astype(np.float32)
    assert np.array_equal(again.transform(x, "a"), space.transform(x, "a"))
    assert again.maps["b"].hidden is None
    assert again.fingerprint == space.fingerprint


@pytest.mark.parametrize("maps", [{"a": a_map()}, {"a": SpaceMap(a_map().normalization, a_map().matrix)}])
def test_an_altered_language_is_refused_and_the_fingerprint_is_that_of_earlier_files(maps):
    space = SharedSpace({"fr": maps["a"]}, method="mlp", encoder="e5")
    for old, new in ((rb"\"fr\"", rb"\"de\""), (rb"\"e5\"", rb"\"e6\""), (b"mlp", b"mlq")):
        assert old in space.to_bytes()
        with pytest.raises(SpaceError, match="its header is not the one that was saved"):
            SharedSpace.from_bytes(space.to_bytes().replace(old, new))
    earlier = space._content(1 if maps["a"].hidden is None else 2)
    assert SharedSpace.from_bytes(earlier).fingerprint == hashlib.sha256(earlier).hexdigest() == space.fingerprint


@pytest.mark.parametrize("part", ["inner", "bias", "outer"])
def test_a_hidden_layer_whose_parts_do_not_fit_is_refused(part):
    layer = a_map().hidden
    parts = {name: getattr(layer, name) for name in ("inner", "bias", "outer")}
    parts[part] = parts[part][:-1] if part != "inner" else parts[part][:, :-1]
    with pytest.raises(ValueError, match="a hidden layer of h units needs"):
        HiddenLayer(**parts)


def test_a_hidden_layer_that_ends_elsewhere_than_the_matrix_is_refused():
    with pytest.raises(ValueError, match="from dimension 5 to 3, as the matrix does, but leads from 5 to 4"):
        SpaceMap(a_map().normalization, a_map(d_out=3).matrix, a_map().hidden)


def test_a_hidden_layer_with_nan_is_refused():
    layer = a_map().hidden
    with pytest.raises(ValueError, match="must be finite"):
        HiddenLayer(layer.inner, np.full_like(layer.bias, np.nan), layer.outer)


def test_a_file_that_lacks_a_part_of_the_layer_is_refused():
    content = SharedSpace({"a": a_map()}, method="mlp").to_bytes()
    with pytest.raises(SpaceError, match="damaged"):
        SharedSpace.from_bytes(content.replace(b'"0.bias"', b'"0.bios"'))


def vectors(n=200, d=6, seed=0):
    return (np.random.default_rng(seed).normal(size=(n, d)) * 3 + 1).astype(np.float32)


def by_hand(x, steps, means):
    """The definition, in float64 with plain loops over the steps."""
    x, means = x.astype(np.float64), list(means)
    for step in steps:
        x = x / np.linalg.norm(x, axis=1, keepdims=True) if step == "unit" else x - means.pop(0)
    return x


@pytest.mark.parametrize("name", PRESETS)
def test_new_rows_get_the_learned_treatment(name, to_namespace):
    seen, new = vectors(), vectors(n=7, seed=1)
    normalization = Normalization.fit(to_namespace(seen), name)
    got = to_numpy(normalization.transform(to_namespace(new)))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, by_hand(new, PRESETS[name], normalization.means), atol=2e-6)


def test_means_are_those_of_the_rows_at_their_step():
    x = vectors()
    normalization = Normalization.fit(x, "unit-centre-unit")
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    np.testing.assert_allclose(normalization.means[0], unit.mean(axis=0), atol=1e-6)


def test_iterative_reaches_unit_length_and_zero_mean_at_once():
    x = Normalization.fit(vectors(), "iterative").transform(vectors())
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, atol=1e-5)
    assert np.abs(x.mean(axis=0)).max() < 1e-3
    once = Normalization.fit(vectors(), "unit-centre-unit").transform(vectors())
    assert np.abs(x.mean(axis=0)).max() < 0.1 * np.abs(once.mean(axis=0)).max()


def test_means_of_more_rows_than_a_block_do_not_drift():
    # float32 sums lose the small numbers between large ones of opposite sign
    x = np.tile(np.array([[1e4, -1e4], [0.001, 0.002], [-1e4, 1e4], [0.001, 0.002]], np.float32), (20_000, 1))
    x[65_536:] *= 3
    means = Normalization.fit(x, "centre").means[0]
    np.testing.assert_allclose(means, x.astype(np.float64).mean(axis=0), rtol=1e-6)
    assert abs(x.mean(axis=0) - means).max() > 1e-4 * means.max()


def test_inputs_are_not_modified():
    x = vectors()
    before = x.copy()
    Normalization.fit(x, "iterative").transform(x)
    assert np.array_equal(x, before)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: Normalization.fit(vectors(), "whiten"),
            "unknown normalisation 'whiten'; choose one of none",
        ),
        (lambda: Normalization.fit(vectors(), ("unit", "scale")), "not 'scale'"),
        (lambda: Normalization.fit(np.empty((0, 3)), "centre"), "at least one vector"),
        (
            lambda: Normalization.fit(vectors()).transform(vectors(d=5)),
            "dimension 6, but the vectors have dimension 5",
        ),
        (lambda: Normalization(("centre",), np.zeros((2, 3), np.float32)), "need 1 means"),
    ],
)
def test_misuse_is_named(call, said):
    with pytest.raises(ValueError, match=said):
        call()


@pytest.mark.parametrize("name", ["centre", "unit-centre-unit", "iterative"])
def test_zero_rows_are_part_of_no_mean_and_stay_zero(name, to_namespace):
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    gaps = np.insert(x, [0, 5, 20], 0.0, axis=0)
    learned = Normalization.fit(to_namespace(gaps), name)
    np.testing.assert_array_equal(learned.means, Normalization.fit(to_namespace(x), name).means)
    moved = to_numpy(learned.transform(to_namespace(gaps)))
    assert not moved[[0, 6, 22]].any()
    np.testing.assert_array_equal(np.delete(moved, [0, 6, 22], axis=0), to_numpy(learned.transform(to_namespace(x))))


def test_a_hidden_layer_leaves_zero_rows_zero():
    hidden = HiddenLayer(np.ones((2, 3), np.float32), np.ones(3, np.float32), np.ones((3, 2), np.float32))
    mapped = SpaceMap(Normalization.fit(np.eye(2), "unit"), None, hidden).transform(np.array([[0.0, 0.0], [1.0, 0.0]]))
    assert mapped[0].tolist() == [0.0, 0.0]
    assert mapped[1].any()
