"""Which metrics agree over the models of a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl
from scipy import stats

from unweave.statistics.trends import Correlation, correlate

__all__ = [
    "Agreement", "PartialAgreement", "last_scores", "metric_agreement", "partial_agreement",
    "partial_agreements", "relation",
]  # fmt: skip

_DRAWS = 2_000
_LEAST_SEEDS = 3


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
    """A row for each run that has all metrics, at its last milestone; a column for each metric.

    Metrics that fewer than half of the runs have are left out, as those of quantised codes alone.
    """
    wide = _wide(table)
    kept = [column for column in wide.columns if 2 * wide[column].null_count() <= wide.height]
    return wide.select(kept).drop_nulls()


def _wide(table: pl.DataFrame) -> pl.DataFrame:
    last = table.filter(pl.col("step") == pl.col("step").max().over("run"))
    return last.pivot(on="metric", index="run", values="value")


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


@dataclass(frozen=True)
class PartialAgreement:
    """Rank correlation of two metrics among models of one setting, and among settings.

    Attributes
    ----------
    within
        Spearman's, in [-1, 1], of models that differ by their seeds: the mean over settings,
        weighted by their models.
    within_p
        Two-sided, of scores permuted among the models of each setting.
    between
        Spearman's of the means of settings; nan for fewer than three settings.
    between_p
        Two-sided, of means permuted among the settings.
    n_settings, n_models
        What it rests on.
    """

    within: float
    within_p: float
    between: float
    between_p: float
    n_settings: int
    n_models: int


def partial_agreement(
    x: np.ndarray,
    y: np.ndarray,
    settings: np.ndarray,
    *,
    seed: int = 0,
    n_draws: int = _DRAWS,
) -> PartialAgreement | None:
    """How far two metrics agree on seeds, and how far on settings.

    Metrics that agree on settings alone say the same of methods, and not of models.

    Parameters
    ----------
    x, y
        Scores (models,).
    settings
        What each model is a seed of (models,). Settings with fewer than three models, or of which
        all scores of a metric are equal, are left out.
    seed
        Seed of the permutations.
    n_draws
        How many; no p-value is below 1 / (``n_draws`` + 1).

    Returns
    -------
    PartialAgreement
        None if no setting is left.
    """
    rng = np.random.default_rng(seed)
    groups = [(x[settings == one], y[settings == one]) for one in dict.fromkeys(settings.tolist())]
    kept = [(a, b) for a, b in groups if len(a) >= _LEAST_SEEDS and np.ptp(a) > 0 and np.ptp(b) > 0]
    if not kept:
        return None
    sizes = np.array([len(a) for a, _ in kept])
    own = [_with_draws(a, b, rng, n_draws) for a, b in kept]
    observed = float(np.average([pair[0] for pair in own], weights=sizes))
    drawn = np.average([pair[1] for pair in own], axis=0, weights=sizes)
    between, between_p = np.nan, np.nan
    if len(kept) > 2:
        a, b = (np.array([pair[i].mean() for pair in kept]) for i in (0, 1))
        if np.ptp(a) > 0 and np.ptp(b) > 0:
            between, means = _with_draws(a, b, rng, n_draws)
            between_p = _p_value(between, means)
    return PartialAgreement(
        observed, _p_value(observed, drawn), float(between), float(between_p),
        len(kept), int(sizes.sum()),
    )  # fmt: skip


def partial_agreements(
    table: pl.DataFrame, settings: Sequence[str], *, n_draws: int = _DRAWS
) -> dict[tuple[str, str], PartialAgreement]:
    """Partial agreement of each two metrics of a table, each model at its last milestone.

    Models whose ``settings`` (columns of the table) are equal differ by their seeds alone.
    ``n_draws`` permutations are made for each pair; correction for many pairs needs more of them.
    """
    wide = last_scores(table)
    of_run = table.unique("run", maintain_order=True).select(
        "run", pl.struct(settings).rank("dense").alias("setting")
    )
    joined = wide.join(of_run, on="run", how="left")
    found = {}
    for pair in combinations([column for column in wide.columns if column != "run"], 2):
        scores = (joined[column].to_numpy() for column in (*pair, "setting"))
        one = partial_agreement(*scores, n_draws=n_draws)
        if one is not None:
            found[pair] = one
    return found


def _with_draws(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, n_draws: int
) -> tuple[float, np.ndarray]:
    """Spearman's correlation, and those (draws,) of permuted scores."""
    a, b = (stats.rankdata(values) for values in (x, y))
    a, b = ((ranks - ranks.mean()) / (ranks.std() * np.sqrt(len(ranks))) for ranks in (a, b))
    shuffled = rng.permuted(np.broadcast_to(b, (n_draws, len(b))), axis=1)
    return float(a @ b), shuffled @ a


def _p_value(observed: float, drawn: np.ndarray) -> float:
    return float((1 + (np.abs(drawn) >= abs(observed) - 1e-9).sum()) / (1 + len(drawn)))


def relation(table: pl.DataFrame, first: str, second: str) -> Correlation | None:
    """Rank correlation of two metrics over models, and its p-value; None for too few models."""
    both = _wide(table).select(first, second).drop_nulls()
    return correlate(both[first].to_numpy(), both[second].to_numpy())


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
