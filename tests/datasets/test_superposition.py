import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from unweave.datasets.superposition import Superposition


@pytest.fixture(scope="module")
def world():
    return Superposition(
        n_dims=12, n_features=40, n_trees=3, branching=2, depth=2, correlation=0.6,
        correlation_rank=2, lowest_rate=0.05,
    )  # fmt: skip


@pytest.fixture(scope="module")
def sample(world):
    return world.sample(20_000, random_state=0)


@pytest.fixture(scope="module")
def fires(sample):
    return sample.activations.toarray() > 0


def test_rates_follow_zipf_and_the_tree(world):
    assert world.n_tops == 40 - 3 * (2 + 4)
    ranks = np.arange(1, world.n_tops + 1)
    falling = (ranks**-0.5 - world.n_tops**-0.5) / (1 - world.n_tops**-0.5)
    np.testing.assert_allclose(world.rates[: world.n_tops], 0.05 + 0.35 * falling)
    np.testing.assert_allclose(world.rates[[0, world.n_tops - 1]], [0.4, 0.05])
    children = np.flatnonzero(world.parents >= 0)
    expected = world.rates[world.parents[children]] * 0.8 / 2
    np.testing.assert_allclose(world.rates[children], expected)
    assert np.bincount(world.parents[children]).max() == 2


def test_every_feature_fires_at_its_rate(sample, fires):
    error = np.sqrt(sample.rates * (1 - sample.rates) / len(fires))
    assert (np.abs(fires.mean(axis=0) - sample.rates) < 4.5 * error).all()


def test_children_exclude_each_other_and_need_their_parent(sample, fires):
    for parent in np.unique(sample.parents[sample.parents >= 0]):
        siblings = fires[:, sample.parents == parent]
        assert siblings.sum(axis=1).max() == 1
        assert not siblings[~fires[:, parent]].any()
        share = siblings[fires[:, parent]].any(axis=1)
        assert share.mean() == pytest.approx(0.8, abs=4.5 * 0.4 / np.sqrt(len(share)))


def test_roots_fire_together_as_the_copula_says(world, fires):
    shared = world.loadings @ world.loadings.T
    assert np.diag(shared) == pytest.approx(np.full(world.n_tops, 0.6))
    quantile = norm.isf(world.rates)
    away = np.abs(shared) - 2 * np.eye(world.n_tops)
    pairs = np.unravel_index(np.argsort(away.ravel())[-6::2], away.shape)
    for first, second in zip(*pairs, strict=True):
        covariance = [[1, shared[first, second]], [shared[first, second], 1]]
        both = multivariate_normal([0, 0], covariance).cdf(-quantile[[first, second]])
        apart = world.rates[first] * world.rates[second]
        error = np.sqrt(both * (1 - both) / len(fires))
        found = (fires[:, first] & fires[:, second]).mean()
        assert found == pytest.approx(both, abs=4.5 * error)
        assert abs(found - apart) > 4.5 * error


def test_points_are_activations_times_directions_of_length_1(world, sample):
    np.testing.assert_allclose(np.linalg.norm(sample.directions, axis=1), 1)
    made = sample.activations.toarray() @ sample.directions
    np.testing.assert_allclose(sample.points, made, atol=1e-5)
    noisy = Superposition(n_dims=30, n_features=4, n_trees=0, noise=0.3)
    drawn = noisy.sample(2000, random_state=1)
    rest = drawn.points - drawn.activations @ noisy.directions
    assert rest.std() == pytest.approx(0.3, rel=0.02)


def test_activations_have_mean_1_and_a_normal_logarithm(sample):
    values = sample.activations.data
    assert values.mean() == pytest.approx(1, abs=0.01)
    assert np.log(values).std() == pytest.approx(0.3, rel=0.02)


def test_directions_are_uniform_on_the_sphere():
    # The squared cosine of two random directions is 1 / dimensions on average.
    directions = Superposition(n_dims=20, n_features=300, n_trees=0).directions
    cosines = (directions @ directions.T)[np.triu_indices(300, 1)]
    assert (cosines**2).mean() == pytest.approx(1 / 20, rel=0.02)


def test_seeds_make_the_same_world_and_the_same_rows():
    one, other = (Superposition(n_features=60, seed=4).sample(1500, random_state=2) for _ in "ab")
    np.testing.assert_array_equal(one.points, other.points)
    third = Superposition(n_features=60, seed=5).sample(1500, random_state=2)
    assert not np.allclose(one.directions, third.directions)
    assert one.activations.shape == (1500, 60)


def test_a_world_without_trees_or_with_equal_rates():
    world = Superposition(n_features=1, n_trees=0, highest_rate=0.3, lowest_rate=0.1)
    assert world.rates.tolist() == [0.3]
    equal = Superposition(n_features=5, n_trees=0, highest_rate=0.2, lowest_rate=0.2)
    np.testing.assert_allclose(equal.rates, 0.2)
    assert (equal.sample(10, random_state=0).parents == -1).all()


def test_it_is_saved_with_all_that_is_known(tmp_path):
    sample = Superposition(n_features=60).sample(30, random_state=0)
    sample.save(tmp_path / "known.npz")
    with np.load(tmp_path / "known.npz") as found:
        np.testing.assert_array_equal(found["activations"], sample.activations.toarray())
        for name in ("points", "directions", "parents", "rates"):
            np.testing.assert_array_equal(found[name], getattr(sample, name))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"highest_rate": 1.0}, "rates must rise from lowest_rate to highest_rate between 0 and 1"),
        ({"lowest_rate": 0.0}, "rates must rise from lowest_rate"),
        ({"child_share": 1.2}, "child_share is a probability, not 1.2"),
        ({"correlation": 1.0}, "correlation is a share of variance from 0 to below 1"),
        ({"noise": -1.0}, "noise is a number of at least 0"),
        ({"spread": float("nan")}, "spread is a number of at least 0"),
        ({"n_trees": 60}, "60 trees of 5 features each need more than 256 features"),
        ({"n_dims": 0}, "n_dims must be a whole number of at least 1"),
    ],
)
def test_what_is_no_law_is_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        Superposition(**options)
