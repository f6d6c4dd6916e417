"""Import optional libraries where they are used, with an error that names the extra."""

import importlib
from types import ModuleType

__all__ = ["MissingExtraError", "require"]


class MissingExtraError(ImportError):
    """An optional library is needed and absent."""


def require(name: str, *, extra: str) -> ModuleType:
    """Return the module `name`, or say which extra installs it.

    Parameters
    ----------
    name : str
        What to import, as in an import statement.
    extra : str
        The extra of this project that brings the library.

    Raises
    ------
    MissingExtraError
        If the library is not installed.

    Examples
    --------
    >>> require("math", extra="torch").sqrt(4.0)
    2.0
    >>> require("no_such_library", extra="torch")
    Traceback (most recent call last):
    ...
    interlingua.align.optional.MissingExtraError: this needs the library 'no_such_library', which is not \
installed; install it with: pip install "interlingua[torch]"
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
            raise  # the library is there and one of its own imports is broken: say that instead
        message = (
            f"this needs the library {name!r}, which is not installed; "
            f'install it with: pip install "interlingua[{extra}]"'
        )
        raise MissingExtraError(message, name=name) from error
