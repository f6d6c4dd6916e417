"""The field's own benchmarks: files, protocols, scorers and submissions of XTREME and XGLUE."""

from .tasks import Examples, MissingDataError, Task

__all__ = ["Examples", "MissingDataError", "Task"]
