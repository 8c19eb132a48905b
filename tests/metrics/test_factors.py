"""Factors of words, declared kinds, labels of rows and names, through the public functions."""

import json

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from unweave.metrics import (
    Noise,
    compare,
    disentanglement_completeness_informativeness,
    evaluate,
    linear_r2,
    mutual_information_gap,
    posterior_mutual_information_gap,
    separated_attribute_predictability,
    unsupervised_disentanglement_ranking,
)
from unweave.metrics.comparison import scores_of_halves

FEW = Noise(n_permutations=20, n_projections=3, n_halves=6)


@pytest.fixture(scope="module")
def pandas():
    return pytest.importorskip("pandas")


@pytest.fixture
def table(rng):
    factors = np.stack([rng.integers(0, k, 600) for k in (3, 4)], axis=1)
    return factors + 0.2 * rng.standard_normal((600, 2)), factors


def gap_by_hand(codes, column, n_bins=20):
    """The gap of one factor with everything in bins of equal width."""

    def binned(values):
        edges = np.histogram_bin_edges(values, n_bins)
        return np.clip(np.digitize(values, edges) - 1, 0, n_bins - 1)

    levels = binned(column)
    known = sorted(mutual_info_score(binned(code), levels) for code in codes.T)
    return (known[-1] - known[-2]) / mutual_info_score(levels, levels)


class TestContinuous:
    @pytest.mark.parametrize("other", [1, 0.5])
    def test_factors_are_binned_whatever_the_others_hold(self, rng, other):
        positions, sizes = rng.permutation(10_000), rng.integers(5, size=10_000)
        codes = np.stack([positions, sizes], axis=1) + 0.3 * rng.standard_normal((10_000, 2))
        score = mutual_information_gap(
            codes,
            np.stack([positions, sizes * other], axis=1),
            factor_kinds=["continuous", "ordinal"],
            noise=None,
        )
        assert score.per_factor["0"] == pytest.approx(gap_by_hand(codes, positions), abs=1e-9)
        assert score.per_factor["0"] > 0.95

    def test_values_that_are_levels_of_all_rows_are_levels_of_half_of_them(self, rng):
        column = np.repeat(np.arange(500) + 0.5, 2)
        factors = np.stack([column, rng.integers(4, size=1000)], axis=1)
        codes = factors + 0.1 * rng.standard_normal((1000, 2))
        assert mutual_information_gap(codes, factors, noise=FEW).interval is not None


class TestWords:
    @pytest.fixture
    def frame(self, table, pandas):
        factors = table[1]
        return pandas.DataFrame(
            {
                "shape": np.array(["square", "ellipse", "heart"])[factors[:, 0]],
                "size": factors[:, 1],
            }
        )

    def test_are_named_in_scores(self, table, frame):
        scores = evaluate(table[0], frame, metrics=["mig", "sap", "linear_r2"], noise=FEW)
        for score in scores.values():
            assert list(score.per_factor) == ["shape", "size"]
            assert score.levels == {"shape": ("ellipse", "heart", "square")}
        assert scores["sap"].settings["factor_kinds"] == ["categorical", "ordinal"]
        read = json.loads(scores.to_json())
        assert read["mig"]["levels"] == {"shape": ["ellipse", "heart", "square"]}

    def test_in_rows_to_judge_on_are_the_same_levels(self, table, frame, pandas):
        codes, factors = table
        judged = frame.iloc[:300].assign(
            shape=pandas.Categorical(frame["shape"][:300], ["square", "heart", "ellipse"])
        )
        numbered = np.stack([np.array([2, 0, 1])[factors[:, 0]], factors[:, 1]], axis=1)
        for metric in (separated_attribute_predictability, linear_r2):
            right = metric(
                codes,
                numbered,
                factor_kinds=["categorical", "ordinal"],
                test=(codes[:300], numbered[:300]),
                noise=None,
            )
            for test in (judged, judged[["size", "shape"]]):
                found = metric(codes, frame, test=(codes[:300], test), noise=None)
                assert float(found) == pytest.approx(float(right), abs=1e-12)

    def test_in_rows_to_judge_on_that_are_other_factors_are_refused(self, table, frame):
        codes, factors = table
        for test, message in (
            (factors, "factor 0 holds words in factors and numbers in test factors"),
            (factors[:, :1], r"test factors have 1 column\(s\) and factors 2"),
            (frame.rename(columns={"size": "hue"}), "columns of factors and test factors differ"),
        ):
            with pytest.raises(ValueError, match=message):
                linear_r2(codes, frame, test=(codes, test), noise=None)

    def test_work_in_comparisons(self, table, frame):
        codes, factors = table
        kinds = ["categorical", "ordinal"]
        found = compare(codes, codes[:, :1] + codes, frame, metrics=["sap"], n_halves=3)
        right = compare(
            codes, codes[:, :1] + codes, factors, metrics=["sap"], n_halves=3, factor_kinds=kinds
        )
        assert found["sap"].difference == pytest.approx(right["sap"].difference, abs=1e-12)

    def test_halves_keep_the_kinds_of_the_whole(self, rng):
        # Angles of which most halves hold whole numbers alone.
        angles = np.array([*np.repeat(np.arange(6.0), 100), 0.5])
        factors = np.stack([angles, np.arange(601) % 4], axis=1)
        codes = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        halves = scores_of_halves(
            codes,
            factors,
            metrics=["linear_r2"],
            n_halves=6,
            factor_kinds=["circular", "ordinal"],
        )
        first = linear_r2(codes, factors, factor_kinds=["circular", "ordinal"], noise=None)
        assert first.per_factor["0"] > 0.999
        assert np.ptp(halves["linear_r2"]) < 0.05


class TestRows:
    def test_of_all_that_is_compared_are_matched(self, table, pandas, rng):
        codes, factors = table
        labels = [f"r{i}" for i in range(600)]
        frames = [pandas.DataFrame(each, labels) for each in (codes, codes + 1, factors)]
        shuffled = [frame.iloc[rng.permutation(600)] for frame in frames]
        right = compare(codes, codes + 1, factors, metrics=["mcc"], n_halves=3)["mcc"]
        for first, second, third in (shuffled, [frames[0], shuffled[1], factors]):
            found = compare(first, second, third, metrics=["mcc"], n_halves=3)["mcc"]
            assert (found.first, found.second) == pytest.approx((right.first, right.second))
        models = [codes, codes + 1]
        agreement = unsupervised_disentanglement_ranking(models, method="spearman")
        assert unsupervised_disentanglement_ranking(
            shuffled[:2], method="spearman"
        ) == pytest.approx(agreement, abs=0.01)
        spread = pandas.DataFrame(np.full((600, 2), -3.0) - codes, labels)
        assert posterior_mutual_information_gap(
            frames[0], spread.iloc[::-1], shuffled[2]
        ) == pytest.approx(posterior_mutual_information_gap(codes, spread.to_numpy(), factors))

    def test_of_the_rows_to_judge_on_too(self, table, pandas, rng):
        codes, factors = (pandas.DataFrame(each, [f"r{i}" for i in range(600)]) for each in table)
        right = linear_r2(codes, factors, test=(codes[:300], factors[:300]), noise=None)
        mixed = factors[:300].iloc[rng.permutation(300)]
        assert linear_r2(codes, factors, test=(codes[:300], mixed), noise=None) == right
        turned = codes.set_axis(["a", "b"], axis=1)
        assert linear_r2(
            turned, factors, test=(turned[["b", "a"]][:300], factors[:300]), noise=None
        ) == pytest.approx(right)


class TestNames:
    def test_are_shown_as_they_are(self, table):
        names = ["cube:x:pos", "[bold]$x$[/] <b>"]
        scores = evaluate(*table, metrics=["mig", "sap"], factor_names=names, noise=None)
        assert list(json.loads(scores.to_json())["mig"]["per_factor"]) == names
        pytest.importorskip("matplotlib")
        figure = scores.plot()
        (ticks,) = {
            tuple(text.get_text() for text in axes.get_xticklabels()) for axes in figure.axes[1:2]
        }
        assert ticks == tuple(names)
        assert not any(text.get_parse_math() for text in figure.axes[1].get_xticklabels())

    def test_of_models_that_are_equal_are_refused(self, table):
        with pytest.raises(ValueError, match="'m' is the name of models 0, 1"):
            unsupervised_disentanglement_ranking([table[0]] * 2, names=["m", "m"])


def test_missing_values_are_refused_in_rows_to_judge_on_and_in_comparisons(table):
    codes, factors = table
    masked = np.ma.masked_less(codes, 0)
    n = int((codes < 0).sum())
    for call in (
        lambda: linear_r2(codes, factors, test=(masked, factors)),
        lambda: compare(codes, masked, factors),
        lambda: disentanglement_completeness_informativeness(masked, factors),
        lambda: unsupervised_disentanglement_ranking([codes, masked]),
    ):
        with pytest.raises(ValueError, match=f"codes hold .*: {n} missing values in"):
            call()
