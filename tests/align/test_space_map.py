import numpy as np
import pytest

from interlingua.align import Normalization, SharedSpace, SpaceError
from interlingua.align.space import HiddenLayer, SpaceMap


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


def test_only_a_space_with_a_hidden_layer_asks_for_the_newer_format():
    plain = SharedSpace({"b": SpaceMap(a_map().normalization, a_map().matrix)}, method="linear").to_bytes()
    layered = SharedSpace({"a": a_map()}, method="mlp").to_bytes()
    assert b'format_version\\": 1' in plain
    assert b'format_version\\": 2' in layered


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
