"""Holonomy against Gauss and Bonnet, and against products and flat manifolds."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from unweave.datasets.manifolds import parse_manifold
from unweave.geometry import (
    holonomy,
    quadratic_tangents,
    rotation_angles,
    spherical_area,
    transport,
)
from unweave.geometry.graph import nearest_neighbours
from unweave.geometry.tangent import pca_tangents, quadratic_neighbourhood


def estimated(points, n_dims):
    near = nearest_neighbours(points, quadratic_neighbourhood(n_dims))
    return quadratic_tangents(points, near, pca_tangents(points, near, n_dims))


def parallel(colatitude, n=60):
    """Points of a circle around the pole."""
    angles = np.linspace(0, 2 * np.pi, n, endpoint=False)
    ring = np.sin(colatitude) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.column_stack([ring, np.full(n, np.cos(colatitude))])


def nearest(points, path):
    return [int(i) for i in cKDTree(points).query(path)[1]]


@pytest.mark.parametrize("colatitude", [0.3, 0.7, 1.0, 1.3])
def test_on_a_sphere_a_frame_turns_by_the_enclosed_area(colatitude):
    points = parse_manifold("S^2").sample(4000, random_state=0).points
    loop = nearest(points, parallel(colatitude))
    (angle,) = rotation_angles(holonomy(estimated(points, 2), loop))
    area = abs(spherical_area(points[loop]))
    expected = min(area % (2 * np.pi), 2 * np.pi - area % (2 * np.pi))
    assert angle == pytest.approx(expected, abs=1e-3)
    # Close to the cap that the circle bounds: sampled corners lie a little beside it.
    cap = 2 * np.pi * (1 - np.cos(colatitude))
    assert area == pytest.approx(cap, rel=0.12)


def test_the_area_of_an_octant_is_an_eighth_of_the_sphere():
    assert spherical_area(np.eye(3)) == pytest.approx(np.pi / 2)
    assert spherical_area(np.eye(3)[::-1]) == pytest.approx(-np.pi / 2)


def test_on_a_product_each_factor_has_its_own_block():
    sample = parse_manifold("S^2 x S^2").sample(12_000, random_state=0)
    tangents = np.concatenate(sample.tangents, axis=2)
    first = parallel(0.9, 25)
    path = np.hstack([first, np.tile([[0.0, 0, 1]], (25, 1))])
    loop = nearest(sample.points, path)
    turned = holonomy(tangents, loop)
    np.testing.assert_allclose(turned[:2, 2:], 0, atol=1e-6)
    np.testing.assert_allclose(turned[2:, :2], 0, atol=1e-6)
    areas = [abs(spherical_area(sample.points[loop][:, part])) for part in (slice(3), slice(3, 6))]
    for block, area in zip((turned[:2, :2], turned[2:, 2:]), areas, strict=True):
        assert np.cos(rotation_angles(block)[0]) == pytest.approx(np.cos(area), abs=1e-6)


def test_on_a_flat_torus_a_frame_comes_back_as_it_was():
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, (3000, 2))
    points = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    turns = np.linspace(0, 2 * np.pi, 50, endpoint=False)
    ring = np.stack([turns, np.full(50, 1.0)], axis=1)
    loop = nearest(points, np.concatenate([np.cos(ring), np.sin(ring)], axis=1))
    assert rotation_angles(holonomy(estimated(points, 2), loop))[0] < 1e-3


def test_transport_there_and_back_is_the_identity():
    points = parse_manifold("SO(3)").sample(500, random_state=0).points
    tangents = estimated(points, 3)
    there = transport(tangents, [3, 7, 11])
    back = transport(tangents, [11, 7, 3])
    np.testing.assert_allclose(back @ there, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(there @ there.T, np.eye(3), atol=1e-6)


def test_paths_that_are_none_are_refused():
    tangents = np.tile(np.eye(3)[:, :2], (5, 1, 1))
    with pytest.raises(ValueError, match="needs two points or more, not 1"):
        transport(tangents, [3])
    with pytest.raises(ValueError, match="a loop needs a point or more"):
        holonomy(tangents, [])
    with pytest.raises(ValueError, match=r"tangents must be finite.* with 30 missing"):
        transport(np.nan * tangents, [0, 1])
    with pytest.raises(IndexError, match=r"must lie in \[0, 5\)"):
        transport(tangents, [0, 900])
