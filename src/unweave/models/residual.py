"""Residual networks, by their widths and depth: for scales from 0.1 to 50 million parameters."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

__all__ = ["ResidualBlock", "residual_decoder", "residual_encoder"]


class ResidualBlock(nn.Module):
    """x + convolution(relu(convolution(relu(x)))), He et al. (2016), without normalisation.

    The second convolution is to start at zero (Zhang et al. 2019,
    https://arxiv.org/abs/1901.09321), so that a network of any depth starts as one without blocks.
    """

    def __init__(self, channels: int, *, n_groups: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, groups=n_groups)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, groups=n_groups)

    def forward(self, inputs: Tensor) -> Tensor:
        """As (n, channels, height, width) as it came."""
        return inputs + self.second(self.first(inputs.relu()).relu())


def residual_encoder(
    channels: int,
    widths: Sequence[int],
    depth: int,
    grid: tuple[int, int],
    hidden: int,
    outputs: int,
) -> nn.Sequential:
    """From images to ``outputs``; each of the ``widths`` halves the sides, down to ``grid``."""
    layers: list[nn.Module] = []
    for before, width in zip([channels, *widths], widths, strict=False):
        layers.append(nn.Conv2d(before, width, 4, 2, 1))
        layers += [ResidualBlock(width) for _ in range(depth)]
    return nn.Sequential(
        *layers,
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(grid[0] * grid[1] * widths[-1], hidden),
        nn.ReLU(),
        nn.Linear(hidden, outputs),
    )


def residual_decoder(
    inputs: int,
    hidden: int,
    grid: tuple[int, int],
    widths: Sequence[int],
    depth: int,
    channels: int,
) -> nn.Sequential:
    """From ``inputs`` to images: the encoder turned round."""
    layers: list[nn.Module] = []
    for width, after in zip(widths[::-1], [*widths[-2::-1], channels], strict=True):
        layers += [ResidualBlock(width) for _ in range(depth)]
        layers += [nn.ReLU(), nn.ConvTranspose2d(width, after, 4, 2, 1)]
    return nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.ReLU(),
        nn.Linear(hidden, grid[0] * grid[1] * widths[-1]),
        nn.Unflatten(1, (widths[-1], *grid)),
        *layers,
    )
