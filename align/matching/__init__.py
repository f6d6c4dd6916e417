"""Pairs from scores: mutual neighbours, Sinkhorn, Hungarian, stable matching, and how far a pair can be trusted."""

__all__: list[str] = []
