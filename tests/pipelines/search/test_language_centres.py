import numpy as np
import pytest

from interlingua.align import SpaceError
from interlingua.pipelines.encoders.base import UnknownTextError
from interlingua.pipelines.search.languages import (
    centre_languages,
    check_languages,
    everyday_questions,
    map_by_language,
    remove_languages,
    shift_to_questions,
)


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(30, 6)) + 2
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32), ["fi"] * 12 + ["sw"] * 11 + ["ja"] * 7


def test_each_language_with_ten_passages_is_centred_by_its_own_mean(rows):
    raw, languages = rows
    space = centre_languages(raw, languages, "an encoder")
    assert space.languages == ("fi", "sw", "und")
    assert space.encoder == "an encoder"
    means = {name: each.normalization.means[0] for name, each in space.maps.items()}
    np.testing.assert_allclose(means["fi"], raw[:12].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(means["sw"], raw[12:23].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(means["und"], (raw[:12].mean(axis=0) + raw[12:23].mean(axis=0)) / 2, atol=1e-6)


def test_where_no_language_has_ten_all_share_one_mean(rows):
    raw, _ = rows
    space = centre_languages(raw[:12], ["fi"] * 6 + ["sw"] * 6, "")
    assert space.languages == ("und",)
    np.testing.assert_allclose(space.maps["und"].normalization.means[0], raw[:12].mean(axis=0), atol=1e-6)


def test_passages_of_no_language_have_no_mean_of_their_own(rows):
    raw, _ = rows
    assert centre_languages(raw, ["fi"] * 12 + ["und"] * 18, "").languages == ("fi", "und")


def test_fewer_than_ten_passages_have_no_centre(rows):
    assert centre_languages(rows[0][:9], ["fi"] * 9, "") is None


def test_questions_are_centred_nearer_to_questions_about_anything(rows, fake_encoder):
    raw = fake_encoder.encode([f"w{number}.{code}" for code in ("fi", "sw") for number in range(12)], role="passage")
    space = centre_languages(raw, ["fi"] * 12 + ["sw"] * 12, fake_encoder.identity)
    shifted = shift_to_questions(space, fake_encoder)
    fi, sw = raw[:12].mean(axis=0), raw[12:].mean(axis=0)
    everyday = fake_encoder.encode(everyday_questions(), role="query").mean(axis=0)
    for name, own in (("fi", fi), ("sw", sw), ("und", (fi + sw) / 2)):
        expected = own + 0.4 * (everyday - (fi + sw) / 2)
        np.testing.assert_allclose(shifted.maps[name].normalization.means[0], expected, atol=1e-6)
    assert shifted.encoder == fake_encoder.identity


def test_an_encoder_that_knows_no_english_moves_nothing_and_other_errors_pass(rows):
    class Encoder:
        def __init__(self, error):
            self.error = error

        def encode(self, texts, *, role):
            raise self.error

    space = centre_languages(*rows, "")
    assert shift_to_questions(space, Encoder(UnknownTextError(0, "holds no known word"))) is space
    with pytest.raises(ValueError, match="out of order"):
        shift_to_questions(space, Encoder(ValueError("out of order")))


def test_rows_are_mapped_by_their_language_or_by_und(rows):
    raw, languages = rows
    space = centre_languages(raw, languages, "")
    mapped = map_by_language(space, raw, ["fi", "ja", "sw"] * 10)
    for row, name in ((0, "fi"), (1, "und"), (2, "sw"), (28, "und")):
        np.testing.assert_allclose(mapped[row], space.transform(raw[row : row + 1], name)[0], atol=1e-6)
    assert map_by_language(None, raw, languages) is raw
    assert map_by_language(space, raw[:0], []).shape == (0, 6)


def test_languages_are_checked_only_where_there_is_no_und(rows):
    raw, languages = rows
    space = centre_languages(raw, languages, "")
    check_languages(space, ["xx"])
    own = type(space)({"fi": space.maps["fi"]}, "centring")
    check_languages(own, ["fi"])
    with pytest.raises(SpaceError, match="texts are in 'sw', 'ja', but the space has only: fi; name the languages"):
        check_languages(own, ["sw", "fi", "ja", "sw"])


def test_there_are_forty_different_everyday_questions():
    assert len(set(everyday_questions())) == 40
    assert all(question.endswith("?") for question in everyday_questions())


def test_the_matrix_behind_a_mean_stays_when_questions_move(fake_encoder):
    raw = fake_encoder.encode([f"w{number}.{code}" for code in ("fi", "sw") for number in range(12)], role="passage")
    languages = ["fi"] * 12 + ["sw"] * 12
    everyday = fake_encoder.encode(everyday_questions(), role="query").mean(axis=0)
    for method in ("mean-covariance", "lsar"):
        space = remove_languages(raw, languages, "", method)
        shifted = shift_to_questions(space, fake_encoder)
        centres = {name: each.normalization.means[0] for name, each in space.maps.items()}
        middle = np.mean(list(centres.values()), axis=0)
        for name, each in space.maps.items():
            np.testing.assert_array_equal(shifted.maps[name].matrix, each.matrix)
            moved = shifted.maps[name].normalization.means[0]
            np.testing.assert_allclose(moved, centres[name] + 0.4 * (everyday - middle), atol=1e-6)
    assert shifted.method == "lsar of questions"


def test_maps_without_a_mean_are_not_moved(fake_encoder):
    raw = fake_encoder.encode([f"w{number}.{code}" for code in ("fi", "sw") for number in range(12)], role="passage")
    space = remove_languages(raw, ["fi"] * 12 + ["sw"] * 12, "", "lir")
    shifted = shift_to_questions(space, fake_encoder)
    assert shifted.maps["fi"] is space.maps["fi"]
    assert shifted.maps["und"] is not space.maps["und"]
