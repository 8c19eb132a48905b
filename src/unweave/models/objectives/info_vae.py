"""InfoVAE (Zhao et al. 2019), with the maximum mean discrepancy."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from unweave.models.objectives.terms import Loss, Objective, Pass

__all__ = ["InfoVAE", "maximum_mean_discrepancy"]


class InfoVAE(Objective):
    r""":math:`-E_q[\log p(x|z)] + (1 - \alpha) KL(q(z|x) \| p(z)) + (\alpha + \lambda - 1) MMD`.

    Equation 6 of https://arxiv.org/abs/1706.02262; the discrepancy is between the aggregate
    posterior and the prior. ``alpha`` = 1 is the MMD-VAE.
    """

    title: ClassVar[str] = "InfoVAE"
    symbol: ClassVar[str] = "λ"
    records: ClassVar[tuple[str, ...]] = ("discrepancy",)
    smallest_batch: ClassVar[int] = 2
    name: Literal["info_vae"] = "info_vae"
    alpha: float = Field(default=0.0, le=1)
    """Preference for information between image and code, at most 1."""
    lambda_prior: float = Field(default=1000.0, ge=0)
    """The paper's lambda: how much more than in a VAE the codes should follow the prior."""

    @model_validator(mode="after")
    def _positive(self) -> InfoVAE:
        if self.alpha + self.lambda_prior < 1:
            raise ValueError(
                f"alpha + lambda_prior is {self.alpha + self.lambda_prior:g}: below 1 codes would "
                "be driven away from the prior"
            )
        return self

    @property
    def strength(self) -> float:
        """Lambda."""
        return self.lambda_prior

    def loss(self, seen: Pass) -> Loss:
        """Reconstruction plus weighted KL plus weighted discrepancy."""
        discrepancy = maximum_mean_discrepancy(seen.latents, seen.batch.prior)
        value = (
            seen.reconstruction
            + (1 - self.alpha) * seen.kl.sum()
            + (self.alpha + self.lambda_prior - 1) * discrepancy
        )
        return Loss(value, {"discrepancy": discrepancy})


def maximum_mean_discrepancy(a: Tensor, b: Tensor) -> Tensor:
    r"""Squared MMD of the distributions behind samples (n, latents) and (m, latents), unbiased.

    With the kernel :math:`\exp(-|x - y|^2 / 2D)` for D latents, which at the typical distance of
    two standard normal draws is 1/e (Gretton et al. 2012, equation 3). It may come out below zero.
    """
    n, m = len(a), len(b)
    within_a = (_kernel(a, a).sum() - n) / (n * (n - 1))
    within_b = (_kernel(b, b).sum() - m) / (m * (m - 1))
    return within_a + within_b - 2 * _kernel(a, b).mean()


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    squares = (a**2).sum(dim=1)[:, None] + (b**2).sum(dim=1)[None] - 2 * a @ b.T
    return torch.exp(-squares.clamp(min=0) / (2 * a.shape[1]))
