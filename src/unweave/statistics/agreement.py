"""Which metrics agree over the models of a study."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from unweave.statistics.trends import Correlation, correlate

__all__ = ["Agreement", "last_scores", "metric_agreement", "relation"]


@dataclass(frozen=True)
class Agreement:
    """Rank correlations of all metrics.

    Attributes
    ----------
    metrics
        Names, those that agree beside each other.
    correlations
        Spearman's (metrics, metrics), in that order; nan where a metric does not vary.
    n_models
        Models behind it, each at its last milestone.
    """

    metrics: tuple[str, ...]
    correlations: np.ndarray
    n_models: int


def last_scores(table: pl.DataFrame) -> pl.DataFrame:
    """A row for each run that has all metrics, at its last milestone; a column for each metric."""
    last = table.filter(pl.col("step") == pl.col("step").max().over("run"))
    return last.pivot(on="metric", index="run", values="value").drop_nulls()


def metric_agreement(table: pl.DataFrame) -> Agreement | None:
    """Rank correlations of the metrics over all runs, in an order of average-linkage clustering.

    None for fewer than two metrics or three models. It generalises figure 5 of the paper: there it
    is two metrics of about ninety beta-VAEs.
    """
    wide = last_scores(table)
    names = [column for column in wide.columns if column != "run"]
    if len(names) < 2 or wide.height < 3:
        return None
    ranks = wide.select(pl.col(names).rank()).to_numpy()
    spread = ranks.std(axis=0)
    centred = (ranks - ranks.mean(axis=0)) / np.where(spread > 0, spread, np.nan)
    found = centred.T @ centred / len(ranks)
    order = _leaves(found)
    return Agreement(tuple(names[i] for i in order), found[np.ix_(order, order)], wide.height)


def relation(table: pl.DataFrame, first: str, second: str) -> Correlation | None:
    """Rank correlation of two metrics over models, and its p-value; None for too few models."""
    wide = last_scores(table)
    return correlate(wide[first].to_numpy(), wide[second].to_numpy())


def _leaves(correlations: np.ndarray) -> list[int]:
    """Order of the leaves of a clustering in which what agrees is near."""
    from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
    from scipy.spatial.distance import squareform

    far = 1 - np.nan_to_num(correlations)
    far = (far + far.T) / 2
    np.fill_diagonal(far, 0)
    condensed = squareform(np.clip(far, 0, 2), checks=False)
    tree = linkage(condensed, "average")
    return leaves_list(optimal_leaf_ordering(tree, condensed)).tolist()
