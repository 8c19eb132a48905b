"""DIP-VAE I and II (Kumar et al. 2018)."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from unweave.models.objectives.terms import Loss, Objective, Pass
from unweave.models.vae import Posterior

__all__ = ["DIPVAEI", "DIPVAEII"]


class _DIPVAE(Objective):
    r"""The negative evidence lower bound, and a penalty on a covariance of the latents.

    .. math:: \lambda_{od} \sum_{i \neq j} C_{ij}^2 + \lambda_d \sum_i (C_{ii} - 1)^2

    with :math:`\lambda_d` = ``diagonal_factor`` times :math:`\lambda_{od}`, equations 6 and 7 of
    https://arxiv.org/abs/1711.00848.
    """

    symbol: ClassVar[str] = "λ"
    records: ClassVar[tuple[str, ...]] = ("off_diagonal", "diagonal")
    smallest_batch: ClassVar[int] = 2
    lambda_od: float = Field(default=10.0, ge=0)
    """Weight of the covariances between latents; 0 is the VAE."""
    diagonal_factor: float = Field(ge=0)
    """Weight of the variances, as a multiple of that of the covariances."""

    @property
    def strength(self) -> float:
        """Lambda of the covariances."""
        return self.lambda_od

    @abstractmethod
    def covariance(self, posterior: Posterior) -> Tensor:
        """The covariance (latents, latents) that should be the identity."""

    def loss(self, seen: Pass) -> Loss:
        """Reconstruction plus KL plus the penalty."""
        covariance = self.covariance(seen.posterior)
        variances = torch.diagonal(covariance)
        off_diagonal = (covariance**2).sum() - (variances**2).sum()
        diagonal = ((variances - 1) ** 2).sum()
        penalty = self.lambda_od * (off_diagonal + self.diagonal_factor * diagonal)
        others = {"off_diagonal": off_diagonal, "diagonal": diagonal}
        return Loss(seen.reconstruction + seen.kl.sum() + penalty, others)


class DIPVAEI(_DIPVAE):
    """The covariance of the posterior means over the data is held near the identity."""

    title: ClassVar[str] = "DIP-VAE-I"
    name: Literal["dip_vae_i"] = "dip_vae_i"
    diagonal_factor: float = Field(default=10.0, ge=0)
    """Weight of the variances, as a multiple of that of the covariances."""

    def covariance(self, posterior: Posterior) -> Tensor:
        """Cov[E[z|x]], from a batch."""
        return _covariance(posterior.mean)


class DIPVAEII(_DIPVAE):
    """The covariance of the aggregate posterior is held near the identity.

    By the law of total covariance it is that of the means, with the mean variance of each latent
    added to its own entry of the diagonal.
    """

    title: ClassVar[str] = "DIP-VAE-II"
    name: Literal["dip_vae_ii"] = "dip_vae_ii"
    diagonal_factor: float = Field(default=1.0, ge=0)
    """Weight of the variances, as a multiple of that of the covariances."""

    def covariance(self, posterior: Posterior) -> Tensor:
        """Cov[E[z|x]] + E[Cov[z|x]], from a batch."""
        return _covariance(posterior.mean) + torch.diag(posterior.log_variance.exp().mean(dim=0))


def _covariance(values: Tensor) -> Tensor:
    centred = values - values.mean(dim=0)
    return centred.T @ centred / len(values)
