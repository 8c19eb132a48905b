import io
import math
import subprocess
import sys
import warnings

import numpy as np
import pytest

from unweave._parallel import in_threads
from unweave.metrics import (
    downstream_accuracy,
    evaluate,
    linear_r2,
    modularity,
    mutual_information_gap,
    separated_attribute_predictability,
    subspace_angle,
)
from unweave.metrics.metric import Metric
from unweave.metrics.metric import score as score_of
from unweave.metrics.noise import Noise, interval, p_value
from unweave.metrics.sample import Sample


def test_p_values_of_many_draws_are_ranks():
    chance = np.arange(99) / 100
    assert p_value(1.0, chance) == pytest.approx(1 / 100)
    assert p_value(0.5, chance) == pytest.approx(50 / 100)
    assert p_value(-1.0, chance) == 1.0


@pytest.mark.parametrize("sign", [1, -1])
def test_p_values_of_few_draws_are_those_of_a_t_test_for_one_more_cube_root(rng, sign):
    from scipy import stats

    # Scores from 0 on have their floor there; others four deviations below the mean of the draws.
    chance = sign * np.array([0.011, 0.024, 0.003, 0.016, 0.008, 0.009, 0.02, 0.013])
    floor = 0.0 if sign == 1 else chance.mean() - 4 * chance.std(ddof=1)
    roots, root = np.cbrt(chance - floor), np.cbrt(chance.max() + 0.002 - floor)
    expected = stats.t(7).sf((root - roots.mean()) / (roots.std(ddof=1) * np.sqrt(1 + 1 / 8)))
    assert p_value(chance.max() + 0.002, chance) == pytest.approx(expected)
    assert p_value(10.0, chance) == 1e-3
    assert p_value(-10.0, chance) > 0.99


def test_few_draws_far_from_0_have_a_floor_below_them(rng):
    chance = 0.5 + 0.01 * rng.standard_normal(10)
    assert p_value(0.52, chance) == pytest.approx(p_value(0.52 - 9, chance - 9))
    assert p_value(0.52, chance) == pytest.approx(p_value(5.2, 10 * chance))


def test_few_draws_without_spread_give_their_rank():
    assert p_value(0.4, np.full(4, 0.4)) == 1
    assert p_value(0.5, np.full(4, 0.4)) == pytest.approx(1 / 5)


@pytest.mark.parametrize("n_draws", [8, 99])
def test_rounding_errors_are_no_evidence(n_draws):
    errors = 1e-16 * np.random.default_rng(0).standard_normal(n_draws)
    assert p_value(8e-16, errors) == 1.0
    assert p_value(0.5 + 8e-16, 0.5 + errors) == 1.0
    assert p_value(1e-9, errors) == pytest.approx(1 / (1 + n_draws))
    # Of numbers that are themselves small, small differences count; of large ones, larger do not.
    assert p_value(1e-13, errors, size=1e-4) == pytest.approx(1 / (1 + n_draws))
    assert p_value(1e-9, errors, size=1e6) == 1.0


def test_equal_latents_have_no_significant_gap(rng):
    factors = np.c_[rng.integers(0, 5, 300), rng.integers(0, 4, 300)]
    tied = np.c_[factors[:, 0], 4 - factors[:, 0]].astype(float)
    scores = evaluate(tied, factors, metrics=["mig", "rmig", "sap"])
    for name, score in scores.items():
        assert abs(float(score)) < 1e-12, name
        assert score.p_value == 1.0, name


def one_more(scores, n_draws, n=10_000):
    """p-values of scores that are themselves draws of chance, each beside ``n_draws`` others."""
    rng = np.random.default_rng(0)
    found = []
    while len(found) < n:
        shuffled = rng.permutation(scores)[: len(scores) // (1 + n_draws) * (1 + n_draws)]
        found += [p_value(row[0], row[1:]) for row in shuffled.reshape(-1, 1 + n_draws)]
    return np.array(found)


@pytest.mark.parametrize("n_draws", [3, 10, 20])
@pytest.mark.parametrize("chance", ["gap", "accuracy", "normal"])
def test_p_values_of_few_draws_are_as_small_as_they_say_no_more_often(chance, n_draws):
    rng = np.random.default_rng(1)
    scores = {
        "gap": rng.exponential(size=(4000, 3)).mean(axis=1),  # skewness 1.15
        "accuracy": 0.35 + 0.01 * rng.gamma(9, size=4000),  # skewness 0.67, far from 0
        "normal": rng.standard_normal(4000),
    }[chance]
    p = one_more(scores, n_draws)
    for level in (0.05, 0.01, 0.002):
        assert np.mean(p <= level) < 1.25 * level + 3 * math.sqrt(level / len(p))
    # They are of use: where chance is normal, the price of not knowing so is a third at 5 %.
    assert np.mean(p <= 0.05) > 0.025


def test_p_values_of_categorical_sap_are_as_small_as_they_say_no_more_often():
    """Predictors by permutation, as scores get their chance: this one has 20 draws."""
    rng = np.random.default_rng(2)
    factors = np.stack([rng.integers(0, k, 200) for k in (3, 4, 5)], axis=1)
    codes = rng.standard_normal((200, 4))
    kinds = ["categorical"] * 3
    scores = [
        float(
            separated_attribute_predictability(
                codes, rng.permutation(factors), factor_kinds=kinds, noise=None
            )
        )
        for _ in range(1200)
    ]
    p = one_more(np.array(scores), 20)
    assert np.mean(p <= 0.05) == pytest.approx(0.045, abs=0.015)
    assert np.mean(p <= 0.01) < 0.015
    assert np.mean(p <= 0.002) < 0.004


def test_an_interval_by_hand():
    halves = np.array([0.4, 0.5, 0.45, 0.55])  # their mean 0.475, so that 0.725 is extrapolated
    margin = 1.6448536 * math.sqrt(0.0125 / 3) * math.sqrt(1.25)
    low, high = interval(0.6, halves, 0.9, bounded=False)
    assert (low, high) == pytest.approx((0.6 - margin, 0.725 + margin))
    assert interval(0.6, halves, 0.9, top=0.8) == pytest.approx((low, 0.8))
    assert interval(0.6, halves, 0.9) == pytest.approx((low, high))
    low, high = interval(0.2, halves, 0.9, bounded=False)  # below 0: -0.075 is extrapolated
    assert (low, high) == pytest.approx((-0.075 - margin, 0.2 + margin))
    assert interval(0.2, halves, 0.9) == pytest.approx((0, high))


def test_an_interval_of_a_mean_covers_it_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(1500):
        rows = rng.standard_normal(200)
        halves = rng.permuted(np.tile(rows, (50, 1)), axis=1)[:, :100].mean(axis=1)
        low, high = interval(rows.mean(), halves, 0.95, bounded=False)
        hits += low <= 0 <= high
    # Three standard errors; a margin of 0.85 covers 90 %, one of 1.15 covers 98 %.
    assert hits / 1500 == pytest.approx(0.95, abs=0.017)


def test_halves_are_half_of_the_rows_and_leave_nothing_of_a_bias_of_one_over_n():
    """A measure with no spread: its interval runs from its value to the value without bias."""
    rows = np.arange(1000)[:, None]
    sizes = []

    class Biased(Metric):
        names = ("biased",)

        def read(self, sample):
            sizes.append(len(np.unique(sample.factors)))  # rows that are repeated count once
            return {"biased": 0.8 - 100 / len(sample.codes)}

    sample = Sample.of(np.hstack([rows, rows]).astype(float), rows)
    found = score_of(Biased(), sample, Noise(3, 2, 40))["biased"]
    assert sizes.count(500) == 40
    assert found.interval == pytest.approx((0.7, 0.8))


def test_an_interval_reaches_what_is_left_when_a_bias_of_one_over_n_is_gone():
    rng = np.random.default_rng(0)
    truth, n = 0.8, 1000
    halves = truth - 100 / (n // 2) + 0.001 * rng.standard_normal(50)  # twice the bias of the whole
    low, high = interval(truth - 100 / n, halves, 0.95)
    assert low < truth - 100 / n < truth < high < truth + 0.02


def test_chance_is_taken_out_so_that_it_is_0_and_the_most_is_1(rng):
    factors = rng.integers(5, size=(300, 3))
    codes = factors + rng.standard_normal((300, 3))
    for metric, most in ((modularity, 1), (subspace_angle, np.pi / 2)):
        score = metric(codes, factors, noise=Noise(20, 3, 3))
        assert score.chance.mean > 0.1
        expected = (float(score) - score.chance.mean) / (most - score.chance.mean)
        assert score.adjusted == pytest.approx(expected)


def test_every_draw_of_noise_depends_on_the_seed(rng):
    factors = rng.integers(5, size=(300, 2))
    codes = factors + rng.standard_normal((300, 2))
    first, second = (
        mutual_information_gap(codes, factors, noise=Noise(20, 5, 10), seed=seed) for seed in (0, 1)
    )
    assert float(first) == float(second)
    for name in ("chance", "mixture", "smooth", "interval"):
        assert getattr(first, name) != getattr(second, name)


def test_rows_to_judge_on_belong_to_no_draw_of_noise(rng):
    factors = rng.integers(5, size=(600, 2))
    codes = factors + 0.1 * rng.standard_normal((600, 2))
    score = linear_r2(
        codes[:400], factors[:400], test=(codes[400:], factors[400:]), noise=Noise(3, 5, 3)
    )
    # A random mixture of the factors tells them all to a linear map, on rows of its own.
    assert score.mixture.mean > 0.9


def test_fits_spend_fewer_draws(rng):
    factors = rng.integers(3, size=(200, 2))
    codes = factors + rng.standard_normal((200, 2))
    noise = Noise(n_permutations=50, n_projections=20, n_halves=40)
    draws = downstream_accuracy(codes, factors, noise=noise)["downstream_accuracy"].chance.n_draws
    assert draws == 5
    assert mutual_information_gap(codes, factors, noise=noise).chance.n_draws == 50


def test_threads_keep_the_order_and_do_not_nest():
    assert in_threads(lambda i: in_threads(lambda j: (i, j), range(2)), range(3)) == [
        [(i, 0), (i, 1)] for i in range(3)
    ]


def test_warning_filters_are_left_as_they_were(rng):
    before = list(warnings.filters)
    factors = rng.integers(3, size=(60, 2))
    downstream_accuracy(factors.astype(float), factors, noise=None)
    assert warnings.filters == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_permutations": 1}, "n_permutations must be a whole number of at least 2"),
        ({"confidence": 95}, "confidence must lie between 0 and 1, not 95"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Noise(**options)


def test_a_bar_on_a_terminal_alone(rng, monkeypatch, capsys):
    factors = rng.integers(3, size=(60, 2))
    mutual_information_gap(factors.astype(float), factors, noise=Noise(2, 2, 2))
    assert capsys.readouterr().err == ""
    shown = []

    class Terminal(io.StringIO):
        def isatty(self):
            return True

        def write(self, text):
            shown.append(text)
            return len(text)

    monkeypatch.setattr("sys.stderr", Terminal())
    evaluate(factors.astype(float), factors, metrics=["mig", "sap"], noise=Noise(2, 2, 2))
    assert "scoring" in "".join(shown)


@pytest.mark.slow
def test_memory_is_linear_in_the_rows():
    """A million rows of ten latents, in a process of its own: a few copies of 40 MB of codes."""
    code = """
import resource
import numpy as np
from unweave.metrics import evaluate
rng = np.random.default_rng(0)
factors = np.stack([rng.integers(0, k, 1_000_000) for k in (3, 6)], axis=1)
codes = rng.standard_normal((1_000_000, 10), dtype=np.float32)
codes[:, :2] += factors
evaluate(codes, factors, noise=None)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert float(printed.stdout) < 1.5  # GiB
