"""The field's own benchmarks: files, protocols, scorers and submissions of XTREME and XGLUE."""

__all__: list[str] = []
