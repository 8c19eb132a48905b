"""Downloads that are checked by hash and go on where they were cut off."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from unweave.datasets.cache import writable_folder

__all__ = ["download", "file_hash"]

_CHUNK = 1 << 20


def file_hash(path: str | Path, algorithm: str = "sha256") -> str:
    """Hexadecimal hash of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def download(
    url: str,
    path: str | Path,
    *,
    known_hash: str,
    progress: Callable[[int, int | None], None] | None = None,
    timeout: float = 30.0,
) -> Path:
    """Fetch ``url`` into ``path``; a file that is there already with the right hash is kept.

    What has come so far lies in ``path`` + ``.part`` and is continued by the next call.

    Parameters
    ----------
    url
        Where the file is.
    path
        Where it goes; it has this name only once it is whole and its hash is right.
    known_hash
        ``algorithm:hexadecimal``, as in ``sha256:9f86...``.
    progress
        Called with the bytes that are here and the bytes in all (None if not known).
    timeout
        Seconds without an answer after which the server counts as gone.

    Raises
    ------
    ConnectionError
        If the server does not answer, or the transfer breaks off; call again to go on.
    ValueError
        If the whole file has another hash; the file is removed.
    """
    path = Path(path)
    algorithm, _, expected = known_hash.partition(":")
    if path.exists() and file_hash(path, algorithm) == expected:
        return path
    part = path.with_name(path.name + ".part")
    writable_folder(part.parent)
    try:
        _fetch(url, part, progress, timeout)
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        if isinstance(error, urllib.error.HTTPError):
            raise ConnectionError(f"{url} answered {error.code} {error.reason}") from error
        raise ConnectionError(
            f"the download of {url} broke off ({error}): call again, it goes on where it was"
        ) from error
    found = file_hash(part, algorithm)
    if found != expected:
        part.unlink()
        raise ValueError(
            f"{url} gave a file with {algorithm} {found}, but {expected} was expected: it was "
            "removed; the file at this address has changed, or something on the way changed it"
        )
    os.replace(part, path)
    return path


def _fetch(
    url: str, part: Path, progress: Callable[[int, int | None], None] | None, timeout: float
) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is left to send: the part is whole, or not of this file
            return
        raise
    with answer, open(part, "ab" if answer.status == 206 else "wb") as file:
        here = have if answer.status == 206 else 0
        left = answer.headers.get("Content-Length")
        total = here + int(left) if left is not None else None
        while chunk := answer.read(_CHUNK):
            file.write(chunk)
            here += len(chunk)
            if progress:
                progress(here, total)
    if total is not None and here < total:
        raise ConnectionError(f"{here} of {total} bytes came")
