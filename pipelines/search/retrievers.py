"""Cross-lingual search as a retriever of LangChain.

Cross-lingual search as a retriever of LlamaIndex.
"""

from functools import partial
from typing import Any

from interlingua.align.arrays import require

from .finding import SearchHit
from .search import CrossLingualSearch


def langchain_retriever(search: CrossLingualSearch, k: int = 4, **options: Any) -> Any:
    """Return a `langchain_core.retrievers.BaseRetriever` over a search.

    Each hit is a `Document`: its text, its id, and as metadata its own and ``language``, ``score`` and ``cosine``.
    Calls with ``await`` take the same options and run beside the event loop.

    ::

        retriever = langchain_retriever(CrossLingualSearch.load("manuals"), k=5, languages=["sw", "zh"])
        documents = retriever.invoke("Who may vote?")

    Parameters
    ----------
    search : CrossLingualSearch
    k : int
        Documents a question, at most; ``invoke(question, k=2)`` overrides it.
    **options
        Of `CrossLingualSearch.search`: ``language``, ``languages``, ``where``, ``balance``, ``prefer``; ``invoke``
        overrides them.

    Raises
    ------
    MissingExtraError
        If langchain-core is not installed (the extra ``langchain``).
    """
    documents = require("langchain_core.documents", extra="langchain")
    retrievers = require("langchain_core.retrievers", extra="langchain")
    running = require("langchain_core.runnables.config", extra="langchain")

    class InterlinguaRetriever(retrievers.BaseRetriever):  # type: ignore[misc, name-defined]  # known at run time
        def _get_relevant_documents(self, query: str, *, run_manager: Any, **asked: Any) -> list[Any]:
            (hits,) = search.search([query], **{"k": k, **options, **asked})
            return [
                documents.Document(
                    id=hit.id,
                    page_content=hit.text,
                    metadata={**hit.metadata, **_found(hit), "score": hit.score, "cosine": hit.cosine},
                )
                for hit in hits
            ]

        # subtle: that of the base class takes no options
        async def _aget_relevant_documents(self, query: str, *, run_manager: Any, **asked: Any) -> list[Any]:
            ask = partial(self._get_relevant_documents, query, run_manager=run_manager.get_sync(), **asked)
            found: list[Any] = await running.run_in_executor(None, ask)
            return found

    return InterlinguaRetriever(tags=["interlingua"])


def llama_index_retriever(search: CrossLingualSearch, k: int = 4, **options: Any) -> Any:
    """Return a `llama_index.core.retrievers.BaseRetriever` over a search.

    Each hit is a `NodeWithScore`: a `TextNode` of its text and id, with its metadata and ``language``; its score is the
    search's own. A passage is the same node, by id and hash, whatever is asked, so that several retrievers can be
    joined; neither its metadata nor its language enter what a language model or an embedding reads.

    ::

        retriever = llama_index_retriever(CrossLingualSearch.load("manuals"), k=5, languages=["sw", "zh"])
        nodes = retriever.retrieve("Who may vote?")

    Parameters
    ----------
    search : CrossLingualSearch
    k : int
        Nodes a question, at most.
    **options
        Of `CrossLingualSearch.search`: ``language``, ``languages``, ``where``, ``balance``, ``prefer``.

    Raises
    ------
    MissingExtraError
        If llama-index-core is not installed (the extra ``llama-index``).
    """
    retrievers = require("llama_index.core.retrievers", extra="llama-index")
    schema = require("llama_index.core.schema", extra="llama-index")

    class InterlinguaRetriever(retrievers.BaseRetriever):  # type: ignore[misc, name-defined]  # known at run time
        def _retrieve(self, query_bundle: Any) -> list[Any]:
            (hits,) = search.search([query_bundle.query_str], **{"k": k, **options})
            return [schema.NodeWithScore(node=_node(schema, hit), score=hit.score) for hit in hits]

    return InterlinguaRetriever()


def _found(hit: SearchHit) -> dict[str, Any]:
    """Return a hit's language, and the characters that were found of a long text."""
    return {"language": hit.language, **({} if hit.window is None else {"window": list(hit.window)})}


def _node(schema: Any, hit: SearchHit) -> Any:
    # subtle: metadata is part of a node's hash, and by default of what models read; a score of one question must not be
    about = {**hit.metadata, "language": hit.language}
    unread = {name: list(about) for name in ("excluded_llm_metadata_keys", "excluded_embed_metadata_keys")}
    return schema.TextNode(id_=hit.id, text=hit.text, metadata=about, **unread)
