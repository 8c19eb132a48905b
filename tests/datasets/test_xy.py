"""Squares and columns, against the rules that disent's datasets are defined by."""

import pickle

import numpy as np
import pytest

from unweave.datasets import (
    DATASETS,
    Translation,
    XColumns,
    XYObject,
    XYObjectShaded,
    XYSingleSquare,
    XYSquares,
    XYSquaresMinimal,
    load,
)

RAINBOW = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1]]) * 255


def some_rows(dataset, n=60):
    return np.random.default_rng(0).integers(0, len(dataset), n)


@pytest.mark.parametrize("dataset", [XYSquares(), XYSquaresMinimal()], ids=lambda d: d.name)
def test_xysquares_are_three_squares_of_eight_pixels(dataset):
    assert len(dataset) == 8**6
    assert dataset.factor_names == ("x_R", "y_R", "x_G", "y_G", "x_B", "y_B")
    rows = some_rows(dataset)
    for image, levels in zip(dataset.images(rows), dataset.factors(rows), strict=True):
        expected = np.zeros((64, 64, 3), np.uint8)
        for channel, (x, y) in enumerate(8 * levels.reshape(3, 2)):
            expected[y : y + 8, x : x + 8, channel] = 255
        np.testing.assert_array_equal(image, expected)


def test_xysquares_are_all_equally_far_apart_and_overlapping_ones_are_not():
    """A square that moves changes 128 pixels, wherever it moves to."""

    def changed_pixels(dataset):
        rows = dataset.space.indices([[x, 0, 0, 0, 0, 0] for x in range(8)])
        return (dataset.images(rows)[1:] != dataset.images(rows[:1])).sum(axis=(1, 2, 3))

    np.testing.assert_array_equal(changed_pixels(XYSquares()), 128)
    np.testing.assert_array_equal(
        changed_pixels(XYSquares(grid_spacing=2)), [32, 64, 96, 128, 128, 128, 128]
    )


def test_a_smaller_grid_stands_in_the_middle():
    dataset = XYSquares(square_size=5, image_size=32, grid_spacing=3, grid_size=4, n_squares=1)
    assert dataset.space.sizes == (4, 4)
    first, last = dataset.images([0, 15])[..., 0]
    begin = (32 - (5 + 3 * 3)) // 2
    assert (np.argwhere(first).min(), np.argwhere(first).max()) == (begin, begin + 4)
    assert (np.argwhere(last).min(), np.argwhere(last).max()) == (begin + 9, begin + 13)


def test_one_channel_is_white_where_any_square_is():
    colour, grey = XYSquares(n_squares=2), XYSquares(n_squares=2, rgb=False)
    rows = some_rows(colour)
    assert grey.image_shape == (64, 64, 1)
    np.testing.assert_array_equal(grey.images(rows), colour.images(rows).max(axis=3, keepdims=True))


def test_columns_are_as_high_as_the_image():
    dataset = XColumns()
    assert dataset.space.sizes == (8, 8, 8)
    (image,) = dataset.images(dataset.space.indices([[1, 5, 7]]))
    for channel, x in enumerate((1, 5, 7)):
        expected = np.zeros(64, np.uint8)
        expected[8 * x : 8 * x + 8] = 255
        np.testing.assert_array_equal(image[..., channel], np.tile(expected, (64, 1)))


def test_a_single_square_is_the_red_one_of_three():
    three, one = XYSquares(), XYSingleSquare()
    rows = three.space.indices([[x, y, 0, 0, 0, 0] for x in range(8) for y in range(8)])
    np.testing.assert_array_equal(one.images(np.arange(64)), three.images(rows)[..., :1])


@pytest.mark.parametrize("kind", [XYObject, XYObjectShaded])
def test_xyobject_is_a_square_of_five_sizes_in_shades_of_the_rainbow(kind):
    dataset = kind()
    assert len(dataset) == 75_000
    rows = some_rows(dataset)
    for image, levels in zip(dataset.images(rows), dataset.factors(rows), strict=True):
        x, y, scale, *colour = levels
        shade, hue = divmod(colour[0], 6) if kind is XYObject else colour
        size = 7 + 2 * scale
        left, top = 2 * x + (15 - size) // 2, 2 * y + (15 - size) // 2
        expected = np.zeros((64, 64, 3), np.uint8)
        expected[top : top + size, left : left + size] = RAINBOW[hue] * (shade + 1) // 4
        np.testing.assert_array_equal(image, expected)


def test_hues_are_a_circle_where_they_are_one():
    def colour(dataset):
        return dataset.space.factors[-1]

    assert colour(XYObject()).kind == "categorical"
    assert colour(XYObject()).labels[6:8] == ("red 2/4", "yellow 2/4")
    for dataset in (XYObjectShaded(), XYObject(palette="rgb_1")):
        assert colour(dataset).kind == "circular"
        assert [s.factor for s in dataset.symmetries] == ["x", "y", "color"]
    # White stands nowhere on the circle of hues.
    assert colour(XYObject(palette="colors_1")).kind == "categorical"
    assert XYObject(palette="colors_1").binary
    assert not XYObject().binary


@pytest.mark.parametrize("dataset", [XYSquares(), XYObject()], ids=lambda d: d.name)
def test_translations_move_the_images(dataset):
    """A shift of one square is one of its pixels, for those elements that keep it inside."""
    space, group = dataset.space, dataset.symmetries[0]
    assert group == Translation(space.names[0], space.sizes[0])
    step = 8 if dataset.name == "xysquares" else 2
    levels = space.levels(some_rows(dataset))
    moved = group.act(levels, 3, space)
    inside = moved[:, 0] >= 0
    before = dataset.images(space.indices(levels[inside]))
    after = dataset.images(space.indices(moved[inside]))
    np.testing.assert_array_equal(after[..., 0], np.roll(before[..., 0], 3 * step, axis=2))


@pytest.mark.parametrize(
    "name",
    ["xysquares", "xysquares_minimal", "xysinglesquare", "xcolumns", "xyobject", "xyobject_shaded"],
)
def test_each_is_in_the_catalogue_travels_and_packs(name):
    dataset, entry = load(name), DATASETS[name]
    assert (len(dataset), dataset.image_shape) == (entry.n_images, entry.image_shape)
    assert entry.factors == ", ".join(f"{f.name} {f.size}" for f in dataset.scored)
    rows = some_rows(dataset)
    travelled = pickle.loads(pickle.dumps(dataset))
    assert travelled.identity == dataset.identity
    np.testing.assert_array_equal(travelled.images(rows), dataset.images(rows))
    stored = dataset.stored(rows)
    if dataset.binary:
        stored = np.unpackbits(stored, axis=1) * 255
    np.testing.assert_array_equal(stored, dataset.images(rows).reshape(len(rows), -1))


def test_other_settings_are_other_datasets():
    datasets = [
        XYSquares(), XYSquares(grid_spacing=4), XYSquares(grid_size=4), XYSquares(n_squares=2),
        XYSquares(rgb=False), XYSquares(image_size=72, grid_size=8), XColumns(), XYSingleSquare(),
        XYObject(), XYObject(palette="rainbow_1"), XYObject(min_square_size=9), XYObjectShaded(),
        XYObject(image_size=65, grid_spacing=2), XYObjectShaded(palette="rgb_4"),
    ]  # fmt: skip
    assert len({dataset.identity for dataset in datasets}) == len(datasets)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: XYSquares(square_size=65), "is larger than the image"),
        (lambda: XYSquares(square_size=0), "square_size must be a whole number of at least 1"),
        (lambda: XYSquares(grid_size=9), "is more than the 8 places that fit"),
        (lambda: XColumns(n_squares=4), "there are three colours"),
        (lambda: XYObject(palette="rainbow_3"), "did you mean 'rainbow_"),
        (lambda: XYObject(min_square_size=17), "min_square_size must be at most max_square_size"),
        (lambda: XYObjectShaded(image_size=14), "and that at most image_size"),
    ],
)
def test_measures_that_do_not_fit_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
