"""The retrievers give, through the real libraries, what the search gives."""

import asyncio
import sys
import warnings

import pytest

from interlingua.align.arrays import MissingExtraError
from interlingua.pipelines.search.retrievers import langchain_retriever, llama_index_retriever
from interlingua.pipelines.search.search import CrossLingualSearch

QUESTION = "sun.en"


def importable(name):
    """Import a library whose own imports warn of their own dependencies' changes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return pytest.importorskip(name)


@pytest.fixture
def search(passages, fake_encoder):
    return CrossLingualSearch.build(passages, fake_encoder)


@pytest.fixture
def langchain(search):
    importable("langchain_core.retrievers")
    return langchain_retriever(search, k=3)


@pytest.fixture
def llama_index(search):
    importable("llama_index.core.retrievers")
    return llama_index_retriever(search, k=3)


def test_langchain_documents_are_the_hits(search, langchain):
    from langchain_core.retrievers import BaseRetriever

    assert isinstance(langchain, BaseRetriever)
    (hits,) = search.search([QUESTION], 3)
    for found in (langchain.invoke(QUESTION), asyncio.run(langchain.ainvoke(QUESTION)), langchain.batch([QUESTION])[0]):
        assert [(each.id, each.page_content) for each in found] == [(hit.id, hit.text) for hit in hits]
        for each, hit in zip(found, hits, strict=True):
            kept = {"topic", "odd"} | {"language", "score", "cosine"}
            assert set(each.metadata) == kept
            assert (each.metadata["language"], each.metadata["score"]) == (hit.language, hit.score)
            assert each.metadata["topic"] == hit.metadata["topic"] == "sun"


def test_langchain_options_are_those_of_the_search(search, langchain):
    swahili = langchain_retriever(search, k=2, languages=["sw"])
    assert [each.metadata["language"] for each in swahili.invoke(QUESTION)] == ["sw", "sw"]
    assert [each.id for each in swahili.invoke(QUESTION, k=1, languages=["zh"])] == ["zh-sun"]
    with pytest.raises(ValueError, match="no row has the field 'lang'"):
        langchain.invoke(QUESTION, where={"lang": "sw"})


def test_langchain_takes_the_options_in_every_kind_of_call(langchain):
    async def called(call, *arguments, **options):
        return await call(*arguments, **options)

    wanted = langchain.invoke(QUESTION, k=2, languages=["sw"])
    assert [each.metadata["language"] for each in wanted] == ["sw", "sw"]
    options = {"k": 2, "languages": ["sw"]}
    assert asyncio.run(called(langchain.ainvoke, QUESTION, **options)) == wanted
    assert asyncio.run(called(langchain.bind(**options).ainvoke, QUESTION)) == wanted
    assert asyncio.run(called(langchain.abatch, [QUESTION, QUESTION], **options)) == [wanted, wanted]
    assert langchain.batch([QUESTION], **options) == [wanted]
    with pytest.raises(ValueError, match="no row has the field 'lang'"):
        asyncio.run(called(langchain.ainvoke, QUESTION, where={"lang": "sw"}))


def test_langchain_retrievers_are_parts_of_chains(langchain):
    from langchain_core.runnables import RunnableLambda

    chain = langchain | RunnableLambda(lambda documents: sorted(each.id for each in documents))
    assert chain.invoke(QUESTION) == ["en-sun", "sw-sun", "zh-sun"]


def test_llama_index_nodes_are_the_hits(search, llama_index):
    from llama_index.core.retrievers import BaseRetriever
    from llama_index.core.schema import QueryBundle

    assert isinstance(llama_index, BaseRetriever)
    (hits,) = search.search([QUESTION], 3)
    asked = (llama_index.retrieve(QUESTION), llama_index.retrieve(QueryBundle(QUESTION)))
    for found in (*asked, asyncio.run(llama_index.aretrieve(QUESTION))):
        assert [(each.node_id, each.text) for each in found] == [(hit.id, hit.text) for hit in hits]
        assert [each.score for each in found] == pytest.approx([hit.score for hit in hits])
        assert found[0].metadata == {"topic": "sun", "odd": 0, "language": hits[0].language}


def test_what_models_read_of_a_node_is_its_text_alone(llama_index):
    from llama_index.core.schema import MetadataMode

    (node, *_) = llama_index.retrieve(QUESTION)
    for mode in (MetadataMode.LLM, MetadataMode.EMBED):
        assert node.node.get_content(mode) == node.text


def test_a_passage_is_one_node_whatever_is_asked(llama_index):
    both = [{each.node_id: each.node.hash for each in llama_index.retrieve(asked)} for asked in ("sun.en", "sun moon")]
    shared = both[0].keys() & both[1].keys()
    assert shared
    assert all(both[0][id] == both[1][id] for id in shared)


def test_llama_index_options_are_those_of_the_search(search, llama_index):
    found = llama_index_retriever(search, k=2, where={"topic": ["sun", "moon"]}, languages=["zh"]).retrieve(QUESTION)
    assert [each.node_id for each in found] == ["zh-sun", "zh-moon"]


@pytest.mark.parametrize(
    ("make", "library", "extra"),
    [
        (langchain_retriever, "langchain_core", "langchain"),
        (llama_index_retriever, "llama_index.core", "llama-index"),
    ],
)
def test_without_the_library_the_error_names_the_extra(search, monkeypatch, make, library, extra):
    for name in [name for name in sys.modules if name == library or name.startswith(library + ".")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=rf"interlingua\[{extra}\]"):
        make(search)
