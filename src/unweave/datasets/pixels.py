"""Pixels of users as uint8 levels: the one rule by which they are converted, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["PixelScale", "as_array", "check_one_kind", "check_shape", "to_uint8"]

_WHITE = {"bool": 1, "uint8": 255, "uint16": 65_535, "float": 1.0}
"""What stands for white in each kind of number; black is 0."""
_TOO_DARK = {"bool": 0, "uint8": 1, "uint16": 2**14 - 1, "float": 1 / 255 + 1e-6}
"""Images whose brightest pixel is not brighter were given in another range than their kind has."""
_MEND = {
    "uint8": "multiply them by 255, or give them as bool",
    "uint16": "convert 8-bit images to uint8, and multiply 10-, 12- or 14-bit ones by 64, 16 or 4",
    "float": "they may have been divided by 255 twice: divide them once",
}
_ROUNDING = 1e-6
_CHUNK = 256  # images


class PixelScale:
    """Converts batches of images to uint8 levels, all of them in the same way.

    The rule, by the type of the numbers:

    ========================  ==========================================
    uint8                     0 is black, 255 is white: kept as they are
    bool                      False is black, True is white
    floats in [0, 1]          0 is black, 1 is white: 255 x, rounded
    uint16                    0 is black, 65,535 is white: x / 257, rounded
    ========================  ==========================================

    Anything else is refused: other integers, floats outside [0, 1], nan, and images that are in
    another range by all appearance. These are images that hold nothing brighter than 1 of 255,
    and images of 16 bits that use 14 of them or fewer. The first batch decides on the type. Later
    ones must have it too.

    Parameters
    ----------
    what
        What is converted, for messages.
    """

    def __init__(self, what: str = "images") -> None:
        self.what = what
        self._kind: str | None = None
        self._brightest: float = 0

    def convert(self, images: np.ndarray) -> np.ndarray:
        """The same images as uint8.

        Raises
        ------
        ValueError
            If the rule does not cover them, or they are of another type than those before.
        """
        kind = _kind(images, self.what)
        if self._kind not in (None, kind):
            raise ValueError(
                f"{self.what} were {self._kind} before and are {images.dtype} now: give all of "
                "them as the same type"
            )
        self._kind = kind
        if kind == "float":
            lowest, highest = _checked_range(images, self.what)
            self._brightest = max(self._brightest, highest)
            return np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)
        if self._brightest <= _TOO_DARK[kind]:
            self._brightest = max(self._brightest, int(images.max(initial=0)))
        if kind == "bool":
            return images.astype(np.uint8) * np.uint8(255)
        if kind == "uint16":
            return ((images.astype(np.uint32) + 128) // 257).astype(np.uint8)
        return images

    def refuse_dark(self) -> None:
        """Refuse images which, all that were seen so far, are almost black but not black.

        Raises
        ------
        ValueError
            If they are.
        """
        if self._kind in _MEND and 0 < self._brightest <= _TOO_DARK[self._kind]:
            held = "hold only zeros and ones" if self._kind == "uint8" else "are very dark"
            raise ValueError(
                f"{self.what} are {self._kind} and {held}: their brightest pixel is "
                f"{self._brightest:.5g} where white is {_WHITE[self._kind]:g}; {_MEND[self._kind]}"
            )


def to_uint8(images: object, *, what: str = "images", unscaled: bool = False) -> np.ndarray:
    """Images of any shape as uint8 levels by the rule of :class:`PixelScale`, seen as a whole.

    Parameters
    ----------
    images
        An array, or what becomes one: a torch tensor, a list of arrays.
    what
        What is converted, for messages.
    unscaled
        Take images that are almost black for what they are.

    Raises
    ------
    ValueError
        If the rule does not cover them.
    """
    array = as_array(images, what)
    scale = PixelScale(what)
    if array.dtype == np.uint8:
        for start in range(0, len(array) if array.ndim else 0, _CHUNK):
            scale.convert(array[start : start + _CHUNK])
            if scale._brightest > 1:
                break
        converted = array
    else:
        converted = np.empty(array.shape, dtype=np.uint8)
        for start in range(0, max(1, len(array)), _CHUNK):
            converted[start : start + _CHUNK] = scale.convert(array[start : start + _CHUNK])
    if not unscaled:
        scale.refuse_dark()
    return converted


def as_array(images: Any, what: str) -> np.ndarray:
    """A NumPy array of an array, a torch tensor, or a list of images of one shape.

    Raises
    ------
    ValueError
        If they are not numbers, are of different shapes, or are masked in part.
    """
    if np.ma.is_masked(images):
        raise ValueError(
            f"{what} are a masked array with {np.ma.count_masked(images):,} masked values: fill "
            "them, or leave these images out"
        )
    if hasattr(images, "detach"):
        tensor = images.detach().cpu()
        array = (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()
    else:
        if isinstance(images, list | tuple):
            check_one_kind(images, what)
        try:
            array = np.asarray(images)
        except (ValueError, TypeError, RuntimeError):  # images of different shapes, for one
            array = np.empty(0, dtype=object)
    if array.dtype.kind not in "biufc":
        raise ValueError(
            f"{what} must be an array of numbers, all images of one shape, not "
            f"{type(images).__name__} of {array.dtype}: stack them with numpy.stack"
        )
    return array


def check_one_kind(images: Sequence[Any], what: str) -> None:
    """Refuse a list of images of different kinds of numbers, which stacking would mix silently.

    Raises
    ------
    ValueError
        If kinds differ, as of uint8 and bool.
    """
    kinds = [_dtype_kind(image.dtype) for image in images if hasattr(image, "dtype")]
    other = next((i for i, kind in enumerate(kinds) if kind != kinds[0]), None)
    if other is not None:
        raise ValueError(
            f"{what} are of different types, as {kinds[0]} and {kinds[other]} (number {other}): "
            "give all of them as the same type"
        )


def _dtype_kind(dtype: Any) -> str:
    name = str(dtype).rpartition(".")[2]
    return "float" if "float" in name else np.dtype(name).name


def check_shape(
    found: tuple[int, ...], image_shape: tuple[int, int, int], what: str, n: int | None = None
) -> None:
    """Refuse images of another shape than (``n``, height, width, channels).

    Raises
    ------
    ValueError
        If their shape differs; any number of images is right where ``n`` is None.
    """
    height, width, channels = image_shape
    if len(found) == 4 and found[1:] == (height, width, channels) and n in (None, found[0]):
        return
    count = "n" if n is None else str(n)
    sentence = (
        f"{what} must be of shape ({count}, {height}, {width}, {channels}), that is (images, "
        f"height, width, channels), not {found}"
    )
    mend = _mend_shape(found, image_shape)
    raise ValueError(f"{sentence}: {mend}" if mend else sentence)


def _mend_shape(found: tuple[int, ...], image_shape: tuple[int, int, int]) -> str:
    """What to do about the shape, where that can be seen."""
    height, width, channels = image_shape
    if found[1:] == (height, width) and channels == 1:
        return "the channel axis is missing; add it with images[..., None]"
    if found == image_shape:
        return "the axis of images is missing; add it with images[None]"
    if found[1:] == (channels, height, width):
        return "channels come last; move them with numpy.moveaxis(images, 1, -1)"
    if len(found) == 2 and found[1] == height * width * channels:
        return f"unflatten them with images.reshape(-1, {height}, {width}, {channels})"
    if len(found) == 4 and {found[3], channels} == {1, 3}:
        if channels == 3:
            return "for grayscale images in colour, repeat them: numpy.repeat(images, 3, axis=3)"
        return "for colour images in grayscale, take their mean over channels, rounded"
    if len(found) == 4 and found[3] == 4 and channels == 3:
        return "leave out the fourth channel with images[..., :3]"
    return ""


def _kind(images: np.ndarray, what: str) -> str:
    dtype = images.dtype
    if dtype.kind == "f":
        return "float"
    if dtype.kind in "bu" and dtype.itemsize <= 2:
        return {"b": "bool", "u": f"uint{8 * dtype.itemsize}"}[dtype.kind]
    mend = "convert them to one of these"
    if dtype.kind in "iu" and images.size and 0 <= images.min() and images.max() <= 255:
        mend = (
            "convert them with images.astype(bool)"
            if images.max() <= 1
            else "convert them with images.astype(numpy.uint8)"
        )
    raise ValueError(
        f"{what} are {dtype}, and uint8 from 0 to 255, bool, uint16 from 0 to 65,535 or floats in "
        f"[0, 1] were needed: {mend}"
    )


def _checked_range(images: np.ndarray, what: str) -> tuple[float, float]:
    """Least and largest value of floats in [0, 1]."""
    if not images.size:
        return 0.0, 0.0
    low, high = float(images.min()), float(images.max())
    if not np.isfinite([low, high]).all():
        n = int((~np.isfinite(images)).sum())
        raise ValueError(
            f"{what} hold {n:,} nan or infinite values: every pixel must be a finite number; "
            "leave these images out, or fill the pixels"
        )
    if low >= -_ROUNDING and high <= 1 + _ROUNDING:
        return low, high
    if 0 <= low and 127 < high <= 255:
        mend = "divide them by 255, or convert them to uint8"
    elif 0 <= low and 2 < high <= 255:
        mend = f"divide them by the value of white, for example {high:g}"
    elif low >= -1 and high <= 1:
        mend = "if -1 is black, give (images + 1) / 2"
    else:
        mend = "rescale them so that 0 is black and 1 is white"
    raise ValueError(
        f"{what} are {images.dtype} and run from {low:g} to {high:g}, and floats must lie in "
        f"[0, 1]: {mend}"
    )
