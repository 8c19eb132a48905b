"""What datasets promise: images, images with factors, full grids."""

import numpy as np
import pytest

from unweave.datasets import (
    ArrayDataset,
    DSprites,
    Factor,
    FactorSpace,
    GridDataset,
    ImageDataset,
    ImageTable,
    Torus,
)
from unweave.datasets.dataset import need_factors, need_grid
from unweave.datasets.resized import resized
from unweave.datasets.selection import Selection, subset

N = 40


@pytest.fixture
def images(rng):
    return ArrayDataset(rng.integers(0, 256, (N, 6, 5, 3), dtype=np.uint8), name="mine")


@pytest.fixture
def table(images, rng):
    values = np.stack(
        [rng.integers(0, 2, N), rng.uniform(0, 2 * np.pi, N), rng.integers(0, 3, N)], axis=1
    )
    values[[3, 7], 1] = np.nan
    values[5, 2] = np.nan
    factors = (
        Factor("species", (0, 1), "categorical", ("cat", "dog")),
        Factor("angle", kind="circular"),
        Factor("camera", (10, 20, 30)),
    )
    return ImageTable(images, factors, values, nuisances=["camera"])


class Instances(GridDataset):
    """A grid one of whose factors is a nuisance."""

    name = "instances"
    image_shape = (2, 2, 1)
    space = FactorSpace([Factor("x", (0, 1, 2)), Factor("instance", (0, 1), "categorical")])
    nuisances = ("instance",)

    def images(self, indices):
        return np.zeros((len(indices), 2, 2, 1), dtype=np.uint8)


class TestFactor:
    def test_levels_have_words(self):
        factor = Factor("shape", (0, 1), "categorical", ("cube", "sphere"))
        assert factor.size == 2
        assert factor.has_levels
        with pytest.raises(ValueError, match="2 levels and 1 labels: give one label for each"):
            Factor("shape", (0, 1), "categorical", ("cube",))

    def test_numbers_and_angles_may_take_any_value(self):
        for kind in ("continuous", "circular"):
            factor = Factor("x", kind=kind)
            assert (factor.size, factor.has_levels) == (0, False)
        for kind in ("categorical", "ordinal"):
            with pytest.raises(ValueError, match="'x' has no values: it needs at least one level"):
                Factor("x", kind=kind)
        with pytest.raises(ValueError, match="'x' has no levels, and a factor space is a grid"):
            FactorSpace([Factor("y", (0, 1)), Factor("x", kind="continuous")])


class TestImageTable:
    def test_nuisances_are_known_and_not_scored(self, table):
        assert table.factor_names == ("species", "angle")
        assert table.factor_kinds == ("categorical", "circular")
        np.testing.assert_array_equal(table.factors([0, 3]), table.all_factors([0, 3])[:, :2])
        assert table.all_factors([0]).shape == (1, 3)

    def test_rows_with_gaps_are_left_out_of_scoring(self, table):
        assert set(range(N)) - set(table.labelled_rows) == {3, 7}  # a nuisance may be unknown
        rows = table.sample_labelled(38, seed=1)
        assert sorted(rows) == sorted(table.labelled_rows)
        np.testing.assert_array_equal(rows, table.sample_labelled(38, seed=1))
        assert np.isfinite(table.factors(rows)).all()

    def test_levels_without_gaps_are_whole_numbers(self, images):
        table = ImageTable(images, [Factor("x", (0, 1))], np.arange(N)[:, None] % 2.0)
        assert table.factors(range(N)).dtype == np.int64
        assert table.labelled_rows is None
        np.testing.assert_array_equal(
            table.sample_labelled(9, seed=2), table.sample_indices(9, seed=2)
        )

    def test_the_images_are_those_of_the_dataset(self, table, images):
        np.testing.assert_array_equal(table.images([4, 2]), images.images([4, 2]))
        np.testing.assert_array_equal(table.stored([4, 2]), images.stored([4, 2]))
        assert (table.name, len(table), table.image_shape) == ("mine", N, (6, 5, 3))
        assert table.identity == images.identity
        assert "species: 2 categorical, angle: circular" in repr(table)

    @pytest.mark.parametrize(
        ("values", "sentence"),
        [
            (np.zeros((N, 2)), r"numbers of shape \(40, 1\), a row for each image of mine"),
            (np.full((N, 1), "a"), r"a column for each factor, not <U1"),
            (np.full((N, 1), np.inf), "factor 'x' of mine holds infinite values"),
            (np.full((N, 1), 2), "factor 'x' of mine must hold levels from 0 to 1"),
            (np.full((N, 1), 0.5), "must hold levels from 0 to 1"),
        ],
    )
    def test_tables_that_do_not_fit(self, images, values, sentence):
        with pytest.raises(ValueError, match=sentence):
            ImageTable(images, [Factor("x", (0, 1))], values)

    def test_nuisances_that_do_not_fit(self, images):
        values = np.zeros((N, 1))
        with pytest.raises(ValueError, match="mine has no factor 'y' to be a nuisance"):
            ImageTable(images, [Factor("x", (0, 1))], values, nuisances=["y"])
        with pytest.raises(ValueError, match="every factor of mine is a nuisance"):
            ImageTable(images, [Factor("x", (0, 1))], values, nuisances=["x"])

    def test_no_row_without_gaps(self, images):
        table = ImageTable(images, [Factor("x", (0, 1))], np.full((N, 1), np.nan))
        with pytest.raises(ValueError, match="no image of mine has a value of every factor"):
            table.sample_labelled(1, seed=0)


class TestGrid:
    def test_a_nuisance_is_part_of_the_grid_and_not_of_the_factors(self):
        dataset = Instances()
        assert len(dataset) == 6
        assert dataset.factor_names == ("x",)
        assert dataset.factors([3]).tolist() == [[1]]
        assert dataset.all_factors([3]).tolist() == [[1, 1]]

    def test_what_needs_more_says_so(self, table, images):
        assert need_grid(Torus(), "this sets factors").name == "torus"
        with pytest.raises(
            ValueError, match="this sets factors, which needs .* mine is not a full grid"
        ):
            need_grid(table, "this sets factors")
        assert need_factors(table, "this is supervised") is table
        with pytest.raises(ValueError, match="this is supervised and needs .* mine has no factors"):
            need_factors(images, "this is supervised")


class TestIdentity:
    def test_it_follows_the_images(self, rng):
        class Own(ImageDataset):
            name, image_shape = "own", (4, 4, 1)

            def __init__(self, levels):
                self.levels = levels

            def __len__(self):
                return len(self.levels)

            def images(self, indices):
                return self.levels[indices]

        levels = rng.integers(0, 256, (9, 4, 4, 1), dtype=np.uint8)
        other = levels.copy()
        other[5] ^= 1
        assert Own(levels).identity == Own(levels.copy()).identity
        assert len({Own(part).identity for part in (levels, other, levels[:8])}) == 3

    def test_of_selections_it_follows_the_rows(self):
        torus = Torus()
        assert subset(torus, 9, seed=1).identity == subset(torus, 9, seed=1).identity
        assert subset(torus, 9, seed=1).identity != subset(torus, 9, seed=2).identity
        assert subset(torus, 9, seed=1).identity.startswith("torus-rows-")

    def test_drawn_datasets_are_their_names(self):
        assert (DSprites().identity, Torus().identity) == ("dsprites", "torus")


def test_a_subset_keeps_factors_where_there_are_some(table, images):
    part = subset(table, 30, seed=0)
    np.testing.assert_array_equal(part.factors(range(30)), table.factors(part.rows))
    known = part.labelled_rows
    assert np.isfinite(part.factors(known)).all()
    assert len(known) == 30 - sum(row in part.rows for row in (3, 7))
    assert type(subset(images, 30, seed=0)) is Selection
    assert "30 of ImageTable" in repr(part)


@pytest.mark.parametrize("kind", ["float32", "bool", "uint16"])
def test_images_of_other_types_are_converted_before_they_are_resized(kind, rng):
    levels = rng.choice(np.array([0, 255], dtype=np.uint8), size=(6, 8, 8, 1))

    class Own(ImageDataset):
        image_shape = (8, 8, 1)

        def __len__(self):
            return len(levels)

        def images(self, indices):
            found = levels[np.asarray(indices)]
            scaled = {"float32": found / np.float32(255), "bool": found > 0}
            return scaled.get(kind, found * np.uint16(257))

    expected = resized(ArrayDataset(levels), 4).images(range(6))
    np.testing.assert_array_equal(resized(Own(), 4).images(range(6)), expected)
