"""The connection: how the tangent frame of one point turns into that of its neighbour."""

from __future__ import annotations

import numpy as np

from unweave._parallel import in_threads

__all__ = ["parallel_transport", "polar_factors"]

_CHUNK = 20_000  # edges at once
_CONVERGED = 1e-6
_MAX_STEPS = 12


def parallel_transport(tangents: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Orthogonal matrices (edges, dims, dims) float32, from the second frame to the first.

    The nearest orthogonal matrix to the product of the two bases (n, ambient, dims).
    """

    def transport(chunk: np.ndarray) -> np.ndarray:
        first, second = tangents[chunk[:, 0]], tangents[chunk[:, 1]]
        return polar_factors(first.transpose(0, 2, 1) @ second).astype(np.float32)

    pieces = np.array_split(edges, max(1, int(np.ceil(len(edges) / _CHUNK))))
    return np.concatenate(in_threads(transport, pieces))


def polar_factors(matrices: np.ndarray) -> np.ndarray:
    """Nearest orthogonal matrices to ``matrices`` (n, k, k) of singular values of at most 1.

    Newton and Schulz's iteration of the fifth order, and a singular value decomposition of those
    that it does not finish.
    """
    from unweave.geometry._kernels import polar_iterations

    x = np.array(matrices, dtype=np.float64)
    converged = np.empty(len(x), dtype=np.bool_)
    polar_iterations(x, converged, _MAX_STEPS, _CONVERGED)
    u, _, vt = np.linalg.svd(matrices[~converged])
    x[~converged] = u @ vt
    return x
