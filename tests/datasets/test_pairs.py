"""Pairs, against closed forms of their laws on small grids."""

import numpy as np
import pytest
from scipy.stats import chi2

from unweave.datasets import ArrayDataset, DSprites, Factor, FactorSpace, GridDataset, ImageTable

TURN = 2 * np.pi


class Grid(GridDataset):
    """Images that show nothing but their row."""

    name = "small grid"
    image_shape = (1, 1, 3)

    def __init__(self, *factors, nuisances=()):
        self.space = FactorSpace(factors)
        self.nuisances = nuisances

    def images(self, indices):
        rows = np.asarray(indices)[:, None, None, None]
        return (rows // 256 ** np.arange(3) % 256).astype(np.uint8)


SHAPE = Factor("shape", (0, 1, 2), "categorical")
ANGLE = Factor("angle", tuple(TURN * np.arange(6) / 6), "circular")
PLACE = Factor("place", (0, 1, 2, 3), "ordinal")
SIZE = Factor("size", (1, 2), "ordinal")
SMALL = Grid(SHAPE, ANGLE, PLACE)
FOUR = Grid(SHAPE, ANGLE, PLACE, SIZE)


def assert_law(counts, probabilities):
    """Chi-square of the counts below its 0.9999 quantile, and nothing where nothing can be."""
    counts, expected = np.ravel(counts), np.ravel(probabilities) * np.sum(counts)
    assert not counts[expected == 0].any()
    rare = expected < 10  # taken together, so that the statistic follows its limit
    counts = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    counts, expected = counts[expected > 10], expected[expected > 10]
    assert len(expected)
    statistic = ((counts - expected) ** 2 / expected).sum()
    assert statistic <= chi2.ppf(0.9999, max(1, len(counts) - 1)), statistic


def joint(pairs, dataset):
    """How often each pair of rows was drawn, (rows, rows)."""
    n = len(dataset)
    return np.bincount(pairs.first * n + pairs.second, minlength=n * n).reshape(n, n)


def change_one_law(dataset, *, others_only=False):
    """Closed form: p(second | first) where one factor is redrawn."""
    levels = dataset.space.all_levels()
    law = np.zeros((len(levels),) * 2)
    for column, size in enumerate(dataset.space.sizes):
        others = np.delete(levels, column, axis=1)
        alike = (others[:, None] == others[None]).all(axis=2)
        if others_only:
            np.fill_diagonal(alike, False)
        law += alike / (size - others_only) / dataset.space.n_factors
    return law


def laplace_law(dataset, distances, *, rate=1.0):
    """Closed form of the Laplace steps, for distances (levels, levels) of each factor or None."""
    space = dataset.space
    kernels, moving = [], []
    for size, distance in zip(space.sizes, distances, strict=True):
        if distance is None:
            kernels.append(np.eye(size))
            continue
        weights = np.exp(-distance * rate / np.log(size))
        kernels.append(weights / weights.sum(axis=1, keepdims=True))
        moving.append(len(kernels) - 1)

    def product(matrices):
        found = np.ones((1, 1))
        for matrix in matrices:
            found = np.kron(found, matrix)
        return found

    law = product(kernels)
    stays = np.diag(law).copy()
    np.fill_diagonal(law, 0)
    for column in moving:
        away = kernels[column] * (distances[column] > 0)
        away /= away.sum(axis=1, keepdims=True)
        only = [away if i == column else np.eye(s) for i, s in enumerate(space.sizes)]
        law += stays[:, None] * product(only) / len(moving)
    return law


def line(n):
    return np.abs(np.arange(n)[:, None] - np.arange(n)).astype(float)


def circle(n):
    return np.minimum(line(n), n - line(n))


@pytest.mark.parametrize("steps", ["uniform", "other"])
@pytest.mark.parametrize("n_changed", [1, 2, 3])
def test_all_but_so_many_factors_are_shared(steps, n_changed):
    pairs = SMALL.pairs(3000, n_changed=n_changed, steps=steps, random_state=0)
    differ = SMALL.factors(pairs.first) != SMALL.factors(pairs.second)
    np.testing.assert_array_equal(pairs.changed, differ)
    assert pairs.changed.dtype == bool
    assert len(pairs) == 3000
    n_differing = differ.sum(axis=1)
    assert n_differing.max() <= n_changed
    # Redrawn over all levels, a factor keeps its own one time in so many; over others, never.
    assert (n_differing.min() == n_changed) == (steps == "other")


@pytest.mark.parametrize("steps", ["uniform", "other"])
def test_one_change_has_the_law_of_its_closed_form(steps):
    pairs = SMALL.pairs(80_000, n_changed=1, steps=steps, random_state=1)
    law = change_one_law(SMALL, others_only=steps == "other") / len(SMALL)
    assert_law(joint(pairs, SMALL), law)


@pytest.mark.parametrize(
    ("n_changed", "law"),
    [
        (None, [0, 1 / 3, 1 / 3, 1 / 3, 0]),
        ("random", [0, 1 / 3, 1 / 3, 1 / 3, 0]),
        ("one_or_random", [0, 1 / 2 + 1 / 6, 1 / 6, 1 / 6, 0]),
        ((1, 3), [0, 1 / 2, 0, 1 / 2, 0]),
        ([1, 4, 4, 4], [0, 1 / 4, 0, 0, 3 / 4]),
        (2, [0, 0, 1, 0, 0]),
    ],
)
def test_how_many_factors_change(n_changed, law):
    pairs = FOUR.pairs(20_000, n_changed=n_changed, steps="other", random_state=2)
    assert_law(np.bincount(pairs.changed.sum(axis=1), minlength=5), law)
    per_factor = pairs.changed.mean(axis=0)
    np.testing.assert_allclose(per_factor, np.arange(5) @ law / 4, atol=0.02)


@pytest.mark.parametrize(("steps", "of_angle"), [("laplace", circle), ("laplace_line", line)])
@pytest.mark.parametrize("rate", [1.0, 3.0])
def test_laplace_steps_have_the_law_of_their_closed_form(steps, of_angle, rate):
    small = Grid(Factor("shape", (0, 1), "categorical"), ANGLE, Factor("place", (0, 1, 2)))
    pairs = small.pairs(120_000, steps=steps, rate=rate, random_state=3)
    law = laplace_law(small, [None, of_angle(6), line(3)], rate=rate) / len(small)
    assert_law(joint(pairs, small), law)
    assert pairs.changed.any(axis=1).all()
    assert not pairs.changed[:, 0].any()


def test_distances_on_a_part_of_a_circle_are_those_of_its_angles():
    """Angles of half a turn do not close, whatever their kind says."""
    half = Grid(Factor("angle", tuple(np.pi * np.arange(5) / 5), "circular"))
    pairs = half.pairs(20_000, steps="laplace", random_state=4)
    assert_law(joint(pairs, half), laplace_law(half, [line(5)]) / 5)


def test_levels_of_the_same_angle_do_not_differ():
    doubled = Grid(Factor("angle", tuple(TURN * np.arange(5) / 4), "circular"), SIZE)
    pairs = doubled.pairs(4000, n_changed=1, random_state=5)
    before, after = doubled.factors(pairs.first)[:, 0], doubled.factors(pairs.second)[:, 0]
    ends = {(0, 4), (4, 0)}
    at_ends = np.array([pair in ends for pair in zip(before, after, strict=True)])
    assert at_ends.any()
    assert not pairs.changed[at_ends, 0].any()
    np.testing.assert_array_equal(pairs.changed[~at_ends, 0], (before != after)[~at_ends])
    for steps in ("other", "laplace"):
        n_changed = 1 if steps == "other" else None
        moved = doubled.pairs(4000, n_changed=n_changed, steps=steps, random_state=5)
        assert moved.changed.any(axis=1).all()
    orientation = DSprites().pairs(500, n_changed=1, steps="other", random_state=0)
    assert (orientation.changed.sum(axis=1) == 1).all()


def test_factors_of_one_value_are_not_counted():
    still = Factor("still", (7,), "ordinal")
    same = Factor("same", (0, TURN), "circular")
    grid = Grid(still, PLACE, same, SIZE)
    pairs = grid.pairs(2000, n_changed=2, steps="other", random_state=0)
    np.testing.assert_array_equal(pairs.changed, np.tile([False, True, False, True], (2000, 1)))
    assert set(grid.pairs(500, steps="other", random_state=0).changed.sum(axis=1)) == {1}
    assert grid.pairs(200, steps="laplace", random_state=0).changed.any(axis=1).all()


def test_nuisances_are_redrawn_or_shared_and_are_not_counted():
    grid = Grid(SHAPE, Factor("instance", tuple(range(5)), "categorical"), PLACE)
    grid.nuisances = ("instance",)
    pairs = grid.pairs(20_000, n_changed=1, steps="other", random_state=6)
    before, after = grid.all_factors(pairs.first), grid.all_factors(pairs.second)
    assert pairs.changed.shape == (20_000, 2)
    np.testing.assert_array_equal(pairs.changed.sum(axis=1), 1)
    table = np.bincount(5 * before[:, 1] + after[:, 1], minlength=25)
    assert_law(table, np.full(25, 1 / 25))
    for kwargs in ({"n_changed": 1}, {"steps": "laplace"}):
        pairs = grid.pairs(500, nuisances="shared", random_state=6, **kwargs)
        before, after = grid.all_factors(pairs.first), grid.all_factors(pairs.second)
        np.testing.assert_array_equal(before[:, 1], after[:, 1])


PARTS = {
    "half": lambda f: f["place"] < 2,
    "hole": lambda f: (f["place"] != 1) | (f["shape"] != 0),
    "scattered": lambda f: np.random.default_rng(0).random(72) < 0.4,
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("steps", ["uniform", "other", "laplace"])
def test_pairs_of_a_part_are_those_of_the_grid_with_both_images_in_it(part, steps):
    chosen = SMALL.where(PARTS[part])
    kwargs = {} if steps == "laplace" else {"n_changed": 1}
    pairs = chosen.pairs(60_000, steps=steps, random_state=7, **kwargs)
    if steps == "laplace":
        law = laplace_law(SMALL, [None, circle(6), line(4)])
    else:
        law = change_one_law(SMALL, others_only=steps == "other")
    law = law[np.ix_(chosen.rows, chosen.rows)]
    assert_law(joint(pairs, chosen), law / law.sum())
    differ = chosen.factors(pairs.first) != chosen.factors(pairs.second)
    np.testing.assert_array_equal(pairs.changed, differ)


def test_pairs_of_shuffled_rows_are_found_where_they_are():
    from unweave.datasets.selection import subset

    part = subset(FOUR, 60, seed=1)
    assert not (np.diff(part.rows) > 0).all()
    pairs = part.pairs(200, n_changed=1, random_state=0)
    differ = part.factors(pairs.first) != part.factors(pairs.second)
    np.testing.assert_array_equal(pairs.changed, differ)
    assert differ.sum(axis=1).max() == 1


def test_a_seed_gives_the_same_pairs_and_a_generator_goes_forward():
    kwargs = {"steps": "laplace", "random_state": 8}
    for dataset in (SMALL, SMALL.where(PARTS["half"])):
        first, second = dataset.pairs(50, **kwargs), dataset.pairs(50, **kwargs)
        for name in ("first", "second", "changed"):
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    rng = np.random.default_rng(8)
    again = SMALL.pairs(50, steps="laplace", random_state=rng)
    np.testing.assert_array_equal(again.first, SMALL.pairs(50, **kwargs).first)
    further = SMALL.pairs(50, steps="laplace", random_state=rng)
    assert not np.array_equal(further.first, again.first)


TABLE = ImageTable(
    ArrayDataset(np.full((4, 8, 8, 1), 200, np.uint8)), [SHAPE], [[0], [1], [2], [0]]
)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: TABLE.pairs(3, random_state=0), "pairs share some factors and change others"),
        (
            lambda: TABLE.where([True] * 3 + [False]).pairs(3, random_state=0),
            "is not a full grid",
        ),
        (lambda: SMALL.pairs(0, random_state=0), "n_pairs must be a whole number of at least 1"),
        (
            lambda: SMALL.pairs(3, n_changed=4, random_state=0),
            "give a whole number from 1 to 3, the number of factors that vary",
        ),
        (lambda: SMALL.pairs(3, n_changed=0, random_state=0), "give a whole number from 1 to 3"),
        (lambda: SMALL.pairs(3, n_changed=[], random_state=0), "a list of such numbers"),
        (lambda: SMALL.pairs(3, n_changed=1.0, random_state=0), "a list of such numbers"),
        (lambda: SMALL.pairs(3, n_changed="randm", random_state=0), "did you mean 'random'"),
        (lambda: SMALL.pairs(3, steps="laplacian", random_state=0), "did you mean 'laplace_line'"),
        (lambda: SMALL.pairs(3, nuisances="share", random_state=0), "did you mean 'shared'"),
        (
            lambda: SMALL.pairs(3, steps="laplace", n_changed=1, random_state=0),
            "has no meaning with steps='laplace'",
        ),
        (lambda: SMALL.pairs(3, steps="laplace", rate=0, random_state=0), "a positive number"),
        (
            lambda: SMALL.pairs(3, steps="laplace", rate=np.nan, random_state=0),
            "rate must be a positive number, not nan",
        ),
        (
            lambda: Grid(SHAPE).pairs(3, steps="laplace", random_state=0),
            "Laplace steps leave categorical factors alone",
        ),
        (
            lambda: Grid(Factor("still", (1,))).pairs(3, random_state=0),
            "has two levels, so that none can change",
        ),
        (
            lambda: SMALL.where(np.arange(72) == 5).pairs(3, steps="other", random_state=0),
            "has both images among the 1 of small grid",
        ),
    ],
)
def test_pairs_that_cannot_be_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
