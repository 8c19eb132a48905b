"""The permutation test of rank correlation, beside SciPy's."""

import itertools

import numpy as np
import pytest
from scipy import stats

from unweave.statistics.permutation import spearman_test


def test_one_group_agrees_with_scipy(rng):
    x, y = rng.normal(size=12), rng.normal(size=12)
    y[3] = y[5]  # a tie
    correlation, p_value = spearman_test(x, y[None], rng, n_draws=20_000)
    expected = stats.spearmanr(x, y).statistic

    def statistic(order):
        return stats.spearmanr(x, order).statistic

    found = stats.permutation_test(
        (y,), statistic, permutation_type="pairings", n_resamples=500, rng=rng
    )
    assert correlation == pytest.approx(expected, abs=1e-12)
    assert p_value == pytest.approx(found.pvalue, abs=0.08)


def test_groups_agree_with_all_their_orders_counted(rng):
    """Two groups of four have 576 orders."""
    x, scores = np.arange(4.0), np.array([[1.0, 2, 4, 3], [1, 3, 2, 2]])
    correlation, p_value = spearman_test(x, scores, rng, n_draws=40_000)
    orders = [
        [stats.spearmanr(x, order).statistic for order in itertools.permutations(group)]
        for group in scores
    ]
    null = np.abs(np.add.outer(*orders) / 2)
    observed = np.mean([stats.spearmanr(x, group).statistic for group in scores])
    assert correlation == pytest.approx(observed, abs=1e-12)
    assert p_value == pytest.approx((null >= abs(observed) - 1e-9).mean(), abs=0.01)


@pytest.mark.parametrize(("x", "scores"), [([1, 2, 3], [[5, 5, 5]]), ([2, 2, 2], [[1, 2, 3]])])
def test_what_does_not_vary_has_no_correlation(rng, x, scores):
    assert spearman_test(np.array(x), np.array(scores), rng) == (0.0, 1.0)
