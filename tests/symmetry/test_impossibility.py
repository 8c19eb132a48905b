"""The map of Locatello's theorem 1: what it keeps and what it destroys."""

import numpy as np
import pytest
from scipy import stats

from unweave.metrics import mutual_information_gap
from unweave.symmetry import entangle


@pytest.mark.parametrize(
    "marginal",
    [None, stats.uniform(), stats.gamma(3), stats.t(5)],
    ids=["normal", "uniform", "gamma", "t"],
)
def test_marginals_and_independence_are_kept(marginal):
    distribution = marginal or stats.norm()
    codes = distribution.rvs((20_000, 4), random_state=0)
    mixed = entangle(codes, marginal=marginal)
    for latent in mixed.T:
        assert stats.kstest(latent, distribution.cdf).pvalue > 0.001
    ranks = stats.spearmanr(mixed).statistic
    assert np.abs(ranks - np.eye(4)).max() < 0.03
    # Not only uncorrelated: neither are their squares.
    spread = stats.spearmanr((mixed - np.median(mixed, axis=0)) ** 2).statistic
    assert np.abs(spread - np.eye(4)).max() < 0.03


def test_every_latent_depends_on_every_one():
    codes = np.random.default_rng(0).standard_normal((50, 5))
    for j in range(5):
        moved = codes.copy()
        moved[:, j] += 1e-4
        slopes = (entangle(moved) - entangle(codes)) / 1e-4
        assert np.abs(slopes).min() > 1e-3


def test_it_can_be_undone():
    """Normal latents are only rotated: distances stay."""
    codes = np.random.default_rng(0).standard_normal((100, 6))
    np.testing.assert_allclose(
        np.linalg.norm(entangle(codes), axis=1), np.linalg.norm(codes, axis=1), rtol=1e-9
    )


def test_the_score_falls_though_the_distribution_stays():
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 10, (5000, 4))
    codes = (factors + rng.uniform(size=factors.shape)) / 10
    before, after = (
        float(mutual_information_gap(c, factors, noise=None))
        for c in (codes, entangle(codes, marginal=stats.uniform()))
    )
    assert before > 0.9
    assert after < 0.4 * before


def test_codes_outside_the_distribution_are_refused():
    with pytest.raises(ValueError, match="latent 1 of row 0 is 3, where its distribution has"):
        entangle([[0.5, 3.0], [0.2, 0.1]], marginal=stats.uniform())
    with pytest.raises(ValueError, match="at least 2"):
        entangle(np.zeros((5, 1)))
