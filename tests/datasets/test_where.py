"""Parts of datasets: masks, splits of the literature, and what their factors are."""

import pickle

import numpy as np
import pytest

from unweave.datasets import ArrayDataset, DSprites, Factor, ImageTable, Torus, XYObjectShaded
from unweave.datasets.resized import resized
from unweave.datasets.selection import scoring, subset

OBJECTS = XYObjectShaded()
ALL = np.arange(len(OBJECTS))


def unlabelled_table():
    """Six images, of a word and a number that is unknown twice."""
    images = np.arange(6)[:, None, None, None] * np.full((4, 4, 1), 50)
    word = Factor("word", (0, 1), "categorical", ("cat", "dog"))
    weight = Factor("weight", kind="continuous")
    values = [[0, 0.5], [1, np.nan], [0, 2.5], [1, 1.5], [np.nan, 1], [1, 7.5]]
    return ImageTable(ArrayDataset(images.astype(np.uint8)), (word, weight), values)


def test_a_mask_and_a_function_select_the_same_rows():
    mask = OBJECTS.factors(ALL)[:, 4] == 2
    by_mask = OBJECTS.where(mask)
    by_function = OBJECTS.where(lambda factors: factors["color"] == 2)
    np.testing.assert_array_equal(by_mask.rows, np.flatnonzero(mask))
    np.testing.assert_array_equal(by_function.rows, by_mask.rows)
    assert by_mask.identity == by_function.identity
    assert by_mask.identity != OBJECTS.where(~mask).identity
    np.testing.assert_array_equal(by_mask.images([3]), OBJECTS.images(by_mask.rows[[3]]))
    np.testing.assert_array_equal(by_mask.stored([3]), OBJECTS.stored(by_mask.rows[[3]]))


def test_the_function_gets_every_factor_by_name():
    got = {}
    OBJECTS.where(lambda factors: got.update(factors) or factors["x"] >= 0)
    assert tuple(got) == OBJECTS.factor_names
    np.testing.assert_array_equal(np.stack(list(got.values()), axis=1), OBJECTS.factors(ALL))
    table = unlabelled_table()
    part = table.where(lambda factors: factors["weight"] > 1)
    np.testing.assert_array_equal(part.rows, [2, 3, 5])
    with pytest.raises(KeyError, match="has no factor 'colour'; it has x, y, scale"):
        OBJECTS.where(lambda factors: factors["colour"] == 2)


def test_levels_keep_their_numbers():
    part = OBJECTS.where(lambda factors: factors["scale"] >= 3)
    assert part.factor_columns == OBJECTS.factor_columns
    levels = part.factors(np.arange(len(part)))
    assert set(levels[:, 2]) == {3, 4}
    np.testing.assert_array_equal(part.space.indices(levels), part.rows)
    np.testing.assert_array_equal(levels, OBJECTS.factors(part.rows))


@pytest.mark.parametrize(
    ("name", "test"),
    [
        # Montero et al. 2021: extrapolation, a held out range of a pair, one held out element.
        ("extrapolation", lambda f: f["posX"] >= 16),
        ("recombination to range", lambda f: (f["shape"] == 1) & (f["posX"] >= 16)),
        (
            "recombination to element",
            lambda f: (
                (f["shape"] == 1) & (f["scale"] == 2) & (f["orientation"] > 12)
                & (f["posX"] > 20) & (f["posY"] > 20)
            ),
        ),
        # Schott et al. 2022: levels in between that are never seen.
        ("interpolation", lambda f: (f["scale"] % 2 == 1) | (f["posX"] % 3 == 1)),
    ],
)  # fmt: skip
def test_splits_of_the_literature_are_two_parts_of_the_grid(name, test):
    dataset = DSprites()
    held_out, train = dataset.where(test), dataset.where(lambda factors: ~test(factors))
    assert len(held_out) + len(train) == len(dataset)
    assert not np.isin(held_out.rows, train.rows).any()
    rows = held_out.sample_labelled(500, seed=0)
    assert test(dict(zip(held_out.factor_names, held_out.factors(rows).T, strict=True))).all()
    pairs = train.pairs(64, n_changed=1, random_state=0)
    for rows in (pairs.first, pairs.second):
        levels = dict(zip(train.factor_names, train.factors(rows).T, strict=True))
        assert not test(levels).any()


def test_a_part_of_a_part_is_one_of_the_dataset():
    first = OBJECTS.where(lambda f: f["color"] < 3)
    nested = first.where(lambda f: f["scale"] == 4)
    at_once = OBJECTS.where(lambda f: (f["color"] < 3) & (f["scale"] == 4))
    assert nested.dataset is OBJECTS
    assert nested.identity == at_once.identity
    assert nested.space == OBJECTS.space
    np.testing.assert_array_equal(nested.rows, at_once.rows)
    few = subset(nested, 20, seed=0)
    assert few.dataset is OBJECTS
    assert np.isin(few.rows, nested.rows).all()
    with pytest.raises(ValueError, match=rf"a mask must be booleans of shape \({len(first)},\)"):
        first.where(np.ones(len(OBJECTS), dtype=bool))


def test_labelled_rows_of_a_part_are_its_own():
    table = unlabelled_table()
    np.testing.assert_array_equal(table.labelled_rows, [0, 2, 3, 5])
    part = table.where([False, True, True, False, True, True])
    np.testing.assert_array_equal(part.labelled_rows, [1, 3])
    assert set(part.sample_labelled(10, seed=0)) == {1, 3}
    nested = part.where([True, False, False, True])
    np.testing.assert_array_equal(nested.labelled_rows, [1])
    assert table.where(np.isin(np.arange(6), [0, 5])).labelled_rows is None
    assert OBJECTS.where(ALL < 9).labelled_rows is None
    none = table.where(np.isin(np.arange(6), [1, 4]))
    with pytest.raises(ValueError, match="score fewer factors"):
        none.sample_labelled(1, seed=0)


def test_a_part_travels_to_another_process():
    part = DSprites().where(lambda factors: factors["shape"] == 2)
    part.pairs(3, random_state=0)
    travelled = pickle.loads(pickle.dumps(part))
    assert travelled.identity == part.identity
    assert travelled.binary
    np.testing.assert_array_equal(travelled.images([0, 99]), part.images([0, 99]))


def test_rows_outside_a_part_are_refused():
    part = Torus().where(np.arange(4096) < 10)
    with pytest.raises(IndexError, match=r"must lie in \[0, 10\)"):
        part.images([10])
    with pytest.raises(IndexError, match=r"must lie in \[0, 10\)"):
        part.all_factors([-1])


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones(4096, dtype=int), r"a mask must be booleans of shape \(4096,\)"),
        (np.ones(4095, dtype=bool), "one for each image of torus, not bool of shape"),
        (np.ones((4096, 1), dtype=bool), r"of shape \(4096, 1\)"),
        (np.arange(10), "not int64 of shape"),
        (True, r"not bool of shape \(\)"),
        (lambda factors: factors["x"], "not int64 of shape"),
        (lambda factors: None, "not object of shape"),
        (np.zeros(4096, dtype=bool), "the mask is false for all 4,096 images of torus"),
        (lambda factors: factors["x"] > 99, "the mask is false for all"),
    ],
)
def test_masks_that_are_none_are_refused(mask, message):
    with pytest.raises(ValueError, match=message):
        Torus().where(mask)


def test_labelled_rows_follow_the_choice_of_factors():
    """Rows are labelled in the factors that are scored now, not in those of the dataset inside."""
    images = ArrayDataset(np.zeros((6, 8, 8, 1), dtype=bool))
    levels = np.array([[0, np.nan], [1, 0], [0, 1], [1, np.nan], [0, 0], [1, 1]])
    factors = [Factor("a", (0, 1)), Factor("b", (0, 1))]
    whole = ImageTable(images, factors, levels, nuisances=["b"])
    for inside in (whole.where([True] * 6), resized(whole, 4)):
        assert inside.labelled_rows is None
        both = scoring(inside, ["a", "b"])
        np.testing.assert_array_equal(both.labelled_rows, [1, 2, 4, 5])
        assert scoring(both, ["a"]).labelled_rows is None
