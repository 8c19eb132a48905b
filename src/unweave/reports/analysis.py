"""What explains the scores of a study of models: for any page that is about one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from unweave.metrics.catalogue import title as metric_name
from unweave.reports.figures import COLOURS, INK, drawing, svg
from unweave.statistics.agreement import (
    Agreement,
    PartialAgreement,
    last_scores,
    metric_agreement,
    partial_agreement,
    relation,
)
from unweave.statistics.order import order_change
from unweave.statistics.permutation import LEVEL
from unweave.statistics.scaling import ScalingFit, scaling_fit
from unweave.statistics.selection import transfer
from unweave.statistics.trends import Correlation, correlate
from unweave.statistics.variance import SOURCES, Share, explained_variance

__all__ = ["DESIGN", "Scaling", "analysis", "scalings", "seed_sentence"]

DESIGN = (
    "dataset", "network", "width", "depth", "n_latents", "n_images", "batch_size", "learning_rate",
    "optimizer", "weight_decay", "gradient_clip", "schedule", "cpu_minutes",
)  # fmt: skip
"""Columns beside objective, strength, seed and step that a study may vary."""

_AXES = {
    "step": ("training steps", ("step",)),
    "n_images": ("training images", ("n_images",)),
    "parameters": ("parameters", ("network", "width", "depth")),
    "n_latents": ("latents", ("n_latents",)),
}
_WORDS = {
    "n_images": "images",
    "n_latents": "latents",
    "learning_rate": "learning rate",
    "batch_size": "batch size",
    "weight_decay": "weight decay",
    "gradient_clip": "gradient clip",
    "cpu_minutes": "CPU minutes",
    "dataset": "data",
    "step": "steps",
}
_DOWNSTREAM = ("downstream_accuracy", "statistical_efficiency")
_MOST_FIGURES = 24
_LEAST_LEVELS = 3
_SAME_FLOPS = 1.1  # ratio of the largest to the smallest


@dataclass(frozen=True)
class Scaling:
    """A metric over one scale, all else being equal."""

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

    @property
    def group(self) -> str:
        """Method, and what else distinguishes it."""
        return f"{self.method}{self.rest}"

    @property
    def sentence(self) -> str:
        """The finding in words."""
        name = metric_name(self.metric)
        return self.fit.sentence(f"{name} of {self.group}", _AXES[self.axis][0])


def analysis(table: pl.DataFrame) -> dict[str, Any]:
    """Content of ``analysis.html``, of a labelled table; parts that a study has no data for are
    empty.
    """  # noqa: D205
    scaled = scalings(table)
    agreement = metric_agreement(table)
    shares = _shares(table)
    return {
        "shares": shares,
        "shares_figure": shares_figure(shares) if shares else "",
        "scalings": scaled,
        "scaling_figures": [scaling_figure(one) for one in scaled[:_MOST_FIGURES]],
        "orders": _orders(scaled),
        "reconstruction": _reconstruction(table),
        "agreement": agreement,
        "agreement_figure": agreement_figure(agreement)
        if agreement is not None and len(agreement.metrics) > 2
        else "",
        "partial": _partial(table),
        "downstream": _downstream(table),
        "transfers": transfer(table) if table["dataset"].n_unique() > 1 else [],
    }


def seed_sentence(shares: dict[str, list[Share]]) -> str:
    """Whether the seed or the choice of objective and strength explains more, in the metrics."""
    more, parts = [], []
    for metric, own in shares.items():
        by_source = {share.source: share.adjusted for share in own}
        # Adjusted shares add up, to less than nothing where chance would explain more.
        both = by_source.get("objective", 0.0) + by_source.get("hyper-parameters", 0.0)
        chosen, seed = max(0.0, both), min(1.0, by_source["seed"])
        if seed > chosen:
            more.append(metric)
        parts.append(f"{metric_name(metric)} {100 * seed:.0f} % against {100 * chosen:.0f} %")
    return (
        f"The seed explains more of the variance than objective and hyper-parameters together in "
        f"{len(more)} of {len(shares)} metrics ({'; '.join(parts)})."
    )


def scalings(table: pl.DataFrame) -> list[Scaling]:
    """Every metric over every scale that has three levels and two seeds, the rest being equal."""
    found = []
    for axis, (_, columns) in _AXES.items():
        rows = table
        if axis != "step":
            rows = table.filter(pl.col("step") == pl.col("step").max().over("run"))
        fixed = [c for c in ("label", *DESIGN, "step") if c in table.columns and c not in columns]
        if axis == "step":
            rows = rows.filter(pl.col("step").max().over("run") == pl.col("step").max())
        if axis == "parameters" and _has_equal_flops(rows):
            fixed.remove("step")
        varying = [c for c in fixed if c != "label" and rows[c].n_unique() > 1]
        for key, own in rows.group_by("metric", *fixed, maintain_order=True):
            wide = own.pivot(on="seed", index=axis, values="value", aggregate_function="mean").sort(
                axis
            )
            # Seeds that all levels have.
            seeds = [c for c in wide.columns if c != axis and not wide[c].null_count()]
            if wide.height < _LEAST_LEVELS or len(seeds) < 2:
                continue
            x, scores = wide[axis].to_numpy().astype(float), wide.select(seeds).to_numpy().T
            names = dict(zip(("metric", *fixed), key, strict=True))
            also = "".join(f", {_WORDS.get(c, c)} {_short(names[c])}" for c in varying)
            chance = float(own["chance_mean"].to_numpy().mean())
            found.append(
                Scaling(
                    names["metric"], axis, names["label"], also,
                    scaling_fit(x, scores), x, scores, chance,
                )
            )  # fmt: skip
    return found


def _has_equal_flops(rows: pl.DataFrame) -> bool:
    """Whether runs of different steps, as of networks of different widths, cost the same."""
    costs = rows.group_by("label").agg((pl.col("flops").max() / pl.col("flops").min()).alias("r"))
    return rows["step"].n_unique() > 1 and bool((costs["r"] < _SAME_FLOPS).all())


def shares_figure(shares: dict[str, list[Share]]) -> str:
    """Adjusted shares of each metric, a bar each, parts side by side."""
    tag = "shares"
    with drawing(tag, size=(7.2, 1.1 + 0.36 * len(shares))) as (figure, axes):
        for i, own in enumerate(shares.values()):
            left = 0.0
            for share in own:
                width = max(0.0, share.adjusted)
                colour = COLOURS[SOURCES.index(share.source) % len(COLOURS)]
                axes.barh(i, width, left=left, color=colour, height=0.72)
                left += width
        shown = {share.source for own in shares.values() for share in own}
        for k, source in enumerate(SOURCES):
            if source in shown:
                axes.barh(0, 0, color=COLOURS[k % len(COLOURS)], label=source)
        axes.set_yticks(range(len(shares)), [metric_name(m) for m in shares], fontsize=9)
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.set_xlabel("share of the variance, adjusted")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
        return svg(figure, tag)


def scaling_figure(scaling: Scaling) -> str:
    """Seeds, their means, the law that was chosen, and chance."""
    tag = f"scaling-{scaling.metric}-{scaling.axis}-{scaling.group}"
    with drawing(tag) as (figure, axes):
        for scores in scaling.scores:
            axes.plot(scaling.x, scores, "o", color=COLOURS[0], alpha=0.3, ms=3)
        axes.plot(scaling.x, scaling.scores.mean(axis=0), "o", color=COLOURS[0], label="mean")
        x = np.geomspace(scaling.x.min(), scaling.x.max(), 200)
        law = scaling.fit.law
        axes.plot(x, law(x), color=COLOURS[1], lw=2, label=f"{law.name} law")
        axes.axhline(scaling.chance, color=INK, ls=":", lw=1.2, label="chance")
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel(_AXES[scaling.axis][0])
        name = metric_name(scaling.metric)
        axes.set_title(f"{name}: {scaling.group}", loc="left", fontsize=10)
        axes.legend(loc="best")
        return svg(figure, tag)


def agreement_figure(agreement: Agreement) -> str:
    """Rank correlations of the metrics, those that agree beside each other."""
    tag = "agreement"
    names = [metric_name(m) for m in agreement.metrics]
    side = 1.8 + 0.42 * len(names)
    with drawing(tag, size=(side + 1.2, side)) as (figure, axes):
        axes.grid(False)
        axes.imshow(agreement.correlations, vmin=-1, vmax=1, cmap="RdBu")
        for i, row in enumerate(agreement.correlations):
            for j, value in enumerate(row):
                text = f"{value:.2f}" if np.isfinite(value) else "–"
                ink = "white" if abs(value) > 0.6 else "black"
                axes.text(j, i, text, ha="center", va="center", fontsize=7, color=ink)
        axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=8)
        axes.set_yticks(range(len(names)), names, fontsize=8)
        return svg(figure, tag)


def _orders(scaled: list[Scaling]) -> list[str]:
    """For each metric and scale, whether methods overtake each other."""
    groups: dict[tuple[str, str, str], list[Scaling]] = {}
    for one in scaled:
        groups.setdefault((one.metric, one.axis, one.rest), []).append(one)
    sentences = []
    for (metric, axis, rest), own in groups.items():
        if len({len(one.x) for one in own}) > 1:
            continue
        found = order_change({one.method: one.scores for one in own})
        if found is not None:
            sentences.append(found.sentence(f"{metric_name(metric)}{rest}", _AXES[axis][0]))
    return sentences


def _reconstruction(table: pl.DataFrame) -> list[str]:
    """How far squared errors predict each metric, over all models and within each method."""
    if "squared_error" not in table.columns:  # tables of earlier versions
        return []
    last = table.filter(pl.col("step") == pl.col("step").max().over("run"))
    sentences = []
    for metric in last["metric"].unique(maintain_order=True):
        rows = last.filter(pl.col("metric") == metric).drop_nulls(["squared_error", "value"])
        over_all = _correlated(rows)
        if over_all is None:
            continue
        within = [
            (label, _correlated(own))
            for (label,), own in rows.group_by("label", maintain_order=True)
        ]
        named = [
            f"{label} {found.correlation:+.2f}" for label, found in within if found is not None
        ]
        also = f"; within a method: {', '.join(named)}" if len(named) > 1 else ""
        sentences.append(
            f"{metric_name(metric)}: rank correlation {over_all.correlation:+.2f} (p = "
            f"{over_all.p_value:.2g}, {over_all.n_models} models){also}."
        )
    return sentences


def _partial(table: pl.DataFrame) -> list[tuple[str, str, PartialAgreement]]:
    """For each two metrics, how far they agree on seeds and on settings."""
    settings = [c for c in ("label", *DESIGN) if c in table.columns]
    wide = last_scores(table)
    names = [column for column in wide.columns if column != "run"]
    of_run = table.unique("run", maintain_order=True).select(
        "run", pl.struct(settings).rank("dense").alias("setting")
    )
    joined = wide.join(of_run, on="run", how="left")
    found = []
    for a, b in combinations(names, 2):
        one = partial_agreement(*(joined[c].to_numpy() for c in (a, b, "setting")))
        if one is not None and one.n_settings > 1:
            found.append((a, b, one))
    return found


def _correlated(rows: pl.DataFrame) -> Correlation | None:
    return correlate(rows["squared_error"].to_numpy(), rows["value"].to_numpy())


def _shares(table: pl.DataFrame) -> dict[str, list[Share]]:
    found = {}
    for metric in table["metric"].unique(maintain_order=True):
        try:
            shares = explained_variance(table.filter(pl.col("metric") == metric))
        except ValueError:  # one seed: the variance over seeds is not known
            return {}
        if len(shares) > 1:
            found[metric] = shares
    return found


def _downstream(table: pl.DataFrame) -> list[str]:
    """For each metric, whether it predicts how useful codes are for a classifier."""
    metrics = table["metric"].unique(maintain_order=True).to_list()
    sentences = []
    for use in (m for m in metrics if m in _DOWNSTREAM):
        for metric in (m for m in metrics if m not in _DOWNSTREAM):
            found = relation(table, metric, use)
            if found is None:
                continue
            verdict = (
                f"rank correlation {found.correlation:+.2f}, p = {found.p_value:.2g}"
                if found.p_value < LEVEL
                else f"no significant relation ({found.correlation:+.2f}, p = {found.p_value:.2g})"
            )
            name, other = (metric_name(m) for m in (metric, use))
            sentences.append(f"{name} and {other}: {verdict}, {found.n_models} models.")
    return sentences


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
