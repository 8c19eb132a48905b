import numpy as np
import pytest

from unweave.datasets import CyclicShift, DSprites, Torus, Translation, load

TORUS = Torus()


def test_no_two_images_are_equal():
    images = TORUS.images(np.arange(len(TORUS)))
    assert len(np.unique(images.reshape(len(TORUS), -1), axis=0)) == len(TORUS) == 4096
    assert images.dtype == np.uint8
    assert load("torus").image_shape == (32, 32, 1)


@pytest.mark.parametrize(("factor", "axis"), [("x", 2), ("y", 1)])
def test_a_shift_is_one_of_pixels_round_the_image(factor, axis):
    group = next(s for s in TORUS.symmetries if s.factor == factor)
    rows = np.random.default_rng(0).integers(0, len(TORUS), 50)
    levels = TORUS.space.levels(rows)
    for element in (1, 5, 15):
        moved = TORUS.images(TORUS.space.indices(group.act(levels, element, TORUS.space)))
        np.testing.assert_array_equal(moved, np.roll(TORUS.images(rows), 2 * element, axis=axis))


def test_a_quarter_turn_is_one_of_the_image():
    level = np.array([[0, 8, 8], [4, 8, 8]])
    first, turned = TORUS.images(TORUS.space.indices(level))[..., 0].astype(int)
    # The arrow's centre is a pixel: turn about it, with the last row and column left out.
    np.testing.assert_allclose(np.rot90(first[1:, 1:], -1), turned[1:, 1:], atol=1)


@pytest.mark.parametrize("dataset", [TORUS, DSprites()], ids=lambda d: d.name)
def test_groups_act_as_groups(dataset):
    levels = dataset.space.levels(np.random.default_rng(0).integers(0, len(dataset), 200))
    for group in dataset.symmetries:
        column = dataset.space.position(group.factor)
        levels[:, column] %= group.n_levels
        for first, second in ((1, 2), (2, 3)):
            once = group.act(levels, first, dataset.space)
            inside = once[:, column] >= 0
            twice = group.act(once[inside], second, dataset.space)
            joined = group.act(levels[inside], group.compose(first, second), dataset.space)
            np.testing.assert_array_equal(twice, joined)
            others = np.delete(np.arange(levels.shape[1]), column)
            np.testing.assert_array_equal(once[:, others], levels[:, others])


def test_cyclic_shifts_come_back_and_translations_leave():
    space = DSprites().space
    levels = np.zeros((1, 5), dtype=int)
    turn = CyclicShift("orientation", 39)
    assert turn.compose(20, 19) == 0
    np.testing.assert_array_equal(turn.act(levels, 39, space), levels)
    assert Translation("posX", 32).act(levels, -1, space)[0, 3] == -1
    assert list(Translation("posX", 32).elements) == [*range(-8, 0), *range(1, 9)]
