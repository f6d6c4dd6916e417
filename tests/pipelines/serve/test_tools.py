"""The tools for language models, asked by a client of the official package in this process."""

import json

import anyio
import pytest

pytest.importorskip("mcp")

import mcp

from interlingua.pipelines import QuestionAnswerer
from interlingua.pipelines.link.entities import Entity, EntityIndex
from interlingua.pipelines.serve.catalogue import Catalogue, Encoders
from interlingua.pipelines.serve.metrics import Metrics
from interlingua.pipelines.serve.tools import make_tools


@pytest.fixture
def catalogue(words, passages, fake_encoder, tmp_path):
    QuestionAnswerer.build(passages, fake_encoder, split=False).save(tmp_path / "answers")
    stars = [Entity("E1", {"en": "sun"}), Entity("E2", {"en": "moon"})]
    EntityIndex.build(stars, fake_encoder, calibrate=False).save(tmp_path / "stars")
    folders = {"words": words, "answers": tmp_path / "answers", "stars": tmp_path / "stars"}
    held = Catalogue(folders, None, Encoders(fake_encoder, Metrics()))
    yield held
    held.close()
    held.encoders.close()


def called(catalogue, *calls):
    """Return the names of the tools, and what each call gives."""

    async def ask():
        async with mcp.Client(make_tools(catalogue)) as client:
            names = {each.name for each in (await client.list_tools()).tools}
            return names, [await client.call_tool(name, told) for name, told in calls]

    return anyio.run(ask)


def test_search_answer_and_link_are_tools(catalogue):
    names, (found, answered, linked) = called(
        catalogue,
        ("search", {"query": "sun.en", "k": 2, "languages": ["sw"]}),
        ("answer", {"question": "moon.zh"}),
        ("link", {"mentions": ["sun.sw", "king.en"]}),
    )
    assert names == {"search", "answer", "link"}
    assert json.loads(found.content[0].text)["hits"][0]["id"] == "sw-sun"
    assert json.loads(answered.content[0].text)["answers"]
    assert json.loads(linked.content[0].text)["results"][0]["candidates"][0]["id"] == "E1"


def test_a_wrong_question_is_told_to_the_model(catalogue):
    _, (languages, where, none) = called(
        catalogue,
        ("search", {"query": "sun.en", "languages": ["xx"]}),
        ("search", {"query": "sun.en", "where": "year >="}),
        ("search", {"query": "sun.en", "collection": "other"}),
    )
    for each, said in ((languages, "there is: en, sw, zh"), (where, "year"), (none, "there are: words")):
        assert each.is_error
        assert said in each.content[0].text
