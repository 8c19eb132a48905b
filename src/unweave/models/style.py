"""Networks with instance normalisation, and a decoder whose latents are styles.

As in latent quantisation (Hsu et al. 2023, https://arxiv.org/abs/2305.18378), with fewer layers.
Adaptive instance normalisation is of Huang and Belongie (2017), https://arxiv.org/abs/1703.06868.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

__all__ = [
    "EPSILON", "SLOPE", "InstanceNorm", "StyleDecoder", "StyleEncoder", "style_encoder", "styled",
]  # fmt: skip

SLOPE = 0.2  # of leaky rectifiers
EPSILON = 1e-5
_CONSTANT = 0.1  # standard deviation of the first feature map


class InstanceNorm(nn.Module):
    """Each channel of each image at mean 0 and variance 1, scaled and shifted as learnt, rectified.

    The rectifier is leaky, with slope 0.2.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(self, maps: Tensor) -> Tensor:
        """As (n, channels, height, width) as it came."""
        n = len(maps)
        return styled(maps, self.scale.expand(n, -1), self.shift.expand(n, -1))


class StyleDecoder(nn.Module):
    """From latents (n, latents) to images: a learnt constant, which latents restyle layer by layer.

    Feature maps of each layer are normalised, then scaled and shifted by numbers that are linear in
    the style, which two layers make of the latents. The last transposed convolution writes pixels.

    Parameters
    ----------
    n_inputs
        Latents.
    n_style
        Units of the style.
    grid
        Height and width of the constant.
    widths
        Channels of the constant and of each layer but the last; each layer doubles the sides.
    channels
        Channels of the images.
    activation
        Activation of the two layers that make the style: ``leaky_relu``, or the smooth ``gelu``.
    start
        What the constant starts as: ``normal`` numbers, or ``coordinates``, to which normal numbers
        of a tenth of their size are added. Then the first map rises with the column, the second
        with the row, the third and fourth fall with them, and so on; a style that shifts such a map
        moves an edge. In a decoder that knows where pixels are, positions have latents of their own
        (Watters et al. 2019, https://arxiv.org/abs/1901.07017).
    """

    def __init__(
        self,
        n_inputs: int,
        n_style: int,
        grid: tuple[int, int],
        widths: Sequence[int],
        channels: int,
        activation: Literal["leaky_relu", "gelu"] = "leaky_relu",
        start: Literal["normal", "coordinates"] = "normal",
    ) -> None:
        super().__init__()
        constant = _CONSTANT * torch.randn(1, widths[0], *grid)
        if start == "coordinates":
            constant += _coordinates(widths[0], *grid)
        self.constant = nn.Parameter(constant)
        self.style = nn.Sequential(
            *_linear(n_inputs, n_style, activation), *_linear(n_style, n_style, activation)
        )
        self.styles = nn.Linear(n_style, 2 * sum(widths))
        self.layers = nn.ModuleList(
            nn.ConvTranspose2d(before, after, 4, 2, 1)
            for before, after in zip(widths, [*widths[1:], channels], strict=True)
        )
        self._sizes = [2 * width for width in widths]

    def forward(self, latents: Tensor) -> Tensor:
        """Outputs (n, channels, height, width) of latents (n, latents)."""
        for maps in self._stages(latents):
            outputs = maps  # one at a time, so that no list of them holds memory
        return outputs

    def features(self, latents: Tensor) -> list[Tensor]:
        """What the decoder makes on the way to the outputs, from latents (n, latents).

        The style (n, units), then what each layer but the last writes (n, channels, height, width).
        """
        return list(itertools.islice(self._stages(latents), len(self.layers)))

    def _stages(self, latents: Tensor) -> Iterator[Tensor]:
        style = self.style(latents)
        yield style
        styles = self.styles(style).split(self._sizes, dim=1)
        maps = self.constant.expand(len(latents), -1, -1, -1)
        for layer, numbers in zip(self.layers, styles, strict=True):
            scale, shift = numbers.chunk(2, dim=1)
            maps = layer(styled(maps, 1 + scale, shift))
            yield maps


class StyleEncoder(nn.Sequential):
    """Convolutions that halve the sides, each with instance normalisation; then two matrices."""


def style_encoder(
    channels: int, widths: Sequence[int], grid: tuple[int, int], hidden: int, outputs: int
) -> StyleEncoder:
    """From images to ``outputs``; each of the ``widths`` halves the sides, down to ``grid``."""
    layers: list[nn.Module] = []
    for before, width in zip([channels, *widths], widths, strict=False):
        layers += [nn.Conv2d(before, width, 4, 2, 1), InstanceNorm(width)]
    return StyleEncoder(
        *layers,
        nn.Flatten(),
        *_linear(grid[0] * grid[1] * widths[-1], hidden),
        nn.Linear(hidden, outputs),
    )


def styled(maps: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Feature maps (n, channels, h, w) normalised over places, scaled, shifted and rectified.

    ``scale`` and ``shift`` are (n, channels). On a processor this is one compiled function each
    way, in single precision.
    """
    if maps.device.type == "cpu" and not torch.compiler.is_compiling():
        return _Styled.apply(maps.float(), scale.float(), shift.float())
    normal = F.instance_norm(maps, eps=EPSILON)
    shifted = torch.addcmul(shift[:, :, None, None], normal, scale[:, :, None, None])
    return F.leaky_relu(shifted, SLOPE)


class _Styled(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, maps: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        from unweave.models._style_kernels import forward  # compiled by what needs it

        rows, scale, shift = _places(maps), scale.contiguous(), shift.contiguous()
        out, mean, factor = (torch.empty_like(t) for t in (rows, scale, scale))
        arrays = [tensor.numpy() for tensor in (rows, scale, shift, out, mean, factor)]
        forward(*arrays, np.float32(SLOPE), np.float32(EPSILON))
        context.save_for_backward(rows, out, scale, mean, factor)
        context.sides = maps.shape[2:]
        return _maps(out, context.sides)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        from unweave.models._style_kernels import backward

        rows, out, scale, mean, factor = context.saved_tensors
        found = [torch.empty_like(t) for t in (rows, scale, scale)]
        given = (_places(gradient), rows, out, scale, mean, factor)
        arrays = [tensor.numpy() for tensor in (*given, *found)]
        backward(*arrays, np.float32(SLOPE))
        return _maps(found[0], context.sides), found[1], found[2]


def _coordinates(channels: int, height: int, width: int) -> Tensor:
    """Maps (1, channels, height, width) in [-1, 1]: the column, the row, and both negated."""
    down, right = torch.linspace(-1, 1, height), torch.linspace(-1, 1, width)
    rows, columns = torch.meshgrid(down, right, indexing="ij")
    four = torch.stack([columns, rows, -columns, -rows])
    return four[torch.arange(channels) % 4][None]


def _places(maps: Tensor) -> Tensor:
    """(n, channels, h, w) as (n, places, channels), which copies nothing in channels last."""
    n, channels, height, width = maps.shape
    return maps.detach().permute(0, 2, 3, 1).contiguous().view(n, height * width, channels)


def _maps(places: Tensor, sides: Sequence[int]) -> Tensor:
    n, _, channels = places.shape
    return places.view(n, *sides, channels).permute(0, 3, 1, 2)


def _linear(inputs: int, outputs: int, activation: str = "leaky_relu") -> list[nn.Module]:
    smooth = activation == "gelu"
    return [nn.Linear(inputs, outputs), nn.GELU() if smooth else nn.LeakyReLU(SLOPE, inplace=True)]
