"""The second-order connection Laplacian, without its matrix."""

from __future__ import annotations

import numpy as np

from unweave._parallel import in_threads, n_cores
from unweave.geometry._block import BLOCK
from unweave.geometry.graph import Graph

__all__ = ["ConnectionLaplacian", "packed", "unpacked"]

_WORTH_THREADS = 4_000_000


class ConnectionLaplacian:
    r"""The operator :math:`(L W)_i = n_i W_i - \sum_j Q_{ij} W_j Q_{ij}^T` on symmetric W.

    n_i is the number of neighbours of point i. A block of vectors is an array
    (n, k (k + 1) / 2, 8) float32: the symmetric matrices by their coordinates in an orthonormal
    basis (see ``packed``), in which L is symmetric. It takes k^2 numbers for each direction of an
    edge, where the matrix would take k^4, and commutes with the trace, so that traces can be
    projected away. Normalised it is :math:`D^{-1/2} L D^{-1/2}`: its eigenvalues go up to 2, and a
    point of many neighbours cannot make a large one.
    """

    def __init__(self, transport: np.ndarray, graph: Graph, *, normalised: bool = True) -> None:
        self.n, self.n_dims = graph.n, transport.shape[1]
        self.normalised = normalised
        self.starts, others, number = graph.rows()
        self.others = others.astype(np.int32)
        self.degrees = np.diff(self.starts).astype(np.float32)
        self.diagonal = np.ones(graph.n, dtype=np.float32) if normalised else self.degrees
        # In the order of the rows, both directions of an edge: the operator reads them as a stream.
        self.transport = transport[number].astype(np.float32, copy=False)
        ends = np.repeat(np.arange(graph.n), np.diff(self.starts))
        flipped = graph.edges[number, 0] != ends
        self.transport[flipped] = self.transport[flipped].transpose(0, 2, 1)
        if normalised:
            # Each transport stands twice in the operator: a fourth root of each degree.
            root = self.degrees**-0.25
            self.transport *= (root[ends] * root[others])[:, None, None]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of a block of vectors."""
        return self.n, self.n_dims * (self.n_dims + 1) // 2, BLOCK

    @property
    def bound(self) -> float:
        """No eigenvalue is larger."""
        return 2.0 if self.normalised else 2.0 * float(self.degrees.max())

    def fields(self, vectors: np.ndarray) -> np.ndarray:
        """Matrices (n, vectors, k, k) that parallel transport leaves alone, from eigenvectors."""
        matrices = unpacked(vectors.transpose(0, 2, 1), self.n_dims)
        if self.normalised:
            matrices /= np.sqrt(self.degrees)[:, None, None, None]
        return matrices

    def vectors(self, fields: np.ndarray) -> np.ndarray:
        """What packed fields (n, k (k + 1) / 2, 8) are as vectors of the operator."""
        if not self.normalised:
            return fields
        return fields * np.sqrt(self.degrees)[:, None, None]

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """L applied to each vector of a block."""
        return self.combined(block, block, 1.0, 0.0, 0.0)

    def combined(
        self, block: np.ndarray, previous: np.ndarray, scale: float, own: float, back: float
    ) -> np.ndarray:
        """``scale L block + own block + back previous``: a step of a recurrence, in one pass."""
        from unweave.geometry._conjugation import operator

        kernel = operator(self.n_dims)
        block, previous = (np.ascontiguousarray(b, dtype=np.float32) for b in (block, previous))
        result = np.empty_like(block)
        # Rows are cut where as many edges lie on either side; little work is not worth threads.
        n_parts = 4 * n_cores() if self.starts[-1] * self.n_dims**3 > _WORTH_THREADS else 1
        cuts = np.searchsorted(self.starts, np.linspace(0, self.starts[-1], n_parts + 1))
        cuts[0], cuts[-1] = 0, self.n
        factors = np.array([scale, own, back], dtype=np.float32)

        def part(i: int) -> None:
            kernel(
                self.starts, self.others, self.transport, self.diagonal,
                block, previous, factors, result, cuts[i], cuts[i + 1],
            )  # fmt: skip

        if n_parts == 1:
            part(0)
        else:
            in_threads(part, range(n_parts), linear_algebra=False)
        return result


def packed(matrices: np.ndarray) -> np.ndarray:
    """Coordinates (..., k (k + 1) / 2) of symmetric matrices (..., k, k), of the same lengths.

    The rows of the upper triangle, one after the other; what lies off the diagonal stands twice in
    a matrix, and is multiplied by the square root of 2 here.
    """
    rows, columns = np.triu_indices(matrices.shape[-1])
    return matrices[..., rows, columns] * np.where(rows == columns, 1.0, np.sqrt(2.0))


def unpacked(coordinates: np.ndarray, n_dims: int) -> np.ndarray:
    """Symmetric matrices (..., k, k) float64 of coordinates (..., k (k + 1) / 2)."""
    rows, columns = np.triu_indices(n_dims)
    matrices = np.empty((*coordinates.shape[:-1], n_dims, n_dims))
    matrices[..., rows, columns] = coordinates * np.where(rows == columns, 1.0, np.sqrt(0.5))
    matrices[..., columns, rows] = matrices[..., rows, columns]
    return matrices
