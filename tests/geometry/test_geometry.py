"""The stages of GEOMANCER, each against a closed form or another library."""

import numpy as np
import pytest
from scipy.linalg import polar
from sklearn.neighbors import NearestNeighbors

from unweave.datasets.manifolds import parse_manifold
from unweave.geometry import intrinsic_dimension, pca_tangents, quadratic_tangents
from unweave.geometry._block import BLOCK
from unweave.geometry.cluster import assign_axes
from unweave.geometry.connection import parallel_transport, polar_factors
from unweave.geometry.diagonalise import commuting_complement, jointly_diagonalise
from unweave.geometry.dimension import estimate_dimension
from unweave.geometry.eigen import Spectrum, largest_gap, smaller_than, smallest_eigenpairs
from unweave.geometry.factors import split_tensors
from unweave.geometry.graph import (
    Graph,
    distinct_rows,
    nearest_neighbours,
    neighbour_graph,
    spatial_order,
)
from unweave.geometry.laplacian import ConnectionLaplacian, packed, unpacked
from unweave.geometry.multilevel import coarse_fields
from unweave.geometry.tangent import quadratic_neighbourhood


@pytest.mark.parametrize("features", [3, 14])
def test_neighbours_are_those_of_scikit_learn(rng, features):
    points = rng.standard_normal((300, features))
    points[7] = points[3]  # a duplicate is a neighbour like any other
    ours = nearest_neighbours(points, 6)
    theirs = NearestNeighbors(n_neighbors=6).fit(points).kneighbors(return_distance=False)
    away = [np.linalg.norm(points[n] - points[:, None], axis=2) for n in (ours, theirs)]
    np.testing.assert_allclose(*away, atol=1e-7)
    assert (ours != np.arange(300)[:, None]).all()
    assert 7 in ours[3]


def test_many_points_of_many_features_have_nearly_their_nearest_neighbours():
    pytest.importorskip("faiss")
    points = parse_manifold("SO(3) x SO(3)").sample(50_500, random_state=0).points
    points = points[spatial_order(points)]
    ours = nearest_neighbours(points, 30)
    rows = np.arange(0, len(points), 250)
    search = NearestNeighbors(n_neighbors=31, algorithm="brute").fit(points)
    theirs = search.kneighbors(points[rows], return_distance=False)[:, 1:]
    shared = [len(np.intersect1d(a, b)) / 30 for a, b in zip(ours[rows], theirs, strict=True)]
    assert np.mean(shared) > 0.998
    assert (ours != np.arange(len(points))[:, None]).all()


def test_repeated_rows_are_kept_once():
    points = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, -0.0], [0.0, 2.0]])
    kept, places = distinct_rows(points)
    assert sorted(kept) == [0, 1]
    np.testing.assert_array_equal(points[kept][places], points)


def test_the_graph_has_each_edge_once_and_both_ways_in_its_rows(rng):
    graph = neighbour_graph(nearest_neighbours(rng.standard_normal((100, 2)), 4))
    assert len(np.unique(graph.edges, axis=0)) == len(graph.edges)
    assert (graph.edges[:, 0] < graph.edges[:, 1]).all()
    starts, others, number = graph.rows()
    for i in (0, 50, 99):
        own = slice(starts[i], starts[i + 1])
        joined = graph.edges[(graph.edges == i).any(axis=1)]
        assert sorted(others[own]) == sorted(joined.sum(axis=1) - i)
        assert (graph.edges[number[own]] == i).any(axis=1).all()


def test_parts_that_no_edge_joins():
    parts = Graph(5, np.array([[0, 2], [1, 3], [3, 4]])).parts()
    assert [rows.tolist() for rows, _, _ in parts] == [[0, 2], [1, 3, 4]]
    assert parts[1][2].edges.tolist() == [[0, 1], [1, 2]]


def tangent_error(found, true):
    cosines = np.linalg.svd(true.transpose(0, 2, 1) @ found, compute_uv=False)
    return np.arccos(np.clip(cosines[:, -1], 0, 1)).mean()


@pytest.mark.parametrize("name", ["S^2 x S^2", "RP^2 x RP^2", "S^2 x SO(3)"])
def test_a_quadratic_fit_beats_pca_many_times(name):
    product = parse_manifold(name)
    sample = product.sample(3000, random_state=0)
    near = nearest_neighbours(sample.points, quadratic_neighbourhood(product.dim))
    pca = pca_tangents(sample.points, near[:, : 3 * product.dim], product.dim)
    true = np.concatenate(sample.tangents, axis=2)
    quadratic = quadratic_tangents(sample.points, near, pca)
    assert tangent_error(quadratic, true) < tangent_error(pca, true) / 5


def test_a_quadratic_surface_is_fitted_exactly(rng):
    # z is a quadratic function of the tangent coordinates: the fit has nothing left over.
    xy = rng.uniform(-0.1, 0.1, (400, 2))
    xy[0] = 0
    points = np.column_stack([xy, xy[:, 0] ** 2 - 3 * xy[:, 0] * xy[:, 1]])
    near = nearest_neighbours(points, 30)
    tangents = quadratic_tangents(points, near, pca_tangents(points, near, 2))
    assert abs(tangents[0, 2]).max() < 1e-3


def test_a_fit_does_not_depend_on_the_frame_that_it_starts_from(rng):
    points = parse_manifold("S^2 x S^2").sample(300, random_state=0).points
    near = nearest_neighbours(points, quadratic_neighbourhood(4))
    start = pca_tangents(points, near, 4)
    turned = start @ np.linalg.qr(rng.standard_normal((300, 4, 4)))[0]
    first, second = (quadratic_tangents(points, near, basis) for basis in (start, turned))
    np.testing.assert_allclose(
        first @ first.transpose(0, 2, 1), second @ second.transpose(0, 2, 1), atol=1e-8
    )


def test_polar_factors_are_those_of_scipy(rng):
    matrices = np.stack([np.linalg.qr(rng.standard_normal((6, 6)))[0][:4, :4] for _ in range(50)])
    matrices[0, :, 0] = 1e-9 * matrices[0, :, 1]  # nearly singular: by decomposition
    for ours, matrix in zip(polar_factors(matrices)[1:], matrices[1:], strict=True):
        np.testing.assert_allclose(ours, polar(matrix)[0], atol=1e-5)
    np.testing.assert_allclose(
        polar_factors(matrices)[0].T @ polar_factors(matrices)[0], np.eye(4), atol=1e-6
    )


@pytest.fixture
def operator():
    product = parse_manifold("S^2 x S^1")
    sample = product.sample(60, random_state=0)
    graph = neighbour_graph(nearest_neighbours(sample.points, 6))
    transport = parallel_transport(np.concatenate(sample.tangents, axis=2), graph.edges)
    return transport.astype(np.float64), graph


def dense(transport, graph, normalised):
    """The operator as its definition says, on all k by k matrices, one entry after the other."""
    n, k = graph.n, transport.shape[1]
    matrix = np.zeros((n, k, k, n, k, k))
    degree = np.bincount(graph.edges.ravel(), minlength=n)
    for i in range(n):
        matrix[i, :, :, i] = np.einsum("ac,bd->abcd", np.eye(k), np.eye(k)) * degree[i]
    for (i, j), q in zip(graph.edges, transport, strict=True):
        matrix[i, :, :, j] -= np.einsum("ac,bd->abcd", q, q)
        matrix[j, :, :, i] -= np.einsum("ac,bd->abcd", q.T, q.T)
    if normalised:
        root = 1 / np.sqrt(degree)
        matrix = (
            matrix * root[:, None, None, None, None, None] * root[None, None, None, :, None, None]
        )
    return matrix.reshape(n * k * k, n * k * k)


def whole(block, k):
    """The matrices (points x k x k, 8) of packed ones (points, k (k + 1) / 2, 8)."""
    return unpacked(block.transpose(0, 2, 1), k).transpose(0, 2, 3, 1).reshape(-1, BLOCK)


@pytest.mark.parametrize("normalised", [True, False])
def test_the_operator_is_what_its_formula_says(rng, operator, normalised):
    transport, graph = operator
    laplacian = ConnectionLaplacian(transport, graph, normalised=normalised)
    block = rng.standard_normal(laplacian.shape).astype(np.float32)
    expected = dense(transport, graph, normalised) @ whole(block, 3)
    np.testing.assert_allclose(whole(laplacian(block), 3), expected, atol=1e-4)
    previous = rng.standard_normal(laplacian.shape).astype(np.float32)
    step = laplacian.combined(block, previous, 0.5, 2.0, -3.0)
    expected = 0.5 * expected + 2 * whole(block, 3) - 3 * whole(previous, 3)
    np.testing.assert_allclose(whole(step, 3), expected, atol=1e-4)


@pytest.mark.parametrize("k", [2, 3, 4, 5, 8])
def test_the_operator_is_right_for_every_number_of_dimensions(rng, k):
    edges = np.array([[0, 1], [1, 2], [0, 2], [2, 3]])
    transport = np.linalg.qr(rng.standard_normal((4, k, k)))[0]
    laplacian = ConnectionLaplacian(transport, Graph(4, edges), normalised=False)
    block = rng.standard_normal(laplacian.shape).astype(np.float32)
    expected = dense(transport, Graph(4, edges), False) @ whole(block, k)
    np.testing.assert_allclose(whole(laplacian(block), k), expected, atol=1e-4)


def test_packed_matrices_have_the_same_inner_products(rng):
    matrices = rng.standard_normal((2, 5, 4, 4))
    matrices = matrices + matrices.transpose(0, 1, 3, 2)
    first, second = packed(matrices)
    inner = np.einsum("nab,nab->n", *matrices)
    np.testing.assert_allclose(np.einsum("np,np->n", first, second), inner)
    np.testing.assert_allclose(unpacked(packed(matrices), 4), matrices)


@pytest.mark.parametrize("normalised", [True, False])
def test_the_smallest_eigenvalues_are_those_of_the_matrix(operator, normalised):
    transport, graph = operator
    k = transport.shape[1]
    laplacian = ConnectionLaplacian(transport, graph, normalised=normalised)
    found = smallest_eigenpairs(laplacian, largest_gap(k), random_state=np.random.default_rng(0))
    matrix = dense(transport, graph, normalised)
    # Within the symmetric matrices of trace 0: an orthonormal basis of these at each point.
    basis = []
    for a in range(k):
        for b in range(a):
            element = np.zeros((k, k))
            element[a, b] = element[b, a] = np.sqrt(0.5)
            basis.append(element.ravel())
    diagonal = np.linalg.qr(np.column_stack([np.ones(k), np.eye(k)[:, 1:]]))[0][:, 1:]
    basis += [np.diag(column).ravel() for column in diagonal.T]
    whole = np.kron(np.eye(graph.n), np.array(basis).T)
    expected = np.linalg.eigvalsh(whole.T @ matrix @ whole)
    below = found.n_below_gap
    np.testing.assert_allclose(found.values[:below], expected[:below], atol=1e-3)
    assert found.values[below] == pytest.approx(expected[below], rel=0.1)
    vectors = found.vectors[..., :below].reshape(-1, below)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(below), atol=1e-4)
    assert np.abs(found.vectors[:, [0, 3, 5]].sum(axis=1)).max() < 1e-4


def test_with_true_tangents_the_factors_are_in_the_kernel():
    product = parse_manifold("S^2 x S^2 x S^2")
    sample = product.sample(1500, random_state=0)
    graph = neighbour_graph(nearest_neighbours(sample.points, 12))
    transport = parallel_transport(np.concatenate(sample.tangents, axis=2), graph.edges)
    found = smallest_eigenpairs(
        ConnectionLaplacian(transport, graph), largest_gap(6), random_state=np.random.default_rng(0)
    )
    assert found.n_below_gap == 2
    np.testing.assert_allclose(found.values[:2], 0, atol=1e-4)
    assert found.values[2] > 0.01


@pytest.mark.parametrize("normalised", [True, False])
def test_constant_tensors_are_parallel_where_frames_are_whatever_the_degrees(rng, normalised):
    graph = neighbour_graph(nearest_neighbours(rng.standard_normal((200, 2)), 5))
    transport = np.tile(np.eye(3), (len(graph.edges), 1, 1))
    laplacian = ConnectionLaplacian(transport, graph, normalised=normalised)
    assert len(np.unique(laplacian.degrees)) > 1
    constant = np.tile(rng.standard_normal((6, BLOCK)), (200, 1, 1))
    vectors = laplacian.vectors(constant)
    np.testing.assert_allclose(laplacian(vectors), 0, atol=1e-5)
    expected = unpacked(constant.transpose(0, 2, 1), 3)
    np.testing.assert_allclose(laplacian.fields(vectors), expected, atol=1e-5)


def test_fields_of_fewer_points_are_nearly_those_of_all(rng):
    sample = parse_manifold("S^2 x S^2").sample(3000, random_state=0)
    order = spatial_order(sample.points)
    points, bases = sample.points[order], np.concatenate(sample.tangents, axis=2)[order]
    bases = bases @ np.linalg.qr(rng.standard_normal((3000, 4, 4)))[0]
    graph = neighbour_graph(nearest_neighbours(points, 8))
    laplacian = ConnectionLaplacian(parallel_transport(bases, graph.edges), graph)
    fields = coarse_fields(points, bases, 8, largest_gap(4), np.random.default_rng(0))
    start = laplacian.vectors(fields)
    moved = laplacian(start)
    quotients = np.einsum("npv,npv->v", start, moved) / np.einsum("npv,npv->v", start, start)
    # With the true frames the field of the factors is parallel from whatever point it is carried.
    assert quotients[0] < 1e-3
    assert quotients[1] > 0.03


def test_gap_and_confidence_are_those_of_the_eigenvalues_at_the_gap(rng):
    # Three factors of dimension 1: two tensors without a trace, the same at all points.
    tensors = np.stack([np.diag([2.0, -1, -1]), np.diag([0.0, 1, -1])])
    fields = np.tile(np.pad(tensors, ((0, 6), (0, 0), (0, 0))), (40, 1, 1, 1))
    values = np.array([0.01, 0.05, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    spectrum = Spectrum(values, np.empty((40, 6, 8)), 2, converged=True, top=2.0)
    split = split_tensors(fields, spectrum, rng, may_be_one=True)
    assert split.dims.tolist() == [1, 1, 1]
    assert split.gap == pytest.approx(0.2 - 0.05)
    assert split.confidence == pytest.approx(1 - 0.05 / 0.2)


def test_the_gap_is_where_eigenvalues_jump():
    assert largest_gap(4)(np.array([0.0, 0.1, 2.0, 2.1, 2.2, 2.3, 2.4, 2.5])) == 2
    assert largest_gap(4)(np.array([0.0, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6])) == 1
    # In two dimensions there are two tensors without a trace: what lies beyond is no gap.
    assert largest_gap(2)(np.array([0.0, 0.1, 0.3, 5.0, 6.0, 7.0, 8.0, 9.0])) == 2
    assert smaller_than(0.5)(np.array([0.0, 0.1, 2.0, 2.1, 2.2, 2.3, 2.4, 2.5])) == 2
    assert smaller_than(0.5)(np.arange(1.0, 9.0)) == 0


def test_tensors_that_commute_are_made_diagonal_together(rng):
    rotation = np.linalg.qr(rng.standard_normal((40, 5, 5)))[0]
    spectra = rng.standard_normal((40, 3, 5))
    spectra[:, :, 1] = spectra[:, :, 0]  # an axis that no tensor tells from another
    tensors = np.einsum("nap,nmp,nbp->nmab", rotation, spectra, rotation)
    axes, diagonals, beyond = jointly_diagonalise(tensors)
    np.testing.assert_allclose(beyond, 0, atol=1e-12)
    np.testing.assert_allclose(
        np.sort(diagonals, axis=1), np.sort(spectra.transpose(0, 2, 1), axis=1)
    )
    again = np.einsum("nap,nmab,nbp->npm", axes, tensors, axes)
    np.testing.assert_allclose(again, diagonals, atol=1e-12)


def test_tensors_that_hardly_commute_are_made_as_diagonal_as_pyriemann_makes_them(rng):
    ajd = pytest.importorskip("pyriemann.geometry.ajd")
    rotation = np.linalg.qr(rng.standard_normal((6, 5, 5)))[0]
    spectra = rng.standard_normal((6, 3, 5))
    noise = 0.1 * rng.standard_normal((6, 3, 5, 5))
    tensors = np.einsum("nap,nmp,nbp->nmab", rotation, spectra, rotation)
    tensors += noise + noise.transpose(0, 1, 3, 2)
    _, _, beyond = jointly_diagonalise(tensors)
    theirs = []
    for own in tensors:
        diagonal = ajd.rjd(own)[1]
        theirs.append(1 - np.sum(np.einsum("maa->ma", diagonal) ** 2) / np.sum(diagonal**2))
    np.testing.assert_allclose(beyond, theirs, rtol=1e-5)
    assert (beyond > 1e-3).all()


def test_where_tensors_do_not_commute_is_found(rng):
    rotation = np.linalg.qr(rng.standard_normal((30, 5, 5)))[0]
    tensors = np.zeros((30, 4, 5, 5))
    for m in range(4):
        block = rng.standard_normal((2, 2))
        tensors[:, m, :2, :2] = block + block.T
        tensors[:, m, 2:, 2:] = rng.standard_normal() * np.eye(3)
    tensors = rotation[:, None] @ tensors @ rotation[:, None].transpose(0, 1, 3, 2)
    flat, rest = commuting_complement(tensors)
    assert (flat.shape[2], rest.shape[2]) == (2, 3)
    np.testing.assert_allclose(flat.transpose(0, 2, 1) @ rotation[:, :, 2:], 0, atol=1e-6)


def test_axes_of_a_factor_have_one_name_everywhere(rng):
    centres = np.array([[0.0, 1.0], [1.0, -1.0]])
    truth = rng.permuted(np.tile([0, 1, 1], (500, 1)), axis=1)
    diagonals = centres[truth] + 0.05 * rng.standard_normal((500, 3, 2))
    diagonals[0] = centres[0]  # all axes of one point look alike: the dimensions decide
    labels, dims = assign_axes(diagonals, 2, np.random.default_rng(0))
    assert dims.tolist() == [1, 2]
    np.testing.assert_array_equal(labels[1:], truth[1:])
    assert np.bincount(labels[0]).tolist() == [1, 2]


def test_differences_too_small_for_a_distance_are_no_nan(rng):
    points = np.concatenate([rng.standard_normal((100, 4)), 1e-200 * np.eye(4)[:2]])
    assert np.isfinite(estimate_dimension(points).value)
    assert np.isfinite(intrinsic_dimension(points)).all()
