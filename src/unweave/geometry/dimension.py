"""The dimension of a manifold from points on it."""

from __future__ import annotations

import numpy as np

__all__ = ["intrinsic_dimension"]

_KEPT = 0.9  # share of the points: the largest ratios are of outliers


def intrinsic_dimension(points: np.ndarray) -> tuple[float, float]:
    """TwoNN's estimate of the dimension, and its standard error.

    The ratio of the distances to the second and to the first neighbour has a distribution that
    depends on the dimension alone where the density is locally even (Facco et al. 2017,
    https://doi.org/10.1038/s41598-017-11873-y). Fitted through the origin over the smaller 90 %.
    """
    from scipy.spatial import cKDTree

    distances = cKDTree(points).query(points, k=3, workers=-1)[0][:, 1:]
    apart = distances[:, 0] > 0
    ratios = np.sort(np.log(distances[apart, 1] / distances[apart, 0]))
    n = len(ratios)
    kept = int(_KEPT * n)
    expected = -np.log1p(-np.arange(1, kept + 1) / n)
    x = ratios[:kept]
    slope = float(x @ expected / max(x @ x, 1e-300))
    return slope, slope / np.sqrt(max(n, 1))
