"""The law that the offset, scale and units of codes change no metric that does not define them."""

import numpy as np
import pytest
from sklearn.feature_selection import mutual_info_classif

from unweave.metrics import (
    BY_DEFAULT,
    METRICS,
    Noise,
    beta_vae_score,
    compare,
    disentanglement_completeness_informativeness,
    evaluate,
    factor_vae_score,
    infomec,
    interventional_robustness_score,
    latent_dependence,
    mutual_information_gap,
    posterior_mutual_information_gap,
    separated_attribute_predictability,
    unsupervised_disentanglement_ranking,
)

FACTORS = np.stack(np.meshgrid(range(4), range(5), range(6), indexing="ij"), -1).reshape(-1, 3)
NOISY = FACTORS + np.random.default_rng(0).normal(scale=0.3, size=FACTORS.shape)
CODES = {
    "continuous": NOISY,
    "rounded": np.round(NOISY, 1),
    "integer": FACTORS.astype(float),
    "binary": (NOISY > 1.7).astype(float),
}
MOVES = [
    ("float64", 1e3, 1.0),
    ("float64", 1e6, 1.0),
    ("float64", 1e9, 1.0),
    ("float64", 0.0, 1e-9),
    ("float64", 0.0, 1e9),
    ("float64", 1e9, 1e-9),
    ("float64", -1e6, 3.7),
    ("float32", 1e3, 1.0),
    ("float32", 1e5, 1.0),
    ("float32", 1e5, 1e-9),
    ("float32", 0.0, 1e9),
]
# Its unpenalised regression stops wherever its hundred steps have led.
LOOSE = {"infoe": 1e-3}
# They prune latents by their range, which only units common to all latents leave alone.
COMMON_UNITS = ("infom", "infoc")


def assert_same(found, expected, tolerance=1e-7, leave_out=()):
    names = [name for name in expected if name not in leave_out]
    apart = {
        name: (float(found[name]), float(expected[name]))
        for name in names
        if abs(float(found[name]) - float(expected[name])) > LOOSE.get(name, tolerance)
    }
    assert not apart
    assert {name: found[name].dead_latents for name in names} == dict.fromkeys(names, ())


@pytest.fixture(scope="module")
def values():
    """Scores of the codes as they are, by kind."""
    scores = {kind: evaluate(codes, FACTORS, noise=None) for kind, codes in CODES.items()}
    assert set(scores["continuous"]) == set(BY_DEFAULT)
    return scores


@pytest.mark.parametrize(("dtype", "offset", "scale"), MOVES)
@pytest.mark.parametrize("kind", CODES)
def test_offset_and_scale_change_no_metric(values, kind, dtype, offset, scale):
    """What is left of the codes after rounding scores as it does where they came from."""
    number = np.dtype(dtype).type
    moved = (CODES[kind].astype(dtype) + number(offset)) * number(scale)
    assert moved.dtype == dtype
    found = evaluate(moved, FACTORS, noise=None)
    back = moved.astype(float) / scale - offset
    if np.array_equal(back, CODES[kind]):
        expected = values[kind]
    else:
        expected = evaluate(back, FACTORS, noise=None)
    assert_same(found, expected)
    if dtype == "float64" and kind != "rounded":  # and rounding itself does next to nothing
        tolerance = {"dci_informativeness": 0.01}  # one row
        for name, score in values[kind].items():
            slack = max(LOOSE.get(name, 1e-6), tolerance.get(name, 0))
            assert float(found[name]) == pytest.approx(float(score), abs=slack), name


@pytest.mark.parametrize("kind", CODES)
def test_offset_and_scale_change_no_metric_that_must_be_named(kind):
    binary = FACTORS % 2
    names = [name for name in METRICS if name not in BY_DEFAULT]
    plain = evaluate(CODES[kind], binary, metrics=names, noise=None)
    for offset, scale in ((0.0, 2.0**-30), (2.0**20, 8.0)):
        moved = evaluate((CODES[kind] + offset) * scale, binary, metrics=names, noise=None)
        # Trees draw thresholds, which rounding moves past a row now and then.
        assert_same(moved, plain, tolerance=0.05, leave_out=("omes", "tad"))
        for name in ("omes", "tad"):
            assert float(moved[name]) == pytest.approx(float(plain[name]), abs=1e-6)


@pytest.mark.parametrize("kind", CODES)
def test_one_latent_may_have_units_of_its_own(values, kind):
    codes = CODES[kind].copy()
    since_1970 = 1.7e9 + 60 * codes[:, 1] / np.ptp(codes[:, 1])
    codes[:, 1] = since_1970
    found = evaluate(codes, FACTORS, noise=None)
    slack = 0.01 if kind == "rounded" else 1e-6  # quantiles of rounded numbers jump
    for name, score in values[kind].items():
        if name not in COMMON_UNITS:
            tolerance = max(LOOSE.get(name, slack), 0.01 if name.startswith("dci") else 0)
            assert float(found[name]) == pytest.approx(float(score), abs=tolerance), name
            assert found[name].dead_latents == ()


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6, 1e9])
def test_information_from_neighbours_is_that_of_scikit_learn_at_any_offset(offset):
    rng = np.random.default_rng(0)
    factor = rng.integers(0, 5, 1500)
    noisy = factor + 0.5 * rng.standard_normal(1500)
    moved = np.stack([np.round(noisy, 1), factor, noisy > 1.7], axis=1) + offset
    score = mutual_information_gap(moved, factor[:, None], estimator="ksg", noise=None)
    expected = [
        mutual_info_classif(moved - offset, factor, discrete_features=False, random_state=seed)
        for seed in range(5)
    ]
    # Each breaks ties by noise of its own.
    np.testing.assert_allclose(score.matrix[:, 0], np.mean(expected, axis=0), atol=0.05)


def test_tied_codes_of_any_offset_have_the_known_values():
    rng = np.random.default_rng(0)
    factors = np.c_[rng.integers(0, 5, 3000), rng.integers(0, 4, 3000)]
    for offset in (0.0, 1e3, 1e5, 1e6, 1e9):
        moved = factors + offset
        scores = evaluate(moved, factors, metrics=["infom", "infoc", "snc"], noise=None)
        assert {k: float(v) for k, v in scores.items()} == pytest.approx(
            {"infom": 1.0, "infoc": 1.0, "snc": 0.948}, abs=1e-3
        )
        gap = mutual_information_gap(moved, factors, estimator="ksg", noise=None)
        assert float(gap) == pytest.approx(0.993, abs=1e-3)


@pytest.mark.parametrize("n", [20, 30, 120, 500])
def test_a_gap_from_neighbours_is_at_most_one(n):
    rng = np.random.default_rng(n)
    factors = np.c_[rng.integers(0, 5, n), rng.integers(0, 4, n)]
    gap = mutual_information_gap(factors + 1e3, factors, estimator="ksg", noise=None)
    assert max(gap.per_factor.values()) <= 1


def test_noise_of_scores_is_as_free_of_offset_and_scale():
    noise = Noise(n_permutations=60, n_projections=3, n_halves=10)
    names = ["mig", "sap", "mcc", "snc", "irs", "linear_r2", "dci_completeness", "wasserstein"]
    options = {"metrics": names, "noise": noise}
    expected = evaluate(NOISY, FACTORS, **options)
    found = evaluate((NOISY + 1e6) * 1e-9, FACTORS, **options)
    for name in names:
        ours, theirs = found[name], expected[name]
        assert ours.chance.mean == pytest.approx(theirs.chance.mean, abs=2e-3)
        assert ours.p_value == pytest.approx(theirs.p_value, abs=2e-2)
        assert ours.interval == pytest.approx(theirs.interval, abs=2e-2)
        assert ours.perfect == pytest.approx(theirs.perfect)


def test_representations_that_differ_in_offset_and_scale_do_not_differ():
    found = compare(NOISY, (NOISY + 1e6) * 1e-6, FACTORS, metrics=["mig", "sap", "mcc", "snc"])
    for name, difference in found.items():
        assert abs(difference.difference) < 1e-6, name
        assert difference.p_value == 1, name


@pytest.mark.parametrize("method", ["lasso", "spearman"])
def test_models_agree_whatever_their_offsets_and_scales(method):
    other = NOISY[:, ::-1] + 0.1 * np.random.default_rng(1).standard_normal(NOISY.shape)
    plain, moved = (
        unsupervised_disentanglement_ranking(models, method=method)
        for models in ([NOISY, other], [(NOISY + 1e9) * [1, 1e-9, 1e9], other * 1e-9 + 1.0])
    )
    assert float(moved) == pytest.approx(float(plain), abs=1e-5)
    assert moved.p_value == plain.p_value


def test_torchmetrics_sees_no_offset():
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchmetrics")
    from unweave.integrations.torchmetrics import DisentanglementMetric

    rounded = torch.tensor(np.round(NOISY * 64) / 64, dtype=torch.float32)  # exact at 1e5
    for name in ("mig", "mcc", "snc"):
        values = []
        for offset in (0.0, 1e5):
            metric = DisentanglementMetric(name)
            metric.update(rounded + offset, torch.tensor(FACTORS))
            values.append(float(metric.compute()))
        assert values[1] == pytest.approx(values[0], abs=1e-7)


def test_posterior_gap_sees_no_offset():
    deviations = np.full(NOISY.shape, np.log(0.3**2))
    moved = NOISY + 1e9
    plain, found = (
        posterior_mutual_information_gap(means, deviations, FACTORS)
        for means in (moved - 1e9, moved)
    )
    assert float(found) == pytest.approx(float(plain), abs=1e-9)


def test_latents_that_are_independent_of_all_factors_know_nothing():
    grid = np.stack(np.meshgrid(range(3), range(7), range(3)), -1).reshape(-1, 3)
    score = METRICS["modularity"](grid.astype(float), grid[:, :2], noise=None)
    np.testing.assert_array_equal(score.matrix[2], 0.0)
    assert float(score) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "metric",
    [
        lambda codes: beta_vae_score(codes, FACTORS, convention="disentanglement_lib", noise=None),
        lambda codes: factor_vae_score(
            codes, FACTORS, convention="disentanglement_lib", noise=None
        ),
        lambda codes: interventional_robustness_score(
            codes, FACTORS, convention="own_levels", noise=None
        ),
        lambda codes: latent_dependence(codes, convention="disentanglement_lib", noise=None)[
            "wasserstein"
        ],
        lambda codes: infomec(codes, FACTORS, noise=None)["infom"],
    ],
)
def test_conventions_that_weigh_latents_by_their_scale_see_no_offset(metric):
    codes = (NOISY @ [[1, 0.5, 0], [0, 1, 0.5], [0.5, 0, 1]]) * [0.02, 1.0, 3.0]
    plain = float(metric(codes))
    assert float(metric(codes + 1e6)) == pytest.approx(plain, abs=1e-6)
    assert float(metric(codes / [0.02, 1.0, 3.0])) != pytest.approx(plain, abs=1e-4)


def test_dependence_of_small_codes_is_as_significant_as_of_large_ones():
    mixed = NOISY @ [[1, 1, 0], [0, 1, 1], [0, 0, 1]]
    for convention in ("standardised", "disentanglement_lib"):
        options = {"convention": convention, "noise": Noise(60, 2, 5)}
        small, large = (latent_dependence(mixed * s, **options) for s in (1e-9, 1.0))
        for name, score in large.items():
            assert small[name].p_value == pytest.approx(score.p_value, rel=1e-3), name
        assert large["wasserstein"].p_value < 0.01


@pytest.mark.parametrize("backend", ["gradient_boosting", "scikit_learn", "random_forest", "lasso"])
def test_dci_of_small_codes_is_that_of_large_ones(backend):
    def dci(codes, **options):
        scores = disentanglement_completeness_informativeness(
            codes, FACTORS, backend=backend, noise=None, **options
        )
        return [float(score) for score in scores.values()]

    assert dci(NOISY * 1e-6) == pytest.approx(dci(NOISY), abs=1e-9)
    convention = {"convention": "disentanglement_lib"}
    if backend in ("gradient_boosting", "scikit_learn"):
        assert dci(NOISY * 1e-9, **convention)[2] < 0.5 < dci(NOISY, **convention)[2]


def test_support_vector_machines_by_kind_see_neither_offset_nor_scale():
    def sap(codes, convention):
        return separated_attribute_predictability(
            codes,
            FACTORS,
            convention=convention,
            factor_kinds=["categorical"] * 3,
            noise=None,
        )

    moved = NOISY * [1e-3, 1.0, 1e3] + 1e4
    np.testing.assert_allclose(sap(moved, "by_kind").matrix, sap(NOISY, "by_kind").matrix)
    theirs = [sap(codes, "disentanglement_lib").matrix for codes in (moved, NOISY)]
    assert np.abs(theirs[0] - theirs[1]).max() > 0.05


class TestDeadLatents:
    """They are those that never vary, exactly."""

    @pytest.mark.parametrize("level", [0.0, 1e-9, 0.1, 1.7e9, -1e20])
    def test_a_constant_is_dead_at_any_level(self, level):
        score = mutual_information_gap(np.insert(NOISY, 1, level, axis=1), FACTORS, noise=None)
        assert score.dead_latents == (1,)

    @pytest.mark.parametrize("name", ["mig_sup", "med_disentanglement", "med_completeness"])
    @pytest.mark.parametrize("estimator", ["disentanglement_lib", "ksg"])
    def test_a_constant_does_not_count_whatever_the_estimator(self, name, estimator):
        options = {"estimator": estimator, "noise": None}
        dead = np.insert(NOISY, 1, 1e5 + 0.1, axis=1)
        values = [float(METRICS[name](codes, FACTORS, **options)) for codes in (NOISY, dead)]
        assert values[1] == pytest.approx(values[0])

    @pytest.mark.parametrize("level", [1e-9, 1.0, 1.7e9])
    def test_a_latent_of_two_neighbouring_numbers_is_alive(self, level):
        codes = NOISY.copy()
        codes[:, 1] = np.where(FACTORS[:, 1] > 2, np.nextafter(level, np.inf), level)
        binary = np.c_[NOISY[:, 0], FACTORS[:, 1] > 2, NOISY[:, 2]].astype(float)
        found = evaluate(codes, FACTORS, noise=None)
        assert_same(found, evaluate(binary, FACTORS, noise=None), leave_out=COMMON_UNITS)
        assert "latents [1] span fewer than 64 steps of float64" in " ".join(found.notes)


class TestLostResolution:
    def test_single_precision_that_cannot_hold_the_spread_is_noted(self):
        for codes in (NOISY + 1e7, NOISY + 1e9):
            found = evaluate(codes.astype(np.float32), FACTORS, metrics=["mig", "mcc"], noise=None)
            assert "span fewer than 64 steps of float32" in " ".join(found.notes)

    @pytest.mark.parametrize("name", ["mig", "latent_mi"])
    def test_half_precision_is_known_by_its_name(self, name):
        torch = pytest.importorskip("torch")
        tensor = torch.tensor(NOISY)
        for codes, kind in (
            ((NOISY + 1000).astype(np.float16), "float16"),
            ((tensor + 1000).half(), "float16"),
            ((tensor + 100).bfloat16(), "bfloat16"),
        ):
            notes = METRICS[name](codes, FACTORS, noise=None).notes
            assert f"steps of {kind}" in " ".join(notes)
        for codes in (NOISY.astype(np.float16), tensor.half(), tensor.bfloat16()):
            assert not METRICS[name](codes, FACTORS, noise=None).notes

    @pytest.mark.parametrize("make", [np.asarray, list])
    def test_is_noted_by_all_ways_to_score(self, make):
        torch = pytest.importorskip("torch")
        half = make(torch.tensor(NOISY + 1000).half())
        for notes in (
            evaluate(half, FACTORS, metrics=["mig", "irs", "wasserstein"], noise=None).notes,
            compare(NOISY, half, FACTORS, metrics=["mig"], n_halves=3).notes,
        ):
            assert " ".join(notes).count("steps of float16") == 1

    def test_is_known_of_each_column(self):
        pandas = pytest.importorskip("pandas")
        moved = (NOISY[:, 0] + 1e7).astype(np.float32)
        frame = pandas.DataFrame({"a": NOISY[:, 1], "b": moved, "c": NOISY[:, 2]})
        (note,) = evaluate(frame, FACTORS, metrics=["mig"], noise=None).notes
        assert note.startswith("latents [1] span fewer than 64 steps of float32")
        wide = frame.assign(b=NOISY[:, 0] + 1e7)
        assert not evaluate(wide, FACTORS, metrics=["mig"], noise=None).notes

    def test_whole_numbers_lose_nothing_at_any_size(self):
        pandas = pytest.importorskip("pandas")
        whole = np.round(NOISY * 1000).astype(np.int64)
        expected = float(mutual_information_gap(whole, FACTORS, noise=None))
        for level in (2**50, 17 * 10**17, 2**62):
            score = mutual_information_gap(whole + level, FACTORS, noise=None)
            assert float(score) == pytest.approx(expected)
            assert score.notes == ()
        spread = mutual_information_gap(FACTORS * 2**40 + 2**60, FACTORS, noise=None)
        assert float(spread) == pytest.approx(1.0)
        beside = pandas.DataFrame(whole / 1000).assign(**{"0": whole[:, 0] + 2**62}).iloc[:, 1:]
        plain = pandas.DataFrame(whole / 1000).assign(**{"0": whole[:, 0]}).iloc[:, 1:]
        scores = [mutual_information_gap(x, FACTORS, noise=None) for x in (beside, plain)]
        assert float(scores[0]) == pytest.approx(float(scores[1]))

    def test_whole_numbers_of_test_rows_start_where_the_others_do(self):
        whole = np.round(NOISY * 1000).astype(np.int64)
        learn, judge = slice(None, None, 2), slice(1, None, 2)
        values = [
            float(
                separated_attribute_predictability(
                    codes[learn], FACTORS[learn], test=(codes[judge], FACTORS[judge]), noise=None
                )
            )
            for codes in (whole, whole + 2**60)
        ]
        assert values[1] == pytest.approx(values[0])


@pytest.mark.parametrize("name", ["mig", "sap", "mcc", "linear_r2", "subspace_angle", "irs"])
def test_units_of_continuous_factors_do_not_matter(name):
    factors = FACTORS + 0.3
    options = {"factor_kinds": "continuous", "noise": None}
    expected = float(METRICS[name](NOISY, factors, **options))
    for offset, scale in ((0, 1e200), (0, 1e-200), (1.7e9, 1.0), (1e6, 1e-9)):
        moved = (factors + offset) * scale
        assert float(METRICS[name](NOISY, moved, **options)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("level", [0, 2**62])
def test_perfect_codes_of_any_levels_are_the_ceiling(level):
    noise = Noise(n_permutations=2, n_projections=2, n_halves=2)
    score = METRICS["mcc"](NOISY, FACTORS + level, noise=noise)
    assert score.perfect == pytest.approx(1.0)
    assert score.chance.mean < 0.5
    plain = METRICS["mcc"](NOISY, FACTORS, noise=None)
    assert float(score) == pytest.approx(float(plain))
