import io
import subprocess
import sys
import warnings

import numpy as np
import pytest

from unweave._parallel import in_threads
from unweave.metrics import (
    Noise,
    downstream_accuracy,
    evaluate,
    linear_r2,
    mutual_information_gap,
)
from unweave.metrics.significance import interval, p_value


def test_p_values_of_many_draws_are_ranks():
    chance = np.arange(99) / 100
    assert p_value(1.0, chance) == pytest.approx(1 / 100)
    assert p_value(0.5, chance) == pytest.approx(50 / 100)
    assert p_value(-1.0, chance) == 1.0


def test_p_values_of_few_draws_are_those_of_a_t_test_for_one_more(rng):
    from scipy import stats

    chance = rng.standard_normal(8)
    spread = chance.std(ddof=1) * np.sqrt(1 + 1 / 8)
    expected = stats.t(7).sf((1.3 - chance.mean()) / spread)
    assert p_value(1.3, chance) == pytest.approx(expected)
    assert p_value(1e6, chance) == 1e-3


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


def test_p_values_of_few_draws_are_uniform_under_chance():
    rng = np.random.default_rng(0)
    p = [p_value(rng.standard_normal(), rng.standard_normal(10)) for _ in range(2000)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.015)


def test_an_interval_of_a_mean_covers_it():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(300):
        rows = rng.standard_normal(200)
        halves = [rng.permutation(rows)[:100].mean() for _ in range(50)]
        low, high = interval(rows.mean(), np.array(halves), 0.95, bounded=False)
        hits += low <= 0 <= high
    assert 0.9 < hits / 300 <= 1


def test_an_interval_reaches_what_is_left_when_a_bias_of_one_over_n_is_gone():
    rng = np.random.default_rng(0)
    truth, n = 0.8, 1000
    halves = truth - 100 / (n // 2) + 0.001 * rng.standard_normal(50)  # twice the bias of the whole
    low, high = interval(truth - 100 / n, halves, 0.95)
    assert low < truth - 100 / n < truth < high < truth + 0.02


def test_rows_to_judge_on_belong_to_no_draw_of_noise(rng):
    factors = rng.integers(5, size=(600, 2))
    codes = factors + 0.1 * rng.standard_normal((600, 2))
    score = linear_r2(
        codes[:400], factors[:400], test=(codes[400:], factors[400:]), noise=Noise(3, 5, 3)
    )
    # A random mixture of the factors tells them all to a linear map, on rows of its own.
    assert score.projection.mean > 0.9


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
