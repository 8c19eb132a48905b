"""Columns of the tables of studies that say what a score is."""

from __future__ import annotations

from typing import Any

import polars as pl

__all__ = ["SCORE_COLUMNS", "score_cells"]

SCORE_COLUMNS = {
    "value": pl.Float64,
    "adjusted": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "chance_mean": pl.Float64,
    "chance_sd": pl.Float64,
    "projection_mean": pl.Float64,
    "projection_sd": pl.Float64,
    "p_value": pl.Float64,
    "n": pl.Int64,
}


def score_cells(score: dict[str, Any]) -> dict[str, Any]:
    """What is said of a score, as a result file holds it."""
    return {
        "value": score["value"],
        "adjusted": score["adjusted"],
        "low": score["interval"][0],
        "high": score["interval"][1],
        "chance_mean": score["chance"]["mean"],
        "chance_sd": score["chance"]["sd"],
        "projection_mean": score["projection"]["mean"],
        "projection_sd": score["projection"]["sd"],
        "p_value": score["p_value"],
        "n": score["n"],
    }
