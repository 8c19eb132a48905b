"""What every kind of latents promises."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

__all__ = ["Latents", "LatentSpace", "Posterior", "Quantisation", "usage_entropy"]


class Posterior(NamedTuple):
    """The normal distributions q(z|x): ``mean`` and ``log_variance``, (n, latents) each."""

    mean: Tensor
    log_variance: Tensor

    @classmethod
    def of(cls, encoded: Tensor) -> Posterior:
        """From an encoder's outputs (n, 2 * latents), means first."""
        return cls(*encoded.chunk(2, dim=1))

    def sample(self, noise: Tensor) -> Tensor:
        """Latents (n, latents) by the reparameterisation trick, from standard normal ``noise``."""
        return self.mean + torch.exp(0.5 * self.log_variance) * noise

    def decoded(self, noise: Tensor | None) -> Tensor:
        """What the decoder gets (n, latents): a draw with the noise, or the means without."""
        return self.mean if noise is None else self.sample(noise)

    def kl(self) -> Tensor:
        """KL divergence (n, latents) in nats from the standard normal prior, in closed form."""
        return 0.5 * (self.mean**2 + self.log_variance.exp() - 1 - self.log_variance)

    def rates(self) -> Tensor:
        """Nats (latents,) that each latent holds of an image: its mean KL divergence."""
        return self.kl().mean(dim=0)


class Quantisation(NamedTuple):
    """Latents that take one of a few values each."""

    continuous: Tensor
    """What the encoder gave, (n, latents)."""
    values: Tensor
    """The value that stands for it, (n, latents), with its gradient to the codebook."""
    indices: Tensor
    """Which value it is, (n, latents) int64."""
    n_values: int
    """How many values a latent can take."""

    @property
    def mean(self) -> Tensor:
        """The values, without noise."""
        return self.values

    def decoded(self, noise: Tensor | None = None) -> Tensor:
        """What the decoder gets (n, latents): the values, and there is no noise in them.

        Gradients pass straight through to what the encoder gave.
        """
        return self.continuous + (self.values - self.continuous).detach()

    def rates(self) -> Tensor:
        """Entropy (latents,) in nats of the values that each latent takes among the images."""
        return usage_entropy(self.indices, self.n_values)


class Latents(nn.Module):
    """From an encoder's outputs to latents. Subclasses hold what is learnt, as a codebook."""

    def forward(self, encoded: Tensor) -> Posterior | Quantisation:
        """Latents of the encoder's outputs (n, ``n_encoded`` of the latent space)."""
        raise NotImplementedError

    def values(self) -> Tensor | None:
        """The values (latents, values) that latents can take; None if they take any number."""
        return None


class LatentSpace(BaseModel):
    """Which values the latents of a model take: a part of its :class:`~unweave.models.Network`.

    A new kind is a subclass with a ``name``, in a file of its own in this folder, which is found
    there. Its fields are options of ``unweave train`` and keys of study files.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    title: ClassVar[str] = ""
    """For people."""
    rate: ClassVar[str] = "kl"
    """What the nats of a latent are called in curves: ``kl`` or ``entropy``."""

    name: str

    def n_encoded(self, n_latents: int) -> int:
        """How many outputs of the encoder make so many latents."""
        return n_latents

    def groups_of(self, n_latents: int) -> tuple[int, ...]:
        """Sizes of the groups of latents that may depend on each other; empty if none may.

        Raises
        ------
        ValueError
            If the groups do not sum to the number of latents.
        """
        return ()

    def build(self, n_latents: int) -> Latents:
        """The module for so many latents."""
        raise NotImplementedError


def usage_entropy(indices: Tensor, n_values: int) -> Tensor:
    """Entropy (latents,) in nats of the values among ``indices`` (n, latents)."""
    one_hot = torch.nn.functional.one_hot(indices, n_values)
    shares = one_hot.sum(dim=0) / len(indices)
    return torch.special.entr(shares).sum(dim=1)
