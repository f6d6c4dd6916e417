"""Translations mined from texts, checked and aligned document by document."""

__all__: list[str] = []
