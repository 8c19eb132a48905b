"""The second-order connection Laplacian, without its matrix."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from unweave._parallel import in_threads, n_cores
from unweave.geometry.graph import Graph

__all__ = ["BLOCK", "ConnectionLaplacian"]

_WORTH_THREADS = 4_000_000
BLOCK = 8  # vectors that share each load of a transport: one vector register


class ConnectionLaplacian:
    r"""The operator :math:`(L W)_i = n_i W_i - \sum_j Q_{ij} W_j Q_{ij}^T` on symmetric W.

    A block of vectors is an array (n, k, k, 8) float32 of symmetric matrices, n_i is the number of
    neighbours of point i. It takes k^2 numbers for each edge, where the matrix would take k^4, and
    commutes with the trace, so that traces can be projected away. Normalised it is
    :math:`D^{-1/2} L D^{-1/2}`: its eigenvalues go up to 2, and a point of many neighbours cannot
    make a large one. On all symmetric matrices, whose
    entries off the diagonal stand twice, the inner product is Frobenius's, and L is symmetric.
    """

    def __init__(self, transport: np.ndarray, graph: Graph, *, normalised: bool = True) -> None:
        self.n, self.n_dims = graph.n, transport.shape[1]
        self.normalised = normalised
        starts, others, number = graph.rows()
        self.degrees = np.diff(starts).astype(np.float32)
        self.diagonal = np.ones(graph.n, dtype=np.float32) if normalised else self.degrees
        if normalised:
            # Each transport stands twice in the operator: a fourth root of each degree.
            root = self.degrees**-0.25
            scale = root[graph.edges[:, 0]] * root[graph.edges[:, 1]]
            transport = transport * scale[:, None, None]
        self.transport = np.ascontiguousarray(transport, dtype=np.float32)
        # The second point of an edge reads the transport the other way round.
        ends = np.repeat(np.arange(graph.n), np.diff(starts))
        self.flipped = graph.edges[number, 0] != ends
        self.starts, self.others, self.number = starts, others.astype(np.int32), number

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of a block of vectors."""
        return self.n, self.n_dims, self.n_dims, BLOCK

    @property
    def bound(self) -> float:
        """No eigenvalue is larger."""
        return 2.0 if self.normalised else 2.0 * float(self.degrees.max())

    def fields(self, vectors: np.ndarray) -> np.ndarray:
        """What parallel transport leaves alone, from eigenvectors of the operator."""
        if not self.normalised:
            return vectors
        return vectors / np.sqrt(self.degrees)[:, None, None, None]

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """L applied to each vector of a block."""
        kernel = _kernel(self.n_dims)
        result = np.empty_like(block)
        # Rows are cut where as many edges lie on either side; little work is not worth threads.
        n_parts = 4 * n_cores() if self.starts[-1] * self.n_dims**3 > _WORTH_THREADS else 1
        cuts = np.searchsorted(self.starts, np.linspace(0, self.starts[-1], n_parts + 1))
        cuts[0], cuts[-1] = 0, self.n

        def part(i: int) -> None:
            kernel(
                self.starts, self.others, self.number, self.flipped, self.transport,
                self.diagonal, block, result, cuts[i], cuts[i + 1],
            )  # fmt: skip

        if n_parts == 1:
            part(0)
        else:
            in_threads(part, range(n_parts))
        return result


@cache
def _kernel(k: int) -> Callable[..., None]:
    """The compiled operator for k dimensions: loops of a known length are unrolled."""
    from numba import njit

    @njit(fastmath=True, nogil=True)
    def apply(starts, others, number, flipped, transport, diagonal, block, result, first, last):
        turned = np.empty((k, k, BLOCK), dtype=np.float32)
        total = np.empty((k, k, BLOCK), dtype=np.float32)
        q = np.empty((k, k), dtype=np.float32)
        for i in range(first, last):
            total[:] = 0
            for p in range(starts[i], starts[i + 1]):
                j, edge = others[p], number[p]
                for a in range(k):
                    for b in range(k):
                        q[a, b] = transport[edge, b, a] if flipped[p] else transport[edge, a, b]
                for a in range(k):
                    for c in range(k):
                        for v in range(BLOCK):
                            s = np.float32(0)
                            for b in range(k):
                                s += q[a, b] * block[j, b, c, v]
                            turned[a, c, v] = s
                for a in range(k):
                    for c in range(a, k):
                        for v in range(BLOCK):
                            s = total[a, c, v]
                            for b in range(k):
                                s += turned[a, b, v] * q[c, b]
                            total[a, c, v] = s
            own = diagonal[i]
            for a in range(k):
                for c in range(a, k):
                    for v in range(BLOCK):
                        x = own * block[i, a, c, v] - total[a, c, v]
                        result[i, a, c, v] = x
                        result[i, c, a, v] = x

    return apply
