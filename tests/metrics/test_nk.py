import numpy as np
import pytest

from unweave.metrics import evaluate, neuron_knockout
from unweave.metrics.dci import BACKENDS


@pytest.fixture
def factors(rng):
    return np.stack([rng.integers(size, size=1500) for size in (3, 4, 5)], axis=1)


@pytest.mark.parametrize(("predictor", "n_rows"), [("extra_trees", 1500), ("mlp", 450)])
def test_a_latent_that_alone_knows_its_factor_is_worth_all_but_a_guess(factors, predictor, n_rows):
    factors = factors[:n_rows]
    score = neuron_knockout(factors.astype(float), factors, predictor=predictor, noise=None)
    assert list(score.per_factor.values()) == pytest.approx([2 / 3, 3 / 4, 4 / 5], abs=0.1)
    assert score.extras["accuracy"] == pytest.approx(1.0, abs=0.02)
    assert score.extras["others"] == pytest.approx(0.0, abs=0.02)
    assert score.settings["predictor"] == predictor


def test_what_another_latent_knows_is_not_lost(rng, factors):
    """Without its latent a factor is told by a copy that is right with probability p."""
    p = 0.6
    copy = np.where(rng.random(1500) < p, factors[:, 2], rng.integers(5, size=1500))
    score = neuron_knockout(np.column_stack([factors, copy]), factors, noise=None)
    assert score.per_factor["2"] == pytest.approx(1 - (p + (1 - p) / 5), abs=0.06)
    assert score.matrix[3].tolist() == [0, 0, 0]


def test_a_latent_of_two_factors_is_missed_by_both(factors):
    both = factors[:, 0] + 3 * factors[:, 1]
    codes = np.column_stack([both, factors[:, 2], factors[:, 2]])
    score = neuron_knockout(codes, factors, noise=None)
    entangled = score.matrix[0, :2]
    np.testing.assert_allclose(entangled, [2 / 3, 3 / 4], atol=0.07)
    assert score.extras["others"] > 0.1
    assert score.extras["own_less_others"] == pytest.approx(float(score) - score.extras["others"])


def test_factors_beyond_the_number_of_latents_lose_nothing(factors):
    score = neuron_knockout(factors[:, :1].astype(float), factors, noise=None)
    assert score.per_factor["0"] == pytest.approx(2 / 3, abs=0.06)
    assert (score.per_factor["1"], score.per_factor["2"]) == (0, 0)


def test_it_is_judged_on_the_rows_that_a_user_gives(factors):
    codes = factors.astype(float)
    score = neuron_knockout(
        codes[:1000], factors[:1000], test=(-codes[1000:], factors[1000:]), noise=None
    )
    assert score.extras["accuracy"] < 0.5


def test_another_predictor_is_refused(factors):
    with pytest.raises(ValueError, match=r"unknown predictor 'mpl' \(did you mean 'mlp'"):
        neuron_knockout(factors, factors, predictor="mpl")


@pytest.mark.parametrize("seed", [10**9, 2**40])
def test_large_seeds_are_taken_by_every_predictor(factors, seed):
    """Seeds of scikit-learn end at 2**32, and each tree has one of its own."""
    codes, factors = factors[:90].astype(float), factors[:90]
    asked = [
        *({"name": "nk", "predictor": one} for one in ("extra_trees", "mlp")),
        *({"name": "dci_disentanglement", "backend": one} for one in BACKENDS),
    ]
    found = evaluate(codes, factors, metrics=asked, noise=None, seed=seed)
    assert not found.skipped
    assert len(found) == len(asked)
    assert all(np.isfinite(float(score)) for score in found.values())
