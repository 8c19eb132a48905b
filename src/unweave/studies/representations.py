"""Representations of rendered objects, from which their factors are to be found."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field
from torch import nn

from unweave.datasets import Objects3D
from unweave.models import Network, build_vae
from unweave.models.objectives import AnyObjective
from unweave.studies.base import Frozen
from unweave.training import TrainingConfig, train
from unweave.training.isometric import encode_isometric, train_isometric

__all__ = ["AnyRepresentation", "Codes", "Isometric", "Latents", "Model", "Pixels"]

_ANGLE = 0.1  # radians of the motions that tangents are measured by
_FRAMES, _SPACING = 8, 0.15  # of films

AtStep = Callable[[int], None] | None


class Codes(NamedTuple):
    """What a representation makes of the images."""

    points: np.ndarray
    """(n, features)."""
    tangents: np.ndarray | None
    """What it makes of five small motions from each, (n, features, 5), if it sees images."""


class Representation(Frozen, ABC):
    """One representation, as a study file states it."""

    kind: str

    @property
    @abstractmethod
    def label(self) -> str:
        """For people."""

    @property
    def work(self) -> int:
        """Training steps."""
        return 0

    @abstractmethod
    def codes(self, dataset: Objects3D, seed: int, folder: Path, at_step: AtStep) -> Codes:
        """Codes of all images; ``folder`` is for checkpoints."""

    def prepare(self, dataset: Objects3D, progress: Callable[[int, int], None]) -> None:
        """Render what it needs, once for all runs."""


class Latents(Representation):
    """The true rotation matrix and light, in coordinates of their own or others."""

    kind: Literal["latents"]
    map: Literal["none", "rotation", "linear"] = "none"
    """What takes them to other coordinates: a random rotation, or a random linear map."""
    whitened: bool = False
    """Whether they are then brought to a covariance of one."""

    @property
    def label(self) -> str:
        """True latents, and what was done to them."""
        how = {"none": "", "rotation": ", rotated", "linear": ", by a linear map"}[self.map]
        return f"true latents{how}{', whitened' if self.whitened else ''}"

    def codes(self, dataset: Objects3D, seed: int, folder: Path, at_step: AtStep) -> Codes:
        """As they are, or mapped."""
        points = dataset.points
        size = points.shape[1]
        matrix = np.random.default_rng(seed).standard_normal((size, size))
        if self.map == "rotation":
            points = points @ np.linalg.qr(matrix)[0]
        elif self.map == "linear":
            points = points @ matrix
        if self.whitened:
            values, vectors = np.linalg.eigh(np.cov(points.T))
            points = points @ (vectors / np.sqrt(values))
        return Codes(points, None)


class _OfImages(Representation):
    """A representation of images, and so of their motions."""

    def prepare(self, dataset: Objects3D, progress: Callable[[int, int], None]) -> None:
        """Render stills and motions."""
        dataset.prepare(progress)
        dataset.motions(_ANGLE, progress)

    def codes(self, dataset: Objects3D, seed: int, folder: Path, at_step: AtStep) -> Codes:
        """Codes of the images, and the differences that small motions make."""
        encode = self._encoder(dataset, seed, folder, at_step)
        points = encode(dataset.images(np.arange(len(dataset))))
        motions = dataset.motions(_ANGLE)
        moved = np.stack([encode(motions[:, k]) for k in range(motions.shape[1])], axis=2)
        return Codes(points, (moved - points[:, :, None]) / _ANGLE)

    @abstractmethod
    def _encoder(
        self, dataset: Objects3D, seed: int, folder: Path, at_step: AtStep
    ) -> Callable[[np.ndarray], np.ndarray]:
        """From uint8 images (n, height, width, channels) to codes (n, features)."""


class Pixels(_OfImages):
    """Pixels, turned to their principal components, of which the first are kept."""

    kind: Literal["pixels"]
    components: int = Field(default=300, ge=5)
    """How many are kept, so that tangents fit into memory."""

    @property
    def label(self) -> str:
        """Pixels."""
        return "pixels"

    def _encoder(self, dataset, seed, folder, at_step):
        flat = _flat(dataset.images(np.arange(len(dataset))))
        mean = flat.mean(axis=0)
        vectors = np.linalg.eigh(np.cov(flat.T))[1][:, : -self.components - 1 : -1]
        return lambda images: (_flat(images) - mean) @ vectors


class Model(_OfImages):
    """Posterior means of a trained model."""

    kind: Literal["model"]
    objective: AnyObjective
    """What it minimises."""
    network: Network = Network()
    """Which network."""
    steps: int = Field(ge=1)
    """Training steps."""
    learning_rate: float = Field(default=5e-4, gt=0)
    """Learning rate of Adam."""

    @property
    def label(self) -> str:
        """The objective's."""
        return self.objective.label

    @property
    def work(self) -> int:
        """Training steps."""
        return self.steps

    def _encoder(self, dataset, seed, folder, at_step):
        model = build_vae(self.network, dataset.image_shape, seed=seed)
        config = TrainingConfig(
            steps=self.steps, learning_rate=self.learning_rate, seed=seed, precision="32-true"
        )
        model = train(
            model, self.objective, dataset, config, folder=folder / "model", at_step=at_step
        )
        return lambda images: model.encode(images).astype(np.float64)


class Isometric(_OfImages):
    """Codes of an encoder that keeps the lengths of motions in films, which a camera rolls."""

    kind: Literal["isometric"]
    network: Network = Network(width=2, n_latents=32)
    """Which network; only its encoder is built."""
    pooling: int = Field(default=1, ge=1)
    """Pixels on a side that are averaged into one before the network sees them."""
    films: int = Field(default=30_000, ge=2)
    """How many there are; none goes through the state of an image by more than chance."""
    steps: int = Field(ge=1)
    """Training steps."""
    batch_size: int = Field(default=192, ge=2)
    """Films in a step."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Largest learning rate of Adam."""

    @property
    def label(self) -> str:
        """Isometric encoder."""
        return "isometric encoder"

    @property
    def work(self) -> int:
        """Training steps."""
        return self.steps

    def prepare(self, dataset: Objects3D, progress: Callable[[int, int], None]) -> None:
        """Render stills, motions and films."""
        super().prepare(dataset, progress)
        self._clips(dataset, progress)

    def _encoder(self, dataset, seed, folder, at_step):
        config = TrainingConfig(
            steps=self.steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            seed=seed,
            precision="32-true",
        )
        encoder: nn.Module = train_isometric(
            self.network,
            self._clips(dataset),
            config,
            spacing=_SPACING,
            pooling=self.pooling,
            rolls=True,
            folder=folder / "model",
            at_step=at_step,
        )
        return lambda images: encode_isometric(encoder, images)

    def _clips(
        self, dataset: Objects3D, progress: Callable[[int, int], None] | None = None
    ) -> np.ndarray:
        """Films of the same object from states of their own."""
        return dataset.others(self.films).clips(_FRAMES, _SPACING, progress)


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1) / 255.0


AnyRepresentation = Annotated[Latents | Pixels | Model | Isometric, Field(discriminator="kind")]
