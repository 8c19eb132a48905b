import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from unweave.metrics import separated_attribute_predictability


@pytest.mark.parametrize("convention", ["by_kind", "disentanglement_lib"])
@pytest.mark.parametrize("n_levels", [2, 3, 7])
def test_accuracies_are_those_of_scikit_learn(rng, n_levels, convention):
    factors = rng.integers(0, n_levels, (900, 2))
    mixing = rng.standard_normal((2, 3))
    codes = factors @ mixing + rng.standard_normal((900, 3))
    ours = separated_attribute_predictability(
        codes[:600],
        factors[:600],
        convention=convention,
        factor_kinds="categorical",
        test=(codes[600:], factors[600:]),
        noise=None,
    )
    if convention == "by_kind":
        codes = StandardScaler().fit(codes[:600]).transform(codes)
    expected = np.empty((3, 2))
    for j in range(3):
        for k in range(2):
            svm = LinearSVC(
                C=0.01, class_weight="balanced", dual=False, tol=1e-10, max_iter=100_000
            )
            svm.fit(codes[:600, [j]], factors[:600, k])
            expected[j, k] = svm.score(codes[600:, [j]], factors[600:, k])
    np.testing.assert_allclose(ours.matrix, expected, atol=1.01 / 300)


def test_r_squared_is_that_of_scikit_learn(rng):
    factors = rng.integers(0, 9, (300, 2))
    codes = factors @ rng.standard_normal((2, 4)) + rng.standard_normal((300, 4))
    ours = separated_attribute_predictability(codes, factors, noise=None).matrix
    for j in range(4):
        for k in range(2):
            z, v = codes[:, [j]], factors[:, k]
            assert ours[j, k] == pytest.approx(LinearRegression().fit(z, v).score(z, v))


def test_a_circle_may_be_cut_anywhere(rng):
    level = rng.integers(0, 12, 600)
    angle = 2 * np.pi * level / 12
    codes = np.stack([np.cos(angle), np.sin(angle), rng.standard_normal(600)], axis=1)

    def score(shift):
        factors = np.stack([(level + shift) % 12, rng.integers(0, 2, 600)], axis=1)
        kinds = ["circular", "ordinal"]
        matrix = separated_attribute_predictability(
            codes, factors, factor_kinds=kinds, noise=None
        ).matrix
        return matrix[:, 0]

    np.testing.assert_allclose(score(0), score(5), atol=1e-12)
    # A sine half a step from the middle of twelve levels, once around.
    known = 6 / ((12**2 - 1) * np.tan(np.pi / 12) ** 2)
    np.testing.assert_allclose(score(0)[:2], known, atol=0.05)


def test_an_angle_in_one_latent_is_all_of_a_circular_factor(rng):
    level = rng.integers(0, 12, 600)
    other = rng.integers(0, 2, 600)
    factors = np.stack([level, other], axis=1)
    kinds = ["circular", "ordinal"]
    for start in (0, 5):
        codes = np.stack([-3.0 * ((level - start) % 12), other, rng.standard_normal(600)], axis=1)
        score = separated_attribute_predictability(codes, factors, factor_kinds=kinds, noise=None)
        assert score.per_factor["0"] == pytest.approx(1, abs=0.02)
        assert score.matrix[0, 0] == pytest.approx(1, abs=1e-12)
        in_radians = np.stack([level * np.pi / 6 + 0.1, other], axis=1)
        again = separated_attribute_predictability(
            codes, in_radians, factor_kinds=kinds, noise=None
        )
        np.testing.assert_allclose(again.matrix, score.matrix, atol=1e-12)


def test_every_cut_of_a_circle_is_tried(rng):
    angle = rng.uniform(-9, 9, 200)
    codes = rng.standard_normal((200, 2))
    factors = np.stack([angle, rng.integers(0, 2, 200)], axis=1)
    kinds = ["circular", "ordinal"]
    found = separated_attribute_predictability(codes, factors, factor_kinds=kinds, noise=None)
    cuts = [(angle - cut) % (2 * np.pi) for cut in angle]
    best = [max(np.corrcoef(z, cut)[0, 1] ** 2 for cut in cuts) for z in codes.T]
    np.testing.assert_allclose(found.matrix[:, 0], best, atol=1e-12)


def test_the_r_squared_option_belongs_to_its_convention(rng):
    with pytest.raises(ValueError, match="continuous_factors belongs to"):
        separated_attribute_predictability(
            rng.standard_normal((90, 2)), rng.integers(0, 2, (90, 1)), continuous_factors=True
        )


def test_test_rows_must_come_from_the_same_encoder(rng):
    factors = rng.integers(0, 3, (50, 1))
    with pytest.raises(ValueError, match="must come from the same encoder"):
        separated_attribute_predictability(
            rng.standard_normal((50, 2)), factors, test=(rng.standard_normal((50, 3)), factors)
        )


def test_levels_of_a_circle_start_at_zero(rng):
    factors = rng.integers(-3, 3, (100, 2))
    with pytest.raises(ValueError, match="factor 0 is circular and has the level -3: levels of"):
        separated_attribute_predictability(
            rng.standard_normal((100, 2)), factors, factor_kinds=["circular"] * 2
        )
