"""DC-IGN, the deep convolutional inverse graphics network (Kulkarni et al. 2015)."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from torch import Tensor, nn

from unweave.datasets import GridDataset, ImageDataset
from unweave.models.likelihoods import negative_log_likelihood
from unweave.models.objectives.terms import Batch, Objective, Terms
from unweave.models.vae import VAE, Posterior

__all__ = ["DCIGN", "clamp_latents"]


class DCIGN(Objective):
    r"""A VAE trained with batches in which one factor varies and one latent may follow it.

    All other latents are clamped: the decoder gets their means over the batch, and in place of the
    gradient they get their distance from that mean, times ``invariance`` (section 3 of
    https://arxiv.org/abs/1503.03167). Each ordered or circular factor has a latent of its own, in
    the order of the dataset's factors; the categorical ones share the rest. It uses the factors
    of every batch: it is supervised, and the paper's beta-VAE is compared with it as such.
    """

    title: ClassVar[str] = "DC-IGN, supervised"
    records: ClassVar[tuple[str, ...]] = ("variation",)
    smallest_batch: ClassVar[int] = 2
    is_supervised: ClassVar[bool] = True
    name: Literal["dc_ign"] = "dc_ign"
    invariance: float = Field(default=0.01, ge=0)
    """Weight of the distance of clamped latents from their mean."""
    categorical_ratio: float = Field(default=1.0, gt=0)
    """Batches in which the categorical factors vary, for each in which an ordered one does; 10 in
    the paper, whose faces differ in countless ways."""

    def rows(
        self, dataset: ImageDataset, batch_size: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, slice]:
        """Rows that differ in one ordered factor, or in the categorical ones; and its latents.

        Raises
        ------
        ValueError
            If the dataset has no levels of factors.
        """
        if not isinstance(dataset, GridDataset):
            raise ValueError(
                f"dc_ign draws batches in which one factor varies, and {dataset.name} has no "
                "levels of factors to choose from: take an objective that needs no labels"
            )
        space = dataset.space
        is_categorical = np.array(space.kinds) == "categorical"
        ordered, categorical = np.flatnonzero(~is_categorical), np.flatnonzero(is_categorical)
        weights = np.append(np.ones(len(ordered)), self.categorical_ratio * bool(len(categorical)))
        group = rng.choice(len(weights), p=weights / weights.sum())
        if group < len(ordered):
            varied, own = ordered[group : group + 1], slice(group, group + 1)
        else:
            varied, own = categorical, slice(len(ordered), None)
        levels = space.sample(batch_size, random_state=rng)
        levels[:, np.setdiff1d(np.arange(space.n_factors), varied)] = np.delete(levels[0], varied)
        return space.indices(levels), own

    def _terms(self, model: VAE, batch: Batch, adversary: nn.Module | None) -> Terms:
        posterior = Posterior.of(model.encoder(batch.images))
        n_latents = posterior.mean.shape[1]
        if batch.own is None:
            raise ValueError("dc_ign needs batches in which one factor varies: draw them by `rows`")
        if batch.own.start >= n_latents:
            raise ValueError(
                f"dc_ign has a latent for each ordered factor, and more for the categorical ones: "
                f"it needs at least {batch.own.start + 1} latents, not {n_latents}"
            )
        latents, variation = clamp_latents(posterior.sample(batch.noise), batch.own)
        losses = negative_log_likelihood(model.decoder(latents), batch.images, self.likelihood)
        reconstruction, kl = losses.mean(), posterior.kl().mean(dim=0)
        # Half a square: its gradient is the distance itself.
        value = reconstruction + kl.sum() + 0.5 * self.invariance * variation
        return Terms(value, reconstruction, kl, {"variation": variation})


def clamp_latents(latents: Tensor, own: slice) -> tuple[Tensor, Tensor]:
    """Latents (n, latents), all but ``own`` at their means over the batch, cut off from gradients;
    and the squared distances of those from the means, summed over latents, averaged over the batch.
    """  # noqa: D205
    means = latents.mean(dim=0).detach()
    clamped = means.expand_as(latents).clone()
    clamped[:, own] = latents[:, own]
    squares = (latents - means) ** 2
    return clamped, squares.sum(dim=1).mean() - squares[:, own].sum(dim=1).mean()
