"""The report of a study that trains models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl

from unweave.datasets import FactorSpace, load
from unweave.reports.analysis import DESIGN, analysis, seed_sentence
from unweave.reports.figures import (
    COLOURS,
    compute_figure,
    curve_figure,
    matrix_figure,
    metrics_figure,
    objectives_figure,
)
from unweave.reports.findings import find, label_objectives, metric_name, scaled_cells
from unweave.reports.model import model_pictures
from unweave.reports.page import render
from unweave.reports.published import PAPER_SCORES
from unweave.studies.engine import study_runs
from unweave.studies.explained import Share
from unweave.studies.run import Run
from unweave.studies.study import Study
from unweave.studies.table import build_table
from unweave.studies.training_run import TrainingRun
from unweave.studies.trends import mean_interval
from unweave.training.curves import read_curves

__all__ = ["training_page"]

_MOST_ROWS = 3_000  # in the page; the table holds all
_MOST_CURVES = 60


def training_page(study: Study, folder: str | Path) -> str:
    """The page of the finished runs in a study's folder."""
    table = label_objectives(build_table(study, folder))
    runs = [run for run in study_runs(study, folder) if run.is_finished]
    if any(table[column].n_unique() > 1 for column in DESIGN):
        return render("design.html", _design_content(study, table, runs))
    return render("training.html", _content(study, table, cast(list[TrainingRun], runs)))


def _shared_content(study: Study, table: pl.DataFrame, runs: Sequence[Run]) -> dict[str, Any]:
    """What both pages show."""
    return {
        "study": study,
        "n_finished": len(runs),
        "n_runs": len(study.runs()),
        **analysis(table),
        "rows": table.head(_MOST_ROWS).to_dicts(),
        "n_rows": table.height,
        "study_json": json.dumps(study.model_dump(mode="json"), indent=1, ensure_ascii=False),
    }


def _design_content(study: Study, table: pl.DataFrame, runs: Sequence[Run]) -> dict[str, Any]:
    """Of a study that varies more than objectives, seeds and steps."""
    content = _shared_content(study, table, runs)
    varied = [c for c in ("label", *DESIGN, "step") if table[c].n_unique() > 1]
    told = [one.sentence for one in content["scalings"] if one.fit.has_trend]
    n = len(content["scalings"])
    headline = (
        f"Of {n} courses of a score over a scale, {len(told)} are told from noise, where chance "
        f"alone would make about {0.05 * n:.2g}."
    )
    return {
        **content,
        "headline": " ".join([headline, *told[:3]]) if n else _widest(content["shares"]),
        "varied": varied,
    }


def _widest(shares: dict[str, list[Share]]) -> str:
    """Which source explains most of each metric."""
    if not shares:
        return "There are too few seeds and levels to say what explains the scores."
    parts = []
    for metric, own in shares.items():
        most = max(own, key=lambda share: share.adjusted)
        name = metric_name(metric)
        parts.append(f"{name}: {most.source}, {100 * most.adjusted:.0f} %")
    return f"What explains most of the variance: {'; '.join(parts)}."


def _content(study: Study, table: pl.DataFrame, runs: list[TrainingRun]) -> dict[str, Any]:
    labels = table["label"].unique(maintain_order=True).to_list()
    colours = {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(labels)}
    cells = scaled_cells(table)
    shown = _one_run_each(cells, runs)
    space = load(study.dataset).space
    shared = _shared_content(study, table, runs)
    is_about_compute = cells["step"].n_unique() > 1
    about_seeds = shared["shares"] and not is_about_compute
    return {
        **shared,
        "seed_sentence": seed_sentence(shared["shares"]) if about_seeds else "",
        "scaling_figures": [],  # the page has figures of its own over steps
        "findings": find(table),
        "score_figures": _score_figures(cells, colours),
        "is_about_compute": is_about_compute,
        "comparison": _comparison(cells),
        "metrics_figure": metrics_figure(table, colours),
        "curves": _curves(cells, runs, colours),
        "models": [_model(label, run, space) for label, run in shown.items()],
        "settings": _settings(study, table),
    }


def _score_figures(cells: pl.DataFrame, colours: dict[str, str]) -> list[str]:
    """Scores against compute; of one milestone, objectives beside each other."""
    if cells["step"].n_unique() > 1:
        return _compute_figures(cells, colours)
    return [
        objectives_figure(cells.filter(pl.col("metric") == metric), colours)
        for metric in cells["metric"].unique(maintain_order=True)
    ]


def _compute_figures(cells: pl.DataFrame, colours: dict[str, str]) -> list[str]:
    flops_per_step = _flops_per_step(cells)
    figures = []
    for metric in cells["metric"].unique(maintain_order=True):
        of_metric = cells.filter(pl.col("metric") == metric)
        keys = of_metric["key"].unique(maintain_order=True)
        published = [v for k in keys for v in PAPER_SCORES.get((k, metric), {}).values()]
        highest = max(*of_metric["value"], *of_metric["projection_mean"], *published)
        for key in keys:
            rows = of_metric.filter(pl.col("key") == key)
            colour = colours[rows["label"][0]]
            # Room above the highest point for the legend.
            figures.append(compute_figure(rows, colour, flops_per_step, 1.7 * highest))
    return figures


def _flops_per_step(table: pl.DataFrame) -> float:
    return max(table["flops"] / table["step"])


def _comparison(cells: pl.DataFrame) -> list[dict[str, Any]]:
    """Ours beside the paper's, a row for each number of steps that either has."""
    comparison = []
    is_about_compute = cells["step"].n_unique() > 1
    for (label, key, metric), rows in cells.group_by("label", "key", "metric", maintain_order=True):
        published = PAPER_SCORES.get((key, metric), {}) if is_about_compute else {}
        ours = {step[0]: group for step, group in rows.group_by("step")}
        for step in sorted({*ours, *published}):
            entry = {"label": label, "metric": metric_name(metric), "step": step}
            if step in ours:
                group = ours[step]
                values = group["value"].to_numpy()
                low, high = mean_interval(values)
                entry |= {
                    "mean": values.mean(),
                    "interval": None if len(values) < 2 else (low, high),
                    "adjusted": group["adjusted"].mean(),
                    "chance": group["chance_mean"].mean(),
                    "chance_sd": group["chance_sd"].mean(),
                    "projection": group["projection_mean"].mean(),
                    "projection_sd": group["projection_sd"].mean(),
                    "p": group["p_value"].max(),
                    "seeds": len(values),
                }
            entry["paper"] = published.get(step)
            comparison.append(entry)
    return comparison


def _curves(cells: pl.DataFrame, runs: list[TrainingRun], colours: dict[str, str]) -> list[str]:
    label_of = dict(cells.select("run", "label").unique().iter_rows())
    curves: dict[str, list] = {}
    for run in runs[:: max(1, len(runs) // _MOST_CURVES)]:
        label = label_of.get(run.description.key)
        rows = read_curves(run.folder)
        if label is not None and rows:
            curves.setdefault(label, []).append(rows)
    return (
        [curve_figure(curves, term, colours) for term in ("reconstruction", "kl")] if curves else []
    )


def _one_run_each(cells: pl.DataFrame, runs: list[TrainingRun]) -> dict[str, TrainingRun]:
    """The run of the smallest seed of each objective."""
    by_key = {run.description.key: run for run in runs}
    first = cells.sort("seed").group_by("label", maintain_order=True).agg(pl.col("run").first())
    return {label: by_key[key] for label, key in first.iter_rows()}


def _model(label: str, run: TrainingRun, space: FactorSpace) -> dict[str, Any]:
    result = run.result()
    step, last = max(result["milestones"].items(), key=lambda item: int(item[0]))
    matrix = ""
    if "mig" in last["metrics"]:
        matrix = matrix_figure(
            np.array(last["metrics"]["mig"]["matrix"]),
            list(space.names),
            f"Information in {label}",
            f"matrix-{run.description.key}",
        )
    return {
        "label": label,
        "seed": run.description.training.seed,
        "step": int(step),
        **model_pictures(run.pictures(), space, run.description.key),
        "matrix": matrix,
        "scores": {metric_name(name): score for name, score in last["metrics"].items()},
    }


def _settings(study: Study, table: pl.DataFrame) -> dict[str, str]:
    network, training, evaluation = study.network, study.training, study.evaluation
    flops = _flops_per_step(table)
    return {
        "Data": f"{study.dataset}, all of it, batches drawn with replacement",
        "Network": f"{network.name}, width {network.width:g}, {network.n_latents} latents, "
        f"{max(table['parameters']):,} parameters",
        "Training": f"Adam, learning rate {training.learning_rate:g}, batches of "
        f"{training.batch_size}, {flops / 1e9:.2f} GFLOP a step",
        "Scores": f"of the posterior means of {evaluation.rows:,} rows drawn over the whole grid "
        f"(seed {evaluation.seed}), the same rows for every model",
        "MIG": "20 bins of equal width, plug-in estimate (disentanglement_lib's convention); "
        "beside it, adjusted for chance",
        "SAP": "R² of a linear regression for ordered factors, of the point on the circle for "
        "orientation; accuracy of a linear support vector machine on held-out rows for shape",
        "Chance": f"rows of the factors permuted against the codes, "
        f"{evaluation.n_permutations} times",
        "Random mixture": f"random linear projections of the factors to "
        f"{network.n_latents} latents, {evaluation.n_projections} times: what a smooth code gets "
        "that knows every factor and separates none",
    }
