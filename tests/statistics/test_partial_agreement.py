"""Metrics that agree on settings, on seeds, on both or on neither."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from unweave.statistics.agreement import partial_agreement, partial_agreements

SETTINGS = np.repeat(np.arange(6), 15)


def scores(shared_by_settings, shared_by_seeds, seed=0):
    rng = np.random.default_rng(seed)
    of_setting, of_seed = rng.normal(size=6)[SETTINGS], rng.normal(size=90)
    return [
        (5 * of_setting if shared_by_settings else 5 * rng.normal(size=6)[SETTINGS])
        + (of_seed if shared_by_seeds else rng.normal(size=90))
        + 0.1 * rng.normal(size=90)
        for _ in range(2)
    ]


def test_agreement_on_settings_alone():
    found = partial_agreement(*scores(True, False), SETTINGS)
    assert found.between == pytest.approx(1)
    assert found.between_p < 0.01  # of 720 orders one is as strong in each direction
    assert abs(found.within) < 0.3
    assert found.within_p > 0.05
    assert (found.n_settings, found.n_models) == (6, 90)


def test_agreement_on_seeds_alone():
    found = partial_agreement(*scores(False, True, seed=2), SETTINGS)
    assert found.within > 0.9
    assert found.within_p < 0.001
    assert found.between_p > 0.05


def test_one_setting_is_spearmans_correlation():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 20))
    y[3] = y[7]
    found = partial_agreement(x, y, np.zeros(20))
    expected = stats.spearmanr(x, y)
    assert found.within == pytest.approx(expected.statistic)
    assert found.within_p == pytest.approx(expected.pvalue, abs=0.05)
    assert np.isnan(found.between)


def test_p_values_of_noise_are_uniform():
    found = [partial_agreement(*scores(False, False, seed=s), SETTINGS) for s in range(60)]
    assert stats.kstest([one.within_p for one in found], "uniform").pvalue > 0.01
    assert stats.kstest([one.between_p for one in found], "uniform").pvalue > 0.01


def test_settings_that_say_nothing_are_left_out():
    x, y = np.arange(8.0), np.array([1.0, 3, 2, 5, 5, 5, 1, 2])
    settings = np.array([0, 0, 0, 1, 1, 1, 2, 2])
    found = partial_agreement(x, y, settings)
    assert (found.n_settings, found.n_models) == (1, 3)
    assert found.within == pytest.approx(0.5)
    assert partial_agreement(x[:2], y[:2], settings[:2]) is None


def test_each_two_metrics_of_a_table():
    x, y = scores(True, True)
    last = {"mig": x, "sap": y, "dci": -x}
    table = pl.concat([
        pl.DataFrame({
            "run": [f"{i:03}" for i in range(90)], "setting": SETTINGS, "step": step,
            "metric": name, "value": values if step == 20 else np.random.default_rng(1).random(90),
        })
        for name, values in last.items()
        for step in (10, 20)
    ])  # fmt: skip
    found = partial_agreements(table, ["setting"])
    assert list(found) == [("mig", "sap"), ("mig", "dci"), ("sap", "dci")]
    assert found["mig", "sap"] == partial_agreement(x, y, SETTINGS)
    assert found["mig", "dci"].within == pytest.approx(-1)
    assert found["mig", "dci"].between == pytest.approx(-1)


def test_more_draws_give_smaller_p_values():
    x = np.arange(30.0)
    for n_draws in (200, 1_000):
        found = partial_agreement(x, x, np.zeros(30), n_draws=n_draws)
        assert found.within_p == pytest.approx(1 / (n_draws + 1))
