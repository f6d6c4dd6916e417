"""Sentence vectors into one space: projection heads learned from translations, on frozen encoders."""

from .any_order import align_in_any_order
from .auto import Capacity, SentenceCandidate, align_sentences, candidates_for
from .collapse import CollapseError, CollapseSigns, CollapseWarning, collapse_signs
from .consensus import Consensus
from .contrastive import ContrastiveHead
from .document_alignment import Beads, align_in_order, span_means
from .document_matching import bead_confidences, pair_documents
from .hard_negatives import HardNegatives, mine_hard_negatives
from .language_adversarial import (
    AlternatingGame,
    deceiving_targets,
    language_discriminator,
    language_loss,
    reversal_strength,
    reverse_gradient,
)
from .losses import translation_ranking_loss
from .mining import MinedPairs, decoy_confidence, mine_pairs, pair_margins
from .parallel import ParallelVectors, language_means
from .translation_quality import TranslationQuality, translation_quality

__all__ = [
    "AlternatingGame",
    "Beads",
    "Capacity",
    "CollapseError",
    "CollapseSigns",
    "CollapseWarning",
    "Consensus",
    "ContrastiveHead",
    "HardNegatives",
    "MinedPairs",
    "ParallelVectors",
    "SentenceCandidate",
    "TranslationQuality",
    "align_in_any_order",
    "align_in_order",
    "align_sentences",
    "bead_confidences",
    "candidates_for",
    "collapse_signs",
    "deceiving_targets",
    "decoy_confidence",
    "language_discriminator",
    "language_loss",
    "language_means",
    "mine_hard_negatives",
    "mine_pairs",
    "pair_documents",
    "pair_margins",
    "reversal_strength",
    "reverse_gradient",
    "span_means",
    "translation_quality",
    "translation_ranking_loss",
]
