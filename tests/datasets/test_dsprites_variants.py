"""Variants of dSprites, against the definitions of disentanglement_lib."""

import pickle

import numpy as np
import pytest
from PIL import Image

from unweave.datasets import (
    DATASETS,
    AbstractDSprites,
    BackgroundDSprites,
    ColorDSprites,
    DSprites,
    NoisyDSprites,
    load,
)
from unweave.datasets.drawn import _painting

ROWS = np.random.default_rng(0).integers(0, len(DSprites()), 300)
SPRITES = DSprites().images(ROWS) == 255  # (n, 64, 64, 1)
N = len(ROWS)


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (90, 130, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "own.png")
    return tmp_path / "own.png", pixels


def levels(values):
    return np.rint(255 * values).astype(np.uint8)


class TestArithmetic:
    """The same random numbers give the same pixels as the definition in floats, rounded."""

    packed = DSprites().stored(ROWS)
    state = np.random.RandomState(3)  # which disentanglement_lib draws from

    def test_colour(self):
        colours = self.state.uniform(0.5, 1, (N, 1, 1, 3))
        drawn = _painting.paint(
            self.packed, _painting.levels_of(colours[:, 0, 0]), np.zeros((N, 3), np.uint8)
        )
        np.testing.assert_array_equal(drawn, levels(SPRITES * colours))

    def test_noise(self):
        noise = self.state.uniform(0, 1, (N, 64, 64, 3))
        drawn = _painting.put_on_noise(self.packed, noise.reshape(N, -1))
        np.testing.assert_array_equal(drawn, levels(np.minimum(SPRITES + noise, 1)))

    def test_picture(self):
        picture = self.state.randint(0, 256, (90, 130, 3)) / 255
        corners = np.stack([self.state.randint(0, 26, N), self.state.randint(0, 66, N)], axis=1)
        tints = self.state.uniform(0, 1, (N, 3))
        drawn = _painting.invert_on_picture(self.packed, picture, corners, tints)
        for i, (row, column) in enumerate(corners):
            expected = (picture[row : row + 64, column : column + 64] + tints[i]) / 2
            expected = np.where(SPRITES[i], 1 - expected, expected)
            np.testing.assert_array_equal(drawn[i], levels(expected))


def test_numbers_of_a_row_are_a_piece_of_one_stream():
    """Whichever rows are asked for, in whichever order, they are as all rows in their order."""
    for n, dtype in ((3, np.float64), (6, np.float32)):
        every = _painting.row_uniforms(5, np.arange(50), n, dtype)
        np.testing.assert_array_equal(
            _painting.row_uniforms(5, np.array([49, 3, 3, 0]), n, dtype), every[[49, 3, 3, 0]]
        )
        assert len(np.unique(every)) == every.size
    far = _painting.row_uniforms(5, np.array([22_000_000]), 3)
    assert not np.isin(far, every).any()


def test_colours_of_sprites_are_uniform_between_a_half_and_one():
    images = ColorDSprites(seed=2).images(ROWS)
    brightest = images.reshape(N, -1, 3).max(axis=1)
    assert not images[~SPRITES[..., 0]].any()
    np.testing.assert_array_equal(images, SPRITES * brightest[:, None, None])
    assert brightest.min() >= 127
    assert brightest.max() <= 255
    standard_error = 127.5 / np.sqrt(12 * N)
    np.testing.assert_allclose(brightest.mean(axis=0), 191.25, atol=4 * standard_error)
    assert np.abs(np.corrcoef(brightest.T) - np.eye(3)).max() < 4 / np.sqrt(N)


def test_noise_is_uniform_and_the_sprite_white():
    images = NoisyDSprites().images(ROWS[:40])
    inside = SPRITES[:40, ..., 0]
    assert (images[inside] == 255).all()
    counts = np.bincount(images[~inside].ravel(), minlength=256)
    # Rounded uniform numbers: half as much at both ends.
    expected = np.full(256, 1 / 255)
    expected[[0, 255]] /= 2
    expected *= counts.sum()
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert 255 - 4 * np.sqrt(2 * 255) < chi_square < 255 + 4 * np.sqrt(2 * 255)


def test_a_picture_stands_behind_the_sprite_and_is_inverted_there(picture):
    path, pixels = picture
    dataset = BackgroundDSprites(path, seed=1)
    corners = np.array([[r, c] for r in range(26) for c in range(66)])  # the last ones never
    seen = set()
    for row, image in zip(ROWS[:8], dataset.images(ROWS[:8]).astype(float), strict=True):
        inside = DSprites().images([row])[0] == 255
        behind = np.where(inside, 255 - image, image)
        # Twice the background less the patch is the tint, the same for all pixels.
        for top, left in corners:
            patch = pixels[top : top + 64, left : left + 64].astype(float)
            if np.ptp((2 * behind - patch)[:4, :4], axis=(0, 1)).max() <= 2:
                tint = 2 * behind - patch
                assert np.ptp(tint, axis=(0, 1)).max() <= 2
                assert tint.min() >= -1.01
                assert tint.max() <= 256.01
                seen.add((top, left))
                break
        else:
            pytest.fail("no patch of the picture is behind the sprite")
    assert len(seen) == 8


def test_without_a_picture_there_is_one_and_both_kinds_of_paths_are_taken(picture):
    path, _ = picture
    assert BackgroundDSprites().images([0]).std() > 5
    assert BackgroundDSprites()._levels.shape == (234, 350, 3)
    np.testing.assert_array_equal(
        BackgroundDSprites(str(path)).images([7]), BackgroundDSprites(path).images([7])
    )


def test_abstract_factors_are_those_of_the_definition_and_orientation_is_a_nuisance():
    dataset = AbstractDSprites()
    assert len(dataset) == 5 * 6 * 3 * 6 * 40 * 32 * 32
    assert [f.size for f in dataset.scored] == [5, 6, 3, 6, 32, 32]
    assert dataset.nuisances == ("orientation",)
    drawn = dataset.space.sample(N, random_state=0)
    assert dataset.factors(dataset.space.indices(drawn)).shape == (N, 6)
    images = dataset.images(dataset.space.indices(drawn))
    inside = DSprites().images(DSprites.space.indices(drawn[:, 2:])) == 255
    grey = np.array([0, 64, 128, 191, 255])[drawn[:, 0], None, None, None]
    orange, pink = (232, 150, 93), (232, 141, 191)
    for level, colour in ((0, orange), (5, pink)):
        own = drawn[:, 1] == level
        np.testing.assert_array_equal(images[own], np.where(inside, colour, grey)[own])


VARIANTS = (ColorDSprites, NoisyDSprites, BackgroundDSprites, AbstractDSprites)


@pytest.mark.parametrize("kind", VARIANTS)
def test_images_follow_from_the_row(kind):
    dataset = kind()
    entry = DATASETS[dataset.name]
    assert load(dataset.name).identity == dataset.identity
    assert (len(dataset), dataset.image_shape) == (entry.n_images, entry.image_shape)
    images = dataset.images(ROWS[:50])
    np.testing.assert_array_equal(dataset.images(ROWS[:50][::-1]), images[::-1])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(dataset)).images(ROWS[:50]), images)
    np.testing.assert_array_equal(dataset.stored(ROWS[:50]), images.reshape(50, -1))


@pytest.mark.parametrize("kind", VARIANTS[:3])
def test_another_seed_gives_other_images_and_another_identity(kind):
    first, second = kind(), kind(seed=1)
    assert first.identity != second.identity
    assert not np.array_equal(first.images([5]), second.images([5]))
    with pytest.raises(ValueError, match="seed must be a whole number of at least 0"):
        kind(seed=-1)


def test_another_picture_gives_another_identity(picture):
    path, pixels = picture
    before = BackgroundDSprites(path).identity
    assert before != BackgroundDSprites().identity
    Image.fromarray(255 - pixels).save(path)
    assert BackgroundDSprites(path).identity != before


def test_sprites_of_the_cache_are_painted(shared_cache):
    dataset = ColorDSprites()
    images = dataset.images(ROWS)
    assert dataset.prepare() is dataset
    assert dataset._sprites.is_prepared
    np.testing.assert_array_equal(dataset.images(ROWS), images)


@pytest.mark.parametrize(
    ("mode", "size", "message"),
    [
        ("RGBA", (100, 100), "is transparent or not of 8 bits"),
        ("I;16", (100, 100), "save it as an opaque picture of 8 bits"),
        ("RGB", (64, 200), "give a larger or less narrow picture"),
        ("L", (3000, 300), "350 x 35 pixels once it fits"),
    ],
)
def test_pictures_that_cannot_stand_behind_sprites_are_refused(tmp_path, mode, size, message):
    Image.new(mode, size).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=message):
        BackgroundDSprites(tmp_path / "a.png")


def test_a_picture_must_be_there_and_be_one(tmp_path):
    with pytest.raises(FileNotFoundError, match="give the path of a picture file"):
        BackgroundDSprites(tmp_path / "none.png")
    (tmp_path / "a.png").write_bytes(b"\x89PNG cut off")
    with pytest.raises(ValueError, match="cannot be read as a picture"):
        BackgroundDSprites(tmp_path / "a.png")


def test_grey_pictures_become_coloured_by_their_tint(tmp_path):
    Image.new("L", (100, 100), 128).save(tmp_path / "grey.jpg")
    assert BackgroundDSprites(tmp_path / "grey.jpg").images([0]).shape == (1, 64, 64, 3)
