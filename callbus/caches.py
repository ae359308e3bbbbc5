"""Where callbus keeps what it can make or fetch again."""

import os
from pathlib import Path

import platformdirs


def cache_root() -> Path:
    """`$CALLBUS_CACHE`, or the user's cache folder for callbus."""
    root = os.environ.get("CALLBUS_CACHE") or platformdirs.user_cache_dir("callbus")
    return Path(root).expanduser().absolute()
