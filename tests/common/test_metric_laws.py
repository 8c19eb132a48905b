"""Laws that every metric obeys."""

import math
import pickle

import numpy as np
import pytest

from unweave.metrics import METRICS, Noise, evaluate

FACTORS = np.stack(np.meshgrid(range(4), range(5), range(6), indexing="ij"), -1).reshape(-1, 3)
PERFECT = FACTORS.astype(float)
FEW = Noise(n_permutations=20, n_projections=5, n_halves=20)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
class TestMetric:
    @pytest.mark.parametrize(
        ("codes", "expected"),
        [
            (PERFECT, 1.0),
            (-PERFECT[:, [2, 0, 1]], 1.0),
            (np.zeros_like(PERFECT), 0.0),
            (np.concatenate([PERFECT, PERFECT], axis=1), 0.0),
        ],
        ids=[
            "one latent a factor",
            "turned and in another order",
            "collapsed",
            "every latent twice",
        ],
    )
    def test_known_answer(self, metric, codes, expected):
        assert float(metric(codes, FACTORS, noise=None)) == pytest.approx(expected, abs=1e-9)

    def test_latent_order_and_scale_do_not_matter(self, metric, rng):
        codes = PERFECT + rng.normal(scale=0.3, size=PERFECT.shape)
        moved = 3 * codes[:, [2, 0, 1]]
        assert float(metric(moved, FACTORS, noise=None)) == pytest.approx(
            float(metric(codes, FACTORS, noise=None))
        )

    def test_a_dead_latent_changes_nothing_and_is_reported(self, metric, rng):
        codes = PERFECT + rng.normal(scale=0.3, size=PERFECT.shape)
        more = np.insert(codes, 1, 7.0, axis=1)
        score = metric(more, FACTORS, noise=None)
        assert float(score) == pytest.approx(float(metric(codes, FACTORS, noise=None)), abs=1e-12)
        assert score.dead_latents == (1,)
        assert "never vary" in " ".join(score.notes)

    def test_the_same_seed_gives_the_same_bits(self, metric, rng):
        codes = rng.standard_normal((120, 4))
        first, second = (metric(codes, FACTORS, noise=FEW, seed=5).to_dict() for _ in range(2))
        assert first == second

    def test_noise_is_chance_and_a_perfect_code_is_not(self, metric, rng):
        noise = metric(rng.standard_normal((120, 3)), FACTORS, noise=FEW)
        assert abs(float(noise) - noise.chance.mean) < 4 * noise.chance.sd
        perfect = metric(PERFECT, FACTORS, noise=FEW)
        assert perfect.p_value == pytest.approx(1 / 21)
        assert noise.p_value > perfect.p_value
        assert perfect.chance.mean < perfect.projection.mean < 1.0

    def test_the_interval_holds_the_value(self, metric, rng):
        codes = PERFECT + rng.normal(scale=0.5, size=PERFECT.shape)
        score = metric(codes, FACTORS, noise=FEW)
        low, high = score.interval
        assert 0 <= low <= float(score) <= high <= 1

    def test_per_factor_scores_have_the_value_as_mean(self, metric, rng):
        codes = PERFECT + rng.normal(scale=0.5, size=PERFECT.shape)
        score = metric(codes, FACTORS, factor_names=["a", "b", "c"], noise=None)
        assert list(score.per_factor) == ["a", "b", "c"]
        assert np.mean(list(score.per_factor.values())) == pytest.approx(float(score))

    def test_a_score_survives_pickling(self, metric):
        score = metric(PERFECT, FACTORS, noise=FEW)
        again = pickle.loads(pickle.dumps(score))
        assert again.to_dict() == score.to_dict()

    @pytest.mark.parametrize(
        ("codes", "factors", "message"),
        [
            (PERFECT[:-1], FACTORS, "codes have 119 rows and factors 120"),
            (PERFECT, FACTORS * [1, 0, 1], r"factors \[1\] never vary.*drop these columns"),
            (PERFECT * [1, math.nan, 1], FACTORS, r"nan or infinite values, in latents \[1\]"),
            (PERFECT + [0, 0, math.inf], FACTORS, r"nan or infinite values, in latents"),
            (PERFECT, FACTORS * [1.0, math.nan, 1], r"factors \[1\] hold nan"),
            (PERFECT[:, :1], FACTORS, r"codes have 1 latent\(s\)"),
            (PERFECT.astype(str), FACTORS, "codes must be an array of numbers"),
            (PERFECT, FACTORS.astype(str), "factors must be an array of numbers"),
            (PERFECT[:, 0], FACTORS, "must be two-dimensional"),
            (PERFECT[:0], FACTORS[:0], "codes are empty"),
        ],
    )
    def test_bad_input_is_a_sentence(self, metric, codes, factors, message):
        with pytest.raises(ValueError, match=message):
            metric(codes, factors)

    def test_wrong_numbers_of_names_and_kinds_are_refused(self, metric):
        with pytest.raises(ValueError, match="2 factor names were given for 3 factors"):
            metric(PERFECT, FACTORS, factor_names=["a", "b"])
        with pytest.raises(
            ValueError, match=r"unknown factor kind 'ordnal' \(did you mean 'ordinal'"
        ):
            metric(PERFECT, FACTORS, factor_kinds=["ordnal"] * 3)

    def test_too_few_rows_for_an_interval_are_said(self, metric, rng):
        factors = np.zeros((40, 2), dtype=int)
        factors[0] = 1
        with pytest.raises(ValueError, match="too few for an interval"):
            metric(rng.standard_normal((40, 3)), factors, noise=FEW)


def test_evaluate_gives_every_metric_as_it_is_alone(rng):
    codes = rng.standard_normal((120, 4))
    scores = evaluate(codes, FACTORS, noise=FEW, seed=2)
    assert {name: float(s) for name, s in scores.items()} == {
        name: float(metric(codes, FACTORS, noise=None, seed=2)) for name, metric in METRICS.items()
    }
    assert repr(scores).count("chance") == len(METRICS)
