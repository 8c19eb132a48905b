"""Arrays in .npy, .npz and HDF5 files: found by name, and read piece by piece."""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from unweave._extras import require
from unweave._files import check_regular, first_line
from unweave._limits import array_names, check_archive, check_member, check_room, read_header

__all__ = ["Member", "array_members", "member_names", "open_member"]

_BLOCK = 1 << 26  # bytes that are read at once
_LARGEST_BLOCK = 1 << 29  # where the chunks of a file ask for it
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    struct.error,
)


@dataclass(frozen=True)
class Member:
    """One array of a file, known by its header."""

    file: Path
    name: str
    """Key in an .npz, path in an HDF5 file; empty in an .npy."""
    shape: tuple[int, ...]
    dtype: np.dtype
    kind: str
    """``npy``, ``npz`` or ``hdf5``."""
    fortran_order: bool = False
    """Whether the first axis is the fastest."""
    offset: int | None = None
    """Where the numbers begin in the file, if they lie there uncompressed."""
    is_elsewhere: bool = False
    """Whether the numbers lie in other files, as HDF5 can have it."""

    @property
    def what(self) -> str:
        """Names it in sentences."""
        return f"{self.name} in {self.file}" if self.name else str(self.file)

    @property
    def n_bytes(self) -> int:
        """Bytes of all numbers."""
        return math.prod(self.shape) * self.dtype.itemsize

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """Consecutive rows, each with the number of its first, as they lie in the file.

        With ``fortran_order`` the rows are those of the transposed array.

        Raises
        ------
        ValueError
            If the file is damaged.
        """
        read = self._hdf5_blocks if self.kind == "hdf5" else self._npy_blocks
        with _readable(self.file):
            yield from read()

    def read(self) -> np.ndarray:
        """All of it, in memory.

        Raises
        ------
        ValueError
            If the file is damaged, or memory is short.
        """
        check_room(self.n_bytes, self.what)
        array = np.concatenate([rows for _, rows in self.blocks()])
        return array.T if self.fortran_order else array

    def check_sum(self) -> str:
        """Read all of a member of an .npz and compare it with the archive's CRC-32.

        Raises
        ------
        ValueError
            If it is another.
        """
        with _readable(self.file), zipfile.ZipFile(self.file) as archive:
            with archive.open(f"{self.name}.npy") as file:
                while file.read(_BLOCK):
                    pass
        return "right"

    def _npy_blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        shape = self.shape[::-1] if self.fortran_order else self.shape
        n_bytes = max(1, self.n_bytes // shape[0])
        with _stream(self.file, self.name) as file:
            read_header(file, self.what)
            for start in range(0, shape[0], step := max(1, _BLOCK // n_bytes)):
                n = min(step, shape[0] - start)
                data = file.read(n * n_bytes)
                if len(data) != n * n_bytes:
                    raise EOFError("it ends too early")
                yield start, np.frombuffer(data, self.dtype).reshape(n, *shape[1:])

    def _hdf5_blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        with _hdf5(self.file) as file:
            dataset = file[self.name]
            n_bytes = max(1, self.n_bytes // self.shape[0])
            step = max(1, _BLOCK // n_bytes)
            chunk = dataset.chunks[0] if dataset.chunks else 1
            if chunk * n_bytes <= _LARGEST_BLOCK:  # so that no chunk is unpacked twice
                step = max(chunk, step // chunk * chunk)
            for start in range(0, self.shape[0], step):
                yield start, dataset[start : start + step]


def open_member(file: str | Path, name: str | None = None) -> Member:
    """The array called ``name`` of a file; of an .npy the only one.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is none of .npy, .npz and HDF5, is damaged, or has no such array; or if the
        array holds Python objects, which are pickles and are never loaded, lies in other files, or
        holds nothing at all.
    """
    path = Path(file)
    kind = _kind(path)
    with _readable(path):
        if kind == "hdf5":
            member = _hdf5_member(path, name)
        else:
            member = _npy_member(path, None if kind == "npy" else name)
    if member is None:
        names = member_names(path)
        raise ValueError(f"{path} has no {name!r}: it holds {', '.join(names[:20]) or 'nothing'}")
    if member.dtype.hasobject:
        raise ValueError(
            f"{member.what} holds Python objects, which may run code when they are loaded: save "
            "it as an array of numbers"
        )
    if member.is_elsewhere:
        raise ValueError(
            f"{member.what} is made of other files, which may be missing or change: copy it into "
            "one file, as with file['copy'] = file['images'][:]"
        )
    if 0 in member.shape or not member.shape:
        raise ValueError(f"{member.what} is of shape {member.shape}: it holds no rows")
    return member


def member_names(file: str | Path) -> list[str]:
    """Names of the arrays in a file; an .npy's is empty.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`open_member`.
    """
    path = Path(file)
    kind = _kind(path)
    with _readable(path):
        if kind == "npy":
            return [""]
        if kind == "npz":
            with zipfile.ZipFile(path) as archive:
                return array_names(archive)
        items: list[tuple[str, Any]] = []
        with _hdf5(path) as opened:
            opened.visititems(lambda name, item: items.append((name, hasattr(item, "shape"))))
        return [name for name, is_array in items if is_array]


def array_members(file: str | Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Names of the arrays in a file, each with its shape and dtype; an .npy's has an empty name.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`open_member`.
    """
    path = Path(file)
    found = {}
    for name in member_names(path):
        with _readable(path):
            is_hdf5 = _kind(path) == "hdf5"
            member = _hdf5_member(path, name) if is_hdf5 else _npy_member(path, name)
        if member is not None:
            found[name] = (member.shape, member.dtype)
    return found


def _kind(path: Path) -> str:
    check_regular(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    with open(path, "rb") as file:
        start = file.read(8)
    for kind, magic in {"npy": b"\x93NUMPY", "npz": b"PK", "hdf5": b"\x89HDF\r\n\x1a\n"}.items():
        if start.startswith(magic):
            return kind
    raise ValueError(
        f"{path} must be an .npy, .npz or HDF5 file, and begins with {start!r}: if it was "
        "downloaded, download it again"
    )


def _npy_member(path: Path, name: str | None) -> Member | None:
    if not name:
        with open(path, "rb") as file:
            shape, fortran, dtype = read_header(file, str(path))
            return Member(path, "", shape, dtype, "npy", fortran, file.tell())
    with zipfile.ZipFile(path) as archive:
        check_archive(archive)
        if f"{name}.npy" not in archive.namelist():
            return None
        info = archive.getinfo(f"{name}.npy")
        check_member(info)
        with archive.open(info) as inside:
            shape, fortran, dtype = read_header(inside, name, info.file_size)
            header = inside.tell()
    member = Member(path, name, shape, dtype, "npz", fortran)
    if info.compress_type != zipfile.ZIP_STORED:
        return member
    with open(path, "rb") as file:  # a local header may be longer than that of the directory
        file.seek(info.header_offset + 26)
        n_name, n_extra = struct.unpack("<HH", file.read(4))
    start = info.header_offset + 30 + n_name + n_extra
    return Member(path, name, shape, dtype, "npz", fortran, start + header)


def _hdf5_member(path: Path, name: str | None) -> Member | None:
    with _hdf5(path) as file:
        found: Any = file.get(name) if name else None
        if not hasattr(found, "shape") or found.shape is None:
            return None
        elsewhere = bool(found.is_virtual or found.external)
        shape = tuple(found.shape)
        return Member(path, str(name), shape, found.dtype, "hdf5", is_elsewhere=elsewhere)


@contextmanager
def _stream(path: Path, name: str) -> Iterator[IO[bytes]]:
    if not name:
        with open(path, "rb") as file:
            yield file
        return
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as inside:
        yield inside


def _hdf5(path: Path) -> Any:
    require("hdf5", needed_by="an HDF5 file")
    import h5py

    return h5py.File(path, "r")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        raise ValueError(
            f"{path} is damaged or truncated ({first_line(error)}): get the file again"
        ) from error
