"""QLAE, the quantised latent autoencoder (Hsu et al. 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from unweave.models.objectives.terms import Loss, Objective, Pass

__all__ = ["QLAE"]


class QLAE(Objective):
    r""":math:`-\log p(x|z) / n + w (\|sg(y) - z\|^2 + \|y - sg(z)\|^2)`, no prior and no noise.

    Section 3 of https://arxiv.org/abs/2305.18378. Here n is the number of numbers in an image, y is
    what the encoder gives, z the nearest values in the codebooks of the latents, sg stops
    gradients, and squares are means over latents. What makes it disentangle is that a latent has
    few values, the same whatever the other latents are, together with weight decay.

    The paper's weight decay is 0.1 over 200,000 steps at a learning rate of 1e-3. Training here has
    a tenth of these steps by default, so the default weight decay is ten times as large: learning
    rate times weight decay, summed over the steps, is 20 in both. The second moment has a decay
    rate of 0.99: with the usual 0.999 the loss spikes every 2,000 steps or so. The constant of the
    default decoder starts as coordinates, which separates positions; the paper has normal numbers.
    """

    title: ClassVar[str] = "QLAE"
    records: ClassVar[tuple[str, ...]] = ("quantisation",)
    latent_spaces: ClassVar[tuple[str, ...]] = ("quantised",)
    defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "network": {
            "name": "style",
            "n_latents": 12,
            "latent_space": {"name": "quantised"},
            "style_start": "coordinates",
        },
        "training": {
            "optimizer": "adamw",
            "learning_rate": 1e-3,
            "weight_decay": 1.0,
            "betas": (0.9, 0.99),
            "gradient_clip": 1.0,
        },
    }
    name: Literal["qlae"] = "qlae"
    quantisation_weight: float = Field(default=0.01, ge=0)
    """Weight w of both distances between the encoder's numbers and the values."""

    @property
    def samples(self) -> bool:
        """There is no noise in the latents."""
        return False

    def loss(self, seen: Pass) -> Loss:
        """Reconstruction per number of the image, and the distances to the codebooks."""
        found = seen.posterior
        of_codebook = (found.values - found.continuous.detach()).square().mean()
        of_encoder = (found.continuous - found.values.detach()).square().mean()
        value = seen.reconstruction / seen.batch.images[0].numel()
        return Loss(
            value + self.quantisation_weight * (of_codebook + of_encoder),
            {"quantisation": of_encoder},
        )
