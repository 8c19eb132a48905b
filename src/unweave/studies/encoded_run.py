"""Encoders of a study, which it may train first, and the runs that look at their codes."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    field_serializer,
    model_validator,
)

from unweave.datasets import ImageDataset
from unweave.encoders import Encoder, load_encoder
from unweave.models import Network
from unweave.models.objectives import AnyObjective
from unweave.studies.base import Description, Frozen, Run, Seed
from unweave.studies.evaluation import Evaluation
from unweave.studies.training_run import TrainingDescription, TrainingRun, with_defaults
from unweave.training import TrainingSettings

__all__ = [
    "NOT_SCORED", "EncodedDescription", "EncodedRun", "EncoderChoice", "EncoderChoices",
    "TrainedHere",
]  # fmt: skip

NOT_SCORED = Evaluation(rows=1000, n_permutations=2, n_projections=2, n_halves=2)
"""The least evaluation, for a model whose codes are scored later."""


class EncoderChoice(Frozen):
    """An encoder of :func:`~unweave.encoders.load_encoder`, and what is taken of it."""

    name: str
    """As clip:RN50."""
    layer: str | None = None
    """A layer by name, instead of the network's own output."""
    pool: Literal["mean", "max", "class", "flatten"] = "mean"
    """How a layer's places become one vector."""
    weights: str | None = None
    """A file, instead of the published one from this machine's caches."""
    download: bool = False
    """Whether weights that are not here may be fetched."""

    @property
    def label(self) -> str:
        """Its name, and the layer."""
        return self.name + (f" at {self.layer}" if self.layer else "")


def _tables(encoders: Any) -> Any:
    if isinstance(encoders, list | tuple):
        return tuple({"name": e} if isinstance(e, str) else e for e in encoders)
    return encoders


EncoderChoices = Annotated[tuple[EncoderChoice, ...], BeforeValidator(_tables)]
"""Names, or tables of a name and what is taken of it."""


class TrainedHere(Frozen):
    """Models that a study trains first, each objective with each seed.

    Where a key of the network or of the training is not given, that of the objective's paper is
    taken.
    """

    objectives: tuple[AnyObjective, ...] = Field(min_length=1)
    """What to minimise."""
    seeds: tuple[Seed, ...] = Field(min_length=1)
    """A model for each."""
    network: Network = Network()
    """Which network."""
    training: TrainingSettings = TrainingSettings()
    """How each model is trained."""
    steps: int | None = Field(default=None, ge=1)
    """Training steps; None where ``cpu_minutes`` in ``training`` end it."""

    @field_serializer("network", "training", mode="wrap")
    def _as_given(self, part: BaseModel, serialise: SerializerFunctionWrapHandler) -> Any:
        """The keys that are given alone, as an objective may have defaults for the others."""
        content = serialise(part)
        return {key: value for key, value in content.items() if key in part.model_fields_set}

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if (self.steps is None) == (self.training.cpu_minutes is None):
            raise ValueError(
                "models are trained for steps, or for cpu_minutes in training: give one of the two"
            )
        return self

    def described(self, dataset: str, objective: AnyObjective, seed: int) -> TrainingDescription:
        """The training of one of them on some images."""
        budget = {} if self.steps is None else {"steps": self.steps}
        content = {
            "dataset": dataset,
            "network": self.network.model_dump(exclude_unset=True),
            "objective": objective.model_dump(),
            "training": {**self.training.model_dump(exclude_unset=True), **budget, "seed": seed},
            "evaluation": NOT_SCORED,
        }
        return TrainingDescription.model_validate(with_defaults(content))


class EncodedDescription(Description):
    """All that a result for the codes of one encoder depends on."""

    dataset: str
    encoder: EncoderChoice | None = None
    """None if the model is trained."""
    trained: TrainingDescription | None = None
    seed: int

    @property
    def revision(self) -> int:
        """That of training, if the encoder is trained."""
        return self.trained.revision if self.trained else 0


class EncodedRun(Run, ABC):
    """A run that scores the codes of one encoder, which it may train first."""

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
