"""Many languages around a pivot: scored language by language, and refused where one failed."""

import numpy as np
import pytest
from scipy.stats import ortho_group

from interlingua.align import AlignmentFailedError, Embeddings, SeedDictionary
from interlingua.align.space import SpaceError
from interlingua.align.word import align_many
from interlingua.align.word.evaluation import parallel_accuracy
from interlingua.align.word.methods.multi_step import MultiStep
from interlingua.align.word.methods.procrustes import Procrustes
from interlingua.align.word.pivot import PivotHub, add_language


def same(n):
    return np.stack([np.arange(n), np.arange(n)], axis=1)


def planted(dimensions, n=400, noise=0.05, latent=8):
    """Languages as isometric images of one latent space, with noise; row i means the same in all."""
    rng = np.random.default_rng(0)
    meaning = rng.normal(size=(n, latent))
    return {
        name: (meaning @ ortho_group.rvs(d, random_state=d + k)[:latent] + noise * rng.normal(size=(n, d))).astype(
            np.float32
        )
        for k, (name, d) in enumerate(dimensions.items())
    }


def cosines(space, words, one, other):
    return (space.transform(words[one], one) * space.transform(words[other], other)).sum(axis=1)


def test_languages_that_share_only_the_pivot_meet():
    words = planted({"en": 10, "fr": 10, "ru": 10})
    hub = PivotHub(pivot="en").fit(words, {"fr": same(80), "ru": same(80)})
    for one, other in (("fr", "ru"), ("en", "ru"), ("fr", "en")):
        there, back = parallel_accuracy(
            hub.space_.transform(words[one], one), hub.space_.transform(words[other], other)
        )
        assert min(there, back) > 0.98
    assert hub.agreement_ == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("dimensions", [{"en": 10, "fr": 10, "ru": 8}, {"en": 8, "fr": 12, "ru": 12}])
def test_with_procrustes_each_pair_with_the_pivot_keeps_the_similarities_of_its_own_fit(dimensions):
    words = planted(dimensions)
    space = PivotHub(pivot="en").fit(words, {"fr": same(80), "ru": same(60)}).space_
    for name, n in (("fr", 80), ("ru", 60)):
        smaller, larger = sorted(("en", name), key=lambda each: words[each].shape[1])
        pair = Procrustes().fit(words[smaller], words[larger], same(n), names=(smaller, larger)).space_
        expected = pair.transform(words["en"], "en") @ pair.transform(words[name], name).T
        got = space.transform(words["en"], "en") @ space.transform(words[name], name).T
        np.testing.assert_allclose(got, expected, atol=1e-4)


def test_the_pivot_stays_as_it_came_in():
    words = planted({"en": 8, "fr": 12, "ru": 12})
    space = PivotHub(pivot="en").fit(words, {"fr": same(80), "ru": same(60)}).space_
    np.testing.assert_allclose(space.maps["en"].matrix, np.eye(8, 12), atol=1e-5)


def test_surplus_dimensions_are_turned_by_composed_pairs():
    # the pivot sees 4 of 12 latent dimensions; the others share all
    rng = np.random.default_rng(3)
    meaning = rng.normal(size=(500, 12))
    words = {"en": meaning[:, :4].astype(np.float32)}
    for k, name in enumerate(("fr", "ru")):
        words[name] = (meaning @ ortho_group.rvs(12, random_state=k)).astype(np.float32)
    overlapping = PivotHub(pivot="en").fit(words, {"fr": same(200), "ru": same(200)}).space_
    apart = same(400)[200:]
    disjoint = PivotHub(pivot="en").fit(words, {"fr": same(200), "ru": apart}).space_
    assert cosines(overlapping, words, "fr", "ru").mean() > 0.99
    assert cosines(disjoint, words, "fr", "ru").mean() < 0.8


def test_an_aligner_that_moves_the_pivot_still_gives_one_space():
    words = planted({"en": 10, "fr": 10, "ru": 12}, latent=10)
    hub = PivotHub(pivot="en", aligner=MultiStep(shrinkage=0.01)).fit(words, {"fr": same(150), "ru": same(150)})
    there, back = parallel_accuracy(hub.space_.transform(words["fr"], "fr"), hub.space_.transform(words["ru"], "ru"))
    assert min(there, back) > 0.98
    assert 0.99 < hub.agreement_ <= 1.0
    assert hub.space_.method == "pivot-hub of multi-step"


def test_the_aligner_given_stays_unfitted_and_inputs_stay():
    words = planted({"en": 6, "fr": 6}, latent=6)
    copies = {name: each.copy() for name, each in words.items()}
    aligner = Procrustes()
    PivotHub(pivot="en", aligner=aligner).fit(words, {"fr": same(50)})
    assert not hasattr(aligner, "space_")
    for name, each in words.items():
        np.testing.assert_array_equal(each, copies[name])


@pytest.mark.parametrize(
    ("pivot", "pairs", "said"),
    [
        ("de", {"fr": same(5), "en": same(5)}, "'de' needs vectors"),
        ("en", {}, "dictionaries of none"),
        ("en", {"fr": np.array([[0, 400]])}, "rows 0 to 399"),
    ],
)
def test_what_does_not_hang_together_is_refused(pivot, pairs, said):
    with pytest.raises(ValueError, match=said):
        PivotHub(pivot=pivot).fit(planted({"en": 8, "fr": 8}), pairs)


def test_adding_a_language_leaves_the_others_bit_identical(tmp_path):
    words = planted({"en": 10, "fr": 10, "ru": 9})
    space = PivotHub(pivot="en").fit({name: words[name] for name in ("en", "fr")}, {"fr": same(80)}).space_
    larger = add_language(space, "ru", words["ru"], same(60), reference=("en", words["en"]))
    larger.save(tmp_path / "space")
    loaded = type(space).load(tmp_path / "space")
    for name in ("en", "fr"):
        assert larger.transform(words[name], name).tobytes() == space.transform(words[name], name).tobytes()
        assert loaded.transform(words[name], name).tobytes() == space.transform(words[name], name).tobytes()
    assert space.languages == ("en", "fr")
    assert loaded.provenance["added"] == [{"language": "ru", "references": ["en"], "method": "procrustes", "pairs": 60}]
    there, back = parallel_accuracy(larger.transform(words["ru"], "ru"), larger.transform(words["fr"], "fr"))
    assert min(there, back) > 0.98


def test_adding_with_an_aligner_that_moves_the_reference():
    words = planted({"en": 10, "fr": 10, "ru": 10}, latent=10)
    space = PivotHub(pivot="en").fit({name: words[name] for name in ("en", "fr")}, {"fr": same(150)}).space_
    larger = add_language(
        space, "ru", words["ru"], same(150), reference=("en", words["en"]), aligner=MultiStep(shrinkage=0.01)
    )
    there, back = parallel_accuracy(larger.transform(words["ru"], "ru"), larger.transform(words["fr"], "fr"))
    assert min(there, back) > 0.98


def test_a_second_reference_gives_what_the_first_lacks():
    rng = np.random.default_rng(3)
    meaning = rng.normal(size=(500, 12))
    words = {"en": meaning[:, :4].astype(np.float32)}
    for k, name in enumerate(("fr", "ru")):
        words[name] = (meaning @ ortho_group.rvs(12, random_state=k)).astype(np.float32)
    space = PivotHub(pivot="en").fit({name: words[name] for name in ("en", "fr")}, {"fr": same(200)}).space_
    one = add_language(space, "ru", words["ru"], same(200), reference=("en", words["en"]))
    both = add_language(
        space, "ru", words["ru"], same(200), reference=("en", words["en"]), also=[("fr", words["fr"], same(200))]
    )
    assert cosines(both, words, "fr", "ru").mean() > 0.98
    assert cosines(one, words, "fr", "ru").mean() < 0.8
    # what English does not span stays empty rather than arbitrary
    assert np.linalg.matrix_rank(one.maps["ru"].matrix.astype(np.float64), tol=1e-4) == 4


def test_adding_what_is_there_or_to_what_is_not_is_refused():
    words = planted({"en": 8, "fr": 8})
    space = PivotHub(pivot="en").fit(words, {"fr": same(50)}).space_
    with pytest.raises(SpaceError, match="'fr' is empty or in it"):
        add_language(space, "fr", words["fr"], same(5), reference=("en", words["en"]))
    with pytest.raises(SpaceError, match="no language 'de'"):
        add_language(space, "ru", words["fr"], same(5), reference=("de", words["en"]))


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
