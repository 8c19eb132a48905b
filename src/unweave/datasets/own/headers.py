"""Picture files as Pillow opens them, and what their headers say."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

__all__ = ["Header", "UnusablePicture", "loaded", "opened", "probe", "rawmode"]

# Not those that start other programs, as EPS does. JPEG includes MPO.
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM")
_GREY = ("1", "L", "LA", "La", "I", "F")
_TURNS = (
    "FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_270", "TRANSVERSE",
    "ROTATE_90",
)  # fmt: skip
"""What undoes the orientations 2 to 8 of EXIF."""
_RESTORE = (
    "restore them, or leave them out with skip_damaged=True in Python or ?skip_damaged=true after "
    "the folder's name"
)


class UnusablePicture(Exception):
    """A picture that cannot be used: why, and what to do about it and others like it."""

    def __init__(self, reason: str, remedy: str = _RESTORE) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


class Header(NamedTuple):
    """What is known of a picture before its pixels are decoded."""

    height: int
    width: int
    is_grey: bool
    is_turned: bool
    """Whether its EXIF orientation says that it must be turned or mirrored."""


def probe(content: bytes) -> Header:
    """What the header of a picture says; its size is that after its orientation is applied.

    Raises
    ------
    UnusablePicture
        If it is not one picture.
    """
    image = opened(content)
    n_frames = getattr(image, "n_frames", 1)
    if n_frames > 1 and image.format != "MPO":  # whose other frames are previews and depths
        raise UnusablePicture(
            f"{image.format} of {n_frames} frames",
            "animations and files of several pages are not one image: save each frame as a file",
        )
    turn = _orientation(image)
    is_grey = _is_grey(image)
    width, height = image.size
    if turn > 4 and image.format == "TIFF":  # versions of Pillow differ in the size before loading
        width, height = loaded(image).size
    elif turn > 4:
        width, height = height, width
    return Header(height, width, is_grey, turn > 1)


def opened(content: bytes) -> ImageFile:
    """The picture, its pixels not decoded yet.

    Raises
    ------
    UnusablePicture
        If it is empty, of none of the formats, damaged, or too large to be opened safely.
    """
    from PIL import Image, UnidentifiedImageError

    if not content:
        raise UnusablePicture("empty")
    try:
        image = Image.open(io.BytesIO(content), formats=_FORMATS)
        # Up to twice as many Pillow only warns, and raises where warnings are errors.
        if image.width * image.height > (Image.MAX_IMAGE_PIXELS or math.inf):
            raise Image.DecompressionBombError
        return image
    except UnidentifiedImageError as error:
        raise UnusablePicture("not a picture, or damaged at its beginning") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnusablePicture(
            f"more pixels than the {Image.MAX_IMAGE_PIXELS or 0:,} that Pillow opens safely",
            "files that claim huge pictures may be made to fill the memory: shrink them first, or "
            "raise PIL.Image.MAX_IMAGE_PIXELS if you trust them",
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # each format has errors of its own for damaged files
        raise UnusablePicture(_first_line(error)) from error


def loaded(image: ImageFile) -> Image:
    """The picture with its pixels, turned as its orientation says.

    Raises
    ------
    UnusablePicture
        If it is truncated or corrupt.
    """
    from PIL import Image

    try:
        image.load()
    except MemoryError:
        raise
    except Exception as error:
        raise UnusablePicture(_first_line(error)) from error
    turn = _orientation(image)  # 1 of a TIFF, which Pillow turns when it loads it
    return image.transpose(Image.Transpose[_TURNS[turn - 2]]) if turn > 1 else image


def rawmode(arguments: Any) -> str:
    """How the numbers of a tile lie in the file, by its arguments."""
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def _orientation(image: ImageFile) -> int:
    # Pillow decodes a whole PNG to look for EXIF data behind its pixels.
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    try:
        found = image.getexif().get(0x0112, 1)
    except Exception:  # damaged EXIF data does no harm to pixels
        return 1
    return found if found in range(1, 9) else 1


def _is_grey(image: ImageFile) -> bool:
    if image.mode == "P":
        try:
            palette = np.array(image.getpalette("RGB"), dtype=int).reshape(-1, 3)
        except Exception as error:
            raise UnusablePicture(_first_line(error)) from error
        return bool((palette == palette[:, :1]).all())
    is_grey_alpha = any(rawmode(tile.args).startswith("LA;") for tile in image.tile)
    return image.mode in _GREY or image.mode.startswith("I;") or is_grey_alpha


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).split("\n")[0]
