import json

import numpy as np
import pytest

from unweave.metrics import BY_DEFAULT, LABEL_FREE, METRICS, Noise, compare, evaluate
from unweave.metrics.comparison import difference, scores_of_halves

FACTORS = np.stack(np.meshgrid(range(4), range(5), range(6), indexing="ij"), -1).reshape(-1, 3)
FEW = Noise(n_permutations=20, n_projections=3, n_halves=10)
KEYS = (
    "beta_vae, factor_vae, irs, mig, mig_sup, rmig, dcimig, jemmig, modularity, explicitness, "
    "med_disentanglement, med_completeness, infom, infoc, infoe, sap, dci_disentanglement, "
    "dci_completeness, dci_informativeness, mcc, linear_r2, snc, subspace_angle, "
    "downstream_accuracy, statistical_efficiency, total_correlation, wasserstein, latent_mi"
).split(", ")


@pytest.fixture
def codes(rng):
    return FACTORS @ rng.standard_normal((3, 4)) + 0.3 * rng.standard_normal((120, 4))


@pytest.fixture(scope="module")
def scores():
    rng = np.random.default_rng(0)
    codes = FACTORS @ rng.standard_normal((3, 4)) + 0.3 * rng.standard_normal((120, 4))
    return evaluate(codes, FACTORS, factor_names=["hue", "size", "x"], noise=FEW)


def test_every_metric_has_its_name(scores):
    assert set(BY_DEFAULT) == set(scores) == set(KEYS) | {"med_disentanglement", "med_completeness"}


def test_expensive_and_special_metrics_are_computed_where_they_are_named(codes):
    named = [name for name in METRICS if name not in BY_DEFAULT]
    assert named == ["omes", "nk", "t_mex", "tad", "unfairness"]
    binary = FACTORS % 2
    scores = evaluate(codes, binary, metrics=["mig", *named], noise=None)
    assert list(scores) == ["mig", *named]
    with pytest.raises(ValueError, match="tad needs binary factors, and factor 'hue' takes 4"):
        evaluate(codes, FACTORS, metrics=["mig", "tad"], factor_names=["hue", "size", "x"])


def test_together_is_as_alone(codes):
    together = evaluate(codes, FACTORS, noise=FEW, seed=2)
    for name in ("beta_vae", "mig", "modularity", "infoc", "dci_completeness", "latent_mi"):
        alone = METRICS[name](codes, FACTORS, noise=FEW, seed=2)
        assert together[name].to_dict() == alone.to_dict()


def test_only_what_is_asked_for_is_computed_in_the_order_asked(codes):
    assert list(evaluate(codes, FACTORS, metrics=["sap", "mig"], noise=None)) == ["sap", "mig"]
    assert list(evaluate(codes, FACTORS, metrics="sap", noise=None)) == ["sap"]
    with pytest.raises(ValueError, match=r"unknown metric 'migg' \(did you mean 'mig'"):
        evaluate(codes, FACTORS, metrics=["migg"])


def test_what_is_not_defined_is_skipped_and_said(codes):
    scores = evaluate(codes[:, :1], FACTORS, noise=None)
    assert "mig" not in scores
    assert "beta_vae" in scores
    assert "mig needs 2 latents, and there is 1" in scores.notes
    scores = evaluate(codes, FACTORS[:, :1], noise=None)
    assert "mig" in scores
    assert scores.skipped["mig_sup"] == "needs 2 factors, and there is 1"
    with pytest.raises(ValueError, match=r"codes have 1 latent\(s\)"):
        evaluate(codes[:, :1], FACTORS, metrics=["mig"])


def test_collapsed_codes_are_scored_too():
    scores = evaluate(np.ones((120, 3)), FACTORS, noise=FEW)
    assert float(scores["mig"]) == 0
    assert scores.skipped["latent_mi"] == "needs 2 latents that vary, and 0 do"
    assert len(scores) + len(scores.skipped) == len(BY_DEFAULT)


def test_metrics_take_their_own_options(codes):
    score = METRICS["mig"](codes, FACTORS, estimator="ksg", noise=None)
    assert score.settings["estimator"] == "ksg"
    score = METRICS["dci_completeness"](codes, FACTORS, backend="lasso", noise=None)
    assert score.settings["backend"] == "lasso"


class TestTable:
    def test_as_text_it_has_a_line_for_each(self, scores):
        lines = repr(scores).splitlines()
        assert lines[0].split()[:3] == ["metric", "value", "interval"]
        assert [line.split()[0] for line in lines[2 : 2 + len(scores)]] == list(scores)
        assert "n = 120, seed = 0, 95 % intervals" in lines

    def test_as_html_too(self, scores):
        html = scores._repr_html_()
        assert html.count("<tr>") == len(scores) + 1
        assert "<th>chance</th>" in html

    def test_as_json(self, scores):
        content = json.loads(scores.to_json(allow_nan=False))
        assert content["mig"]["value"] == float(scores["mig"])
        assert content["dci_completeness"]["settings"]["backend"] == "gradient_boosting"

    def test_as_data_frames(self, scores):
        pandas = pytest.importorskip("pandas")
        frame = scores.to_polars()
        assert frame["metric"].to_list() == list(scores)
        assert frame["value"].to_list() == [float(score) for score in scores.values()]
        assert isinstance(scores.to_pandas(), pandas.DataFrame)
        assert scores.to_pandas().loc["sap", "perfect"] == scores["sap"].perfect

    def test_as_a_picture(self, scores, tmp_path):
        pytest.importorskip("matplotlib")
        figure = scores.plot()
        figure.savefig(tmp_path / "scores.png")
        bars, *matrices = [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]
        assert [label.get_text() for label in bars.get_yticklabels()] == list(scores)
        assert [label.get_text() for label in matrices[0].get_xticklabels()] == ["hue", "size", "x"]
        assert (tmp_path / "scores.png").stat().st_size > 10_000

    def test_the_printed_name_of_dci_carries_its_back_end(self, scores):
        text = repr(scores["dci_disentanglement"])
        assert text.startswith("dci_disentanglement (gradient_boosting) = ")


class TestComparison:
    def test_separate_latents_beat_mixed_ones(self, rng):
        factors = np.stack([rng.integers(0, k, 1000) for k in (3, 4, 5)], axis=1)
        separate = factors + 0.1 * rng.standard_normal(factors.shape)
        mixed = separate @ np.linalg.qr(rng.standard_normal((3, 3)))[0]
        found = compare(separate, mixed, factors, metrics=["mig", "sap", "linear_r2"])
        for name in ("mig", "sap"):
            assert found[name].interval[0] > 0
            assert found[name].p_value == 0.001
        assert found["linear_r2"].difference == pytest.approx(0, abs=1e-9)
        swapped = compare(mixed, separate, factors, metrics=["mig"])
        assert swapped["mig"].difference == -found["mig"].difference
        assert "difference" in repr(found)
        assert "<caption>n = 1000, seed = 0</caption>" in found._repr_html_()

    def test_equal_representations_do_not_differ(self, rng):
        factors = np.stack([rng.integers(0, k, 500) for k in (3, 4)], axis=1)
        codes = factors + 0.3 * rng.standard_normal(factors.shape)
        found = compare(codes, codes, factors, metrics=["mig", "mcc"])
        assert [d.difference for d in found.values()] == [0, 0]
        assert [d.p_value for d in found.values()] == [1, 1]

    @pytest.mark.parametrize(
        ("value", "extrapolated", "nearest"),
        [(0.5, 0.6, 0.5), (0.3, 0.2, 0.2), (0.15, -0.1, 0.0)],
    )
    @pytest.mark.parametrize("sign", [1, -1])
    def test_a_difference_by_hand(self, value, extrapolated, nearest, sign):
        from scipy import stats

        other = np.array([0.10, 0.15, 0.05, 0.20])
        halves = sign * (2 * value - extrapolated + np.array([0.1, -0.05, 0.05, -0.1]))
        spread = np.std(halves, ddof=1) * np.sqrt(1 + 1 / 4)
        found = difference(0.1 + sign * value, 0.1, other + halves, other)
        assert found.difference == pytest.approx(sign * value)
        assert found.p_value == pytest.approx(2 * stats.t(3).sf(nearest / spread))
        low, high = sorted([sign * value, sign * extrapolated])
        margin = 1.959964 * spread
        assert found.interval == pytest.approx((low - margin, high + margin), abs=1e-6)

    def p_values(self, noise_of_the_other):
        rng = np.random.default_rng(1)
        found = []
        for _ in range(60):
            factors = np.stack([rng.integers(0, k, 400) for k in (3, 4, 5)], axis=1)
            one, other = (
                factors + scale * rng.standard_normal(factors.shape)
                for scale in (1.0, noise_of_the_other)
            )
            found.append(compare(one, other, factors, metrics=["sap"], n_halves=20)["sap"].p_value)
        return np.array(found)

    def test_codes_of_the_same_quality_differ_no_more_often_than_the_level_says(self):
        p = self.p_values(1.0)
        assert np.sum(p < 0.05) <= 7  # of 60, three are expected
        assert 15 <= np.sum(p < 0.5) <= 40

    def test_codes_of_other_quality_differ_more_often_than_the_level_says(self):
        assert 14 <= np.sum(self.p_values(1.1) < 0.05) <= 40

    def test_other_rows_are_refused(self, codes):
        with pytest.raises(ValueError, match="codes have 119 rows and factors 120"):
            compare(codes, codes[:-1], FACTORS)


class TestWithoutFactors:
    def test_what_needs_none_is_computed_to_the_same_values(self, codes):
        scores = evaluate(codes, noise=FEW, seed=1)
        assert tuple(scores) == LABEL_FREE
        labelled = evaluate(codes, FACTORS, metrics=LABEL_FREE, noise=FEW, seed=1)
        for name in LABEL_FREE:
            assert scores[name].to_dict() == labelled[name].to_dict()

    def test_what_needs_them_is_refused_by_name(self, codes):
        message = "mig, sap cannot be computed without factors: give the factors of the same rows"
        with pytest.raises(ValueError, match=message):
            evaluate(codes, metrics=["mig", "latent_mi", "sap"])

    def test_halves_are_scored_too(self, codes):
        options = {"metrics": ["latent_mi"], "n_halves": 3}
        halves = scores_of_halves(codes, None, **options)
        np.testing.assert_array_equal(
            halves["latent_mi"], scores_of_halves(codes, FACTORS, **options)["latent_mi"]
        )


def test_angles_of_any_value_are_cut_into_bins(rng):
    angle = rng.uniform(0, 2 * np.pi, 400)
    factors = np.stack([angle, rng.integers(3, size=400)], axis=1)
    codes = np.stack([angle + 0.01 * rng.normal(size=400), rng.normal(size=400)], axis=1)
    options = {"metrics": ["mig", "dci_disentanglement"], "noise": None}
    circular = evaluate(codes, factors, factor_kinds=["circular", "categorical"], **options)
    continuous = evaluate(codes, factors, factor_kinds=["continuous", "categorical"], **options)
    assert circular["mig"].per_factor["0"] == continuous["mig"].per_factor["0"] > 0.5
    turned = factors + [2 * np.pi, 0]
    again = evaluate(codes, turned, factor_kinds=["circular", "categorical"], **options)
    assert float(again["mig"]) == pytest.approx(float(circular["mig"]))
