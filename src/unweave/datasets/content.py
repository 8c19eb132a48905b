"""What was found out of a file by reading all of it, remembered until the file changes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from unweave._storage import cache_folder, written_whole

__all__ = ["content_hash", "remembered"]

_CHUNK = 1 << 22


def content_hash(*files: str | Path) -> str:
    """SHA-256 of the content of files, in this order; of an unchanged file it is computed once.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "a"
    ...     _ = file.write_bytes(b"abc")
    ...     content_hash(file)[:16]
    'ba7816bf8f01cfea'
    """
    return remembered(files, "sha256", lambda: _sha256(files))


def remembered(files: Sequence[str | Path], what: str, compute: Callable[[], str]) -> str:
    """What ``compute`` returns; kept in the cache while no file changes its size or its times.

    Parameters
    ----------
    files
        All that the result depends on.
    what
        Name of the result.
    compute
        Called if no result is kept, or if the files have changed since. A result of files that
        change meanwhile is returned and not kept.
    """
    paths = [str(Path(file).absolute()) for file in files]
    before = [_state(path) for path in paths]
    key = hashlib.sha256("\0".join((what, *paths)).encode("utf-8", "surrogateescape")).hexdigest()
    note = cache_folder() / "remembered" / f"{key[:32]}.json"
    try:
        kept = json.loads(note.read_text(encoding="utf-8"))
        if kept["states"] == before:
            return str(kept["result"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    result = compute()
    if [_state(path) for path in paths] == before:
        try:
            with written_whole(note) as temporary:
                text = json.dumps({"states": before, "result": result})
                temporary.write_text(text, encoding="utf-8")
        except OSError:  # a cache that cannot be written only costs time
            pass
    return result


def _state(path: str) -> list[int]:
    found = os.stat(path)
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _sha256(files: Sequence[str | Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()
