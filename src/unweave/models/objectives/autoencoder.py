"""The plain autoencoder (Hinton and Salakhutdinov 2006)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from unweave.models.objectives.terms import Objective

__all__ = ["AE"]


class AE(Objective):
    """Reconstruction alone, from the posterior mean; the variances are not used.

    The KL divergence of a posterior that nothing holds in place says nothing, but is recorded.
    """

    name: Literal["ae"] = "ae"

    @property
    def samples(self) -> bool:
        """Latents are the means."""
        return False

    def loss(
        self, reconstruction: Tensor, kl: Tensor, step: int
    ) -> tuple[Tensor, dict[str, float]]:
        """The reconstruction."""
        return reconstruction, {}
