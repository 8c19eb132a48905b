"""Runs that end by processor time, beside each other."""

from __future__ import annotations

import polars as pl

__all__ = ["with_common_steps"]


def with_common_steps(table: pl.DataFrame) -> pl.DataFrame:
    """A table in which all runs of one budget of processor time have their median of steps.

    Such runs end at different steps, and are compared with each other none the less. Their FLOPs
    are those of that many steps. Tables of earlier versions have no such runs.
    """
    if "cpu_minutes" not in table.columns:
        return table
    common = pl.col("step").median().over("cpu_minutes").round().cast(pl.Int64)
    step = pl.when(pl.col("cpu_minutes").is_not_null()).then(common).otherwise(pl.col("step"))
    return table.with_columns(step=step, flops=pl.col("flops") / pl.col("step") * step)
