"""The dimension of a manifold from points on it."""

from __future__ import annotations

import numpy as np

from unweave.geometry.graph import distinct_rows, nearest_neighbours

__all__ = ["intrinsic_dimension"]

_KEPT = 0.9  # share of the points: the largest ratios are of outliers


def intrinsic_dimension(
    points: np.ndarray, neighbours: np.ndarray | None = None
) -> tuple[float, float]:
    """TwoNN's estimate of the dimension, and its standard error.

    The ratio of the distances to the second and to the first neighbour has a distribution that
    depends on the dimension alone where the density is locally even (Facco et al. 2017,
    https://doi.org/10.1038/s41598-017-11873-y). Fitted through the origin over the smaller 90 %.
    ``neighbours`` (n, 2 or more) saves looking for the nearest of distinct points.
    """
    if neighbours is None:
        points = points[distinct_rows(points)[0]]
        neighbours = nearest_neighbours(points, 2)
    first, second = (np.linalg.norm(points[neighbours[:, j]] - points, axis=1) for j in (0, 1))
    apart = first > 0  # the square of a tiny difference may be 0
    ratios = np.sort(np.log(second[apart] / first[apart]))
    n = len(ratios)
    kept = int(_KEPT * n)
    expected = -np.log1p(-np.arange(1, kept + 1) / n)
    x = ratios[:kept]
    slope = float(x @ expected / max(x @ x, 1e-300))
    return slope, float(slope / np.sqrt(max(n, 1)))
