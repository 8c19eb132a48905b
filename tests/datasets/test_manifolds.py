import numpy as np
import pytest

from unweave.datasets.manifolds import ProductManifold, parse_manifold

NAMES = ["S^1", "S^2", "S^4", "SO(3)", "SO(4)", "RP^2", "RP^3", "V(4,2)", "H^2"]


@pytest.mark.parametrize("name", NAMES)
class TestManifold:
    def test_tangents_are_orthonormal_and_touch(self, name):
        product = parse_manifold(name)
        sample = product.sample(400, random_state=0)
        (basis,) = sample.tangents
        assert basis.shape == (400, product.ambient, product.dim)
        gram = basis.transpose(0, 2, 1) @ basis
        np.testing.assert_allclose(gram, np.tile(np.eye(product.dim), (400, 1, 1)), atol=1e-12)

    def test_near_points_lie_along_the_tangents(self, name):
        product = parse_manifold(name)
        sample = product.sample(4000 if product.dim < 4 else 12_000, random_state=0)
        away = sample.points[1:] - sample.points[0]
        near = away[np.argsort(np.linalg.norm(away, axis=1))[:5]]
        basis = sample.tangents[0][0]
        beyond = near - near @ basis @ basis.T
        distances = np.linalg.norm(near, axis=1)
        # What curvature takes off the tangent space falls as the square of the distance.
        assert (np.linalg.norm(beyond, axis=1) < 1.5 * distances**2).all()


def test_points_satisfy_the_equations_of_their_manifold():
    sphere = parse_manifold("S^3").sample(50, random_state=0).points
    np.testing.assert_allclose(np.linalg.norm(sphere, axis=1), 1)
    rotations = parse_manifold("SO(3)").sample(50, random_state=0).points.reshape(-1, 3, 3)
    np.testing.assert_allclose(
        rotations.transpose(0, 2, 1) @ rotations, [np.eye(3)] * 50, atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(rotations), 1)
    lines = parse_manifold("RP^2").sample(50, random_state=0).points
    np.testing.assert_allclose(np.linalg.norm(lines, axis=1), 1)
    x, y, z = parse_manifold("H^2").sample(50, random_state=0).points.T
    np.testing.assert_allclose(z, (x**2 - y**2) / 2)


def test_points_are_uniform():
    points = parse_manifold("S^2").sample(20_000, random_state=0).points
    # Archimedes: each coordinate of the sphere is uniform.
    assert np.histogram(points[:, 2], 10, (-1, 1))[0].std() < 100
    rotations = parse_manifold("SO(3)").sample(20_000, random_state=0).points
    np.testing.assert_allclose(rotations.mean(axis=0), 0, atol=0.02)


def test_points_of_a_saddle_are_uniform_on_the_surface():
    x, y, _ = parse_manifold("H^2").sample(40_000, random_state=0).points.T
    # The area element is r sqrt(1 + r^2); uniform in the plane the mean would be 1 / 2.
    square = (0.4 * (2**2.5 - 1) - 2 / 3 * (2**1.5 - 1)) / 2
    assert np.mean(x**2 + y**2) == pytest.approx(square / ((2**1.5 - 1) / 3), abs=0.006)


def test_products_keep_factors_apart_until_they_are_rotated():
    product = parse_manifold("S^2 x SO(3)")
    assert (product.dim, product.ambient, repr(product)) == (5, 12, "S^2 x SO(3)")
    plain = product.sample(10, random_state=1)
    assert not plain.tangents[0][:, 3:].any()
    assert not plain.tangents[1][:, :3].any()
    turned = product.sample(10, random_state=1, rotate=True)
    distances = [
        np.linalg.norm(s.points[:, None] - s.points[None], axis=2) for s in (plain, turned)
    ]
    np.testing.assert_allclose(*distances, atol=1e-12)
    assert turned.tangents[0][:, 3:].any()
    noisy = product.sample(10, random_state=1, noise=0.1)
    assert 0.05 < (noisy.points - plain.points).std() < 0.2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("S2", "'S2' in 'S2' is not a known manifold: write factors as"),
        ("S^2 x T^2", "'T\\^2' in 'S\\^2 x T\\^2' is not a known manifold"),
        ("S^0", "the dimension of a sphere must be a whole number of at least 1"),
        ("V(2,2)", "must have fewer vectors than dimensions"),
        ("V(1,1)", "the size of a Stiefel manifold must be a whole number of at least 2"),
        ("V(3,0)", "the vectors of a Stiefel manifold must be a whole number of at least 1"),
        ("SO(1)", "the size of rotations must be a whole number of at least 2"),
        ("RP^0", "the dimension of a projective space must be a whole number of at least 1"),
    ],
)
def test_other_words_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_manifold(text)


def test_a_product_of_nothing_is_refused():
    with pytest.raises(ValueError, match="a product needs at least one manifold"):
        ProductManifold([])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"n": 0}, "n must be a whole number of at least 1"),
        ({"noise": -1}, "noise is a standard deviation"),
        ({"density": np.inf}, "density is a finite number"),
        ({"condition": 0.5}, "condition is a condition number of at least 1"),
    ],
)
def test_wrong_options_are_refused(option, message):
    with pytest.raises(ValueError, match=message):
        parse_manifold("S^2").sample(**{"n": 5, "random_state": 0, **option})


def test_density_is_that_of_its_formula():
    points = parse_manifold("S^2").sample(20_000, random_state=0, density=2.0).points
    # Each coordinate is uniform on the sphere: the mean of exp(2 x) on [-1, 1] is Langevin's.
    assert points[:, 0].mean() == pytest.approx(1 / np.tanh(2) - 1 / 2, abs=0.01)
    assert points[:, 1].mean() == pytest.approx(0, abs=0.02)


def test_a_linear_map_turns_points_and_tangents():
    product = parse_manifold("S^2 x S^1")
    plain = product.sample(500, random_state=0)
    mapped = product.sample(500, random_state=0, condition=10.0)
    linear = np.linalg.lstsq(plain.points, mapped.points, rcond=None)[0]
    np.testing.assert_allclose(plain.points @ linear, mapped.points, atol=1e-12)
    assert np.linalg.cond(linear) == pytest.approx(10)
    for before, after in zip(plain.tangents, mapped.tangents, strict=True):
        moved = linear.T @ before
        np.testing.assert_allclose(after @ (after.transpose(0, 2, 1) @ moved), moved, atol=1e-12)
