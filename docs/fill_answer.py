"""The figures and tables of answer.md and all laws, from the table of `unweave study scale`.

Run, from the root of the repository:
    python docs/fill_answer.py

results/store.py and results/random_codes.py store what it reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import polars.selectors as cs
from matplotlib.figure import Figure

from page_tables import fill, markdown
from unweave.metrics.catalogue import title as metric_name
from unweave.reports.figures import COLOURS, drawing
from unweave.reports.findings import label_objectives
from unweave.reports.scaling import (
    Scaling,
    beside_each_other,
    draw_scaling,
    order_sentences,
    scalings,
)
from unweave.statistics.agreement import partial_agreement
from unweave.statistics.variance import Share, explained_variance
from unweave.studies import load_study

HERE = Path(__file__).parent
STORE, PAGE = HERE / "results" / "scale.parquet", HERE / "answer.md"
LAWS, RANDOM = HERE / "results" / "scale-laws.csv", HERE / "results" / "scale-random-codes.csv"
STUDY = load_study("scale")
LEVELS = ("n_images", "width", "n_latents", "step")  # what parts vary
METHODS = ("qlae", "vae", "beta_vae", "beta_tc_vae")
METRICS = (
    "dci_disentanglement", "infom", "infom(code_kind=discrete)", "mig", "sap", "linear_r2",
)  # fmt: skip
COMPARED = tuple(metric for metric in METRICS if "(" not in metric)
_DCI = "dci_disentanglement"
FIGURES = {
    "compute": {
        ("Training steps", _DCI): "rooms",
        ("Training steps, dSprites", _DCI): "dSprites, one orientation",
    },
    "data": {
        ("Training images, scored on training images", _DCI): "scored on training images",
        ("Training images, scored on unseen images", _DCI): "scored on unseen images",
    },
    "parameters": {
        ("Parameters, at equal steps", _DCI): "4,000 steps",
        ("Parameters, at equal cost", _DCI): "equal FLOPs: 50,000 to 270 steps",
    },
    "latents": {
        ("Latents", _DCI): "DCI disentanglement",
        ("Latents", "mig"): "MIG",
    },
}
"""Titles of panels by figure, and by the part and the metric that they are of."""
_SIZE = (4.2, 3.4)
_LEGEND = 2.2
_FIRST = "DCI disentanglement"


def part_of(table: pl.DataFrame, name: str, images: str = "all") -> pl.DataFrame:
    """The rows of a part that are scored on some images, with names of methods, in their order.

    None of a part that is not finished.
    """
    (part,) = [part for part in STUDY.parts if part.name == name]
    is_finished = {run.key for run in part.descriptions} <= set(table["run"])
    scored = pl.col("metric").str.extract(r"images=(\w+)").fill_null("all")
    plain = pl.col("metric").str.replace(r"\(images=\w+\)", "").str.replace(r", images=\w+", "")
    is_own = (pl.col("part") == name) & (scored == images) & is_finished
    rows = table.filter(is_own).with_columns(plain)
    known = ["dataset", "n_latents", "metric"]
    rows = rows.drop("mixture_upper").join(_random_codes(), on=known, how="left")
    order = pl.col("objective").replace_strict({m: i for i, m in enumerate(METHODS)})
    return label_objectives(rows.sort(order, maintain_order=True))


@cache
def _random_codes() -> pl.DataFrame:
    """What 97.5 % of random mixtures do not exceed, and what nor do as many smooth features."""
    rows = pl.read_csv(RANDOM)
    wide = rows.pivot(on="codes", index=["dataset", "n_latents", "metric"], values="upper")
    both = pl.max_horizontal("mixture", "smooth").alias("random_upper")
    return wide.with_columns(both).rename({"mixture": "mixture_upper"}).drop("smooth")


def parts_of(table: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The rows of each part, and of the images that it is scored on, by their title."""
    found = {}
    for part in STUDY.parts:
        for images in part.evaluation.images:
            rows = part_of(table, part.name, images)
            if rows.height:
                of = "" if images == "all" else f", scored on {images} images"
                found[part.title + of] = rows
    return found


def panels(name: str, groups: Sequence[Sequence[Scaling]], titles: Sequence[str]) -> None:
    """Draw groups side by side into a file."""
    size = (_SIZE[0] * len(groups) + _LEGEND, _SIZE[1])
    with drawing(name, size=size, columns=len(groups)) as (figure, axes):
        own = np.ravel(axes)
        for one, group, title in zip(own, groups, titles, strict=True):
            draw_scaling(one, group)
            one.set_title(title, loc="left", fontsize=11)
            one.set_ylabel(metric_name(group[0].metric))
            one.set_ylim(-0.02, 1)  # so that chance shows
        _save(name, figure, own[0])


def beside(scaled: Mapping[str, Sequence[Scaling]], title: str, metric: str) -> list[list[Scaling]]:
    """Methods beside each other in one metric of a part; nothing if it is not finished."""
    return beside_each_other([one for one in scaled.get(title, ()) if one.metric == metric])


def what_grows(table: pl.DataFrame) -> None:
    """Draw disentanglement against linear information, along training."""
    rows = part_of(table, "compute")
    means = (
        rows.filter(pl.col("metric").is_in(["dci_disentanglement", "linear_r2"]))
        .group_by("label", "step", "metric", maintain_order=True)
        .agg(pl.col("value").mean())
        .pivot(on="metric", index=["label", "step"], values="value")
        .sort("step")
    )
    with drawing("what-grows", size=(5.2 + _LEGEND, 3.8)) as (figure, axes):
        for i, ((label,), own) in enumerate(means.group_by("label", maintain_order=True)):
            x, y = own["linear_r2"].to_numpy(), own["dci_disentanglement"].to_numpy()
            colour = COLOURS[i % len(COLOURS)]
            axes.plot(x, y, "o-", color=colour, label=label)
            for end, place in ((0, (0, -12)), (-1, (0, 6))):
                axes.annotate(
                    f"{own['step'][end]:,}", (x[end], y[end]), place, color=colour, fontsize=8,
                    textcoords="offset points", ha="center",
                )  # fmt: skip
        axes.set_xlabel(metric_name("linear_r2"))
        axes.set_ylabel(metric_name("dci_disentanglement"))
        axes.set_ylim(-0.05, 1)
        _save("what-grows", figure, axes)


def _save(name: str, figure: Figure, axes) -> None:
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    figure.savefig(HERE / f"answer-{name}.png", dpi=110, facecolor="white")


def draw(table: pl.DataFrame, scaled: Mapping[str, Sequence[Scaling]]) -> None:
    """All figures, of the parts that are finished."""
    for name, drawn in FIGURES.items():
        groups, titles = [], []
        for (part, metric), title in drawn.items():
            own = beside(scaled, part, metric)
            groups += own
            titles += [title] * len(own)
        if groups:
            panels(name, groups, titles)
    what_grows(table)


def trends(scaled: Mapping[str, Sequence[Scaling]]) -> str:
    """A row for each scale and method: where each metric starts and ends, and whether it grows."""
    columns = ["scale", "method", *map(metric_name, METRICS), f"law of {_FIRST}"]
    lines = []
    for part, every in scaled.items():
        for method in dict.fromkeys(one.method for one in every):
            own = {one.metric: one for one in every if one.method == method}
            found = [own.get(metric) for metric in METRICS]
            law = "" if found[0] is None else found[0].fit.form
            lines.append([part, method, *map(_cell, found), law])
    return markdown(columns, lines)


def _cell(one: Scaling | None) -> str:
    if one is None:
        return ""
    text = f"{one.first:.2f} to {one.last:.2f}"
    return f"**{text}, {one.fit.direction}**" if one.fit.has_trend else text


def levels(table: pl.DataFrame) -> str:
    """A row for each part and method: mean and deviation of DCI disentanglement at each level."""
    columns = ["scale", "method", f"{_FIRST} at each level"]
    lines = []
    for part, rows in parts_of(table).items():
        own = rows.filter(pl.col("metric") == _DCI)
        for (label,), scores in own.group_by("label", maintain_order=True):
            each = scores.group_by(*LEVELS).agg(mean=pl.mean("value"), sd=pl.std("value"))
            pairs = each.sort(*LEVELS)["mean", "sd"].iter_rows()
            cells = [f"{mean:.2f} ± {sd:.2f}" for mean, sd in pairs]
            lines.append([part, str(label), ", ".join(cells)])
    return markdown(columns, lines)


def above(table: pl.DataFrame) -> str:
    """A row for each part and method: seeds above random codes, at each level."""
    columns = ["scale", "method", *map(metric_name, COMPARED)]
    lines = []
    for part, rows in parts_of(table).items():
        for (label,), own in rows.group_by("label", maintain_order=True):
            cells = [_above(own.filter(pl.col("metric") == metric)) for metric in COMPARED]
            lines.append([part, str(label), *cells])
    return markdown(columns, lines)


def _above(rows: pl.DataFrame) -> str:
    known = rows.drop_nulls("random_upper")
    counts = known.group_by(*LEVELS).agg((pl.col("value") > pl.col("random_upper")).sum())
    return ", ".join(map(str, counts.sort(*LEVELS)["value"]))


def orders(scaled: Mapping[str, Sequence[Scaling]]) -> str:
    """Whether methods overtake each other, for each scale."""
    found = [
        f"- {part}: {sentence}"
        for part, every in scaled.items()
        for sentence in order_sentences(beside_each_other(every))
        if "overtakes" in sentence
    ]
    return "\n".join(found)


def shares(table: pl.DataFrame) -> str:
    """A row for each part and metric: what method, scale, both together and the seed explain."""
    sources = {
        "objective": "method",
        "scale": "scale",
        "interactions": "scale, by method",
        "seed": "seed",
    }
    columns = ["part", "metric", *sources.values()]
    lines = []
    for part, rows in parts_of(table).items():
        for metric in COMPARED:
            own = rows.filter(pl.col("metric") == metric)
            found = {one.source: one for one in explained_variance(own, LEVELS)}
            cells = [_share(found.get(source)) for source in sources]
            lines.append([part, metric_name(metric), *cells])
    return markdown(columns, lines)


def _share(one: Share | None) -> str:
    if one is None:
        return ""
    share, low, high = np.clip([one.adjusted, one.low, one.high], 0.0, 1.0)
    return f"{share:.2f} [{low:.2f}, {high:.2f}]"


def reconstruction(table: pl.DataFrame) -> str:
    """A row for each part and metric: rank correlations of the squared error with the score."""
    columns = ["part", "metric", "among seeds of one setting", "among settings", "models"]
    lines = []
    for part, rows in parts_of(table).items():
        last = rows.filter(pl.col("step") == pl.col("step").max().over("run"))
        for metric in COMPARED:
            own = last.filter(pl.col("metric") == metric)
            setting = own.select(
                pl.concat_str(["label", "width", "n_images", "n_latents"], separator="|")
            )
            found = partial_agreement(
                own["squared_error"].to_numpy(),
                own["value"].to_numpy(),
                setting.to_series().to_numpy(),
            )
            if found is not None:
                cells = [
                    f"{round(rho, 2) + 0.0:.2f} (p = {p:.2g})"
                    for rho, p in ((found.within, found.within_p), (found.between, found.between_p))
                ]
                lines.append([part, metric_name(metric), *cells, str(found.n_models)])
    return markdown(columns, lines)


def laws(scaled: Mapping[str, Sequence[Scaling]]) -> pl.DataFrame:
    """A row for each part, method and metric: all laws, and what would have been found."""
    rows = [
        {
            "part": part,
            "metric": one.metric,
            "method": one.method,
            "scale": one.over,
            "seeds": one.fit.n_seeds,
            "levels": one.fit.n_levels,
            "first": one.first,
            "last": one.last,
            "direction": one.fit.direction,
            "p_value": one.fit.p_value,
            "turn": one.fit.turn.x,
            "turn_p_value": one.fit.turn.p_value,
            "smallest_slope": one.fit.smallest_slope,
            "law": one.fit.law.name,
            "offset": one.fit.law.offset,
            "factor": one.fit.law.factor,
            "parameter": one.fit.law.parameter,
            "power_exponent": one.fit.exponent,
            "power_low": one.fit.low,
            "power_high": one.fit.high,
            **{f"error_{name}": value for name, value in one.fit.errors.items()},
            **{f"extrapolation_{name}": value for name, value in one.fit.extrapolation.items()},
            "chance": one.chance,
            "mixture": one.mixture[-1],
        }
        for part, every in scaled.items()
        for one in every
    ]
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(
        cs.float().fill_nan(None).round_sig_figs(4)
    )


def filled(page: str, table: pl.DataFrame, scaled: Mapping[str, Sequence[Scaling]]) -> str:
    """The page with its tables."""
    texts = {
        "trends": trends(scaled),
        "levels": levels(table),
        "above": above(table),
        "orders": orders(scaled),
        "shares": shares(table),
        "reconstruction": reconstruction(table),
    }
    return fill(page, texts)


def scaled_parts(table: pl.DataFrame) -> dict[str, list[Scaling]]:
    """Every metric of every method over the scale of each part."""
    return {name: scalings(rows) for name, rows in parts_of(table).items()}


if __name__ == "__main__":
    stored = pl.read_parquet(STORE)
    found = scaled_parts(stored)
    draw(stored, found)
    laws(found).write_csv(LAWS)
    PAGE.write_text(filled(PAGE.read_text(), stored, found))
