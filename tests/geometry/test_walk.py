"""Walks against great circles, and against what commutes."""

import numpy as np
import pytest

from unweave.datasets.manifolds import parse_manifold
from unweave.geometry import ManifoldWalker


@pytest.fixture(scope="module")
def sphere():
    sample = parse_manifold("S^2").sample(20_000, random_state=0)
    return sample.points, sample.tangents[0]


def starts(points, tangents, n=100):
    rows = np.random.default_rng(0).integers(0, len(points), n)
    return points[rows], tangents[rows][:, :, 0], tangents[rows][:, :, 1]


@pytest.mark.parametrize("length", [0.3, 1.0, 2.5])
def test_straight_ahead_on_a_sphere_is_a_great_circle(sphere, length):
    walker = ManifoldWalker(*sphere, step=0.05)
    x, u, v = starts(*sphere)
    end, carried = walker.go(x, length * u, v)
    np.testing.assert_allclose(end, np.cos(length) * x + np.sin(length) * u, atol=0.02)
    # What is at right angles to the way stays as it is.
    np.testing.assert_allclose(carried, v, atol=0.06)


def test_the_direction_itself_is_carried_as_the_way_turns(sphere):
    walker = ManifoldWalker(*sphere, step=0.05)
    x, u, _ = starts(*sphere)
    _, carried = walker.go(x, 0.8 * u)
    np.testing.assert_allclose(carried, -np.sin(0.8) * x + np.cos(0.8) * u, atol=0.03)
    np.testing.assert_allclose(np.linalg.norm(carried, axis=1), 1, atol=1e-9)


def test_walks_of_different_lengths_go_together(sphere):
    walker = ManifoldWalker(*sphere, step=0.05)
    x, u, _ = starts(*sphere, n=3)
    lengths = np.array([[0.0], [0.5], [1.5]])
    end, _ = walker.go(x, lengths * u)
    np.testing.assert_allclose(end, np.cos(lengths) * x + np.sin(lengths) * u, atol=0.02)


def test_tangents_of_other_points_are_refused(sphere):
    points, tangents = sphere
    with pytest.raises(ValueError, match="20000 points of 3 coordinates need tangents"):
        ManifoldWalker(points, tangents[:-1])


def test_walks_that_do_not_belong_together_are_refused(sphere):
    walker = ManifoldWalker(*sphere, step=0.05)
    x, u, v = starts(*sphere, n=5)
    with pytest.raises(ValueError, match="5 positions, 4 moves and 4 carried vectors"):
        walker.go(x, u[:4])
    with pytest.raises(ValueError, match="moves have 2 coordinates, and the points 3"):
        walker.go(x, u[:, :2])
    with pytest.raises(ValueError, match="carried vectors must be a finite array .*NaN"):
        walker.go(x, u, np.nan * v)
