"""How much of the variance of a score each part of a study explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import stats

from unweave.statistics.budgets import with_common_steps

__all__ = ["SCALES", "SOURCES", "Share", "explained_variance", "own_columns"]

SOURCES = ("dataset", "objective", "hyper-parameters", "scale", "interactions", "seed")
_HYPER = (
    "strength", "options", "learning_rate", "batch_size", "n_latents", "optimizer", "weight_decay",
    "gradient_clip", "schedule",
)  # fmt: skip
SCALES = ("step", "cpu_minutes", "n_images", "network", "width", "depth")
"""Columns of a study's table that are its scale."""


@dataclass(frozen=True)
class Share:
    """A source's part of the variance of a score.

    Attributes
    ----------
    source
        One of :data:`SOURCES`.
    share
        Its sum of squares as a share of the total, in [0, 1]; all shares together are 1.
    adjusted
        Less what it gets where it has no effect, so that this is 0 on the average: epsilon squared.
        The seed gets the rest.
    low, high
        95 % interval of ``adjusted`` by the jackknife over seeds; infinite with two and fewer.
    df
        Degrees of freedom.
    """

    source: str
    share: float
    adjusted: float
    low: float
    high: float
    df: int


def explained_variance(table: pl.DataFrame, scales: Sequence[str] = SCALES) -> list[Share]:
    """Shares of the variance of one metric, for each source that varies in ``table``.

    ``table`` has a row for each run and milestone, with the columns of a study's table; those in
    ``scales`` are its scale, and not hyper-parameters. Sums of squares are sequential, in the order
    of :data:`SOURCES`: hyper-parameters within objectives, the scale (steps, images, network) added
    to these, then all their interactions. A setting that differs between objectives and within none
    is a part of these. What differs between runs that differ by their seed alone is the seed's. In
    a study of which every cell has equally many seeds the order makes no difference. It is the
    analysis of Locatello et al. (2019), https://arxiv.org/abs/1811.12359, section 5.4, where shares
    are not adjusted.

    Raises
    ------
    ValueError
        If no two runs differ by their seed alone: then the effect of the seed cannot be separated.
    """
    if table["metric"].n_unique() > 1:
        raise ValueError("scores of several metrics have no common variance: give those of one")
    design = _Design(with_common_steps(table), scales)
    if design.df_within < 1:
        raise ValueError(
            "no two runs differ by their seed alone, so that the effect of the seed cannot be "
            "separated: give the study more seeds"
        )
    values = table["value"].to_numpy()
    squares, adjusted = design.shares(values, np.ones(len(values), dtype=bool))
    replicates = design.replicate
    kept = [replicates != r for r in np.unique(replicates)]
    n = len(kept)
    low = high = np.full(len(adjusted), np.inf)
    low = -low
    if n > 2:
        left = np.array([design.shares(values, keep)[1] for keep in kept])
        spread = np.sqrt((n - 1) / n * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
        margin = stats.t.ppf(0.975, n - 1) * spread
        low, high = adjusted - margin, adjusted + margin
    return [
        Share(source, float(s), float(a), float(lo), float(hi), df)
        for source, s, a, lo, hi, df in zip(
            design.sources, squares, adjusted, low, high, design.dfs, strict=True
        )
    ]


def own_columns(table: pl.DataFrame, columns: Sequence[str]) -> list[str]:
    """The columns that differ between objectives and within none: each one's own settings."""
    varying = [name for name in columns if table[name].n_unique() > 1]
    if not varying:
        return []
    within = table.group_by("objective").agg(pl.col(varying).n_unique())
    return [name for name in varying if within[name].max() == 1]


class _Design:
    """Which rows share their dataset, objective, hyper-parameters and scale."""

    def __init__(self, table: pl.DataFrame, scales: Sequence[str]) -> None:
        dataset = _groups(table, ["dataset"])
        objective = _groups(table, ["dataset", "objective"])
        hyper_names = [name for name in _HYPER if name not in scales]
        hyper_columns, scale_columns = (
            [name for name in names if name in table.columns] for names in (hyper_names, scales)
        )  # tables of earlier versions have fewer
        own = own_columns(table, scale_columns)
        scale_columns = [name for name in scale_columns if name not in own]
        hyper = _groups(table, ["dataset", "objective", *hyper_columns])
        scale = _groups(table, scale_columns)
        cell = _groups(table, ["dataset", "objective", *hyper_columns, *scale_columns])
        models: list[tuple[str, list[np.ndarray]]] = [
            ("dataset", [dataset]),
            ("objective", [objective]),
            ("hyper-parameters", [hyper]),
            ("scale", [hyper, scale]),
            ("interactions", [cell]),
        ]
        self.sources: list[str] = []
        self.dfs: list[int] = []
        self._models: list[list[np.ndarray]] = []
        rank = 1
        for source, groups in models:
            new = _rank(groups)
            if new > rank:
                self.sources.append(source)
                self.dfs.append(new - rank)
                self._models.append(groups)
                rank = new
        self.df_within = table.height - rank
        self.sources.append("seed")
        self.dfs.append(self.df_within)
        seeds = pl.DataFrame({"cell": cell, "seed": table["seed"]})
        ranks = seeds.select(pl.col("seed").rank("ordinal").over("cell") - 1)
        self.replicate = ranks.to_series().to_numpy()

    def shares(self, values: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Plain and adjusted shares of each source, from the rows that are kept."""
        values = values[keep]
        total = float(((values - values.mean()) ** 2).sum())
        if total == 0:
            nothing = np.zeros(len(self.sources))
            return nothing, nothing
        explained, ranks = [0.0], [1]
        for groups in self._models:
            own = [g[keep] for g in groups]
            explained.append(max(explained[-1], total - _residual(values, own)))
            ranks.append(_rank(own))
        squares = np.diff(explained)
        within = total - explained[-1]
        mean_square = within / max(1, len(values) - ranks[-1])
        adjusted = (squares - np.diff(ranks) * mean_square) / total
        shares = np.append(squares, within) / total
        return shares, np.append(adjusted, 1 - adjusted.sum())


def _groups(table: pl.DataFrame, columns: list[str] | tuple[str, ...]) -> np.ndarray:
    """Number of the group (rows,) that shares all these columns."""
    ids = table.select(pl.struct(*columns).rank("dense").alias("group") - 1)
    return ids.to_series().to_numpy().astype(np.int64)


def _rank(groups: list[np.ndarray]) -> int:
    if len(groups) == 1:
        return len(np.unique(groups[0]))
    return int(np.linalg.matrix_rank(_cross_counts(*groups)))


def _cross_counts(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Products of the indicators of both groupings, which have the rank of these."""
    a, b = (np.unique(g, return_inverse=True)[1] for g in (first, second))
    n, m = a.max() + 1, b.max() + 1
    joint = np.zeros((n, m))
    np.add.at(joint, (a, b), 1)
    return np.block([[np.diag(joint.sum(axis=1)), joint], [joint.T, np.diag(joint.sum(axis=0))]])


def _residual(values: np.ndarray, groups: list[np.ndarray]) -> float:
    """Sum of squares that is left after one grouping, or the sum of the effects of two."""
    first = np.unique(groups[0], return_inverse=True)[1]
    if len(groups) == 1:
        return float(((values - _means(values, first)[first]) ** 2).sum())
    second = np.unique(groups[1], return_inverse=True)[1]
    gram = _cross_counts(first, second)
    sums = np.concatenate([np.bincount(first, values), np.bincount(second, values)])
    effects = np.linalg.lstsq(gram, sums, rcond=None)[0]
    n = first.max() + 1
    return float(((values - effects[first] - effects[n + second]) ** 2).sum())


def _means(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    return np.bincount(group, values) / np.bincount(group)
