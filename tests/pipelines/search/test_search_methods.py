"""A search with each way to remove language, and folders of versions that knew one only."""

import pytest

from interlingua.align import SharedSpace, SpaceError
from interlingua.index import Collection
from interlingua.pipelines import CrossLingualSearch

QUESTIONS = ["fish.zh", "king.en bread.en", "snow.sw"]


@pytest.mark.parametrize("method", ["centring", "mean-variance", "mean-covariance", "lir", "lsar", "leace"])
def test_every_method_of_removal_finds_the_topic_in_every_language(passages, fake_encoder, method):
    search = CrossLingualSearch.build(passages, fake_encoder, space=method)
    assert search.space.method == method
    hits = search.search(["fish.zh"], 3, language="zh")[0]
    assert {hit.id for hit in hits} == {"en-fish", "sw-fish", "zh-fish"}
    if method in ("lsar", "leace"):
        assert search.search(["fish.zh"], 3) == [hits]  # no question needs a language
    elif method == "lir":
        with pytest.raises(SpaceError, match="name the language"):
            search.search(["fish.zh"])


def test_a_search_saved_with_the_old_names_is_read(passages, fake_encoder, tmp_path):
    """A folder of a version that knew centring only, part by part as that version wrote it."""
    search = CrossLingualSearch.build(passages, fake_encoder, space="centring", lexical=False)
    search.save(tmp_path / "c")
    old = Collection.load(tmp_path / "c")
    assert set(old.attributes) - {"encoder_probes"} == {
        "pipeline", "encoder", "encoder_name", "neighborhood", "background"
    }  # fmt: skip
    assert set(old.attachments) == {"passages.space", "questions.space", *(f"background-{i}.npy" for i in range(3))}
    assert SharedSpace.from_bytes(old.attachments["questions.space"]).method == "centring of questions"
    assert CrossLingualSearch.load(tmp_path / "c", fake_encoder).search(QUESTIONS, 9) == search.search(QUESTIONS, 9)
