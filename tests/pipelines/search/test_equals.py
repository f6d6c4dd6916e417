"""Passages that say the same are one hit of the command and the service; every other text keeps its place."""

import numpy as np
import pytest

from interlingua.pipelines import CrossLingualSearch, Passage
from interlingua.pipelines.search.equals import join_equal, search_joined


@pytest.fixture
def repeated(passages):
    """Each passage of the sun nine times, in a year each, and one whose text is another language's."""
    more = [
        Passage(f"{each.id}-{year}", each.text, each.language, {"year": year})
        for each in passages
        if each.metadata["topic"] == "sun"
        for year in range(2018, 2026)
    ]
    return [*passages, *more, Passage("other", passages[0].text, "zh", {"year": 2018})]


@pytest.mark.parametrize("options", [{}, {"lexical": False, "windows": True}], ids=str)
def test_each_text_comes_once_and_the_order_is_that_of_all_passages(repeated, fake_encoder, options):
    search = CrossLingualSearch.build(repeated, fake_encoder, **options)
    questions = ["sun.en noiseen0.en", "gold.sw"]
    for asked in ({}, {"least": 0.0}, {"languages": ["en"]}, {"where": {"year": [2018, 2019]}}, {"prefer": "own"}):
        whole = search.search(questions, len(repeated), **asked)
        for hits, joined in zip(whole, search_joined(search, questions, 4, **asked), strict=True):
            order = list(dict.fromkeys((hit.text, hit.language) for hit in hits))
            assert [(hit.text, hit.language) for hit in joined] == order[:4]
            firsts = [next(hit for hit in hits if (hit.text, hit.language) == key) for key in order[:4]]
            assert [(hit.id, hit.cosine) for hit in joined] == [(hit.id, hit.cosine) for hit in firsts]
            sure = [[hit.probability or 0.0 for hit in each] for each in (joined, firsts)]
            np.testing.assert_allclose(*sure, rtol=1e-4)
            ids = [id for hit in joined for id in (hit.id, *hit.copies)]
            assert len(set(ids)) == len(ids)
    (hits,) = search_joined(search, questions[:1], 2)
    assert len(hits[0].copies) == 8
    assert "other" not in (hits[0].id, *hits[0].copies)  # it is said to be Chinese


def test_rows_without_a_text_are_not_joined():
    from interlingua.pipelines.search.finding import SearchHit

    hits = [SearchHit(id, "", "en", 1.0, 1.0, {}) for id in "abc"]
    assert join_equal(hits) == hits


def test_the_command_says_how_many_say_the_same(repeated, fake_encoder, tmp_path, cli, monkeypatch):
    monkeypatch.setattr("interlingua.pipelines.stored.load_encoder", lambda *_, **__: fake_encoder)
    search = CrossLingualSearch.build(repeated, fake_encoder, encoder_name="fake")
    search.save(tmp_path / "c")
    asked = ("search", tmp_path / "c", "sun.en noiseen0.en", "-k", "2", "--encoder", "fake")
    first, second = cli(*asked, "--json").result[0]["hits"]
    (joined,) = search_joined(search, ["sun.en noiseen0.en"], 2)
    assert (first["id"], first["copies"]) == (joined[0].id, list(joined[0].copies))
    assert second["id"] == joined[1].id
    (line,) = (each for each in cli(*asked).out.splitlines() if f" {first['id']} " in each)
    assert f"{first['id']} +8 " in line
