"""SlowVAE (Klindt et al. 2021)."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from unweave.models.objectives.pairs import PairObjective, halves
from unweave.models.objectives.terms import Loss, Pass

__all__ = ["SlowVAE", "laplace_cross_entropy"]


class SlowVAE(PairObjective):
    r"""A VAE on pairs of images whose latents differ by sparse, Laplace-distributed steps.

    .. math:: 2 R + \beta\, KL(q \| N(0, 1)) + \gamma\, [H(q_0; \mathrm{Laplace}(\mu_1, \lambda))
        + H(q_1; \mathrm{Laplace}(\mu_0, \lambda)) - H(q)]

    in nats per pair, with the cross-entropies of the posterior of either image with a Laplace
    distribution round the other's mean, whose rate is :math:`\lambda`
    (https://arxiv.org/abs/2007.10930). Reconstruction R, KL and the entropy H(q) are means over
    both images, and the cross-entropies are a sum over both, as in the authors' code
    (bethgelab/slow_disentanglement).
    """

    title: ClassVar[str] = "SlowVAE, weakly supervised"
    symbol: ClassVar[str] = "γ"
    records: ClassVar[tuple[str, ...]] = ("transition",)
    name: Literal["slow_vae"] = "slow_vae"
    changes: Literal["uniform", "other", "laplace", "laplace_line"] = "laplace_line"
    """How a factor changes: by a Laplace step along a line, as in the paper (LAP), or round the
    circle; to another level (UNI), or to any."""
    beta: float = Field(default=1.0, ge=0)
    """Weight of the KL divergence from the normal prior."""
    gamma: float = Field(default=10.0, ge=0)
    """Weight of the KL divergence from the Laplace transition."""
    prior_rate: float = Field(default=6.0, gt=0)
    """Lambda, the inverse scale of the transition; a larger one is sparser."""

    @property
    def strength(self) -> float:
        """Gamma."""
        return self.gamma

    def loss(self, seen: Pass) -> Loss:
        """Twice the reconstruction, plus both weighted divergences."""
        first, second = halves(seen.posterior)
        step = first.mean - second.mean
        forwards = laplace_cross_entropy(step, first.log_variance, self.prior_rate)
        backwards = laplace_cross_entropy(step, second.log_variance, self.prior_rate)
        entropy = 0.5 * (seen.posterior.log_variance + math.log(2 * math.pi * math.e))
        crosses = (forwards + backwards).sum(dim=1).mean()
        transition = crosses - entropy.sum(dim=1).mean()
        value = 2 * seen.reconstruction + self.beta * seen.kl.sum() + self.gamma * transition
        return Loss(value, {"transition": transition})


def laplace_cross_entropy(mean: Tensor, log_variance: Tensor, rate: float) -> Tensor:
    r""":math:`-E[\log p(z)]` in nats for z normal and p the Laplace density of a rate round 0.

    The expected magnitude of a normal variable is that of the folded normal distribution.
    """
    scaled = mean * torch.exp(-0.5 * log_variance)
    density = math.sqrt(2 / math.pi) * torch.exp(0.5 * (log_variance - scaled**2))
    magnitude = density + mean * torch.erf(scaled / math.sqrt(2))
    return rate * magnitude - math.log(rate / 2)
