"""Metrics on known codes: sound ones pass, and each broken one is caught by the right row."""

import json
import runpy
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from unweave.metrics import (
    KNOWN_CODES,
    METRICS,
    MIG,
    Case,
    KnownCode,
    Metric,
    Noise,
    Sample,
    score,
    stress,
    stress_seconds,
)
from unweave.metrics.stress_result import ErrorRate, exact_interval

DOCS = Path(__file__).parents[2] / "docs" / "metrics"
LAWS = [name for name, code in KNOWN_CODES.items() if code.finding != "definition"]
INVARIANCES = [name for name, code in KNOWN_CODES.items() if code.finding == "invariance"]


def best_correlations(sample):
    """A sound answer: the mean over factors of the squared correlation with the best latent."""
    with np.errstate(invalid="ignore", divide="ignore"):
        joint = np.corrcoef(sample.codes.T, sample.factors.T)
    n_latents = sample.codes.shape[1]
    return np.nan_to_num(joint[:n_latents, n_latents:]) ** 2


class Sound(Metric):
    names = ("sound",)
    needs_levels = False

    def read(self, sample):
        return {"sound": best_correlations(sample).max(axis=0).mean()}


class Ones(Metric):
    names = ("ones",)

    def read(self, sample):
        return {"ones": 1.0}


class Counts(Metric):
    names = ("counts",)
    bounds = {"counts": None}

    def read(self, sample):
        return {"counts": sample.codes.shape[1]}


class Ordered(Metric):
    """The correlation of each factor with the latent that has its number."""

    names = ("ordered",)

    def read(self, sample):
        return {"ordered": np.diag(best_correlations(sample)).mean()}


class HighChance(Metric):
    names = ("high_chance",)

    def read(self, sample):
        return {"high_chance": 0.6 + 0.4 * best_correlations(sample).max(axis=0).mean()}


class Nan(Metric):
    names = ("nan",)

    def read(self, sample):
        return {"nan": np.nan}


class Raises(Metric):
    names = ("raises",)

    def read(self, sample):
        if sample.codes.shape[1] > 10:
            raise ZeroDivisionError("too many latents for me")
        return {"raises": best_correlations(sample).max(axis=0).mean()}


class Lucky(Metric):
    """It recognises permuted factors, so that whatever is not permuted becomes significant."""

    names = ("lucky",)

    def read(self, sample):
        return {"lucky": 0.5 if sample.origin is None else 0.5 * np.random.default_rng().random()}


class Error(Metric):
    """What the best latents leave of each factor: 0 is the best."""

    names = ("error",)
    best_when_small = True

    def read(self, sample):
        return {"error": 1 - best_correlations(sample).max(axis=0).mean()}


def stressed(metric, rows=(300,), repeats=8, **options):
    found = stress(metric, rows=rows, repeats=repeats, **options)
    return next(iter(found.values()))


def wrong_answers(found):
    """By how the value is read, the laws that are broken."""
    return {
        how: {a.code.name for a in found.answers if a.is_wrong and a.read_as == how}
        for how in ("raw", "adjusted")
    }


class TestSoundMetrics:
    def test_one_of_a_stranger_has_no_faults(self):
        found = stressed(Sound())
        assert found.faults == ()
        assert wrong_answers(found) == {"raw": set(), "adjusted": set()}
        assert all(a.verdict == "holds" for a in found.answers if a.code.name in LAWS)

    def test_its_squares_of_correlations_are_those_of_known_mixtures(self):
        # Three independent factors of equal variance share the variance of an even mixture.
        found = stressed(Sound(), rows=(3000,), repeats=3, codes=["even_mixture", "wide_noise"])
        assert found.answer("even_mixture").value == pytest.approx(1 / 3, abs=0.02)
        # The largest of thirty squared correlations of independent columns, of 1/n chi-squared.
        largest = stats.chi2(1).ppf(0.5 ** (1 / 30)) / 3000
        assert found.answer("wide_noise").value == pytest.approx(largest, rel=0.5)

    def test_errors_are_read_the_other_way_round(self):
        found = stressed(Error(), repeats=4)
        assert wrong_answers(found) == {"raw": set(), "adjusted": set()}
        assert found.answer("perfect", read_as="adjusted").verdict == "undefined"
        assert found.answer("nearly_perfect").shift > 0.5
        assert found.answer("noise").verdict == "undefined"
        assert found.error_rate("miss_perfect").n_wrong == 0

    def test_mig_is_one_and_punishes_two_latents_of_a_factor(self):
        found = stressed("mig")
        assert found.faults == ()
        assert found.answer("twice").verdict == "punishes"
        assert found.answer("twice").value == pytest.approx(0, abs=1e-9)
        assert found.answer("nuisance", read_as="adjusted").verdict == "ignores"
        with pytest.raises(KeyError):
            found.answer("twice", n_rows=301)

    def test_the_dependence_of_latents_needs_no_factors(self):
        found = stressed("total_correlation", repeats=4, rows=(300,))
        assert found.answer("mixture").verdict == "punishes"
        assert found.answer("nearly_perfect").verdict == "undefined"
        assert found.answer("perfect", read_as="adjusted").why == "there is no adjusted value"
        assert found.error_rate("miss_mixture").n_wrong == 0


class TestBrokenMetrics:
    def test_one_that_always_gives_1(self):
        found = stressed(Ones())
        assert wrong_answers(found)["raw"] == {
            "noise", "wide_noise", "other_rows", "nearly_perfect", "noisy_partial", "angle",
        }  # fmt: skip
        assert found.error_rate("miss_perfect").rate == 1
        assert found.error_rate("above_a_tenth").rate == 1
        assert any("perfect not called significant: 100" in fault for fault in found.faults)

    def test_one_that_counts_latents(self):
        found = stressed(Counts())
        assert "dead" in wrong_answers(found)["raw"]
        assert "reordered" not in wrong_answers(found)["raw"]
        assert found.answer("nuisance").verdict == "rewards"
        assert found.answer("perfect").verdict == "undefined"
        # Metrics of informativeness have no order there either, which is no fault.
        order = found.error_rate("miss_partial")
        assert (order.rate, order.is_wrong) == (1, False)
        with pytest.raises(KeyError):
            found.error_rate("miss_partial", read_as="adjusted")

    def test_one_that_depends_on_the_order_of_latents(self):
        broken = wrong_answers(stressed(Ordered()))
        assert broken == {"raw": {"reordered"}, "adjusted": {"reordered"}}

    def test_one_whose_chance_is_high(self):
        found = stressed(HighChance())
        assert wrong_answers(found) == {
            "raw": {"noise", "wide_noise", "other_rows"},
            "adjusted": set(),
        }
        assert found.error_rate("above_a_tenth").rate == 1
        assert found.error_rate("above_a_tenth", read_as="adjusted").rate == 0
        assert any(f.startswith("noise should be near 0, and is 0.60") for f in found.faults)

    @pytest.mark.parametrize("metric", [Nan(), Raises()])
    def test_one_that_fails_is_entered_with_the_reason(self, metric):
        found = stressed(metric, repeats=3)
        failed = {a.code.name: a.why for a in found.answers if a.verdict == "failed"}
        if isinstance(metric, Nan):
            assert set(failed) == set(KNOWN_CODES)
            assert "came out as nan: a score must be finite" in failed["perfect"]
            assert found.error_rate("miss_perfect").rate is None
            assert "failed" in repr(found)
        else:
            assert set(failed) == {"wide_noise", "many_latents"}
            assert failed["wide_noise"] == ("raised ZeroDivisionError: too many latents for me")
        assert any("wide_noise: raised" in fault for fault in found.faults)

    def test_one_whose_p_values_are_too_small(self):
        found = stressed(Lucky(), rows=(100,), codes=["dead"])
        rate = found.error_rate("false_positive_noise")
        assert (rate.rate, rate.is_wrong) == (1, True)
        assert any("noise called significant: 100" in fault for fault in found.faults)


class TestErrorRates:
    @pytest.mark.parametrize(("n_wrong", "n"), [(0, 20), (3, 50), (50, 50), (7, 1000)])
    def test_intervals_are_those_of_scipy(self, n_wrong, n):
        expected = stats.binomtest(n_wrong, n).proportion_ci(0.9, method="exact")
        assert exact_interval(n_wrong, n, 0.9) == pytest.approx((expected.low, expected.high))
        rate = ErrorRate("a", "b", 300, "raw", n_wrong, n, 0.05)
        low = stats.binomtest(n_wrong, n).proportion_ci(method="exact").low
        assert rate.is_wrong == (low > 0.05)

    def test_no_repeats_say_nothing(self):
        assert exact_interval(0, 0) == (0, 1)
        assert not ErrorRate("a", "b", 300, "raw", 0, 0, 0.05).is_wrong

    def test_p_values_are_significant_where_those_of_score_are(self):
        """Draws end early where enough of them reach the value: the decision is the same."""
        found = stressed(MIG(), rows=(120,), repeats=12, codes=["noise"])
        n_wrong = 0
        for repeat in range(12):
            place = [0, 120, repeat]
            case = KNOWN_CODES["noise"].draw(np.random.default_rng(place), 120)
            seed = int(np.random.default_rng([*place, 1]).integers(2**31))
            sample = Sample.of(case.codes, case.factors, None, case.kinds, seed=seed)
            n_wrong += score(MIG(), sample, Noise(59, 2, 2))["mig"].p_value <= 0.05
        assert found.error_rate("false_positive_noise").n_wrong == n_wrong


class TestKnownCodes:
    @pytest.mark.parametrize("name", INVARIANCES)
    def test_an_invariance_changes_what_it_says(self, name):
        code = KNOWN_CODES[name]
        changed, base = (
            KNOWN_CODES[which].draw(np.random.default_rng(0), 120)
            for which in (name, code.reference)
        )
        assert changed.codes.shape != base.codes.shape or not np.array_equal(
            changed.codes, base.codes
        )
        same_rows = np.array_equal(changed.factors, base.factors)
        assert same_rows == (name != "shuffled")

    @pytest.mark.parametrize("code", KNOWN_CODES.values(), ids=list(KNOWN_CODES))
    def test_each_is_usable_in_the_fewest_rows(self, code):
        for seed in range(3):
            case = code.draw(np.random.default_rng(seed), 100)
            assert len(case.codes) == len(case.factors) == (60 if code.name == "few_rows" else 100)
            assert np.isfinite(case.codes).all()
            assert (case.factors.max(axis=0) == [2, 3, 5]).all()

    def test_even_mixtures_know_every_factor_equally_well(self):
        case = KNOWN_CODES["even_mixture"].draw(np.random.default_rng(0), 20_000)
        joint = np.corrcoef(case.codes.T, case.factors.T)[:4, 4:] ** 2
        np.testing.assert_allclose(joint, 1 / 3, atol=0.02)

    def test_a_stranger_brings_one(self):
        def half(rng, n_rows):
            case = KNOWN_CODES["perfect"].draw(rng, n_rows)
            return Case(case.codes * [1, 1, 0], case.factors)

        words = ("half", "one factor is lost")
        own = KnownCode(*words, half, "below", "order", "it knows less", "perfect")
        found = stressed(Sound(), codes=[own], repeats=3)
        assert [a.code.name for a in found.answers] == ["half", "half"]
        assert found.answer("half").verdict == "holds"
        assert found.answer("half").shift == pytest.approx(-1 / 3, abs=0.02)
        always = KnownCode(*words, half, "above", "order", "a wrong claim", "perfect")
        assert stressed(Sound(), codes=[always], repeats=3).answer("half").verdict == "fails"


class TestWrongWords:
    def test_a_code_that_is_none(self):
        with pytest.raises(ValueError, match="unknown code 'circel'.*did you mean 'circle'"):
            stress("mig", codes=["circel"])
        with pytest.raises(ValueError, match=r"3 is not a known code: give a name"):
            stress("mig", codes=[3])
        with pytest.raises(ValueError, match="no known code is asked for"):
            stress("mig", codes=[])
        draw = KNOWN_CODES["noise"].draw
        other = KnownCode("noise", "mine", draw, "chance", "order", "mine")
        with pytest.raises(ValueError, match="two known codes are called 'noise'"):
            stress("mig", codes=[other])
        lost = KnownCode("lost", "mine", draw, "same", "order", "mine", "nois")
        with pytest.raises(ValueError, match="unknown reference of lost 'nois'"):
            stress("mig", codes=[lost])
        bare = KNOWN_CODES["noise"].draw(np.random.default_rng(0), 100).codes
        arrays = KnownCode("arrays", "mine", lambda rng, n: bare, "most", "order", "mine")
        with pytest.raises(ValueError, match=r"draw of the known code 'arrays' gave ndarray"):
            stress("mig", codes=[arrays], rows=[100], repeats=1)

    @pytest.mark.parametrize(("expected", "reference"), [("same", None), ("most", "perfect")])
    def test_a_reference_belongs_to_a_comparison(self, expected, reference):
        with pytest.raises(ValueError, match="as reference with 'same', 'above' and 'below' alone"):
            KnownCode("a", "b", KNOWN_CODES["noise"].draw, expected, "order", "c", reference)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"rows": [99]}, "rows must be a whole number of at least 100, not 99"),
            ({"rows": []}, "rows is empty: give numbers of rows"),
            (
                {"rows": [10**9]},
                "known codes are drawn with 1,000,000 rows or fewer, not 1,000,000,000",
            ),
            ({"repeats": 0}, "repeats must be a whole number of at least 1"),
            ({"workers": 0}, "workers must be a whole number of at least 1"),
        ],
    )
    def test_numbers_that_are_too_small_or_too_large(self, options, message):
        with pytest.raises(ValueError, match=message):
            stress("mig", **options)

    def test_an_unknown_metric(self):
        with pytest.raises(ValueError, match="did you mean 'mig'"):
            stress("migg")


class TestResult:
    def test_it_is_plain_numbers_tables_and_text(self):
        found = stress(["mig", "rmig"], rows=[100, 200], repeats=2, codes=["dead", "twice"])
        content = json.loads(found.to_json())
        assert list(content) == ["mig", "rmig"]
        assert content["mig"]["rows"] == [100, 200]
        assert {a["code"] for a in content["mig"]["answers"]} == {"dead", "twice"}
        frame = found.to_polars()
        assert set(frame["metric"]) == {"mig", "rmig"}
        assert len(frame) == sum(len(m.answers) + len(m.error_rates) for m in found.values())
        text = repr(found)
        for words in ("as noisy_partial", "punishes", "noise called significant", "2 repeats"):
            assert words in text
        assert found["mig"]._repr_html_() in found._repr_html_()
        with pytest.raises(KeyError):
            found["mig"].error_rate("none")

    def test_the_same_seed_gives_the_same_with_and_without_processes(self):
        options = {"rows": [100], "repeats": 2, "codes": ["dead", "nuisance"]}
        alone = stress("mig", **options)
        assert stress("mig", **options, workers=2).to_dict() == alone.to_dict()
        assert stress(["mig", "mig_sup"], **options)["mig"].to_dict() == alone["mig"].to_dict()
        other = stress("mig", **options, seed=1)
        assert other["mig"].answer("nuisance").value != alone["mig"].answer("nuisance").value

    def test_a_metric_twice_is_named_with_its_options(self):
        found = stress(["mig", MIG(n_bins=10)], rows=[100], repeats=1, codes=["dead"])
        assert list(found) == ["mig", "mig(n_bins=10)"]
        assert found["mig(n_bins=10)"].name == "mig(n_bins=10)"

    def test_options_that_no_dictionary_holds_are_fine(self):
        @dataclass(frozen=True)
        class Listed(Metric):
            names = ("listed",)
            powers: list

            def read(self, sample):
                return {"listed": best_correlations(sample).max(axis=0).mean()}

        found = stress(Listed([1, 2]), rows=[100], repeats=1, codes=["dead"])
        assert found["listed"].answer("dead").verdict == "holds"


def test_time_grows_with_repeats_and_is_told_of_what_fails(monkeypatch):
    module = sys.modules["unweave.metrics.stress"]  # its function has the same name
    monkeypatch.setattr(module, "_timed", lambda *_: 1.0)
    few = stress_seconds("mig", rows=[100], repeats=20)
    more = stress_seconds("mig", rows=[100], repeats=40)
    # A second for each code and draw: 59 of two codes, about 15 of two that know nothing, and 10
    # of two that are not tested.
    assert more - few == pytest.approx(20 * (2 * 60 + 2 * 16 + 2 * 11))
    monkeypatch.undo()
    assert stress_seconds(Nan(), rows=[100], repeats=1) >= 0
    assert stress_seconds(Raises(), rows=[100], repeats=1) >= 0


def test_the_page_has_what_is_stored():
    filled = runpy.run_path(str(DOCS / "fill_stress.py"))["filled"]
    page = (DOCS / "stress.md").read_text(encoding="utf-8")
    assert filled(page) == page, "run docs/metrics/fill_stress.py"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mig", "dci_disentanglement", "infom"])
def test_p_values_are_as_small_as_they_say_no_more_often(name):
    assert name in METRICS
    found = stressed(name, rows=(300,), repeats=60, codes=["dead"])
    assert not found.error_rate("false_positive_noise").is_wrong
    assert not found.error_rate("false_positive_other_rows").is_wrong
