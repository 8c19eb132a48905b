"""The readers of .npz and .npy."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from unweave.cli.files.source import Source, shape_text

__all__ = ["npy_source", "npz_source"]

_FIELD = "/"  # between the name of a structured array and that of its field


def npy_source(file: Path) -> Source:
    """The array of an .npy, named after the file."""
    with open(file, "rb") as stream:
        if stream.read(2) == b"PK":
            raise ValueError("it is an .npz archive: name it .npz")
        stream.seek(0)
        shape, dtype = _header(stream)

    def load(_names: Sequence[str]) -> list[Any]:
        return [_plain(np.load(file, allow_pickle=False), file.stem)]

    _check_dtype(file.stem, dtype)
    return Source(file, "array", {file.stem: shape_text(dtype, shape)}, load)


def npz_source(file: Path) -> Source:
    """The arrays of an .npz, of which only those that are chosen are read."""
    with open(file, "rb") as stream:
        if stream.read(6) == b"\x93NUMPY":
            raise ValueError("it is a single array: name it .npy")
    dtypes: dict[str, np.dtype] = {}
    found: dict[str, str] = {}
    with zipfile.ZipFile(file) as archive:
        for member in archive.namelist():
            if member.endswith(".npy"):
                name = member.removesuffix(".npy")
                with archive.open(member) as content:
                    shape, dtypes[name] = _header(content)
                found[name] = shape_text(dtypes[name], shape)

    def load(names: Sequence[str]) -> list[Any]:
        for name in names:
            _check_dtype(name, dtypes[name])
        with np.load(file, allow_pickle=False) as archive:
            return [_plain(archive[name], name) for name in names]

    return Source(file, "array", found, load)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(stream)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read(stream)
    return shape, dtype


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
