"""Permutation tests of ranks, beside SciPy's and scikit-learn's."""

import itertools

import numpy as np
import pytest
from scipy import stats
from sklearn.isotonic import isotonic_regression

from unweave.statistics.permutation import (
    LEVEL,
    POWER,
    holm,
    monotone_test,
    smallest_slope,
    spearman_test,
)


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


def explained(orders):
    """Squares of the better one of two isotonic regressions of mean ranks."""
    means = np.mean([stats.rankdata(order) for order in orders], axis=0)
    means -= means.mean()
    fits = [isotonic_regression(means, increasing=rising) for rising in (True, False)]
    return max((fit**2).mean() for fit in fits)


def test_a_monotone_curve_agrees_with_all_orders_counted(rng):
    scores = np.array([[1.0, 2, 4, 3], [1, 5, 2, 2]])
    orders = itertools.product(*(itertools.permutations(group) for group in scores))
    null = np.array([explained(order) for order in orders])
    expected = (null >= explained(scores) - 1e-9).mean()
    assert 0.01 < expected < 0.5
    assert monotone_test(scores, rng, n_draws=40_000) == pytest.approx(expected, abs=0.01)
    assert monotone_test(-scores, rng, n_draws=40_000) == pytest.approx(expected, abs=0.01)
    assert monotone_test(np.full((3, 4), 0.2), rng) == 1.0


def test_a_rise_that_levels_off_is_found_more_often_than_by_rank_correlation():
    rng = np.random.default_rng(0)
    x = np.arange(5.0)

    def found(height):
        studies = [rng.normal(size=(5, 5)) + height * (x > 0) for _ in range(200)]
        monotone = [monotone_test(s, rng, n_draws=400) < LEVEL for s in studies]
        correlated = [spearman_test(x, s, rng, n_draws=400)[1] < LEVEL for s in studies]
        return np.mean(monotone), np.mean(correlated)

    curve, correlation = found(10.0)
    assert curve > 0.95
    assert correlation < 0.85
    assert found(0.0)[0] < 0.1


@pytest.mark.parametrize("n_seeds", [3, 5])
def test_the_smallest_slope_is_found_in_four_of_five_studies(n_seeds):
    rng = np.random.default_rng(0)
    x = 250 * 2.0 ** np.arange(7)
    slopes = [smallest_slope(x, rng.normal(size=(n_seeds, 7)), rng) for _ in range(10)]

    def found(slope):
        studies = (rng.normal(size=(n_seeds, 7)) + slope * np.log2(x) for _ in range(200))
        return np.mean([monotone_test(s, rng, n_draws=300) < LEVEL for s in studies])

    assert found(np.median(slopes)) == pytest.approx(POWER, abs=0.1)
    assert found(0) < 0.1


def test_the_smallest_slope_has_the_unit_of_the_scores():
    scores = np.random.default_rng(0).normal(size=(4, 5))
    x = np.array([1, 3, 10, 30, 100])
    one = smallest_slope(x, scores, np.random.default_rng(1))
    assert 0 < one < np.inf
    ten = smallest_slope(x, 10 * scores + 7, np.random.default_rng(1))
    assert ten == pytest.approx(10 * one, rel=1e-4)
    assert smallest_slope(x, np.full((2, 5), 0.3), np.random.default_rng(1)) == 0


def test_one_seed_at_three_levels_shows_no_slope():
    x, scores = np.array([1, 2, 4]), np.array([[0.1, 0.5, 0.2]])
    assert smallest_slope(x, scores, np.random.default_rng(0)) == np.inf


def test_holm_by_hand():
    # The smallest times 6, the next times 5, and so on, never less than the one before.
    p_values = np.array([0.01, 0.04, 0.03, 0.005, 0.8, 0.02])
    expected = [0.05, 0.09, 0.09, 0.03, 0.8, 0.08]
    np.testing.assert_allclose(holm(p_values), expected)
    np.testing.assert_allclose(holm(np.array([0.6, 0.9])), [1.0, 1.0])
    assert holm(np.array([])).size == 0
