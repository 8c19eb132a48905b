"""Images in one file of the cache, written once and memory-mapped."""

from __future__ import annotations

import errno
import math
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from filelock import FileLock
from numpy.lib import format as npy

from unweave._storage import remove_partial, writable_folder, written_whole

__all__ = ["cached_images"]

_FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))


def cached_images(
    file: str | Path,
    shape: tuple[int, ...],
    write: Callable[[BinaryIO], None],
    what: str,
) -> np.ndarray:
    """The images in ``file``, memory-mapped; written before if they are not there.

    One process writes, others wait for it. One that is killed leaves nothing that is taken for
    images.

    Parameters
    ----------
    file
        Where the images are kept, as a ``.npy`` file.
    shape
        That of the array (n, height, width, channels) uint8.
    write
        Writes the bytes of all images, in order.
    what
        Names the images in messages.

    Raises
    ------
    OSError
        If the folder cannot be written, or the disk is full.
    """
    file = Path(file)
    found = _mapped(file, shape)
    if found is not None:
        return found
    writable_folder(file.parent)
    with FileLock(file.with_suffix(".lock")):
        found = _mapped(file, shape)
        if found is None:
            if file.exists():
                warnings.warn(f"{file} is damaged: its images are written again", stacklevel=2)
            _write(file, shape, write, what)
            found = _mapped(file, shape)
    if found is None:
        raise OSError(f"{file} was written and cannot be read: check the disk")
    return found


def _mapped(file: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """The images, if they are there and whole."""
    try:
        found = np.load(file, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    return found if found.shape == shape and found.dtype == np.uint8 else None


def _write(
    file: Path, shape: tuple[int, ...], write: Callable[[BinaryIO], None], what: str
) -> None:
    remove_partial(file)
    n_bytes = math.prod(shape)
    if shutil.disk_usage(file.parent).free < n_bytes:
        raise _no_room(errno.ENOSPC, file, n_bytes, what)
    try:
        # Pages of a map that is written would count as memory of the process.
        with written_whole(file) as temporary, open(temporary, "wb") as stream:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            npy.write_array_header_1_0(stream, header)
            write(stream)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise _no_room(error.errno or errno.ENOSPC, file, n_bytes, what) from error


def _no_room(number: int, file: Path, n_bytes: int, what: str) -> OSError:
    return OSError(
        number,
        f"the {n_bytes / 1e6:,.1f} MB of {what} do not fit into {file.parent}: free space there, "
        "set UNWEAVE_CACHE to a folder on another disk, or take smaller images",
    )
