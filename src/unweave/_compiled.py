"""Numba's compiler, with an on-disk cache wherever one can be kept and without one elsewhere."""

from __future__ import annotations

import os
import pickle
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache

__all__ = ["njit"]

# What a cache raises that is full, unreadable, or was damaged when the machine stopped.
_UNUSABLE = (OSError, EOFError, pickle.UnpicklingError)


def njit(**options: Any) -> Callable[[Callable], Any]:
    """``numba.njit(cache=True, **options)``, which also works where nothing can be written.

    Numba keeps machine code in ``NUMBA_CACHE_DIR``, else beside the source file, else in the user's
    cache folder, and raises where it can write to none of them, as in a container with a read-only
    file system. Then a private folder among the temporary files is used, and without one each
    process compiles for itself. A cache that fails later, because the disk is full or a file is
    damaged, costs time and never a result.
    """

    def compiled(function: Callable) -> Any:
        dispatcher = numba.njit(**options)(function)
        cache = _cache(function)
        if cache is not None and hasattr(dispatcher, "_cache"):  # not with NUMBA_DISABLE_JIT
            dispatcher._cache = cache
        return dispatcher

    return compiled


class _Cache(FunctionCache):
    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled function, or None where it is not there."""
        try:
            return super().load_overload(sig, target_context)
        except _UNUSABLE:
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the compiled function, if possible."""
        with suppress(*_UNUSABLE):
            super().save_overload(sig, data)


def _cache(function: Callable) -> _Cache | None:
    with suppress(RuntimeError):  # numba finds no folder that it can write to
        return _Cache(function)
    folder = _private_folder()
    if folder is None:
        return None
    chosen = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder)
    try:
        return _Cache(function)
    except RuntimeError:
        return None
    finally:
        numba.config.CACHE_DIR = chosen


def _private_folder() -> Path | None:
    """A folder among the temporary files that no other user can write to; None if there is none.

    Machine code is read from it, so a folder that another user made first is not trusted.
    """
    user = os.getuid() if hasattr(os, "getuid") else "user"
    try:
        folder = Path(tempfile.gettempdir()) / f"unweave-numba-{user}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    if not stat.S_ISDIR(found.st_mode):
        return None
    if hasattr(os, "getuid") and (found.st_uid != user or found.st_mode & 0o022):
        return None
    return folder
