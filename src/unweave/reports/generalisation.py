"""The report of a study of generalisation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from unweave.datasets.names import parse
from unweave.reports.figures import COLOURS, INK, drawing, svg
from unweave.reports.page import render
from unweave.statistics.trends import mean_interval
from unweave.studies.data import data_sentence
from unweave.studies.folder import Finished
from unweave.studies.kinds.generalisation import GeneralisationStudy

__all__ = ["generalisation_page"]

_WORDS = {
    "ridge": "a ridge regression",
    "mlp": "a small network",
    "trees": "gradient boosted trees",
}
_TRAIN, _HELD_OUT = COLOURS[0], COLOURS[1]
_LEAST = -0.5  # of an axis of R²: what is below is drawn at its end


def generalisation_page(study: GeneralisationStudy, found: Finished) -> str:
    """The page of the finished runs of a study."""
    table = found.table
    results = {run.description.key: run.result() for run in found.runs}
    titles = _titles(table["dataset"].unique(maintain_order=True).to_list())
    first = study.reading.readouts[0]
    content = {
        "study": study,
        "damaged": found.damaged,
        "answers": _answers(table, titles, first),
        "n_finished": len(found.runs),
        "n_runs": len(study.descriptions),
        "first": _WORDS[first],
        "overview": _overview(table, titles, first),
        "splits": [
            _split(table.filter(pl.col("dataset") == name), title, study, results)
            for name, title in titles.items()
        ],
        "colours": {"train": _TRAIN, "held_out": _HELD_OUT},
        "rows": table.to_dicts(),
        "study_json": json.dumps(study.model_dump(mode="json"), indent=1, ensure_ascii=False),
    }
    return render("generalisation.html", content)


def _titles(names: Sequence[str]) -> dict[str, str]:
    """A short title for each dataset; where two would be the same, with all options."""
    short = {}
    for name in names:
        found = parse(name)
        kind = dict(found.options)["split"].replace("_", " ")
        short[name] = f"{found.label}, {kind}"
    taken = list(short.values())
    return {
        name: title if taken.count(title) == 1 else f"{title} ({name})"
        for name, title in short.items()
    }


def _answers(table: pl.DataFrame, titles: dict[str, str], readout: str) -> list[str]:
    """A sentence for each split: the best encoder on held-out images, and how many are worse."""
    sentences = []
    for name, title in titles.items():
        own = _of(table.filter(pl.col("dataset") == name), readout, "r2", "mean")
        rows = _encoders(own)
        best = max(rows, key=lambda row: row["held_out"])
        worse = [row for row in rows if row["low"] > 0]
        sentences.append(
            f"{title}: best on held-out images is {best['encoder']}, with a mean R² of "
            f"{best['held_out']:.2f} after {best['train']:.2f} on images like those learnt from. "
            f"The gap is above 0 for {len(worse)} of {len(rows)} encoders."
        )
    return sentences


def _of(table: pl.DataFrame, readout: str, measure: str, factor: str) -> pl.DataFrame:
    return table.filter(
        (pl.col("readout") == readout)
        & (pl.col("measure") == measure)
        & (pl.col("factor") == factor)
    )


def _encoders(own: pl.DataFrame) -> list[dict[str, Any]]:
    """A row for each encoder: means over its seeds, and an interval of the gap."""
    rows = []
    for (encoder,), cells in own.group_by("encoder", maintain_order=True):
        gaps = cells["gap"].to_numpy()
        one_seed = (float(cells["low"][0]), float(cells["high"][0]))
        low, high = mean_interval(gaps) if len(gaps) > 1 else one_seed
        means = {key: float(cells[key].to_numpy().mean()) for key in (
            "train", "held_out", "gap", "chance_train", "chance_held_out", "chance_gap",
        )}  # fmt: skip
        rows.append(
            {
                "encoder": encoder,
                "seeds": cells.height,
                "low": low,
                "high": high,
                **means,
                "trains": cells["train"].to_list(),
                "held_outs": cells["held_out"].to_list(),
            }
        )
    return rows


def _overview(table: pl.DataFrame, titles: dict[str, str], readout: str) -> list[dict[str, Any]]:
    """The mean R² of each encoder on both parts of each split."""
    own = _of(table, readout, "r2", "mean")
    rows = []
    for encoder in own["encoder"].unique(maintain_order=True):
        cells = {}
        for name in titles:
            found = own.filter((pl.col("encoder") == encoder) & (pl.col("dataset") == name))
            cells[name] = _encoders(found)[0] if found.height else None
        rows.append({"encoder": encoder, "cells": list(cells.values())})
    return rows


def _split(
    table: pl.DataFrame, title: str, study: GeneralisationStudy, results: dict[str, Any]
) -> dict[str, Any]:
    """A section: what was read on both parts of one split."""
    result = results[table["run"][0]]
    factors = table.filter(pl.col("measure") == "r2")["factor"].unique(maintain_order=True)
    names = [name for name in factors.to_list() if name != "mean"]
    return {
        "title": title,
        "data": data_sentence(result["data"]),
        "n_train": result["n_train_images"],
        "n_held_out": result["n_held_out_images"],
        "readouts": [_readout(table, readout, names, title) for readout in study.reading.readouts],
        "factors": names,
        "reconstructions": _encoders(table.filter(pl.col("measure") == "squared_error")),
    }


def _readout(table: pl.DataFrame, readout: str, factors: list[str], title: str) -> dict[str, Any]:
    """Table and figure of one read-out."""
    means = _encoders(_of(table, readout, "r2", "mean"))
    by_factor = {name: _encoders(_of(table, readout, "r2", name)) for name in factors}
    accuracies = {
        name: rows for name in factors if (rows := _encoders(_of(table, readout, "accuracy", name)))
    }
    return {
        "name": readout,
        "words": _WORDS[readout],
        "figure": _figure(means, f"{title}-{readout}"),
        "rows": [
            {**row, "factors": [by_factor[name][i] for name in factors]}
            for i, row in enumerate(means)
        ],
        "chance": [by_factor[name][0] for name in factors],
        "accuracies": [{"factor": name, "rows": rows} for name, rows in accuracies.items()],
    }


def _figure(rows: list[dict[str, Any]], tag: str) -> str:
    """Mean R² of each encoder on both parts, side by side: a dot a seed, and chance."""
    with drawing(tag, size=(7.2, 1.1 + 0.3 * len(rows)), columns=2) as (figure, axes):
        for place, (axis, part, colour) in enumerate(
            zip(axes[0], ("train", "held_out"), (_TRAIN, _HELD_OUT), strict=True)
        ):
            for i, row in enumerate(rows):
                values = np.maximum(row[f"{part}s"], _LEAST)
                axis.plot(values, [i] * len(values), "o", color=colour, alpha=0.7, ms=6)
                chance = max(row[f"chance_{part}"], _LEAST)
                axis.plot([chance] * 2, [i - 0.4, i + 0.4], color=INK, ls=":", lw=1.4)
            labels = [row["encoder"] for row in rows] if place == 0 else [""] * len(rows)
            axis.set_yticks(range(len(rows)), labels, fontsize=9)
            axis.set_ylim(len(rows) - 0.5, -0.5)
            axis.set_xlim(_LEAST - 0.05, 1.05)
            axis.set_xlabel("mean R²; dotted: chance")
            axis.set_title(("training part", "held-out part")[place], loc="left", fontsize=11)
        return svg(figure, tag)
