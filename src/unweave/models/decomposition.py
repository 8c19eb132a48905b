r"""The three parts of the mean KL divergence of the posteriors from the prior.

.. math::
    E_x\,KL(q(z|x) \| p(z)) = I(x; z) + KL\Big(q(z) \Big\| \prod_j q(z_j)\Big)
    + \sum_j KL(q(z_j) \| p(z_j))

with the aggregate posterior :math:`q(z) = \frac{1}{N} \sum_n q(z|x_n)`: index-code mutual
information, total correlation, dimension-wise KL (Chen et al. 2018, equation 2,
https://arxiv.org/abs/1802.04942).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from unweave.models.groups import check_groups
from unweave.models.vae import Posterior

__all__ = ["Decomposition", "Estimator", "decompose_kl", "log_densities"]

Estimator = Literal["stratified", "weighted"]


class Decomposition(NamedTuple):
    """The parts, scalars in nats; their sum is the KL divergence at the latents that were drawn."""

    mutual_information: Tensor
    """Mutual information of image and code, in nats."""
    total_correlation: Tensor
    """Divergence of the aggregate posterior from the product of its marginals, those of the single
    latents or of the groups."""
    dimension_wise: Tensor
    """Divergences of the marginals from the prior, summed over latents or groups."""


def decompose_kl(
    posterior: Posterior,
    latents: Tensor,
    *,
    n_images: int,
    estimator: Estimator = "stratified",
    groups: Sequence[int] = (),
) -> Decomposition:
    r"""The parts from a batch of posteriors, and one draw (n, latents) from each of them.

    The density of the aggregate posterior at each draw is estimated from the batch. With N images
    in the data and n in the batch, q(z|x) counts by

    - ``stratified``: 1/N for the image that z was drawn from, and (N - 1) / (N (n - 1)) for each of
      the others. The density is then unbiased, and exact when the batch is the data. (Chen et al.,
      appendix C.2, give one of the others the rest of the weight; this is the mean over all
      choices of that one, and so varies less.)
    - ``weighted``: 1/(N n) for every image (their appendix C.1). It is biased, by log N for each
      logarithm when the batch is the data; its gradient is that of equal weights.

    An estimate of one kind says nothing beside one of the other, nor beside one of another n: with
    narrow posteriors and n far below N, even a total correlation of zero is estimated at some nats.

    With ``groups``, sizes that sum to the number of latents, the total correlation is that between
    groups of latents, which may depend on each other within a group: the marginals are those of the
    groups (PDisVAE, https://arxiv.org/abs/2502.02279). A factor that needs several latents, such as
    an angle, then is not penalised for it.

    Raises
    ------
    ValueError
        If there is one image only, or more of them than in the data, or the groups do not sum to
        the number of latents.
    """
    n = len(latents)
    if not 2 <= n <= n_images:
        raise ValueError(f"the batch must have 2 to {n_images} images (all of the data), not {n}")
    log_q = log_densities(posterior, latents)
    weights = _log_weights(n, n_images, estimator, like=latents)
    log_joint = torch.logsumexp(log_q.sum(dim=2) + weights, dim=1)
    of_groups = _summed(log_q, check_groups(groups, latents.shape[1])) if groups else log_q
    log_marginals = torch.logsumexp(of_groups + weights[:, :, None], dim=1).sum(dim=1)
    log_own = torch.diagonal(log_q.sum(dim=2))
    log_prior = -0.5 * (latents**2 + math.log(2 * math.pi)).sum(dim=1)
    return Decomposition(
        (log_own - log_joint).mean(),
        (log_joint - log_marginals).mean(),
        (log_marginals - log_prior).mean(),
    )


def log_densities(posterior: Posterior, latents: Tensor) -> Tensor:
    """Log q(z_ij | x_k) in nats, (draws i, posteriors k, latents j)."""
    mean, log_variance = posterior
    squares = (latents[:, None] - mean[None]) ** 2 * torch.exp(-log_variance)[None]
    return -0.5 * (squares + log_variance[None] + math.log(2 * math.pi))


def _summed(log_q: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Log densities (draws, posteriors, groups) from those of the latents."""
    return torch.stack([part.sum(dim=2) for part in log_q.split(sizes, dim=2)], dim=2)


def _log_weights(n: int, n_images: int, estimator: Estimator, *, like: Tensor) -> Tensor:
    """Logarithms of the weights (draws, posteriors)."""
    if estimator == "weighted":
        own = other = -math.log(n_images * n)
    else:
        own, other = -math.log(n_images), math.log((n_images - 1) / (n_images * (n - 1)))
    weights = torch.full((n, n), other, dtype=like.dtype, device=like.device)
    return weights.fill_diagonal_(own)
