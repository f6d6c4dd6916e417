from .tasks import Examples, MissingDataError, Task

__all__ = [
    "Examples",
    "MissingDataError",
    "Task",
]
