"""The report of a study that trains models, or of a part of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import polars as pl

from unweave.datasets import load
from unweave.metrics.catalogue import needs_factors
from unweave.metrics.catalogue import title as metric_name
from unweave.reports.analysis import analysis, seed_sentence
from unweave.reports.design import DESIGN, own_columns
from unweave.reports.disentanglement import disentanglement_content
from unweave.reports.figures import (
    COLOURS,
    compute_figure,
    curve_figure,
    matrix_figure,
    metrics_figure,
    objectives_figure,
)
from unweave.reports.findings import find, label_objectives, scaled_cells
from unweave.reports.model import model_pictures
from unweave.reports.page import render
from unweave.reports.published import PAPER_SCORES
from unweave.reports.scaling import trend_sentences
from unweave.reports.settings import optimiser_words
from unweave.statistics.budgets import with_common_steps
from unweave.statistics.permutation import LEVEL
from unweave.statistics.trends import mean_interval
from unweave.statistics.variance import Share
from unweave.studies.base import Run
from unweave.studies.data import data_sentence, describe_data
from unweave.studies.folder import Finished
from unweave.studies.kinds.training import TrainingStudy
from unweave.studies.training_run import TrainingRun
from unweave.training.curves import read_curves

__all__ = ["training_section"]

_MOST_ROWS = 3_000  # in the page; the table holds all
_MOST_CURVES = 60


def training_section(study: TrainingStudy, found: Finished, *, level: int = 2) -> str:
    """What the finished runs of a study say, as a part of a page.

    ``level`` is that of its headings.
    """
    as_it_is = label_objectives(found.table)
    table = with_common_steps(as_it_is)
    shown = {"rows": as_it_is.head(_MOST_ROWS).to_dicts(), "level": level}
    runs = [cast(TrainingRun, run) for run in found.runs]
    if study.report == "disentanglement":
        shared = _shared_content(study, table, runs)
        content = {**shared, **disentanglement_content(study, runs)}
        return render("disentanglement.html", {**content, **shown})
    if any(table[column].n_unique() > 1 for column in DESIGN):
        return render("design.html", {**_design_content(study, table, runs), **shown})
    return render("training.html", {**_content(study, table, runs), **shown})


def _shared_content(
    study: TrainingStudy, table: pl.DataFrame, runs: Sequence[Run]
) -> dict[str, Any]:
    """What both pages show."""
    return {
        "study": study,
        "data": _data(runs),
        "left_out": _left_out(runs),
        "has_factors": table["mixture_mean"].null_count() < table.height,
        "n_finished": len(runs),
        "n_runs": len(study.descriptions),
        "n_rows": table.height,
    }


def _design_content(
    study: TrainingStudy, table: pl.DataFrame, runs: Sequence[Run]
) -> dict[str, Any]:
    """Content for a study that varies more than objectives, seeds and steps."""
    content = {**_shared_content(study, table, runs), **analysis(table)}
    own = own_columns(table)
    varied = [c for c in ("label", *DESIGN, "step") if c not in own and table[c].n_unique() > 1]
    n = len(content["scalings"])
    n_trends = sum(one.fit.has_trend for one in content["scalings"])
    headline = (
        f"{n_trends} of {n} score-versus-scale curves show a significant trend (about "
        f"{LEVEL * n:.2g} expected by chance)."
    )
    trends = trend_sentences(content["scalings"])
    return {
        **content,
        "headline": " ".join([headline, *trends]) if n else _widest(content["shares"]),
        "varied": varied,
    }


def _data(runs: Sequence[Run]) -> list[str]:
    """A sentence for each dataset."""
    found: dict[str, str] = {}
    for run in runs:
        name = cast(TrainingRun, run).description.dataset
        if name not in found:
            data = run.result().get("data")  # results of earlier versions have none
            found[name] = data_sentence(data or describe_data(load(name)))
    return list(found.values())


def _left_out(runs: Sequence[Run]) -> list[str]:
    """Why scores are left out, each sentence once."""
    milestones = [m for run in runs for m in run.result()["milestones"].values()]
    return list(dict.fromkeys(s for m in milestones for s in m.get("scores_left_out", ())))


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


def _content(study: TrainingStudy, table: pl.DataFrame, runs: list[TrainingRun]) -> dict[str, Any]:
    labels = table["label"].unique(maintain_order=True).to_list()
    colours = {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(labels)}
    cells = scaled_cells(table)
    shown = _one_run_each(cells, runs)
    shared = {**_shared_content(study, table, runs), **analysis(table)}
    is_about_compute = cells["step"].n_unique() > 1
    about_seeds = shared["shares"] and not is_about_compute
    return {
        **shared,
        "seed_sentence": seed_sentence(shared["shares"]) if about_seeds else "",
        "scaling_figures": [],  # the page has figures of its own over steps
        "findings": find(table),
        "score_figures": _score_figures(cells, colours),
        "is_about_compute": is_about_compute,
        "has_paper": is_about_compute and study.dataset == "dsprites",
        "comparison": _comparison(cells),
        "metrics_figure": metrics_figure(table, colours),
        "curves": _curves(cells, runs, colours),
        "models": [_model(label, run) for label, run in shown.items()],
        "settings": _settings(study, table, runs, shared["data"]),
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
        published = {key: _published(cells, key, metric) for key in keys}
        floors = of_metric["mixture_mean"].drop_nulls()
        highest = max(
            *of_metric["value"],
            *floors,
            *(v for own in published.values() for v in own.values()),
            0,
        )
        for key in keys:
            rows = of_metric.filter(pl.col("key") == key)
            colour = colours[rows["label"][0]]
            # Room above the highest point for the legend.
            top = 1.7 * highest or 1.0
            figures.append(compute_figure(rows, colour, flops_per_step, top, published[key]))
    return figures


def _published(cells: pl.DataFrame, key: str, metric: str) -> dict[int, float]:
    """The paper's scores by steps, which are of dSprites."""
    is_dsprites = set(cells["dataset"]) == {"dsprites"}
    return PAPER_SCORES.get((key, metric), {}) if is_dsprites else {}


def _flops_per_step(table: pl.DataFrame) -> float:
    return max(table["flops"] / table["step"])


def _comparison(cells: pl.DataFrame) -> list[dict[str, Any]]:
    """Ours beside the paper's, a row for each number of steps that either has."""
    comparison = []
    is_about_compute = cells["step"].n_unique() > 1
    for (label, key, metric), rows in cells.group_by("label", "key", "metric", maintain_order=True):
        published = _published(cells, key, metric) if is_about_compute else {}
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
                    "mixture": group["mixture_mean"].mean(),
                    "mixture_sd": group["mixture_sd"].mean(),
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
    return [
        curve_figure(own, term, colours)
        for term in ("reconstruction", "kl", "entropy")
        if (own := {k: runs for k, runs in curves.items() if term in runs[0][0]})
    ]


def _one_run_each(cells: pl.DataFrame, runs: list[TrainingRun]) -> dict[str, TrainingRun]:
    """The run of the smallest seed of each objective."""
    by_key = {run.description.key: run for run in runs}
    first = cells.sort("seed").group_by("label", maintain_order=True).agg(pl.col("run").first())
    return {label: by_key[key] for label, key in first.iter_rows()}


def _model(label: str, run: TrainingRun) -> dict[str, Any]:
    result = run.result()
    step, last = max(result["milestones"].items(), key=lambda item: int(item[0]))
    matrix = ""
    if "mig" in last["metrics"]:
        mig = last["metrics"]["mig"]
        matrix = matrix_figure(
            np.array(mig["matrix"]),
            list(mig["per_factor"]),
            f"Information in {label}",
            f"matrix-{run.description.key}",
        )
    return {
        "label": label,
        "seed": run.description.training.seed,
        "step": int(step),
        **model_pictures(run.pictures(), run.description.key),
        "matrix": matrix,
        "scores": {metric_name(name): score for name, score in last["metrics"].items()},
    }


def _budget(table: pl.DataFrame, runs: Sequence[TrainingRun]) -> dict[str, str]:
    """How long runs are that have a budget of processor time."""
    minutes = sorted({float(m) for m in table["cpu_minutes"].drop_nulls()})
    if not minutes:
        return {}
    steps = sorted(run.result()["steps"] for run in runs if "steps" in run.result())
    budgets = ", ".join(f"{m:g}" for m in minutes)
    return {
        "Budget": f"{budgets} CPU minutes of training, which are {steps[0]:,} to {steps[-1]:,} "
        "steps; where runs are compared, the median stands for all"
    }


def _settings(
    study: TrainingStudy, table: pl.DataFrame, runs: Sequence[TrainingRun], data: list[str]
) -> dict[str, str]:
    # What is the same for all: else another page would be shown.
    description = runs[0].description
    network, training, evaluation = description.network, description.training, study.evaluation
    precisions = sorted(set(table["precision"].drop_nulls()) - {"32-true"})
    flops = _flops_per_step(table)
    n_rows = max(table["n"])
    rows = f"{n_rows:,} images" + (
        f" drawn at random (seed {evaluation.seed})"
        if n_rows == evaluation.rows
        else ", all there are"
    )
    settings = {
        "Data": "; ".join(data),
        "Batches": "drawn with replacement",
        "Network": f"{network.name}, width {network.width:g}, {network.n_latents} latents, "
        f"{max(table['parameters']):,} parameters",
        "Training": f"{optimiser_words(training)}, batches of {training.batch_size}, "
        + "".join(f"{name} where it is faster, " for name in precisions)
        + f"{flops / 1e9:.2f} GFLOP a step",
        **_budget(table, runs),
        "Scores": f"of the posterior means of {rows}, the same for every model",
    }
    metrics = set(table["metric"])
    if "mig" in evaluation.metrics:
        settings["MIG"] = (
            "20 bins of equal width, plug-in estimate (disentanglement_lib's convention); beside "
            "it, adjusted for chance"
        )
    if "sap" in evaluation.metrics:
        settings["SAP"] = (
            "R² of a linear regression for ordered and continuous factors, of the point on the "
            "circle for circular ones; accuracy of a linear support vector machine on held-out "
            "rows for categorical ones"
        )
    for asked in evaluation.metrics:
        if not isinstance(asked, str):
            options = (f"{key} = {value}" for key, value in asked.items() if key != "name")
            what = f"Options of {metric_name(asked['name'])}"
            settings[what] = "; ".join(filter(None, (settings.get(what), ", ".join(options))))
    if any(map(needs_factors, metrics)):
        settings["Chance"] = (
            f"rows of the factors permuted against the codes, {evaluation.n_permutations} times"
        )
        settings["Random mixture"] = (
            f"random linear projections of the factors to {network.n_latents} latents, "
            f"{evaluation.n_projections} times: what a smooth code gets that knows every factor "
            "and separates none"
        )
    label_free = sorted(name for name in metrics if not needs_factors(name))
    if label_free:
        settings[f"Chance of {', '.join(map(metric_name, label_free))}"] = (
            "each latent permuted by itself; 0 is the best"
        )
    return settings
