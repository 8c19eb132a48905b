"""Logistic regression, against scikit-learn's."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression as Theirs
from sklearn.metrics import log_loss

from unweave.metrics import Noise, _logistic, downstream_accuracy, evaluate, explicitness
from unweave.metrics._logistic import LogisticRegression, _exponentials, objective


@pytest.fixture
def codes(rng):
    return rng.standard_normal((5000, 6))  # more rows than are taken at a time


def labels_of(codes, n_classes, rng):
    mixed = codes @ rng.standard_normal(6) + rng.standard_normal(len(codes))
    return np.digitize(mixed, np.quantile(mixed, np.linspace(0, 1, n_classes + 1)[1:-1]))


@pytest.mark.parametrize("n_classes", [2, 3, 11])
@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("penalty", [0.0, 1.0, 50.0])
def test_a_fit_is_that_of_scikit_learn(codes, rng, n_classes, balanced, penalty):
    labels = labels_of(codes, n_classes, rng)
    keep = (labels != 0) | (rng.random(len(labels)) < 0.3)  # classes of unequal size
    codes, labels = codes[keep], 5 * labels[keep]
    ours = LogisticRegression.fit(codes, labels, penalty=penalty, balanced=balanced)
    theirs = Theirs(
        C=np.inf if penalty == 0 else 1 / penalty, class_weight="balanced" if balanced else None
    ).fit(codes, labels)
    np.testing.assert_allclose(ours.coefficients, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.intercepts, theirs.intercept_, atol=1e-6)
    np.testing.assert_allclose(ours.probabilities(codes), theirs.predict_proba(codes), atol=1e-6)
    assert (ours.predict(codes) == theirs.predict(codes)).mean() > 0.999
    assert log_loss(labels, ours.probabilities(codes)) == pytest.approx(
        log_loss(labels, theirs.predict_proba(codes)), abs=1e-9
    )


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_a_fit_that_a_hundred_steps_do_not_finish_ends_where_that_of_scikit_learn_does():
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, 30, 1500), rng.integers(0, 9, 1500)], axis=1)
    codes = factors @ rng.standard_normal((2, 4)) + 0.3 * rng.standard_normal((1500, 4))
    codes = (codes - codes.mean(axis=0)) / codes.std(axis=0)
    ours = LogisticRegression.fit(codes, factors[:, 0], penalty=0.0)
    theirs = Theirs(C=np.inf).fit(codes, factors[:, 0])
    assert theirs.n_iter_ == 100
    # Rounding grows along the steps, of which neither is the last that is needed.
    mine, expected = ours.probabilities(codes), theirs.predict_proba(codes)
    np.testing.assert_allclose(mine, expected, atol=1e-3)
    assert log_loss(factors[:, 0], mine) == pytest.approx(
        log_loss(factors[:, 0], expected), abs=1e-6
    )


def test_sparse_codes_and_single_precision_give_the_same_fit(rng):
    values = rng.integers(0, 4, (700, 3))
    labels = (values.sum(axis=1) + rng.integers(0, 2, 700)) // 2
    codes = (values[:, :, None] == np.arange(4)).reshape(700, 12).astype(float)
    dense = LogisticRegression.fit(codes, labels)
    for other in (csr_matrix(codes), codes.astype(np.float32)):
        fit = LogisticRegression.fit(other, labels)
        np.testing.assert_allclose(fit.coefficients, dense.coefficients, atol=1e-3)


@pytest.mark.parametrize("n_classes", [2, 5])
def test_the_gradient_is_that_of_finite_differences(codes, rng, n_classes):
    codes, labels = codes[:40], np.arange(40) % n_classes
    n_outputs = 1 if n_classes == 2 else n_classes
    at, weights = rng.standard_normal(7 * n_outputs), rng.random(40)
    parts = [codes[:25], codes[25:]]
    _, gradient = objective(at, parts, labels, weights, 0.3)
    expected = approx_fprime(at, lambda w: objective(w, parts, labels, weights, 0.3)[0], 1e-7)
    np.testing.assert_allclose(gradient, expected, atol=1e-5)


def test_exponentials_are_those_of_numpy():
    terms = -np.linspace(0, 700, 20_001)
    found = terms.copy()
    _exponentials(found)
    np.testing.assert_allclose(found, np.exp(terms), rtol=5e-16)


def test_metrics_that_share_regressions_give_what_each_gives_alone(rng):
    factors = np.stack([rng.integers(0, 3, 400), rng.integers(0, 7, 400)], axis=1)
    codes = factors @ rng.standard_normal((2, 4)) + rng.standard_normal((400, 4))
    noise = Noise(n_permutations=30, n_projections=20, n_halves=30)
    both = evaluate(codes, factors, metrics=["explicitness", "downstream_accuracy"], noise=noise)
    alone = {
        "explicitness": explicitness(codes, factors, noise=noise),
        **downstream_accuracy(codes, factors, noise=noise),
    }
    for name, score in both.items():
        assert float(score) == float(alone[name])
        assert score.chance == alone[name].chance
        assert score.interval == alone[name].interval


@pytest.mark.parametrize("n_classes", [2, 4])
def test_what_is_computed_in_pieces_is_that_of_all_rows(codes, rng, monkeypatch, n_classes):
    labels = labels_of(codes, n_classes, rng)
    model = LogisticRegression.fit(codes, 3 * labels)

    def computed():
        return model.probabilities(codes), model.likelihoods(codes, labels), model.predict(codes)

    whole = computed()
    monkeypatch.setattr(_logistic, "_MOST_ROWS", 700)
    for one, pieces in zip(whole, computed(), strict=True):
        np.testing.assert_allclose(pieces, one, rtol=1e-12)
    np.testing.assert_array_equal(whole[2], 3 * whole[0].argmax(axis=1))
