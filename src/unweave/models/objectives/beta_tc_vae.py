"""beta-TCVAE (Chen et al. 2018)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from unweave._settings import Groups
from unweave.models.decomposition import Estimator, decompose_kl
from unweave.models.groups import check_groups
from unweave.models.networks import Network
from unweave.models.objectives.terms import Loss, Objective, Pass

__all__ = ["BetaTCVAE"]


class BetaTCVAE(Objective):
    r""":math:`-E_q[\log p(x|z)] + I(x; z) + \beta\, TC(z) + \sum_j KL(q(z_j) \| p(z_j))`.

    Equation 4 of https://arxiv.org/abs/1802.04942 with :math:`\alpha = \gamma = 1`, as all
    published results have it. As the three parts sum to the KL divergence, which is known in
    closed form, it is written KL + (beta - 1) TC, and only TC is estimated, from the batch.

    With ``groups``, TC is that between groups of latents, which may depend on each other within a
    group (PDisVAE, https://arxiv.org/abs/2502.02279).
    """

    title: ClassVar[str] = "β-TCVAE"
    symbol: ClassVar[str] = "β"
    records: ClassVar[tuple[str, ...]] = ("total_correlation",)
    smallest_batch: ClassVar[int] = 2
    latent_spaces: ClassVar[tuple[str, ...]] = ("gaussian", "grouped")
    name: Literal["beta_tc_vae"] = "beta_tc_vae"
    beta: float = Field(default=6.0, ge=0)
    """Weight of the total correlation; 1 is the VAE."""
    estimator: Estimator = "stratified"
    """Estimator of the aggregate posterior: stratified or weighted minibatch sampling."""
    groups: Groups = Field(default=(), exclude_if=lambda groups: not groups)
    """Sizes of the groups of latents between which total correlation is penalised, as 2,2,1; by
    default those of the latent space ``grouped``, else each latent is a group."""

    @property
    def strength(self) -> float:
        """Beta."""
        return self.beta

    @property
    def label(self) -> str:
        """For people: the title, the strength, and the groups."""
        if not self.groups:
            return super().label
        groups = ",".join(map(str, self.groups))
        return f"{self.title} ({self.symbol} = {self.strength:g}, groups {groups})"

    def check_inputs(self, n_latents: int, n_inputs: int) -> None:
        """Refuse groups that do not sum to the number of latents, and inputs of noise.

        Raises
        ------
        ValueError
            If there are such.
        """
        super().check_inputs(n_latents, n_inputs)
        check_groups(self.groups, n_latents)

    def check_network(self, network: Network) -> None:
        """Refuse groups that are not those of the latent space.

        Raises
        ------
        ValueError
            If both have groups, and they differ.
        """
        super().check_network(network)
        own, theirs = self.groups, network.latent_space.groups_of(network.n_latents)
        if own and theirs and own != theirs:
            raise ValueError(
                f"{self.name} has groups of {', '.join(map(str, own))}, and the latent space has "
                f"groups of {', '.join(map(str, theirs))}: leave out the groups of {self.name}"
            )

    def loss(self, seen: Pass) -> Loss:
        """Reconstruction plus KL plus (beta - 1) times total correlation."""
        parts = decompose_kl(
            seen.posterior,
            seen.latents,
            n_images=max(seen.batch.n_images, len(seen.latents)),
            estimator=self.estimator,
            groups=self.groups or seen.groups,
        )
        correlation = parts.total_correlation
        value = seen.reconstruction + seen.kl.sum() + (self.beta - 1) * correlation
        return Loss(value, {"total_correlation": correlation})
