"""Laws that every metric obeys, and the known answers of each."""

import math
import pickle
from dataclasses import dataclass

import numpy as np
import pytest

from unweave.datasets import Factor, FactorSpace
from unweave.metrics import BEST_WHEN_SMALL, METRICS, Noise

FACTORS = np.stack(np.meshgrid(range(4), range(5), range(6), indexing="ij"), -1).reshape(-1, 3)
PERFECT = FACTORS.astype(float)
ATTRIBUTES = np.tile(
    np.stack(np.meshgrid(*[range(2)] * 3, indexing="ij"), -1).reshape(-1, 3), (15, 1)
)
FEW = Noise(n_permutations=60, n_projections=5, n_halves=30)
MEAN_ENTROPY = np.mean(np.log([4, 5, 6]))
DEPENDENCE = ("total_correlation", "wasserstein", "latent_mi")
NEEDS_TWO_LATENTS = (
    "mig mig_sup rmig dcimig jemmig modularity med_disentanglement med_completeness sap "
    "subspace_angle total_correlation wasserstein latent_mi tad"
).split()
NEEDS_TWO_FACTORS = (
    "beta_vae factor_vae mig_sup dcimig modularity med_disentanglement med_completeness "
    "subspace_angle unfairness"
).split()
OF_ATTRIBUTES = ("tad",)
EXPENSIVE = ("nk", "unfairness")  # slow: each law takes seconds
UNBOUNDED = ("rmig", "tad", "unfairness", *DEPENDENCE)
MOST = {"subspace_angle": np.pi / 2, **dict.fromkeys(UNBOUNDED, math.inf)}
WITH_GROUPS = (
    "mig mig_sup rmig dcimig modularity med_disentanglement med_completeness infom infoc infoe "
    "dci_disentanglement dci_completeness dci_informativeness"
).split()
WITHOUT_LEVELS = ("mcc", "linear_r2", "sap", "subspace_angle", "t_mex", *DEPENDENCE)


@dataclass(frozen=True)
class Known:
    """What a metric gives on codes whose score follows from its definition."""

    perfect: float = 1.0
    collapsed: float | None = 0.0  # None: the code is refused
    # Every latent twice; two numbers where no closed form is known: the least and the most.
    twice: float | tuple[float, float] = 1.0
    tolerance: float = 1e-9
    scale: float = 1e-9  # how far rescaled latents may move it: predictors stop early


def lost(size: int) -> float:
    """One less the entropy of an even split in two, to base ``size``: completeness of pairs."""
    return 1 - math.log(2) / math.log(size)


KNOWN = {
    "beta_vae": Known(collapsed=None, tolerance=0.01, scale=0.01),
    "factor_vae": Known(),
    "irs": Known(),
    "mig": Known(twice=0.0),
    "mig_sup": Known(),
    "rmig": Known(perfect=MEAN_ENTROPY, twice=0.0),
    "dcimig": Known(),
    # With as few values in a latent as the factor has levels, only the term for two latents counts.
    "jemmig": Known(
        twice=np.mean([math.log(20) / math.log(20 * k) for k in (4, 5, 6)]),
        collapsed=np.mean([math.log(20) / math.log(20 * k) for k in (4, 5, 6)]),
    ),
    "modularity": Known(),
    "explicitness": Known(collapsed=0.5, tolerance=0.02, scale=1e-3),
    "med_disentanglement": Known(),
    "med_completeness": Known(twice=lost(6)),
    "infom": Known(),
    # Half of the information in each of two latents of six.
    "infoc": Known(twice=(1 / 2 - 1 / 6) / (1 - 1 / 6), tolerance=0.01),
    "infoe": Known(tolerance=1e-3, scale=1e-4),
    "sap": Known(twice=0.0),
    "dci_disentanglement": Known(tolerance=1e-6, scale=0.05),
    # Trees are free to choose between equal latents at each split.
    "dci_completeness": Known(twice=(lost(6), 1.0), tolerance=1e-6, scale=0.05),
    "dci_informativeness": Known(collapsed=None, scale=0.05),
    "mcc": Known(),
    "linear_r2": Known(collapsed=0.0, tolerance=0.02),
    # Bins of 80 rows at random do not end where levels do.
    "snc": Known(perfect=0.9, collapsed=None, twice=0.9, tolerance=0.1),
    "subspace_angle": Known(
        perfect=np.pi / 2, collapsed=np.pi / 2, twice=np.pi / 2, tolerance=1e-3
    ),
    "downstream_accuracy": Known(collapsed=None, tolerance=0.1, scale=0.02),
    # A hundred rows to learn from are more than there are here.
    "statistical_efficiency": Known(collapsed=1.0),
    # Collapsed: of three latents that are missing, each misses one answer in three. Twice: three of
    # eighteen answers are of a second latent of a factor.
    "t_mex": Known(perfect=0.0, collapsed=1 / 3, twice=1 / 6),
    # Infinite, but for the rounding of three eigenvalues of 0: each adds half their logarithm.
    "total_correlation": Known(perfect=0.0, collapsed=None, twice=(40.0, math.inf)),
    # Pairs of equal latents: eigenvalues 2 and 0 in place of 1 and 1.
    "wasserstein": Known(perfect=0.0, collapsed=None, twice=12 - 6 * math.sqrt(2), tolerance=1e-6),
    # Three of the fifteen pairs are equal, and know each other's whole entropy.
    "latent_mi": Known(perfect=0.0, collapsed=None, twice=3 * MEAN_ENTROPY / 15),
    # An AUROC of 1 beside 1/2, for each of three attributes.
    "tad": Known(perfect=1.5, twice=0.0),
    # One of five other latents follows the factor as well.
    "omes": Known(twice=(1 + 5 / 6) / 2),
    # Rows that lack their level among those that agree in the rest are guessed worse than chance.
    "nk": Known(perfect=0.95, twice=0.0, tolerance=0.1, scale=0.2),
    # Each third of the rows has another most frequent level.
    "unfairness": Known(perfect=0.0, collapsed=0.06, twice=0.0, tolerance=0.06, scale=0.05),
}


def test_every_metric_has_known_answers():
    assert set(KNOWN) == set(METRICS)


@pytest.fixture
def noisy(rng):
    return PERFECT + rng.normal(scale=0.3, size=PERFECT.shape)


class Laws:
    def value(self, name, codes, factors=None, **options):
        factors = FACTORS if factors is None else factors
        return float(METRICS[name](codes, factors, noise=None, **options))

    def test_one_latent_a_factor(self, name):
        known = KNOWN[name]
        assert self.value(name, PERFECT) == pytest.approx(known.perfect, abs=known.tolerance)
        turned = -PERFECT[:, [2, 0, 1]]
        tolerance = max(known.tolerance, 0.05 if name == "snc" else 0)
        assert self.value(name, turned) == pytest.approx(known.perfect, abs=tolerance)

    def test_collapsed_codes(self, name):
        known = KNOWN[name]
        if name in DEPENDENCE:
            with pytest.raises(ValueError, match="0 of 3 latents vary in 120 rows"):
                self.value(name, np.zeros_like(PERFECT))
        elif known.collapsed is not None:
            collapsed = self.value(name, np.zeros_like(PERFECT))
            assert collapsed == pytest.approx(known.collapsed, abs=known.tolerance)
        else:  # a guess
            assert 0.1 < self.value(name, np.zeros_like(PERFECT)) < 0.45

    def test_every_latent_twice(self, name):
        known = KNOWN[name]
        value = self.value(name, np.concatenate([PERFECT, PERFECT], axis=1))
        if isinstance(known.twice, tuple):
            assert known.twice[0] <= value <= known.twice[1]
        else:
            assert value == pytest.approx(known.twice, abs=known.tolerance)

    def test_latent_order_and_scale_do_not_matter(self, name, noisy):
        # InfoMEC prunes latents by their range, which only a common scale leaves alone.
        scales = 3.0 if name in ("infom", "infoc") else np.array([0.01, 3.0, 1.0])
        moved = (scales * noisy)[:, [2, 0, 1]]
        assert self.value(name, moved) == pytest.approx(
            self.value(name, noisy), abs=KNOWN[name].scale
        )

    def test_the_names_of_levels_do_not_matter(self, name, noisy, rng):
        labels = [rng.permutation(size) + 10 for size in (4, 5, 6)]
        renamed = np.stack([names[FACTORS[:, k]] for k, names in enumerate(labels)], axis=1)
        values = [
            self.value(name, noisy, factors, factor_kinds=["categorical"] * 3)
            for factors in (FACTORS, renamed)
        ]
        assert values[1] == pytest.approx(values[0], abs=KNOWN[name].scale)

    def test_a_dead_latent_changes_nothing_and_is_reported(self, name, noisy):
        score = METRICS[name](np.insert(noisy, 1, 7.0, axis=1), FACTORS, noise=None)
        assert float(score) == pytest.approx(self.value(name, noisy), abs=1e-6)
        assert score.dead_latents == (1,)
        assert "never vary" in " ".join(score.notes)

    def test_many_dead_latents_change_nothing_in_many_rows(self, name, rng):
        factors = rng.integers(0, min(5, 1 + FACTORS.max()), (4000, 3))
        codes = factors @ rng.standard_normal((3, 3)) + rng.standard_normal((4000, 3))
        dead = np.full((4000, 5), [0.0, 0.1, 1 / 3, 1e6, -7.0])
        value = self.value(name, np.concatenate([codes, dead], axis=1), factors)
        assert value == pytest.approx(self.value(name, codes, factors), abs=1e-6)

    def test_the_same_seed_gives_the_same_bits(self, name, rng):
        codes = rng.standard_normal((120, 4))
        few = Noise(n_permutations=3, n_projections=2, n_halves=3)
        first, second = (METRICS[name](codes, FACTORS, noise=few, seed=5).to_dict() for _ in "ab")
        assert first == second

    def test_noise_is_chance_and_a_perfect_code_is_not(self, name, rng):
        noise = METRICS[name](rng.standard_normal((120, 3)), FACTORS, noise=FEW)
        # Of few draws the deviation is itself uncertain.
        assert float(noise) == pytest.approx(noise.chance.mean, abs=6 * noise.chance.sd)
        assert noise.p_value > 0.01
        if name in DEPENDENCE or name == "statistical_efficiency":
            return
        perfect = METRICS[name](PERFECT, FACTORS, noise=FEW)
        if name in BEST_WHEN_SMALL:
            assert float(perfect) < perfect.chance.mean
            assert noise.perfect == pytest.approx(float(perfect), abs=0.05)
            return
        assert perfect.p_value < noise.p_value
        sign = -1 if METRICS[name].metric.best_when_small else 1
        assert sign * perfect.chance.mean < sign * float(perfect)
        assert noise.perfect == pytest.approx(float(perfect), abs=0.05)
        assert perfect.smooth.n_draws == perfect.mixture.n_draws

    def test_the_interval_is_that_of_halves_of_the_rows(self, name, noisy):
        score = METRICS[name](noisy, FACTORS, noise=Noise(3, 2, 3), seed=4)
        orders = [np.random.default_rng([4, 3, i]).permutation(120) for i in range(3)]
        halves = [self.value(name, noisy[o[:60]], FACTORS[o[:60]], seed=4) for o in orders]
        ends = sorted([float(score), 2 * float(score) - np.mean(halves)])
        margin = 1.959964 * np.std(halves, ddof=1) * math.sqrt(4 / 3)
        low, high = max(ends[0] - margin, 0), min(ends[1] + margin, MOST.get(name, 1))
        assert score.interval == pytest.approx((low, high), abs=1e-6)

    def test_a_score_survives_pickling(self, name, noisy):
        score = METRICS[name](noisy, FACTORS, noise=None)
        assert pickle.loads(pickle.dumps(score)).to_dict() == score.to_dict()

    def test_a_grid_can_be_given_by_its_factor_space(self, name, noisy):
        space = FactorSpace([Factor(n, range(k)) for n, k in zip("abc", (4, 5, 6), strict=True)])
        score = METRICS[name](noisy, space, noise=None)
        assert float(score) == pytest.approx(self.value(name, noisy, factor_kinds=["ordinal"] * 3))

    def test_more_latents_than_samples(self, name, rng):
        factors = rng.integers(3, size=(40, 2))
        codes = np.concatenate([factors, rng.standard_normal((40, 98))], axis=1)
        assert math.isfinite(self.value(name, codes, factors))

    def test_two_samples_give_a_number_or_a_sentence(self, name):
        codes, factors = np.array([[0.0, 1.0], [1.0, 3.0]]), np.array([[0, 1], [1, 0]])
        if name == "omes":
            with pytest.raises(ValueError, match="no two of 2 rows differ in factor '0' alone"):
                self.value(name, codes, factors)
            return
        assert math.isfinite(self.value(name, codes, factors))
        with pytest.raises(ValueError, match="too few for an interval|vary in 1 rows"):
            METRICS[name](codes, factors, noise=FEW)

    def test_one_latent(self, name, noisy):
        if name in NEEDS_TWO_LATENTS:
            with pytest.raises(ValueError, match=r"1 latent\(s\)|of 1 latents vary"):
                self.value(name, noisy[:, :1])
        else:
            assert math.isfinite(self.value(name, noisy[:, :1]))

    def test_one_factor(self, name, noisy):
        if name in NEEDS_TWO_FACTORS:
            with pytest.raises(ValueError, match=r"factors have 1 column"):
                self.value(name, noisy, FACTORS[:, :1])
        else:
            assert math.isfinite(self.value(name, noisy, FACTORS[:, :1]))

    def test_factors_without_levels_are_declared_continuous(self, name, rng):
        factors = rng.standard_normal((300, 2))
        codes = factors + 0.01 * rng.standard_normal((300, 2))
        if name not in WITHOUT_LEVELS:
            with pytest.raises(ValueError, match="declare its kind 'continuous' to have it binned"):
                self.value(name, codes, factors)
        assert math.isfinite(self.value(name, codes, factors, factor_kinds=["continuous"] * 2))

    def test_each_column_is_read_by_itself(self, name, rng):
        factors = np.stack([rng.permutation(240), np.arange(240) % 6, np.arange(240) % 5], axis=1)
        codes = factors + 0.3 * rng.standard_normal((240, 3))
        kinds = {"factor_kinds": ["continuous", "circular", "ordinal"]}
        whole = METRICS[name](codes, factors, noise=None, **kinds)
        beside_fractions = METRICS[name](codes, factors * [1, 1, 0.5], noise=None, **kinds)
        assert float(beside_fractions) == pytest.approx(float(whole), abs=1e-9)
        assert beside_fractions.per_factor == pytest.approx(whole.per_factor, abs=1e-9)

    def test_words_are_levels(self, name, noisy):
        words = np.array(["c0", "c1", "c2", "c3", "c4", "c5"])[FACTORS]
        kinds = {} if name in DEPENDENCE else {"factor_kinds": ["categorical"] * 3}
        found = METRICS[name](noisy, words, noise=None)
        numbered = METRICS[name](noisy, FACTORS, noise=None, **kinds)
        assert float(found) == pytest.approx(float(numbered), abs=1e-12)
        if name not in DEPENDENCE:
            assert found.levels["0"] == ("c0", "c1", "c2", "c3")
            assert found.to_dict()["levels"]["2"] == ["c0", "c1", "c2", "c3", "c4", "c5"]

    def test_rows_are_matched_by_their_labels(self, name, noisy, rng):
        pandas = pytest.importorskip("pandas")
        labels = [f"row {i}" for i in range(len(FACTORS))]
        codes, factors = pandas.DataFrame(noisy, labels), pandas.DataFrame(FACTORS, labels)
        shuffled = factors.iloc[rng.permutation(len(factors))]
        assert self.value(name, codes, shuffled) == self.value(name, noisy)
        with pytest.raises(ValueError, match="differ in 120 of 120 labels"):
            METRICS[name](codes, factors.set_axis([f"no {i}" for i in range(120)]))

    @pytest.mark.parametrize(
        ("codes", "factors", "message"),
        [
            (PERFECT[:-1], FACTORS, "codes have 119 rows and factors 120"),
            (PERFECT, FACTORS * [1, 0, 1], r"factors \[1\] never vary.*drop these columns"),
            (PERFECT * [1, math.nan, 1], FACTORS, r"nan or infinite values, in latents \[1\]"),
            (PERFECT + [0, 0, math.inf], FACTORS, r"nan or infinite values, in latents"),
            (PERFECT, FACTORS * [1.0, math.nan, 1], r"factors \[1\] hold nan"),
            (PERFECT.astype(str), FACTORS, "codes must be an array of numbers"),
            (PERFECT, FACTORS * 1j, r"factor 0 holds complex numbers"),
            (
                PERFECT,
                np.ma.masked_equal(FACTORS, 5),
                r"factors \[2\] hold .*20 missing values in 20",
            ),
            (
                np.ma.masked_equal(PERFECT, 5),
                FACTORS,
                r"latents \[2\]: 20 missing values in 20 rows",
            ),
            (PERFECT[:, 0], FACTORS, "must be two-dimensional"),
            (PERFECT[:0], FACTORS[:0], "codes are empty"),
            (PERFECT, FACTORS.astype(np.uint64) + 2**63, "more than a signed 64-bit whole number"),
            (PERFECT * 1e200, FACTORS, r"latents \[0, 1, 2\] are of a size of .*rescale them"),
            (PERFECT * [1, 1e-99, 1], FACTORS, r"latents \[1\] are of a size of .*rescale them"),
        ],
    )
    def test_bad_input_is_a_sentence(self, name, codes, factors, message):
        with pytest.raises(ValueError, match=message):
            METRICS[name](codes, factors)

    def test_levels_may_be_any_whole_numbers(self, name, noisy):
        wide = np.where(FACTORS == 0, -(2**62), FACTORS * 2**58)
        kinds = {"factor_kinds": ["categorical"] * 3}
        assert self.value(name, noisy, wide, **kinds) == pytest.approx(
            self.value(name, noisy, **kinds), abs=KNOWN[name].scale
        )

    def test_wrong_numbers_of_names_and_kinds_are_refused(self, name):
        with pytest.raises(ValueError, match="2 factor names were given for 3 factors"):
            METRICS[name](PERFECT, FACTORS, factor_names=["a", "b"])
        with pytest.raises(ValueError, match="'a' is the name of factors 0, 2"):
            METRICS[name](PERFECT, FACTORS, factor_names=["a", "b", "a"])
        if name not in DEPENDENCE:
            with pytest.raises(ValueError, match=r"'ordnal' \(did you mean 'ordinal'"):
                METRICS[name](PERFECT, FACTORS, factor_kinds=["ordnal"] * 3)

    def test_too_few_rows_for_an_interval_are_said(self, name, rng):
        factors = np.zeros((40, 2), dtype=int)
        factors[0] = 1
        if name in DEPENDENCE:  # they do not look at factors
            codes = rng.standard_normal((40, 3))
            scores = [METRICS[name](codes, table, noise=FEW) for table in (factors, 1 - factors)]
            assert scores[0].interval == scores[1].interval
            assert scores[0].interval[0] < scores[0].interval[1]
            return
        with pytest.raises(ValueError, match="too few for an interval|rows differ in factor '0'"):
            METRICS[name](rng.standard_normal((40, 3)), factors, noise=FEW)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in EXPENSIVE else [])
        for name in METRICS
        if name not in OF_ATTRIBUTES
    ],
)
class TestMetric(Laws):
    pass


@pytest.mark.parametrize("name", OF_ATTRIBUTES)
class TestMetricOfAttributes(Laws):
    """The same laws, of factors that all take two values."""

    @pytest.fixture(autouse=True)
    def _attributes(self, monkeypatch):
        monkeypatch.setitem(globals(), "FACTORS", ATTRIBUTES)
        monkeypatch.setitem(globals(), "PERFECT", ATTRIBUTES.astype(float))

    def test_a_grid_can_be_given_by_its_factor_space(self, name, noisy):
        space = FactorSpace([Factor(n, range(2)) for n in "abc"])
        score = METRICS[name](noisy[:8], space, noise=None)
        assert float(score) == self.value(name, noisy[:8], ATTRIBUTES[:8])

    def test_more_latents_than_samples(self, name, rng):
        factors = rng.integers(2, size=(40, 2))
        codes = np.concatenate([factors, rng.standard_normal((40, 98))], axis=1)
        assert 0 < self.value(name, codes, factors) < 1

    @pytest.mark.parametrize("kind", ["ordinal", "categorical", "continuous"])
    def test_factors_without_levels_are_declared_continuous(self, name, rng, kind):
        factors = rng.standard_normal((300, 2))
        with pytest.raises(ValueError, match="needs binary factors, and factor '0' takes 300"):
            self.value(name, factors, factors, factor_kinds=[kind] * 2)

    def test_each_column_is_read_by_itself(self, name, noisy):
        kinds = {"factor_kinds": ["continuous", "circular", "ordinal"]}
        whole = self.value(name, noisy)
        assert self.value(name, noisy, ATTRIBUTES * [1, 1, 0.5], **kinds) == whole

    def test_words_are_levels(self, name, noisy):
        words = np.array(["no", "yes"])[ATTRIBUTES]
        found = METRICS[name](noisy, words, noise=None)
        assert float(found) == self.value(name, noisy)
        assert found.levels["0"] == ("no", "yes")


@pytest.mark.parametrize("name", WITH_GROUPS)
class TestGroupsOfLatents:
    """Codes of six latents, two a factor, that only together are one."""

    @pytest.fixture
    def blocks(self, rng):
        turns = [np.linalg.qr(rng.standard_normal((2, 2)))[0] for _ in range(3)]
        hidden = np.stack([PERFECT, rng.standard_normal(PERFECT.shape)], axis=2)
        return np.concatenate([hidden[:, k] @ turn for k, turn in enumerate(turns)], axis=1)

    def test_their_order_does_not_matter(self, name, blocks):
        value = METRICS[name](blocks, FACTORS, groups=[2, 2, 2], noise=None)
        moved = METRICS[name](
            blocks[:, [5, 2, 0, 1, 3, 4]], FACTORS, groups=[[5, 0], [4, 1], [3, 2]], noise=None
        )
        assert float(moved) == pytest.approx(float(value), abs=0.02)

    def test_the_same_seed_gives_the_same_bits(self, name, blocks):
        few = Noise(n_permutations=3, n_projections=2, n_halves=3)
        first, second = (
            METRICS[name](blocks, FACTORS, groups=[2, 2, 2], noise=few, seed=5).to_dict()
            for _ in "ab"
        )
        assert first == second

    def test_noise_is_chance(self, name, rng):
        codes = rng.standard_normal((120, 4))
        noise = METRICS[name](codes, FACTORS, groups=[3, 1], noise=FEW)
        assert float(noise) == pytest.approx(noise.chance.mean, abs=6 * noise.chance.sd)
        assert noise.p_value > 0.01


@pytest.mark.parametrize("name", ["mig", "jemmig", "modularity", "med_completeness", "latent_mi"])
def test_an_outlier_that_empties_the_bins_is_warned_of(name, noisy):
    codes = np.concatenate([noisy] * 20)
    codes[0] = 1e6
    with pytest.warns(UserWarning, match="outliers stretch the range"):
        METRICS[name](codes, np.concatenate([FACTORS] * 20), noise=None)


@pytest.mark.parametrize("name", ["mig", "sap", "mcc", "linear_r2"])
def test_tensors_and_data_frames_are_as_good_as_arrays(name, noisy):
    pandas = pytest.importorskip("pandas")
    torch = pytest.importorskip("torch")
    value = float(METRICS[name](noisy.astype(np.float32), FACTORS, noise=None))
    tensor = torch.tensor(noisy, dtype=torch.float32, requires_grad=True)
    assert float(METRICS[name](tensor, torch.tensor(FACTORS), noise=None)) == pytest.approx(value)
    frame = pandas.DataFrame(FACTORS, columns=["size", "hue", "x"])
    score = METRICS[name](pandas.DataFrame(noisy.astype(np.float32)), frame, noise=None)
    assert float(score) == pytest.approx(value, abs=1e-12)
    assert list(score.per_factor) == ["size", "hue", "x"]
