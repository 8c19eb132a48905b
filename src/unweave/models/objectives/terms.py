"""What all objectives are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from unweave._random import Stream, torch_seeded
from unweave.datasets import ImageDataset
from unweave.models.likelihoods import Likelihood, negative_log_likelihood
from unweave.models.networks import ImageShape, Network, initialise
from unweave.models.vae import VAE, Posterior, VAEOutput

__all__ = ["AdversaryOptimizer", "Batch", "Loss", "Objective", "Pass", "Terms"]


class Batch(NamedTuple):
    """What one training step sees."""

    images: Tensor
    """(n, channels, height, width) in [0, 1]."""
    noise: Tensor
    """Standard normal (n, inputs of the decoder), for draws from the posterior."""
    prior: Tensor
    """Standard normal (n, inputs of the decoder), for what is compared with the prior."""
    step: int
    """Training steps done before this one."""
    n_images: int
    """Images in the data set."""
    own: slice | None = None
    """The latents of what differs between the images, where an objective draws them so."""


class Pass(NamedTuple):
    """A batch, and what the model made of it."""

    batch: Batch
    posterior: Posterior
    latents: Tensor
    """Drawn from the posterior, (n, latents)."""
    reconstruction: Tensor
    """-log p(x|z) in nats per image, the mean over the batch."""
    kl: Tensor
    """KL divergence of the posterior from the prior, (latents,), likewise."""
    adversary: nn.Module | None
    """The network that is trained against the model, where the objective has one."""


class Loss(NamedTuple):
    """What is minimised."""

    value: Tensor
    """By the model."""
    others: Mapping[str, Tensor] = {}
    """Terms to be recorded, by the names in ``Objective.records``."""
    of_adversary: Tensor | None = None
    """By the adversary."""


class Terms(NamedTuple):
    """One batch's loss and its parts, all in nats per image: means over the batch of sums."""

    loss: Tensor
    """What the model minimises."""
    reconstruction: Tensor
    """-log p(x|z)."""
    kl: Tensor
    """KL divergence of the posterior from the prior, (latents,)."""
    others: Mapping[str, Tensor] = {}
    """What else the objective is made of, by name."""
    adversary_loss: Tensor | None = None
    """What the adversary minimises."""


class AdversaryOptimizer(NamedTuple):
    """Settings of the Adam that trains an adversary."""

    learning_rate: float
    betas: tuple[float, float]


class Objective(BaseModel):
    """What a model is trained to minimise.

    A new objective is a subclass with a ``name`` and a ``loss``, in a file of its own in this
    folder, which is found there. Its fields are its hyper-parameters: options of ``unweave train``
    and keys of study files.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    title: ClassVar[str] = ""
    """As its paper spells it."""
    symbol: ClassVar[str] = ""
    """Of the strength, as β."""
    records: ClassVar[tuple[str, ...]] = ()
    """Names of the terms that it records besides reconstruction and KL."""
    smallest_batch: ClassVar[int] = 1
    """More than one where images of a batch are compared with each other."""
    betas: ClassVar[tuple[float, float]] = (0.9, 0.999)
    """Of the Adam that trains the model."""
    is_supervised: ClassVar[bool] = False
    """Whether it uses the factors."""

    name: str
    likelihood: Likelihood = "bernoulli"
    """Distribution of a pixel: bernoulli, gaussian or laplace."""

    @property
    def strength(self) -> float | None:
        """The hyper-parameter that tells runs of this objective apart, if it has one."""
        return None

    @property
    def label(self) -> str:
        """For people: the title, and the strength."""
        title = self.title or self.name
        return title if self.strength is None else f"{title} ({self.symbol} = {self.strength:g})"

    @property
    def samples(self) -> bool:
        """Whether latents are drawn from the posterior, or are its means."""
        return True

    @property
    def adversary_optimizer(self) -> AdversaryOptimizer:
        """How the adversary is trained."""
        raise NotImplementedError

    def adversary(self, network: Network, image_shape: ImageShape) -> nn.Module | None:
        """A network to be trained against the model, or None."""
        return None

    def build_adversary(self, model: VAE, *, seed: int) -> nn.Module | None:
        """The adversary, if there is one, with weights drawn from ``seed``.

        Raises
        ------
        ValueError
            If the model does not say what its networks were built from.
        """
        if type(self).adversary is Objective.adversary:
            return None
        if model.network is None:
            raise ValueError(f"{self.name} needs a model that was built from a Network")
        with torch_seeded(seed, Stream.ADVERSARY):
            adversary = self.adversary(model.network, model.image_shape)
            assert adversary is not None
            initialise(adversary)
        return adversary

    def rows(
        self, dataset: ImageDataset, batch_size: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, slice | None]:
        """Rows (batch_size,) of a batch, and the latents that may differ, if not all may."""
        return rng.integers(0, len(dataset), batch_size), None

    def loss(self, seen: Pass) -> Loss:
        """The loss from the terms of a batch."""
        raise NotImplementedError

    def __call__(self, model: VAE, batch: Batch, adversary: nn.Module | None = None) -> Terms:
        """The terms of a batch.

        Raises
        ------
        ValueError
            If the batch is too small.
        """
        self.check_batch_size(len(batch.images))
        return self._terms(model, batch, adversary)

    def check_batch_size(self, size: int) -> None:
        """Refuse a batch that is too small.

        Raises
        ------
        ValueError
            If it is.
        """
        if size < self.smallest_batch:
            raise ValueError(
                f"{self.name} compares the images of a batch with each other: it needs a batch of "
                f"at least {self.smallest_batch}, not {size}"
            )

    def check_inputs(self, n_latents: int, n_inputs: int) -> None:
        """Refuse a decoder that takes noise beside the latents, where nothing would draw it.

        Raises
        ------
        ValueError
            If it does.
        """
        if n_inputs != n_latents:
            raise ValueError(
                f"{self.name} has no use for a decoder with {n_inputs - n_latents} inputs of noise "
                "beside the latents: set n_noise to 0"
            )

    def _terms(self, model: VAE, batch: Batch, adversary: nn.Module | None) -> Terms:
        out: VAEOutput = model(batch.images, batch.noise if self.samples else None)
        losses = negative_log_likelihood(out.outputs, batch.images, self.likelihood)
        reconstruction = losses.mean()
        kl = out.posterior.kl().mean(dim=0)
        seen = Pass(batch, out.posterior, out.latents, reconstruction, kl, adversary)
        value, others, of_adversary = self.loss(seen)
        return Terms(value, reconstruction, kl, others, of_adversary)
