"""Tangent spaces from points alone."""

from __future__ import annotations

import numpy as np

from unweave._parallel import in_threads, n_cores

__all__ = ["n_coefficients", "pca_tangents", "quadratic_neighbourhood", "quadratic_tangents"]

_RIDGE = 1e-3
_SETTLED = 3e-4  # radians that an iteration turned a span by
_CHUNK = 2**22  # numbers in the largest array of a chunk of points


def n_coefficients(n_dims: int) -> int:
    """Unknowns, for each ambient dimension, of a local quadratic fit: k + k (k + 1) / 2."""
    return n_dims + n_dims * (n_dims + 1) // 2


def quadratic_neighbourhood(n_dims: int) -> int:
    """Neighbours for a local quadratic fit: 1.7 times as many as there are unknowns."""
    return int(np.ceil(1.7 * n_coefficients(n_dims)))


def pca_tangents(points: np.ndarray, neighbours: np.ndarray, n_dims: int) -> np.ndarray:
    """Leading directions (n, ambient, dims) of the displacements to the neighbours of each point.

    Curvature tilts them: the error falls only as the square of the neighbourhood's radius.
    """

    def fit(rows: np.ndarray) -> np.ndarray:
        away = points[neighbours[rows]] - points[rows, None]
        if away.shape[2] <= away.shape[1]:
            vectors = np.linalg.eigh(away.transpose(0, 2, 1) @ away)[1]
            return vectors[:, :, : -n_dims - 1 : -1]
        return np.linalg.svd(away, full_matrices=False)[2][:, :n_dims].transpose(0, 2, 1)

    return np.concatenate(in_threads(fit, _chunks(points, neighbours.shape[1], points.shape[1])))


def quadratic_tangents(
    points: np.ndarray, neighbours: np.ndarray, tangents: np.ndarray, n_iterations: int = 10
) -> np.ndarray:
    r"""Span (n, ambient, dims) of the linear part of a local quadratic fit, started from a guess.

    The displacements d of the neighbours are regressed on their tangent coordinates u and the
    products of these, :math:`d \approx B u + H (u \otimes u)`, so that curvature goes into H and
    not into a tilt of B; the span of B gives new tangent coordinates, and so on, at each point
    until its span stays or for ``n_iterations``. A ridge on H keeps fits with few neighbours
    stable.
    """
    from unweave.geometry._kernels import quadratic_spans

    points = np.ascontiguousarray(points, dtype=np.float64)
    bases = np.array(tangents, dtype=np.float64)
    cuts = np.linspace(0, len(points), 8 * n_cores() + 1).astype(np.int64)

    def fit(part: int) -> None:
        start, stop = cuts[part], cuts[part + 1]
        quadratic_spans(points, neighbours, bases, n_iterations, _RIDGE, _SETTLED, start, stop)

    in_threads(fit, range(len(cuts) - 1), linear_algebra=False)
    return bases


def _chunks(points: np.ndarray, n_neighbours: int, width: int) -> list[np.ndarray]:
    n_chunks = int(np.ceil(len(points) * n_neighbours * width / _CHUNK))
    return np.array_split(np.arange(len(points)), max(1, n_chunks))
