"""Many languages around a pivot: scored language by language, and refused where one failed."""

import numpy as np
import pytest

from interlingua.align import AlignmentFailedError, Embeddings, SeedDictionary
from interlingua.align.word import align_many


@pytest.fixture(scope="module")
def three():
    """English, French and Russian as rotations of one another with a little noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 10)) * np.linspace(2, 0.3, 10) + np.linspace(0.5, 0, 400)[:, None]
    made = {}
    for name in ("en", "fr", "ru"):
        turned = x @ np.linalg.qr(rng.normal(size=(10, 10)))[0] + 0.05 * rng.normal(size=x.shape)
        made[name] = Embeddings(tuple(f"{name}{i}" for i in range(400)), turned.astype(np.float32), name)
    return made


def dictionary(one, two, count=320, step=1):
    return SeedDictionary(tuple((f"{one}{i}", f"{two}{(i * step) % 400}") for i in range(count)))


def test_languages_that_share_no_dictionary_meet_through_the_pivot(three):
    pairs = {"fr": dictionary("en", "fr"), "ru": dictionary("en", "ru")}
    space = align_many(list(three.values()), pairs, pivot="en", held_out=0.1)
    assert space.languages == ("en", "fr", "ru")
    assert "multi-step" in space.method
    russian, french = (space.transform(three[name].vectors, name) for name in ("ru", "fr"))
    assert ((russian @ french.T).argmax(axis=1) == np.arange(400)).mean() > 0.9
    for name in ("fr", "ru"):
        assert space.scores[f"en-{name} precision_at_1"] > 0.9
        assert space.scores[f"en-{name} held_out_words"] == 32
    assert space.provenance["dictionary_pairs"] == {"fr": 320, "ru": 320}


def test_a_language_with_a_wrong_dictionary_is_refused(three):
    pairs = {"fr": dictionary("en", "fr"), "ru": dictionary("en", "ru", step=7)}
    with pytest.raises(AlignmentFailedError):
        align_many(list(three.values()), pairs, pivot="en", method="procrustes")
    space = align_many(list(three.values()), pairs, pivot="en", method="procrustes", on_failure="ignore")
    assert space.scores["en-ru confidence"] < 0.5
    assert "en-fr confidence" not in space.scores
    assert space.scores["en-fr precision_at_1"] > 0.9


def test_names_and_dictionaries_must_fit_together(three):
    with pytest.raises(ValueError, match="every other language a dictionary"):
        align_many(list(three.values()), {"fr": dictionary("en", "fr")}, pivot="en")
    both = {"fr": dictionary("en", "fr"), "ru": dictionary("en", "ru")}
    with pytest.raises(ValueError, match="unknown method 'magic'; choose one of:"):
        align_many(list(three.values()), both, pivot="en", method="magic")
    with pytest.raises(ValueError, match="each language needs its own name"):
        align_many([three["en"], three["en"]], {}, pivot="en")
