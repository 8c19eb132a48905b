import numpy as np
import polars as pl
import pytest
from scipy import stats

from unweave.statistics.trends import compare_seeds, correlate, mean_interval, trend


def table(scores):
    seeds, steps = np.indices(np.shape(scores))
    return pl.DataFrame(
        {"seed": seeds.ravel(), "step": 10 ** (1 + steps.ravel()), "value": np.ravel(scores)}
    )


def test_a_rise_in_every_seed_is_significant():
    found = trend(table([[0.1, 0.2, 0.3, 0.4], [0.2, 0.3, 0.4, 0.5], [0.0, 0.3, 0.5, 0.9]]))
    assert found.correlation == pytest.approx(1.0)
    # One order in 4!^3 is this one, and one is its reverse.
    assert found.p_value == pytest.approx(2 / 24**3, abs=5e-4)
    assert found.is_significant
    assert (found.first, found.last) == (pytest.approx(0.1), pytest.approx(0.6))


def test_noise_is_called_a_trend_as_often_as_promised():
    rng = np.random.default_rng(0)
    called = [trend(table(rng.standard_normal((3, 4))), seed=i).is_significant for i in range(100)]
    assert sum(called) <= stats.binom.ppf(0.999, 100, 0.05)


def test_the_correlation_is_that_of_scipy():
    scores = np.random.default_rng(1).standard_normal((5, 6))
    expected = np.mean([stats.spearmanr(row, range(6)).statistic for row in scores])
    assert trend(table(scores)).correlation == pytest.approx(expected)


def test_one_seed_has_no_interval():
    found = trend(table([[0.1, 0.2]]))
    assert (found.low, found.high) == (-np.inf, np.inf)


def test_one_milestone_is_no_trend():
    with pytest.raises(ValueError, match="needs two milestones"):
        trend(table([[0.1], [0.2]]))


def test_intervals_and_comparisons_are_those_of_scipy():
    a, b = np.array([0.1, 0.2, 0.4]), np.array([0.5, 0.7, 0.6])
    bounds = stats.ttest_1samp(a, 0).confidence_interval()
    assert mean_interval(a) == pytest.approx((bounds.low, bounds.high))
    found = compare_seeds(a, b)
    assert found.p_value == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue)
    assert found.difference == pytest.approx(a.mean() - b.mean())
    assert compare_seeds(a[:1], b) is None


def test_a_constant_metric_has_no_correlation():
    assert correlate(np.zeros(5), np.arange(5)) is None
    assert correlate(np.arange(5.0), np.arange(5.0)).correlation == pytest.approx(1.0)
