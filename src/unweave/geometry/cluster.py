"""Which axis at which point belongs to which factor."""

from __future__ import annotations

import numpy as np

__all__ = ["assign_axes"]


def assign_axes(
    diagonals: np.ndarray, n_factors: int, random_state: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Factor (n, k) of each axis, the same numbers everywhere, and the dimensions (factors,).

    On a product the tensors below the gap are constant combinations of the projections onto the
    factors, so that an axis of a factor has the same diagonal entries (n, k, tensors) at all
    points: one k-means finds the factors for all points at once, and gives them the same name
    everywhere. The most common numbers of axes are the dimensions; points that break them are
    assigned again, at the least cost that keeps them.

    Factors are ordered by dimension, the smallest first.
    """
    from sklearn.cluster import KMeans

    n, k, n_tensors = diagonals.shape
    flat = diagonals.reshape(-1, n_tensors)
    # The eigenvectors' size is that of all points together; here each axis counts.
    flat = flat / max(np.sqrt(np.mean(np.sum(flat**2, axis=1))), 1e-300)
    seed = int(random_state.integers(2**31))
    sample = flat[random_state.permutation(len(flat))[:20_000]]
    means = KMeans(n_factors, n_init=10, random_state=seed).fit(sample).cluster_centers_
    distances = np.sum((flat[:, None] - means[None]) ** 2, axis=2).reshape(n, k, n_factors)
    labels = distances.argmin(axis=2)
    counts = np.stack([(labels == f).sum(axis=1) for f in range(n_factors)], axis=1)
    found, times = np.unique(counts, axis=0, return_counts=True)
    dims = found[np.lexsort((times,))[-1]]
    wrong = np.flatnonzero((counts != dims).any(axis=1))
    seats = np.repeat(np.arange(n_factors), dims)
    for i in wrong:
        labels[i] = _seated(distances[i][:, seats], seats)
    order = np.argsort(dims, kind="stable")
    rank = np.argsort(order) - int((dims == 0).sum())  # a factor without an axis is none
    return rank[labels], dims[order][dims[order] > 0]


def _seated(costs: np.ndarray, seats: np.ndarray) -> np.ndarray:
    """The seat's factor for each axis, at the least cost in all."""
    from scipy.optimize import linear_sum_assignment

    axes, taken = linear_sum_assignment(costs)
    labels = np.empty(len(costs), dtype=np.int64)
    labels[axes] = seats[taken]
    return labels
