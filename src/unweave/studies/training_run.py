"""A run that trains a model and scores it."""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import polars as pl
import torch
from pydantic import Field, field_validator, model_validator

from unweave._contents import Content, Part
from unweave._files import DamagedFileError, is_file, read_json, sealed
from unweave._objects import is_object_name
from unweave._settings import filled, over_defaults
from unweave._storage import write_json, written_whole
from unweave.datasets import ImageDataset, canonical, load
from unweave.datasets.selection import subset
from unweave.metrics.score import with_todays_names
from unweave.models import VAE, Network, build_vae, count_parameters
from unweave.models.collapse import LEAST_KL
from unweave.models.objectives import OBJECTIVES, AnyObjective, objective_class
from unweave.studies.base import RESULT, Description, Result, Run
from unweave.studies.columns import SCORE_COLUMNS, Count, ScoreContent, score_cells
from unweave.studies.data import describe_data
from unweave.studies.evaluation import Evaluation, part_of, score_model
from unweave.studies.levels import factor_ends
from unweave.studies.pictures import pictures
from unweave.training import TRAINING_REVISION, TrainingConfig
from unweave.training.checkpoint import (
    checkpoint_damage,
    foreign_checkpoint,
    latest_checkpoint,
    load_model,
    recorded_precision,
    recorded_seconds,
    steps_done,
)
from unweave.training.compute import step_flops
from unweave.training.course import CONFIG, RunConfig, course_key
from unweave.training.curves import read_curves
from unweave.training.description import check_same_run, content_identity, differences
from unweave.training.loop import check_objective, train

__all__ = [
    "TrainingDescription",
    "TrainingResult",
    "TrainingRun",
    "prepare_data",
    "refuse_foreign_result",
    "with_defaults",
]

_REDO = "remove the folder of the run and start it again"
_BESIDE = ("pictures.npz", "curves.csv")
_PICTURES = ("images", "reconstructions", "samples", "traversals", "positions", "order", "reach")


_NETWORK: dict[str, Any] = {"width": pl.Float64, "depth": pl.Int64, "n_latents": pl.Int64}
_TRAINING: dict[str, Any] = {
    "batch_size": pl.Int64,
    "learning_rate": pl.Float64,
    "optimizer": pl.String,
    "weight_decay": pl.Float64,
    "gradient_clip": pl.Float64,
    "schedule": pl.String,
    "cpu_minutes": pl.Float64,
}
"""Settings that are columns of the table."""

_Step = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,17}$")]


class TrainingDescription(Description):
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
    def _fits(self) -> TrainingDescription:
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
        return TrainingRun(self, folder)

    @property
    def work(self) -> int:
        """Training steps, or seconds of processor time."""
        if self.training.steps is not None:
            return self.training.steps
        assert self.training.cpu_minutes is not None
        return math.ceil(60 * self.training.cpu_minutes)


def with_defaults(content: dict[str, Any]) -> dict[str, Any]:
    """A run's content, filled with the settings of its objective's paper."""
    name = content["objective"]["name"]
    is_known = name in OBJECTIVES or is_object_name(name)
    defaults = objective_class(name).defaults if is_known else {}
    return {
        **content,
        "network": filled(content["network"], defaults.get("network", {})),
        "training": over_defaults(content["training"], defaults.get("training", {})),
    }


def prepare_data(runs: Sequence[TrainingDescription], progress: Callable[[int, int], None]) -> None:
    """Draw the data of the runs into the cache."""
    for name in dict.fromkeys(run.dataset for run in runs):
        load(name).prepare(progress)


class _Milestone(Part):
    metrics: dict[str, ScoreContent]
    kl_per_latent: list[float] | None = None
    entropy_per_latent: list[float] | None = None
    squared_error: dict[str, float] = {}

    @model_validator(mode="after")
    def _has_rates(self) -> _Milestone:
        if self.kl_per_latent is None and self.entropy_per_latent is None:
            raise ValueError("the rates of its latents are missing")
        return self


class MilestoneFile(_Milestone, Content):
    """What ``scores-STEP.json`` holds."""

    run: str | None = None
    """Names what the scores follow from; files of earlier versions have none."""


class TrainingResult(Result):
    """What ``result.json`` of a training holds."""

    milestones: dict[_Step, _Milestone] = Field(min_length=1)
    parameters: Count
    flops_per_step: Annotated[float, Field(ge=0, le=1e300)]
    n_images: Count | None = None
    precision: str | None = None
    steps: Count | None = None

    @model_validator(mode="after")
    def _describes(self) -> TrainingResult:
        RunConfig.model_validate(self.description)
        missing = {"dataset", "network", "objective", "training"} - self.description.keys()
        if missing:
            raise ValueError(f"its description lacks {min(missing)}")
        n_latents = (self.description["network"] or {}).get("n_latents")
        for step, one in self.milestones.items():
            n_rates = len(one.kl_per_latent or one.entropy_per_latent or ())
            if n_latents is not None and n_rates != n_latents:
                raise ValueError(f"{n_rates} rates at step {step} of {n_latents} latents")
        return self


class TrainingRun(Run):
    """A model trained and scored.

    The folder holds ``config.json``, ``checkpoints/``, ``curves.csv``, ``tensorboard/``, a
    ``scores-STEP.json`` for each milestone, ``pictures.npz``, and at the end ``result.json``.
    """

    description: TrainingDescription
    result_type: ClassVar = TrainingResult
    schema: ClassVar = {
        "run": pl.String,
        "dataset": pl.String,
        "objective": pl.String,
        "strength": pl.Float64,
        "options": pl.String,
        "network": pl.String,
        **_NETWORK,
        "n_images": pl.Int64,
        **_TRAINING,
        "precision": pl.String,
        "seed": pl.Int64,
        "step": pl.Int64,
        "flops": pl.Float64,
        "parameters": pl.Int64,
        "metric": pl.String,
        **SCORE_COLUMNS,
        "squared_error": pl.Float64,
        "kl": pl.Float64,
        "active_latents": pl.Int64,
    }
    shown: ClassVar = (
        "objective", "strength", "options", "seed", "step", "metric",
        (pl.col("flops") / 1e12).alias("tflop"), "value", "low", "high", "adjusted", "chance_mean",
        "chance_sd", "mixture_mean", "p_value", "n", "kl", "active_latents",
    )  # fmt: skip
    n_keys: ClassVar = 6
    order: ClassVar = (
        "metric", pl.col("strength").fill_null(-1), "objective", "options", "seed", "step",
    )  # fmt: skip

    def rows(self) -> Iterator[dict[str, Any]]:
        """A row for each milestone and metric."""
        result = self.result()
        description = self.description
        objective, network, training = (
            description.objective,
            description.network,
            description.training,
        )
        for step, milestone in result["milestones"].items():
            rates = milestone.get("kl_per_latent", milestone.get("entropy_per_latent"))
            for metric, score in milestone["metrics"].items():
                yield {
                    "run": description.key,
                    "dataset": description.dataset,
                    "objective": objective.full_name(),
                    "strength": objective.strength,
                    "options": objective.options or None,
                    "network": network.name,
                    **{name: getattr(network, name) for name in _NETWORK},
                    "n_images": result.get("n_images"),
                    **{name: getattr(training, name) for name in _TRAINING},
                    "precision": result.get("precision", training.precision),
                    "seed": training.seed,
                    "step": int(step),
                    "flops": float(int(step) * result["flops_per_step"]),
                    "parameters": result["parameters"],
                    "metric": metric,
                    **score_cells(score),
                    "squared_error": milestone.get("squared_error", {}).get(part_of(metric)),
                    "kl": sum(rates) if "kl_per_latent" in milestone else None,
                    "active_latents": sum(rate > LEAST_KL for rate in rates),
                }

    def summary(self) -> str:
        """The model, and its scores at the last milestone."""
        last = max(self.result()["milestones"].items(), key=lambda item: int(item[0]))[1]
        scores = [f"{name} {score['value']:.3f}" for name, score in last["metrics"].items()]
        who = f"{self.description.objective.label}, seed {self.description.training.seed}"
        return f"{who}: {', '.join(scores) or 'no scores'}"

    def pictures(self) -> dict[str, np.ndarray]:
        """The finished run's pictures, as :func:`~unweave.studies.pictures.pictures` makes.

        Raises
        ------
        DamagedFileError
            If the file is damaged, or is none of pictures.
        """
        found = self._read_pictures()
        if "rates" not in found:  # of an earlier version, as below
            found |= {"rates": found.pop("kl"), "rate": np.array("kl"), "reach": np.array(3.0)}
        if "means" in found and "factor_names" not in found:
            factors = load(self.description.dataset).space.factors  # type: ignore[attr-defined]
            found["factor_names"] = np.array([factor.name for factor in factors])
            found["factor_sizes"] = np.array([factor.size for factor in factors])
            found["factor_ends"] = np.array([factor_ends(factor) for factor in factors])
        return found

    def _read_pictures(self) -> dict[str, np.ndarray]:
        path = self.folder / "pictures.npz"
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
        try:
            with np.load(path) as file:
                found = dict(file)
        except Exception as error:  # of a dozen kinds, by where the damage is
            raise DamagedFileError(f"{path} is damaged ({error})", _REDO) from error
        missing = [name for name in _PICTURES if name not in found]
        if missing and "kl" not in found:  # earlier versions have other names
            raise DamagedFileError(f"{path} is damaged (it lacks {missing[0]})", _REDO)
        return found

    def check(self) -> None:
        """Refuse a folder that holds another run; let a finished one continue for more steps.

        A finished run whose last checkpoint is damaged resumes from the one before.

        Raises
        ------
        DamagedFileError
            If ``result.json`` is damaged or is of another run than ``config.json``.
        ValueError
            If the run in the folder was trained for more steps, or differs in anything else.
        """
        own = self._config(load(self.description.dataset))
        if not self.is_finished:
            check_same_run(self.folder, own, steps_done(self.folder))
            return
        before = self._any_result()["description"]
        refuse_foreign_result(self.folder, before)
        foreign = foreign_checkpoint(self.folder, course_key(own))
        if before != {key: own.get(key) for key in before} or not before:
            check_same_run(self.folder, own, steps_done(self.folder))
            _refuse_foreign_checkpoint(foreign)
            (self.folder / RESULT).unlink()
        elif damage := self._damage_of_model():
            warnings.warn(f"{damage}; the run is finished again", RuntimeWarning, stacklevel=2)
            _refuse_foreign_checkpoint(foreign)
            (self.folder / RESULT).unlink()

    def _damage_of_files(self, result: Mapping[str, Any]) -> str | None:
        found = super()._damage_of_files(result) or self._damage_of_config()
        if found is None and not result.get("files"):  # of earlier versions
            try:
                read_curves(self.folder)
                if (self.folder / "pictures.npz").exists():
                    self._read_pictures()
            except DamagedFileError as error:
                return error.damage
        return found

    def _damage_underway(self) -> str | None:
        found = self._damage_of_config()
        file = self.folder / CONFIG
        if found is not None or not file.exists():
            return found
        foreign = foreign_checkpoint(self.folder, course_key(read_json(file, RunConfig)))
        if foreign is not None:
            return f"{foreign} is of another run"
        try:
            read_curves(self.folder)
        except DamagedFileError as error:
            return error.damage
        return None

    def _damage_of_config(self) -> str | None:
        """What is wrong with ``config.json`` and the checkpoints that it describes."""
        file = self.folder / CONFIG
        last = latest_checkpoint(self.folder)
        try:
            if not is_file(file):
                return None if last is None else f"{self.folder} has checkpoints and no {CONFIG}"
            config = read_json(file, RunConfig)
        except DamagedFileError as error:
            return error.damage
        own = self.description.model_dump(mode="json")
        missing = [key for key in own if not config.get(key)]
        differing = differences(config, own, may_continue=False) if not missing else []
        if missing or differing:
            return f"{file} is of another run" + "".join(f" ({what})" for what in differing[:1])
        return None

    def _damage_of_model(self) -> str | None:
        last = latest_checkpoint(self.folder)
        if last is None:
            return None
        return checkpoint_damage(last, course_key(read_json(self.folder / CONFIG, RunConfig)))

    def _config(self, dataset: ImageDataset) -> dict[str, Any]:
        """What ``config.json`` says."""
        own = {
            **self.description.model_dump(mode="json"),
            "image_shape": list(dataset.image_shape),
            "revision": self.description.revision,
        }
        identity = content_identity(dataset)
        return own if identity is None else {**own, "identity": identity}

    def dataset_name(self) -> str | None:
        """The dataset of its description."""
        return self.description.dataset

    def data_identity(self) -> str | None:
        """What names the images that it was trained on, as ``config.json`` says."""
        file = self.folder / CONFIG
        return read_json(file, RunConfig).get("identity") if file.exists() else None

    def compute(self, at_step: Callable[[int], None] | None) -> None:
        """Train the model, and score it at its milestones."""
        description = self.description
        dataset = load(description.dataset)
        network, training = description.network, description.training
        model = build_vae(network, dataset.image_shape, seed=training.seed)
        cost = {
            "parameters": count_parameters(model),
            "n_images": training.n_images or len(dataset),
            "flops_per_step": step_flops(
                model, description.objective, batch_size=training.batch_size
            ),
        }
        config = self._config(dataset)
        check_same_run(self.folder, config, steps_done(self.folder))
        write_json(self.folder / CONFIG, config)

        def at_milestone(step: int, model: VAE) -> dict[str, float]:
            scores = self._score(model, dataset)
            self._write_scores(step, scores, config)
            return {name: score["value"] for name, score in scores["metrics"].items()}

        model = train(
            model,
            description.objective,
            dataset,
            training,
            folder=self.folder,
            at_milestone=at_milestone,
            at_step=at_step,
        )
        with (
            written_whole(self.folder / "pictures.npz") as temporary,
            open(temporary, "wb") as file,
        ):
            images: Any = pictures(model, dataset, seed=description.evaluation.seed)
            np.savez_compressed(file, **images)
        scored = {*training.milestones, steps_done(self.folder)}
        milestones = {str(step): self._scores(step, dataset, config) for step in sorted(scored)}
        result = {
            "description": config, "data": describe_data(dataset), **cost, **self._course(),
        }  # fmt: skip
        beside = [name for name in _BESIDE if (self.folder / name).exists()]
        self.write_result({**result, "milestones": milestones}, *beside)

    def _score(self, model: VAE, dataset: ImageDataset) -> dict[str, Any]:
        training = self.description.training
        n = training.n_images
        seen = None if n is None else subset(dataset, n, seed=training.seed).rows
        return score_model(model, dataset, self.description.evaluation, seen=seen)

    def _write_scores(
        self, step: int, scores: Mapping[str, Any], config: Mapping[str, Any]
    ) -> None:
        named = {"run": _scores_key(config), **scores}
        write_json(self._scores_file(step), sealed(named))

    def _scores(
        self, step: int, dataset: ImageDataset, config: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The scores at a milestone; of its model, if their file is damaged or of another run."""
        file = self._scores_file(step)
        try:
            found = with_todays_names(read_json(file, MilestoneFile))
            if found.get("run") not in (None, _scores_key(config)):
                raise DamagedFileError(f"{file} is of another run")
        except (DamagedFileError, FileNotFoundError) as error:
            damage = error.damage if isinstance(error, DamagedFileError) else error
            message = f"{damage}; the model of step {step:,} is scored again"
            warnings.warn(message, RuntimeWarning, stacklevel=2)
            model = load_model(self.folder, step=step)
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            found = self._score(model, dataset)
            self._write_scores(step, found, config)
        return {key: value for key, value in found.items() if key not in ("run", "checksum")}

    def _course(self) -> dict[str, Any]:
        """What the description leaves open: the precision, and the steps of a budget of time."""
        course: dict[str, Any] = {"precision": recorded_precision(self.folder)}
        if self.description.training.cpu_minutes is not None:
            course["steps"] = steps_done(self.folder)
            course["cpu_seconds"] = round(recorded_seconds(self.folder), 3)
        return course

    def _scores_file(self, step: int) -> Path:
        return self.folder / f"scores-{step:08d}.json"


def _scores_key(config: Mapping[str, Any]) -> str:
    """Names what the scores of a run follow from: its course, and how it is scored."""
    text = f"{course_key(config)} {json.dumps(config['evaluation'], sort_keys=True)}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _refuse_foreign_checkpoint(found: Path | None) -> None:
    if found is not None:
        raise ValueError(
            f"{found} is of another run than {found.parent.parent / CONFIG} describes: restore the "
            "one that belongs there, or train in another folder"
        )


def refuse_foreign_result(folder: str | Path, described: Mapping[str, Any]) -> None:
    """Refuse a result whose description is not of the run that ``config.json`` beside it has.

    Raises
    ------
    DamagedFileError
        If that is so.
    """
    file = Path(folder) / CONFIG
    if not file.exists():
        return
    config = read_json(file, RunConfig)
    differing = [
        f"{one.replace(' there and ', ' in the result and ').removesuffix(' here')} in {CONFIG}"
        for one in differences(described, config, may_continue="training" in config)
    ]
    if differing:
        raise DamagedFileError(
            f"{Path(folder) / RESULT} is of another run than {CONFIG} beside it "
            f"({'; '.join(differing)})",
            f"put back the {RESULT} that belongs there; without one, the run is finished again "
            "from its checkpoint",
        )
