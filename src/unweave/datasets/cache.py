"""Where data is kept between runs, and how a file gets there without ever being half there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

__all__ = ["cache_folder", "written_whole"]


def cache_folder() -> Path:
    """The user's cache folder for unweave; ``UNWEAVE_CACHE`` in the environment overrides it."""
    override = os.environ.get("UNWEAVE_CACHE")
    return Path(override) if override else Path(platformdirs.user_cache_dir("unweave"))


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """A temporary name beside ``path``; it takes the name ``path`` only if nothing was raised.

    Raises
    ------
    OSError
        If the folder cannot be made or written, with the folder named.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=".part")
    except OSError as error:
        raise type(error)(
            error.errno,
            f"cannot write into {path.parent} ({error.strerror}): choose another folder",
        ) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
