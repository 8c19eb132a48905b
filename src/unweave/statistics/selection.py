"""How to choose a model: without labels by UDR or PIPE, and by what worked on another dataset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from unweave.metrics.catalogue import is_best_when_small
from unweave.statistics.agreement import last_scores
from unweave.statistics.permutation import spearman_test

__all__ = ["Selection", "Transfer", "selection_quality", "transfer"]


@dataclass(frozen=True)
class Selection:
    """What choosing models by a score without labels gains in a metric.

    Attributes
    ----------
    metric
        Metric of the gain.
    correlation, p_value
        Spearman's between the score and the metric over models, and its two-sided p-value by
        permutation.
    chosen, mean, best
        The metric of the model that is chosen, of all on the average, and of the best.
    n_models
        Models that were ranked.
    """

    metric: str
    correlation: float
    p_value: float
    chosen: float
    mean: float
    best: float
    n_models: int


def selection_quality(
    table: pl.DataFrame, ranked: pl.DataFrame, *, by: str = "udr", seed: int = 0
) -> list[Selection]:
    """How well a score without labels picks good runs, for each metric.

    Parameters
    ----------
    table
        A study's table.
    ranked
        Result of :func:`~unweave.studies.ranking.rank_models` or
        :func:`~unweave.studies.ranking.rank_models_by_pipe`: columns ``run`` and ``by``.
    by
        The column of the score, of which the highest is chosen.
    seed
        Seed of permutations.

    Raises
    ------
    ValueError
        If fewer than three models are in both.
    """
    joined = last_scores(table).join(ranked.select("run", by), on="run")
    if joined.height < 3:
        raise ValueError(
            f"{joined.height} models have both a ranking and scores: a relation needs three"
        )
    rng = np.random.default_rng(seed)
    score = joined[by].to_numpy()
    found = []
    for metric in (c for c in joined.columns if c not in ("run", by)):
        values = joined[metric].to_numpy()
        correlation, p_value = spearman_test(score, values[None], rng)
        found.append(
            Selection(
                metric,
                correlation,
                p_value,
                float(values[score.argmax()]),
                float(values.mean()),
                float(values.min() if is_best_when_small(metric) else values.max()),
                joined.height,
            )
        )
    return found


@dataclass(frozen=True)
class Transfer:
    """What the best settings on one dataset are worth on another.

    Attributes
    ----------
    metric, source, target
        The metric, the dataset of the best settings, and the dataset that they are tried on.
    correlation, p_value
        Spearman's between the settings' mean scores on both, and its p-value by permutation.
    better_than_random
        Share of the target's settings that score less there than the source's best one; 0.5 is
        what a random choice gets.
    n_settings
        Objectives with their hyper-parameters that both have.
    """

    metric: str
    source: str
    target: str
    correlation: float
    p_value: float
    better_than_random: float
    n_settings: int


def transfer(table: pl.DataFrame, *, seed: int = 0) -> list[Transfer]:
    """Transfer of settings between each two datasets, for each metric.

    As in section 5.5 of Locatello et al. (2019). Settings are all that a run's description has but
    for the seed; fewer than three in common say nothing, and are left out.
    """
    settings = ["objective", "strength", "options", "network", "width", "depth", "n_latents"]
    settings += [
        "n_images",
        "batch_size",
        "learning_rate",
        "optimizer",
        "weight_decay",
        "gradient_clip",
    ]
    settings += ["schedule", "cpu_minutes"]
    settings = [name for name in settings if name in table.columns]  # earlier versions had fewer
    last = table.filter(pl.col("step") == pl.col("step").max().over("run"))
    means = last.group_by("metric", "dataset", *settings, maintain_order=True).agg(
        pl.col("value").mean()
    )
    rng = np.random.default_rng(seed)
    found = []
    names = means["dataset"].unique(maintain_order=True).to_list()
    for metric in means["metric"].unique(maintain_order=True):
        own = means.filter(pl.col("metric") == metric)
        for source in names:
            for target in (name for name in names if name != source):
                both = own.filter(pl.col("dataset") == source).join(
                    own.filter(pl.col("dataset") == target), on=settings, nulls_equal=True
                )
                if both.height < 3:
                    continue
                here, there = both["value"].to_numpy(), both["value_right"].to_numpy()
                correlation, p_value = spearman_test(here, there[None], rng)
                chosen = there[here.argmax()]
                others = np.delete(there, here.argmax())
                better = float(((others < chosen) + 0.5 * (others == chosen)).mean())
                found.append(
                    Transfer(metric, source, target, correlation, p_value, better, both.height)
                )
    return found
