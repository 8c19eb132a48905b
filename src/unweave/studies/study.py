"""A study: a frozen description of the runs that answer one question."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator, model_validator

from unweave._check import check_choice
from unweave.datasets import DATASETS, load
from unweave.metrics import METRICS
from unweave.models import Network
from unweave.models.objectives import AnyObjective
from unweave.studies.axes import Axis, Sample, changed, check_axes, n_points, points
from unweave.studies.description import BaseStudy, Description, Frozen, Seed, distinct
from unweave.training import TRAINING_REVISION, TrainingConfig
from unweave.training.loop import check_objective

if TYPE_CHECKING:
    from unweave.studies.training_run import TrainingRun

__all__ = ["Cells", "Evaluation", "RunDescription", "Study", "Training"]


class Evaluation(Frozen):
    """How a model is scored at a milestone."""

    rows: int = Field(default=10_000, ge=100)
    """Rows drawn over the whole grid, the same ones for every model."""
    seed: int = Field(default=0, ge=0)
    """Of the rows and of all draws of the metrics."""
    metrics: tuple[str, ...] = ("mig", "sap")
    """Short names, of `unweave.metrics.METRICS`."""
    n_permutations: int = Field(default=100, ge=2)
    """Permutations for the chance level and the p-value."""
    n_projections: int = Field(default=20, ge=2)
    """Random projections of the factors."""
    n_halves: int = Field(default=50, ge=2)
    """Random halves for the interval."""

    @field_validator("metrics")
    @classmethod
    def _known(cls, metrics: tuple[str, ...]) -> tuple[str, ...]:
        if not metrics:
            raise ValueError("metrics are empty: name at least one, as mig")
        return tuple(check_choice("metric", name, METRICS) for name in metrics)


class Training(Frozen):
    """The part of a training configuration that all cells of a study share."""

    batch_size: int = Field(default=64, ge=1)
    """Images in a step."""
    learning_rate: float = Field(default=5e-4, gt=0)
    """Of Adam."""
    n_images: int | None = Field(default=None, ge=1, exclude_if=lambda n: n is None)
    """Images that training sees, drawn by the seed; all if it is not given."""
    log_every: int = Field(default=50, ge=1)
    """Steps over which a point of the learning curve is the mean."""
    checkpoint_every: int = Field(default=1000, ge=1)
    """Steps after which a killed run can go on."""
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Device, as Lightning Fabric names it."""
    precision: str = "32-true"
    """Number format, as Lightning Fabric names it."""


class Cells(Frozen):
    """Every objective with every seed, scored at every milestone."""

    objectives: tuple[AnyObjective, ...] = Field(min_length=1)
    """What to minimise, each with its hyper-parameters."""
    seeds: tuple[Seed, ...] = Field(min_length=1)
    """A run for each."""
    milestones: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1)
    """Steps at which the models are scored; the last one ends the training."""
    axes: dict[str, Axis] = {}
    """What else varies, by its place in a run's description, as "network.width" or "dataset"."""
    sample: Sample = Sample()
    """Which combinations of the axes' values there are."""

    @model_validator(mode="after")
    def _visited(self) -> Cells:
        check_axes(self.axes, self.sample)
        return self

    @property
    def n_runs(self) -> int:
        """How many runs, those that are the same counted each."""
        return len(self.objectives) * len(self.seeds) * n_points(self.axes, self.sample)


class RunDescription(Description):
    """All that one run's results depend on."""

    dataset: str
    network: Network
    objective: AnyObjective
    training: TrainingConfig
    evaluation: Evaluation

    @field_validator("dataset")
    @classmethod
    def _known(cls, value: str) -> str:
        return check_choice("dataset", value, DATASETS)

    @model_validator(mode="after")
    def _fits(self) -> RunDescription:
        check_objective(self.objective, self.network, self.training)
        return self

    @property
    def revision(self) -> int:
        """That of training."""
        return TRAINING_REVISION

    @property
    def may_use_gpu(self) -> bool:
        """Whether it is trained on a GPU, where there is one."""
        return self.training.accelerator != "cpu"

    def run(self, folder: str | Path) -> TrainingRun:
        """The run that it describes, in a folder."""
        from unweave.studies.training_run import TrainingRun

        return TrainingRun(self, folder)

    @property
    def work(self) -> int:
        """Training steps."""
        return self.training.steps


class Study(BaseStudy):
    """Models trained and scored to answer one question, as a TOML file states them."""

    dataset: str = "dsprites"
    """Which data."""
    network: Network = Network()
    """Which network."""
    training: Training = Training()
    """How each model is trained."""
    evaluation: Evaluation = Evaluation()
    """How each model is scored."""
    cells: tuple[Cells, ...] = Field(min_length=1)
    """Groups of runs."""

    @field_validator("dataset")
    @classmethod
    def _known(cls, value: str) -> str:
        return check_choice("dataset", value, DATASETS)

    def runs(self) -> list[RunDescription]:
        """One description a run; a run that two groups share comes once."""
        return distinct(self._all_runs())

    @property
    def size(self) -> str:
        """How much there is to do."""
        runs = self.runs()
        return f"{len(runs)} runs, {sum(run.work for run in runs):,} training steps"

    @property
    def n_runs(self) -> int:
        """How many runs, those that two groups share counted twice."""
        return sum(cells.n_runs for cells in self.cells)

    def prepare(self, progress: Callable[[int, int], None]) -> None:
        """Draw the data into the cache."""
        for name in dict.fromkeys(run.dataset for run in self.runs()):
            load(name).prepare(progress)

    def _all_runs(self) -> Iterator[RunDescription]:
        for cells in self.cells:
            for seed, objective in product(cells.seeds, cells.objectives):
                content = {
                    "dataset": self.dataset,
                    "network": self.network.model_dump(),
                    "objective": objective.model_dump(),
                    "training": {
                        **self.training.model_dump(),
                        "steps": max(cells.milestones),
                        "milestones": tuple(sorted(set(cells.milestones))),
                        "seed": seed,
                    },
                    "evaluation": self.evaluation.model_dump(),
                }
                for point in points(cells.axes, cells.sample):
                    yield RunDescription.model_validate(changed(content, point))
