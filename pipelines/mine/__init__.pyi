from .documents import AlignedDocuments, Document, align_documents, match_documents
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
