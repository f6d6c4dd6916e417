from .alignment import EntityAlignment, align_entities
from .counterparts import compress_spellings, predict_counterparts
from .growth import GrownPairs, grow_pairs
from .propagation import (
    as_triples,
    propagate_features,
    relation_weights,
    weighted_adjacency,
    with_inverses,
)

__all__ = [
    "EntityAlignment",
    "GrownPairs",
    "align_entities",
    "as_triples",
    "compress_spellings",
    "grow_pairs",
    "predict_counterparts",
    "propagate_features",
    "relation_weights",
    "weighted_adjacency",
    "with_inverses",
]
