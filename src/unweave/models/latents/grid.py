"""Latents on a fixed grid: finite scalar quantisation (Mentzer et al. 2024)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from unweave.models.latents.space import Latents, LatentSpace, Quantisation

__all__ = ["Grid"]


class Grid(LatentSpace):
    """Evenly spaced numbers from -1 to 1, the same for each latent; nothing of them is learnt.

    A latent is tanh of the encoder's output, rounded to the grid. Finite scalar quantisation
    (Mentzer et al. 2024, https://arxiv.org/abs/2309.15505) as Tripod has it (Hsu et al. 2024,
    https://arxiv.org/abs/2404.10282).
    """

    title: ClassVar[str] = "grid"
    rate: ClassVar[str] = "entropy"
    name: Literal["grid"] = "grid"
    n_values: int = Field(default=12, ge=2, le=256)
    """Numbers on the grid, 2 to 256."""

    def build(self, n_latents: int) -> Latents:
        """The grid."""
        return _GridLatents(n_latents, self.n_values)


class _GridLatents(Latents):
    grid: Tensor

    def __init__(self, n_latents: int, n_values: int) -> None:
        super().__init__()
        self.n_values = n_values
        points = torch.linspace(-1, 1, n_values).repeat(n_latents, 1)
        self.register_buffer("grid", points, persistent=False)

    def forward(self, encoded: Tensor) -> Quantisation:
        continuous = encoded.float().tanh()
        steps = self.n_values - 1
        indices = ((continuous + 1) * (steps / 2)).round().long()
        return Quantisation(continuous, self.grid[0][indices], indices, self.n_values)

    def values(self) -> Tensor:
        return self.grid
