"""Pairs from scores: mutual neighbours, Sinkhorn, Hungarian, stable matching, and how far a pair can be trusted."""

from .candidates import Candidates, as_candidates
from .confidence import ScoreCalibration, decoy_precision, isotonic
from .margins import margin_scores, neighborhood_means, reciprocal_rank_scores
from .match import Matching, match
from .sinkhorn import sinkhorn_scores

__all__ = [
    "Candidates",
    "Matching",
    "ScoreCalibration",
    "as_candidates",
    "decoy_precision",
    "isotonic",
    "margin_scores",
    "match",
    "neighborhood_means",
    "reciprocal_rank_scores",
    "sinkhorn_scores",
]
