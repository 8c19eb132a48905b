"""Speed and error of GEOMANCER against the algorithm of the authors' code.

The reference says that algorithm again with NumPy and SciPy: all pairs of distances, a list of
neighbours per point, one decomposition per point and per edge, the Laplacian as a sparse matrix of
blocks in the authors' basis of the symmetric matrices, ARPACK for its bottom, and one joint
diagonalisation and clustering per point. Processor seconds of one core, in one run; numba's
compilation is left out. Run:
    python benchmarks/geomancer.py [--long] [--growth] [--failures]
The first takes minutes; `--long` all cases (an hour, most of it the reference's), `--growth` time
and memory per point from 10,000 to a million points and per edge from 4 to 12 dimensions.
`--failures` alone repeats noise, linear maps and a wrong n_dims over ten samples, and counts what
is said of them.
"""

import multiprocessing
import os
import resource
import sys
import time
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np  # noqa: E402
import scipy.linalg
import scipy.sparse
import scipy.sparse.linalg

from unweave.datasets.manifolds import parse_manifold
from unweave.geometry import Geomancer
from unweave.metrics.subspace_error import subspace_error

# product, points, ratio of time asked, error asked
SHORT = [
    ("S^2 x S^2", 10_000, 40, 0.006),
    ("S^2 x SO(3)", 10_000, 15, 0.05),
]
LONG = [
    ("S^2 x S^2 x S^2", 20_000, 30, 0.03),
    ("SO(3) x SO(3)", 20_000, 20, 0.10),
]
ALONE = [  # the reference fails, or would take days
    ("S^2 x S^2 x S^2", 1_000, 0.13),
    ("RP^2 x RP^2", 10_000, 0.02),
    (" x ".join(["S^2"] * 4), 5_000, 0.10),
    (" x ".join(["S^2"] * 5), 20_000, 0.12),
    ("S^2 x S^3 x SO(3)", 10_000, 0.18),
    ("S^2 x S^4 x SO(3)", 20_000, 0.16),
    (" x ".join(["S^2"] * 6), 20_000, 0.25),
]


# --- the reference's algorithm -------------------------------------------------------------------


def reference_graph(points, n_neighbours, chunk=1000):
    """Lists of neighbours, both ways."""
    n = len(points)
    squares = np.sum(points**2, axis=1)
    neighbours = [set() for _ in range(n)]
    for start in range(0, n, chunk):
        rows = points[start : start + chunk]
        distances = squares[:, None] - 2 * points @ rows.T + squares[start : start + chunk][None]
        distances = np.sqrt(np.abs(distances))
        nearest = np.argpartition(distances, n_neighbours, axis=0)[: n_neighbours + 1]
        for i in range(rows.shape[0]):
            own = nearest[:, i]
            own = own[np.argsort(distances[own, i])][1:]
            neighbours[start + i].update(own.tolist())
    for i in range(n):
        for j in list(neighbours[i]):
            neighbours[j].add(i)
    return [sorted(own) for own in neighbours]


def reference_tangents(points, graph, k):
    tangents = np.zeros((len(points), k, points.shape[1]), dtype=np.float32)
    for i, own in enumerate(graph):
        tangents[i] = np.linalg.svd(points[own] - points[i], full_matrices=False)[2][:k]
    return tangents


def reference_connection(tangents, graph):
    connection = {}
    for i, own in enumerate(graph):
        for j in own:
            if j > i:
                u, _, v = np.linalg.svd(tangents[j] @ tangents[i].T, full_matrices=False)
                connection[i, j] = u @ v
                connection[j, i] = connection[i, j].T
    return connection


def reference_block(q):
    """Q W Q^T in the authors' coordinates of symmetric W of trace 0, from all k^4 products."""
    k = len(q)
    lower = np.tril_indices(k)
    products = np.einsum("ac,bd->abcd", q, q) + np.einsum("ad,bc->abcd", q, q)
    products -= np.einsum("ac,bd,cd->abcd", q, q, np.eye(k))
    block = products[lower][:, lower[0], lower[1]]
    diagonal = np.flatnonzero(lower[0] == lower[1])
    completion = np.eye(len(lower[0]))[:, :-1]  # the last diagonal entry takes the trace away
    completion[-1, diagonal[:-1]] = -1
    return (block @ completion)[:-1]


def reference_laplacian(connection, graph, k):
    size, n = k * (k + 1) // 2 - 1, len(graph)
    n_blocks = sum(map(len, graph)) + n
    blocks = np.zeros((n_blocks, size, size), dtype=np.float32)
    indices, starts, place = np.zeros(n_blocks), [], 0
    for i, own in enumerate(graph):
        starts.append(place)
        blocks[place], indices[place] = len(own) * np.eye(size), i
        place += 1
        for j in own:
            blocks[place], indices[place] = -reference_block(connection[j, i]), j
            place += 1
    starts.append(place)
    return scipy.sparse.bsr_matrix((blocks, indices, starts), shape=(n * size, n * size))


def reference_matrices(vectors, k):
    """Symmetric matrices (n, m, k, k) of trace 0 from the authors' coordinates (n, size, m)."""
    rows, columns = np.tril_indices(k)
    matrices = np.zeros((len(vectors), vectors.shape[2], k, k), dtype=np.float32)
    coordinates = vectors.transpose(0, 2, 1)
    matrices[:, :, rows[:-1], columns[:-1]] = coordinates
    matrices[:, :, columns[:-1], rows[:-1]] = coordinates
    matrices[:, :, -1, -1] = -np.einsum("nmaa->nm", matrices)
    return matrices


def reference_diagonalise(tensors, tolerance=1e-10):
    """FFDiag with orthogonal steps (Ziehe et al. 2004)."""
    m, k, _ = tensors.shape
    current, axes, last = tensors.copy(), np.eye(k), np.inf
    for _ in range(10_000):
        step = np.zeros((k, k))
        for a in range(k):
            for b in range(a + 1, k):
                apart = current[:, a, a] - current[:, b, b]
                step[a, b] = np.sum(current[:, a, b] * apart) / np.sum(apart**2)
        step -= step.T
        size = np.linalg.svd(step, compute_uv=False).max()
        if size > 1:
            step /= size
        turn = scipy.linalg.expm(step)
        axes = turn @ axes
        for t in range(m):
            current[t] = turn @ current[t] @ turn.T
        beyond = current.copy()
        for a in range(k):
            for t in range(m):
                beyond[t, a, a] = 0
        error = np.linalg.norm(beyond)
        if 0 <= last - error < tolerance:
            break
        last = error
    return axes


def reference_subspaces(tensors):
    axes = reference_diagonalise(tensors)
    diagonals = np.array([np.diag(axes @ tensor @ axes.T) for tensor in tensors])
    inner = diagonals.T @ diagonals
    lengths = np.diag(inner)
    alike = inner / np.sqrt(np.outer(lengths, lengths)) > 0.5
    values, vectors = np.linalg.eig(np.diag(alike.sum(axis=0)) - alike)
    within = np.abs(vectors[:, np.abs(values) < 1e-6]) > 1e-6
    return [axes[within[:, c]] for c in range(within.shape[1])]


def reference_geomancer(points, k, n_eigenvalues=10):
    """Subspaces (a list of bases for each point) and eigenvalues."""
    graph = reference_graph(points, 2 * k)
    tangents = reference_tangents(points, graph, k)
    laplacian = reference_laplacian(reference_connection(tangents, graph), graph, k)
    start = np.random.default_rng(0).standard_normal(laplacian.shape[0]).astype(np.float32)
    values, vectors = scipy.sparse.linalg.eigsh(laplacian, k=n_eigenvalues, which="SM", v0=start)
    below = int(np.argmax(np.diff(values))) + 1
    fields = reference_matrices(vectors.reshape(len(points), -1, n_eigenvalues)[:, :, :below], k)
    found = [
        [tangents[i].T @ axes.T for axes in reference_subspaces(fields[i])]
        for i in range(len(points))
    ]
    return found, values


def reference_error(found, sample):
    """Mean over the points; pi / 2 where a point has other dimensions than the product."""
    per_point = []
    for i, subspaces in enumerate(found):
        true = [basis[i : i + 1] for basis in sample.tangents]
        own = [basis[None].astype(np.float64) for basis in subspaces]
        per_point.append(subspace_error(own, true).mean)
    return float(np.mean(per_point))


# --- what is printed -----------------------------------------------------------------------------


def one_core():
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def cpu(function, *arguments):
    start = time.process_time()
    result = function(*arguments)
    return time.process_time() - start, result


def ours(points, k):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Geomancer(k, random_state=0).fit(points)


def compiled(product):
    """So that numba compiles before anything is timed."""
    ours(product.sample(300 + 40 * product.dim, random_state=1).points, product.dim)


def against(name, n, asked_ratio, asked_error):
    product = parse_manifold(name)
    sample = product.sample(n, random_state=0)
    compiled(product)
    seconds, model = cpu(ours, sample.points, product.dim)
    error = subspace_error(model.subspaces_, sample.tangents).mean
    reference_seconds, (found, _) = cpu(reference_geomancer, sample.points, product.dim)
    print(
        f"{name}, n = {n}: reference {reference_seconds:.1f} s, ours {seconds:.2f} s, ratio "
        f"{reference_seconds / seconds:.0f} ({asked_ratio} was asked for); error "
        f"{reference_error(found, sample):.3f}, ours {error:.4f} ({asked_error} was asked for)",
        flush=True,
    )


def alone(name, n, asked_error):
    product = parse_manifold(name)
    sample = product.sample(n, random_state=0)
    compiled(product)
    seconds, model = cpu(ours, sample.points, product.dim)
    error = subspace_error(model.subspaces_, sample.tangents).mean
    print(
        f"{name}, n = {n}: ours {seconds:.1f} s, factors of {model.dims_.tolist()}, error "
        f"{error:.4f} ({asked_error} was asked for)",
        flush=True,
    )


def grown(n):
    """Processor seconds, seconds of each stage, error, and GiB at most and before the fit."""
    one_core()
    product = parse_manifold("S^2 x S^2")
    compiled(product)
    sample = product.sample(n, random_state=0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    seconds, model = cpu(ours, sample.points, 4)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    error = subspace_error(model.subspaces_, sample.tangents).mean
    return seconds, model.seconds_, error, memory, before


def growth():
    for n in (10_000, 100_000, 1_000_000):
        # A process for each, so that the memory is its own.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            seconds, stages, error, memory, before = pool.submit(grown, n).result()
        parts = ", ".join(f"{stage} {1e6 * s / n:.0f}" for stage, s in stages.items())
        print(
            f"S^2 x S^2, n = {n}: {1e6 * seconds / n:.0f} us of processor per point, error "
            f"{error:.5f}, at most {memory:.2f} GiB, {(memory - before) * 2**20 / n:.1f} KiB per "
            f"point above the data; us of wall per point: {parts}",
            flush=True,
        )
    from unweave.geometry.connection import parallel_transport
    from unweave.geometry.graph import nearest_neighbours, neighbour_graph
    from unweave.geometry.laplacian import ConnectionLaplacian

    for n_spheres in (2, 3, 4, 5, 6):
        product = parse_manifold(" x ".join(["S^2"] * n_spheres))
        k = product.dim
        sample = product.sample(5000, random_state=0)
        graph = neighbour_graph(nearest_neighbours(sample.points, 2 * k))
        transport = parallel_transport(np.concatenate(sample.tangents, axis=2), graph.edges)
        laplacian = ConnectionLaplacian(transport, graph)
        block = np.ones(laplacian.shape, dtype=np.float32)
        laplacian(block)
        seconds = min(cpu(laplacian, block)[0] for _ in range(5)) / (2 * len(graph.edges))
        print(
            f"k = {k}: {1e6 * seconds:.3f} us per directed edge for eight vectors, "
            f"{1e9 * seconds / k**3:.2f} ns per k^3",
            flush=True,
        )


def repeated(label, name="S^2 x S^2", n=3000, off=0, **options):
    """Error, confidence and warnings over ten samples; ``off`` is how wrong n_dims is."""
    product = parse_manifold(name)
    errors, confidences, dims, said = [], [], Counter(), Counter()
    for seed in range(10):
        sample = product.sample(n, random_state=seed, **options)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = Geomancer(product.dim + off, random_state=0).fit(sample.points)
        errors.append(subspace_error(model.subspaces_, sample.tangents).mean)
        confidences.append(model.confidence_)
        dims[tuple(model.dims_.tolist())] += 1
        texts = [str(warning.message) for warning in caught]
        said["dimension"] += any("and n_dims=" in text for text in texts)
        said["not checked"] += any("is not checked" in text for text in texts)
        said["gap"] += any("no gap in the spectrum" in text for text in texts)
        said["anything"] += bool(texts)
    print(
        f"{name}, n = {n}, {label}: error {np.mean(errors):.3f} ({min(errors):.3f} to "
        f"{max(errors):.3f}), confidence {min(confidences):.2f} to {max(confidences):.2f}; dims "
        f"{dict(dims)}; samples with a warning: {dict(+said)}",
        flush=True,
    )


def failures():
    for condition in (1.0, 1.1, 1.5, 2.0, 5.0):
        repeated(f"linear map of condition {condition:g}", condition=condition)
    for noise in (0.003, 0.01, 0.03, 0.1):
        repeated(f"noise {noise:g}", noise=noise)
    repeated("density exp(4x)", density=4.0)
    repeated("few points", " x ".join(["S^2"] * 3), 300)
    repeated("few points", " x ".join(["S^2"] * 4), 1000)
    for off in (-1, 1):
        repeated(f"n_dims wrong by {off}", off=off)
        repeated(f"n_dims wrong by {off}", "S^2 x SO(3)", off=off)
        repeated(f"n_dims wrong by {off}", " x ".join(["S^2"] * 3), off=off)


def main():
    one_core()
    if "--failures" in sys.argv:
        failures()
        return
    if "--growth" in sys.argv:
        growth()
    for case in SHORT + (LONG if "--long" in sys.argv else []):
        against(*case)
    for case in ALONE if "--long" in sys.argv else ALONE[:2]:
        alone(*case)


if __name__ == "__main__":
    main()
