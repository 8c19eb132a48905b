"""Encoder and decoder networks, each as in the paper that it is named after."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from unweave.models.residual import ResidualBlock, residual_decoder, residual_encoder
from unweave.models.spatial_broadcast import spatial_broadcast_decoder

__all__ = ["NETWORKS", "Network", "build_decoder", "build_encoder"]

ImageShape = tuple[int, int, int]  # height, width, channels
NETWORKS = ("burgess", "locatello", "resnet")
_SMALLEST_GRID = 4  # pixels on a side, where convolutions end and matrices begin


class Network(BaseModel):
    """Which network, how wide and deep, and how many latents it has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["burgess", "locatello", "resnet"] = "burgess"
    """``burgess`` (Burgess et al. 2018), ``locatello`` (Locatello et al. 2019) or ``resnet``."""
    decoder: Literal["mirrored", "spatial_broadcast"] = "mirrored"
    """The encoder turned round, or that of Watters et al. (2019)."""
    width: float = Field(default=1.0, gt=0, le=64)
    """Factor on all channel and hidden unit counts; 1 is the paper's network."""
    depth: int = Field(default=1, ge=1, le=64)
    """Residual blocks at each resolution (resnet)."""
    n_latents: int = Field(default=10, ge=1)
    """Number of latents."""
    n_noise: int = Field(default=0, ge=0)
    """Further inputs of the decoder that no encoder sees: the incompressible noise of InfoGAN."""

    @property
    def n_inputs(self) -> int:
        """Inputs of the decoder."""
        return self.n_latents + self.n_noise

    def units(self, units: int) -> int:
        """So many units, at this width."""
        return max(1, round(units * self.width))


def build_encoder(
    network: Network, image_shape: ImageShape, *, n_outputs: int | None = None
) -> nn.Sequential:
    """From images (n, channels, height, width) to means and log variances (n, 2 * latents).

    ``n_outputs`` is for other outputs than these.

    Raises
    ------
    ValueError
        If the network cannot take images of this size.
    """
    halvings = _halvings(network, image_shape)
    outputs = 2 * network.n_latents if n_outputs is None else n_outputs
    if network.name == "burgess":
        return _burgess_encoder(network, image_shape, halvings, outputs)
    if network.name == "locatello":
        return _locatello_encoder(network, image_shape[2], outputs)
    grid = (image_shape[0] >> halvings, image_shape[1] >> halvings)
    widths = _residual_widths(network, halvings)
    return residual_encoder(
        image_shape[2], widths, network.depth, grid, network.units(256), outputs
    )


def build_decoder(network: Network, image_shape: ImageShape) -> nn.Sequential:
    """From latents (n, latents) to outputs (n, channels, height, width), before any squashing.

    Raises
    ------
    ValueError
        If the network cannot make images of this size.
    """
    if network.decoder == "spatial_broadcast":
        return spatial_broadcast_decoder(network.n_inputs, network.units(64), image_shape)
    halvings = _halvings(network, image_shape)
    if network.name == "burgess":
        return _burgess_decoder(network, image_shape, halvings)
    if network.name == "locatello":
        return _locatello_decoder(network, image_shape[2])
    grid = (image_shape[0] >> halvings, image_shape[1] >> halvings)
    widths = _residual_widths(network, halvings)
    return residual_decoder(
        network.n_inputs, network.units(256), grid, widths, network.depth, image_shape[2]
    )


def _burgess_encoder(
    network: Network, image_shape: ImageShape, halvings: int, outputs: int
) -> nn.Sequential:
    """Burgess et al. (2018), https://arxiv.org/abs/1804.03599, appendix A.1.

    They have images of 64 pixels and four convolutions; other sizes have as many as it takes.
    """
    c, h = network.units(32), network.units(256)
    height, width, channels = image_shape
    convolutions = [_convolution(c if i else channels, c, 4) for i in range(halvings)]
    return nn.Sequential(
        *[layer for pair in convolutions for layer in pair],
        nn.Flatten(),
        *_linear((height >> halvings) * (width >> halvings) * c, h),
        *_linear(h, h),
        nn.Linear(h, outputs),
    )


def _burgess_decoder(network: Network, image_shape: ImageShape, halvings: int) -> nn.Sequential:
    c, h = network.units(32), network.units(256)
    height, width, channels = image_shape
    grid = (height >> halvings, width >> halvings)
    return nn.Sequential(
        *_linear(network.n_inputs, h),
        *_linear(h, h),
        *_linear(h, grid[0] * grid[1] * c),
        nn.Unflatten(1, (c, *grid)),
        *[layer for _ in range(halvings - 1) for layer in _transposed(c, c)],
        nn.ConvTranspose2d(c, channels, 4, 2, 1),
    )


def _locatello_encoder(network: Network, channels: int, outputs: int) -> nn.Sequential:
    """Locatello et al. (2019), https://arxiv.org/abs/1811.12359, as their code has it.

    Their table 1 writes 4 x 4 for all four kernels; the code that made the results has 2 x 2 in
    the last two layers, and that is what is built here.
    """
    c, d, h = network.units(32), network.units(64), network.units(256)
    return nn.Sequential(
        *_convolution(channels, c, 4),
        *_convolution(c, c, 4),
        *_convolution(c, d, 2),
        *_convolution(d, d, 2),
        nn.Flatten(),
        *_linear(16 * d, h),
        nn.Linear(h, outputs),
    )


def _locatello_decoder(network: Network, channels: int) -> nn.Sequential:
    c, d, h = network.units(32), network.units(64), network.units(256)
    return nn.Sequential(
        *_linear(network.n_inputs, h),
        *_linear(h, 16 * d),
        nn.Unflatten(1, (d, 4, 4)),
        *_transposed(d, d),
        *_transposed(d, c),
        *_transposed(c, c),
        nn.ConvTranspose2d(c, channels, 4, 2, 1),
    )


def _residual_widths(network: Network, halvings: int) -> list[int]:
    """Channels at each resolution, the finest first: they double up to four times the first."""
    return [network.units(32 * min(2**i, 4)) for i in range(halvings)]


# In place: a rectifier needs only its output for the gradient, and a layer before it only its
# input, so a second copy of every activation is spared.
def _convolution(inputs: int, outputs: int, kernel: int) -> list[nn.Module]:
    padding = (kernel - 2) // 2  # halves the side exactly
    return [nn.Conv2d(inputs, outputs, kernel, 2, padding), nn.ReLU(inplace=True)]


def _transposed(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), nn.ReLU(inplace=True)]


def _linear(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs), nn.ReLU(inplace=True)]


def _halvings(network: Network, image_shape: ImageShape) -> int:
    """How often the sides of images are halved on the way to the matrices."""
    height, width, channels = image_shape
    given = f"{height} x {width} with {channels} channels"
    if channels < 1:
        raise ValueError(f"images need a channel or more, not {given}")
    if network.name == "locatello":
        if (height, width) != (64, 64):
            raise ValueError(
                f"the locatello network takes images of 64 x 64 pixels, not {given}: resize them, "
                "or take burgess or resnet"
            )
        return 4
    halvings = (min(height, width) // _SMALLEST_GRID).bit_length() - 1
    unit = 2**halvings
    if halvings < 1:
        raise ValueError(
            f"the {network.name} network takes images of at least {2 * _SMALLEST_GRID} pixels on a "
            f"side, not {given}"
        )
    if height % unit or width % unit:
        near = f"{_nearest(height, unit)} x {_nearest(width, unit)}"
        raise ValueError(
            f"the {network.name} network halves images {halvings} times: their sides must be "
            f"multiples of {unit}, not {given}; resize them, to {near} for one"
        )
    return halvings


def _nearest(side: int, unit: int) -> int:
    return max(1, round(side / unit)) * unit


def initialise(*networks: nn.Module) -> None:
    """Draw weights by torch's generator: He et al. (2015), https://arxiv.org/abs/1502.01852.

    Weights are uniform with the variance of the paper, biases are zero. (torch's default is a sixth
    of that variance; through nine layers the signal dies, and training sits for a thousand steps
    and more at a posterior that is the prior.) Residual branches start at zero.
    """
    layers = [layer for network in networks for layer in network.modules()]
    for layer in layers:
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    for layer in layers:
        if isinstance(layer, ResidualBlock):
            nn.init.zeros_(layer.second.weight)


def count_parameters(model: torch.nn.Module) -> int:
    """Number of trained parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
