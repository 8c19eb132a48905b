"""AnnealedVAE, the beta-VAE with controlled capacity (Burgess et al. 2018)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field

from unweave.models.objectives.terms import Loss, Objective, Pass

__all__ = ["AnnealedVAE"]


class AnnealedVAE(Objective):
    r""":math:`-E_q[\log p(x|z)] + \gamma\, |KL(q(z|x) \| p(z)) - C|`, equation 8 of the paper.

    The capacity C grows linearly from 0 to ``max_capacity`` over ``annealing_steps`` steps. The KL
    is the mean over the batch, as in disentanglement_lib (https://arxiv.org/abs/1804.03599).
    """

    title: ClassVar[str] = "AnnealedVAE"
    symbol: ClassVar[str] = "C"
    records: ClassVar[tuple[str, ...]] = ("capacity",)
    name: Literal["annealed_vae"] = "annealed_vae"
    gamma: float = Field(default=1000.0, ge=0)
    """Weight of the distance between the KL divergence and its aim."""
    max_capacity: float = Field(default=25.0, ge=0)
    """Capacity in nats at the end of the annealing."""
    annealing_steps: int = Field(default=100_000, ge=1)
    """Steps over which the capacity grows."""

    @property
    def strength(self) -> float:
        """The final capacity in nats."""
        return self.max_capacity

    def capacity(self, step: int) -> float:
        """C in nats after ``step`` steps."""
        return self.max_capacity * min(1.0, step / self.annealing_steps)

    def loss(self, seen: Pass) -> Loss:
        """Reconstruction plus gamma times the distance of the KL from the capacity."""
        kl = seen.kl.sum()
        capacity = self.capacity(seen.batch.step)
        value = seen.reconstruction + self.gamma * (kl - capacity).abs()
        return Loss(value, {"capacity": torch.tensor(capacity, device=kl.device)})
