"""Read-outs on both parts: closed forms, and scikit-learn's own scores."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import accuracy_score, r2_score
from sklearn.neighbors import KNeighborsRegressor

from unweave.datasets import Factor
from unweave.generalisation import READOUTS, Labelled, read_out_transfer
from unweave.generalisation.gap import bootstrap_weights, gap_of

PLACE = Factor("place", tuple(range(10)))
SHAPE = Factor("shape", (0, 1, 2), "categorical", ("cube", "ball", "cone"))
HUE = Factor("hue", tuple(2 * np.pi * np.arange(8) / 8), "circular")
FEW = {"n_bootstrap": 50}


def balanced(levels, n=40):
    return np.repeat(np.asarray(levels), n)[:, None]


SEEN, UNSEEN = balanced(range(7)), balanced(range(7, 10))


def parts(codes_of, seen=SEEN, unseen=UNSEEN):
    return [Labelled(codes_of(levels), levels) for levels in (seen, seen, unseen)]


def read(*labelled, factors=(PLACE,), **options):
    return read_out_transfer(*labelled, factors, **{**FEW, **options})


@pytest.fixture(scope="module")
def mixed():
    """Codes of three factors, with noise, in three parts."""
    rng = np.random.default_rng(0)
    tables = [
        np.stack([rng.integers(*ends, 300), rng.integers(3, size=300), rng.integers(8, size=300)])
        for ends in ((0, 8), (0, 8), (5, 10))
    ]
    labelled = []
    for table in tables:
        place, shape, hue = table
        angle = np.array(HUE.values)[hue]
        codes = np.stack([place, shape == 1, shape == 2, np.cos(angle), np.sin(angle)], axis=1)
        labelled.append(Labelled(codes + 0.2 * rng.normal(size=codes.shape), table.T))
    return labelled


class TestClosedForms:
    def test_a_code_that_is_the_factor_is_read_where_nothing_was_learnt(self):
        found = read(*parts(lambda levels: levels.astype(float)), readouts=["ridge"])["ridge"]
        assert found.mean.train == pytest.approx(1, abs=1e-6)
        assert found.mean.held_out == pytest.approx(1, abs=1e-6)
        assert found.mean.gap == pytest.approx(0, abs=1e-6)
        np.testing.assert_allclose(found.mean.interval, 0, atol=1e-6)

    def test_cosine_and_sine_of_an_angle_are_read_where_nothing_was_learnt(self):
        seen, unseen = balanced(range(5)), balanced(range(5, 8))
        angles = np.array(HUE.values)

        def codes(levels):
            return np.concatenate([np.cos(angles[levels]), np.sin(angles[levels])], axis=1)

        found = read(*parts(codes, seen, unseen), factors=[HUE], readouts=["ridge"])["ridge"]
        assert found.mean.held_out == pytest.approx(1, abs=1e-6)

    @pytest.mark.parametrize("readout", ["trees", {"nearest": KNeighborsRegressor(1)}])
    def test_a_lookup_table_answers_with_the_nearest_level_it_knows(self, readout):
        """Levels 7 to 9 are read as 6: errors 1, 4 and 9, of a variance of 8.25."""
        labelled = parts(lambda levels: levels.astype(float))
        (found,) = read(*labelled, variances=[8.25], readouts=readout).values()
        assert np.var(np.arange(10)) == 8.25
        assert found.mean.train == pytest.approx(1, abs=1e-3)
        assert found.mean.held_out == pytest.approx(1 - (14 / 3) / 8.25, abs=1e-3)

    @pytest.mark.parametrize("readout", ["trees", "mlp"])
    def test_large_seeds_are_taken(self, readout):
        labelled = parts(lambda levels: levels.astype(float))
        found = read(*labelled, variances=[8.25], readouts=[readout], seed=2**40)[readout]
        assert np.isfinite(found.mean.train)

    def test_a_latent_for_each_level_says_nothing_of_levels_that_were_not_seen(self):
        """As often as each other, they are then read as the mean of those that were: chance."""
        labelled = parts(lambda levels: np.eye(10)[levels[:, 0]])
        found = read(*labelled, variances=[8.25], readouts=["ridge"])["ridge"].mean
        assert found.train == pytest.approx(1, abs=1e-4)
        assert found.held_out == pytest.approx(found.chance_held_out, abs=1e-6)
        assert found.chance_held_out == pytest.approx(1 - (16 + 25 + 36) / 3 / 8.25)
        assert found.chance_train == pytest.approx(1 - 4 / 8.25)  # the variance of 0 to 6 is 4
        assert found.chance == pytest.approx(found.chance_train - found.chance_held_out)

    def test_single_values_that_are_held_out_have_an_r2(self):
        labelled = parts(lambda levels: levels + 1.0, unseen=balanced([9]))
        found = read(*labelled, variances=[8.25], readouts=["ridge"])["ridge"].mean
        assert found.held_out == pytest.approx(1, abs=1e-6)

    def test_chance_is_where_read_outs_of_permuted_rows_end(self, mixed):
        rng = np.random.default_rng(1)
        permuted = [Labelled(rng.permutation(part.codes), part.factors) for part in mixed]
        for readout in ("ridge", "mlp"):
            found = read(*permuted, factors=[PLACE, SHAPE, HUE], readouts=[readout])[readout]
            assert found.mean.train == pytest.approx(found.mean.chance_train, abs=0.08)
            assert found.mean.held_out == pytest.approx(found.mean.chance_held_out, abs=0.08)


class TestAgainstScikitLearn:
    def test_r2_is_that_of_scikit_learn_with_its_variance(self, mixed):
        learn, train, held_out = mixed
        model = LinearRegression()
        for part, name in ((train, "train"), (held_out, "held_out")):
            spread = part.factors[:, :1].var(axis=0)
            found = read(
                *(Labelled(one.codes, one.factors[:, :1]) for one in mixed),
                variances=spread,
                readouts={"linear": model},
            )["linear"].mean
            guess = model.fit(learn.codes, learn.factors[:, 0]).predict(part.codes)
            assert getattr(found, name) == pytest.approx(r2_score(part.factors[:, 0], guess))

    def test_r2_of_all_images_is_that_of_schott_et_al(self, mixed):
        """1 less the mean squared error of levels / (size - 1), over their variance in all."""
        learn, _, held_out = mixed
        levels = np.arange(10) / 9
        found = read(
            *(Labelled(one.codes, one.factors[:, :1]) for one in mixed),
            variances=[8.25],
            readouts={"linear": LinearRegression()},
        )["linear"].mean
        model = LinearRegression().fit(learn.codes, learn.factors[:, 0] / 9)
        error = np.mean((model.predict(held_out.codes) - held_out.factors[:, 0] / 9) ** 2)
        assert found.held_out == pytest.approx(1 - error / levels.var())

    def test_accuracy_is_of_the_largest_column(self, mixed):
        learn, train, _ = mixed
        model = LinearRegression().fit(learn.codes, np.eye(3)[learn.factors[:, 1]])
        expected = accuracy_score(train.factors[:, 1], model.predict(train.codes).argmax(axis=1))
        found = read(*mixed, factors=[PLACE, SHAPE, HUE], readouts={"linear": LinearRegression()})[
            "linear"
        ]
        by_name = {one.factor: one for one in found.factors}
        assert by_name["shape"].accuracy.train == pytest.approx(expected)
        assert by_name["place"].accuracy is None
        most = np.bincount(learn.factors[:, 1]).argmax()
        expected = (train.factors[:, 1] == most).mean()
        assert by_name["shape"].accuracy.chance_train == pytest.approx(expected)

    def test_the_mean_is_that_of_the_factors(self, mixed):
        found = read(*mixed, factors=[PLACE, SHAPE, HUE])
        assert list(found) == ["ridge", "mlp"]
        for one in found.values():
            held_out = [factor.r2.held_out for factor in one.factors]
            assert one.mean.held_out == pytest.approx(np.mean(held_out))
            assert one.mean.interval[0] < one.mean.gap < one.mean.interval[1]


def test_intervals_are_as_wide_as_those_of_two_means():
    rng = np.random.default_rng(0)
    values = (rng.normal(0.9, 0.2, 400), rng.normal(0.5, 0.5, 900))
    found = gap_of(values, values, bootstrap_weights(400, 900, 4000, seed=0))
    spread = np.sqrt(values[0].var() / 400 + values[1].var() / 900)
    assert found.gap == pytest.approx(values[0].mean() - values[1].mean())
    np.testing.assert_allclose(
        found.interval, found.gap + spread * np.array([-1.96, 1.96]), atol=0.1 * spread
    )
    error = gap_of(values, values, bootstrap_weights(400, 900, 100, seed=0), is_error=True)
    assert error.gap == pytest.approx(-found.gap)


def test_the_same_seed_gives_the_same_numbers(mixed):
    first, again, other = (
        read(*mixed, factors=[PLACE, SHAPE, HUE], readouts=["mlp"], seed=seed)["mlp"].to_dict()
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first["mean"]["train"] != other["mean"]["train"]


def test_every_read_out_reads_a_plain_code():
    for name, found in read(
        *parts(lambda levels: levels.astype(float)), readouts=list(READOUTS)
    ).items():
        assert found.readout == name
        assert found.mean.train > 0.98


class TestBadInput:
    def test_read_outs(self, mixed):
        factors = [PLACE, SHAPE, HUE]
        with pytest.raises(ValueError, match="unknown read-out 'rigde'.*did you mean 'ridge'"):
            read(*mixed, factors=factors, readouts=["rigde"])
        with pytest.raises(ValueError, match="no read-out is named: choose from ridge, mlp, trees"):
            read(*mixed, factors=factors, readouts=[])
        with pytest.raises(ValueError, match="read-out mine is int, and an estimator with fit and"):
            read(*mixed, factors=factors, readouts={"mine": 3})
        flat = {"flat": _Flat()}
        with pytest.raises(
            ValueError, match=r"read-out predicts an array of shape \(300, 1\), and"
        ):
            read(*mixed, factors=factors, readouts=flat)

    def test_arrays_that_do_not_fit_together(self, mixed):
        learn, train, held_out = mixed
        three = [PLACE, SHAPE, HUE]
        with pytest.raises(
            ValueError, match=r"learn are of shape \(300, 3\), and shape \(300, 1\)"
        ):
            read(learn, train, held_out, factors=[PLACE])
        narrow = Labelled(held_out.codes[:, :4], held_out.factors)
        with pytest.raises(ValueError, match="parts have 5, 5, 4 latents: encode all parts with"):
            read(learn, train, narrow, factors=three)
        unknown = Labelled(learn.codes, learn.factors * np.nan)
        with pytest.raises(ValueError, match="factors of learn must be finite numbers: leave out"):
            read(unknown, train, held_out, factors=three)
        one = Labelled(held_out.codes[:1], held_out.factors[:1])
        with pytest.raises(ValueError, match="parts have 300, 300, 1 rows: a read-out needs at"):
            read(learn, train, one, factors=three)

    def test_a_factor_that_never_varies(self):
        still = [Labelled(np.arange(40.0)[:, None], np.zeros((40, 1), int))] * 3
        with pytest.raises(ValueError, match="factor 'place' never varies in either part, so that"):
            read(*still)


class _Flat:
    """Predicts one column, whatever it is asked for."""

    def get_params(self, deep=True):
        return {}

    def fit(self, codes, columns):
        return self

    def predict(self, codes):
        return np.zeros(len(codes))
