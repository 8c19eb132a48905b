"""The figures and tables of agreement.md, from the table of `unweave study agreement`.

Run, from the root of the repository:
    python docs/fill_agreement.py

results/store.py stores what it reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import polars as pl
import polars.selectors as cs

from page_tables import fill, markdown
from unweave.metrics.catalogue import title as metric_name
from unweave.reports.figures import COLOURS, drawing
from unweave.reports.findings import label_objectives
from unweave.statistics.agreement import (
    PartialAgreement,
    last_scores,
    metric_agreement,
    partial_agreements,
)
from unweave.statistics.permutation import LEVEL, holm
from unweave.statistics.trends import correlate
from unweave.studies import load_study

HERE = Path(__file__).parent
STORE, PAGE = HERE / "results" / "agreement.parquet", HERE / "agreement.md"
PAIRS = HERE / "results" / "agreement-pairs.csv"
STUDY = load_study("agreement")
_DRAWS = 20_000  # enough for p-values that are corrected for all pairs
FIRST, SECOND = "mig", "sap"  # of the paper's figure
TITLES = {"beta-vae": "β-VAE, dSprites", "qlae": "QLAE, rooms"}


def parts_of(table: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The rows of each part that is finished, by its name, with names of settings."""
    found = {}
    for part in STUDY.parts:
        if {run.key for run in part.descriptions} <= set(table["run"]):
            rows = label_objectives(table.filter(pl.col("part") == part.name))
            name = pl.col("label")
            if rows["weight_decay"].n_unique() > 1:
                name = pl.format("weight decay {}", "weight_decay")
            order = ["strength", "weight_decay", "seed", "metric"]
            found[part.name] = rows.with_columns(name.alias("setting")).sort(order)
    return found


def settings_of(rows: pl.DataFrame) -> Iterable[tuple[str, np.ndarray]]:
    """The two scores (models, 2) of each setting, by its name."""
    of_run = rows.unique("run", maintain_order=True).select("run", "setting")
    joined = of_run.join(last_scores(rows), on="run", maintain_order="left")
    for (name,), own in joined.group_by("setting", maintain_order=True):
        yield str(name), own.select(FIRST, SECOND).to_numpy()


def draw_models(parts: Mapping[str, pl.DataFrame]) -> None:
    """Draw the two scores of every model, each part in a panel."""
    size = (5.6 * len(parts), 3.8)
    with drawing("agreement-models", size=size, columns=len(parts)) as (figure, axes):
        for one, (part, rows) in zip(np.ravel(axes), parts.items(), strict=True):
            for i, (name, scores) in enumerate(settings_of(rows)):
                one.plot(*scores.T, "o", ms=5, alpha=0.8, color=COLOURS[i], label=name)
            one.set_title(TITLES[part], loc="left", fontsize=11)
            one.set_xlabel(metric_name(FIRST))
            one.set_ylabel(metric_name(SECOND))
            one.set_xlim(0)
            one.set_ylim(0)
            one.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        figure.savefig(HERE / "agreement-models.png", dpi=110, facecolor="white")


def draw_metrics(
    parts: Mapping[str, pl.DataFrame],
    found: Mapping[str, Mapping[tuple[str, str], PartialAgreement]],
) -> None:
    """Draw all correlations: among settings above the diagonal, among seeds below."""
    size = (7.4 * len(parts), 7)
    with drawing("agreement-metrics", size=size, columns=len(parts)) as (figure, axes):
        for one, (part, rows) in zip(np.ravel(axes), parts.items(), strict=True):
            names = metric_agreement(rows).metrics
            matrix = np.full((len(names), len(names)), np.nan)
            for (a, b), pair in found[part].items():
                i, j = sorted((names.index(a), names.index(b)))
                matrix[i, j], matrix[j, i] = pair.between, pair.within
            one.grid(False)
            one.imshow(matrix, vmin=-1, vmax=1, cmap="RdBu")
            for (i, j), value in np.ndenumerate(matrix):
                if i != j and np.isfinite(value):
                    ink = "white" if abs(value) > 0.6 else "black"
                    one.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=7, color=ink)
            titles = [metric_name(name) for name in names]
            one.set_xticks(range(len(names)), titles, rotation=60, ha="right", fontsize=8)
            one.set_yticks(range(len(names)), titles, fontsize=8)
            one.set_title(TITLES[part], loc="left", fontsize=11)
        figure.savefig(HERE / "agreement-metrics.png", dpi=110, facecolor="white")


def models(parts: Mapping[str, pl.DataFrame]) -> str:
    """A row for each setting: both scores (mean and deviation), and how they correlate."""
    both = [metric_name(name) for name in (FIRST, SECOND)]
    columns = ["models", "setting", *both, "rank correlation among its seeds", "seeds"]
    lines = []
    for part, rows in parts.items():
        for name, scores in settings_of(rows):
            cells = [
                f"{mean:.3f} ± {sd:.3f}"
                for mean, sd in zip(scores.mean(0), scores.std(0, ddof=1), strict=True)
            ]
            own = correlate(*scores.T)
            rho = "" if own is None else f"{own.correlation:+.2f} (p = {own.p_value:.2g})"
            lines.append([TITLES[part], name, *cells, rho, str(len(scores))])
    return markdown(columns, lines)


def overall(table: pl.DataFrame) -> str:
    """A row for each part, among seeds and among settings: how metrics correlate."""
    figure = f"{metric_name(FIRST)} and {metric_name(SECOND)}"
    counted = ["pairs", "above 0", "significant above 0", "significant below 0"]
    columns = ["models", "rank correlation", figure, "median of all pairs", *counted]
    lines = []
    own_pair = pl.col("metric").is_in([FIRST, SECOND]) & pl.col("other").is_in([FIRST, SECOND])
    for (part,), rows in table.group_by("part", maintain_order=True):
        (own,) = rows.filter(own_pair).to_dicts()
        for column, name in {"within": "among seeds", "between": "among settings"}.items():
            known = rows[column].drop_nulls()
            rho = f"{own[column]:+.2f} (p = {own[column + '_p']:.2g})"
            counts = [str(len(known)), str((known > 0).sum()), "", ""]
            if column == "within":  # among so few settings none can be, after correction
                sure = rows.filter(pl.col("within_corrected") < LEVEL)["within"]
                counts[2:] = str((sure > 0).sum()), str((sure < 0).sum())
            lines.append([TITLES[part], name, rho, f"{known.median():+.2f}", *counts])
    return markdown(columns, lines)


def pairs(found: Mapping[str, Mapping[tuple[str, str], PartialAgreement]]) -> pl.DataFrame:
    """A row for each part and two metrics; p-values corrected for the pairs of the part (Holm)."""
    tables = []
    for part, own in found.items():
        rows = pl.DataFrame([
            {
                "part": part, "metric": a, "other": b,
                "within": one.within, "within_p": one.within_p,
                "between": one.between, "between_p": one.between_p,
                "settings": one.n_settings, "models": one.n_models,
            }
            for (a, b), one in own.items()
        ])  # fmt: skip
        corrected = pl.Series("within_corrected", holm(rows["within_p"].to_numpy()))
        tables.append(rows.with_columns(cs.float().fill_nan(None), corrected))
    return pl.concat(tables).with_columns(cs.float().round_sig_figs(4))


def filled(page: str, parts: Mapping[str, pl.DataFrame], table: pl.DataFrame) -> str:
    """The page with its tables."""
    return fill(page, {"models": models(parts), "overall": overall(table)})


def agreements(
    parts: Mapping[str, pl.DataFrame],
) -> dict[str, dict[tuple[str, str], PartialAgreement]]:
    """Agreement of each two metrics in each part."""
    return {
        part: partial_agreements(rows, ["setting"], n_draws=_DRAWS) for part, rows in parts.items()
    }


if __name__ == "__main__":
    own = parts_of(pl.read_parquet(STORE))
    found = agreements(own)
    draw_models(own)
    draw_metrics(own, found)
    table = pairs(found)
    table.write_csv(PAIRS)
    PAGE.write_text(filled(PAGE.read_text(), own, table))
