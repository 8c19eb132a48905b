"""T-MEX and its test, where it is known which latent depends on which factor."""

import numpy as np
import pytest
from scipy.stats import chi2, norm

from unweave.metrics import TMEX, measurement_exclusivity
from unweave.metrics._conditional import conditional


def correlated(rng, n, correlation=0.6, n_levels=5):
    """Three factors that depend on each other, with levels or, without, normal."""
    covariance = np.full((3, 3), correlation) + (1 - correlation) * np.eye(3)
    normal = rng.multivariate_normal(np.zeros(3), covariance, n)
    if n_levels is None:
        return normal
    return np.floor(norm.cdf(normal) * n_levels).clip(0, n_levels - 1).astype(int)


@pytest.mark.parametrize(
    ("n_levels", "kind"), [(5, "ordinal"), (8, "levels of a circle"), (4, "categorical"),
                           (None, "continuous")]
)  # fmt: skip
def test_the_level_holds_and_the_power_is_high(rng, n_levels, kind):
    rejected = []
    for _ in range(100):
        factors = correlated(rng, 300, n_levels=n_levels)
        unit = factors / factors.std(axis=0)
        noise = 0.5 * rng.standard_normal((300, 4))
        own = unit[:, 0]  # depends on factor 2 through factor 0 alone
        latents = [own, np.sin(2 * own) * unit[:, 1], own + 0.5 * unit[:, 2],
                   own + (unit[:, 2] - unit[:, 2].mean()) ** 2]  # fmt: skip
        test = conditional(factors, [kind] * 3, 2)
        rejected.append(test.statistics(np.stack(latents, axis=1) + noise)[1] <= 0.05)
    shares = np.mean(rejected, axis=0)
    # Four deviations of a share of 0.05 in 100 tests.
    assert shares[0] < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 100)
    assert shares[1] < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 100)
    assert shares[2] > 0.8
    assert shares[3] > 0.8


def test_an_unconditional_test_would_find_what_is_shared(rng):
    factors = correlated(rng, 300)
    latent = factors[:, [0]] + 0.3 * rng.standard_normal((300, 1))
    alone = conditional(factors[:, [2]], ["ordinal"], 0)
    assert alone.statistics(latent)[1][0] < 1e-6
    assert conditional(factors, ["ordinal"] * 3, 2).statistics(latent)[1][0] > 0.01


def test_the_statistic_is_the_generalised_covariance_measure(rng):
    """With many rows it is the quadratic form of Shah and Peters, and of pycomets."""
    factors = correlated(rng, 4000, n_levels=2)
    latent = factors[:, 0] + 0.05 * factors[:, 2] + rng.standard_normal(4000)
    design = np.stack([np.ones(4000), factors[:, 0], factors[:, 1],
                       factors[:, 0] * factors[:, 1]], axis=1)  # fmt: skip
    left, right = (
        y - design @ np.linalg.lstsq(design, y, rcond=None)[0] for y in (latent, factors[:, 2])
    )
    products = left * right
    squared = 4000 * products.mean() ** 2 / products.var()
    statistic, p_value = conditional(factors, ["ordinal"] * 3, 2).statistics(latent[:, None])
    assert statistic[0] == pytest.approx(squared, rel=0.005)
    assert p_value[0] == pytest.approx(chi2.sf(squared, 1), rel=0.05)


def test_a_perfect_code_of_dependent_factors_is_perfect_and_a_leak_is_found(rng):
    factors = correlated(rng, 2000)
    codes = factors + 0.3 * rng.standard_normal((2000, 3))
    perfect = measurement_exclusivity(codes, factors, noise=None, alpha=1e-3)
    assert float(perfect) == 0
    assert perfect.settings["measures"] == np.eye(3, dtype=int).tolist()
    leaky = codes + 0.3 * codes[:, [1, 2, 0]]
    score = measurement_exclusivity(leaky, factors, noise=None, alpha=1e-3)
    assert float(score) == pytest.approx(1 / 3)
    assert score.extras == pytest.approx({"leaks": 1 / 3, "missed": 0})
    np.testing.assert_array_equal(score.matrix < 1e-3, np.eye(3) + np.eye(3)[[1, 2, 0]] > 0)


def test_what_latents_should_measure_can_be_given(rng):
    factors = correlated(rng, 1000)
    codes = factors[:, [2, 0, 0]] + 0.3 * rng.standard_normal((1000, 3))
    measures = [[0, 0, 1], [1, 0, 0], [1, 0, 0]]
    score = measurement_exclusivity(codes, factors, measures=measures, alpha=1e-4)
    assert float(score) == score.perfect == 0
    assert score.adjusted == 1
    assert score.p_value < 0.1  # of ten permutations that all give the same, none does
    missed = measurement_exclusivity(
        codes, factors, measures=[[0, 1, 1], *measures[1:]], alpha=1e-4, noise=None
    )
    assert missed.extras == pytest.approx({"leaks": 0, "missed": 1 / 9})
    assert TMEX(measures=np.array(measures)) == TMEX(measures=measures)
    assert len({TMEX(measures=measures), TMEX(measures=np.array(measures))}) == 1


def test_noise_is_chance_and_mixtures_are_worse(rng):
    factors = correlated(rng, 500)
    score = measurement_exclusivity(rng.standard_normal((500, 6)), factors)
    assert float(score) == pytest.approx(score.chance.mean, abs=5 * score.chance.sd)
    # One answer in six is missed, and one in twenty of the others wrong.
    assert score.chance.mean == pytest.approx(1 / 6 + 5 / 6 / 20, abs=0.04)
    assert score.mixture.mean > 0.5


def test_a_factor_that_follows_from_others_is_not_tested(rng):
    factors = correlated(rng, 600)
    codes = factors + 0.3 * rng.standard_normal((600, 3))
    more = np.column_stack([factors, 2 * factors[:, 0] + 1])
    score = measurement_exclusivity(codes, more, noise=None, alpha=1e-3)
    assert list(score.per_factor) == ["1", "2"]
    assert "factors 0, 3 follow from the other factors, and are not tested" in score.notes
    twice = measurement_exclusivity(codes, factors[:, [0, 0]], noise=None)
    assert float(twice) == twice.extras["missed"] == pytest.approx(1 / 3)
    assert "factors 0, 1 follow from the other factors" in twice.notes[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 0}, "alpha is the level of a test, between 0 and 1, not 0"),
        ({"alpha": True}, "alpha is the level of a test"),
        ({"measures": [[1, 0], [0, 1]]}, "measures has 2 rows of 2, and there are 3 latents and 3"),
        ({"measures": [[1, 0, 0], [0, 2, 0], [0, 0, 1]]}, "measures must be rows of 0 and 1"),
        ({"measures": [[1, 0, 0], [0, 1]]}, "a row for each latent and in it a number for each"),
        ({"measures": "all"}, "measures must be rows of 0 and 1"),
    ],
)
def test_wrong_options_are_refused(rng, options, message):
    factors = correlated(rng, 50)
    with pytest.raises(ValueError, match=message):
        measurement_exclusivity(factors.astype(float), factors, **options)
