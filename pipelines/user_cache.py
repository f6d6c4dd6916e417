"""Where interlingua keeps what can be rebuilt: checkpoints and cached embeddings."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["user_cache_folder"]


def user_cache_folder() -> Path:
    """Return the cache folder: `$INTERLINGUA_CACHE`, else the platform's own place for caches.

    The folder need not exist yet; everything in it may be deleted at any time.
    """
    chosen = os.environ.get("INTERLINGUA_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("interlingua", appauthor=False))
