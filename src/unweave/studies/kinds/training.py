"""Studies that train models and score them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    Field,
    SerializerFunctionWrapHandler,
    field_serializer,
    field_validator,
    model_validator,
)

from unweave._bounds import LARGEST
from unweave.datasets import canonical
from unweave.metrics.catalogue import chosen
from unweave.models import Network
from unweave.models.objectives import AnyObjective
from unweave.studies.axes import Axis, Sample, changed, check_axes, n_points, points
from unweave.studies.base import BaseStudy, Frozen, Seed, distinct
from unweave.studies.evaluation import Evaluation
from unweave.studies.plan import plan_in_words
from unweave.studies.separation import NEEDED_METRICS
from unweave.studies.training_run import TrainingDescription, prepare_data, with_defaults
from unweave.training import TrainingSettings

__all__ = ["Cells", "TrainingStudy", "size_of"]


class Cells(Frozen):
    """Every objective with every seed, scored at every milestone."""

    objectives: tuple[AnyObjective, ...] = Field(min_length=1)
    """What to minimise, each with its hyper-parameters."""
    seeds: tuple[Seed, ...] = Field(min_length=1)
    """A run for each."""
    milestones: tuple[Annotated[int, Field(ge=1, le=LARGEST)], ...] = Field(
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


class TrainingStudy(BaseStudy):
    """Models trained and scored to answer one question, as a TOML file states them."""

    kind: ClassVar = "training"
    file_key: ClassVar = "cells"
    page_maker: ClassVar = "unweave.reports.study:training_page"
    may_differ: ClassVar = {"cells"}

    dataset: str = "dsprites"
    """Which data: a name, a file or a folder (:mod:`unweave.datasets.names`)."""
    network: Network = Network()
    """Which network; where a key is not given, that of the objective's paper."""
    training: TrainingSettings = TrainingSettings()
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

    def runs(self) -> list[TrainingDescription]:
        """One description a run; a run that two groups share comes once."""
        return distinct(self._all_runs())

    @property
    def size(self) -> str:
        """How much there is to do."""
        return size_of(self.descriptions)

    @property
    def n_runs(self) -> int:
        """How many runs, those that two groups share counted twice."""
        return sum(cells.n_runs for cells in self.cells)

    def prepare(self, progress: Callable[[int, int], None]) -> None:
        """Draw the data into the cache; refuse metrics that cannot be made."""
        chosen(self.evaluation.metrics)
        prepare_data(self.descriptions, progress)

    def plan(self, *, workers: int, shard: tuple[int, int] = (0, 1)) -> dict[str, str]:
        """Steps, parameters and hours, from a few steps of each kind of run."""
        return plan_in_words(self, workers=workers, shard=shard)

    def joined(self, others: Sequence[Self]) -> Self:
        """With the cells of all, each once."""
        every = [cells for study in (self, *others) for cells in study.cells]
        unlike: dict[str, Cells] = {}
        for cells in every:
            unlike.setdefault(cells.model_dump_json(), cells)
        return self.model_copy(update={"cells": tuple(unlike.values())})

    @model_validator(mode="after")
    def _ends(self) -> Self:
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
    def _reported(self) -> Self:
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

    def _all_runs(self) -> Iterator[TrainingDescription]:
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
                yield TrainingDescription.model_validate(with_defaults(changed(content, point)))


def size_of(runs: Sequence[TrainingDescription]) -> str:
    """How much there is to do in the runs."""
    steps = sum(run.training.steps or 0 for run in runs)
    minutes = sum(run.training.cpu_minutes or 0.0 for run in runs)
    budgets = [f"{steps:,} training steps"] * (steps > 0 or not minutes)
    budgets += [f"{_short(minutes)} CPU minutes of training"] * (minutes > 0)
    return ", ".join([f"{len(runs)} runs", *budgets])


def _short(number: float) -> str:
    """With three digits, or all of a large number before the point."""
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"
