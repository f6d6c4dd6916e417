from .documents import align_documents, match_documents
from .mining import MinedBitext, filter_bitext, mine_bitext

__all__ = [
    "MinedBitext",
    "align_documents",
    "filter_bitext",
    "match_documents",
    "mine_bitext",
]
