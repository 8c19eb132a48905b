"""The report of a study of encoders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from unweave.datasets import load
from unweave.encoders import PROTOCOLS
from unweave.metrics import LABEL_FREE
from unweave.metrics.catalogue import needs_factors
from unweave.metrics.catalogue import title as metric_name
from unweave.reports.encoder_findings import (
    compare_pairs,
    headline,
    kind_of_result,
    scale_sentences,
)
from unweave.reports.figures import scale_figure
from unweave.reports.page import render
from unweave.reports.published import CLIP_SCORES
from unweave.studies.data import data_sentence, describe_data
from unweave.studies.folder import Finished
from unweave.studies.kinds.encoders import EncoderScoring, EncoderStudy

__all__ = ["encoders_page"]


def encoders_page(study: EncoderStudy, finished: Finished) -> str:
    """The page of the finished runs of a study."""
    results = [run.result() for run in finished.runs]
    kinds = {result["label"]: kind_of_result(result) for result in results}
    table = finished.table.with_columns(
        # Metrics that need no factors have no mixtures and features of them to be compared with.
        pl.when(~pl.col("metric").str.replace(r"\(.*", "").is_in(LABEL_FREE)).then(
            pl.col("^(mixture|smooth)_.*$")
        ),
        kind=pl.col("encoder").replace_strict(kinds, return_dtype=pl.String),
    )
    found = table["metric"].unique(maintain_order=True).to_list()
    # Of images without factors, others than those that were asked for.
    metrics = _of_axes(study, found) or found
    raw = table.filter(pl.col("readout") == "raw")
    axes = raw.filter(pl.col("metric").is_in(metrics))
    pairs = compare_pairs(results)
    data = data_sentence(results[0].get("data") or describe_data(load(study.dataset)))
    content = {
        "study": study,
        "damaged": finished.damaged,
        "data": data,
        "left_out": _left_out(results),
        "has_factors": any(map(needs_factors, metrics)),
        "headline": headline(axes, pairs, metrics[0]) if metrics else [],
        "scale": scale_sentences(axes),
        "n_finished": len(results),
        "n_runs": len(study.descriptions),
        "tables": [
            {"protocol": PROTOCOLS[name], "metric": metric, "rows": rows}
            for name in study.protocols
            for metric in metrics
            if (rows := _table(axes, name, metric, _published(study, name, metric)))
        ],
        "figures": _figures(axes, study, metrics, kinds),
        "pairs": [(pair, metric_name(pair.metric)) for pair in pairs],
        "readouts": _readouts(table, metrics),
        "skipped": _skipped(results),
        "subspaces": _subspaces(results),
        "cards": _cards(results),
        "settings": _settings(study, data, metrics),
        "rows": table.to_dicts(),
        "study_json": json.dumps(study.model_dump(mode="json"), indent=1, ensure_ascii=False),
    }
    return render("encoders.html", content)


def _left_out(results: list[dict[str, Any]]) -> list[str]:
    """Why scores are left out, each sentence once."""
    protocols = [found for result in results for found in result["protocols"].values()]
    return list(dict.fromkeys(s for found in protocols for s in found.get("scores_left_out", ())))


def _published(study: EncoderStudy, protocol: str, metric: str) -> dict[str, float]:
    """The paper's scores by encoder, which are of dSprites."""
    is_published = (study.dataset, protocol, metric) == ("dsprites", "paper", "mig")
    return CLIP_SCORES if is_published else {}


def _table(
    axes: pl.DataFrame, protocol: str, metric: str, published: dict[str, float]
) -> list[dict[str, Any]]:
    """A row for each encoder: its score, or the mean of its seeds, and that of its control."""
    own = axes.filter((pl.col("protocol") == protocol) & (pl.col("metric") == metric))
    values = {str(e): g["value"].to_numpy() for (e,), g in own.group_by("encoder")}
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
                "published": published.get(str(encoder)),
                "p_value": float(cells["p_value"].to_numpy().max()),
            }
        )
    return rows


def _spread(values: np.ndarray) -> tuple[float, float] | None:
    return (float(values.min()), float(values.max())) if len(values) else None


def _figures(
    axes: pl.DataFrame, study: EncoderStudy, metrics: list[str], kinds: Mapping[str, str]
) -> list[str]:
    figures = []
    for protocol in study.protocols:
        for metric in metrics:
            rows = axes.filter((pl.col("protocol") == protocol) & (pl.col("metric") == metric))
            if not rows.height:
                continue
            published = _published(study, protocol, metric)
            title = f"{metric_name(metric)}, {protocol} protocol"
            figures.append(scale_figure(rows, kinds, published, title, f"{protocol}-{metric}"))
    return figures


def _readouts(table: pl.DataFrame, metrics: list[str]) -> list[dict[str, Any]]:
    """Mean scores over seeds on each readout, a row for each encoder, protocol and metric."""
    found = []
    keys = ("protocol", "metric", "encoder")
    own = table.filter(pl.col("metric").is_in(metrics))
    for (protocol, metric, encoder), rows in own.group_by(*keys, maintain_order=True):
        cells = {}
        for (readout,), group in rows.group_by("readout", maintain_order=True):
            cells[readout] = {key: group[key].mean() for key in ("value", "smooth_mean")}
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


def _of_axes(study: EncoderStudy, found: list[str]) -> list[str]:
    """The metrics of every readout, those that are named first."""
    named = [name for name in study.reading.metrics if name in found]
    whole = study.reading.whole_metrics
    return named + [name for name in found if name not in named and name not in whole]


def _cards(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**result["card"], "label": result["label"]} for result in results]


def _settings(study: EncoderStudy, data: str, metrics: list[str]) -> dict[str, str]:
    reading = study.reading
    needing = {name for name in metrics if needs_factors(name)}
    protocols = {f"Protocol: {n}": PROTOCOLS[n].text for n in study.protocols}
    return {
        "Data": data,
        **protocols,
        "Rows": f"{reading.rows:,} in the sound protocol (seed {reading.seed}), all if there are "
        "fewer; the same for every encoder",
        "Images": "resized whole to the encoder's input, by Pillow's filter; normalised as it was "
        "trained; one channel shown as three",
        **_settings_of_metrics(reading, needing),
        "Random weights": "the same architecture, weights as its library draws them, statistics of "
        "batch normalisations of 64 images of the data",
        "Intervals": f"95 %, from {reading.n_halves} random halves of the rows; paired differences "
        "from the same halves for both. They are about the rows alone: another training would "
        "differ by more",
    }


def _settings_of_metrics(reading: EncoderScoring, needing: set[str]) -> dict[str, str]:
    """What is to be known of scores; ``needing`` are the metrics that need factors."""
    if not needing:
        return {"Chance": "each latent permuted by itself; 0 is the best"}
    settings = {}
    if "mig" in needing:
        settings["MIG"] = "20 bins of equal width, plug-in estimate, as in the paper's notebook"
    return {
        **settings,
        "Chance": f"rows of the factors permuted against the codes, {reading.n_permutations} times",
        "Random mixture, random smooth features": "linear projections of the factors, and cosines "
        f"of random frequencies and phases, as many as the encoder has latents, "
        f"{reading.n_projections} times: codes that know every factor and separate none",
    }
