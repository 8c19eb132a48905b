"""The VAE's own objective, the negative evidence lower bound (Kingma and Welling 2014)."""

from __future__ import annotations

from typing import ClassVar, Literal

from unweave.models.objectives.terms import Loss, Objective, Pass

__all__ = ["VAE"]


class VAE(Objective):
    r""":math:`-E_q[\log p(x|z)] + KL(q(z|x) \| p(z))`, https://arxiv.org/abs/1312.6114."""

    title: ClassVar[str] = "VAE"
    name: Literal["vae"] = "vae"

    def loss(self, seen: Pass) -> Loss:
        """Reconstruction plus KL."""
        return Loss(seen.reconstruction + seen.kl.sum())
