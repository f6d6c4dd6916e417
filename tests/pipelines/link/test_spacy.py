"""The component of spaCy, where spaCy is installed."""

import pytest

spacy = pytest.importorskip("spacy")

from interlingua.pipelines.link import EntityIndex  # noqa: E402
from interlingua.pipelines.link.spacy import EntityLinker  # noqa: E402

from .test_entities import Meaning, entities, index  # noqa: E402, F401 # fixtures


@pytest.fixture
def folder(index, tmp_path, monkeypatch):  # noqa: F811
    index.save(tmp_path / "countries")
    load = EntityIndex.load
    monkeypatch.setattr(EntityIndex, "load", lambda path: load(path, Meaning()))
    return str(tmp_path / "countries")


def pipeline(**config):
    nlp = spacy.blank("en")
    names = nlp.add_pipe("entity_ruler")
    names.add_patterns([{"label": "GPE", "pattern": each} for each in ("Germany", "Zanzibar", "Georgia")])
    nlp.add_pipe("interlingua_entity_linker", config=config)
    return nlp


def test_entities_of_a_document_have_ids(folder):
    doc = pipeline(index=folder, context=False)("Germany and Zanzibar")
    assert [(span.text, span.kb_id_) for span in doc.ents] == [("Germany", "germany"), ("Zanzibar", "")]


def test_documents_are_linked_together_with_their_contexts(folder):
    texts = ["Georgia florida america atlanta", "nothing here", "Georgia armenia caucasus tbilisi"]
    found = list(pipeline(index=folder, threshold=0.0).pipe(texts, batch_size=2))
    assert [doc.text for doc in found] == texts
    assert [[span.kb_id_ for span in doc.ents] for doc in found] == [["us-ga"], [], ["ge"]]


def test_only_wanted_labels_are_linked(folder, index):  # noqa: F811
    doc = pipeline(index=folder, labels=["PERSON"])("Germany")
    assert [span.kb_id_ for span in doc.ents] == [""]
    assert EntityLinker(index).threshold == index.threshold


def test_an_index_must_be_named():
    with pytest.raises(ValueError, match="needs an index of entities"):
        pipeline()
