"""Translations mined from texts, bitext filtered, documents aligned."""

from .document_alignment import align_documents, match_documents
from .documents import AlignedDocuments, Document
from .mining import MinedBitext, filter_bitext, mine_bitext

__all__ = [
    "AlignedDocuments",
    "Document",
    "MinedBitext",
    "align_documents",
    "filter_bitext",
    "match_documents",
    "mine_bitext",
]
