from .adversary import (
    AlternatingGame,
    deceiving_targets,
    language_discriminator,
    language_loss,
    reversal_strength,
    reverse_gradient,
)
from .auto import Capacity, SentenceCandidate, align_sentences, candidates_for
from .documents import Beads, align_in_any_order, align_in_order, bead_confidences, pair_documents, span_means
from .losses import translation_ranking_loss
from .methods.consensus import Consensus
from .methods.head import (
    CollapseError,
    CollapseSigns,
    CollapseWarning,
    ContrastiveHead,
    collapse_signs,
)
from .mining import HardNegatives, MinedPairs, decoy_confidence, mine_hard_negatives, mine_pairs, pair_margins
from .parallel import ParallelVectors, TranslationQuality, language_means, translation_quality

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
