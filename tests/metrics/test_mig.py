import json
from pathlib import Path

import numpy as np
import pytest

from unweave.metrics import mutual_information_gap

REFERENCE = json.loads((Path(__file__).parent / "reference_scores.json").read_text())


@pytest.fixture
def grid(rng):
    factors = np.stack([rng.integers(0, k, 2000) for k in (3, 6, 8)], axis=1)
    return factors + 0.1 * rng.standard_normal(factors.shape), factors


def test_one_outlier_destroys_equal_width_bins_with_a_warning_and_spares_quantile_bins(grid):
    codes, factors = grid
    good = float(mutual_information_gap(codes, factors, noise=None))
    codes = codes.copy()
    codes[0] = 1000.0
    with pytest.warns(UserWarning, match="use binning='quantile'"):
        destroyed = mutual_information_gap(codes, factors, noise=None)
    spared = mutual_information_gap(codes, factors, binning="quantile", noise=None)
    assert float(destroyed) < 0.05
    assert float(spared) > 0.8 * good


def test_more_levels_than_bins_cap_the_score_and_a_note_says_where():
    factors = np.stack(np.meshgrid(range(40), range(40), indexing="ij"), -1).reshape(-1, 2)
    score = mutual_information_gap(factors.astype(float), factors, noise=None)
    # Twenty bins of two levels each: a perfect code keeps log 20 of log 40 nats.
    assert float(score) == pytest.approx(np.log(20) / np.log(40))
    assert f"{np.log(20) / np.log(40):.3f}" in score.notes[0]


def test_random_projections_score_what_was_measured_elsewhere(rng):
    sizes = (3, 6, 40, 32, 32)
    factors = np.stack([rng.integers(0, k, 1000) for k in sizes], axis=1)
    score = mutual_information_gap(rng.standard_normal((1000, 10)), factors)
    mean, sd, _ = REFERENCE["statistics"]["random_linear_projection_n1000_d10"]
    assert score.mixture.mean == pytest.approx(mean, abs=4 * sd / np.sqrt(20))
    mean, sd, _ = REFERENCE["statistics"]["noise_n1000_d10"]
    assert score.chance.mean == pytest.approx(mean, abs=sd)


def test_a_continuous_factor_must_be_declared(rng):
    factors = rng.standard_normal((500, 2))
    codes = factors + 0.01 * rng.standard_normal((500, 2))
    with pytest.raises(ValueError, match="declare its kind 'continuous'"):
        mutual_information_gap(codes, factors, noise=None)
    score = mutual_information_gap(codes, factors, factor_kinds=["continuous"] * 2, noise=None)
    assert float(score) > 0.6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"estimator": "miler_madow"}, "did you mean 'miller_madow'"),
        ({"binning": "quantiles"}, "did you mean 'quantile'"),
        ({"n_bins": 1}, "n_bins must be a whole number of at least 2"),
    ],
)
def test_wrong_options_are_refused(grid, options, message):
    with pytest.raises(ValueError, match=message):
        mutual_information_gap(*grid, **options)
