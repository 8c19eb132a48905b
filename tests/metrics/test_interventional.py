import numpy as np
import pytest

from unweave.datasets import Factor, FactorSpace
from unweave.metrics import beta_vae_score, factor_vae_score, interventional_robustness_score
from unweave.metrics._interventions import GridGroups, Groups


@pytest.fixture
def space():
    return FactorSpace([Factor(n, range(k)) for n, k in (("a", 4), ("b", 5), ("c", 6))])


@pytest.fixture
def codes(space, rng):
    levels = space.levels(np.arange(len(space)))
    return levels / np.array([3, 4, 5]) + 0.02 * rng.standard_normal(levels.shape)


def test_rows_are_drawn_from_the_group_of_a_row(rng):
    levels = rng.integers(0, 5, 200)
    groups = Groups.by(levels, 5)
    like = rng.integers(200, size=5000)
    drawn = groups.draw(like, like.shape, rng)
    np.testing.assert_array_equal(levels[drawn], levels[like])
    # Every row of a group is as likely as the others.
    counts = np.bincount(drawn[levels[like] == 2], minlength=200)[levels == 2]
    assert counts.min() > 0.4 * counts.mean()


def test_rows_of_a_grid_are_drawn_by_arithmetic(space, rng):
    levels = space.all_levels()
    np.testing.assert_array_equal(levels, space.levels(np.arange(len(space))))
    like = rng.integers(len(space), size=20_000)
    for k in range(3):
        drawn = GridGroups(space.sizes, k).draw(like, like.shape, rng)
        np.testing.assert_array_equal(levels[drawn, k], levels[like, k])
        # All rows of the grid come as often.
        counts = np.bincount(drawn, minlength=len(space))
        assert counts.std() == pytest.approx(np.sqrt(counts.mean()), rel=0.25)


def test_a_grid_says_so_and_rows_are_a_named_deviation(space, codes):
    table = space.levels(np.arange(len(space)))
    for metric in (beta_vae_score, factor_vae_score, interventional_robustness_score):
        grid, rows = metric(codes, space, noise=None), metric(codes, table, noise=None)
        assert grid.settings["sampling"] == "grid"
        assert not grid.notes
        assert rows.settings["sampling"] == "rows"
        assert "interventions by grouping" in rows.notes[0]
        assert float(grid) == pytest.approx(float(rows), abs=0.01)
    assert list(grid.per_factor) == ["a", "b", "c"]


@pytest.mark.parametrize("metric", [beta_vae_score, factor_vae_score])
def test_raw_conventions_depend_on_the_scale_of_codes_and_ours_do_not(space, codes, metric):
    small = 0.001 * codes
    assert float(metric(small, space, noise=None)) == pytest.approx(
        float(metric(codes, space, noise=None)), abs=1e-3
    )
    raw = [
        float(metric(c, space, convention="disentanglement_lib", noise=None))
        for c in (small, codes)
    ]
    assert raw[0] < 0.6 < raw[1]


def test_dead_latents_win_no_votes_unless_nothing_is_pruned(space, codes):
    dead = np.concatenate([codes, np.zeros((len(codes), 5))], axis=1)
    score = factor_vae_score(dead, space, noise=None)
    assert float(score) == 1.0
    assert score.extras["active_latents"] == 3
    assert float(factor_vae_score(dead, space, prune_below=0.0, noise=None)) == 1.0


def test_irs_of_a_code_that_only_its_factor_moves_is_one(space):
    levels = space.levels(np.arange(len(space)))
    score = interventional_robustness_score(levels[:, [1, 1, 0]].astype(float), space, noise=None)
    assert float(score) == pytest.approx(1.0)
    assert score.per_factor["c"] < 0.1


def test_irs_by_hand():
    # Latent 0 follows factor a but for one row of factor b: its worst move at level 1 is known.
    factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    codes = np.array([[0.0], [0.0], [1.0], [3.0]])
    score = interventional_robustness_score(
        codes, factors, convention="own_levels", diff_quantile=1.0, noise=None
    )
    # Deviations from the means of a's levels: 0 and 1, mean 1/2; largest deviation of all is 2.
    assert score.matrix[0, 0] == pytest.approx(1 - 0.5 / 2)
    # Of b's levels (means 1/2 and 3/2): 1/2 and 3/2, mean 1.
    assert score.matrix[0, 1] == pytest.approx(1 - 1 / 2)


@pytest.mark.parametrize(
    ("metric", "options", "message"),
    [
        (beta_vae_score, {"convention": "standardized"}, "did you mean 'standardised'"),
        (beta_vae_score, {"batch_size": 0}, "batch_size must be a whole number"),
        (factor_vae_score, {"prune_below": -1}, "a standard deviation of at least 0"),
        (interventional_robustness_score, {"diff_quantile": 0}, r"must lie in \(0, 1\]"),
    ],
)
def test_wrong_options_are_refused(space, codes, metric, options, message):
    with pytest.raises(ValueError, match=message):
        metric(codes, space, **options)
