"""Aligners of word vectors: each learns a `SharedSpace` from two vocabularies."""

from .fitting import fit_dictionary, score_dictionary
from .procrustes import Procrustes, orthogonal_map

__all__ = ["Procrustes", "fit_dictionary", "orthogonal_map", "score_dictionary"]
