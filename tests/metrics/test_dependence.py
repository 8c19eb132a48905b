import numpy as np
import pytest

from unweave.metrics import latent_dependence, unsupervised_disentanglement_ranking
from unweave.metrics.udr import _medians, _relative_strength


def test_dependence_of_a_correlated_pair_is_known(rng):
    rho = 0.6
    codes = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], 200_000)
    scores = latent_dependence(codes, noise=None)
    assert float(scores["total_correlation"]) == pytest.approx(-0.5 * np.log(1 - rho**2), abs=0.01)
    # Eigenvalues 1 + rho and 1 - rho, against two of 1.
    distance = 4 - 2 * (np.sqrt(1 + rho) + np.sqrt(1 - rho))
    assert float(scores["wasserstein"]) == pytest.approx(distance, abs=0.01)
    assert scores["wasserstein"].extras["normalised"] == pytest.approx(distance / 2, abs=0.005)


def test_dependent_latents_score_higher_than_independent_ones(rng):
    independent = rng.standard_normal((800, 3))
    dependent = independent @ rng.standard_normal((3, 3))
    for codes, is_dependent in ((independent, False), (dependent, True)):
        scores = latent_dependence(codes)
        for name in ("total_correlation", "wasserstein"):
            assert (scores[name].p_value < 0.01) == is_dependent
            assert scores[name].adjusted is None


def test_latents_that_repeat_each_other_are_said(rng):
    codes = rng.standard_normal((500, 3))
    scores = latent_dependence(codes[:, [0, 1, 2, 0]], noise=None)
    assert float(scores["total_correlation"]) > 15
    assert "total correlation is infinite" in scores.notes[0]


def test_the_raw_convention_depends_on_the_scale(rng):
    codes = rng.standard_normal((500, 3)) @ rng.standard_normal((3, 3))
    raw, twice = (
        float(latent_dependence(c, convention="disentanglement_lib", noise=None)["wasserstein"])
        for c in (codes, 2 * codes)
    )
    assert twice == pytest.approx(4 * raw)


class TestRanking:
    @pytest.mark.parametrize("method", ["lasso", "spearman"])
    def test_models_that_agree_but_for_order_and_sign_rank_above_rotated_ones(self, rng, method):
        sources = rng.uniform(-1, 1, (2000, 4))
        same = [sources[:, rng.permutation(4)] * rng.choice([-1, 1], 4) for _ in range(4)]
        turned = [sources @ np.linalg.qr(rng.standard_normal((4, 4)))[0] for _ in range(2)]
        score = unsupervised_disentanglement_ranking(
            same + turned, method=method, names=["s0", "s1", "s2", "s3", "t0", "t1"]
        )
        ranked = sorted(score.per_factor, key=score.per_factor.get)
        assert set(ranked[2:]) == {"s0", "s1", "s2", "s3"}
        alone = unsupervised_disentanglement_ranking(same, method=method)
        assert float(alone) > 0.75
        assert alone.p_value < 0.05

    def test_strength_by_hand(self):
        relations = np.array([[0.8, 0.0], [0.2, 0.5]])
        columns = (0.8**2 / 1.0 + 0.5**2 / 0.5) / 2
        rows = (0.8**2 / 0.8 + 0.5**2 / 0.7) / 2
        assert _relative_strength(relations) == pytest.approx((columns + rows) / 2)

    def test_a_model_has_the_median_of_its_pairs(self):
        pairs = np.array([[0, 0.1, 0.2, 0.9], [0.1, 0, 0, 0], [0.2, 0, 0, 0], [0.9, 0, 0, 0]])
        np.testing.assert_allclose(_medians(pairs), [0.2, 0, 0, 0])

    def test_chance_is_taken_out_so_that_it_is_0_and_the_most_is_1(self, rng):
        sources = rng.uniform(-1, 1, (500, 3))
        models = [sources + 0.3 * rng.standard_normal((500, 3)) for _ in range(3)]
        score = unsupervised_disentanglement_ranking(models, method="spearman")
        assert score.chance.mean > 0.02
        expected = (float(score) - score.chance.mean) / (1 - score.chance.mean)
        assert score.adjusted == pytest.approx(expected)

    def test_inactive_latents_are_left_out(self, rng):
        sources = rng.standard_normal((1000, 2))
        noise = [rng.standard_normal((1000, 2)) for _ in "ab"]
        models = [np.concatenate([sources, n], axis=1) for n in noise]
        kl = [[1.0, 1.0, 0.001, 0.0]] * 2
        with_kl = unsupervised_disentanglement_ranking(models, method="spearman", kl=kl)
        without = unsupervised_disentanglement_ranking(models, method="spearman")
        assert float(with_kl) > float(without) + 0.2

    @pytest.mark.parametrize(
        ("models", "options", "message"),
        [
            ([np.eye(4)], {}, "1 was given: give at least two"),
            ([np.eye(4), np.eye(5)], {}, r"models have \[4, 5\] rows"),
            ([np.eye(4)] * 2, {"method": "laso"}, "did you mean 'lasso'"),
            ([np.eye(4)] * 2, {"kl": [[1.0]] * 2}, "kl of model 0 has shape"),
            ([np.eye(4)] * 2, {"names": ["a"]}, "1 model names were given for 2 models"),
        ],
    )
    def test_wrong_input_is_refused(self, models, options, message):
        with pytest.raises(ValueError, match=message):
            unsupervised_disentanglement_ranking(models, **options)
