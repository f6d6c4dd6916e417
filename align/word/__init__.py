"""Aligners of word vectors: each learns a `SharedSpace` from two vocabularies."""

from .procrustes import Procrustes, orthogonal_map

__all__ = ["Procrustes", "orthogonal_map"]
