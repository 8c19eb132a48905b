"""The plain autoencoder (Hinton and Salakhutdinov 2006)."""

from __future__ import annotations

from typing import ClassVar, Literal

from unweave.models.objectives.terms import Loss, Objective, Pass

__all__ = ["AE"]


class AE(Objective):
    """Reconstruction alone, from the posterior mean, https://doi.org/10.1126/science.1127647.

    The variances are not used. The KL divergence of a posterior that nothing holds in place says
    nothing, but is recorded.
    """

    title: ClassVar[str] = "autoencoder"
    name: Literal["ae"] = "ae"

    @property
    def samples(self) -> bool:
        """Latents are the means."""
        return False

    def loss(self, seen: Pass) -> Loss:
        """The reconstruction."""
        return Loss(seen.reconstruction)
