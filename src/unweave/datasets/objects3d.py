"""Rendered objects whose factors are a rotation and the direction of the light: SO(3) x S^2."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from unweave._check import check_indices, check_positive
from unweave.datasets.cache import cache_folder, written_whole
from unweave.datasets.meshes import Mesh, bunny, load_mesh, pointer
from unweave.datasets.renderer import Renderer

__all__ = ["Objects3D"]

_MESHES = {"bunny": bunny, "pointer": pointer}
_CHUNK = 256
_STEP = 0.03  # of finite differences, as the generator has it


class Objects3D:
    r"""Images of an object at rotations and under lights that are uniform and independent.

    The scene of S3O4D (Pfau et al. 2020, https://arxiv.org/abs/2006.12982, section 5.2), rendered
    here: see :class:`~unweave.datasets.renderer.Renderer` for what differs. There is no grid of
    levels: factors are points of :math:`SO(3) \times S^2`. Images are rendered when they are asked
    for, or all at once by :meth:`prepare`, which keeps them in the cache.

    Parameters
    ----------
    n
        How many images.
    mesh
        ``bunny``, ``pointer`` (a crooked pyramid), or a file of a mesh, the dragon's say.
    size
        Pixels on a side.
    supersampling
        Samples on a side of each pixel.
    seed
        Of rotations and lights.

    Raises
    ------
    ValueError, FileNotFoundError
        If a number is below 1, or there is no such mesh.
    """

    name = "objects3d"

    def __init__(
        self,
        n: int = 10_000,
        *,
        mesh: str | Path = "bunny",
        size: int = 64,
        supersampling: int = 4,
        seed: int = 0,
    ) -> None:
        self.n = check_positive("n", n)
        self.size = check_positive("size", size)
        self.supersampling = check_positive("supersampling", supersampling)
        self.seed = seed
        self.mesh: Mesh = _MESHES[str(mesh)]() if str(mesh) in _MESHES else load_mesh(Path(mesh))
        self.image_shape = (size, size, 1)
        rng = np.random.default_rng([seed, 0])
        self.lights = _unit(rng.standard_normal((n, 3)))
        """Directions (n, 3) of length 1; the opposite one is the same light."""
        self.quaternions = _unit(rng.standard_normal((n, 4)))
        """Rotations (n, 4) of length 1, real part first; the opposite one is the same rotation."""
        self._renderer: Renderer | None = None

    def __len__(self) -> int:
        return self.n

    def __repr__(self) -> str:
        return f"Objects3D({self.n} images of {self.image_shape}, {self.mesh.name})"

    @property
    def rotations(self) -> np.ndarray:
        """Rotation matrices (n, 3, 3)."""
        from scipy.spatial.transform import Rotation

        return Rotation.from_quat(self.quaternions[:, [1, 2, 3, 0]]).as_matrix()

    @property
    def cache_file(self) -> Path:
        """Where :meth:`prepare` keeps the images."""
        shape = hashlib.sha256(self.mesh.vertices.tobytes() + self.mesh.faces.tobytes())
        key = f"{shape.hexdigest()[:8]}-{self.n}-{self.size}-{self.supersampling}-{self.seed}"
        return cache_folder() / f"objects3d-{self.mesh.name}-{key}.npy"

    def prepare(self, progress: Callable[[int, int], None] | None = None) -> Objects3D:
        """Render all images into the cache, once; ``progress`` is told those done, and in all."""
        if not self.cache_file.exists():
            images = np.empty((self.n, *self.image_shape), dtype=np.uint8)
            for start in range(0, self.n, _CHUNK):
                rows = np.arange(start, min(start + _CHUNK, self.n))
                images[rows] = self._rendered(rows)
                if progress:
                    progress(int(rows[-1]) + 1, self.n)
            with written_whole(self.cache_file) as temporary, open(temporary, "wb") as file:
                np.save(file, images)
        return self

    def images(self, indices: object) -> np.ndarray:
        """Images (n, size, size, 1) uint8."""
        rows = check_indices(indices, self.n)
        if self.cache_file.exists():
            return np.load(self.cache_file, mmap_mode="r")[rows]
        return self._rendered(rows)

    def tangent_images(self, indices: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Derivatives of images by rotation and light, as the published data has them.

        By differences of 0.03 along three directions at right angles to the quaternion, and two to
        the light.

        Returns
        -------
        tuple
            Images (n, 5, size, size) float32, the three of the rotation first; the directions of
            quaternions (n, 4, 3) and of lights (n, 3, 2). The published images are these less their
            mean over the five.
        """
        rows = check_indices(indices, self.n)
        quaternions, lights = self.quaternions[rows], self.lights[rows]
        turns, shifts = _normals(quaternions), _normals(lights)
        renderer = self._renderer_of()
        still = renderer.render(quaternions, lights)
        moved = [
            *(renderer.render(quaternions + _STEP * turns[:, :, i], lights) for i in range(3)),
            *(renderer.render(quaternions, lights + _STEP * shifts[:, :, i]) for i in range(2)),
        ]
        return np.stack([(m - still) / _STEP for m in moved], axis=1), turns, shifts

    def render(self, quaternions: np.ndarray, lights: np.ndarray) -> np.ndarray:
        """Images (n, size, size, 1) uint8 of the object at rotations (n, 4), lights (n, 3)."""
        images = self._renderer_of().render(quaternions, lights)
        return np.rint(images).astype(np.uint8)[..., None]

    def _rendered(self, rows: np.ndarray) -> np.ndarray:
        return self.render(self.quaternions[rows], self.lights[rows])

    def _renderer_of(self) -> Renderer:
        if self._renderer is None:
            self._renderer = Renderer(self.mesh, size=self.size, supersampling=self.supersampling)
        return self._renderer


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _normals(vectors: np.ndarray) -> np.ndarray:
    """Orthonormal directions (n, size, size - 1) at right angles to each vector."""
    return np.linalg.svd(vectors[:, None])[2][:, 1:].transpose(0, 2, 1)
