"""What explains the scores of a study of models: for any page that is about one."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from unweave.metrics.catalogue import title as metric_name
from unweave.reports.design import DESIGN, own_settings, precisions
from unweave.reports.figures import COLOURS, drawing, svg
from unweave.reports.scaling import (
    beside_each_other,
    order_sentences,
    scaling_figure,
    scalings,
)
from unweave.statistics.agreement import (
    Agreement,
    PartialAgreement,
    metric_agreement,
    partial_agreements,
    relation,
)
from unweave.statistics.permutation import LEVEL, POWER
from unweave.statistics.selection import transfer
from unweave.statistics.trends import Correlation, correlate
from unweave.statistics.variance import SOURCES, Share, explained_variance

__all__ = ["analysis", "seed_sentence"]

_DOWNSTREAM = ("downstream_accuracy", "statistical_efficiency")
_MOST_FIGURES = 24


def analysis(table: pl.DataFrame) -> dict[str, Any]:
    """Content of ``analysis.html``, of a labelled table; parts that a study has no data for are
    empty.
    """  # noqa: D205
    scaled = scalings(table)
    groups = beside_each_other(scaled)
    agreement = metric_agreement(table)
    shares = _shares(table)
    return {
        "shares": shares,
        "shares_figure": shares_figure(shares) if shares else "",
        "scalings": scaled,
        "power": POWER,
        "n_axes": len({one.axis for one in scaled}),
        "scaling_figures": [scaling_figure(own) for own in groups[:_MOST_FIGURES]],
        "n_groups": len(groups),
        "orders": order_sentences(groups),
        "own_settings": own_settings(table),
        "precisions": precisions(table),
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
    found = partial_agreements(table, settings)
    return [(a, b, one) for (a, b), one in found.items() if one.n_settings > 1]


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
