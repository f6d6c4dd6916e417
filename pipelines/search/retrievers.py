"""Cross-lingual search as a retriever of LangChain.

Cross-lingual search as a retriever of LlamaIndex.
"""

from typing import Any

from interlingua.align.arrays import require

from .search import CrossLingualSearch


def langchain_retriever(search: CrossLingualSearch, k: int = 4, **options: Any) -> Any:
    """Return a `langchain_core.retrievers.BaseRetriever` over a search.

    Each hit is a `Document`: its text, its id, and as metadata its own and ``language``, ``score`` and ``cosine``.

    ::

        retriever = langchain_retriever(CrossLingualSearch.load("manuals"), k=5, languages=["sw", "zh"])
        documents = retriever.invoke("Who may vote?")

    Parameters
    ----------
    search : CrossLingualSearch
    k : int
        Documents a question, at most; ``invoke(question, k=2)`` overrides it.
    **options
        Of `CrossLingualSearch.search`: ``language``, ``languages``, ``where``, ``balance``; ``invoke`` overrides them.

    Raises
    ------
    MissingExtraError
        If langchain-core is not installed (the extra ``langchain``).
    """
    documents = require("langchain_core.documents", extra="langchain")
    retrievers = require("langchain_core.retrievers", extra="langchain")

    class InterlinguaRetriever(retrievers.BaseRetriever):  # type: ignore[misc, name-defined]  # known at run time
        def _get_relevant_documents(self, query: str, *, run_manager: Any, **asked: Any) -> list[Any]:
            (hits,) = search.search([query], **{"k": k, **options, **asked})
            return [
                documents.Document(
                    id=hit.id,
                    page_content=hit.text,
                    metadata={**hit.metadata, "language": hit.language, "score": hit.score, "cosine": hit.cosine},
                )
                for hit in hits
            ]

    return InterlinguaRetriever(tags=["interlingua"])


def llama_index_retriever(search: CrossLingualSearch, k: int = 4, **options: Any) -> Any:
    """Return a `llama_index.core.retrievers.BaseRetriever` over a search.

    Each hit is a `NodeWithScore`: a `TextNode` of its text and id, with its metadata, ``language`` and ``cosine``; its
    score is the search's own.

    ::

        retriever = llama_index_retriever(CrossLingualSearch.load("manuals"), k=5, languages=["sw", "zh"])
        nodes = retriever.retrieve("Who may vote?")

    Parameters
    ----------
    search : CrossLingualSearch
    k : int
        Nodes a question, at most.
    **options
        Of `CrossLingualSearch.search`: ``language``, ``languages``, ``where``, ``balance``.

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
            return [
                schema.NodeWithScore(
                    node=schema.TextNode(
                        id_=hit.id,
                        text=hit.text,
                        metadata={**hit.metadata, "language": hit.language, "cosine": hit.cosine},
                    ),
                    score=hit.score,
                )
                for hit in hits
            ]

    return InterlinguaRetriever()
