"""Searches that change while they are asked: stores, readers, and answers that are of one state."""

import threading

import numpy as np
import pytest

from interlingua.index import CollectionStore, LockedError
from interlingua.pipelines import CrossLingualSearch, Passage
from interlingua.pipelines.search import judged as judging
from interlingua.pipelines.search.live import SearchReader, SearchStore


@pytest.fixture(params=["flat", "ivf-flat"])
def folder(request, passages, fake_encoder, tmp_path):
    CrossLingualSearch.build(passages, fake_encoder, kind=request.param).save(tmp_path / "words")
    return tmp_path / "words"


def hits_of(search, text):
    return [(each.id, round(each.score, 5)) for each in search.search([text], 3)[0]]


def test_what_a_store_acknowledges_is_what_a_search_of_the_folder_finds(folder, fake_encoder):
    reader = SearchReader(folder, fake_encoder)
    with SearchStore(folder, fake_encoder) as store:
        store.upsert([Passage("new", "comet.en tail.en", "en"), Passage("en-sun", "sun.en again.en", "en")])
        store.remove(["sw-moon"])
        for question in ("comet.en", "sun.sw", "moon.sw"):
            expected = hits_of(store.search, question)
            assert hits_of(CrossLingualSearch.load(folder, fake_encoder), question) == expected
            assert hits_of(reader.current(), question) == expected
        with pytest.raises(LockedError):
            CollectionStore(folder)
    CollectionStore(folder).close()


def test_a_reader_looks_no_oftener_than_it_may_and_follows_a_save(folder, fake_encoder):
    reader = SearchReader(folder, fake_encoder, patience=1e9)
    search = CrossLingualSearch.load(folder, fake_encoder)
    search.upsert([Passage("new", "comet.en", "en")])
    search.save(folder)
    assert len(reader.current()) == 45
    assert len(reader.current(fresh=True)) == 46
    assert hits_of(reader.current(), "comet.en") == hits_of(search, "comet.en")


def test_no_passage_goes_between_finding_and_judging(passages, fake_encoder, monkeypatch):
    search = CrossLingualSearch.build(passages, fake_encoder)
    real, threads = judging.judge, []

    def judge(*given, **named):
        threads.append(threading.Thread(target=search.remove, args=([given[3][0].id],)))
        threads[-1].start()
        threads[-1].join(0.05)
        assert threads[-1].is_alive()  # it waits
        return real(*given, **named)

    monkeypatch.setattr(judging, "judge", judge)
    (hits,) = search.search(["sun.en"], 2, least=0.0)
    threads[-1].join()
    monkeypatch.setattr(judging, "judge", judge)
    (found,) = judging.search_judged(search, search.relevance, ["sun.en"], 2)
    threads[-1].join()
    assert np.isfinite([each.probability for each in hits]).all()
    assert len(found.hits) == 44  # whatever k: what a probability is does not depend on how many are wanted
    assert len(search) == 43
