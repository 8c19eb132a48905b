"""From images as datasets give them to what a network was trained to see."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from unweave.datasets.pixels import as_array, to_uint8

__all__ = ["Preprocessing", "checked_images"]

RGB = 3


@dataclass(frozen=True)
class Preprocessing:
    """Size, colours and range of a network's input.

    The whole image is resized, by Pillow's bicubic or bilinear filter. Nothing is cropped away,
    though networks trained on photographs often are fed a central crop: what varies at the border,
    as positions do, would leave the picture.
    """

    size: tuple[int, int] | None
    """Height and width; None leaves images as large as they are."""
    mean: tuple[float, ...] = (0.0,)
    """Mean of each channel, subtracted from values in [0, 1]."""
    std: tuple[float, ...] = (1.0,)
    """Standard deviation of each channel, by which values are divided."""
    channels: int = RGB
    """Images of one channel are shown with all channels alike."""
    interpolation: str = "bicubic"
    """bicubic or bilinear."""

    def __call__(self, images: Tensor) -> Tensor:
        """Input (n, channels, height, width) float32 of uint8 images (n, height, width, any)."""
        planes = images.permute(0, 3, 1, 2).float()
        if self.size is not None and tuple(planes.shape[2:]) != self.size:
            planes = self._resized(planes, self.size)
        if planes.shape[1] not in (1, self.channels):
            raise ValueError(
                f"the images have {planes.shape[1]} channels, and the encoder takes "
                f"{self.channels}: give images of 1 or {self.channels} channels"
            )
        mean, std = (
            torch.tensor(v, device=planes.device).view(1, -1, 1, 1) for v in (self.mean, self.std)
        )
        return ((planes / 255 - mean) / std).expand(-1, self.channels, -1, -1)

    def _resized(self, planes: Tensor, size: tuple[int, int]) -> Tensor:
        # Pillow filters along rows, rounds to whole levels (halves up), then along columns.
        for height, width in ((planes.shape[2], size[1]), size):
            planes = functional.interpolate(
                planes, size=(height, width), mode=self.interpolation, antialias=True
            )
            planes = (planes + 0.5).floor().clamp(0, 255)
        return planes

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers and words, for JSON."""
        return asdict(self)


def checked_images(images: object, *, unscaled: bool = False) -> np.ndarray:
    """Images (n, height, width, channels) as uint8 levels from 0 to 255.

    Parameters
    ----------
    images
        uint8, bool, uint16 or floats in [0, 1], converted by the rule of
        :class:`~unweave.datasets.pixels.PixelScale`; images without a channel axis are taken to be
        of one channel.
    unscaled
        Take uint8 images of zeros and ones for what they are, levels 0 and 1 of 255: almost black.

    Raises
    ------
    ValueError
        If they are none of these; or uint8 of zeros and ones alone, unless ``unscaled``.
    """
    array = as_array(images, "images")
    shape = array.shape
    if array.ndim == RGB:
        array = array[..., None]
    if array.ndim != 4 or 0 in array.shape:
        raise ValueError(
            f"images must be of shape (n, height, width, channels) and not empty, not of shape "
            f"{shape}"
        )
    return to_uint8(array, unscaled=unscaled)
