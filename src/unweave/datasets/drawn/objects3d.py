"""Rendered objects whose factors are a rotation and the direction of the light: SO(3) x S^2."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from unweave._check import check_indices, check_positive
from unweave._storage import cache_folder, written_whole
from unweave.datasets.drawn.meshes import Mesh, bunny, load_mesh, pointer
from unweave.datasets.drawn.posed import PosedObjects, normals, unit
from unweave.datasets.drawn.renderer import Renderer

__all__ = ["Objects3D"]

_MESHES = {"bunny": bunny, "pointer": pointer}
_CHUNK = 256
_STEP = 0.03  # of finite differences, as the generator has it

Progress = Callable[[int, int], None]


class Objects3D(PosedObjects):
    r"""Images of an object at rotations and under lights that are uniform and independent.

    The scene of S3O4D (Pfau et al. 2020, https://arxiv.org/abs/2006.12982, section 5.2), rendered
    here: see :class:`~unweave.datasets.drawn.renderer.Renderer` for what differs. Images are
    rendered when they are asked for, or all at once by :meth:`prepare`, which keeps them in the
    cache.

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
        Seed of rotations and lights.

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
        self.seed = check_positive("seed", seed, minimum=0)
        self._mesh = mesh
        self.mesh: Mesh = _MESHES[str(mesh)]() if str(mesh) in _MESHES else load_mesh(Path(mesh))
        self.image_shape = (self.size, self.size, 1)
        rng = np.random.default_rng([self.seed, 0])
        self.lights = unit(rng.standard_normal((self.n, 3)))
        self.quaternions = unit(rng.standard_normal((self.n, 4)))
        self._renderer: Renderer | None = None

    def others(self, n: int) -> Objects3D:
        """As many images of the same object in states of the next seed: not those of this one."""
        return Objects3D(
            n,
            mesh=self._mesh,
            size=self.size,
            supersampling=self.supersampling,
            seed=self.seed + 1,
        )

    def __repr__(self) -> str:
        return f"Objects3D({self.n} images of {self.image_shape}, {self.mesh.name})"

    @functools.cached_property
    def identity(self) -> str:
        """The mesh, and every number that the images depend on."""
        return f"{self.name}-{self._key}"

    @property
    def cache_file(self) -> Path:
        """Where :meth:`prepare` keeps the images."""
        return self._cache_file("")

    def prepare(self, progress: Progress | None = None) -> Objects3D:
        """Render all images into the cache, once; ``progress`` gets (images done, total)."""
        self._kept(self.cache_file, self.quaternions[:, None], self.lights[:, None], progress)
        return self

    def motions(self, angle: float = 0.1, progress: Progress | None = None) -> np.ndarray:
        """Images (n, 5, size, size, 1) after five small motions from each, at right angles.

        Each motion turns the object and moves the light, all of it together by ``angle`` radians.
        Directions are drawn separately for each image: they do not reveal the factors.
        """
        rng = np.random.default_rng([self.seed, 1])
        frames = np.linalg.qr(rng.standard_normal((self.n, 5, 5)))[0]
        file = self._cache_file(f"-motions-{angle:g}")
        return self._kept(file, *self._moved(angle * frames), progress)

    def clips(
        self, n_frames: int = 8, spacing: float = 0.15, progress: Progress | None = None
    ) -> np.ndarray:
        """Films (n, frames, size, size, 1) of uniform straight motion through each image's state.

        Object and light move along a geodesic in a random direction, ``spacing`` radians from
        frame to frame.
        """
        rng = np.random.default_rng([self.seed, 2])
        directions = unit(rng.standard_normal((self.n, 5)))
        times = spacing * (np.arange(n_frames) - n_frames // 2)
        file = self._cache_file(f"-clips-{n_frames}-{spacing:g}")
        return self._kept(file, *self._moved(times[:, None] * directions[:, None]), progress)

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
        turns, shifts = normals(quaternions), normals(lights)
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

    def _moved(self, moves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Quaternions (n, m, 4) and lights (n, m, 3) after moves (n, m, 5) in radians.

        Three numbers turn the object, about axes at right angles, and two move the light.
        """
        return (
            _along(self.quaternions, normals(self.quaternions), moves[..., :3] / 2),
            _along(self.lights, normals(self.lights), moves[..., 3:]),
        )

    @functools.cached_property
    def _key(self) -> str:
        shape = hashlib.sha256(self.mesh.vertices.tobytes() + self.mesh.faces.tobytes())
        numbers = f"{self.n}-{self.size}-{self.supersampling}-{self.seed}"
        return f"{self.mesh.name}-{shape.hexdigest()[:8]}-{numbers}"

    def _cache_file(self, what: str) -> Path:
        return cache_folder() / f"objects3d-{self._key}{what}.npy"

    def _kept(
        self, file: Path, quaternions: np.ndarray, lights: np.ndarray, progress: Progress | None
    ) -> np.ndarray:
        """Images (n, m, size, size, 1) at rotations (n, m, 4) and lights (n, m, 3), cached.

        What is one a row, m = 1, is kept without that axis.
        """
        if not file.exists():
            n, m, _ = quaternions.shape
            shape = (n, *self.image_shape) if m == 1 else (n, m, *self.image_shape)
            with written_whole(file) as temporary:
                images = np.lib.format.open_memmap(temporary, "w+", np.uint8, shape)
                per_chunk = max(1, _CHUNK // m)
                for start in range(0, n, per_chunk):
                    rows = slice(start, min(start + per_chunk, n))
                    poses = quaternions[rows].reshape(-1, 4), lights[rows].reshape(-1, 3)
                    images[rows] = self.render(*poses).reshape(-1, *shape[1:])
                    if progress:
                        progress(rows.stop * m, n * m)
                images.flush()
        return np.load(file, mmap_mode="r")

    def _renderer_of(self) -> Renderer:
        if self._renderer is None:
            self._renderer = Renderer(self.mesh, size=self.size, supersampling=self.supersampling)
        return self._renderer


def _along(points: np.ndarray, frames: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Ends (n, m, size) of great circles from unit points (n, size) by moves (n, m, size - 1)."""
    moved = np.einsum("nik,nmk->nmi", frames, moves)
    angles = np.linalg.norm(moved, axis=2, keepdims=True)
    return points[:, None] * np.cos(angles) + moved * np.sinc(angles / np.pi)
