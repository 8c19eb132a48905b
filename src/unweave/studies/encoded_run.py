"""A run that scores the codes of one encoder, which it may train first."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable
from typing import Any

from unweave.datasets import ImageDataset
from unweave.encoders import Encoder, load_encoder
from unweave.studies.base import Run
from unweave.studies.training_run import TrainingRun

__all__ = ["EncodedRun"]


class EncodedRun(Run, ABC):
    """Its description has ``dataset``, ``seed``, and one of ``encoder`` and ``trained``."""

    description: Any

    def dataset_name(self) -> str | None:
        """The dataset of its description."""
        return self.description.dataset

    def data_identity(self) -> str | None:
        """What names the images that were encoded."""
        return self.result().get("identity")

    def _damage_underway(self) -> str | None:
        """That of its model, if it is trained here."""
        trained = self.description.trained
        return None if trained is None else TrainingRun(trained, self.folder / "model").damage()

    def _encoder(self, dataset: ImageDataset, at_step: Callable[[int], None] | None) -> Encoder:
        """The encoder, loaded or trained."""
        description = self.description
        if description.trained is not None:
            training = TrainingRun(description.trained, self.folder / "model")
            training.execute(at_step)
            return load_encoder(f"run:{training.folder}")
        options = description.encoder.model_dump(exclude={"name"})
        name = description.encoder.name
        return load_encoder(name, **options, dataset=dataset, seed=description.seed)
