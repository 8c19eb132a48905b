"""Images of users as datasets: arrays, tensors, and datasets of torch."""

from __future__ import annotations

import functools
import hashlib
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union

import numpy as np

from unweave._check import check_choice, check_indices
from unweave.datasets.dataset import ImageDataset, check_dataset, spread_rows
from unweave.datasets.pixels import PixelScale, as_array, check_one_kind

if TYPE_CHECKING:
    import torch

__all__ = ["ArrayDataset", "ImageSource", "ItemDataset", "as_image_dataset"]

ImageSource = Union["ImageDataset", np.ndarray, "torch.Tensor", "torch.utils.data.Dataset"]
"""What :func:`as_image_dataset` takes."""
Channels = Literal["auto", "last", "first"]
_CHANNELS = (1, 3)
_HASHED = 1 << 24  # bytes at once
_ALPHA_MODES = ("RGBA", "RGBa", "LA", "La", "PA")  # of Pillow
_COPIED_MODES = ("1", "L", "RGB", "I", "I;16", "F")  # of Pillow, whose numbers are levels


class _Converted(ImageDataset):
    """Images that another object holds, converted to uint8 when they are read."""

    def __init__(self, found: tuple[int, ...], channels: Channels, name: str) -> None:
        """Take the shape (height, width, channels) from that of one image."""
        self.name = name
        self._channels_first = _is_channels_first(found, channels, self._what)
        self.image_shape = (*found[1:], found[0]) if self._channels_first else found  # type: ignore[assignment]
        self._pixels = PixelScale(self._what)
        self.images(spread_rows(len(self)))  # what is wrong with them is said now

    @abstractmethod
    def _raw(self, indices: np.ndarray) -> np.ndarray:
        """Images (n, ...) of the rows as they are held."""

    def images(self, indices: object) -> np.ndarray:
        """Images (n, height, width, channels) uint8.

        Raises
        ------
        ValueError
            If the pixels cannot be converted to uint8.
        """
        raw = self._raw(check_indices(indices, len(self)))
        levels = self._pixels.convert(raw)
        self._pixels.refuse_dark()
        return np.moveaxis(levels, 1, -1) if self._channels_first else levels


class ArrayDataset(_Converted):
    """Images in one array, which is not copied.

    Pixels are converted to uint8 batch by batch, by the rule of
    :class:`~unweave.datasets.pixels.PixelScale`.

    Parameters
    ----------
    images
        NumPy array, memory map or torch tensor (n, height, width, channels) or (n, channels,
        height, width), of 1 or 3 channels.
    channels
        Whether the axis of channels is the ``last`` or the ``first`` of an image. ``auto`` takes
        the one that has 1 or 3 entries, and refuses images where both have.
    name
        Names the dataset in messages.

    Raises
    ------
    ValueError
        If there are no images, or their shape or their pixels cannot be used.

    >>> ArrayDataset(np.zeros((5, 8, 8, 1), dtype=bool)).image_shape
    (8, 8, 1)
    """

    def __init__(
        self, images: object, *, channels: Channels = "auto", name: str = "images"
    ) -> None:
        self._array = as_array(images, name)
        if self._array.ndim != 4 or 0 in self._array.shape:
            raise ValueError(
                f"{name} must be of shape (n, height, width, channels) or (n, channels, height, "
                f"width) and not empty, not {self._array.shape}{_mend(self._array.shape)}"
            )
        super().__init__(self._array.shape[1:], channels, name)

    @functools.cached_property
    def identity(self) -> str:
        """The name, and a hash of all images."""
        array = self._array
        digest = hashlib.sha256(f"{array.dtype} {array.shape} {self._channels_first}".encode())
        step = max(1, _HASHED // array[:1].nbytes)
        for start in range(0, len(array), step):
            digest.update(np.ascontiguousarray(array[start : start + step]).data)
        return f"{self.name}-{digest.hexdigest()[:16]}"

    def __len__(self) -> int:
        return len(self._array)

    def __repr__(self) -> str:
        return f"ArrayDataset({len(self)} images of {self.image_shape})"

    def _raw(self, indices: np.ndarray) -> np.ndarray:
        return self._array[indices]


class ItemDataset(_Converted):
    """Images that another object gives one by one, as the map-style datasets of torch do.

    Parameters
    ----------
    items
        Has a length, and gives by number an image, or a tuple whose first element is the image: an
        array, a tensor or a picture of Pillow. All images have one shape.
    channels, name
        As of :class:`ArrayDataset`.

    Raises
    ------
    ValueError
        If there are no images, or their shape or their pixels cannot be used.
    """

    def __init__(self, items: Any, *, channels: Channels = "auto", name: str = "images") -> None:
        self._items = items
        if len(items) == 0:
            raise ValueError(f"{type(items).__name__} is empty: training needs at least one image")
        self._found = self._item(0).shape
        if len(self._found) != 3:
            raise ValueError(
                f"an image must be of shape (height, width, channels) or (channels, height, "
                f"width), not {self._found}{_mend((1, *self._found))}"
            )
        super().__init__(self._found, channels, name)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"ItemDataset({len(self)} images of {self.image_shape})"

    def _raw(self, indices: np.ndarray) -> np.ndarray:
        images = [self._item(int(i)) for i in indices]
        for row, image in zip(indices, images, strict=True):
            if image.shape != self._found:
                raise ValueError(
                    f"image {row} is of shape {image.shape}, and the first one is of "
                    f"{self._found}: give all images the same size and number of channels"
                )
        check_one_kind(images, self._what)
        return np.stack(images) if images else np.empty((0, *self._found), dtype=np.uint8)

    def _item(self, row: int) -> np.ndarray:
        item = self._items[row]
        if isinstance(item, tuple | list):
            item = item[0]
        if isinstance(item, Mapping):
            raise ValueError(
                f"items of {type(self._items).__name__} are mappings with the keys "
                f"{', '.join(map(str, item))}: give the image itself, or a tuple that begins with "
                "it"
            )
        if not hasattr(item, "getbands"):
            return as_array(item, f"image {row}")
        if _is_transparent(item):
            raise ValueError(
                f"image {row} is transparent in part: lay it on a colour, as by a transform with "
                "PIL.Image.alpha_composite"
            )
        array = np.asarray(item if item.mode in _COPIED_MODES else item.convert("RGB"))
        return array[..., None] if array.ndim == 2 else array


def _is_transparent(picture: Any) -> bool:
    """Whether a picture of Pillow has pixels that are not opaque."""
    if picture.mode not in _ALPHA_MODES and "transparency" not in picture.info:
        return False
    return picture.convert("RGBA").getchannel("A").getextrema()[0] < 255


def as_image_dataset(images: Any) -> ImageDataset:
    """A dataset of images from what users have.

    Parameters
    ----------
    images
        An :class:`ImageDataset`; an array or tensor, as of :class:`ArrayDataset`; a map-style
        dataset of torch or a list, as of :class:`ItemDataset`.

    Raises
    ------
    TypeError
        If it is none of these, as a ``DataLoader``.
    ValueError
        If there are no images, or they cannot be used.
    """
    from torch.utils.data import DataLoader, IterableDataset, TensorDataset

    if isinstance(images, ImageDataset):
        check_dataset(images)
        return images
    if isinstance(images, DataLoader):
        raise TypeError(
            "training draws its own batches, and a DataLoader draws them already: pass its "
            "dataset, loader.dataset, and give the batch size as TrainingConfig(batch_size=...)"
        )
    if isinstance(images, TensorDataset):
        return ArrayDataset(images.tensors[0])
    if hasattr(images, "detach") or hasattr(images, "__array__"):
        return ArrayDataset(images)
    by_number = hasattr(images, "__getitem__") and hasattr(images, "__len__")
    if not by_number or isinstance(images, str | bytes | Path | Mapping | IterableDataset):
        raise TypeError(
            f"images cannot be read from {type(images).__name__}: pass an array or tensor (n, "
            "height, width, channels), a dataset that gives images by number, or a subclass of "
            "unweave.datasets.ImageDataset"
        )
    return ItemDataset(images)


def _is_channels_first(shape: tuple[int, ...], channels: Channels, what: str) -> bool:
    """Whether the first axis of an image of this shape is that of channels."""
    check_choice("order of channels", channels, ("auto", "last", "first"))
    first, last = shape[0] in _CHANNELS, shape[-1] in _CHANNELS
    if channels == "first" and first or channels == "last" and last:
        return channels == "first"
    if channels == "auto" and first != last:
        return first
    if channels == "auto" and first:
        raise ValueError(
            f"{what} are of shape {shape}, whose first and last axes could both be channels: say "
            'which with ArrayDataset(images, channels="last") or channels="first"'
        )
    raise ValueError(
        f"{what} are of shape {shape}, and one channel (grayscale) or three (colour) were needed"
        f"{_mend((1, *shape))}"
    )


def _mend(shape: tuple[int, ...]) -> str:
    """What to do about the shape of images, where that can be seen."""
    if len(shape) == 3:
        return ": for grayscale images, add the channel axis with images[..., None]"
    if len(shape) == 2:
        return ": unflatten them with images.reshape(-1, height, width, channels)"
    if len(shape) == 4 and shape[3] == 4:
        return ": leave out the fourth channel with images[..., :3]"
    return ""
