from .confidence import ScoreCalibration
from .pairs import Matching, match
from .scores import Candidates, as_candidates, margin_scores, reciprocal_rank_scores
from .sinkhorn import sinkhorn_scores

__all__ = [
    "Candidates",
    "Matching",
    "ScoreCalibration",
    "as_candidates",
    "margin_scores",
    "match",
    "reciprocal_rank_scores",
    "sinkhorn_scores",
]
