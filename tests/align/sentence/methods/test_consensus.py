import numpy as np
import pytest

from interlingua.align.arrays import unit_rows
from interlingua.align.language import Centring
from interlingua.align.sentence import Consensus, ParallelVectors, translation_quality


def planted(seed=0, n=600, d=16, noise=0.6):
    """Sentences whose languages are shifted, and disagree in the last half of the directions."""
    rng = np.random.default_rng(seed)
    meaning, scale = rng.normal(size=(n, d)), np.r_[np.full(d // 2, 0.1), np.full(d - d // 2, 1.5)]
    return {
        name: (meaning + noise * scale * rng.normal(size=(n, d)) + 2 * rng.normal(size=d)).astype(np.float32)
        for name in ("eng", "fin", "swh")
    }


def halves(data, n=300):
    return {k: v[:n] for k, v in data.items()}, {k: v[n:] for k, v in data.items()}


def test_without_steps_it_is_centring():
    data = planted()
    x = data["fin"]
    plain = Consensus(turn="none", shrinkage=None).fit(data).space_
    assert np.abs(plain.transform(x, "fin") - Centring().fit(data).space_.transform(x, "fin")).max() < 1e-6


def test_a_planted_rotation_is_recovered_up_to_a_common_one():
    rng = np.random.default_rng(0)
    x = unit_rows(rng.normal(size=(400, 8)).astype(np.float32))
    q = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    if np.linalg.det(q) < 0:
        q[:, 0] *= -1
    maps = Consensus(turn="rotation", penalty=0, shrinkage=None).fit({"a": x, "b": x @ q}).space_.maps
    # x A = (x Q) B for all x, so A = Q B
    assert np.abs(maps["a"].matrix - q @ maps["b"].matrix).max() < 0.02
    assert np.allclose(maps["a"].matrix @ maps["a"].matrix.T, np.eye(8), atol=1e-5)


def test_the_ridge_equals_its_normal_equations():
    data = {name: rows for name, rows in planted(d=6).items() if name != "swh"}
    space = Consensus(turn="ridge", penalty=0.5, shrinkage=None).fit(data).space_
    z = {n: space.maps[n].normalization.transform(x).astype(np.float64) for n, x in data.items()}
    target = (z["eng"] + z["fin"]) / 2
    target *= np.mean([np.linalg.norm(v, axis=1).mean() for v in z.values()]) / np.linalg.norm(target, axis=1).mean()
    gram = z["fin"].T @ z["fin"]
    r = 0.5 * np.trace(gram) / 6
    expected = np.linalg.inv(gram + r * np.eye(6)) @ (z["fin"].T @ target + r * np.eye(6))
    assert np.abs(space.maps["fin"].matrix - expected).max() < 1e-5


def test_a_large_penalty_leaves_the_identity():
    for turn in ("rotation", "ridge"):
        matrix = Consensus(turn=turn, penalty=1e6, shrinkage=None).fit(planted()).space_.maps["fin"].matrix
        assert np.abs(matrix - np.eye(16)).max() < 1e-4


def test_whitening_makes_disagreement_equal_in_all_directions():
    data = planted(n=3000)
    space = Consensus(turn="none", shrinkage=1e-6).fit(data).space_
    mapped = np.stack([space.maps[n].normalization.transform(x) @ space.maps[n].matrix for n, x in data.items()])
    rest = (mapped - mapped.mean(axis=0)).reshape(-1, 16).astype(np.float64)
    covariance = rest.T @ rest
    assert np.abs(covariance / (np.trace(covariance) / 16) - np.eye(16)).max() < 1e-3


def test_whitening_finds_more_held_out_translations_than_centring():
    train, held = halves(planted())
    held = ParallelVectors.of(held)
    plain, white = (
        translation_quality(Consensus(turn="none", shrinkage=s).fit(train).space_.transform, held) for s in (None, 0.1)
    )
    assert white.accuracy > plain.accuracy + 0.1
    assert white.surprisal < plain.surprisal


def test_translations_that_agree_in_everything_need_no_whitening():
    x = planted()["eng"]
    maps = Consensus(turn="none").fit({"a": x, "b": x}).space_.maps
    assert np.array_equal(maps["a"].matrix, np.eye(16, dtype=np.float32))


def test_every_language_of_every_domain_gets_a_map():
    data = planted()
    domains = {"news": data, "bible": {"eng": data["eng"][:50], "yor": data["swh"][:50]}}
    space = Consensus().fit(domains, encoder="e5").space_
    assert space.languages == ("eng", "fin", "swh", "yor")
    assert space.encoder == "e5"
    assert space.provenance["pairs"] == 2 * 600 + 50


@pytest.mark.parametrize(
    "parameters", [{"turn": "twist"}, {"penalty": -1}, {"shrinkage": 0}, {"shrinkage": 1.5}, {"penalty": float("nan")}]
)
def test_a_parameter_out_of_range_is_refused(parameters):
    with pytest.raises(ValueError, match=next(iter(parameters))):
        Consensus(**parameters).fit(planted())
