"""Parts of datasets in which factors have one level."""

import pickle

import numpy as np
import pytest

from unweave.datasets import ArrayDataset, DSprites, Factor, ImageTable, Torus, load
from unweave.datasets.fixed import FixedGrid, fixed_at


def table():
    """Four images, of a word and a number."""
    images = np.full((4, 8, 8, 1), 90, np.uint8) + np.arange(4, dtype=np.uint8)[:, None, None, None]
    word = Factor("word", (0, 1), "categorical", ("cat", "dog"))
    weight = Factor("weight", kind="continuous")
    return ImageTable(ArrayDataset(images), (word, weight), [[0, 1], [1, 2], [1, 3], [0, 4]])


def test_a_part_of_a_grid_is_the_grid_of_the_other_factors():
    whole = DSprites()
    part = load("dsprites?fixed=orientation:3,shape:1")
    assert part.factor_names == ("scale", "posX", "posY")
    assert len(part) == 6 * 32 * 32
    rows = np.random.default_rng(0).integers(0, len(part), 20)
    same = whole.where(lambda f: (f["orientation"] == 3) & (f["shape"] == 1))
    np.testing.assert_array_equal(part.images(rows), same.images(rows))
    np.testing.assert_array_equal(part.stored(rows), same.stored(rows))
    np.testing.assert_array_equal(part.factors(rows), same.all_factors(rows)[:, [1, 3, 4]])
    np.testing.assert_array_equal(part.space.indices(part.factors(rows)), rows)


def test_what_is_fixed_names_the_part_and_survives_a_pickle():
    part = load("torus?fixed=y:2&size=16")
    assert part.source == "torus?fixed=y:2&size=16"
    assert part.identity != load("torus?fixed=y:3&size=16").identity
    again = pickle.loads(pickle.dumps(part))
    np.testing.assert_array_equal(again.images([7]), part.images([7]))
    assert [symmetry.factor for symmetry in Torus().symmetries] == ["direction", "x", "y"]
    assert [symmetry.factor for symmetry in part.symmetries] == ["direction", "x"]


def test_pairs_differ_in_the_factors_that_are_left():
    part = fixed_at(Torus(), {"direction": 0})
    assert isinstance(part, FixedGrid)
    pairs = part.pairs(50, n_changed=1, steps="other", random_state=0)
    assert pairs.changed.shape == (50, 2)
    np.testing.assert_array_equal(pairs.changed.sum(axis=1), 1)
    changed = part.factors(pairs.first) != part.factors(pairs.second)
    np.testing.assert_array_equal(changed, pairs.changed)


def test_rows_of_a_table_are_chosen_by_a_level():
    part = fixed_at(table(), {"word": 1})
    assert part.factor_names == ("weight",)
    np.testing.assert_array_equal(part.images([0, 1])[:, 0, 0, 0], [91, 92])
    np.testing.assert_array_equal(part.factors([0, 1])[:, 0], [2, 3])


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ({"world": 1}, "world"),
        ({"word": 2}, "factor 'word' of .* has the levels 0 to 1, not 2"),
        ({"word": -1}, "has the levels 0 to 1, not -1"),
        ({"weight": 1}, "factor 'weight' of .* has no levels, so that it cannot be fixed at"),
    ],
)
def test_levels_that_do_not_exist_are_refused(levels, message):
    with pytest.raises(ValueError, match=message):
        fixed_at(table(), levels)


def test_a_factor_has_to_be_left():
    with pytest.raises(ValueError, match="no factor of torus is left to vary: fix fewer of them"):
        load("torus?fixed=x:0,y:0,direction:0")
    with pytest.raises(ValueError, match="the option fixed=x:left cannot be read"):
        load("torus?fixed=x:left")
