"""Encoder and decoder networks, each as in the paper that it is named after."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from torch import nn

__all__ = ["NETWORKS", "Network", "build_decoder", "build_encoder"]

ImageShape = tuple[int, int, int]  # height, width, channels
NETWORKS = ("burgess", "locatello")


class Network(BaseModel):
    """Which network, how wide, and how many latents it has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["burgess", "locatello"] = "burgess"
    """``burgess`` (Burgess et al. 2018) or ``locatello`` (Locatello et al. 2019)."""
    width: float = Field(default=1.0, gt=0, le=64)
    """Factor on all channel and hidden unit counts; 1 is the paper's network."""
    n_latents: int = Field(default=10, ge=1)
    """Number of latents."""


def build_encoder(network: Network, image_shape: ImageShape) -> nn.Sequential:
    """From images (n, channels, 64, 64) to means and log variances (n, 2 * latents).

    Raises
    ------
    ValueError
        If the images are not 64 pixels wide and high.
    """
    _check_image_shape(network, image_shape)
    build = _burgess_encoder if network.name == "burgess" else _locatello_encoder
    return build(network, image_shape[2])


def build_decoder(network: Network, image_shape: ImageShape) -> nn.Sequential:
    """From latents (n, latents) to outputs (n, channels, 64, 64), before any squashing.

    Raises
    ------
    ValueError
        If the images are not 64 pixels wide and high.
    """
    _check_image_shape(network, image_shape)
    build = _burgess_decoder if network.name == "burgess" else _locatello_decoder
    return build(network, image_shape[2])


def _burgess_encoder(network: Network, channels: int) -> nn.Sequential:
    """Burgess et al. (2018), https://arxiv.org/abs/1804.03599, appendix A.1."""
    c, h = _scaled(network, 32), _scaled(network, 256)
    return nn.Sequential(
        *_convolution(channels, c, 4),
        *_convolution(c, c, 4),
        *_convolution(c, c, 4),
        *_convolution(c, c, 4),
        nn.Flatten(),
        *_linear(16 * c, h),
        *_linear(h, h),
        nn.Linear(h, 2 * network.n_latents),
    )


def _burgess_decoder(network: Network, channels: int) -> nn.Sequential:
    c, h = _scaled(network, 32), _scaled(network, 256)
    return nn.Sequential(
        *_linear(network.n_latents, h),
        *_linear(h, h),
        *_linear(h, 16 * c),
        nn.Unflatten(1, (c, 4, 4)),
        *_transposed(c, c),
        *_transposed(c, c),
        *_transposed(c, c),
        nn.ConvTranspose2d(c, channels, 4, 2, 1),
    )


def _locatello_encoder(network: Network, channels: int) -> nn.Sequential:
    """Locatello et al. (2019), https://arxiv.org/abs/1811.12359, as their code has it.

    Their table 1 writes 4 x 4 for all four kernels; the code that made the results has 2 x 2 in
    the last two layers, and that is what is built here.
    """
    c, d, h = _scaled(network, 32), _scaled(network, 64), _scaled(network, 256)
    return nn.Sequential(
        *_convolution(channels, c, 4),
        *_convolution(c, c, 4),
        *_convolution(c, d, 2),
        *_convolution(d, d, 2),
        nn.Flatten(),
        *_linear(16 * d, h),
        nn.Linear(h, 2 * network.n_latents),
    )


def _locatello_decoder(network: Network, channels: int) -> nn.Sequential:
    c, d, h = _scaled(network, 32), _scaled(network, 64), _scaled(network, 256)
    return nn.Sequential(
        *_linear(network.n_latents, h),
        *_linear(h, 16 * d),
        nn.Unflatten(1, (d, 4, 4)),
        *_transposed(d, d),
        *_transposed(d, c),
        *_transposed(c, c),
        nn.ConvTranspose2d(c, channels, 4, 2, 1),
    )


# In place: a rectifier needs only its output for the gradient, and a layer before it only its
# input, so a second copy of every activation is spared.
def _convolution(inputs: int, outputs: int, kernel: int) -> list[nn.Module]:
    padding = (kernel - 2) // 2  # halves the side exactly
    return [nn.Conv2d(inputs, outputs, kernel, 2, padding), nn.ReLU(inplace=True)]


def _transposed(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), nn.ReLU(inplace=True)]


def _linear(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs), nn.ReLU(inplace=True)]


def _scaled(network: Network, units: int) -> int:
    return max(1, round(units * network.width))


def _check_image_shape(network: Network, image_shape: ImageShape) -> None:
    if tuple(image_shape[:2]) != (64, 64) or image_shape[2] < 1:
        raise ValueError(
            f"the {network.name} network takes images of 64 x 64 pixels, not "
            f"{image_shape[0]} x {image_shape[1]} with {image_shape[2]} channels: resize them"
        )
