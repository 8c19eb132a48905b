"""Groups that act on a dataset, each on one factor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unweave.datasets.factors import FactorSpace

__all__ = ["CyclicShift", "Rotations", "Symmetry", "Translation"]


@dataclass(frozen=True)
class Symmetry:
    """A group that moves the levels of one factor and leaves the others alone."""

    factor: str
    """Name of the factor."""
    n_levels: int
    """Levels that it moves among, from 0 on."""

    @property
    def elements(self) -> tuple[int, ...]:
        """The elements but for the identity, as numbers of levels."""
        raise NotImplementedError

    def act(self, levels: np.ndarray, element: int, space: FactorSpace) -> np.ndarray:
        """Levels (n, factors) after the element has acted; -1 where it would leave the data."""
        moved = np.array(levels)
        column = space.position(self.factor)
        moved[:, column] = self._move(moved[:, column], element)
        return moved

    def compose(self, first: int, second: int) -> int:
        """The element that does both; 0 is the identity."""
        raise NotImplementedError

    def _move(self, level: np.ndarray, element: int) -> np.ndarray:
        raise NotImplementedError


class CyclicShift(Symmetry):
    """The cyclic group of the levels of a circular factor, in its rotations SO(2)."""

    @property
    def elements(self) -> tuple[int, ...]:
        """Shifts by one level to all but one."""
        return tuple(range(1, self.n_levels))

    def compose(self, first: int, second: int) -> int:
        """Shifts add up, round the circle."""
        return (first + second) % self.n_levels

    def _move(self, level: np.ndarray, element: int) -> np.ndarray:
        return (level + element) % self.n_levels


class Translation(Symmetry):
    """The whole numbers, shifting an ordered factor; at the border they act on some rows only."""

    @property
    def elements(self) -> tuple[int, ...]:
        """Shifts by a quarter of the levels at most, either way."""
        reach = max(1, self.n_levels // 4)
        return tuple(e for e in range(-reach, reach + 1) if e)

    def compose(self, first: int, second: int) -> int:
        """Shifts add up."""
        return first + second

    def _move(self, level: np.ndarray, element: int) -> np.ndarray:
        moved = level + element
        return np.where((moved >= 0) & (moved < self.n_levels), moved, -1)


@dataclass(frozen=True)
class Rotations:
    """The group SO(3), turning one part of a scene and leaving the others alone."""

    factor: str
    """Name of the part: rotation, of the object; or light."""

    def act(
        self, quaternions: np.ndarray, lights: np.ndarray, element: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Quaternions (n, 4), real part first, and lights (n, 3) after the element has acted.

        The element is a quaternion (4,), or one for each row (n, 4), of length 1.
        """
        from scipy.spatial.transform import Rotation

        turn = Rotation.from_quat(np.roll(element, -1, axis=-1))
        if self.factor == "light":
            return quaternions, turn.apply(lights)
        turned = turn * Rotation.from_quat(np.roll(quaternions, -1, axis=-1))
        return np.roll(turned.as_quat(), 1, axis=-1), lights
