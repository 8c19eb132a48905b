"""Pixels of users: the rule of conversion, and what it refuses."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, Subset, TensorDataset

from unweave.datasets import ArrayDataset, ImageDataset, Torus, as_image_dataset
from unweave.datasets.own.arrays import ItemDataset
from unweave.datasets.pixels import PixelScale, to_uint8


@pytest.fixture(scope="module")
def levels():
    """Images with every level from 0 to 255."""
    return (
        np.random.default_rng(0)
        .permuted(np.arange(4 * 256) % 256)
        .reshape(4, 16, 16, 1)
        .astype("u1")
    )


@pytest.mark.parametrize(
    "written",
    [
        lambda x: x,
        lambda x: x.astype(np.float32) / 255,
        lambda x: x / 255,
        lambda x: x.astype(np.uint16) * 257,
        lambda x: (x.astype(np.uint16) * 257).astype(">u2"),
        lambda x: np.rint(x / 255 * 65_535).astype(np.uint16),
        lambda x: x / 255 + 1e-7 * (x > 254),
        lambda x: torch.from_numpy(x),
        lambda x: torch.from_numpy(x / 255).requires_grad_(),
        list,
    ],
    ids=["uint8", "float32", "float64", "uint16", "big-endian", "rounded", "a rounding above 1",
         "tensor", "with gradient", "list"],
)  # fmt: skip
def test_the_same_image_has_the_same_levels_however_it_is_written(levels, written):
    converted = to_uint8(written(levels))
    assert converted.dtype == np.uint8
    np.testing.assert_array_equal(converted, levels)


def test_bool_is_black_and_white(levels):
    np.testing.assert_array_equal(to_uint8(levels > 99), np.where(levels > 99, 255, 0))


def test_sixteen_bits_are_rounded_to_the_nearest_level():
    x = np.arange(65_536, dtype=np.uint16)
    np.testing.assert_array_equal(to_uint8(x), np.rint(x / 257))


def test_bfloat16_is_read():
    white = torch.ones(2, 8, 8, 1, dtype=torch.bfloat16)
    assert (to_uint8(white) == 255).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x / 127.5 - 1, r"run from -1 to 1.*\[0, 1\]: if -1 is black, give \(images"),
        (lambda x: x.astype(float), "run from 0 to 255.*divide them by 255"),
        (lambda x: x / 255 * 16, "run from 0 to 16.*the value of white, for example 16"),
        (lambda x: (x - x.mean()) / x.std(), "rescale them so that 0 is black"),
        (lambda x: x / 127.5, r"run from 0 to 2, .*rescale them"),
        (lambda x: x * 1e3, "rescale them so that 0 is black"),
        (lambda x: x // 255, "only zeros and ones.*multiply them by 255, or give them as bool"),
        (lambda x: x / 255**2, "very dark.*divided by 255 twice"),
        (lambda x: x.astype(np.uint16) * 16, "very dark: .* 4080 .* 14-bit ones by 64, 16"),
        (lambda x: x.astype(np.uint16), "very dark: .* 255 where white is 65535; convert"),
        (lambda x: x.astype(np.int64), r"are int64, .*astype\(numpy.uint8\)"),
        (lambda x: (x > 9).astype(np.int32), r"are int32, .*astype\(bool\)"),
        (lambda x: x.astype(np.int16) - 128, "are int16, and uint8"),
        (lambda x: x.astype(np.uint32) * 2**24, "are uint32, and uint8"),
        (lambda x: x.astype(complex), "are complex128"),
        (lambda x: np.where(x == 7, np.nan, x / 255), "hold 4 nan or infinite values"),
        (lambda x: np.where(x == 7, np.inf, x / 255), "hold 4 nan or infinite values"),
        (lambda x: np.ma.masked_equal(x, 7), "4 masked values"),
        (lambda x: [*x, x[0] > 0], "different types, as uint8 and bool .number"),
        (lambda x: [x[0], x[1, :8]], "all images of one shape"),
        (lambda x: x.astype(str), "must be an array of numbers"),
    ],
)  # fmt: skip
def test_what_cannot_be_known_is_refused(levels, change, message):
    with pytest.raises(ValueError, match=message):
        to_uint8(change(levels))


def test_black_images_are_images():
    for dtype in (np.uint8, np.uint16, np.float32, bool):
        assert not to_uint8(np.zeros((3, 8, 8, 1), dtype=dtype)).any()


def test_a_memory_map_of_levels_is_not_copied(levels, tmp_path):
    np.save(tmp_path / "x.npy", levels)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.shares_memory(to_uint8(mapped), mapped)


def test_the_first_batch_decides_for_all():
    scale = PixelScale("the images of mine")
    black = np.zeros((2, 4, 4, 1), dtype=np.uint8)
    scale.convert(black)
    scale.refuse_dark()
    scale.convert(black + np.uint8(200))
    scale.convert(black + np.uint8(1))  # dark, but others were not
    scale.refuse_dark()
    with pytest.raises(ValueError, match="the images of mine were uint8 before and are float64"):
        scale.convert(black / 255)


def test_a_black_batch_does_not_settle_the_range():
    scale = PixelScale()
    scale.convert(np.zeros((2, 4, 4, 1), dtype=np.uint8))
    scale.refuse_dark()
    scale.convert(np.ones((2, 4, 4, 1), dtype=np.uint8))
    with pytest.raises(ValueError, match="hold only zeros and ones"):
        scale.refuse_dark()


class Own(ImageDataset):
    """What a user writes."""

    image_shape = (16, 16, 1)

    def __init__(self, array, returned=None):
        self.array = array
        self.returned = returned or (lambda images: images)

    def __len__(self):
        return len(self.array)

    def images(self, indices):
        return self.returned(self.array[indices])


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda x: x[..., 0], r"channel axis is missing; add it with images\[..., None\]"),
        (lambda x: x[:-1], r"of shape \(3, 16, 16, 1\).* not \(2, 16, 16, 1\)"),
        (lambda x: x.transpose(0, 3, 1, 2), r"channels come last; .*moveaxis\(images, 1, -1\)"),
        (lambda x: np.repeat(x, 3, axis=3), "for colour images in grayscale"),
        (lambda x: x.reshape(len(x), -1), r"images.reshape\(-1, 16, 16, 1\)"),
        (lambda x: x[:, :8], r"not \(3, 8, 16, 1\)"),
        (lambda x: x[0], r"not \(16, 16, 1\): the axis of images is missing"),
        (lambda x: None, "must be an array of numbers"),
    ],
)  # fmt: skip
def test_images_of_another_shape_than_promised_are_refused(levels, returned, message):
    with pytest.raises(ValueError, match=message):
        Own(levels[:3], returned).stored([0, 1, 2])


def test_what_a_dataset_stores_are_levels(levels):
    stored = Own(levels / 255).stored([2, 0])
    np.testing.assert_array_equal(stored, levels[[2, 0]].reshape(2, -1))


def test_a_dataset_of_zeros_and_ones_is_refused_though_the_batch_is_black(levels):
    array = (levels > 200).astype(np.uint8)
    array[0] = 0
    with pytest.raises(ValueError, match="the images of images are uint8 and hold only zeros"):
        Own(array).stored([0])


def test_zeros_and_ones_are_refused_where_they_first_show(levels):
    """Not among the 64 images that are looked at first, all of which are black."""
    array = np.zeros((100, 16, 16, 1), dtype=np.uint8)
    row = np.setdiff1d(np.arange(100), np.linspace(0, 99, 64).astype(int))[0]
    array[row, 3] = 1
    dataset = Own(array)
    assert not dataset.stored([0]).any()
    with pytest.raises(ValueError, match="hold only zeros and ones"):
        dataset.stored([row])


def test_a_dark_batch_of_bright_images_is_taken(levels):
    array = levels.copy()
    array[0] %= 2
    assert Own(array).stored([0]).max() == 1


def test_grey_pixels_of_a_binary_dataset_are_refused(levels):
    dataset = Own(levels)
    dataset.binary = True
    with pytest.raises(ValueError, match="hold grey pixels.*set binary to False"):
        dataset.stored([0])
    dataset = Own(levels > 99)
    dataset.binary = True
    np.testing.assert_array_equal(
        np.unpackbits(dataset.stored([1]), axis=1), (levels[[1]] > 99).reshape(1, -1)
    )


def test_arrays_are_datasets(levels):
    colour = np.repeat(levels, 3, axis=3)
    for given, shape in [
        (levels, (16, 16, 1)),
        (colour, (16, 16, 3)),
        (torch.from_numpy(colour.transpose(0, 3, 1, 2) / 255), (16, 16, 3)),
        (TensorDataset(torch.from_numpy(levels), torch.zeros(4)), (16, 16, 1)),
        ([(image, 0) for image in levels], (16, 16, 1)),
        (Subset(TensorDataset(torch.from_numpy(levels)), range(4)), (16, 16, 1)),
    ]:  # fmt: skip
        dataset = as_image_dataset(given)
        assert (len(dataset), dataset.image_shape) == (4, shape)
        expected = colour if shape[2] == 3 else levels
        np.testing.assert_array_equal(dataset.images([3, 1]), expected[[3, 1]])
        np.testing.assert_array_equal(dataset.stored([3, 1]), expected[[3, 1]].reshape(2, -1))


def test_pictures_are_read_by_their_colours(levels):
    from PIL import Image

    grey = [Image.fromarray(image[..., 0]) for image in levels]
    np.testing.assert_array_equal(ItemDataset(grey).images(range(4)), levels)
    for mode in ("RGBA", "P", "RGB"):
        dataset = ItemDataset([image.convert("RGB").convert(mode) for image in grey])
        assert dataset.image_shape == (16, 16, 3)
    black_and_white = ItemDataset(
        [image.point(lambda v: 255 * (v > 99), mode="1") for image in grey]
    )
    np.testing.assert_array_equal(black_and_white.images([0]), np.where(levels[:1] > 99, 255, 0))


def test_a_dataset_stays_what_it_is():
    torus = Torus()
    assert as_image_dataset(torus) is torus


def test_images_that_could_be_read_either_way_are_refused():
    array = np.full((5, 3, 9, 3), 255, dtype=np.uint8)
    with pytest.raises(ValueError, match='could both be channels.*channels="last"'):
        ArrayDataset(array)
    assert ArrayDataset(array, channels="first").image_shape == (9, 3, 3)
    assert ArrayDataset(array, channels="last").image_shape == (3, 9, 3)


class Mappings:
    def __len__(self):
        return 3

    def __getitem__(self, row):
        return {"image": np.zeros((8, 8, 1)), "label": 0}


class Stream(IterableDataset):
    def __iter__(self):
        yield np.zeros((8, 8, 1))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((5, 8, 8)), r"add the channel axis with images\[..., None\]"),
        (np.zeros((5, 64)), r"unflatten them with images.reshape"),
        (np.zeros((0, 8, 8, 1)), "not empty"),
        (np.zeros((5, 8, 8, 4)), r"fourth channel with images\[..., :3\]"),
        (np.zeros((5, 8, 8, 2)), "one channel .* or three"),
        (np.full((5, 8, 8, 1), 2.0), "run from 2 to 2"),
        ([], "is empty"),
        ([np.zeros((8, 8))], r"add the channel axis"),
        ([np.zeros((8, 8, 1)), np.zeros((8, 9, 1))], r"image 1 is of shape \(8, 9, 1\)"),
        (Mappings(), "mappings with the keys image, label"),
        (Stream(), "cannot be read from Stream"),
        ("folder", "cannot be read from str"),
        ({"x": 1}, "cannot be read from dict"),
        (None, "cannot be read from NoneType"),
        (iter([1]), "cannot be read from list_iterator"),
        (DataLoader(TensorDataset(torch.zeros(4, 1, 8, 8))),
         "pass its dataset, loader.dataset"),
    ],
)  # fmt: skip
def test_what_is_no_dataset_is_refused(given, message):
    with pytest.raises((ValueError, TypeError), match=message):
        as_image_dataset(given)


def test_a_dataset_without_images_or_shape_is_refused(levels):
    with pytest.raises(ValueError, match="Own is empty"):
        as_image_dataset(Own(levels[:0]))
    for shape in ((16, 16), None, (16, 16, 0), "16"):
        dataset = Own(levels)
        dataset.image_shape = shape
        with pytest.raises(ValueError, match=r"image_shape of Own must be \(height, width, chan"):
            as_image_dataset(dataset)
