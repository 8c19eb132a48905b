"""A start for the eigensolver from fewer points."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from unweave._parallel import in_threads, n_cores
from unweave.geometry.connection import parallel_transport, polar_factors
from unweave.geometry.eigen import iterate
from unweave.geometry.graph import nearest_neighbours, neighbour_graph
from unweave.geometry.laplacian import ConnectionLaplacian, packed

__all__ = ["coarse_fields"]

_STEP = 8  # points for each of the next coarser level
_LEAST = 500  # points that are worth a coarser level
_TOLERANCE = 1e-2  # of the gap
_ROUNDS = 8
_CHUNK = 2**14


def coarse_fields(
    points: np.ndarray,
    bases: np.ndarray,
    n_neighbors: int,
    below_gap: Callable[[np.ndarray], int],
    random_state: np.random.Generator,
) -> np.ndarray | None:
    """Packed fields (n, k (k + 1) / 2, 8) float32 that parallel transport almost leaves alone.

    Those of every eighth point, found in the same way, carried to the points that are nearest to
    each: what is parallel hardly differs between near points, and most of the work of the solver
    is thus done where there are few. Points must be in an order in which every eighth is an even
    sample. None if they are too few.
    """
    from scipy.spatial import cKDTree

    few, few_bases = points[::_STEP], bases[::_STEP]
    if len(points) < _LEAST or len(few) <= n_neighbors:
        return None
    graph = neighbour_graph(nearest_neighbours(few, n_neighbors))
    laplacian = ConnectionLaplacian(parallel_transport(few_bases, graph.edges), graph)
    fields = coarse_fields(few, few_bases, n_neighbors, below_gap, random_state)
    start = None if fields is None else laplacian.vectors(fields)
    spectrum = iterate(
        laplacian,
        below_gap,
        start=start,
        tolerance=_TOLERANCE,
        max_rounds=_ROUNDS,
        random_state=random_state,
    )
    tensors = laplacian.fields(spectrum.vectors)  # (few, 8, k, k)
    nearest = cKDTree(few).query(points, workers=n_cores())[1]

    def carry(rows: np.ndarray) -> np.ndarray:
        turn = polar_factors(bases[rows].transpose(0, 2, 1) @ few_bases[nearest[rows]])
        carried = np.einsum("nac,nmcd,nbd->nmab", turn, tensors[nearest[rows]], turn, optimize=True)
        return packed(carried).transpose(0, 2, 1).astype(np.float32)

    n_chunks = int(np.ceil(len(points) / _CHUNK))
    return np.concatenate(in_threads(carry, np.array_split(np.arange(len(points)), n_chunks)))
