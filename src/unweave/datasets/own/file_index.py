"""What picture files hold: a hash and a header of each, read once while a file stays as it is."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from unweave._parallel import n_cores
from unweave._storage import cache_folder, written_whole
from unweave.datasets.own.headers import UnusablePicture, probe

__all__ = [
    "RECORD",
    "Problems",
    "content_of",
    "file_state",
    "in_chunks",
    "indexed",
    "short_hash",
    "unusable",
]

RECORD = np.dtype(
    [
        ("path", "S32"),
        ("size", "i8"),
        ("modified", "i8"),
        ("changed", "i8"),
        ("inode", "u8"),
        ("read", "i8"),
        ("content", "S32"),
        ("height", "i4"),
        ("width", "i4"),
        ("is_grey", "?"),
        ("is_turned", "?"),
    ]
)
"""Columns of a file: hashes of path and content, its state, when it was read, and its header."""
_STATE = ("size", "modified", "changed", "inode")
_VERSION = 2
_CHUNK = 1024
_COARSE = 2_000_000_000  # ns: within which some file systems do not see that a file changed
_MOST_INODE = 2**64 - 1
_MOST_BYTES = 1 << 31
_MOST_NAMED = 10

Item = TypeVar("Item")
Result = TypeVar("Result")
Problems = Mapping[Path, UnusablePicture]


def indexed(files: Sequence[str | Path]) -> tuple[np.ndarray, dict[Path, UnusablePicture]]:
    """What is known of files, and what is wrong with those of which nothing is.

    The cache keeps it by path, size and times of change: a file that was not touched since its
    bytes were read is not opened again.

    Returns
    -------
    tuple
        Records (n,) with the fields of ``RECORD``, in the order of the files; and problems by file.
    """
    paths = [os.path.abspath(file) for file in files]
    key = short_hash(os.fsencode(_made_by() + _home(paths)))
    store = cache_folder() / "images" / f"{key.decode()}.index"
    kept = _read(store)
    found = np.zeros(len(paths), RECORD)
    found["path"] = [short_hash(os.fsencode(path)) for path in paths]
    for field, values in zip(_STATE, zip(*map(file_state, paths), strict=True), strict=True):
        found[field] = values
    known = _rows_of(found, kept)
    found[known >= 0] = kept[known[known >= 0]]
    missing = np.flatnonzero(known < 0).tolist()
    problems: dict[Path, UnusablePicture] = {}
    inspected = in_chunks(lambda row: _inspected(paths[row]), missing)
    for row, result in zip(missing, inspected, strict=True):
        if isinstance(result, UnusablePicture):
            problems[Path(files[row])] = result
        else:
            found[row] = (found["path"][row], *result)
    new = found[[row for row in missing if found["content"][row]]]
    if len(new):
        others = kept[~np.isin(kept["path"], new["path"])]
        merged = np.concatenate([others, new])
        with written_whole(store) as temporary, open(temporary, "wb") as stream:
            np.save(stream, merged[np.argsort(merged["path"])])
    return found, problems


def content_of(file: str | Path) -> bytes:
    """The bytes of a file.

    Raises
    ------
    UnusablePicture
        If it cannot be read, or is not a file.
    """
    try:
        found = os.stat(file)
        if not stat.S_ISREG(found.st_mode):  # reading a pipe or a device may never end
            raise UnusablePicture("not a file but a pipe or a device", "remove them")
        if found.st_size > _MOST_BYTES:
            raise UnusablePicture(
                f"{found.st_size / 1e9:,.1f} GB", "no picture is that large: remove them"
            )
        return Path(file).read_bytes()
    except PermissionError as error:
        raise UnusablePicture(
            "no permission to read it", "make them readable, as with chmod +r"
        ) from error
    except OSError as error:
        raise UnusablePicture(
            (error.strerror or str(error)).lower(), "look whether they are where they were"
        ) from error


def in_chunks(
    function: Callable[[Item], Result], items: Iterable[Item], *, chunk: int = _CHUNK
) -> Iterator[Result]:
    """The function of each item, in order, in threads; no more than a chunk of results waits."""
    items = iter(items)
    with ThreadPoolExecutor(min(16, 2 * n_cores())) as pool:  # half of them wait for the disk
        while part := list(islice(items, chunk)):
            yield from pool.map(function, part)


def unusable(problems: Problems, n_files: int, name: str) -> ValueError:
    """The error that names files which cannot be used: those with the fault of the first of them.

    Each fault has a remedy of its own.
    """
    remedy = next(iter(problems.values())).remedy
    same = {file: found for file, found in problems.items() if found.remedy == remedy}
    shown = [f"{file} ({found.reason})" for file, found in list(same.items())[:_MOST_NAMED]]
    more = f" and {len(same) - len(shown):,} more" if len(same) > len(shown) else ""
    others = len(problems) - len(same)
    also = f"; {others:,} other files have other faults" if others else ""
    return ValueError(
        f"{len(same):,} of the {n_files:,} image files of {name} cannot be used: "
        f"{', '.join(shown)}{more}: {remedy}{also}"
    )


def _rows_of(found: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Rows of the kept records of files that did not change since, -1 for others."""
    if not len(kept):
        return np.full(len(found), -1)
    at = np.minimum(np.searchsorted(kept["path"], found["path"]), len(kept) - 1)
    entries = kept[at]
    is_same = np.logical_and.reduce([entries[key] == found[key] for key in ("path", *_STATE)])
    is_old = np.maximum(found["modified"], found["changed"]) + _COARSE < entries["read"]
    return np.where(is_same & is_old, at, -1)


def _inspected(path: str) -> UnusablePicture | tuple[Any, ...]:
    """The fields of a file's record behind its path."""
    try:
        state, now = file_state(path), time.time_ns()
        content = content_of(path)
        return (*state, now, short_hash(content), *probe(content))
    except UnusablePicture as problem:
        return problem


def file_state(path: str) -> tuple[int, int, int, int]:
    """Size, times of the last change of content and of the entry, and which file it is.

    No program can set the second time. It stays where a folder above is renamed.
    """
    try:
        found = os.stat(path)
    except OSError:
        return -1, 0, 0, 0
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino & _MOST_INODE


def _home(paths: Sequence[str]) -> str:
    """The folder that all files lie in."""
    try:
        return os.path.commonpath({os.path.dirname(path) for path in paths})
    except ValueError:  # of several drives of Windows
        return ""


def _read(store: Path) -> np.ndarray:
    try:
        found = np.load(store)
    except (OSError, ValueError, EOFError):  # of none, or a damaged one: files are read again
        found = np.empty(0)
    return found if found.dtype == RECORD else np.empty(0, RECORD)


def _made_by() -> str:
    import PIL

    return f"{_VERSION} Pillow {PIL.__version__} "


def short_hash(content: bytes) -> bytes:
    """128 bits of a hash, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()[:32].encode()
