"""Pictures in files as arrays of 8 bits and of one shape."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from unweave.datasets.own.headers import UnusablePicture, loaded, opened, probe, rawmode
from unweave.datasets.pixels import PixelScale

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

__all__ = ["Decoded", "Decoding", "Fit", "Resample", "UnusablePicture", "decode", "probe"]

Resample = Literal["lanczos", "bicubic", "bilinear", "box", "nearest"]
Fit = Literal["crop", "stretch", "pad"]

_WITH_ALPHA = ("RGBA", "RGBa", "LA", "La", "PA")
_BAND_16 = ";16"
_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262  # tags of TIFF
_LOW_BYTE = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}


@dataclass(frozen=True)
class Decoding:
    """How pictures become arrays of one shape."""

    size: tuple[int, int]
    """Height and width."""
    channels: Literal[1, 3]
    resample: Resample = "lanczos"
    fit: Fit = "crop"
    background: tuple[int, int, int] | None = None


class Decoded(NamedTuple):
    """One picture, and what its pixels were."""

    levels: np.ndarray
    """Array (height, width, channels) uint8."""
    brightest: np.ndarray
    """Array (1,) of the brightest value, of the type that the file has."""


def decode(content: bytes, how: Decoding, what: str) -> Decoded:
    """A picture as an array.

    Orientation is applied; transparent pictures lie on the background; bits become 0 and 255, and
    16-bit numbers and floats levels by the rule of :class:`PixelScale`; CMYK, YCbCr and LAB become
    RGB. Colour profiles are not applied. Pillow resizes the levels as they are stored, not in
    linear light.

    Raises
    ------
    UnusablePicture
        If the picture is damaged, partly transparent without a background, or holds nan.
    ValueError
        If its pixels are of a type or in a range that the rule does not cover.
    """
    from PIL import Image

    picture, brightest = _eight_bit(content, what)
    picture = _opaque(picture, how.background)
    if picture.mode == "LAB":
        picture = _of_lab(picture)
    picture = picture.convert("L" if how.channels == 1 else "RGB")
    if brightest is None:
        extrema: Any = picture.getextrema()
        top = extrema[1] if how.channels == 1 else max(high for _, high in extrema)
        brightest = np.array([top], dtype=np.uint8)
    height, width = how.size
    if picture.size != (width, height):
        picture = _resized(picture, how, Image.Resampling[how.resample.upper()])
    return Decoded(np.asarray(picture).reshape(height, width, how.channels), brightest)


def _resized(picture: Image, how: Decoding, resample: Any) -> Image:
    from PIL import ImageOps

    size = how.size[::-1]
    if how.fit == "crop":
        return ImageOps.fit(picture, size, resample)
    if how.fit == "stretch":
        return picture.resize(size, resample)
    colour: Any = how.background or (0, 0, 0)
    if how.channels == 1:
        colour = _grey_level(colour)
    return ImageOps.pad(picture, size, resample, color=colour)


def _grey_level(colour: tuple[int, int, int]) -> int:
    from PIL import Image

    return int(np.asarray(Image.new("RGB", (1, 1), colour).convert("L"))[0, 0])


def _eight_bit(content: bytes, what: str) -> tuple[Image, np.ndarray | None]:
    """The picture in 8 bits; the brightest of its numbers if these had more bits, or only one."""
    from PIL import Image

    image = opened(content)
    rawmodes = [rawmode(tile.args) for tile in image.tile]
    is_png, mode = image.format == "PNG", image.mode
    is_deep = mode in ("RGB", "RGBA") and any(_BAND_16 in each for each in rawmodes)
    _refuse_unread(image, rawmodes)
    picture = loaded(image)
    if mode == "1":
        return picture, np.array([True])
    if not (is_deep or mode == "F" or mode.startswith("I")):
        return picture, None
    numbers = np.asarray(picture)
    if is_deep:
        low = opened(content)
        low.tile = [tile._replace(args=_of_low_bytes(tile.args)) for tile in low.tile]
        numbers = numbers.astype(np.uint16) * 256 + np.asarray(loaded(low))
    elif is_png and mode == "I":
        numbers = numbers.astype(np.uint16)
    if numbers.dtype.kind == "f" and not np.isfinite(numbers).all():
        raise UnusablePicture(
            f"{int((~np.isfinite(numbers)).sum()):,} nan or infinite pixels",
            "every pixel must be a finite number: fill these pixels, or remove the files",
        )
    levels = PixelScale(what).convert(numbers)
    colours = numbers[..., :3] if numbers.ndim == 3 else numbers
    return Image.fromarray(levels), np.asarray(colours.max()).reshape(1)


def _refuse_unread(image: ImageFile, rawmodes: list[str]) -> None:
    """Refuse pictures whose bits Pillow reads in part only, or in another meaning."""
    tags: Any = getattr(image, "tag_v2", {})
    is_wide = max(np.atleast_1d(tags.get(_BITS_PER_SAMPLE, (8,)))) > 8
    unread = (
        is_wide and image.mode in ("RGB", "RGBA") and not all(_BAND_16 in each for each in rawmodes)
    )
    grey_alpha = any(each.startswith("LA" + _BAND_16) for each in rawmodes)
    transparent = image.mode.startswith("I") and "transparency" in image.info
    if unread or grey_alpha or transparent:
        raise UnusablePicture(
            "16-bit planes" if unread else "16-bit grey with transparency",
            "Pillow reads 8 of their bits only: save them as 8-bit, or as plain 16-bit pictures",
        )
    if is_wide and tags.get(_PHOTOMETRIC) == 0:
        raise UnusablePicture(
            "more than 8 bits, of which 0 is white",
            "Pillow does not invert them: save them with 0 as black",
        )


def _of_low_bytes(arguments: Any) -> Any:
    """Arguments by which Pillow unpacks the lower byte of 16-bit numbers, not the upper one."""
    stored = rawmode(arguments)
    low = stored[:-1] + _LOW_BYTE[stored[-1]]
    return (low, *arguments[1:]) if isinstance(arguments, tuple) else low


def _opaque(picture: Image, background: tuple[int, int, int] | None) -> Image:
    """The picture without transparency: laid on the background, if any of it is transparent."""
    from PIL import Image

    if picture.mode not in _WITH_ALPHA and "transparency" not in picture.info:
        return picture
    layer = picture.convert("RGBA")
    lowest = layer.getchannel("A").getextrema()[0]
    if lowest == 255:
        return layer.convert("RGB")
    if background is None:
        raise UnusablePicture(
            "transparent in part",
            "give the colour that lies behind them, as background='white' in Python or "
            "?background=white after the folder's name",
        )
    under = Image.new("RGBA", layer.size, (*background, 255))
    return Image.alpha_composite(under, layer).convert("RGB")


def _of_lab(picture: Image) -> Image:
    from PIL import ImageCms

    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    found = ImageCms.profileToProfile(picture, lab, rgb, outputMode="RGB")
    assert found is not None  # it is None only where the picture itself is changed
    return found
