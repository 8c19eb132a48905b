import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images

from unweave.datasets import DSprites
from unweave.encoders import Preprocessing, load_encoder
from unweave.encoders.preprocessing import checked_images

SPRITES = DSprites().images(np.arange(0, 737_280, 99_991))
PHOTOGRAPHS = np.stack(load_sample_images().images)[:, 40:232, 100:292]


def by_pillow(image, size, filter_, mean, std):
    picture = Image.fromarray(image.squeeze()).resize((size, size), filter_).convert("RGB")
    pixels = np.asarray(picture, dtype=np.float64) / 255
    return ((pixels - mean) / std).transpose(2, 0, 1)


@pytest.mark.parametrize("size", [48, 224, 299])
@pytest.mark.parametrize(
    ("name", "filter_"), [("bicubic", Image.BICUBIC), ("bilinear", Image.BILINEAR)]
)
@pytest.mark.parametrize("images", [SPRITES, PHOTOGRAPHS], ids=["sprites", "photographs"])
def test_it_is_pillow_to_two_levels_and_nearly_always_the_same(images, size, name, filter_):
    mean, std = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)
    found = Preprocessing((size, size), mean, std, interpolation=name)(torch.from_numpy(images))
    expected = np.stack([by_pillow(image, size, filter_, mean, std) for image in images])
    assert found.shape == (len(images), 3, size, size)
    levels = np.abs(found.numpy() - expected) * 255 * np.array(std).reshape(1, 3, 1, 1)
    assert levels.max() < 2.01
    assert (levels > 0.5).mean() < 0.03  # and nearly always the same one


def test_almost_black_images_are_rounded_as_pillow_rounds_them():
    """The paper's notebook: zeros and ones of 255, resized in whole levels."""
    black = SPRITES // 255
    found = Preprocessing((224, 224))(torch.from_numpy(black)).numpy() * 255
    expected = [
        np.asarray(Image.fromarray(i[..., 0]).resize((224, 224), Image.BICUBIC)) for i in black
    ]
    assert set(np.unique(found.round())) == {0.0, 1.0}
    assert (found[:, 0].round() != np.stack(expected)).mean() < 1e-3


@pytest.mark.parametrize(
    "images", [SPRITES, SPRITES > 0, (SPRITES > 0).astype(float), SPRITES[..., 0]]
)
def test_white_is_white_however_it_is_written(images):
    np.testing.assert_array_equal(checked_images(images), SPRITES)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (SPRITES // 255, "hold only zeros and ones.*multiply them by 255, or give them as bool"),
        (SPRITES.astype(float), r"run from 0 to 255, and floats must lie in \[0, 1\]: divide them"),
        (SPRITES.astype(np.int64), r"are int64, and uint8 .* were needed: .*astype\(numpy.uint8\)"),
        (SPRITES[:0], r"not empty, not of shape \(0, 64, 64, 1\)"),
        (np.full((1, 4, 4, 1), np.nan), "hold 16 nan or infinite values"),
    ],
)
def test_other_images_are_refused(images, message):
    with pytest.raises(ValueError, match=message):
        checked_images(images)


def test_zeros_and_ones_can_be_shown_as_they_are():
    np.testing.assert_array_equal(checked_images(SPRITES // 255, unscaled=True), SPRITES // 255)
    pixels = load_encoder("pixels")
    np.testing.assert_allclose(
        pixels.encode(SPRITES // 255, unscaled=True) * 255, pixels.encode(SPRITES)
    )


def test_channels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="have 3 channels, and the encoder takes 1"):
        Preprocessing((64, 64), channels=1)(torch.zeros(1, 8, 8, 3, dtype=torch.uint8))
