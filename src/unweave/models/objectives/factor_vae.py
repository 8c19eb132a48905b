"""FactorVAE (Kim and Mnih 2018)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from unweave.models.adversaries import build_discriminator, frozen
from unweave.models.networks import ImageShape, Network
from unweave.models.objectives.terms import AdversaryOptimizer, Loss, Objective, Pass

__all__ = ["FactorVAE", "permute_latents"]


class FactorVAE(Objective):
    r""":math:`-E_q[\log p(x|z)] + KL(q(z|x) \| p(z)) + \gamma\, TC(z)`, equation 2 of the paper.

    The total correlation is the mean logit of a discriminator that is trained at the same time to
    distinguish codes from codes whose latents were permuted over the batch, each by itself (the
    density ratio trick, https://arxiv.org/abs/1802.05983). As in disentanglement_lib, the batch
    that is permuted is the one that the model sees; the paper draws a second one.
    """

    title: ClassVar[str] = "FactorVAE"
    symbol: ClassVar[str] = "γ"
    records: ClassVar[tuple[str, ...]] = ("total_correlation", "discriminator_loss")
    smallest_batch: ClassVar[int] = 2
    name: Literal["factor_vae"] = "factor_vae"
    gamma: float = Field(default=35.0, ge=0)
    """Weight of the total correlation; 0 is the VAE."""
    discriminator_units: int = Field(default=1000, ge=1)
    """Width of its six layers."""
    discriminator_learning_rate: float = Field(default=1e-4, gt=0)
    """Learning rate of its Adam, with betas 0.5 and 0.9."""

    @property
    def strength(self) -> float:
        """Gamma."""
        return self.gamma

    @property
    def adversary_optimizer(self) -> AdversaryOptimizer:
        """As in the paper."""
        return AdversaryOptimizer(self.discriminator_learning_rate, (0.5, 0.9))

    def adversary(self, network: Network, image_shape: ImageShape) -> nn.Module:
        """Six layers, and a logit."""
        return build_discriminator(network.n_latents, units=self.discriminator_units)

    def loss(self, seen: Pass) -> Loss:
        """Reconstruction plus KL plus gamma times TC; and the discriminator's cross-entropy."""
        assert seen.adversary is not None
        correlation = frozen(seen.adversary, seen.latents).mean()
        codes = seen.latents.detach()
        both = torch.cat([codes, permute_latents(codes, seen.batch.prior)])
        joint, product = seen.adversary(both).chunk(2)
        mistakes = 0.5 * (F.softplus(-joint).mean() + F.softplus(product).mean())
        value = seen.reconstruction + seen.kl.sum() + self.gamma * correlation
        others = {"total_correlation": correlation, "discriminator_loss": mistakes}
        return Loss(value, others, of_adversary=mistakes)


def permute_latents(codes: Tensor, randomness: Tensor) -> Tensor:
    """Codes (n, latents), each latent permuted over the rows in the order of ``randomness``."""
    return torch.gather(codes, 0, randomness.argsort(dim=0))
