"""Walks along a manifold that is known by points and their tangent spaces alone."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from unweave.geometry._inputs import check_bases, check_rows

__all__ = ["ManifoldWalker"]


class ManifoldWalker:
    """Goes straight ahead on a manifold, and carries vectors along.

    A step of the walk goes along the tangent direction, and is put back onto the tangent plane of
    the nearest sample; direction and carried vectors are projected to that plane and keep their
    lengths: parallel transport, as steps become short and samples dense.

    Parameters
    ----------
    points
        Samples (n, ambient).
    tangents
        Orthonormal bases (n, ambient, dims) of their tangent spaces.
    step
        Length of a step, by default half the typical distance of neighbours.

    Raises
    ------
    ValueError
        If points and tangents do not belong together, or hold masked, missing or infinite values.

    >>> angles = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    >>> circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    >>> tangents = np.stack([-np.sin(angles), np.cos(angles)], axis=1)[:, :, None]
    >>> walker = ManifoldWalker(circle, tangents)
    >>> end, _ = walker.go(circle[:1], np.array([[0.0, np.pi]]))
    >>> bool(np.linalg.norm(end - [[-1, 0]]) < 0.01)
    True
    """

    def __init__(
        self, points: np.ndarray, tangents: np.ndarray, *, step: float | None = None
    ) -> None:
        self.points = check_rows(points, "points")
        self.tangents = check_bases(tangents)
        if self.tangents.shape[:2] != self.points.shape:
            raise ValueError(
                f"{self.points.shape[0]} points of {self.points.shape[1]} coordinates need "
                f"tangents of shape (points, coordinates, dims), not {self.tangents.shape}"
            )
        self._tree = cKDTree(self.points)
        if step is None:
            sample = self.points[:: max(1, len(self.points) // 1000)]
            step = 0.5 * float(np.median(self._tree.query(sample, 2)[0][:, 1]))
        self.step = step

    def go(
        self, positions: np.ndarray, moves: np.ndarray, carried: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Where walks end, and the vectors that they carried, as tangent vectors there.

        Parameters
        ----------
        positions
            Where they start, (walks, ambient), on or near the manifold.
        moves
            Tangent vectors (walks, ambient): directions, and how far to go.
        carried
            Tangent vectors (walks, ambient) to carry; by default the directions.

        Raises
        ------
        ValueError
            If they differ in shape, or hold masked, missing or infinite values.
        """
        position, moves = self._vectors(positions, "positions"), self._vectors(moves, "moves")
        lengths = np.linalg.norm(moves, axis=1, keepdims=True)
        direction = moves / np.maximum(lengths, 1e-300)
        carried = direction if carried is None else self._vectors(carried, "carried vectors")
        if not position.shape == moves.shape == carried.shape:
            raise ValueError(
                f"{len(position)} positions, {len(moves)} moves and {len(carried)} carried vectors "
                "were given: give as many of each"
            )
        n_steps = max(1, int(np.ceil(lengths.max() / self.step)))
        for _ in range(n_steps):
            position = position + lengths / n_steps * direction
            near = self._tree.query(position)[1]
            bases = self.tangents[near]
            position = self.points[near] + _projected(bases, position - self.points[near])
            direction = _kept(bases, direction)
            carried = _kept(bases, carried)
        return position, carried

    def _vectors(self, vectors: np.ndarray, what: str) -> np.ndarray:
        found = check_rows(vectors, what, "(walks, ambient)")
        if found.shape[1] != self.points.shape[1]:
            raise ValueError(
                f"{what} have {found.shape[1]} coordinates, and the points {self.points.shape[1]}: "
                "give vectors of the same space"
            )
        return found


def _projected(bases: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return np.einsum("nak,nbk,nb->na", bases, bases, vectors)


def _kept(bases: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Projected to the tangent planes, at their old lengths."""
    projected = _projected(bases, vectors)
    before = np.linalg.norm(vectors, axis=1, keepdims=True)
    after = np.linalg.norm(projected, axis=1, keepdims=True)
    return projected * before / np.maximum(after, 1e-300)
