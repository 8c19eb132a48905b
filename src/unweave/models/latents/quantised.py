"""Latents that take one of a few learnt numbers each (Hsu et al. 2023)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from unweave.models.latents.space import Latents, LatentSpace, Quantisation

__all__ = ["Quantised"]

_LIMIT = 0.5  # of the first values, which are evenly spaced


class Quantised(LatentSpace):
    """A codebook of numbers for each latent; a latent is the nearest of them.

    Hsu et al. (2023), section 3, https://arxiv.org/abs/2305.18378. The numbers are learnt; they
    start evenly spaced from -0.5 to 0.5.
    """

    title: ClassVar[str] = "quantised"
    rate: ClassVar[str] = "entropy"
    name: Literal["quantised"] = "quantised"
    n_values: int = Field(default=10, ge=2, le=256)
    """Numbers in the codebook of a latent, 2 to 256."""

    def build(self, n_latents: int) -> Latents:
        """The codebooks."""
        return _QuantisedLatents(n_latents, self.n_values)


class _QuantisedLatents(Latents):
    no_decay = ("codebook",)  # values are to stay where the codes are

    def __init__(self, n_latents: int, n_values: int) -> None:
        super().__init__()
        first = torch.linspace(-_LIMIT, _LIMIT, n_values)
        self.codebook = nn.Parameter(first.repeat(n_latents, 1))

    def forward(self, encoded: Tensor) -> Quantisation:
        # Distances are measured in single precision: halves of bfloat16 would merge values.
        continuous = encoded.float()
        with torch.no_grad():
            distances = (continuous[:, :, None] - self.codebook).abs()
            indices = distances.argmin(dim=2)
        values = self.codebook.T.gather(0, indices)
        return Quantisation(continuous, values, indices, self.codebook.shape[1])

    def values(self) -> Tensor:
        return self.codebook
