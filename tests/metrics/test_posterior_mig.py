import numpy as np
import pytest

from unweave.metrics import posterior_mutual_information_gap

FACTORS = np.stack(np.meshgrid(range(3), range(4), indexing="ij"), -1).reshape(-1, 2)


def by_sampling(mean, log_variance, levels, n, rng):
    """I(z; v) of one latent by the paper's own estimator, all rows as the population."""
    deviation = np.exp(0.5 * log_variance)
    rows = rng.integers(0, len(mean), n)
    z = mean[rows] + deviation[rows] * rng.standard_normal(n)
    density = np.exp(-0.5 * ((z[:, None] - mean) / deviation) ** 2) / deviation
    marginal = np.log(density.mean(axis=1))
    same = levels[rows][:, None] == levels
    conditional = np.log((density * same).sum(axis=1) / same.sum(axis=1))
    return (conditional - marginal).mean()


def test_it_is_what_sampling_gives(rng):
    means = FACTORS @ rng.standard_normal((2, 3)) + 0.3 * rng.standard_normal((12, 3))
    log_variances = rng.uniform(-3, 0.5, means.shape)
    score = posterior_mutual_information_gap(means, log_variances, FACTORS)
    for j in range(3):
        for k in range(2):
            sampled = by_sampling(means[:, j], log_variances[:, j], FACTORS[:, k], 200_000, rng)
            assert score.matrix[j, k] == pytest.approx(sampled, abs=6e-3)


def test_two_far_apart_levels_are_worth_the_logarithm_of_two():
    factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    score = posterior_mutual_information_gap(100 * factors, np.zeros((4, 2)), factors)
    np.testing.assert_allclose(score.matrix, np.log(2) * np.eye(2), atol=1e-6)


def test_a_posterior_that_is_the_prior_knows_nothing():
    score = posterior_mutual_information_gap(np.zeros((12, 2)), np.zeros((12, 2)), FACTORS)
    assert float(score) == pytest.approx(0.0, abs=1e-9)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="of the same rows and latents"):
        posterior_mutual_information_gap(np.zeros((12, 2)), np.zeros((12, 3)), FACTORS)


def test_a_point_posterior_is_sent_elsewhere():
    with pytest.raises(ValueError, match="use mutual_information_gap"):
        posterior_mutual_information_gap(FACTORS, np.full((12, 2), -40.0), FACTORS)
