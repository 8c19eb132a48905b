"""Shapes3D (Kim and Mnih 2018): a coloured object in a coloured room, 480,000 images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from unweave.datasets.factors import Factor, FactorSpace
from unweave.datasets.members import open_member
from unweave.datasets.official.grids import OfficialGrid, check_images
from unweave.datasets.official.location import official_file
from unweave.datasets.store import mapped_array
from unweave.datasets.symmetries import CyclicShift

__all__ = ["Shapes3D"]

_TURNS = np.arange(10) / 10  # hues, as parts of a whole turn; 1 would be 0 again
_SCALES = np.linspace(0.75, 1.25, 8)
_ANGLES = np.linspace(-30, 30, 15)  # degrees
_HUES = ("floor_hue", "wall_hue", "object_hue")
_SPACE = FactorSpace(
    [
        *(Factor(hue, tuple(2 * np.pi * _TURNS), "circular") for hue in _HUES),
        Factor("scale", tuple(_SCALES)),
        Factor("shape", (0, 1, 2, 3), "categorical", ("cube", "cylinder", "sphere", "capsule")),
        Factor("orientation", tuple(_ANGLES)),
    ]
)
_OFFICIAL_VALUES = (_TURNS, _TURNS, _TURNS, _SCALES, np.arange(4), _ANGLES)


class Shapes3D(OfficialGrid):
    """Shapes3D, read from the official ``3dshapes.h5``.

    Hues are circular, with angles in radians: the ten official values 0 to 0.9 are parts of a
    whole turn. The orientation, from -30 to 30 degrees, is ordinal. The images are unpacked once
    into the cache (5.9 GB) and memory-mapped.

    Parameters
    ----------
    path
        The file, or a folder that holds it; None for the dataset's folder in the cache.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If its images or labels are not the official ones, or lie in another order.

    References
    ----------
    Kim, Mnih: Disentangling by Factorising (2018). https://github.com/google-deepmind/3d-shapes
    """

    name = "shapes3d"
    space = _SPACE
    image_shape = (64, 64, 3)
    symmetries = tuple(CyclicShift(hue, 10) for hue in _HUES)

    def __init__(self, path: str | Path | None = None) -> None:
        super().__init__(path)
        file = official_file(self.name, path, "3dshapes.h5")
        self._files = (file,)
        check_images(open_member(file, "images"), (len(self), *self.image_shape), self.name)
        self._check_labels(file)

    def _check_labels(self, file: Path) -> None:
        found = open_member(file, "labels").read()
        levels = self.space.all_levels()
        right = found.shape == levels.shape and all(
            np.allclose(found[:, i], values[levels[:, i]], atol=1e-6)
            for i, values in enumerate(_OFFICIAL_VALUES)
        )
        if not right:
            raise ValueError(
                f"the labels in {file} are not those of {self.name} in the official order: "
                f"{', '.join(self.space.names)}, the last one fastest"
            )

    def _map(self, progress: Callable[[int, int], None] | None) -> np.ndarray:
        return mapped_array(self._files[0], "images", progress=progress)
