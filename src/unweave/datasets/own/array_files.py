"""Images in one file, .npz, .h5 or .npy, with or without factors."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unweave._check import check_factor_kinds, check_names
from unweave._extras import require
from unweave.datasets.content import content_hash
from unweave.datasets.dataset import ImageDataset
from unweave.datasets.members import array_members, open_member
from unweave.datasets.own.arrays import ArrayDataset, Channels
from unweave.datasets.own.columns import Names, read_columns, with_factors
from unweave.datasets.own.folders import declared_kinds
from unweave.datasets.store import mapped_array

__all__ = ["from_file", "image_type"]

_NAMES, _KINDS = "factor_names", "factor_kinds"


def from_file(
    path: str | Path,
    *,
    images: str = "images",
    table: str = "factors",
    categorical: Names = (),
    ordinal: Names = (),
    continuous: Names = (),
    circular: Names = (),
    channels: Channels = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> ImageDataset:
    """Images in an .npz, .h5, .hdf5 or .npy file, with their factors if the file has them.

    The keys are those of the files of `unweave score`: ``images`` (n, height, width, channels),
    (n, channels, height, width) or (n, height, width), by the rules of
    :class:`~unweave.datasets.ArrayDataset`; and, if the factors are known, ``factors``,
    ``factor_names`` and ``factor_kinds``. The factors are an array of numbers or words
    (n, factors), one column (n,), a structured array (n,), or one array (n,) for each factor under
    ``factors/NAME``, so that each may have a type of its own; their kinds are then declared in the
    order of ``factor_names``. They are read by
    :func:`~unweave.datasets.own.columns.read_columns`. An .npy holds images alone.

    Images are memory-mapped: a compressed file is unpacked once into the cache. Pickled arrays are
    refused.

    Parameters
    ----------
    path
        The file.
    images
        Key of the images.
    table
        Key of the factors.
    categorical, ordinal, continuous, circular
        Names of factors that are of this kind, whatever the file says.
    channels
        Whether the axis of channels is the ``last`` or the ``first`` of an image; ``auto`` sees it
        from the shape.
    progress
        Called with the images that are unpacked and the images in all.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, has no array of this key (those found are listed), holds pickles,
        or holds images or factors that cannot be used.
    """
    path = Path(path)
    kinds = declared_kinds(
        categorical=categorical, ordinal=ordinal, continuous=continuous, circular=circular
    )
    members = array_members(path)
    if "" in members:
        if kinds:
            raise ValueError(
                f"{path} holds images alone, and kinds of factors were given: {', '.join(kinds)}"
            )
        return _ImagesOfFile(path, None, channels, progress)
    if images not in members:
        raise ValueError(
            f"{path} has no array {images!r} for the images; it holds {_listing(members)}: name "
            "one of them with ?images=KEY after the file's name"
        )
    pixels = _ImagesOfFile(path, images, channels, progress)
    columns = _columns(path, members, table)
    if columns is None:
        if kinds or table != "factors":
            raise ValueError(f"{path} has no factors under {table!r}; it holds {_listing(members)}")
        return pixels
    lengths = sorted({len(column) for column in columns.values()})
    if lengths != [len(pixels)]:
        raise ValueError(
            f"{path} has {len(pixels):,} images and factors of "
            f"{' and '.join(f'{n:,}' for n in lengths)} rows: give one row for each image"
        )
    declared = _declared(path, members, columns, table) | kinds
    return with_factors(pixels, read_columns(columns, kinds=declared))


def image_type(path: str | Path, images: str = "images") -> str:
    """Type of the numbers that the images of a file are stored as.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`from_file`.
    """
    members = array_members(path)
    return str(members["" if "" in members else images][1])


class _ImagesOfFile(ArrayDataset):
    """Images in a file, which is hashed once while it stays as it is."""

    def __init__(self, path: Path, key: str | None, channels: Channels, progress: Any) -> None:
        array: np.ndarray = mapped_array(path, key, progress=progress)
        array = array[..., None] if array.ndim == 3 else array
        super().__init__(array, channels=channels, name=path.stem)
        self._file, self._key = path.absolute(), key

    @functools.cached_property
    def identity(self) -> str:
        """The name, and a hash of the file and of how its images are read."""
        how = f"{self._key} {self._channels_first} {content_hash(self._file)}"
        return f"{self.name}-{hashlib.sha256(how.encode()).hexdigest()[:16]}"


def _columns(path: Path, members: Mapping[str, Any], key: str) -> dict[str, np.ndarray] | None:
    """The column of each factor by name; None if there are none."""
    inside = [name for name in members if name.startswith(f"{key}/")]
    if inside:
        return {name.removeprefix(f"{key}/"): _small(path, name) for name in inside}
    if key not in members:
        return None
    array = _small(path, key)
    if array.dtype.names:
        return {name: _plain(array[name], path, name) for name in array.dtype.names}
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2:
        raise ValueError(
            f"{key} in {path} is of shape {array.shape}: give one row for each image and one "
            "column for each factor"
        )
    names = _texts(path, members, _NAMES)
    if names is None:
        names = [f"factor_{k}" for k in range(array.shape[1])]
    return dict(zip(check_names("factor", names, array.shape[1]), array.T, strict=True))


def _declared(
    path: Path, members: Mapping[str, Any], columns: Mapping[str, np.ndarray], key: str
) -> dict[str, str]:
    """The kinds that the file declares for the factors that vary; the others are left out."""
    found = _texts(path, members, _KINDS)
    if found is None:
        return {}
    names = _order(path, members, columns, key)
    kinds = zip(names, check_factor_kinds(found, len(columns)), strict=True)
    return {name: kind for name, kind in kinds if _varies(columns[name])}


def _order(
    path: Path, members: Mapping[str, Any], columns: Mapping[str, Any], key: str
) -> list[str]:
    """Names of the factors in the order that kinds are declared in."""
    names = _texts(path, members, _NAMES)
    if names is not None and sorted(names) != sorted(columns):
        raise ValueError(
            f"{path} names the factors {', '.join(names)} under {_NAMES!r} and holds "
            f"{', '.join(columns)}: make both agree"
        )
    if names is None and len(columns) > 1 and key not in members:
        raise ValueError(
            f"{path} declares kinds of factors that are arrays of their own, which have no order: "
            f"name them in the same order under {_NAMES!r}"
        )
    return list(columns) if names is None else names


def _varies(column: np.ndarray) -> bool:
    known = column[~np.isnan(column)] if column.dtype.kind == "f" else column
    return len(known) > 0 and bool((known != known[0]).any())


def _texts(path: Path, members: Mapping[str, Any], key: str) -> list[str] | None:
    if key not in members:
        return None
    return [str(word) for word in np.atleast_1d(_small(path, key)).ravel()]


def _small(path: Path, key: str) -> np.ndarray:
    """An array that is read as a whole, its bytes as text."""
    if path.suffix.lower() == ".npz":
        return _plain(open_member(path, key).read(), path, key)
    require("hdf5", needed_by="an HDF5 file")
    import h5py

    with h5py.File(path, "r") as file:
        found = file[key]
        if h5py.check_string_dtype(found.dtype) is not None:
            return np.asarray(found.asstr()[()]).astype(str)
        return _plain(found[()], path, key)


def _plain(array: np.ndarray, path: Path, key: str) -> np.ndarray:
    array = np.asarray(array)
    if array.dtype.kind != "S":
        return array
    try:
        return np.strings.decode(array, "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{key} in {path} holds bytes that are not UTF-8: save text") from error


def _listing(members: Mapping[str, tuple[tuple[int, ...], np.dtype]]) -> str:
    shown = [f"{name} {shape} {dtype}" for name, (shape, dtype) in list(members.items())[:20]]
    return ", ".join(shown) or "no arrays"
