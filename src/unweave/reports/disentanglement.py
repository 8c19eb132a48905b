"""The part of a page that says whether anything disentangles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from unweave.metrics.catalogue import title as metric_name
from unweave.metrics.score import ENOUGH_FOR_QUANTILES
from unweave.reports.disentanglement_findings import (
    HEADLINE_METRICS,
    DatasetResults,
    Method,
    results_by_dataset,
)
from unweave.reports.figures import COLOURS, INK, drawing, svg
from unweave.reports.model import labelled_traversals
from unweave.reports.settings import optimiser_words
from unweave.studies.data import data_sentence
from unweave.studies.kinds.training import TrainingStudy
from unweave.studies.ranking import kept_ranking
from unweave.studies.separation import LEAST_SHARE
from unweave.studies.training_run import TrainingRun

__all__ = ["disentanglement_content"]

_DOT, _SUPERVISED_DOT = COLOURS[0], COLOURS[3]
_MIXTURE, _SMOOTH = COLOURS[1], COLOURS[2]
_SPREAD = 0.24  # of the dots of a method, to both sides


def disentanglement_content(study: TrainingStudy, runs: Sequence[TrainingRun]) -> dict[str, Any]:
    """Content of ``disentanglement.html``, of the finished runs of a study."""
    folder = runs[0].folder.parents[1]
    udr, pipe = kept_ranking(folder, "udr"), kept_ranking(folder, "pipe")
    results = results_by_dataset(study, runs, udr=udr, pipe=pipe)
    return {
        "answers": [one.answer for one in results],
        "datasets": [_dataset(one) for one in results],
        "colours": {
            "dot": _DOT, "supervised": _SUPERVISED_DOT, "mixture": _MIXTURE, "smooth": _SMOOTH,
        },
        "least_share": f"{100 * LEAST_SHARE:.0f} %",
        "settings": _settings(study, results),
    }  # fmt: skip


def _settings(study: TrainingStudy, results: Sequence[DatasetResults]) -> dict[str, str]:
    evaluation = study.evaluation
    scores = results[0].methods[0].models[0].scores
    draws = ", ".join(
        f"{scores[metric]['mixture']['n_draws']} for {metric_name(metric)}"
        for metric in results[0].metrics
    )
    upper = (
        f"Quantiles of 97.5 % of the draws; where there are fewer than {ENOUGH_FOR_QUANTILES}, "
        "Student's t bound for one more draw, from their mean and standard deviation"
    )
    runs = study.descriptions
    minutes = sorted({m for run in runs if (m := run.training.cpu_minutes)})
    found = {
        "Scores": f"of the posterior means, or the values of quantised latents, of at most "
        f"{evaluation.rows:,} images, the same for every model (seed {evaluation.seed})",
        "Random codes": "random linear mixtures of the factors, and cosines of random frequencies "
        f"and phases of them, as many as the model has latents. Draws of each: {draws}",
        "Upper ends": upper,
        "Chance": "rows of the factors permuted against the codes",
    }
    if minutes:
        budgets = ", ".join(f"{m:g}" for m in minutes)
        found["Budget"] = f"{budgets} minutes of processor time for training, the same for all"
    return found


def _dataset(found: DatasetResults) -> dict[str, Any]:
    figures = {
        metric: scores_figure(found, metric, f"references-{found.title}-{metric}")
        for metric in found.metrics
    }
    return {
        "title": found.title,
        "data": data_sentence(found.methods[0].models[0].result["data"]),
        "sentences": found.sentences,
        "figures": [figures[m] for m in found.metrics if m in HEADLINE_METRICS],
        "more_figures": [figures[m] for m in found.metrics if m not in HEADLINE_METRICS],
        "columns": [m for m in HEADLINE_METRICS if m in found.metrics],
        "rows": [_row(method, found) for method in found.methods],
        "references": _references(found),
        "factors": found.factors,
        "methods": [_training(method) for method in found.methods],
        "models": _shown_models(found),
        "choices": [(m.label, choice) for m in found.methods for choice in m.choices],
    }


def _row(method: Method, found: DatasetResults) -> dict[str, Any]:
    """A method's row of the table."""
    counts, n = method.n_separated, len(method.models)
    separated = {factor: 0 for factor in found.factors}
    for model in method.models:
        for one in model.separations:
            separated[one.factor] += one.is_separated
    return {
        "label": method.label,
        "supervision": method.supervision,
        "n": n,
        "n_planned": method.n_planned,
        "counts": (float(np.median(counts)), min(counts), max(counts)),
        "separated": separated,
        "scores": {
            metric: {
                "median": float(np.median(values)),
                "low": float(values.min()),
                "high": float(values.max()),
                "n_above": method.n_above(metric),
            }
            for metric in found.metrics
            if (values := method.values(metric)).size
        },
    }


def _references(found: DatasetResults) -> list[dict[str, Any]]:
    """What random mixtures, smooth features, chance and the perfect code score: rows of the table.

    They are those of the best method's number of latents.
    """
    scores = found.methods[0].models[0].scores
    rows: list[dict[str, Any]] = [
        {"label": label, "scores": {metric: scores[metric][key] for metric in found.metrics}}
        for label, key in (
            ("random mixtures of the factors", "mixture"),
            ("random smooth features", "smooth"),
            ("chance: rows permuted", "chance"),
        )
    ]
    perfect = {metric: {"mean": scores[metric]["perfect"]} for metric in found.metrics}
    return [*rows, {"label": "perfect code", "scores": perfect}]


def _training(method: Method) -> dict[str, Any]:
    """What a method's models are, and how they were trained."""
    description, results = method.models[0].run.description, [m.result for m in method.models]
    steps = sorted(int(max(r["milestones"], key=int)) for r in results)
    network = description.network
    return {
        "label": method.label,
        "network": f"{network.name}, width {network.width:g}",
        "latents": f"{network.n_latents}, {network.latent_space.name}",
        "parameters": results[0]["parameters"],
        "optimiser": optimiser_words(description.training),
        "batch": description.training.batch_size,
        "steps": f"{steps[0]:,}" + (f" to {steps[-1]:,}" if steps[-1] > steps[0] else ""),
    }


def _shown_models(found: DatasetResults) -> list[dict[str, Any]]:
    """Traversals of the best method that sees images alone, and of the worst for comparison."""
    able = [method for method in found.methods if not method.supervision] or list(found.methods)
    chosen = [able[0], able[-1]] if len(able) > 1 else able
    shown = []
    for method in chosen:
        model = method.median_model
        score = model.scores["dci_disentanglement"]
        apart = {one.factor for one in model.separations if one.is_separated}
        rows, n_idle = labelled_traversals(
            model.run.pictures(), np.array(score["matrix"]), found.factors
        )
        coded = {row["factor"] for row in rows}
        shown.append(
            {
                "label": method.label,
                "seed": model.seed,
                "n_seeds": len(method.models),
                "score": score["value"],
                "rows": [{**row, "is_separated": row["factor"] in apart} for row in rows],
                "n_idle": n_idle,
                "not_coded": [factor for factor in found.factors if factor not in coded],
            }
        )
    return shown


def scores_figure(found: DatasetResults, metric: str, tag: str) -> str:
    """One metric of every method: a dot a seed, beside random codes, chance and the perfect code.

    Random codes are a band from their mean to their 97.5 % quantile, each for the latents of the
    method that it stands behind.
    """
    with drawing(tag, size=(3.7, 3.4)) as (figure, axes):
        axes.grid(visible=False, axis="x")
        highest = 0.0
        for place, method in enumerate(found.methods):
            first = method.models[0].scores[metric]
            highest = max(highest, first["perfect"])
            ends = [place - 0.5, place + 0.5]
            for key, colour in (("mixture", _MIXTURE), ("smooth", _SMOOTH)):
                mean, upper = first[key]["mean"], first[key]["upper"]
                axes.fill_between(ends, mean, upper, color=colour, alpha=0.22, lw=0)
                axes.plot(ends, [upper, upper], color=colour, lw=1.4)
            axes.plot(ends, [first["chance"]["mean"]] * 2, color=INK, ls=":", lw=1.2)
            axes.plot(ends, [first["perfect"]] * 2, color=INK, lw=0.9)
            values = method.values(metric)
            offsets = np.linspace(-_SPREAD, _SPREAD, len(values)) if len(values) > 1 else [0.0]
            colour = _SUPERVISED_DOT if method.supervision else _DOT
            axes.plot(
                place + np.array(offsets), values, "o", color=colour, ms=5,
                mfc="none" if method.supervision else colour, zorder=3,
            )  # fmt: skip
        labels = [method.label for method in found.methods]
        axes.set_xticks(range(len(labels)), labels, rotation=38, ha="right", fontsize=9)
        axes.set_xlim(-0.5, len(labels) - 0.5)
        axes.set_ylim(0, 1.06 * max(highest, axes.get_ylim()[1] / 1.05))
        axes.set_title(metric_name(metric), loc="left", fontsize=12)
        return svg(figure, tag)
