"""Scores over the scales of a study: laws, figures, and the order of methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter

from unweave.metrics.catalogue import title as metric_name
from unweave.reports.design import DESIGN, own_columns, setting
from unweave.reports.figures import COLOURS, INK, drawing, svg
from unweave.statistics.order import order_change
from unweave.statistics.scaling import ScalingFit, scaling_fit

__all__ = [
    "Scaling",
    "beside_each_other",
    "draw_scaling",
    "order_sentences",
    "scaling_figure",
    "scalings",
    "trend_sentences",
]

_AXES = {
    "step": ("training steps", ("step",)),
    "n_images": ("training images", ("n_images",)),
    "parameters": ("parameters", ("network", "width", "depth")),
    "n_latents": ("latents", ("n_latents",)),
}
_PLURALS = {
    "rises": "rise",
    "falls": "fall",
    "rises then falls": "rise and then fall",
    "falls then rises": "fall and then rise",
}
_LEAST_LEVELS = 3
_MOST_TICKS = 8
_SIDE = 1.03  # ratio of the places of two methods, so that neither hides the other
_SAME_FLOPS = 1.1  # ratio of the largest to the smallest


@dataclass(frozen=True)
class Scaling:
    """A metric of one method over one scale, all else being equal."""

    metric: str
    axis: str
    method: str
    rest: str
    """What else distinguishes it from others of its metric, axis and method."""
    fit: ScalingFit
    x: np.ndarray
    scores: np.ndarray
    """(seeds, levels)."""
    chance: float
    mixture: np.ndarray
    """Upper 97.5 % quantile of random mixtures of the factors at each level (levels,); nan if they
    have no score."""

    @property
    def over(self) -> str:
        """The scale in words."""
        return _AXES[self.axis][0]

    @property
    def first(self) -> float:
        """Mean at the smallest scale."""
        return float(self.scores[:, 0].mean())

    @property
    def last(self) -> float:
        """Mean at the largest scale."""
        return float(self.scores[:, -1].mean())


def scalings(table: pl.DataFrame) -> list[Scaling]:
    """Every metric over every scale that has three levels and two seeds, the rest being equal.

    Settings of which each method has its own do not distinguish: they are a part of the method.
    """
    found = []
    own = own_columns(table)
    for axis, (_, columns) in _AXES.items():
        rows = table
        if axis != "step":
            rows = table.filter(pl.col("step") == pl.col("step").max().over("run"))
        fixed = [c for c in ("label", *DESIGN, "step") if c in table.columns and c not in columns]
        if axis == "step":
            rows = rows.filter(pl.col("step").max().over("run") == pl.col("step").max())
        if axis == "parameters" and _has_equal_flops(rows):
            fixed.remove("step")
        varying = [c for c in fixed if c not in ("label", *own) and rows[c].n_unique() > 1]
        for key, cell in rows.group_by("metric", *fixed, maintain_order=True):
            wide = cell.pivot(
                on="seed", index=axis, values="value", aggregate_function="mean"
            ).sort(axis)
            # Seeds that all levels have.
            seeds = [c for c in wide.columns if c != axis and not wide[c].null_count()]
            if wide.height < _LEAST_LEVELS or len(seeds) < 2:
                continue
            x, scores = wide[axis].to_numpy().astype(float), wide.select(seeds).to_numpy().T
            levels = [level for _, level in cell.sort(axis).group_by(axis, maintain_order=True)]
            names = dict(zip(("metric", *fixed), key, strict=True))
            also = "".join(f", {setting(c, names[c])}" for c in varying)
            mixture = np.array([_mean(level, "mixture_upper") for level in levels])
            found.append(
                Scaling(
                    names["metric"], axis, names["label"], also,
                    scaling_fit(x, scores), x, scores, _mean(cell, "chance_mean"), mixture,
                )
            )  # fmt: skip
    return found


def beside_each_other(scaled: Sequence[Scaling]) -> list[list[Scaling]]:
    """Methods together that differ in nothing else."""
    groups: dict[tuple[str, str, str], list[Scaling]] = {}
    for one in scaled:
        groups.setdefault((one.metric, one.axis, one.rest), []).append(one)
    return list(groups.values())


def trend_sentences(scaled: Sequence[Scaling]) -> list[str]:
    """For each scale, in how many scores each method has a trend."""
    sentences = []
    for axis in dict.fromkeys(one.axis for one in scaled):
        own = [one for one in scaled if one.axis == axis]
        parts = []
        for method in dict.fromkeys(one.method for one in own):
            trends = [one.fit.direction for one in own if one.method == method]
            counts = [
                f"{trends.count(verb)} of {len(trends)} scores {words}"
                for verb, words in _PLURALS.items()
                if verb in trends
            ]
            none = f"none of {len(trends)} scores has a trend"
            parts.append(f"{method}: {', '.join(counts) or none}")
        sentences.append(f"Over {_AXES[axis][0]}, {'; '.join(parts)}.")
    return sentences


def order_sentences(groups: Sequence[Sequence[Scaling]]) -> list[str]:
    """For each metric and scale, whether methods overtake each other."""
    sentences = []
    for own in groups:
        if len({len(one.x) for one in own}) > 1:
            continue
        found = order_change({one.method: one.scores for one in own})
        if found is not None:
            name = metric_name(own[0].metric) + own[0].rest
            sentences.append(found.sentence(name, own[0].over))
    return sentences


def scaling_figure(group: Sequence[Scaling]) -> str:
    """A figure of :func:`draw_scaling` for a page."""
    first = group[0]
    tag = f"scaling-{first.metric}-{first.axis}-{first.rest}"
    with drawing(tag) as (figure, axes):
        draw_scaling(axes, group)
        axes.legend(loc="best")
        return svg(figure, tag)


def draw_scaling(axes: Axes, group: Sequence[Scaling]) -> None:
    """Methods beside each other: seeds (small points), means (large), and what they follow.

    Thick lines are laws of trends, or the means of scores that turn; thin ones are the mean of
    all scores of a method without a trend.
    """
    first = group[0]
    for i, one in enumerate(group):
        colour = COLOURS[i % len(COLOURS)]
        side = _SIDE ** (i - (len(group) - 1) / 2)
        for scores in one.scores:
            axes.plot(side * one.x, scores, "o", color=colour, alpha=0.3, ms=3)
        axes.plot(side * one.x, one.scores.mean(axis=0), "o", color=colour, label=one.method)
        x, y = _curve(one)
        axes.plot(side * x, y, color=colour, lw=2 if one.fit.has_trend else 0.8)
    mixture, chance = _common_mixture(group), float(np.mean([one.chance for one in group]))
    if np.isfinite(mixture).all():
        axes.plot(
            *mixture, color=INK, label="97.5th percentile\nof random mixtures", ls="--", lw=1.1
        )
    if np.isfinite(chance):
        axes.axhline(chance, color=INK, label="chance", ls=":", lw=1.1)
    axes.set_xscale("log")
    if len(first.x) <= _MOST_TICKS and all(np.array_equal(one.x, first.x) for one in group):
        short = EngFormatter(sep="")
        axes.set_xticks(first.x, [short(float(f"{x:.3g}")) for x in first.x])
        axes.set_xticks([], minor=True)
    axes.set_ylim(bottom=min(0.0, *(float(one.scores.min()) for one in group)))
    axes.set_xlabel(first.over)
    axes.set_title(metric_name(first.metric) + first.rest, loc="left", fontsize=11)


def _curve(one: Scaling) -> tuple[np.ndarray, np.ndarray]:
    """The law of a trend; the means where scores turn, which no law does; or one mean."""
    if one.fit.turns:
        return one.x, one.scores.mean(axis=0)
    x = np.geomspace(one.x.min(), one.x.max(), 200)
    return x, one.fit.law(x) if one.fit.has_trend else np.full_like(x, one.scores.mean())


def _common_mixture(group: Sequence[Scaling]) -> tuple[np.ndarray, np.ndarray]:
    """Levels of the methods, and the mean over methods of what random mixtures score there."""
    x, mixture = (np.concatenate([getattr(one, n) for one in group]) for n in ("x", "mixture"))
    levels = np.unique(x)
    return levels, np.array([mixture[x == level].mean() for level in levels])


def _has_equal_flops(rows: pl.DataFrame) -> bool:
    """Whether runs of different steps, as of networks of different widths, cost the same."""
    costs = rows.group_by("label").agg((pl.col("flops").max() / pl.col("flops").min()).alias("r"))
    return rows["step"].n_unique() > 1 and bool((costs["r"] < _SAME_FLOPS).all())


def _mean(rows: pl.DataFrame, column: str) -> float:
    """Mean of a column, and nan if a value, or the column, is missing."""
    if column not in rows.columns:  # tables of earlier versions
        return float("nan")
    return float(rows[column].cast(pl.Float64).to_numpy().mean())
