import numpy as np
import pytest
from scipy.linalg import subspace_angles

from unweave.metrics import Noise, subspace_angle
from unweave.metrics.subspaces import principal_angles


def test_principal_angles_are_those_of_scipy(rng):
    first, second = (np.linalg.qr(rng.standard_normal((9, k)))[0] for k in (3, 5))
    np.testing.assert_allclose(
        principal_angles(first, second), subspace_angles(first, second)[::-1]
    )
    tiny = np.linalg.qr(np.array([[1.0], [1e-9], [0.0]]))[0]
    assert principal_angles(np.eye(3)[:, :1], tiny) == pytest.approx([1e-9], rel=1e-6)


def test_directions_at_a_known_angle_are_found(rng):
    factors = np.stack([rng.integers(0, 9, 20_000), rng.integers(0, 9, 20_000)], axis=1)
    angle = 0.7
    directions = np.zeros((2, 40))
    directions[0, 0] = 1
    directions[1, :2] = np.cos(angle), np.sin(angle)
    codes = factors @ directions + 2 * rng.standard_normal((20_000, 40))
    standardised = directions / codes.std(axis=0)
    expected = subspace_angles(standardised[:1].T, standardised[1:].T)[0]
    score = subspace_angle(codes, factors, probe="class_means", noise=None)
    assert float(score) == pytest.approx(expected, abs=0.05)
    assert score.matrix[0, 0] == pytest.approx(0, abs=1e-12)


def test_random_directions_have_the_cosine_that_theory_says(rng):
    factors = np.stack([rng.integers(0, 6, 4000) for _ in range(6)], axis=1)
    score = subspace_angle(
        rng.standard_normal((4000, 50)),
        factors,
        factor_kinds=["categorical"] * 6,
        noise=None,
    )
    # Six levels span five dimensions of fifty.
    assert score.extras["random_cos_squared"] == pytest.approx(5 / 50)
    assert score.extras["cos_squared"] == pytest.approx(5 / 50, abs=0.02)


def test_wide_rotated_codes_have_orthogonal_subspaces_and_no_leakage(rng):
    factors = np.stack([rng.integers(0, 8, 4000) for _ in range(3)], axis=1)
    wide = np.concatenate([factors, 0.5 * rng.standard_normal((4000, 253))], axis=1)
    codes = wide @ np.linalg.qr(rng.standard_normal((256, 256)))[0]
    score = subspace_angle(codes, factors, noise=Noise(4, 2, 4))
    assert float(score) > 1.45
    assert score.extras["own_r2"] > 0.95
    assert score.extras["leakage"] < 0.02
    assert score.chance.mean < float(score)


def test_one_direction_for_two_factors_leaks(rng):
    factors = np.stack([rng.integers(0, 8, 4000) for _ in range(2)], axis=1)
    line = factors.sum(axis=1, keepdims=True) @ rng.standard_normal((1, 30))
    score = subspace_angle(line + 0.1 * rng.standard_normal((4000, 30)), factors, noise=None)
    assert float(score) < 0.5
    assert score.extras["leakage"] > 0.9


def test_wrong_options_are_refused(rng):
    codes, factors = rng.standard_normal((50, 3)), rng.integers(0, 3, (50, 2))
    with pytest.raises(ValueError, match="unknown probe 'lasso'"):
        subspace_angle(codes, factors, probe="lasso")
    with pytest.raises(ValueError, match="factors have 1 column"):
        subspace_angle(codes, factors[:, :1])


def test_an_angle_in_one_latent_has_one_direction(rng):
    factors = rng.integers(0, [5, 6, 12], (2000, 3))
    angle = 2 * np.pi * factors[:, 2] / 12
    circle = np.column_stack([factors[:, :2], np.cos(angle), np.sin(angle)])
    kinds = ["ordinal", "ordinal", "circular"]
    for codes in (factors.astype(float), circle):
        score = subspace_angle(codes, factors, factor_kinds=kinds, noise=None)
        assert float(score) == pytest.approx(np.pi / 2, abs=0.05)
    # One dimension and one in four, and twice one and two.
    assert score.extras["random_cos_squared"] == pytest.approx((1 / 4 + 2 * 2 / 4) / 3, abs=1e-9)
    mixed = circle @ rng.standard_normal((4, 30))
    score = subspace_angle(mixed, factors, factor_kinds=kinds, noise=None)
    assert score.extras["own_r2"] > 0.9
