"""What all objectives are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, model_serializer
from torch import Tensor, nn

from unweave._objects import object_name
from unweave._random import Stream, torch_seeded
from unweave._settings import filled
from unweave.datasets import ImageDataset
from unweave.models.latents import LatentSpace
from unweave.models.likelihoods import Likelihood, negative_log_likelihood
from unweave.models.networks import ImageShape, Network, initialise
from unweave.models.vae import VAE, VAEOutput

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
    """Images in the dataset."""
    own: slice | None = None
    """Latents allowed to vary within this batch (DC-IGN); None for all."""


class Pass(NamedTuple):
    """A batch, and what the model made of it."""

    batch: Batch
    posterior: Any
    """For Gaussian latents their :class:`~unweave.models.Posterior`, for others their
    :class:`~unweave.models.latents.Quantisation`."""
    latents: Tensor
    """Drawn from the posterior, or the values of quantised latents, (n, latents)."""
    reconstruction: Tensor
    """-log p(x|z) in nats per image, the mean over the batch."""
    rates: Tensor
    """Nats that each latent holds of an image, (latents,): the KL divergence of the posterior from
    the prior, or the entropy of the values of a quantised latent in the batch."""
    adversary: nn.Module | None
    """The network that is trained against the model, where the objective has one."""
    groups: tuple[int, ...] = ()
    """Sizes of the groups of latents that may depend on each other; empty if none may."""

    @property
    def kl(self) -> Tensor:
        """The rates, by the name that they have for Gaussian latents."""
        return self.rates


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
    rates: Tensor
    """Nats that each latent holds of an image, (latents,): the KL divergence of the posterior from
    the prior, or the entropy of the values of a quantised latent in the batch."""
    others: Mapping[str, Tensor] = {}
    """What else the objective is made of, by name."""
    adversary_loss: Tensor | None = None
    """What the adversary minimises."""

    @property
    def kl(self) -> Tensor:
        """The rates, by the name that they have for Gaussian latents."""
        return self.rates


class AdversaryOptimizer(NamedTuple):
    """Settings of the Adam that trains an adversary."""

    learning_rate: float
    betas: tuple[float, float]


class Objective(BaseModel):
    """What a model is trained to minimise.

    A new objective is a subclass with a ``name`` and a ``loss``. ``unweave train`` and study files
    take it as ``package.module:Class``; those in files of this folder are found by their names. Its
    fields are its hyper-parameters: options of ``unweave train`` and keys of study files.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    title: ClassVar[str] = ""
    """As its paper spells it."""
    symbol: ClassVar[str] = ""
    """Symbol of the strength, such as β."""
    records: ClassVar[tuple[str, ...]] = ()
    """Names of the terms that it records besides reconstruction and KL."""
    smallest_batch: ClassVar[int] = 1
    """More than one where images of a batch are compared with each other."""
    betas: ClassVar[tuple[float, float]] = (0.9, 0.999)
    """Betas of the optimiser that trains the model."""
    mixed_precision: ClassVar[bool] = True
    """Whether it may be trained under autocast, where that is faster."""
    latent_spaces: ClassVar[tuple[str, ...]] = ("gaussian",)
    """Names of the latent spaces that it can train."""
    defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Settings of its paper: fields of the Network under ``network``, and of the configuration of
    training under ``training``. They hold where a user gives nothing."""
    is_supervised: ClassVar[bool] = False
    """Whether it uses the factors."""
    is_weakly_supervised: ClassVar[bool] = False
    """Whether it uses which images share factors, and not the factors themselves."""

    name: str
    likelihood: Likelihood = "bernoulli"
    """Distribution of a pixel: bernoulli, gaussian or laplace."""

    @classmethod
    def full_name(cls) -> str:
        """What files call it: its name, or ``package.module:Class`` if it is from elsewhere."""
        if cls.__module__.startswith(f"{__package__}."):
            return str(cls.model_fields["name"].default)
        return object_name(cls)

    @model_serializer(mode="wrap")
    def _with_full_name(self, serialised: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        content = serialised(self)
        return {**content, "name": self.full_name()} if "name" in content else content

    @property
    def strength(self) -> float | None:
        """The hyper-parameter that distinguishes runs of this objective, if it has one."""
        return None

    @property
    def label(self) -> str:
        """For people: the title, the strength, and what is not at its default."""
        return self.label_of(self.strength, self.options)

    @property
    def options(self) -> str:
        """Fields that are not at their defaults, as ``likelihood = laplace``, but the strength."""
        defaults = {
            name: field.default
            for name, field in type(self).model_fields.items()
            if name != "name" and getattr(self, name) != field.default
        }
        return ", ".join(
            f"{name} = {_text(getattr(self, name))}"
            for name, default in defaults.items()
            if self.model_copy(update={name: default}).strength == self.strength
        )

    @classmethod
    def label_of(cls, strength: float | None, options: str = "") -> str:
        """The label of an objective of this class with this strength and these options."""
        title = cls.title or str(cls.model_fields["name"].default)
        shown = [] if strength is None else [f"{cls.symbol or 'strength'} = {strength:g}"]
        shown += [options] if options else []
        return f"{title} ({', '.join(shown)})" if shown else title

    def default_network(self, **given: Any) -> Network:
        """The network of its paper, but for the fields that are given.

        Raises
        ------
        pydantic.ValidationError
            If there is no such network.
        """
        return Network(**filled(given, self.defaults.get("network", {})))

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

    def check_dataset(self, dataset: ImageDataset) -> None:
        """Refuse a dataset from which it cannot draw its batches.

        Raises
        ------
        ValueError
            If it cannot.
        """

    def forward(self, model: VAE, batch: Batch) -> VAEOutput:
        """What the model makes of a batch."""
        return model(batch.images, batch.noise if self.samples else None)

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

    def check_latent_space(self, latent_space: LatentSpace) -> None:
        """Refuse latents that it cannot train.

        Raises
        ------
        ValueError
            If they are not of its latent spaces.
        """
        if latent_space.name not in self.latent_spaces:
            raise ValueError(
                f"{self.name} trains {' or '.join(self.latent_spaces)} latents, and those of the "
                f"network are {latent_space.name}: set latent_space to {self.latent_spaces[0]}, or "
                "take another objective"
            )

    def check_network(self, network: Network) -> None:
        """Refuse a network that it cannot train.

        Raises
        ------
        ValueError
            If it lacks what the objective needs.
        """

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
        seen = self._pass(model, batch, adversary)
        value, others, of_adversary = self.loss(seen)
        return Terms(value, seen.reconstruction, seen.rates, others, of_adversary)

    def _pass(self, model: VAE, batch: Batch, adversary: nn.Module | None) -> Pass:
        out = self.forward(model, batch)
        losses = negative_log_likelihood(out.outputs, batch.images, self.likelihood)
        return Pass(
            batch,
            out.posterior,
            out.latents,
            losses.mean(),
            out.posterior.rates(),
            adversary,
            getattr(model, "groups", ()),
        )


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
