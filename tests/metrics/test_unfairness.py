import numpy as np
import pytest

from unweave.datasets import Factor, FactorSpace
from unweave.metrics import unfairness
from unweave.metrics.unfairness import total_variations

SIZES = (4, 5, 6)
FACTORS = np.stack(np.meshgrid(*map(range, SIZES), indexing="ij"), -1).reshape(-1, 3)
SPACE = FactorSpace([Factor(n, range(size)) for n, size in zip("abc", SIZES, strict=True)])


def test_total_variation_is_that_of_disentanglement_lib():
    # test_inter_group_fairness of its fairness_test.py: 2/9 and 1/3.
    distance, share = total_variations(np.array([[0, 100], [100, 100]]))
    assert distance @ share == pytest.approx(2 / 9)
    assert distance.max() == pytest.approx(1 / 3)


@pytest.mark.parametrize("over_levels", ["mean", "max"])
def test_factors_that_depend_on_each_other_make_a_perfect_code_unfair(rng, over_levels):
    """A target that equals the sensitive factor with probability p, else is another level."""
    p = 0.7
    sensitive = rng.integers(2, size=6000)
    target = np.where(rng.random(6000) < p, sensitive, 1 - sensitive)
    factors = np.stack([target, sensitive], axis=1)
    score = unfairness(factors.astype(float), factors, over_levels=over_levels, noise=None)
    # At each level the target is (p, 1 - p), and (1/2, 1/2) in all.
    assert float(score) == pytest.approx(p - 1 / 2, abs=0.02)
    assert score.extras["worst_pair"] == score.matrix.max()
    assert score.settings["sampling"] == "rows"


@pytest.mark.parametrize("predictor", ["gradient_boosting", "logistic_regression"])
def test_a_predictor_that_sees_the_sensitive_factor_alone(predictor):
    """It predicts the target by the sensitive factor, which moves all predictions."""
    grid = np.stack(np.meshgrid([0, 1], [0, 1]), -1).reshape(-1, 2)
    factors = np.repeat(grid, [45, 15, 15, 45], axis=0)
    codes = factors[:, 1:].astype(float)
    score = unfairness(codes, factors, predictor=predictor, noise=None)
    assert score.matrix[0, 1] == pytest.approx(1 / 2)
    assert score.settings["predictor"] == predictor


def test_the_largest_over_levels_is_at_least_the_mean(rng):
    codes = FACTORS + 0.5 * rng.standard_normal(FACTORS.shape)
    mean, largest = (
        unfairness(codes, FACTORS, over_levels=how, noise=None) for how in ("mean", "max")
    )
    assert (largest.matrix >= mean.matrix - 1e-12).all()
    assert float(largest) > float(mean) > 0


class TestGrid:
    def test_a_larger_one_is_intervened_in(self):
        score = unfairness(FACTORS.astype(float), SPACE, n_train=60, n_test=40, noise=None)
        assert float(score) == 0
        assert (score.settings["sampling"], score.notes) == ("grid", ())

    def test_setting_a_factor_leaves_the_others(self, rng):
        """A code of the target alone is fair, though few rows are drawn at each level."""
        codes = np.column_stack([FACTORS[:, 0], np.zeros(120)])
        score = unfairness(codes, SPACE, n_train=100, n_test=7, noise=None)
        np.testing.assert_array_equal(score.matrix[0], 0)

    def test_a_smaller_one_is_judged_row_by_row(self, rng):
        codes = FACTORS + 0.5 * rng.standard_normal(FACTORS.shape)
        found = unfairness(codes, SPACE, noise=None)
        assert float(found) == float(unfairness(codes, FACTORS, noise=None))
        assert (found.settings["sampling"], found.notes) == ("rows", ())


def test_rows_that_a_user_gives_are_judged(rng):
    factors = rng.integers(2, size=(400, 2))
    codes = factors.astype(float)
    same = np.repeat(np.arange(2)[:, None], 2, axis=1)
    score = unfairness(codes, factors, test=(same.astype(float), same), noise=None)
    assert float(score) == pytest.approx(1 / 2)


def test_groups_of_rows_are_noted():
    codes = FACTORS.astype(float)
    assert "rows that agree in a factor" in unfairness(codes, FACTORS, noise=None).notes[0]


def test_options_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match="unknown over_levels 'median'"):
        unfairness(FACTORS, FACTORS, over_levels="median")
    with pytest.raises(ValueError, match="n_test must be a whole number"):
        unfairness(FACTORS, FACTORS, n_test=0)
