"""Downloads that are checked by hash and resume after an interruption."""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from unweave._storage import writable_folder

__all__ = ["download", "file_hash"]

_CHUNK = 1 << 20
_SLOWEST = 10_000  # bytes a second, on the average


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
    most: int = 64 * 10**9,
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
        Seconds without an answer after which the server counts as gone; all of it may take so long
        and another second for each 10 kB.
    most
        Bytes that are taken at most.

    Raises
    ------
    ConnectionError
        If the server does not answer, or the transfer breaks off; call again to resume it.
    OSError
        If the file cannot be written, as on a full disk.
    ValueError
        If the address is not one of HTTP or HTTPS, or the file is larger than it should be or has
        another hash; what came of it is removed.
    """
    path = Path(path)
    algorithm, _, expected = known_hash.partition(":")
    if path.exists() and file_hash(path, algorithm) == expected:
        return path
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(
            f"{url} is not an HTTP or HTTPS address: files are fetched from these alone"
        )
    part = path.with_name(path.name + ".part")
    writable_folder(part.parent)
    try:
        _fetch(url, part, progress, timeout, most)
    except _TooLargeError as error:
        part.unlink(missing_ok=True)
        raise ValueError(
            f"{url} is not the file that was to be fetched ({error}): it was removed; get the file "
            "elsewhere"
        ) from error
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
            raise ConnectionError(f"{url} answered {error.code} {error.reason}") from error
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise OSError(
                errno.ENOSPC,
                f"the disk is full, and {part} holds only a part of the file: free some space and "
                "call again to resume the download",
            ) from error
        raise ConnectionError(
            f"the download of {url} was interrupted ({error}): call again to resume it"
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
    url: str,
    part: Path,
    progress: Callable[[int, int | None], None] | None,
    timeout: float,
    most: int,
) -> None:
    begun = time.monotonic()
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = _answer(request, timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing is left to send, or the part is of another file
            error.close()
            return
        raise
    with answer:
        resumes = answer.status == 206
        if resumes and _first_byte(answer) not in (have, None):
            raise ConnectionError(f"other bytes came than those from byte {have:,} on")
        here = have if resumes else 0
        left = _length(answer)
        total = here + left if left is not None else None
        if total is not None and total > most:
            raise _TooLargeError(f"it has {total:,} bytes, and at most {most:,} were expected")
        with open(part, "ab" if resumes else "wb") as file:
            # Not read, which waits for a whole piece however slowly its bytes come.
            while chunk := answer.read1(_CHUNK):
                file.write(chunk)
                here += len(chunk)
                if here > most:
                    raise _TooLargeError(f"more than the {most:,} bytes came that were expected")
                came = here - have if resumes else here
                if time.monotonic() - begun > timeout + came / _SLOWEST:
                    raise ConnectionError(
                        f"{came:,} bytes came in {time.monotonic() - begun:,.0f} s, which is "
                        f"slower than {_SLOWEST // 1000} kB/s"
                    )
                if progress:
                    progress(here, total)
    if total is not None and here < total:
        raise ConnectionError(f"{here} of {total} bytes came")


class _TooLargeError(ValueError):
    """More bytes than the file has."""


class _HttpOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirects to HTTP and HTTPS, and from HTTPS to HTTPS alone."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        allowed = ("https",) if req.type == "https" else ("http", "https")
        if urllib.parse.urlsplit(newurl).scheme not in allowed:
            fp.close()
            raise ConnectionError(f"it redirects to {newurl}, which is not {' or '.join(allowed)}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _answer(request: urllib.request.Request, timeout: float) -> http.client.HTTPResponse:
    """The beginning of the answer, within ``timeout`` in all.

    The timeout of a socket is that of each read, and there may be one read for each byte.
    """
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
        _HttpOnly,
    ):
        opener.add_handler(handler())
    found: list[Any] = []

    def open_it() -> None:
        try:
            found.append(opener.open(request, timeout=timeout))
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=open_it, daemon=True)
    thread.start()
    thread.join(timeout)
    if not found:
        raise ConnectionError(f"no answer began within {timeout:g} s")
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


def _first_byte(answer: http.client.HTTPResponse) -> int | None:
    """Number of the first byte of a partial answer, if the server says it."""
    found = re.match(r"bytes (\d{1,18})-", answer.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _length(answer: http.client.HTTPResponse) -> int | None:
    text = answer.headers.get("Content-Length")
    if text is not None and not re.fullmatch(r"\d{1,18}", text.strip(), re.ASCII):
        raise ConnectionError(f"its server gives {text!r} as the number of its bytes")
    return None if text is None else int(text)
