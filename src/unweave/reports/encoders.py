"""The report of a study of encoders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from unweave.encoders import PROTOCOLS
from unweave.reports.encoder_findings import (
    compare_pairs,
    encoder_kind,
    headline,
    scale_sentences,
)
from unweave.reports.figures import scale_figure
from unweave.reports.findings import metric_name
from unweave.reports.page import render
from unweave.reports.published import CLIP_SCORES
from unweave.studies.encoders import EncoderStudy
from unweave.studies.engine import study_runs
from unweave.studies.table import build_table

__all__ = ["encoders_page"]


def encoders_page(study: EncoderStudy, folder: str | Path) -> str:
    """The page of the finished runs in a study's folder."""
    results = [run.result() for run in study_runs(study, folder) if run.is_finished]
    table = build_table(study, folder).with_columns(
        kind=pl.col("encoder").map_elements(encoder_kind, return_dtype=pl.String)
    )
    raw = table.filter(pl.col("readout") == "raw")
    axes = raw.filter(pl.col("metric").is_in(study.reading.metrics))
    pairs = compare_pairs(results)
    content = {
        "study": study,
        "headline": headline(axes, pairs, study.reading.metrics[0]),
        "scale": scale_sentences(axes),
        "n_finished": len(results),
        "n_runs": len(study.runs()),
        "tables": [
            {"protocol": PROTOCOLS[name], "metric": metric, "rows": _table(axes, name, metric)}
            for name in study.protocols
            for metric in study.reading.metrics
        ],
        "figures": _figures(axes, study),
        "pairs": [(pair, metric_name(pair.metric)) for pair in pairs],
        "readouts": _readouts(table, study),
        "skipped": _skipped(results),
        "subspaces": _subspaces(results),
        "cards": _cards(results),
        "settings": _settings(study),
        "rows": table.to_dicts(),
        "study_json": json.dumps(study.model_dump(mode="json"), indent=1, ensure_ascii=False),
    }
    return render("encoders.html", content)


def _table(axes: pl.DataFrame, protocol: str, metric: str) -> list[dict[str, Any]]:
    """A row for each encoder: its score, or the mean of its seeds, and that of its control."""
    own = axes.filter((pl.col("protocol") == protocol) & (pl.col("metric") == metric))
    values = {str(e): g["value"].to_numpy() for (e,), g in own.group_by("encoder")}
    is_published = protocol == "paper" and metric == "mig"
    rows = []
    for (encoder,), cells in own.group_by("encoder", maintain_order=True):
        first = cells.row(0, named=True)
        rows.append(
            {
                **first,
                "seeds": cells.height,
                "value": float(values[str(encoder)].mean()),
                "spread": _spread(values[str(encoder)]),
                "control": _spread(values.get(f"random:{encoder}", np.empty(0))),
                "published": CLIP_SCORES.get(str(encoder)) if is_published else None,
                "p_value": float(cells["p_value"].to_numpy().max()),
            }
        )
    return rows


def _spread(values: np.ndarray) -> tuple[float, float] | None:
    return (float(values.min()), float(values.max())) if len(values) else None


def _figures(axes: pl.DataFrame, study: EncoderStudy) -> list[str]:
    kinds = {encoder: encoder_kind(encoder) for encoder in axes["encoder"].unique()}
    figures = []
    for protocol in study.protocols:
        for metric in study.reading.metrics:
            rows = axes.filter((pl.col("protocol") == protocol) & (pl.col("metric") == metric))
            if not rows.height:
                continue
            published = CLIP_SCORES if (protocol, metric) == ("paper", "mig") else {}
            title = f"{metric_name(metric)}, {protocol} protocol"
            figures.append(scale_figure(rows, kinds, published, title, f"{protocol}-{metric}"))
    return figures


def _readouts(table: pl.DataFrame, study: EncoderStudy) -> list[dict[str, Any]]:
    """Mean scores over seeds on each readout, a row for each encoder, protocol and metric."""
    found = []
    keys = ("protocol", "metric", "encoder")
    own = table.filter(pl.col("metric").is_in(study.reading.metrics))
    for (protocol, metric, encoder), rows in own.group_by(*keys, maintain_order=True):
        cells = {}
        for (readout,), group in rows.group_by("readout", maintain_order=True):
            cells[readout] = {
                key: float(group[key].to_numpy().mean()) for key in ("value", "smooth_mean")
            }
        name = metric_name(metric)
        found.append({"protocol": protocol, "metric": name, "encoder": encoder, "cells": cells})
    return sorted(found, key=lambda row: (row["protocol"] != "sound", row["metric"]))


def _skipped(results: list[dict[str, Any]]) -> list[str]:
    return sorted(
        {
            f"{result['label']}: {read['skipped']}"
            for result in results
            for found in result["protocols"].values()
            for read in (found, *found["readouts"].values())
            if "skipped" in read
        }
    )


def _subspaces(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Angles between the factors' linear subspaces, where the study asked for them."""
    rows = []
    for result in results:
        raw = result["protocols"].get("sound", {}).get("readouts", {}).get("raw", {})
        score = raw.get("scores", {}).get("subspace_angle")
        if score is not None:
            who = {"encoder": result["label"], "seed": result["description"]["seed"]}
            rows.append({**who, **score, "n_latents": raw["n_latents"]})
    return rows


def _cards(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**result["card"], "label": result["label"]} for result in results]


def _settings(study: EncoderStudy) -> dict[str, str]:
    reading = study.reading
    protocols = {f"Protocol: {n}": PROTOCOLS[n].text for n in study.protocols}
    return {
        "Data": study.dataset,
        **protocols,
        "Rows": f"{reading.rows:,} in the sound protocol (seed {reading.seed}), the same for every "
        "encoder",
        "Images": "resized whole to the encoder's input, by Pillow's filter; normalised as it was "
        "trained; one channel shown as three",
        "MIG": "20 bins of equal width, plug-in estimate, as in the paper's notebook",
        "Chance": f"rows of the factors permuted against the codes, {reading.n_permutations} times",
        "Random mixture, random smooth features": "linear projections of the factors, and cosines "
        f"of random frequencies and phases, as many as the encoder has latents, "
        f"{reading.n_projections} times: codes that know every factor and separate none",
        "Random weights": "the same architecture, weights as its library draws them, statistics of "
        "batch normalisations of 64 images of the data",
        "Intervals": f"95 %, from {reading.n_halves} random halves of the rows; paired differences "
        "from the same halves for both. They are about the rows alone: another training would "
        "differ by more",
    }
