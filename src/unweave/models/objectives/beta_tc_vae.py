"""beta-TCVAE (Chen et al. 2018)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from unweave.models.decomposition import Estimator, decompose_kl
from unweave.models.objectives.terms import Loss, Objective, Pass

__all__ = ["BetaTCVAE"]


class BetaTCVAE(Objective):
    r""":math:`-E_q[\log p(x|z)] + I(x; z) + \beta\, TC(z) + \sum_j KL(q(z_j) \| p(z_j))`.

    Equation 4 of https://arxiv.org/abs/1802.04942 with :math:`\alpha = \gamma = 1`, as all
    published results have it. As the three parts sum to the KL divergence, which is known in
    closed form, it is written KL + (beta - 1) TC, and only TC is estimated, from the batch.
    """

    title: ClassVar[str] = "β-TCVAE"
    symbol: ClassVar[str] = "β"
    records: ClassVar[tuple[str, ...]] = ("total_correlation",)
    smallest_batch: ClassVar[int] = 2
    name: Literal["beta_tc_vae"] = "beta_tc_vae"
    beta: float = Field(default=6.0, ge=0)
    """Weight of the total correlation; 1 is the VAE."""
    estimator: Estimator = "stratified"
    """Of the aggregate posterior: stratified or weighted minibatch sampling."""

    @property
    def strength(self) -> float:
        """Beta."""
        return self.beta

    def loss(self, seen: Pass) -> Loss:
        """Reconstruction plus KL plus (beta - 1) times total correlation."""
        parts = decompose_kl(
            seen.posterior,
            seen.latents,
            n_images=max(seen.batch.n_images, len(seen.latents)),
            estimator=self.estimator,
        )
        correlation = parts.total_correlation
        value = seen.reconstruction + seen.kl.sum() + (self.beta - 1) * correlation
        return Loss(value, {"total_correlation": correlation})
