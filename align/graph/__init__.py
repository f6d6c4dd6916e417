"""Propagation over the relations of knowledge graphs: sparse arrays in, arrays out."""

from .propagation import propagate_features, propagate_labels, relational_features
from .triples import as_triples, relation_weights, weighted_adjacency, with_inverses

__all__ = [
    "as_triples",
    "propagate_features",
    "propagate_labels",
    "relation_weights",
    "relational_features",
    "weighted_adjacency",
    "with_inverses",
]
