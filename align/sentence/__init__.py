"""Sentence vectors into one space: projection heads learned from translations, on frozen encoders."""

__all__: list[str] = []
