"""What is checked of other people's archives and arrays before any of it is unpacked."""

from __future__ import annotations

import io
import math
import struct
import zipfile
from collections import Counter
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from unweave._memory import address_space_left, free_memory

__all__ = [
    "array_names",
    "check_archive",
    "check_member",
    "check_room",
    "check_whole_archive",
    "is_archive",
    "read_header",
]

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # which NumPy and PyTorch write
_ENCRYPTED = 0x1  # flag of a member
_LONGEST_HEADER = 1 << 16  # bytes; that of a plain array has about 120
_MOST_MEMBERS = 100_000
_MOST_ARRAYS = 10_000  # of an .npz, each of which is opened
_LARGEST = 1 << 42  # bytes in memory, where the system does not say how much is free
_VERSIONS = {(1, 0): "<H", (2, 0): "<I", (3, 0): "<I"}  # of .npy, with the length of its header


def check_archive(archive: zipfile.ZipFile) -> None:
    """Refuse an archive with more members than anyone's arrays, or fewer than were written.

    Raises
    ------
    ValueError
        If it has more than 100,000, its directory is damaged, or one name stands for two members.
    """
    _check_count(archive)
    _check_number(archive, _MOST_MEMBERS)
    _check_names(archive.namelist())


def _check_number(archive: zipfile.ZipFile, most: int) -> None:
    if len(archive.infolist()) > most:
        raise ValueError(
            f"it has {len(archive.infolist()):,} members, and at most {most:,} are read: keep "
            "arrays together in fewer members"
        )


def _check_names(names: list[str]) -> None:
    """Refuse names by which another member could be read than the one that was checked."""
    counts = Counter(names)
    for name, count in counts.items():
        if count > 1:
            raise ValueError(
                f"it has {count} members of the name {name!r}, and one was needed: write it again "
                "with np.savez"
            )
        if name.endswith(".npy") and name.removesuffix(".npy") in counts:
            raise ValueError(
                f"it has the members {name!r} and {name.removesuffix('.npy')!r}, and either may "
                "be the array: write it again with np.savez"
            )


def _check_count(archive: zipfile.ZipFile) -> None:
    """Compare the members with their number at the end, as zipfile itself does not.

    A damaged length in the directory hides the members that come after it.
    """
    if archive.fp is None or archive.comment:
        return
    archive.fp.seek(-22, io.SEEK_END)
    magic, *_, count, _, _, _ = struct.unpack("<4s4H2LH", archive.fp.read(22))
    if magic == b"PK\x05\x06" and count not in (len(archive.infolist()), 0xFFFF):
        raise ValueError(
            f"it is damaged: its directory lists {len(archive.infolist())} members, and {count} "
            "were written"
        )


def array_names(archive: zipfile.ZipFile) -> list[str]:
    """Names of the arrays of an .npz.

    Other members are opened, as zipfile then compares their names with those of their own headers:
    an array whose suffix is damaged would otherwise be left out.
    """
    _check_number(archive, _MOST_ARRAYS)
    check_archive(archive)
    for member in archive.infolist():
        if not member.filename.endswith((".npy", "/")):
            check_member(member)
            archive.open(member).close()
    names = [name for name in archive.namelist() if name.endswith(".npy")]
    return [name.removesuffix(".npy") for name in names]


def is_archive(file: str | Path) -> bool:
    """Whether a file begins as an archive of members does, by which PyTorch goes as well."""
    with open(file, "rb") as stream:
        return stream.read(4) == b"PK\x03\x04"


def check_whole_archive(file: str | Path) -> None:
    """Refuse an archive, as of torch.save, of which any member is odd or memory holds not all.

    Raises
    ------
    ValueError
        If it is, or is damaged.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            check_archive(archive)
            for member in archive.infolist():
                check_member(member)
            check_room(sum(member.file_size for member in archive.infolist()), "it")
    except (zipfile.BadZipFile, NotImplementedError, EOFError, struct.error) as error:
        raise ValueError(f"it is a damaged archive ({error})") from error


def check_member(member: zipfile.ZipInfo) -> None:
    """Refuse a member that is encrypted, or compressed by another method than those of NumPy.

    Raises
    ------
    ValueError
        If it is.
    """
    if member.flag_bits & _ENCRYPTED:
        raise ValueError(
            f"its member {member.filename!r} is encrypted: write it again without a password, as "
            "np.savez does"
        )
    if member.compress_type not in _METHODS:
        raise ValueError(
            f"its member {member.filename!r} is compressed by method {member.compress_type}, and "
            "only stored and deflated members are read: write it again with np.savez_compressed"
        )


def check_room(n_bytes: int, what: str) -> None:
    """Refuse what does not fit into memory with a copy of it to compute with.

    Raises
    ------
    ValueError
        If it does not fit.
    """
    limits = [free_memory(), address_space_left(), _LARGEST]
    free = min(limit for limit in limits if limit is not None)
    if 2 * n_bytes > free:
        raise ValueError(
            f"{what} takes {n_bytes / 1e9:,.1f} GB and as much again to compute with, and "
            f"{free / 1e9:,.1f} GB of memory are free: take fewer rows or narrower numbers, or a "
            "machine with more memory"
        )


def read_header(
    stream: IO[bytes], what: str, size: int | None = None
) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether the first axis is the fastest, and dtype of an .npy that a stream begins.

    Parameters
    ----------
    stream
        At its beginning.
    what
        Names the array in sentences.
    size
        Bytes of the .npy in all, which are compared with what the header declares.

    Raises
    ------
    ValueError
        If it is not an .npy, is truncated, or does not hold what its header declares.
    """
    start = stream.read(8)
    if start[:6] != npy.MAGIC_PREFIX[: len(start)]:
        raise ValueError(f"{what} is not a NumPy array: it begins with {start[:6]!r}")
    version = (start[6], start[7]) if len(start) == 8 else None
    if version is not None and version not in _VERSIONS:
        raise ValueError(f"{what} is in format .npy {version[0]}.{version[1]}, which is not known")
    layout = _VERSIONS[version] if version else "<H"
    field = stream.read(struct.calcsize(layout))
    if version is None or len(field) < struct.calcsize(layout):
        raise ValueError(f"{what} is truncated: it ends inside its header")
    (length,) = struct.unpack(layout, field)
    if length > _LONGEST_HEADER:
        raise ValueError(
            f"{what} has a header of {length:,} bytes, and that of an array of numbers has less "
            f"than {_LONGEST_HEADER:,}: it is damaged, or not an array of numbers"
        )
    text = stream.read(length)
    if len(text) < length:
        raise ValueError(f"{what} is truncated: it ends inside its header")
    shape, fortran, dtype = _declared(text, version, what)
    if size is not None and not dtype.hasobject:
        needed, found = math.prod(shape) * dtype.itemsize, size - 8 - len(field) - length
        if needed != found:
            problem = "is truncated" if found < needed else "is damaged"
            raise ValueError(
                f"{what} {problem}: its header declares {needed:,} bytes of numbers, and "
                f"{found:,} follow"
            )
    return shape, fortran, dtype


def _declared(
    text: bytes, version: tuple[int, int], what: str
) -> tuple[tuple[int, ...], bool, np.dtype]:
    """What a header declares, by NumPy's own reader, which runs none of it as code."""
    content = io.BytesIO(struct.pack(_VERSIONS[version], len(text)) + text)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    try:
        read = readers.get(version, npy.read_array_header_2_0)
        shape, fortran, dtype = read(content, max_header_size=_LONGEST_HEADER)
    except Exception as error:  # tokenize.TokenError, SyntaxError, MemoryError, RecursionError...
        reason = (str(error) or type(error).__name__).split("\n")[0]
        raise ValueError(f"the header of {what} cannot be read: {reason}") from error
    if any(n < 0 for n in shape):
        raise ValueError(f"the header of {what} declares a shape of {shape}")
    return shape, bool(fortran), dtype
