"""What a study of models varies beside objective, seed and step."""

from __future__ import annotations

from typing import Any

import polars as pl

from unweave.statistics.variance import own_columns as settings_of_objectives

__all__ = ["DESIGN", "own_columns", "own_settings", "precisions", "setting"]

DESIGN = (
    "dataset", "network", "width", "depth", "n_latents", "n_images", "batch_size", "learning_rate",
    "optimizer", "weight_decay", "gradient_clip", "schedule", "cpu_minutes",
)  # fmt: skip
"""Columns beside objective, strength, seed and step that a study may vary."""

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


def own_columns(table: pl.DataFrame) -> list[str]:
    """Columns of the design that are each method's own settings."""
    return settings_of_objectives(table, [c for c in DESIGN if c in table.columns])


def own_settings(table: pl.DataFrame) -> list[str]:
    """What each method's own settings are, a phrase for each column."""
    found = []
    for column in own_columns(table):
        methods: dict[str, list[str]] = {}
        for label, value in table.select("label", column).unique(maintain_order=True).iter_rows():
            methods.setdefault(_value(value), []).append(label)
        *few, (common, most) = sorted(methods.items(), key=lambda item: len(item[1]))
        parts = ", ".join(f"{value} for {', '.join(own)}" for value, own in few)
        others = "the others" if len(most) > 1 else most[0]
        found.append(f"{_WORDS.get(column, column)} {parts} and {common} for {others}")
    return found


def precisions(table: pl.DataFrame) -> str:
    """How many runs of a method are in each number format, where they are not all in one."""
    if "precision" not in table.columns:  # tables of earlier versions
        return ""
    runs = table.select("run", "label", "precision").unique(maintain_order=True)
    counts: dict[str, list[str]] = {}
    for (label, precision), own in runs.group_by("label", "precision", maintain_order=True):
        counts.setdefault(str(label), []).append(f"{own.height:,} in {precision}")
    mixed = [f"{label} {' and '.join(own)}" for label, own in counts.items() if len(own) > 1]
    return ", ".join(mixed)


def setting(column: str, value: Any) -> str:
    """A setting in words, as ``learning rate 0.001``."""
    return f"{_WORDS.get(column, column)} {_value(value)}"


def _value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
