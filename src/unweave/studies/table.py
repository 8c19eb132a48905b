"""The results of a study as one tidy table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from unweave.datasets.cache import written_whole
from unweave.studies.encoders import EncoderStudy
from unweave.studies.engine import study_runs
from unweave.studies.loading import AnyStudy, open_study
from unweave.studies.manifolds import ManifoldStudy
from unweave.studies.run import Run

__all__ = ["build_table", "read_table", "write_table"]

_SCORE = {
    "value": pl.Float64,
    "adjusted": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "chance_mean": pl.Float64,
    "chance_sd": pl.Float64,
    "projection_mean": pl.Float64,
    "projection_sd": pl.Float64,
    "p_value": pl.Float64,
    "n": pl.Int64,
}
_SCHEMA = {
    "run": pl.String,
    "objective": pl.String,
    "strength": pl.Float64,
    "seed": pl.Int64,
    "step": pl.Int64,
    "flops": pl.Float64,
    "parameters": pl.Int64,
    "metric": pl.String,
    **_SCORE,
    "kl": pl.Float64,
    "active_latents": pl.Int64,
}
_MANIFOLD_SCHEMA = {
    "run": pl.String,
    "product": pl.String,
    "points": pl.Int64,
    "noise": pl.Float64,
    "settings": pl.String,
    "seed": pl.Int64,
    "dims_true": pl.String,
    "dims": pl.String,
    "dims_match": pl.Boolean,
    "mean": pl.Float64,
    "median": pl.Float64,
    "chance": pl.Float64,
    "gap": pl.Float64,
    "confidence": pl.Float64,
    "dimension": pl.Float64,
    "seconds": pl.Float64,
}
_ENCODER_SCHEMA = {
    "run": pl.String,
    "encoder": pl.String,
    "seed": pl.Int64,
    "parameters": pl.Int64,
    "parameters_in_all": pl.Int64,
    "protocol": pl.String,
    "readout": pl.String,
    "n_latents": pl.Int64,
    "metric": pl.String,
    **_SCORE,
    "smooth_mean": pl.Float64,
    "smooth_sd": pl.Float64,
}
_ACTIVE_KL = 0.01  # nats; the threshold of disentanglement_lib's UDR


def build_table(study: AnyStudy, folder: Path) -> pl.DataFrame:
    """Rows of all finished runs: one for each milestone and metric of a model, one for a manifold,
    one for each protocol, readout and metric of an encoder.
    """  # noqa: D205
    runs = [run for run in study_runs(study, folder) if run.is_finished]
    if isinstance(study, ManifoldStudy):
        return pl.DataFrame([_manifold_row(run) for run in runs], schema=_MANIFOLD_SCHEMA)
    if isinstance(study, EncoderStudy):
        return pl.DataFrame([row for run in runs for row in _encoder_rows(run)], _ENCODER_SCHEMA)
    rows = [row for run in runs for row in _rows(run)]
    order = ("metric", pl.col("strength").fill_null(-1), "objective", "seed", "step")
    return pl.DataFrame(rows, schema=_SCHEMA).sort(*order)


def write_table(table: pl.DataFrame, folder: Path) -> Path:
    """Write ``table.parquet`` into the study's folder, whole or not at all."""
    path = folder / "table.parquet"
    with written_whole(path) as temporary:
        table.write_parquet(temporary)
    return path


def read_table(folder: Path) -> pl.DataFrame:
    """The table of the study in ``folder``, from its finished runs as they are now.

    Raises
    ------
    FileNotFoundError
        If the folder holds no study.
    """
    return build_table(open_study(folder), folder)


def _rows(run: Any):
    result = run.result()
    objective = run.description.objective
    for step, milestone in result["milestones"].items():
        kl = milestone["kl_per_latent"]
        for metric, score in milestone["metrics"].items():
            yield {
                "run": run.description.key,
                "objective": objective.name,
                "strength": objective.strength,
                "seed": run.description.training.seed,
                "step": int(step),
                "flops": float(int(step) * result["flops_per_step"]),
                "parameters": result["parameters"],
                "metric": metric,
                **_cells(score),
                "kl": sum(kl),
                "active_latents": sum(k > _ACTIVE_KL for k in kl),
            }


def _cells(score: dict[str, Any]) -> dict[str, Any]:
    """What is said of every score."""
    return {
        "value": score["value"],
        "adjusted": score["adjusted"],
        "low": score["interval"][0],
        "high": score["interval"][1],
        "chance_mean": score["chance"]["mean"],
        "chance_sd": score["chance"]["sd"],
        "projection_mean": score["projection"]["mean"],
        "projection_sd": score["projection"]["sd"],
        "p_value": score["p_value"],
        "n": score["n"],
    }


def _encoder_rows(run: Run):
    result = run.result()
    who = {
        "run": run.description.key,
        "encoder": result["label"],
        "seed": result["description"]["seed"],
        "parameters": result["card"]["parameters"],
        "parameters_in_all": result["card"]["parameters_in_all"],
    }
    for protocol, found in result["protocols"].items():
        for readout, read in found["readouts"].items():
            for metric, score in read.get("scores", {}).items():
                yield {
                    **who,
                    "protocol": protocol,
                    "readout": readout,
                    "n_latents": read["n_latents"],
                    "metric": metric,
                    **_cells(score),
                    "smooth_mean": score["smooth"]["mean"],
                    "smooth_sd": score["smooth"]["sd"],
                }


def _manifold_row(run: Run) -> dict:
    result = run.result()
    content = {**result, **result["description"], "run": run.description.key}
    for key in ("dims_true", "dims"):
        content[key] = "+".join(map(str, content[key]))
    return {key: content[key] for key in _MANIFOLD_SCHEMA}
