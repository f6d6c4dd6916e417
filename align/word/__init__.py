"""Aligners of word vectors: each learns a `SharedSpace` from two vocabularies, or from many."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
