"""Rooms: an object in a room in colour, six factors, 480,000 images."""

from __future__ import annotations

import colorsys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from unweave._check import check_indices
from unweave._storage import cache_folder, writable_folder, written_whole
from unweave.datasets.dataset import GridDataset
from unweave.datasets.drawn import _rooms_scene
from unweave.datasets.factors import Factor, FactorSpace
from unweave.datasets.symmetries import CyclicShift, Translation

__all__ = ["Rooms"]

_VERSION = 1  # of the scene: another one draws other images
_SIZES = (64, 32)
_HUES = tuple(2 * np.pi * np.arange(10) / 10)
_SATURATION, _VALUE = 0.75, 0.95

_GEOMETRY = FactorSpace(
    [
        Factor("scale", tuple(np.linspace(0.75, 1.25, 8)), "ordinal"),
        Factor("shape", (0, 1, 2, 3), "categorical", ("cube", "cylinder", "sphere", "capsule")),
        Factor("orientation", tuple(np.linspace(-30, 30, 15)), "ordinal"),
    ]
)
"""What the maps depend on: all but the hues."""
_CHUNK = 16
_MAX_UNCACHED = 60  # an eighth


class Rooms(GridDataset):
    r"""A cube, cylinder, sphere or capsule in a room, in colour: 480,000 images with six factors.

    ==============  ======  ===========  =====================================================
    factor          levels  kind         values
    ==============  ======  ===========  =====================================================
    floor_hue       10      circular     angle on the circle of hues, 2 pi h / 10, red first
    wall_hue        10      circular     the same
    object_hue      10      circular     the same
    scale           8       ordinal      size relative to the middle one, 0.75 to 1.25
    shape           4       categorical  cube, cylinder, sphere, capsule
    orientation     15      ordinal      azimuth of the camera, -30 to 30 degrees
    ==============  ======  ===========  =====================================================

    The factors, their order and their numbers of levels are those of Shapes3D (Burgess and Kim
    2018, https://github.com/google-deepmind/3d-shapes), and the images look similar. **They are
    not the images of Shapes3D**: results on the two datasets cannot be compared number by number.
    What differs: the room (flat walls that meet in corners, no ceiling), the camera, the lamp (its
    shadows have soft edges), the proportions of the objects, the colours (saturation 0.75 and
    value 0.95 in HSV) and the values of hues (angles here, 0 to 0.9 there). Objects stand still
    and the camera turns, as there.

    Hues only recolour, so that 8 x 4 x 15 = 480 geometries give all images. Each is ray cast once
    as four maps of the pixels: for floor, wall and object the share of the pixel that it covers
    times its shade, and the highlight of the object. With the maps :math:`f, w, o, h` in units of
    1 / 65,536 and colours :math:`F, W, O` in 0 to 255, a channel of a pixel is

    .. math:: \min(255, \lfloor (f F + w W + o O + 255 h) / 65536 + 1/2 \rfloor)

    in whole numbers, the same for a row whatever rows it is asked with. Rounding the maps moves a
    channel by less than 0.02 levels before it is rounded itself.

    All maps (15.7 MB, or 3.9 MB at 32 pixels) are cached once and memory-mapped, by :meth:`prepare`
    or when a process has asked for more than 60 geometries. Before, those asked for are rendered.

    Parameters
    ----------
    size
        Pixels on a side: 64, or 32, where maps are means over 2 x 2 pixels of those of 64.

    Raises
    ------
    ValueError
        If the size is another.

    >>> dataset = Rooms()
    >>> dataset.images([0, 479_999]).shape
    (2, 64, 64, 3)
    >>> dataset.factors([0, 479_999]).tolist()
    [[0, 0, 0, 0, 0, 0], [9, 9, 9, 7, 3, 14]]
    """

    name = "rooms"
    space = FactorSpace(
        [
            *(Factor(f"{part}_hue", _HUES, "circular") for part in ("floor", "wall", "object")),
            *_GEOMETRY.factors,
        ]
    )
    symmetries = (
        CyclicShift("floor_hue", 10),
        CyclicShift("wall_hue", 10),
        CyclicShift("object_hue", 10),
        Translation("scale", 8),
        Translation("orientation", 15),
    )
    colours = np.array([colorsys.hsv_to_rgb(h / 10, _SATURATION, _VALUE) for h in range(10)])
    """Red, green and blue (10, 3) uint8 of each hue, where it is fully lit."""
    colours = np.rint(255 * colours).astype(np.uint8)
    colours.setflags(write=False)

    def __init__(self, size: int = 64) -> None:
        if size not in _SIZES:
            raise ValueError(f"size of the images of rooms must be 64 or 32 pixels, not {size}")
        self.size = int(size)
        self.image_shape = (self.size, self.size, 3)
        self._few: dict[int, np.ndarray] = {}
        self._all = self._open()

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process maps the same file; its content need not travel.
        return type(self), (self.size,), self._chosen

    @property
    def identity(self) -> str:
        """The name, with the size if it is not 64 and the version of the scene."""
        size = "" if self.size == _rooms_scene.SIDE else f"-{self.size}"
        return f"{self.name}{size}-{_VERSION}"

    @property
    def cache_file(self) -> Path:
        """Where the maps of all geometries are kept."""
        return cache_folder() / f"rooms-maps-{self.size}-{_VERSION}.npy"

    @property
    def is_prepared(self) -> bool:
        """Whether this process reads the maps from the cache."""
        return self._all is not None

    def prepare(self, progress: Callable[[int, int], None] | None = None) -> Rooms:
        """Render all geometries into the cache, once; ``progress`` gets (geometries done, total).

        Raises
        ------
        OSError
            If the cache cannot be written.
        """
        if self._all is None:
            file = self.cache_file
            writable_folder(file.parent)
            with FileLock(f"{file}.lock"):  # of several processes one renders
                self._all = self._open()
                if self._all is None:
                    self._render_into(file, progress)
                    self._all = self._open()
            self._few = {}
        return self

    def images(self, indices: object) -> np.ndarray:
        """Images (n, size, size, 3) uint8."""
        rows = check_indices(indices, len(self))
        maps, places = self._maps(rows % len(_GEOMETRY))
        hues = self.space.levels(rows)[:, :3]
        pixels = np.empty((len(rows), self.size**2, 3), dtype=np.uint8)
        _rooms_scene.paint(maps, places, self.colours[hues], pixels)
        return pixels.reshape(-1, *self.image_shape)

    def stored(self, indices: object) -> np.ndarray:
        """The images flattened, (n, size * size * 3) uint8."""
        return self.images(indices).reshape(-1, 3 * self.size**2)

    def coverage(self, indices: object) -> np.ndarray:
        """Share (n, size, size, 3) float32 of each pixel that floor, wall and object cover.

        Whole sixteenths at 64 pixels. Rendered when asked for, not cached.
        """
        rows = check_indices(indices, len(self))
        distinct, places = np.unique(rows % len(_GEOMETRY), return_inverse=True)
        maps = self._rendered(distinct, lit=False)[places, :3]
        # Rays per pixel are 16, or 64 at half the size: counts that the maps hold but for rounding.
        share = np.rint(maps * np.float32(64 / _rooms_scene.UNIT)) / np.float32(64)
        return share.reshape(-1, 3, self.size, self.size).transpose(0, 2, 3, 1)

    def _maps(self, geometries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Maps (m, 4, pixels) uint16, and which of them belong to each of the geometries (n,)."""
        if self._all is None and self.cache_file.exists():
            self._all = self._open()
        if self._all is None:
            distinct, places = np.unique(geometries, return_inverse=True)
            few = self._few  # another thread may prepare
            missing = [g for g in distinct.tolist() if g not in few]
            if len(few) + len(missing) <= _MAX_UNCACHED:
                few.update(zip(missing, self._rendered(np.array(missing, int)), strict=True))
                kept = [few[g] for g in distinct.tolist()]
                maps = np.stack(kept) if kept else np.empty((0, 4, self.size**2), np.uint16)
                maps.setflags(write=False)  # as the mapped file, which is compiled for
                return maps, places
            self.prepare()
        assert self._all is not None
        return self._all, geometries

    def _rendered(self, geometries: np.ndarray, *, lit: bool = True) -> np.ndarray:
        """Maps (n, 4, pixels) uint16 of the geometries (n,)."""
        values = _GEOMETRY.values(_GEOMETRY.levels(geometries))
        maps = _rooms_scene.cast(values[:, 0], values[:, 1], values[:, 2], lit=lit)
        if self.size != _rooms_scene.SIDE:
            blocks = maps.reshape(-1, 4, self.size, 2, self.size, 2)
            maps = ((blocks.sum((3, 5), dtype=np.uint32) + 2) // 4).astype(np.uint16)
        return maps.reshape(-1, 4, self.size**2)

    def _render_into(self, file: Path, progress: Callable[[int, int], None] | None) -> None:
        n = len(_GEOMETRY)
        with written_whole(file) as temporary, open(temporary, "wb") as part:
            header = {"descr": "<u2", "fortran_order": False, "shape": (n, 4, self.size**2)}
            np.lib.format.write_array_header_1_0(part, header)
            for start in range(0, n, _CHUNK):
                stop = min(start + _CHUNK, n)
                part.write(self._rendered(np.arange(start, stop)).astype("<u2").tobytes())
                if progress:
                    progress(stop, n)

    def _open(self) -> np.ndarray | None:
        """The cached maps, mapped; None if there are none."""
        file = self.cache_file
        if not file.exists():
            return None
        maps = None
        try:
            maps = np.load(file, mmap_mode="r")
            if maps.shape != (len(_GEOMETRY), 4, self.size**2) or maps.dtype != np.uint16:
                raise ValueError(f"its shape is {maps.shape}")
            # Every pixel shows something; a block of zeros was never written.
            if not maps[:, :3].any(axis=1).all():
                raise ValueError("parts of it are empty")
        except (ValueError, EOFError) as error:
            warnings.warn(f"{file} is damaged ({error}); it is rendered again", stacklevel=3)
            maps = None  # Windows does not delete what is mapped
            file.unlink(missing_ok=True)
        return maps
