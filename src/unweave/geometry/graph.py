"""The neighbour graph of points."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from unweave._parallel import n_cores

__all__ = [
    "Graph",
    "distinct_rows",
    "nearest_neighbours",
    "nearest_to",
    "neighbour_graph",
    "spatial_order",
]

_TREE_DIMS = 10  # ambient dimensions up to which a k-d tree beats comparing all pairs
_EXACT = 50_000  # points of more dimensions up to which all pairs are compared


def distinct_rows(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows to keep so that none is repeated, and for each row its place among these."""
    rows = np.ascontiguousarray(points + 0.0)  # of the two zeros, one
    keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, kept, places = np.unique(keys, return_index=True, return_inverse=True)
    return kept, places


def spatial_order(points: np.ndarray) -> np.ndarray:
    """An order (n,) in which points that are close in space are mostly close, too."""
    from scipy.spatial import cKDTree

    return cKDTree(points).indices


def nearest_neighbours(points: np.ndarray, n_neighbours: int) -> np.ndarray:
    """Indices (n, neighbours) of the nearest other points, nearest first.

    Exact, unless there are more than 50,000 points of more than ten dimensions and faiss is
    installed: then about one neighbour in a thousand is another one that is nearly as near.
    """
    if points.shape[1] <= _TREE_DIMS:
        from scipy.spatial import cKDTree

        found = cKDTree(points).query(points, k=n_neighbours + 1, workers=n_cores())[1]
    elif len(points) > _EXACT and find_spec("faiss"):
        found = _in_cells(points, n_neighbours + 1)
    else:
        found = _all_pairs(points, points, n_neighbours + 1)
    return _without_own(found, np.arange(len(points)))


def nearest_to(points: np.ndarray, rows: np.ndarray, n_neighbours: int) -> np.ndarray:
    """Indices (rows, neighbours) of the other points nearest to those in ``rows``, exact."""
    if points.shape[1] <= _TREE_DIMS:
        from scipy.spatial import cKDTree

        found = cKDTree(points).query(points[rows], k=n_neighbours + 1, workers=n_cores())[1]
    else:
        found = _all_pairs(points, points[rows], n_neighbours + 1)
    return _without_own(found, rows)


def _without_own(found: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Neighbours (rows, n) less the point itself, of (rows, n + 1).

    A point is dropped by its index: duplicates of it may come before it, or push it out.
    """
    own = found == rows[:, None]
    own[~own.any(axis=1), -1] = True
    return found[~own].reshape(len(rows), -1)


def _all_pairs(points: np.ndarray, queries: np.ndarray, n_neighbours: int) -> np.ndarray:
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=n_neighbours, algorithm="brute").fit(points)
    return search.kneighbors(queries, return_distance=False)


def _in_cells(points: np.ndarray, n_neighbours: int) -> np.ndarray:
    """Nearest points (n, neighbours) among those in the 64 nearest of k-means' cells."""
    import faiss

    faiss.omp_set_num_threads(n_cores())
    n, ambient = points.shape
    numbers = np.ascontiguousarray(points, dtype=np.float32)
    cells = faiss.IndexIVFFlat(faiss.IndexFlatL2(ambient), ambient, int(4 * np.sqrt(n)))
    cells.nprobe = 64
    # Every eighth in the order of space is an even sample; faiss warns below 39 in a cell.
    cells.cp.min_points_per_centroid = 1
    cells.train(np.ascontiguousarray(numbers[::8]))
    cells.add(numbers)
    found = cells.search(numbers, n_neighbours)[1]
    short = np.flatnonzero((found < 0).any(axis=1))
    if short.size:
        found[short] = _all_pairs(points, points[short], n_neighbours)
    return found


@dataclass(frozen=True)
class Graph:
    """An undirected graph, each edge once."""

    n: int
    edges: np.ndarray
    """(edges, 2), the smaller index first, no edge twice."""

    def rows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Both directions as compressed rows: starts (n + 1,), neighbours, and which edge."""
        ends = np.concatenate([self.edges[:, 0], self.edges[:, 1]])
        others = np.concatenate([self.edges[:, 1], self.edges[:, 0]])
        number = np.arange(len(self.edges))
        order = np.argsort(ends, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(ends, minlength=self.n))])
        return starts, others[order], np.concatenate([number, number])[order]

    def parts(self) -> list[tuple[np.ndarray, np.ndarray, Graph]]:
        """Connected parts: the points of each, its edges' numbers, and itself as a graph."""
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        ones = np.ones(len(self.edges), dtype=np.int8)
        matrix = coo_matrix((ones, (self.edges[:, 0], self.edges[:, 1])), shape=(self.n, self.n))
        n_parts, part = connected_components(matrix, directed=False)
        if n_parts == 1:
            return [(np.arange(self.n), np.arange(len(self.edges)), self)]
        found = []
        for p in range(n_parts):
            rows = np.flatnonzero(part == p)
            edges = np.flatnonzero(part[self.edges[:, 0]] == p)
            found.append((rows, edges, Graph(len(rows), np.searchsorted(rows, self.edges[edges]))))
        return found


def neighbour_graph(neighbours: np.ndarray) -> Graph:
    """The graph that joins two points if one is among the nearest (n, neighbours) of the other."""
    n = len(neighbours)
    start = np.repeat(np.arange(n), neighbours.shape[1])
    end = neighbours.ravel().astype(np.int64)
    pairs = np.unique(np.minimum(start, end) * n + np.maximum(start, end))
    return Graph(n, np.stack([pairs // n, pairs % n], axis=1))
