"""The dimension of points: random samples, grids, and what cannot be said."""

import numpy as np
import pytest
from scipy.stats import qmc

from unweave.datasets.manifolds import parse_manifold
from unweave.geometry import intrinsic_dimension
from unweave.geometry.dimension import estimate_dimension
from unweave.geometry.graph import spatial_order
from unweave.geometry.near_duplicates import merged_rows


def circle(n):
    angles = 2 * np.pi * np.arange(n) / n
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def grid(*levels):
    axes = np.meshgrid(*[np.arange(float(n)) for n in levels], indexing="ij")
    return np.stack(axes, axis=-1).reshape(-1, len(levels))


def flat_torus(*levels):
    angles = 2 * np.pi * grid(*levels) / np.array(levels)
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1)


def fibonacci_sphere(n):
    height = 1 - (2 * np.arange(n) + 1) / n
    angle = np.pi * (1 + np.sqrt(5)) * np.arange(n)
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)


def jittered(points, size):
    return points + size * np.random.default_rng(0).standard_normal(points.shape)


def mapped(points, features, seed=0):
    return points @ np.random.default_rng(seed).standard_normal((points.shape[1], features))


def cylinder():
    """Heights of 20 rings of 80 points, four steps of a ring from each other."""
    return np.tile(np.arange(20) * 8 * np.pi / 80, 80)


HEXAGONAL = np.array([[1, 0], [0.5, np.sqrt(0.75)]])
EVEN = {
    "circle": (circle(1000), 1),
    "circle, jitter": (jittered(circle(1000), 1e-5), 1),
    "small circle": (circle(60), 1),
    "circle among eight features": (mapped(circle(1000), 8), 1),
    "torus": (flat_torus(50, 50), 2),
    "torus, jitter": (jittered(flat_torus(50, 50), 1e-3), 2),
    "torus, more jitter": (jittered(flat_torus(50, 50), 0.03), 2),
    "torus, steps 3:1": (flat_torus(51, 17), 2),
    "torus, 20 x 80": (flat_torus(20, 80), 2),
    "torus, 16 x 64": (flat_torus(16, 64), 2),
    "torus, 20 x 70": (flat_torus(20, 70), 2),
    "torus, 30 x 120": (flat_torus(30, 120), 2),
    "torus, 20 x 50": (flat_torus(20, 50), 2),
    "torus, 40 x 160": (flat_torus(40, 160), 2),
    "torus, 20 x 80, jitter": (jittered(flat_torus(20, 80), 1e-3), 2),
    "torus, radii 1:3": (flat_torus(50, 50) * [1, 3, 1, 3], 2),
    "torus of three, 12 x 12 x 72": (flat_torus(12, 12, 72), 3),
    "cylinder, steps 1:4": (np.column_stack([np.repeat(circle(80), 20, axis=0), cylinder()]), 2),
    "torus of three": (flat_torus(12, 12, 12), 3),
    "square": (grid(40, 40), 2),
    "cube": (grid(12, 12, 12), 3),
    "cube, jitter": (jittered(grid(12, 12, 12), 1e-3), 3),
    "square, steps 3:1": (grid(60, 20) * [1, 3], 2),
    "square, steps 10:1": (grid(100, 20) * [1, 10], 2),
    "hexagons": (grid(40, 40) @ HEXAGONAL, 2),
    "hexagons in five": (mapped(grid(40, 40), 5), 2),
    "codes of four factors": (mapped(grid(5, 4, 6, 8), 10), 4),
    "curved codes of three": (np.tanh(mapped(grid(10, 10, 10) - 4.5, 10) / 4), 3),
    "sphere": (fibonacci_sphere(1000), 2),
    "line": (mapped(grid(500), 3), 1),
    "whole numbers": (np.round(jittered(np.zeros((3000, 3)), 3)), 3),
    "Sobol": (qmc.Sobol(2, seed=0).random(2048), 2),
    "Halton": (qmc.Halton(5, seed=0).random(2000), 5),
}


@pytest.mark.parametrize("name", EVEN)
def test_the_dimension_of_even_points_is_found(name):
    points, dimension = EVEN[name]
    found, error = intrinsic_dimension(points)
    assert abs(found - dimension) <= 3 * error
    assert error < 0.2


def test_order_repetition_and_offset_change_nothing():
    points = grid(40, 40)
    rows = np.random.default_rng(0).permutation(np.repeat(points, 5, axis=0))
    assert intrinsic_dimension(rows + 1e6) == intrinsic_dimension(points) == (2.0, 0.0)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (grid(100, 20) * [1, 100], "20 pieces that look like 1 dimension.* bring the features to"),
        (grid(3, 3, 3, 3, 3, 3), "distances to neighbours are not those of a random sample"),
        (np.random.default_rng(0).integers(0, 2, (1000, 10)), "not those of a random sample"),
        (
            np.sin(mapped(grid(10, 10, 10) - 5, 10) / 2),
            "look like those of a manifold of .* and neighbourhoods spread in",
        ),
        (np.random.default_rng(0).standard_normal((3000, 50)), "too few to check it; give n_dims"),
        (grid(12, 12, 12) * [1, 1, 5], "not those of a random sample"),
        (flat_torus(40, 40) * [1, 10, 1, 10], "not those of a random sample"),
        (
            np.eye(40) + 1e-9 * np.arange(1600).reshape(40, 40) ** 0.5,
            "dimension cannot be estimated",
        ),
        (circle(4), r"4 distinct point\(s\) are too few; give 10 or more"),
        (circle(6), r"6 distinct point\(s\) are too few"),
        (grid(3, 3), r"9 distinct point\(s\) are too few"),
        (jittered(np.repeat(grid(3, 1), 20, axis=0), 1e-10), r"3 distinct point\(s\) are too few"),
        (np.ones((100, 3)), r"1 distinct point\(s\) are too few; give 10 or more"),
    ],
)
def test_what_cannot_be_estimated_is_refused(points, message):
    with pytest.raises(ValueError, match=message):
        intrinsic_dimension(points.astype(float))


def spread_of_estimates(name, n, n_samples, **options):
    product = parse_manifold(name)
    found = [
        intrinsic_dimension(product.sample(n, random_state=seed, **options).points)
        for seed in range(n_samples)
    ]
    values, errors = np.array(found).T
    return values.std(ddof=1), errors.mean()


@pytest.mark.parametrize(("name", "n"), [("S^2", 400), ("S^2 x S^2", 600)])
def test_the_standard_error_is_the_spread_over_samples(name, n):
    spread, error = spread_of_estimates(name, n, 80)
    # Eighty samples know a spread to eight per cent.
    assert 0.8 < error / spread < 1.25


@pytest.mark.parametrize(
    ("name", "n", "options"),
    [
        ("S^2", 1500, {}),
        ("S^2 x S^2", 1000, {}),
        ("S^2 x S^2", 3000, {"noise": 0.03}),
        ("S^2 x S^2", 3000, {"density": 4.0}),
        ("S^2 x S^2", 3000, {"condition": 2.0}),
        ("S^1 x S^2", 1000, {}),
        ("SO(3)", 1500, {}),
        ("S^4 x S^2", 4000, {}),
        ("RP^2 x RP^2", 2000, {}),
        ("H^2 x H^2", 2000, {}),
        ("S^2 x SO(3)", 3000, {}),
        ("S^2 x S^2 x S^2", 3000, {}),
    ],
)
def test_neither_more_nor_fewer_dimensions_are_accepted(name, n, options):
    product = parse_manifold(name)
    for seed in (1, 2):
        points = product.sample(n, random_state=seed, **options).points
        found = estimate_dimension(points[spatial_order(points)])
        wrong = [found.contradicts(product.dim + off) for off in (-1, 0, 1)]
        assert wrong == [True, False, True]


def test_points_that_fill_their_space_have_all_its_dimensions(rng):
    found = estimate_dimension(rng.standard_normal((3000, 10)))
    assert (found.whole, found.clear) == (10, True)


class TestNearDuplicates:
    @pytest.mark.parametrize("features", [2, 30])
    def test_the_first_of_each_group_is_kept(self, rng, features):
        points = rng.standard_normal((200, features))
        member = rng.permutation(np.repeat(np.arange(200), 5))
        rows = points[member] + 1e-9 * rng.standard_normal((1000, features))
        kept, places = merged_rows(rows)
        assert len(kept) == 200
        first = np.unique(member, return_index=True)[1]
        np.testing.assert_array_equal(np.sort(kept), np.sort(first))
        np.testing.assert_allclose(rows[kept][places], rows, atol=1e-8)

    def test_points_that_differ_are_kept(self, rng):
        points = rng.standard_normal((500, 3))
        points[:, 0] *= 1e-6  # another unit
        assert len(merged_rows(points)[0]) == 500

    def test_the_resolution_of_large_numbers_counts(self, rng):
        rows = np.repeat(rng.standard_normal((100, 2)), 3, axis=0) + 1e9
        rows = np.nextafter(rows, rng.choice([-np.inf, np.inf], rows.shape))
        assert len(merged_rows(rows)[0]) == 100
