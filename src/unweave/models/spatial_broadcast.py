"""The spatial broadcast decoder (Watters et al. 2019), https://arxiv.org/abs/1901.07017."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["SpatialBroadcast", "spatial_broadcast_decoder"]

_N_LAYERS = 3


class SpatialBroadcast(nn.Module):
    """The latents at every pixel, and beside them where the pixel is, in [-1, 1]."""

    coordinates: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        down, right = torch.linspace(-1, 1, height), torch.linspace(-1, 1, width)
        grid = torch.stack(torch.meshgrid(down, right, indexing="ij"))
        self.register_buffer("coordinates", grid, persistent=False)

    def forward(self, latents: Tensor) -> Tensor:
        """(n, latents) to (n, latents + 2, height, width)."""
        n, n_latents = latents.shape
        _, height, width = self.coordinates.shape
        tiled = latents[:, :, None, None].expand(n, n_latents, height, width)
        return torch.cat([tiled, self.coordinates.expand(n, 2, height, width)], dim=1)


def spatial_broadcast_decoder(
    inputs: int, width: int, image_shape: tuple[int, int, int]
) -> nn.Sequential:
    """From ``inputs`` to images, by four 3 x 3 convolutions that keep the size of the image."""
    height, image_width, channels = image_shape
    layers: list[nn.Module] = []
    for i in range(_N_LAYERS):
        layers += [
            nn.Conv2d(width if i else inputs + 2, width, 3, padding=1),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(
        SpatialBroadcast(height, image_width), *layers, nn.Conv2d(width, channels, 3, padding=1)
    )
