"""Scores that fit a predictor, against scikit-learn and closed forms."""

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score, roc_auc_score

from unweave.metrics import (
    disentanglement_completeness_informativeness,
    downstream_accuracy,
    explicitness,
    explicitness_and_size,
    linear_r2,
    mean_correlation_coefficient,
    single_neuron_classification,
)
from unweave.metrics._boosting import boost
from unweave.metrics._importance import completeness, disentanglement
from unweave.metrics.dci_es import _explicitness
from unweave.metrics.explicitness import area_under_roc


@pytest.fixture
def table(rng):
    factors = np.stack([rng.integers(0, k, 900) for k in (2, 3, 7)], axis=1)
    mixed = factors @ rng.standard_normal((3, 5)) + 0.2 * rng.standard_normal((900, 5))
    return mixed.astype(np.float32), factors


@pytest.mark.parametrize("factor", [0, 1, 2])
def test_trees_are_those_of_scikit_learn(table, factor):
    codes, factors = table
    train, test = codes[:500], codes[500:]
    model = GradientBoostingClassifier(random_state=0).fit(train, factors[:500, factor])
    importance, predicted = boost(
        np.ascontiguousarray(train.T),
        factors[:500, factor],
        int(factors[:, factor].max()) + 1,
        np.ascontiguousarray(test.T),
    )
    np.testing.assert_allclose(importance, model.feature_importances_, atol=5e-3)
    assert (predicted == model.predict(test)).mean() > 0.99


def test_importance_aggregates_by_hand():
    importance = np.array([[0.5, 0.5], [1.0, 0.0], [0.0, 0.0]])
    value, each = disentanglement(importance)
    # The first latent is split evenly (0), the second pure (1), each half of all importance.
    assert each.tolist() == [0.0, 1.0, 0.0]
    assert value == pytest.approx(0.5)
    value, each = completeness(importance)
    split = np.array([1 / 3, 2 / 3])
    first = 1 + np.sum(split * np.log(split)) / np.log(3)
    assert each == pytest.approx([first, 1.0])
    assert value == pytest.approx((1.5 * first + 0.5) / 2)


@pytest.mark.parametrize("backend", ["gradient_boosting", "random_forest", "lasso", "lightgbm"])
def test_dci_of_separate_latents_is_high_and_of_mixed_ones_low(rng, backend):
    if backend == "lightgbm":
        pytest.importorskip("lightgbm")
    factors = np.stack([rng.integers(0, 5, 900) for _ in range(3)], axis=1)
    separate = factors + 0.05 * rng.standard_normal(factors.shape)
    mixed = separate @ np.linalg.qr(rng.standard_normal((3, 3)))[0]
    scores = [
        disentanglement_completeness_informativeness(codes, factors, backend=backend, noise=None)
        for codes in (separate, mixed)
    ]
    assert scores[0]["dci_disentanglement"] > scores[1]["dci_disentanglement"] + 0.2
    assert scores[0]["dci_completeness"] > scores[1]["dci_completeness"] + 0.2
    assert scores[0]["dci_informativeness"] > 0.95
    assert scores[0]["dci_disentanglement"].name == f"dci_disentanglement ({backend})"


def test_area_under_roc_is_that_of_scikit_learn(rng):
    scores = np.round(rng.random((200, 3)), 1)  # with ties
    positive = rng.integers(0, 3, 200)[:, None] == np.arange(3)
    ours = area_under_roc(scores, positive)
    expected = [roc_auc_score(positive[:, c], scores[:, c]) for c in range(3)]
    np.testing.assert_allclose(ours, expected)


def test_explicitness_does_not_see_a_rotation(rng, table):
    codes, factors = table
    turned = codes @ np.linalg.qr(rng.standard_normal((5, 5)))[0]
    values = [float(explicitness(c, factors, noise=None)) for c in (codes, turned)]
    assert values[0] == pytest.approx(values[1], abs=0.01)


def test_linear_r2_is_that_of_scikit_learn(table):
    codes, factors = table
    train, test = (codes[:600], factors[:600]), (codes[600:], factors[600:])
    score = linear_r2(*train, test=test, noise=None)
    model = LinearRegression().fit(*train)
    expected = r2_score(test[1], model.predict(test[0]), multioutput="raw_values")
    np.testing.assert_allclose(list(score.per_factor.values()), expected, atol=1e-4)


def test_mcc_matches_each_factor_with_a_latent_of_its_own(rng):
    factors = rng.integers(0, 9, (2000, 2)).astype(float)
    # The first latent tells both factors, so the second factor must do with its other latent.
    codes = np.stack([factors.sum(axis=1), factors[:, 0] + 2 * rng.standard_normal(2000)], axis=1)
    correlation = np.abs(np.corrcoef(codes.T, factors.T)[:2, 2:])
    expected = max(correlation[[0, 1], [0, 1]].mean(), correlation[[1, 0], [0, 1]].mean())
    score = mean_correlation_coefficient(codes, factors, noise=None)
    assert float(score) == pytest.approx(expected)


def test_rank_correlation_forgives_a_monotone_map(rng):
    factors = rng.integers(0, 9, (500, 2))
    codes = np.exp(3.0 * factors)
    pearson, spearman = (
        float(mean_correlation_coefficient(codes, factors, correlation=c, noise=None))
        for c in ("pearson", "spearman")
    )
    assert spearman == pytest.approx(1.0)
    assert pearson < 0.7


def test_a_circular_factor_is_its_point_on_the_circle(rng):
    factors = np.stack([rng.integers(0, 12, 2000), rng.integers(0, 3, 2000)], axis=1)
    angle = 2 * np.pi * factors[:, 0] / 12
    codes = np.stack([np.cos(angle), np.sin(angle), factors[:, 1]], axis=1)
    kinds = ["circular", "ordinal"]
    assert float(linear_r2(codes, factors, factor_kinds=kinds, noise=None)) == pytest.approx(1)
    score = mean_correlation_coefficient(codes, factors, factor_kinds=kinds, noise=None)
    assert score.per_factor["0"] == pytest.approx(1.0, abs=1e-6)
    assert float(linear_r2(codes, factors, noise=None)) < 0.9
    in_one = np.stack([(factors[:, 0] + 5) % 12, factors[:, 1]], axis=1).astype(float)
    for correlation in ("pearson", "spearman"):
        score = mean_correlation_coefficient(
            in_one, factors, correlation=correlation, factor_kinds=kinds, noise=None
        )
        assert score.per_factor["0"] == pytest.approx(1.0, abs=1e-3)
    # The point is no linear map of the angle, and what a line knows of it is known.
    known = linear_r2(in_one, factors, factor_kinds=kinds, noise=None).per_factor["0"]
    assert known == pytest.approx(3 / (143 * np.sin(np.pi / 12) ** 2), abs=0.05)


def test_single_neurons_need_a_latent_each(rng):
    factors = np.stack([rng.integers(0, 4, 3000), rng.integers(0, 4, 3000)], axis=1)
    perfect = single_neuron_classification(factors.astype(float), factors, noise=None)
    mixed = single_neuron_classification(factors @ [[1.0, 1], [1, -1]], factors, noise=None)
    assert float(perfect) > 0.9
    assert perfect.extras["above_guessing"] > 0.87
    # A sum of two uniform factors of four levels, cut in four, is right about 7 times in 16.
    assert 0.3 < float(mixed) < 0.6


def test_above_guessing_takes_out_what_guessing_gets_of_each_factor(table):
    score = single_neuron_classification(*table, noise=None)
    accuracy, guess = np.array(list(score.per_factor.values())), 1 / np.array([2, 3, 7])
    expected = np.mean((accuracy - guess) / (1 - guess))
    assert score.extras["above_guessing"] == pytest.approx(expected, abs=1e-12)


def test_efficiency_is_the_accuracy_of_few_over_that_of_many(table):
    codes, factors = table
    scores = downstream_accuracy(codes, factors, sizes=(10, 100, 600), noise=None)
    accuracy, efficiency = scores["downstream_accuracy"], scores["statistical_efficiency"]
    assert accuracy.extras["accuracy_at_600"] == float(accuracy)
    assert float(efficiency) == pytest.approx(accuracy.extras["accuracy_at_100"] / float(accuracy))
    assert accuracy.extras["accuracy_at_10"] < accuracy.extras["accuracy_at_100"] < float(accuracy)
    assert (
        downstream_accuracy(codes, factors, noise=None)["downstream_accuracy"].extras[
            "rows_learnt_from"
        ]
        == 600
    )


def test_explicitness_of_dci_es_falls_when_factors_are_hidden_in_waves(rng):
    factors = rng.random((3000, 2))
    kinds = ["continuous"] * 2
    linear = factors @ rng.standard_normal((2, 4))
    waves = np.cos(12 * factors @ rng.standard_normal((2, 6)) + rng.uniform(0, 6, 6))
    easy, hard = (
        explicitness_and_size(codes, factors, factor_kinds=kinds, noise=None)
        for codes in (linear, waves)
    )
    assert float(easy["dci_es_explicitness"]) > 0.99
    assert float(hard["dci_es_explicitness"]) < 0.9
    assert float(easy["dci_es_size"]) == 0.5


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([0.25, 0.25, 0.25], 1.0),  # the simplest probe finds all that there is
        ([1.0, 0.75, 0.5], 0.0),  # a straight line
        ([1.0, 1.0, 0.5], -0.5),  # the largest probe alone: an area of 3/4 and not of 1/2
        ([0.5, 0.9, 0.0], 0.25),  # what a smaller probe reached counts for larger ones
        ([1.2, 1.0, 1.0], 0.0),  # nothing is found
    ],
)
def test_explicitness_of_dci_es_by_hand(losses, expected):
    assert _explicitness(np.array(losses)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda c, f: disentanglement_completeness_informativeness(c, f, backend="xgb"),
            "unknown back-end 'xgb'; choose from gradient_boosting",
        ),
        (lambda c, f: downstream_accuracy(c, f, sizes=()), "sizes are empty"),
        (lambda c, f: downstream_accuracy(c, f, predictor="svm"), "unknown predictor 'svm'"),
        (lambda c, f: explicitness(c, f, classifier="ovr"), "unknown classifier"),
        (lambda c, f: explicitness_and_size(c, f, capacities=(8,)), "at least two numbers"),
        (lambda c, f: linear_r2(c, f, test=(c[:, :2], f)), "test codes have 2 latents and codes 5"),
    ],
)
def test_wrong_options_are_refused(table, call, message):
    with pytest.raises(ValueError, match=message):
        call(*table)
