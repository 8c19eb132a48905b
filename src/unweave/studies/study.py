"""A study: a frozen description of the runs that answer one question."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from unweave._check import check_choice, suggestion
from unweave.datasets import DATASETS
from unweave.metrics import METRICS
from unweave.models import Network
from unweave.models.objectives import AE, VAE, AnnealedVAE, AnyObjective, BetaVAE
from unweave.training import TrainingConfig

__all__ = ["Cells", "Evaluation", "RunDescription", "Study", "load_study", "shipped_studies"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Evaluation(_Frozen):
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


class Training(_Frozen):
    """The part of a training configuration that all cells of a study share."""

    batch_size: int = Field(default=64, ge=1)
    """Images in a step."""
    learning_rate: float = Field(default=5e-4, gt=0)
    """Of Adam."""
    log_every: int = Field(default=50, ge=1)
    """Steps over which a point of the learning curve is the mean."""
    checkpoint_every: int = Field(default=1000, ge=1)
    """Steps after which a killed run can go on."""
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Device, as Lightning Fabric names it."""
    precision: str = "32-true"
    """Number format, as Lightning Fabric names it."""


class Cells(_Frozen):
    """Every objective with every seed, scored at every milestone."""

    objectives: tuple[AnyObjective, ...] = Field(min_length=1)
    """What to minimise, each with its hyper-parameters."""
    seeds: tuple[int, ...] = Field(min_length=1)
    """A run for each."""
    milestones: tuple[int, ...] = Field(min_length=1)
    """Steps at which the models are scored; the last one ends the training."""


class RunDescription(_Frozen):
    """All that one run's results depend on."""

    dataset: str
    network: Network
    objective: AnyObjective
    training: TrainingConfig
    evaluation: Evaluation

    @property
    def key(self) -> str:
        """Name of the run: the hash of its description."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Study(_Frozen):
    """Runs that answer one question, as a TOML file states them."""

    name: str
    """Names the folder."""
    title: str
    """Heads the report."""
    question: str
    """What the report answers."""
    note: str = ""
    """What a reader should know about the study's size."""
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

    @field_validator("name")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value):
            raise ValueError("a study's name is made of letters, digits, '.', '_' and '-'")
        return value

    def runs(self) -> list[RunDescription]:
        """One description a run; a run that two groups share comes once."""
        found: dict[str, RunDescription] = {}
        for run in self._all_runs():
            found.setdefault(run.key, run)
        return list(found.values())

    def _all_runs(self) -> Iterator[RunDescription]:
        for cells in self.cells:
            for seed in cells.seeds:
                for objective in cells.objectives:
                    training = TrainingConfig(
                        **self.training.model_dump(),
                        steps=max(cells.milestones),
                        milestones=tuple(sorted(set(cells.milestones))),
                        seed=seed,
                    )
                    yield RunDescription(
                        dataset=self.dataset,
                        network=self.network,
                        objective=objective,
                        training=training,
                        evaluation=self.evaluation,
                    )


def shipped_studies() -> list[str]:
    """Names of the studies that come with the package."""
    folder = resources.files("unweave.studies")
    return sorted(
        f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")
    )


def load_study(name_or_file: str | Path) -> Study:
    """A study by the name of a shipped one, or from a TOML file.

    Raises
    ------
    FileNotFoundError
        If there is neither a shipped study nor a file of that name.
    ValueError
        If the file is no TOML, or holds an unknown key or a value of the wrong kind.
    """
    if str(name_or_file) in shipped_studies():
        source = f"{name_or_file}.toml"
        text = (resources.files("unweave.studies") / source).read_text()
    else:
        path = Path(name_or_file)
        if not path.is_file():
            near = suggestion(str(name_or_file), shipped_studies())
            raise FileNotFoundError(
                f"no study {str(name_or_file)!r}{near}: there is no such file, and the shipped "
                f"ones are {', '.join(shipped_studies())}"
            )
        source, text = str(path), path.read_text()
    try:
        study = Study.model_validate(tomllib.loads(text))
        study.runs()  # what a single key allows, a run may not: a milestone of 0, say
        return study
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{source} is not valid TOML: {error}") from error
    except ValidationError as error:
        raise ValueError(f"{source}: {_sentences(error)}") from error


def _sentences(error: ValidationError) -> str:
    return "; ".join(_sentence(problem) for problem in error.errors())


def _sentence(problem: Any) -> str:
    *where, last = [str(part) for part in problem["loc"]] or ["file"]
    place = ".".join(where)
    inside = f" in {place}" if place else ""
    if problem["type"] == "extra_forbidden":
        return f"unknown key {last!r}{inside}{suggestion(last, _known_keys())}"
    if problem["type"] == "missing":
        return f"the key {last!r}{inside} is missing"
    if problem["type"] == "union_tag_invalid":
        given = str(problem["ctx"]["tag"])
        names = [o.model_fields["name"].default for o in (AE, VAE, BetaVAE, AnnealedVAE)]
        return (
            f"unknown objective {given!r} in {place}.{last}{suggestion(given, names)}; choose "
            f"from {', '.join(names)}"
        )
    message = problem["msg"][0].lower() + problem["msg"][1:]
    return f"{last!r}{inside}: {message} (it is {problem['input']!r})"


def _known_keys() -> set[str]:
    models = (Study, Cells, Evaluation, Training, Network, AE, VAE, BetaVAE, AnnealedVAE)
    return {key for model in models for key in model.model_fields}
