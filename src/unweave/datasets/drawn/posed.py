"""Images of an object at rotations and under lights, points of SO(3) x S^2."""

from __future__ import annotations

import numpy as np

from unweave.datasets.dataset import ImageDataset
from unweave.datasets.symmetries import Rotations

__all__ = ["PosedObjects", "normals", "unit"]


class PosedObjects(ImageDataset):
    r"""Images of an object, each at a rotation and under a light of its own.

    The factors are points of :math:`SO(3) \times S^2`. No list of numbers stands for them without
    a seam, as angles have, or a choice of axes, on which a score by factor would depend. So this
    is a dataset without columns of factors. It is trained on and encoded as any images are, and
    its representations are judged by their geometry: :class:`~unweave.geometry.Geomancer` splits
    them into subspaces, and ``points`` and ``tangents`` are the truth to compare them with.
    """

    without_factors = (
        "has factors that are points of SO(3) x S^2, not columns of numbers: split its codes with "
        "GEOMANCER, as `unweave study objects3d` does"
    )

    quaternions: np.ndarray
    """Rotations (n, 4) of length 1, real part first; the opposite one is the same rotation."""
    lights: np.ndarray
    """Directions (n, 3) of length 1; the opposite one is the same light."""
    symmetries: tuple[Rotations, ...] = (Rotations("rotation"), Rotations("light"))
    """Groups that act on the images, each on one factor."""

    def __len__(self) -> int:
        return len(self.lights)

    @property
    def rotations(self) -> np.ndarray:
        """Rotation matrices (n, 3, 3)."""
        from scipy.spatial.transform import Rotation

        return Rotation.from_quat(np.roll(self.quaternions, -1, axis=1)).as_matrix()

    @property
    def points(self) -> np.ndarray:
        """Factors (n, 12) as the paper has them: the nine of a rotation matrix, and the light."""
        return np.concatenate([self.rotations.reshape(-1, 9), self.lights], axis=1)

    @property
    def tangents(self) -> list[np.ndarray]:
        """Orthonormal bases of the subspaces of rotation (n, 12, 3) and light (n, 12, 2) there."""
        generators = np.zeros((3, 3, 3))
        first, second = [1, 2, 0], [2, 0, 1]
        generators[range(3), first, second], generators[range(3), second, first] = -1, 1
        turning = np.einsum("nab,ibc->naci", self.rotations, generators) / np.sqrt(2)
        turning = turning.reshape(-1, 9, 3)
        shifting = normals(self.lights)
        return [
            np.pad(turning, ((0, 0), (0, 3), (0, 0))),
            np.pad(shifting, ((0, 0), (9, 0), (0, 0))),
        ]


def unit(vectors: np.ndarray) -> np.ndarray:
    """The vectors (n, size) at length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def normals(vectors: np.ndarray) -> np.ndarray:
    """Orthonormal directions (n, size, size - 1) at right angles to each vector."""
    return np.linalg.svd(vectors[:, None])[2][:, 1:].transpose(0, 2, 1)
