"""A small dataset all of whose factors are cyclic: an arrow on a plane that has no border."""

from __future__ import annotations

import functools

import numpy as np

from unweave.datasets.dataset import GridDataset
from unweave.datasets.factors import Factor, FactorSpace
from unweave.datasets.symmetries import CyclicShift

__all__ = ["Torus"]

_SIDE, _LEVELS, _TURNS = 32, 16, 16
_SUPERSAMPLING = 3
_LENGTH, _WIDTH = 7.5, 5.5  # half of the arrow's, in pixels


class Torus(GridDataset):
    """White arrows on black, of 16 places across, 16 down and 16 directions: 4,096 images.

    What leaves the image on one side comes in at the other, so that each factor is a circle and
    shifts of all three form the group :math:`SO(2)^3`, at these levels. The arrow has no symmetry
    of its own: no two images are equal.

    >>> dataset = Torus()
    >>> len(dataset), dataset.image_shape
    (4096, (32, 32, 1))
    """

    name = identity = "torus"
    space = FactorSpace(
        [
            Factor("direction", tuple(2 * np.pi * np.arange(_TURNS) / _TURNS), "circular"),
            Factor("x", tuple(2 * np.pi * np.arange(_LEVELS) / _LEVELS), "circular"),
            Factor("y", tuple(2 * np.pi * np.arange(_LEVELS) / _LEVELS), "circular"),
        ]
    )
    image_shape = (_SIDE, _SIDE, 1)
    symmetries = (
        CyclicShift("direction", _TURNS),
        CyclicShift("x", _LEVELS),
        CyclicShift("y", _LEVELS),
    )

    def images(self, indices: object) -> np.ndarray:
        """Images (n, 32, 32, 1) uint8, with grey at the arrow's edge."""
        direction, x, y = self.space.levels(indices).T
        arrows = _arrows()[direction]
        # A level is a whole number of pixels, so that a shift of levels is one of pixels.
        step = _SIDE // _LEVELS
        rows = (np.arange(_SIDE)[None] - step * y[:, None]) % _SIDE
        columns = (np.arange(_SIDE)[None] - step * x[:, None]) % _SIDE
        n = np.arange(len(arrows))[:, None, None]
        return arrows[n, rows[:, :, None], columns[:, None, :], None]


@functools.cache
def _arrows() -> np.ndarray:
    """Arrows (directions, height, width) uint8 around the first pixel."""
    offsets = (np.arange(_SIDE * _SUPERSAMPLING) + 0.5) / _SUPERSAMPLING - 0.5
    offsets = (offsets + _SIDE / 2) % _SIDE - _SIDE / 2
    down, right = np.meshgrid(offsets, offsets, indexing="ij")
    angles = 2 * np.pi * np.arange(_TURNS)[:, None, None] / _TURNS
    along = np.cos(angles) * right + np.sin(angles) * down
    across = -np.sin(angles) * right + np.cos(angles) * down
    # A triangle with its tip ahead and a notch behind.
    half_width = _WIDTH * (_LENGTH - along) / (2 * _LENGTH)
    inside = (along > -_LENGTH) & (np.abs(across) < half_width)
    inside &= ~((along < -_LENGTH / 2) & (np.abs(across) < _WIDTH / 4))
    shape = (_TURNS, _SIDE, _SUPERSAMPLING, _SIDE, _SUPERSAMPLING)
    coverage = inside.reshape(shape).mean(axis=(2, 4))
    return np.rint(255 * coverage).astype(np.uint8)
