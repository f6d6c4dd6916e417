from .confidence import ScoreCalibration, count_for_precision, isotonic
from .pairs import Matching, match
from .scores import Candidates, as_candidates, margin_scores, neighborhood_means, reciprocal_rank_scores
from .sinkhorn import sinkhorn_scores

__all__ = [
    "Candidates",
    "Matching",
    "ScoreCalibration",
    "as_candidates",
    "count_for_precision",
    "isotonic",
    "margin_scores",
    "match",
    "neighborhood_means",
    "reciprocal_rank_scores",
    "sinkhorn_scores",
]
