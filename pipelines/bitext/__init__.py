"""Translations mined from texts, and bitext filtered."""

from .mining import MinedBitext, filter_bitext, mine_bitext

__all__ = ["MinedBitext", "filter_bitext", "mine_bitext"]
