"""The figures and tables of answer.md and all laws, from the table of `unweave study scale`.

Run, from the root of the repository:
    python docs/fill_answer.py                # draw the figures and fill the tables
    python docs/fill_answer.py keep FOLDER    # before that, keep the finished runs of a folder
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import polars.selectors as cs
from matplotlib.figure import Figure

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
from unweave.studies.folder import StudyFolder

HERE = Path(__file__).parent
STORE, PAGE = HERE / "results" / "scale.parquet", HERE / "answer.md"
LAWS = HERE / "results" / "scale-laws.csv"
STUDY = load_study("scale")
TITLES = {part.name: part.title for part in STUDY.parts}
METRICS = (
    "dci_disentanglement", "infom", "infom(code_kind=discrete)", "mig", "sap", "linear_r2",
)  # fmt: skip
_SIZE = (4.2, 3.4)
_LEGEND = 2.2
_FIRST = "DCI disentanglement"


def keep(folder: str) -> None:
    """Add the finished runs of a folder to those that are stored."""
    found = StudyFolder(STUDY, folder).finished()
    tables = [
        own.with_columns(part=pl.lit(part.name))
        for part in STUDY.parts
        if (own := found.of(part).table).height
    ]
    if STORE.exists():
        tables.append(pl.read_parquet(STORE))
    rows = pl.concat(tables, how="vertical_relaxed")
    rows = rows.unique(["part", "run", "step", "metric"], keep="first", maintain_order=True)
    rows.sort("part", "run", "step", "metric").write_parquet(STORE, compression="zstd")


def part_of(table: pl.DataFrame, name: str) -> pl.DataFrame:
    """The rows of a part, with the names of methods."""
    return label_objectives(table.filter(pl.col("part") == name))


def panels(name: str, groups: Sequence[Sequence[Scaling]], titles: Sequence[str]) -> None:
    """Draw groups side by side into a file."""
    size = (_SIZE[0] * len(groups) + _LEGEND, _SIZE[1])
    with drawing(name, size=size, columns=len(groups)) as (figure, axes):
        own = np.ravel(axes)
        for one, group, title in zip(own, groups, titles, strict=True):
            draw_scaling(one, group)
            one.set_title(title, loc="left", fontsize=11)
            one.set_ylabel(metric_name(group[0].metric.split("(images")[0]))
            one.set_ylim(0, 1)
        _save(name, figure, own[0])


def groups_of(table: pl.DataFrame, part: str, metric: str) -> list[list[Scaling]]:
    """Methods beside each other in one metric of a part, over each of its scales."""
    rows = part_of(table, part).filter(pl.col("metric") == metric)
    return beside_each_other(scalings(rows)) if rows.height else []


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
            axes.plot(x, y, "o-", color=COLOURS[i % len(COLOURS)], label=label)
            axes.annotate(f"{own['step'][0]:,}", (x[0], y[0]), fontsize=8, va="top")
            axes.annotate(f"{own['step'][-1]:,}", (x[-1], y[-1]), fontsize=8, va="bottom")
        axes.set_xlabel(metric_name("linear_r2"))
        axes.set_ylabel(metric_name("dci_disentanglement"))
        axes.set_ylim(0, 1)
        _save("what-grows", figure, axes)


def _save(name: str, figure: Figure, axes) -> None:
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    figure.savefig(HERE / f"answer-{name}.png", dpi=110, facecolor="white")


def draw(table: pl.DataFrame) -> None:
    """All figures."""
    disentanglement = "dci_disentanglement"
    compute = groups_of(table, "compute", disentanglement)
    compute += groups_of(table, "compute-dsprites", disentanglement)
    panels("compute", compute, ["rooms", "dSprites, one orientation"][: len(compute)])
    data = [
        group
        for images in ("training", "unseen")
        for group in groups_of(table, "data", f"{disentanglement}(images={images})")
    ]
    if data:
        panels("data", data, ["scored on training images", "scored on unseen images"])
    widths = groups_of(table, "parameters", disentanglement)
    widths += groups_of(table, "parameters-flops", disentanglement)
    if widths:
        panels("parameters", widths, ["4,000 steps", "the FLOPs of 4,000 steps at width 1"])
    latents = [
        group
        for metric in (disentanglement, "mig")
        for group in groups_of(table, "latents", metric)
    ]
    if latents:
        panels("latents", latents, [metric_name(disentanglement), metric_name("mig")])
    what_grows(table)


def parts_of(table: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The rows of each part that has some, in the order of the study."""
    found = set(table["part"].unique())
    return {name: part_of(table, name) for name in TITLES if name in found}


def trends(scaled: Mapping[str, Sequence[Scaling]]) -> str:
    """A row for each scale and method: where each metric starts and ends, and whether it grows."""
    lines = _head(["scale", "method", *map(metric_name, METRICS), f"law of {_FIRST}"])
    for part, every in scaled.items():
        for method in dict.fromkeys(one.method for one in every):
            own = {one.metric: one for one in every if one.method == method}
            found = [own.get(m, own.get(f"{m}(images=unseen)")) for m in METRICS]
            law = "" if found[0] is None else found[0].fit.form
            lines.append(_row([TITLES[part], method, *map(_cell, found), law]))
    return "\n".join(lines)


def _cell(one: Scaling | None) -> str:
    if one is None:
        return ""
    text = f"{one.first:.2f} to {one.last:.2f}"
    return f"**{text}, {one.fit.direction}**" if one.fit.has_trend else text


def orders(scaled: Mapping[str, Sequence[Scaling]]) -> str:
    """Whether methods overtake each other, for each scale."""
    found = [
        f"- {TITLES[part]}: {sentence}"
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
    lines = _head(["part", "metric", *sources.values()])
    for part, rows in parts_of(table).items():
        for metric in _of_all_methods(rows):
            own = rows.filter(pl.col("metric") == metric)
            found = {one.source: one for one in explained_variance(own)}
            cells = [_share(found.get(source)) for source in sources]
            lines.append(_row([TITLES[part], _named(metric), *cells]))
    return "\n".join(lines)


def _share(one: Share | None) -> str:
    if one is None:
        return ""
    return f"{one.adjusted:.2f} [{max(0, one.low):.2f}, {min(1, one.high):.2f}]"


def reconstruction(table: pl.DataFrame) -> str:
    """A row for each part and metric: rank correlations of the squared error with the score."""
    lines = _head(["part", "metric", "among seeds of one setting", "among settings", "models"])
    for part, rows in parts_of(table).items():
        last = rows.filter(pl.col("step") == pl.col("step").max().over("run"))
        for metric in _of_all_methods(rows):
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
                    f"{rho:.2f} (p = {p:.2g})"
                    for rho, p in ((found.within, found.within_p), (found.between, found.between_p))
                ]
                lines.append(_row([TITLES[part], _named(metric), *cells, str(found.n_models)]))
    return "\n".join(lines)


def _of_all_methods(rows: pl.DataFrame) -> list[str]:
    """Those of the page's metrics that all methods have, of unseen images where there are some."""
    names = set(rows["metric"].unique())
    found = [m if m in names else f"{m}(images=unseen)" for m in METRICS if "(" not in m]
    return [metric for metric in found if metric in names]


def _named(metric: str) -> str:
    return metric_name(metric.split("(images")[0])


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
            "mixture": one.mixture,
        }
        for part, every in scaled.items()
        for one in every
    ]
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(cs.float().round_sig_figs(4))


def _head(cells: Sequence[str]) -> list[str]:
    return [_row(cells), _row(["---"] * len(cells))]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def filled(page: str, table: pl.DataFrame, scaled: Mapping[str, Sequence[Scaling]]) -> str:
    """The page with its tables."""
    texts = {
        "trends": trends(scaled),
        "orders": orders(scaled),
        "shares": shares(table),
        "reconstruction": reconstruction(table),
    }
    for name, text in texts.items():
        mark = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.S)
        if not mark.search(page):
            raise ValueError(f"{PAGE.name} has no marks for {name}")
        page = mark.sub(lambda found, text=text: f"{found[1]}{text}\n{found[2]}", page)
    return page


def scaled_parts(table: pl.DataFrame) -> dict[str, list[Scaling]]:
    """Every metric of every method over the scale of each part."""
    return {name: scalings(rows) for name, rows in parts_of(table).items()}


if __name__ == "__main__":
    if sys.argv[1:2] == ["keep"]:
        keep(sys.argv[2])
    stored = pl.read_parquet(STORE)
    draw(stored)
    found = scaled_parts(stored)
    laws(found).write_csv(LAWS)
    PAGE.write_text(filled(PAGE.read_text(), stored, found))
