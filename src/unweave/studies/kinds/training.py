"""A study: a frozen description of the runs that answer one question."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    SerializerFunctionWrapHandler,
    field_serializer,
    field_validator,
    model_validator,
)

from unweave.datasets import canonical, load
from unweave.metrics.catalogue import check_form, chosen
from unweave.models import Network
from unweave.models.defaults import filled
from unweave.models.objectives import OBJECTIVES, AnyObjective
from unweave.studies.axes import Axis, Sample, changed, check_axes, n_points, points
from unweave.studies.base import (
    MOST_DRAWS,
    MOST_ROWS,
    BaseStudy,
    Description,
    Frozen,
    Seed,
    distinct,
)
from unweave.studies.separation import NEEDED_METRICS
from unweave.training import TRAINING_REVISION, TrainingConfig, TrainingSettings
from unweave.training.config import over_defaults
from unweave.training.loop import check_objective

if TYPE_CHECKING:
    from unweave.studies.training_run import TrainingRun

__all__ = [
    "Cells", "Evaluation", "RunDescription", "Study", "StudyMetric", "Training", "prepare_data",
    "size_of", "with_defaults",
]  # fmt: skip


def _known_metric(metric: str | dict[str, Any]) -> str | dict[str, Any]:
    check_form(metric)
    return metric


StudyMetric = Annotated[str | dict[str, Any], AfterValidator(_known_metric)]
"""A metric in a study file: a short name, a table of a name and options, or
``package.module:MyMetric``, which is imported where a run is scored and not before."""


class Evaluation(Frozen):
    """How a model is scored at a milestone."""

    rows: int = Field(default=10_000, ge=100, le=MOST_ROWS)
    """Rows drawn over the whole dataset, the same ones for every model; all if there are fewer."""
    seed: int = Field(default=0, ge=0)
    """Of the rows and of all draws of the metrics."""
    metrics: tuple[StudyMetric, ...] = ("mig", "sap")
    """Short names (`unweave metrics`), tables of a name and options, or package.module:MyMetric."""
    n_permutations: int = Field(default=100, ge=2, le=MOST_DRAWS)
    """Permutations for the chance level and the p-value."""
    n_projections: int = Field(default=20, ge=2, le=MOST_DRAWS)
    """Random projections of the factors."""
    n_halves: int = Field(default=50, ge=2, le=MOST_DRAWS)
    """Random halves for the interval."""

    @field_validator("metrics")
    @classmethod
    def _some(cls, metrics: tuple[StudyMetric, ...]) -> tuple[StudyMetric, ...]:
        if not metrics:
            raise ValueError("metrics are empty: name at least one, as mig")
        return metrics

    @property
    def metric_names(self) -> list[str]:
        """The names, without options."""
        return [m if isinstance(m, str) else m["name"] for m in self.metrics]


class Training(TrainingSettings):
    """The part of a training configuration that all cells of a study share."""


class Cells(Frozen):
    """Every objective with every seed, scored at every milestone."""

    objectives: tuple[AnyObjective, ...] = Field(min_length=1)
    """What to minimise, each with its hyper-parameters."""
    seeds: tuple[Seed, ...] = Field(min_length=1)
    """A run for each."""
    milestones: tuple[Annotated[int, Field(ge=1, lt=2**63)], ...] = Field(
        default=(), min_length=1, exclude_if=lambda steps: not steps
    )
    """Steps at which the models are scored; the last one ends the training. None where
    ``cpu_minutes`` do."""
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
        return canonical(value)

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
        """Training steps, or seconds of processor time."""
        if self.training.steps is not None:
            return self.training.steps
        assert self.training.cpu_minutes is not None
        return math.ceil(60 * self.training.cpu_minutes)


class Study(BaseStudy):
    """Models trained and scored to answer one question, as a TOML file states them."""

    dataset: str = "dsprites"
    """Which data: a name, a file or a folder (:mod:`unweave.datasets.names`)."""
    network: Network = Network()
    """Which network; where a key is not given, that of the objective's paper."""
    training: Training = Training()
    """How each model is trained, likewise."""
    evaluation: Evaluation = Evaluation()
    """How each model is scored."""
    report: Literal["scores", "disentanglement"] = Field(
        default="scores", exclude_if=lambda report: report == "scores"
    )
    """What the page is about: ``scores``, over compute and over what else varies; or
    ``disentanglement``, whether they are above those of random codes, and which factors are
    separated."""
    cells: tuple[Cells, ...] = Field(min_length=1)
    """Groups of runs."""

    @field_validator("dataset")
    @classmethod
    def _known(cls, value: str) -> str:
        return canonical(value)

    def runs(self) -> list[RunDescription]:
        """One description a run; a run that two groups share comes once."""
        return distinct(self._all_runs())

    @property
    def size(self) -> str:
        """How much there is to do."""
        return size_of(self.runs())

    @property
    def n_runs(self) -> int:
        """How many runs, those that two groups share counted twice."""
        return sum(cells.n_runs for cells in self.cells)

    def prepare(self, progress: Callable[[int, int], None]) -> None:
        """Draw the data into the cache; refuse metrics that cannot be made."""
        chosen(self.evaluation.metrics)
        prepare_data(self.runs(), progress)

    @model_validator(mode="after")
    def _ends(self) -> Study:
        for number, cells in enumerate(self.cells):
            by_minutes = self.training.cpu_minutes is not None
            by_minutes |= "training.cpu_minutes" in cells.axes
            if by_minutes and cells.milestones:
                raise ValueError(
                    f"cells.{number} have milestones, which are steps, and cpu_minutes, which end "
                    "a run too: leave one of them out"
                )
            own = [one.defaults.get("training", {}).keys() for one in cells.objectives]
            has_end = by_minutes or all({"steps", "cpu_minutes"} & keys for keys in own)
            if not has_end and not cells.milestones:
                raise ValueError(
                    f"cells.{number} do not say when training ends: give milestones (steps), or "
                    "cpu_minutes in training"
                )
        return self

    @model_validator(mode="after")
    def _reported(self) -> Study:
        if self.report != "disentanglement":
            return self
        missing = [name for name in NEEDED_METRICS if name not in self.evaluation.metric_names]
        if missing:
            raise ValueError(
                f"the report disentanglement is read from {' and '.join(NEEDED_METRICS)}, and the "
                f"metrics in evaluation lack {missing[0]}: add it"
            )
        axes = [name for cells in self.cells for name in cells.axes]
        others = [name for name in axes if name.split(".")[0] not in ("dataset", "objective")]
        if others:
            raise ValueError(
                f"the report disentanglement compares objectives on datasets, and {others[0]} "
                "varies too: leave this axis out, or take the report scores"
            )
        return self

    @field_serializer("network", "training", mode="wrap")
    def _as_given(self, part: BaseModel, serialise: SerializerFunctionWrapHandler) -> Any:
        """In full; but the keys that are given alone if an objective has defaults for others."""
        content = serialise(part)
        if not any(one.defaults for cells in self.cells for one in cells.objectives):
            return content
        return {key: value for key, value in content.items() if key in part.model_fields_set}

    def _all_runs(self) -> Iterator[RunDescription]:
        for cells in self.cells:
            milestones = tuple(sorted(set(cells.milestones)))
            budget = {"steps": milestones[-1], "milestones": milestones} if milestones else {}
            visited = list(points(cells.axes, cells.sample))
            # Seed by seed, so that an interrupted study has all objectives with fewer seeds.
            for seed, point, objective in product(cells.seeds, visited, cells.objectives):
                content = {
                    "dataset": self.dataset,
                    "network": self.network.model_dump(exclude_unset=True),
                    "objective": objective.model_dump(),
                    "training": {
                        **self.training.model_dump(exclude_unset=True), **budget, "seed": seed,
                    },
                    "evaluation": self.evaluation.model_dump(),
                }  # fmt: skip
                yield RunDescription.model_validate(with_defaults(changed(content, point)))


def size_of(runs: Sequence[RunDescription]) -> str:
    """How much there is to do in the runs."""
    steps = sum(run.training.steps or 0 for run in runs)
    minutes = sum(run.training.cpu_minutes or 0.0 for run in runs)
    budgets = [f"{steps:,} training steps"] * (steps > 0 or not minutes)
    budgets += [f"{_short(minutes)} CPU minutes of training"] * (minutes > 0)
    return ", ".join([f"{len(runs)} runs", *budgets])


def prepare_data(runs: Sequence[RunDescription], progress: Callable[[int, int], None]) -> None:
    """Draw the data of the runs into the cache."""
    for name in dict.fromkeys(run.dataset for run in runs):
        load(name).prepare(progress)


def with_defaults(content: dict[str, Any]) -> dict[str, Any]:
    """A run's content, filled with the settings of its objective's paper."""
    name = content["objective"]["name"]
    defaults = OBJECTIVES[name].defaults if name in OBJECTIVES else {}
    return {
        **content,
        "network": filled(content["network"], defaults.get("network", {})),
        "training": over_defaults(content["training"], defaults.get("training", {})),
    }


def _short(number: float) -> str:
    """With three digits, or all of a large number before the point."""
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"
