"""Additive decoders (Lachapelle et al. 2023), https://arxiv.org/abs/2307.02598."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from unweave.models.residual import ResidualBlock

__all__ = ["Blocks", "FeatureGrid", "additive_decoder"]


class Blocks(nn.Module):
    """Latents sorted into blocks of one size, the largest group's; smaller groups get zeros."""

    index: Tensor

    def __init__(self, groups: Sequence[int]) -> None:
        super().__init__()
        n_latents, size = sum(groups), max(groups)
        index = torch.full((len(groups), size), n_latents)  # that of a column of zeros
        first = 0
        for block, n in enumerate(groups):
            index[block, :n] = torch.arange(first, first + n)
            first += n
        self.register_buffer("index", index.flatten(), persistent=False)

    def forward(self, latents: Tensor) -> Tensor:
        """(n, latents) to (n, blocks * size, 1, 1)."""
        padded = torch.cat([latents, latents.new_zeros(len(latents), 1)], dim=1)
        return padded[:, self.index, None, None]


class FeatureGrid(nn.Module):
    """Numbers (n, channels * height * width, 1, 1) as images of features.

    Channels last in memory: grouped convolutions on a processor then take half the time.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, numbers: Tensor) -> Tensor:
        """(n, channels, height, width)."""
        grid = numbers.reshape(-1, *self.shape)
        return grid.contiguous(memory_format=torch.channels_last)


def additive_decoder(groups: Sequence[int], decoder: nn.Sequential) -> nn.Sequential:
    r""":math:`\sum_k f_k(z_{G_k})`, with a decoder :math:`f_k` of its own for each group.

    All of them run at once, as grouped convolutions; the last one has no groups, and is the sum.

    Parameters
    ----------
    groups
        Sizes of the groups of latents.
    decoder
        A decoder of as many inputs as the largest group has latents, whose layers are repeated for
        each group. Its last layer is a convolution.
    """
    n = len(groups)
    *layers, last = decoder
    return nn.Sequential(
        Blocks(groups),
        *[_for_each(layer, n) for layer in layers],
        _transposed(cast(nn.ConvTranspose2d, last), n, summed=True),
    )


def _for_each(layer: nn.Module, n: int) -> nn.Module:
    """The layer, n times next to each other."""
    if isinstance(layer, nn.Linear):
        return nn.Conv2d(n * layer.in_features, n * layer.out_features, 1, groups=n)
    if isinstance(layer, nn.Unflatten):
        channels, height, width = layer.unflattened_size
        return FeatureGrid((n * channels, height, width))
    if isinstance(layer, nn.ConvTranspose2d):
        return _transposed(layer, n)
    if isinstance(layer, ResidualBlock):
        return ResidualBlock(n * layer.first.in_channels, n_groups=n)
    return layer  # a rectifier


def _transposed(layer: nn.ConvTranspose2d, n: int, *, summed: bool = False) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(
        n * layer.in_channels,
        layer.out_channels if summed else n * layer.out_channels,
        layer.kernel_size,  # type: ignore[arg-type]
        layer.stride,  # type: ignore[arg-type]
        layer.padding,  # type: ignore[arg-type]
        groups=1 if summed else n,
    )
