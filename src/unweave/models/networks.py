"""Encoder and decoder networks, each as in the paper that it is named after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast, get_args

import torch
from pydantic import Field, SerializeAsAny, field_validator, model_validator
from torch import nn

from unweave._settings import NetworkSettings
from unweave.models.additive import additive_decoder
from unweave.models.groups import check_groups
from unweave.models.latents import Gaussian, LatentSpace, read_latent_space
from unweave.models.lie_group import MatrixExponential, MatrixHeads
from unweave.models.residual import ResidualBlock, residual_decoder, residual_encoder
from unweave.models.spatial_broadcast import spatial_broadcast_decoder
from unweave.models.style import StyleDecoder, StyleEncoder, style_encoder

__all__ = ["NETWORKS", "Network", "build_decoder", "build_encoder"]

ImageShape = tuple[int, int, int]  # height, width, channels
NETWORKS: tuple[str, ...] = get_args(NetworkSettings.model_fields["name"].annotation)
_SMALLEST_GRID = 4  # pixels on a side, where convolutions end and matrices begin


class Network(NetworkSettings):
    """Which network, how wide and deep, how many latents it has, and which values they take."""

    latent_space: SerializeAsAny[LatentSpace] = Field(
        default=Gaussian(), exclude_if=lambda space: space == Gaussian()
    )
    """Which values latents take: gaussian, grouped, quantised or grid, with options."""

    @field_validator("latent_space", mode="before")
    @classmethod
    def _read(cls, given: Any) -> LatentSpace:
        return read_latent_space(given)

    @model_validator(mode="after")
    def _grouped(self) -> Network:
        self.latent_space.groups_of(self.n_latents)
        return self

    @model_validator(mode="after")
    def _of_matrices(self) -> Network:
        others = {
            f"{self.n_noise} inputs of noise": self.n_noise,
            "an additive decoder": self.decoder == "additive",
            f"{self.latent_space.name} latents": not isinstance(self.latent_space, Gaussian),
        }
        found = [what for what, is_there in others.items() if is_there]
        if self.matrix_size is not None and found:
            raise ValueError(
                "a matrix_size is for Gaussian latents, and for decoders that make images from one "
                f"matrix, not for {found[0]}: leave one of them out"
            )
        return self

    @model_validator(mode="after")
    def _additive(self) -> Network:
        if self.decoder == "additive":
            check_groups(self.decoder_groups, self.n_latents)
            if self.n_noise:
                raise ValueError(
                    f"an additive decoder makes images from groups of latents, and has no use for "
                    f"{self.n_noise} inputs of noise: set n_noise to 0"
                )
        elif self.decoder_groups:
            raise ValueError(
                f"decoder_groups are for an additive decoder, and this one is {self.decoder}: set "
                "decoder to additive, or leave them out"
            )
        return self

    @property
    def n_inputs(self) -> int:
        """Inputs of the decoder."""
        return self.n_latents + self.n_noise

    def for_one_of(self, groups: Sequence[int]) -> Network:
        """That of the decoder of one group, so narrow that all together cost as much as one."""
        changes = {
            "name": "burgess" if self.name == "style" else self.name,  # that one is normalised
            "decoder": "mirrored",
            "decoder_groups": (),
            "n_latents": max(groups),
            "width": self.width / len(groups) ** 0.5,
        }
        return self.model_copy(update=changes)

    @property
    def has_style_decoder(self) -> bool:
        """Whether the decoder is a :class:`~unweave.models.style.StyleDecoder`."""
        return self.decoder == "style" or (self.name, self.decoder) == ("style", "mirrored")

    def units(self, units: int) -> int:
        """So many units, at this width."""
        return max(1, round(units * self.width))


def build_encoder(
    network: Network, image_shape: ImageShape, *, n_outputs: int | None = None
) -> nn.Sequential:
    """From images (n, channels, height, width) to what the latents are made of.

    For Gaussian latents these are means and log variances (n, 2 * latents). ``n_outputs`` is for
    other outputs than these.

    Raises
    ------
    ValueError
        If the network cannot take images of this size.
    """
    if network.matrix_size is not None and n_outputs is None:
        size = network.matrix_size**2
        heads = MatrixHeads(size, network.units(4 * size), network.n_latents)
        return nn.Sequential(build_encoder(network, image_shape, n_outputs=size), heads)
    halvings = _halvings(network, image_shape)
    needed = network.latent_space.n_encoded(network.n_latents)
    outputs = needed if n_outputs is None else n_outputs
    if network.name == "burgess":
        return _burgess_encoder(network, image_shape, halvings, outputs)
    if network.name == "locatello":
        return _locatello_encoder(network, image_shape[2], outputs)
    grid = (image_shape[0] >> halvings, image_shape[1] >> halvings)
    if network.name == "style":
        widths = _style_widths(network, halvings)
        return style_encoder(image_shape[2], widths, grid, network.units(256), outputs)
    widths = _residual_widths(network, halvings)
    return residual_encoder(
        image_shape[2], widths, network.depth, grid, network.units(256), outputs
    )


def build_decoder(network: Network, image_shape: ImageShape) -> nn.Module:
    """From latents (n, latents) to outputs (n, channels, height, width), before any squashing.

    Raises
    ------
    ValueError
        If the network cannot make images of this size.
    """
    if network.matrix_size is not None:
        size = network.matrix_size
        inner = network.model_copy(update={"n_latents": size**2, "matrix_size": None})
        return nn.Sequential(
            MatrixExponential(network.n_latents, size), build_decoder(inner, image_shape)
        )
    if network.decoder == "spatial_broadcast":
        return spatial_broadcast_decoder(network.n_inputs, network.units(64), image_shape)
    if network.decoder == "additive":
        groups = check_groups(network.decoder_groups, network.n_latents)
        of_one = build_decoder(network.for_one_of(groups), image_shape)
        return additive_decoder(groups, cast(nn.Sequential, of_one))
    halvings = _halvings(network, image_shape)
    if network.has_style_decoder:
        grid = (image_shape[0] >> halvings, image_shape[1] >> halvings)
        widths = _style_widths(network, halvings)
        return StyleDecoder(
            network.n_inputs,
            network.units(256),
            grid,
            widths[::-1],
            image_shape[2],
            network.style_activation,
            network.style_start,
        )
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


def _style_widths(network: Network, halvings: int) -> list[int]:
    """Channels at each resolution of a style network, the finest first."""
    return [network.units(32 if i == 0 else 64) for i in range(halvings)]


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
    given = f"{height} x {width}"
    if channels < 1:
        raise ValueError(f"images need a channel or more, and {given} images with none were given")
    if network.name == "locatello":
        if (height, width) != (64, 64):
            raise ValueError(
                f"the locatello network takes images of 64 x 64 pixels, not {given}: resize them "
                "(--image-size 64), or take burgess or resnet"
            )
        return 4
    halvings = (min(height, width) // _SMALLEST_GRID).bit_length() - 1
    unit = 2**halvings
    if halvings < 1:
        raise ValueError(
            f"the {network.name} network takes images of at least {2 * _SMALLEST_GRID} pixels on a "
            f"side, not {given}: resize them (--image-size 64)"
        )
    if height % unit or width % unit:
        near = f"{_nearest(height, unit)} x {_nearest(width, unit)}"
        raise ValueError(
            f"the {network.name} network needs images whose sides are multiples of {unit}, not "
            f"{given}: resize them to {near} (?size={near.replace(' ', '')} after the name of the "
            "dataset), or to squares (--image-size 64)"
        )
    return halvings


def _nearest(side: int, unit: int) -> int:
    return max(1, round(side / unit)) * unit


def initialise(*networks: nn.Module) -> None:
    """Draw weights by torch's generator: He et al. (2015), https://arxiv.org/abs/1502.01852.

    Weights are uniform with the variance of the paper, biases are zero. (torch's default is a sixth
    of that variance; through nine layers the signal dies, and training sits for a thousand steps
    and more at a posterior that is the prior.) Residual branches start at zero. Style networks keep
    torch's weights: their layers are normalised, and styles must start small.
    """
    layers = [layer for network in networks for layer in _drawn(network)]
    for layer in layers:
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    for layer in layers:
        if isinstance(layer, ResidualBlock):
            nn.init.zeros_(layer.second.weight)


def _drawn(module: nn.Module) -> Iterator[nn.Module]:
    """The module and those within it, but for style networks."""
    if not isinstance(module, StyleDecoder | StyleEncoder):
        yield module
        for part in module.children():
            yield from _drawn(part)


def count_parameters(model: torch.nn.Module) -> int:
    """Number of trained parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
