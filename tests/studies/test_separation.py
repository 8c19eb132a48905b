"""Which factors are separated: by codes of which it is known."""

import numpy as np
import pytest
from scipy import stats

from unweave.metrics import Noise, evaluate
from unweave.studies.separation import factor_separations, is_above_references

METRICS = ["dci_disentanglement", "dci_informativeness"]
KINDS = ["circular", "ordinal", "ordinal", "ordinal"]
FACTORS = np.random.default_rng(0).integers(5, size=(800, 4))
UNIT = FACTORS / 2 - 1
ANGLE = 2 * np.pi * FACTORS[:, 0] / 5


def scores(codes, metrics=METRICS, noise=None):
    return evaluate(
        codes, FACTORS, metrics=metrics, factor_names=["hue", "a", "b", "c"], factor_kinds=KINDS,
        noise=noise or Noise(n_permutations=30, n_projections=50, n_halves=20),
    ).to_dict()  # fmt: skip


def separated(codes):
    found = factor_separations(scores(codes))
    assert [one.factor for one in found] == ["hue", "a", "b", "c"]
    return {one.factor for one in found if one.is_separated}


def test_a_perfect_code_separates_all():
    assert separated(UNIT) == {"hue", "a", "b", "c"}


def test_a_circular_factor_in_two_latents_is_separated():
    round_the_circle = np.stack([np.cos(ANGLE), np.sin(ANGLE)], axis=1)
    assert separated(np.hstack([round_the_circle, UNIT[:, 1:]])) == {"hue", "a", "b", "c"}


def test_a_rotation_of_two_factors_separates_the_others():
    codes = UNIT.copy()
    codes[:, 2:] = UNIT[:, 2:] @ np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
    assert separated(codes) == {"hue", "a"}


def test_a_random_mixture_separates_none():
    assert separated(UNIT @ np.random.default_rng(7).standard_normal((4, 6))) == set()


def test_a_factor_that_is_not_known_is_not_separated():
    codes = UNIT.copy()
    codes[:, 3] = np.random.default_rng(1).standard_normal(len(codes))
    assert separated(codes) == {"hue", "a", "b"}


def test_separation_is_the_disentanglement_of_the_latents_of_a_factor():
    """By hand, from the importances that DCI returns; and its weighted mean is the score."""
    codes = UNIT @ np.random.default_rng(3).standard_normal((4, 5))
    found = scores(codes)["dci_disentanglement"]
    importance = np.array(found["matrix"])
    shares = importance / importance.sum(axis=1, keepdims=True)
    of_latents = 1 + (shares * np.log(np.maximum(shares, 1e-300))).sum(axis=1) / np.log(4)
    expected = [of_latents @ column / column.sum() for column in importance.T]
    values = list(found["by_factor"].values())
    np.testing.assert_allclose(values, expected)
    assert np.average(values, weights=importance.sum(axis=0)) == pytest.approx(found["value"])


def test_references_of_a_score():
    good, mixed = (scores(codes)["dci_disentanglement"] for codes in (UNIT, UNIT @ np.ones((4, 4))))
    assert is_above_references(good)
    assert not is_above_references(mixed)
    assert good["mixture"]["upper"] > good["mixture"]["mean"]


def test_the_upper_end_of_many_draws_is_their_quantile(rng):
    codes = UNIT + 0.1 * rng.standard_normal(UNIT.shape)
    few, many = (
        evaluate(codes, FACTORS, metrics=["mig"], noise=Noise(10, n, 10))["mig"].mixture
        for n in (39, 40)
    )
    bound = stats.t(38).ppf(0.975) * np.sqrt(1 + 1 / 39)
    assert few.upper == pytest.approx(few.mean + bound * few.sd)
    assert many.upper != pytest.approx(many.mean + bound * many.sd, rel=0.01)
    assert many.mean < many.upper < many.mean + 4 * many.sd


def test_scores_that_do_not_say_it_are_refused():
    with pytest.raises(ValueError, match=r"read from dci_disentanglement and dci_inf.* is missing"):
        factor_separations(scores(UNIT, ["dci_disentanglement"]))
    bare = evaluate(UNIT, FACTORS, metrics=METRICS, noise=None).to_dict()
    with pytest.raises(ValueError, match="do not say what noise gets for each factor"):
        factor_separations(bare)
