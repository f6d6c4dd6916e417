"""Cross-lingual search as a retriever of LlamaIndex."""

from typing import Any

from interlingua.align.optional import require

from .search import CrossLingualSearch

__all__ = ["llama_index_retriever"]


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
