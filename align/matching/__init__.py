"""Pairs from scores: mutual neighbours, Sinkhorn, Hungarian, stable matching, and how far a pair can be trusted."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
