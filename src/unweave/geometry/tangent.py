"""Tangent spaces from points alone."""

from __future__ import annotations

import numpy as np

from unweave._parallel import in_threads, n_cores
from unweave._tables import plain
from unweave.geometry.graph import Graph

__all__ = [
    "graph_tangents",
    "n_coefficients",
    "pca_tangents",
    "quadratic_neighbourhood",
    "quadratic_tangents",
]

_RIDGE = 1e-3
_SETTLED = 3e-3  # radians that an iteration turned a span by
_CHUNK = 2**22  # numbers in the largest array of a chunk of points


def n_coefficients(n_dims: int) -> int:
    """Unknowns, for each ambient dimension, of a local quadratic fit: k + k (k + 1) / 2."""
    return n_dims + n_dims * (n_dims + 1) // 2


def quadratic_neighbourhood(n_dims: int) -> int:
    """Neighbours for a local quadratic fit: 1.7 times as many as there are unknowns."""
    return int(np.ceil(1.7 * n_coefficients(n_dims)))


def pca_tangents(
    points: np.ndarray, neighbours: np.ndarray, n_dims: int, *, rows: np.ndarray | None = None
) -> np.ndarray:
    """Leading directions (n, ambient, dims) of the displacements to the neighbours of each point.

    Curvature tilts them: the error falls only as the square of the neighbourhood's radius.
    ``neighbours`` are those of all points, or of ``rows`` alone.
    """
    points, neighbours = plain(points, "points"), plain(neighbours, "neighbours")
    rows = np.arange(len(points)) if rows is None else rows
    return _leading(points, rows, neighbours, n_dims)


def graph_tangents(points: np.ndarray, graph: Graph, n_dims: int) -> np.ndarray:
    """The same with all that a graph joins to a point, which are not equally many everywhere."""
    starts, others, _ = graph.rows()
    degrees = np.diff(starts)
    tangents = np.empty((graph.n, points.shape[1], n_dims))
    for degree in np.unique(degrees):
        rows = np.flatnonzero(degrees == degree)
        near = others[starts[rows, None] + np.arange(degree)]
        tangents[rows] = _leading(points, rows, near, n_dims)
    return tangents


def _leading(points: np.ndarray, rows: np.ndarray, near: np.ndarray, n_dims: int) -> np.ndarray:
    """Leading directions (rows, ambient, dims) from points ``rows`` to those in ``near``."""

    def fit(part: np.ndarray) -> np.ndarray:
        away = points[near[part]] - points[rows[part], None]
        if away.shape[2] <= away.shape[1]:
            vectors = np.linalg.eigh(away.transpose(0, 2, 1) @ away)[1]
            return vectors[:, :, : -n_dims - 1 : -1]
        return np.linalg.svd(away, full_matrices=False)[2][:, :n_dims].transpose(0, 2, 1)

    n_chunks = max(1, int(np.ceil(near.size * points.shape[1] / _CHUNK)))
    return np.concatenate(in_threads(fit, np.array_split(np.arange(len(rows)), n_chunks)))


def quadratic_tangents(
    points: np.ndarray,
    neighbours: np.ndarray,
    tangents: np.ndarray,
    n_iterations: int = 10,
    *,
    rows: np.ndarray | None = None,
) -> np.ndarray:
    r"""Span (n, ambient, dims) of the linear part of a local quadratic fit, started from a guess.

    The displacements d of the neighbours are regressed on their tangent coordinates u and the
    products of these, :math:`d \approx B u + H (u \otimes u)`, so that curvature goes into H and
    not into a tilt of B; the span of B gives new tangent coordinates, and so on, at each point
    until its span stays or for ``n_iterations``. A ridge on H keeps fits with few neighbours
    stable. ``neighbours`` and ``tangents`` are those of all points, or of ``rows`` alone.
    """
    from unweave.geometry._kernels import quadratic_spans

    points = np.ascontiguousarray(plain(points, "points"), dtype=np.float64)
    neighbours, tangents = plain(neighbours, "neighbours"), plain(tangents, "tangents")
    bases = np.array(tangents, dtype=np.float64)
    rows = np.arange(len(points)) if rows is None else rows
    cuts = np.linspace(0, len(rows), 8 * n_cores() + 1).astype(np.int64)

    def fit(part: int) -> None:
        start, stop = cuts[part], cuts[part + 1]
        quadratic_spans(
            points, rows, neighbours, bases, n_iterations, _RIDGE, _SETTLED, start, stop
        )

    in_threads(fit, range(len(cuts) - 1), linear_algebra=False)
    # Where neighbours span fewer dimensions there is nothing to fit.
    failed = ~(np.einsum("ndk,ndk->nk", bases, bases) > 0.5).all(axis=1)
    bases[failed] = tangents[failed]
    return bases
