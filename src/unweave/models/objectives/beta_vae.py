"""beta-VAE (Higgins et al. 2017)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from unweave.models.objectives.terms import Loss, Objective, Pass

__all__ = ["BetaVAE"]


class BetaVAE(Objective):
    r""":math:`-E_q[\log p(x|z)] + \beta\, KL(q(z|x) \| p(z))`, equation 4 of the paper.

    Both terms are sums over pixels and latents, so that ``beta`` is the paper's and not its beta
    normalised by sizes (https://openreview.net/forum?id=Sy2fzU9gl).
    """

    title: ClassVar[str] = "β-VAE"
    symbol: ClassVar[str] = "β"
    name: Literal["beta_vae"] = "beta_vae"
    beta: float = Field(default=4.0, ge=0)
    """Weight of the KL divergence; 1 is the VAE."""

    @property
    def strength(self) -> float:
        """Beta."""
        return self.beta

    def loss(self, seen: Pass) -> Loss:
        """Reconstruction plus beta times KL."""
        return Loss(seen.reconstruction + self.beta * seen.kl.sum())
