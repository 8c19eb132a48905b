"""A run that trains a model and scores it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

from unweave._files import read_json
from unweave.datasets import load
from unweave.datasets.cache import written_whole
from unweave.models import VAE, build_vae, count_parameters
from unweave.studies.columns import SCORE_COLUMNS, score_cells
from unweave.studies.evaluation import pictures, score_model
from unweave.studies.run import Run
from unweave.studies.study import RunDescription
from unweave.training.checkpoint import steps_done, write_json
from unweave.training.compute import step_flops
from unweave.training.description import CONFIG, check_same_run
from unweave.training.loop import train

__all__ = ["TrainingRun"]

_ACTIVE_KL = 0.01  # nats; the threshold of disentanglement_lib's UDR


class TrainingRun(Run):
    """A model trained and scored.

    The folder holds ``config.json``, ``checkpoints/``, ``curves.csv``, ``tensorboard/``, a
    ``scores-STEP.json`` for each milestone, ``pictures.npz``, and at the end ``result.json``.
    """

    description: RunDescription
    schema: ClassVar = {
        "run": pl.String,
        "dataset": pl.String,
        "objective": pl.String,
        "strength": pl.Float64,
        "network": pl.String,
        "width": pl.Float64,
        "depth": pl.Int64,
        "n_latents": pl.Int64,
        "n_images": pl.Int64,
        "batch_size": pl.Int64,
        "learning_rate": pl.Float64,
        "seed": pl.Int64,
        "step": pl.Int64,
        "flops": pl.Float64,
        "parameters": pl.Int64,
        "metric": pl.String,
        **SCORE_COLUMNS,
        "kl": pl.Float64,
        "active_latents": pl.Int64,
    }
    order: ClassVar = ("metric", pl.col("strength").fill_null(-1), "objective", "seed", "step")

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
            kl = milestone["kl_per_latent"]
            for metric, score in milestone["metrics"].items():
                yield {
                    "run": description.key,
                    "dataset": description.dataset,
                    "objective": objective.name,
                    "strength": objective.strength,
                    "network": network.name,
                    "width": network.width,
                    "depth": network.depth,
                    "n_latents": network.n_latents,
                    "n_images": result.get("n_images"),
                    "batch_size": training.batch_size,
                    "learning_rate": training.learning_rate,
                    "seed": training.seed,
                    "step": int(step),
                    "flops": float(int(step) * result["flops_per_step"]),
                    "parameters": result["parameters"],
                    "metric": metric,
                    **score_cells(score),
                    "kl": sum(kl),
                    "active_latents": sum(k > _ACTIVE_KL for k in kl),
                }

    def summary(self) -> str:
        """The model, and its scores at the last milestone."""
        last = max(self.result()["milestones"].items(), key=lambda item: int(item[0]))[1]
        scores = (f"{name} {score['value']:.3f}" for name, score in last["metrics"].items())
        who = f"{self.description.objective.label}, seed {self.description.training.seed}"
        return f"{who}: {', '.join(scores)}"

    def pictures(self) -> dict[str, np.ndarray]:
        """The finished run's pictures, as :func:`~unweave.studies.evaluation.pictures` makes."""
        with np.load(self.folder / "pictures.npz") as file:
            return dict(file)

    def check(self) -> None:
        """Refuse a folder that holds another run; let a finished one continue for more steps.

        Raises
        ------
        ValueError
            If the run in the folder was trained for more steps, or differs in anything else.
        """
        own = self._config(load(self.description.dataset).image_shape)
        if not self.is_finished:
            check_same_run(self.folder, own, steps_done(self.folder))
            return
        before = self.result().get("description", {})
        if before != {key: own.get(key) for key in before} or not before:
            check_same_run(self.folder, own, steps_done(self.folder))
            (self.folder / "result.json").unlink()

    def _config(self, image_shape: tuple[int, ...]) -> dict[str, Any]:
        """What ``config.json`` says."""
        description = self.description.model_dump(mode="json")
        revision = self.description.revision
        return {**description, "image_shape": list(image_shape), "revision": revision}

    def _execute(self, at_step: Callable[[int], None] | None) -> None:
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
        config = self._config(dataset.image_shape)
        check_same_run(self.folder, config, steps_done(self.folder))
        write_json(self.folder / CONFIG, config)

        def at_milestone(step: int, model: VAE) -> dict[str, float]:
            scores = score_model(model, dataset, description.evaluation)
            write_json(self._scores_file(step), scores)
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
        milestones = {
            str(step): read_json(self._scores_file(step)) for step in training.all_milestones
        }
        write_json(
            self.folder / "result.json", {"description": config, **cost, "milestones": milestones}
        )

    def _scores_file(self, step: int) -> Path:
        return self.folder / f"scores-{step:08d}.json"
