"""Knowledge graphs and entities across languages: aligned, linked, reconciled."""

__all__: list[str] = []
