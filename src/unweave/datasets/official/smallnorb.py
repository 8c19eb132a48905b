"""SmallNORB (LeCun et al. 2004): photographs of toys, 48,600 pairs of images."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from unweave._check import check_choice
from unweave.datasets.content import content_hash
from unweave.datasets.factors import Factor, FactorSpace
from unweave.datasets.official.grids import OfficialGrid, check_size, resized
from unweave.datasets.official.location import official_file
from unweave.datasets.store import built_array
from unweave.datasets.symmetries import CyclicShift

__all__ = ["SmallNORB"]

_STEMS = {
    "train": "smallnorb-5x46789x9x18x6x2x96x96-training",
    "test": "smallnorb-5x01235x9x18x6x2x96x96-testing",
}
_INSTANCES = {"train": (4, 6, 7, 8, 9), "test": (0, 1, 2, 3, 5)}
_DTYPES: dict[int, np.dtype] = {
    0x1E3D4C51: np.dtype("<f4"),
    0x1E3D4C53: np.dtype("<f8"),
    0x1E3D4C54: np.dtype("<i4"),
    0x1E3D4C55: np.dtype("u1"),  # not signed, as some code reads it: light pixels would be negative
    0x1E3D4C56: np.dtype("<i2"),
}
_PAIRS_AT_ONCE = 256


def _space(instances: tuple[int, ...]) -> FactorSpace:
    return FactorSpace(
        [
            Factor(
                "category",
                tuple(range(5)),
                "categorical",
                ("animal", "human", "airplane", "truck", "car"),
            ),
            Factor("instance", instances, "categorical"),
            Factor("elevation", tuple(range(30, 75, 5))),
            Factor("azimuth", tuple(2 * np.pi * np.arange(18) / 18), "circular"),
            Factor("lighting", tuple(range(6)), "categorical"),
        ]
    )


class SmallNORB(OfficialGrid):
    """SmallNORB, read from the official ``.mat.gz`` files, or from unpacked ones.

    Images are those of the left camera. Each of the five categories has ten toys, five in the
    training and five in the test files; ``instance``, the number of a toy, is a nuisance, because
    toys of the same number in two categories have nothing in common. Elevations are in degrees,
    azimuths (every 20 degrees) in radians. The images are written once into the cache (448 MB)
    in the order of the factors, and memory-mapped.

    Parameters
    ----------
    path
        Folder of the files, or one of them; None for the dataset's folder in the cache.
    split
        ``train`` or ``test`` for the images of these files alone; None for all.
    size
        Pixels on a side, 96 or fewer. Images are resized by Pillow's LANCZOS filter. Published
        results are of 64.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If an option is not possible, or the files are damaged or not the official ones.

    References
    ----------
    LeCun, Huang, Bottou: Learning Methods for Generic Object Recognition with Invariance to Pose
    and Lighting (2004). https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/
    """

    name = "smallnorb"
    nuisances = ("instance",)
    symmetries = (CyclicShift("azimuth", 18),)
    official_size = 96
    """Pixels on a side of the images in the files."""

    def __init__(
        self, path: str | Path | None = None, *, split: str | None = None, size: int = 96
    ) -> None:
        size = check_size(size, self.official_size)
        splits = tuple(_STEMS) if split is None else (check_choice("split", split, _STEMS),)
        super().__init__(path, split=split, size=size)
        self.image_shape = (size, size, 1)
        self.space = _space(tuple(sorted(i for s in splits for i in _INSTANCES[s])))
        self._parts = [tuple(_file(path, s, part) for part in _PARTS) for s in splits]
        self._files = tuple(file for files in self._parts for file in files)
        self._rows = self._rows_of_files()

    def _rows_of_files(self) -> list[np.ndarray]:
        """Rows of the grid at which the images of each file lie."""
        rows = [self._rows_of_labels(cat, info) for _, cat, info in self._parts]
        if not np.array_equal(np.sort(np.concatenate(rows)), np.arange(len(self))):
            raise ValueError(
                f"the labels in {self._files[0].parent} are not those of {self.name}: every "
                "combination must come once"
            )
        return rows

    def _rows_of_labels(self, cat: Path, info: Path) -> np.ndarray:
        category, others = _read_all(cat), _read_all(info)
        instances = np.array(self.space.factors[1].values)
        n = len(category)
        if category.shape != (n,) or others.shape != (n, 4):
            raise ValueError(
                f"{cat.name} and {info.name} are of shapes {category.shape} and {others.shape}, "
                "and must be (n,) and (n, 4)"
            )
        if (others[:, 2] % 2).any() or not np.isin(others[:, 0], instances).all():
            raise ValueError(
                f"{info} holds other labels than {self.name}: instances of this file, and even "
                "azimuths from 0 to 34, were expected"
            )
        levels = np.column_stack([category, others])
        levels[:, 1] = np.searchsorted(instances, others[:, 0])
        levels[:, 3] = others[:, 2] // 2  # in steps of 10 degrees, every 20
        return self.space.indices(levels)

    def _map(self, progress: Callable[[int, int], None] | None) -> np.ndarray:
        size = self.image_shape[0]
        split = self._options["split"] or "all"
        key = f"{self.name}-{split}-{size}-{content_hash(*self._files)[:24]}"
        shape = (len(self), *self.image_shape)
        return built_array(key, shape, np.uint8, self._blocks, progress=progress)

    def _blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """Single images with their rows, file by file."""
        side, size = self.official_size, self.image_shape[0]
        for (dat, _, _), rows in zip(self._parts, self._rows, strict=True):
            with _opened(dat) as file:
                shape, dtype = _header(file, dat)
                if (shape, dtype) != ((len(rows), 2, side, side), np.dtype("u1")):
                    raise ValueError(
                        f"the images in {dat} are {dtype} of shape {shape}, and must be uint8 of "
                        f"shape {(len(rows), 2, side, side)}"
                    )
                for start in range(0, len(rows), _PAIRS_AT_ONCE):
                    here = rows[start : start + _PAIRS_AT_ONCE]
                    pairs = _read(file, (len(here), 2, side, side), dtype)
                    for row, image in zip(here, pairs[:, 0], strict=True):
                        yield int(row), resized(image, size)[None, ..., None]


_PARTS = ("dat", "cat", "info")


def _file(path: str | Path | None, split: str, part: str) -> Path:
    name = f"{_STEMS[split]}-{part}.mat"
    return official_file(SmallNORB.name, path, f"{name}.gz", name)


def _read_all(path: Path) -> np.ndarray:
    with _opened(path) as file:
        shape, dtype = _header(file, path)
        return _read(file, shape, dtype).astype(np.int64)


def _header(file: IO[bytes], path: Path) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and dtype of a matrix in the format of the NORB files.

    After the magic number and the number of axes come the lengths of at least three.
    """
    magic, n_axes = struct.unpack("<ii", file.read(8))
    if magic not in _DTYPES or not 1 <= n_axes <= 8:
        raise ValueError(
            f"{path} begins with {magic:#x}, and a matrix of the NORB files with 0x1e3d4c51 to "
            "0x1e3d4c56: get the file again"
        )
    lengths = struct.unpack(f"<{max(3, n_axes)}i", file.read(4 * max(3, n_axes)))
    return lengths[:n_axes], _DTYPES[magic]


def _read(file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    n_bytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    data = file.read(n_bytes)
    if len(data) != n_bytes:
        raise EOFError("it ends too early")
    return np.frombuffer(data, dtype).reshape(shape)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    with open(path, "rb") as start:
        packed = start.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if packed else open(path, "rb") as file:
            yield file  # type: ignore[misc]
    except (EOFError, zlib.error, OSError, struct.error) as error:
        raise ValueError(f"{path} is damaged or truncated ({error}): get the file again") from error
