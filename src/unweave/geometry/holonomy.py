"""Holonomy: how a tangent frame comes back from a loop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unweave._check import check_indices
from unweave.geometry._inputs import check_bases, check_rows
from unweave.geometry.connection import polar_factors

__all__ = ["holonomy", "rotation_angles", "spherical_area", "transport"]


def transport(tangents: np.ndarray, path: Sequence[int]) -> np.ndarray:
    """The orthogonal matrix (dims, dims) from the frame at the path's first point to the last's.

    ``tangents`` (n, ambient, dims) have orthonormal columns, as :func:`quadratic_tangents` and
    ``Geomancer`` estimate them from points; the path is of rows that lie near each other. From one
    point to the next it is the nearest orthogonal matrix to the product of the bases, which between
    points of a sphere is transport along the great circle.

    Raises
    ------
    ValueError, IndexError
        If the path has no two points, a row is not there, or tangents hold masked, missing or
        infinite values.
    """
    tangents = check_bases(tangents)
    rows = check_indices(path, len(tangents))
    if len(rows) < 2:
        raise ValueError(f"a path needs two points or more, not {len(rows)}")
    steps = polar_factors(tangents[rows[1:]].transpose(0, 2, 1) @ tangents[rows[:-1]])
    found = np.eye(tangents.shape[2])
    for step in steps:
        found = step @ found
    return found


def holonomy(tangents: np.ndarray, loop: Sequence[int]) -> np.ndarray:
    """The orthogonal matrix (dims, dims) by which a frame comes back from a loop of rows.

    On a product of manifolds it has a block for each factor (de Rham 1952), on a flat one it is
    the identity, and on the unit 2-sphere a rotation by the enclosed area.
    """
    if not len(loop):
        raise ValueError("a loop needs a point or more, not 0")
    return transport(tangents, [*loop, loop[0]])


def rotation_angles(matrix: np.ndarray) -> np.ndarray:
    """Angles in radians, from 0 to pi, by which an orthogonal matrix turns its planes."""
    phases = np.abs(
        np.angle(np.linalg.eigvals(check_rows(matrix, "matrix entries", "(dims, dims)")))
    )
    return np.sort(phases)[::-1][::2]


def spherical_area(corners: np.ndarray) -> float:
    """Signed area of a polygon (corners, 3) of great circles on the unit sphere, in steradians.

    The sum over the triangles that it makes with its first corner (Eriksson 1990).
    """
    corners = check_rows(corners, "corners", "(corners, 3)")
    a, b, c = corners[0], corners[1:-1], corners[2:]
    volume = np.einsum("i,ni->n", a, np.cross(b, c))
    beside = 1 + b @ a + (b * c).sum(axis=1) + c @ a
    return float(2 * np.arctan2(volume, beside).sum())
