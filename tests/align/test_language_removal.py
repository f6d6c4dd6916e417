import numpy as np
import pytest

from interlingua.align.language_removal import Centring, nearest_language
from interlingua.align.shared_space import SpaceError
from interlingua.align.word.procrustes import Procrustes


def bilingual(n=200, d=16, offset=4.0, seed=0):
    """The same meanings in two languages, each pushed along a direction of its own."""
    rng = np.random.default_rng(seed)
    meaning = rng.normal(size=(n, d))
    push = offset * rng.normal(size=(2, d)) / np.sqrt(d)
    noise = 0.7 * rng.normal(size=(2, n, d))
    return {name: (meaning + push[i] + noise[i]).astype(np.float32) for i, name in enumerate(("fin", "eng"))}


def test_each_language_is_mapped_by_its_own_mean():
    x = bilingual()
    space = Centring().fit(x).space_
    for name, rows in x.items():
        unit = rows.astype(np.float64) / np.linalg.norm(rows, axis=1, keepdims=True)
        expected = unit - unit.mean(axis=0)
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        np.testing.assert_allclose(space.transform(rows, name), expected, atol=1e-5)


def test_centring_raises_retrieval_where_languages_are_offset():
    # the pool holds both languages, so that a language's own neighbours stand in the way
    x = bilingual()
    space = Centring().fit(x).space_

    def accuracy(fin, eng):
        pool = np.concatenate([fin, eng])
        scores = fin @ pool.T
        np.fill_diagonal(scores[:, : len(fin)], -np.inf)
        return (scores.argmax(axis=1) == np.arange(len(fin)) + len(fin)).mean()

    raw = {name: rows / np.linalg.norm(rows, axis=1, keepdims=True) for name, rows in x.items()}
    before = accuracy(raw["fin"], raw["eng"])
    after = accuracy(space.transform(x["fin"], "fin"), space.transform(x["eng"], "eng"))
    assert after > before + 0.1


def test_the_language_is_told_from_the_nearest_mean():
    x = bilingual()
    space = Centring().fit({name: rows[:100] for name, rows in x.items()}).space_
    guesses = nearest_language(space, x["fin"][100:]) + nearest_language(space, x["eng"][100:])
    right = np.mean([guess == name for guess, name in zip(guesses, ["fin"] * 100 + ["eng"] * 100, strict=True)])
    assert right > 0.95


def test_a_space_without_means_cannot_tell_languages():
    x = bilingual()
    rows = np.stack([np.arange(20)] * 2, axis=1)
    space = Procrustes(normalize="unit").fit(x["fin"], x["eng"], rows).space_
    with pytest.raises(SpaceError, match="name the language"):
        nearest_language(space, x["fin"])


@pytest.mark.parametrize(
    ("vectors", "said"),
    [
        ({}, "at least one language"),
        ({"a": np.ones((1, 3))}, "mean of 'a' needs at least 2 vectors, but there are 1"),
        ({"a": np.ones((3, 3)), "b": np.ones((3, 4))}, "one dimension, but have"),
    ],
)
def test_misuse_is_named(vectors, said):
    with pytest.raises(ValueError, match=said):
        Centring().fit(vectors)


def test_the_space_remembers_its_encoder():
    space = Centring().fit(bilingual(), encoder="e5").space_
    with pytest.raises(SpaceError, match="learned on vectors of 'e5'"):
        space.check_encoder("labse")


def test_the_space_knows_the_hash_of_its_data():
    x = bilingual()
    first, again = (Centring().fit(x).space_.provenance["data_sha256"] for _ in range(2))
    changed = Centring().fit({**x, "fin": x["fin"] + 1}).space_.provenance["data_sha256"]
    assert first == again != changed
