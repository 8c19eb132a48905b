"""Big arrays that are memory-mapped, so that a process holds only the rows it touches."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from filelock import FileLock
from numpy.lib import format as npy

from unweave._storage import cache_folder, remove_partial, writable_folder, written_whole
from unweave.datasets.content import content_hash, remembered
from unweave.datasets.members import open_member
from unweave.datasets.official.location import size_in_words

__all__ = ["Progress", "built_array", "mapped_array"]

Progress = Callable[[int, int], None]
"""Called with the rows that are done and the rows in all."""


def mapped_array(
    file: str | Path, member: str | None = None, *, progress: Progress | None = None
) -> np.memmap:
    """An array of a .npy, .npz or HDF5 file, memory-mapped.

    What lies in the file uncompressed is mapped where it is. Of an .npz its check sum is compared
    once. Anything else is unpacked once, piece by piece, into the cache.

    Parameters
    ----------
    file
        The file; what it is is seen from its content.
    member
        Key in an .npz, path in an HDF5 file; None for an .npy.
    progress
        Called while the array is unpacked.

    Returns
    -------
    numpy.memmap
        An array with the shape and dtype in the file, read-only.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`unweave.datasets.members.open_member`.
    OSError
        If the cache cannot be written, or the disk is full.
    """
    found = open_member(file, member)
    if found.kind == "hdf5" or found.offset is None:
        shape = found.shape[::-1] if found.fortran_order else found.shape
        key = f"{content_hash(found.file)[:24]}-{_as_file_name(found.name)}"
        array = built_array(key, shape, found.dtype, found.blocks, progress=progress)
        return array.T if found.fortran_order else array
    if found.kind == "npz":
        remembered([found.file], f"check sum of {found.name}", found.check_sum)
    elif found.offset + found.n_bytes > found.file.stat().st_size:
        raise ValueError(f"{found.file} is truncated: it has fewer bytes than its header says")
    return np.memmap(
        found.file,
        found.dtype,
        "r",
        found.offset,
        found.shape,
        order="F" if found.fortran_order else "C",
    )


def built_array(
    key: str,
    shape: Sequence[int],
    dtype: npt.DTypeLike,
    blocks: Callable[[], Iterable[tuple[int, np.ndarray]]],
    *,
    progress: Progress | None = None,
) -> np.memmap:
    """An array that is made once and lies in the cache, memory-mapped.

    Parameters
    ----------
    key
        Names the array: of what it was made and how. It becomes part of the name of a file.
    shape, dtype
        Shape and dtype of the array.
    blocks
        Called if the array has to be made: consecutive rows, each with the number of the first,
        in any order. Every row must come once.
    progress
        Called while it is made.

    Raises
    ------
    OSError
        If the cache cannot be written, or the disk is full.
    ValueError
        If there are not as many rows as ``shape`` says.
    """
    file = cache_folder() / "arrays" / f"{key}.npy"
    shape, dtype = tuple(int(n) for n in shape), np.dtype(dtype)
    if _damage(file, shape, dtype) is not None:
        writable_folder(file.parent)
        with FileLock(f"{file}.lock"):
            damage = _damage(file, shape, dtype)  # another process may have written it meanwhile
            if damage:
                warnings.warn(f"{file} is damaged ({damage}): it is built again", stacklevel=3)
            if damage is not None:
                _write(file, shape, dtype, blocks, progress)
    return np.load(file, mmap_mode="r")


def _damage(file: Path, shape: tuple[int, ...], dtype: np.dtype) -> str | None:
    """What is wrong with the file; empty if it is not there, None if nothing is wrong."""
    if not file.exists():
        return ""
    try:
        found = np.load(file, mmap_mode="r")
    except (ValueError, EOFError, OSError) as error:
        return str(error)
    if (found.shape, found.dtype) != (shape, dtype):
        return f"it holds {found.dtype} of shape {found.shape}"
    return None


def _write(
    file: Path,
    shape: tuple[int, ...],
    dtype: np.dtype,
    blocks: Callable[[], Iterable[tuple[int, np.ndarray]]],
    progress: Progress | None,
) -> None:
    remove_partial(file)
    row = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
    if shutil.disk_usage(file.parent).free < row * shape[0]:
        raise _disk_full(file, row * shape[0])
    done = 0
    try:
        with written_whole(file) as temporary, open(temporary, "wb") as out:
            header = {
                "descr": npy.dtype_to_descr(dtype),
                "fortran_order": False,
                "shape": shape,
            }
            npy.write_array_header_1_0(out, header)
            start = out.tell()
            for first, rows in blocks():
                out.seek(start + first * row)
                out.write(np.ascontiguousarray(rows, dtype=dtype).data)
                done += len(rows)
                del rows  # or two blocks would be held while the next is read
                if progress:
                    progress(done, shape[0])
            if done != shape[0]:
                raise ValueError(f"{file.name} needs {shape[0]} rows, and {done} were made")
            out.flush()
            os.fsync(out.fileno())  # or a crash of the machine may leave holes
    except OSError as error:
        if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
            raise _disk_full(file, row * shape[0]) from error
        raise


def _disk_full(file: Path, n_bytes: int) -> OSError:
    return OSError(
        errno.ENOSPC,
        f"{size_in_words(n_bytes)} are needed in {file.parent}, and the disk is full: free some "
        "space, or set UNWEAVE_CACHE to a folder on a larger disk",
    )


def _as_file_name(name: str) -> str:
    """A name of a few letters that differs for different names."""
    if name.isidentifier() and len(name) < 32:
        return name
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16]
