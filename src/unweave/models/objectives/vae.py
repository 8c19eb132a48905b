"""The VAE's own objective, the negative evidence lower bound (Kingma and Welling 2014)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from unweave.models.objectives.terms import Objective

__all__ = ["VAE"]


class VAE(Objective):
    r""":math:`-E_q[\log p(x|z)] + KL(q(z|x) \| p(z))`, https://arxiv.org/abs/1312.6114."""

    name: Literal["vae"] = "vae"

    def loss(
        self, reconstruction: Tensor, kl: Tensor, step: int
    ) -> tuple[Tensor, dict[str, float]]:
        """Reconstruction plus KL."""
        return reconstruction + kl.sum(), {}
