from .auto import align_sentences
from .documents import align_in_any_order, align_in_order, pair_documents
from .methods.consensus import Consensus
from .methods.head import ContrastiveHead
from .mining import MinedPairs, mine_hard_negatives, mine_pairs
from .parallel import ParallelVectors, translation_quality

__all__ = [
    "Consensus",
    "ContrastiveHead",
    "MinedPairs",
    "ParallelVectors",
    "align_in_any_order",
    "align_in_order",
    "align_sentences",
    "mine_hard_negatives",
    "mine_pairs",
    "pair_documents",
    "translation_quality",
]
