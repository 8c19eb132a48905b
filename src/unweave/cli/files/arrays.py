"""The readers of .npz and .npy."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from unweave._limits import array_names, check_member, check_room, read_header
from unweave.cli.files.source import Source, shape_text

__all__ = ["npy_source", "npz_source"]

_FIELD = "/"  # between the name of a structured array and that of its field


def npy_source(file: Path) -> Source:
    """The array of an .npy, named after the file."""
    with open(file, "rb") as stream:
        if stream.read(2) == b"PK":
            raise ValueError("it is an .npz archive: name it .npz")
        stream.seek(0)
        shape, _, dtype = read_header(stream, "it", file.stat().st_size)

    def load(_names: Sequence[str]) -> list[Any]:
        check_room(_n_bytes(shape, dtype), "it")
        return [_plain(np.load(file, allow_pickle=False), file.stem)]

    _check_dtype(file.stem, dtype)
    return Source(file, "array", {file.stem: shape_text(dtype, shape)}, load)


def npz_source(file: Path) -> Source:
    """The arrays of an .npz, of which only those that are chosen are read."""
    with open(file, "rb") as stream:
        start = stream.read(6)
    if start == b"\x93NUMPY":
        raise ValueError("it is a single array: name it .npy")
    if zipfile.is_zipfile(file) and start[:2] != b"PK":
        raise ValueError(
            f"it begins with {start!r}, and an .npz with b'PK': something stands before the "
            "archive; write it again with np.savez"
        )
    types: dict[str, tuple[tuple[int, ...], np.dtype]] = {}
    with zipfile.ZipFile(file) as archive:
        for name in array_names(archive):
            member = archive.getinfo(f"{name}.npy")
            check_member(member)
            with archive.open(member) as content:
                shape, _, dtype = read_header(content, f"the array {name!r}", member.file_size)
            types[name] = shape, dtype
    found = {name: shape_text(dtype, shape) for name, (shape, dtype) in types.items()}

    def load(names: Sequence[str]) -> list[Any]:
        for name in names:
            _check_dtype(name, types[name][1])
        listed = f"{'the arrays' if len(names) > 1 else 'the array'} {', '.join(names)}"
        check_room(sum(_n_bytes(*types[name]) for name in names), listed)
        with zipfile.ZipFile(file) as archive:
            return [_plain(_member(archive, name), name) for name in names]

    return Source(file, "array", found, load)


def _member(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as content:
        return npy.read_array(content, allow_pickle=False)


def _n_bytes(shape: Sequence[int], dtype: np.dtype) -> int:
    return math.prod(shape) * dtype.itemsize


def _check_dtype(name: str, dtype: np.dtype) -> None:
    if dtype.hasobject:
        raise ValueError(
            f"the array {name!r} is pickled, and pickles are never loaded because they can run "
            "code; save plain numbers or strings"
        )
    if dtype.kind not in "biufUS":
        raise ValueError(
            f"the array {name!r} is of type {dtype}: save plain numbers or strings, one array for "
            "each kind of value"
        )


def _plain(array: np.ndarray, name: str) -> np.ndarray:
    """The array with its bytes as text."""
    if array.dtype.kind != "S":
        return array
    try:
        return np.strings.decode(array, "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"the array {name!r} holds bytes that are not UTF-8 text: save it as strings"
        ) from error
