"""Columns of the tables of studies that say what a score is."""

from __future__ import annotations

from typing import Annotated, Any

import polars as pl
from pydantic import Field, model_validator

from unweave._bounds import LARGEST
from unweave._contents import Part
from unweave.metrics.score import with_todays_names

__all__ = [
    "SCORE_COLUMNS",
    "Count",
    "ScoreContent",
    "columns_with_todays_names",
    "score_cells",
]

SCORE_COLUMNS = {
    "value": pl.Float64,
    "adjusted": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "chance_mean": pl.Float64,
    "chance_sd": pl.Float64,
    "mixture_mean": pl.Float64,
    "mixture_sd": pl.Float64,
    "mixture_upper": pl.Float64,
    "smooth_mean": pl.Float64,
    "smooth_sd": pl.Float64,
    "smooth_upper": pl.Float64,
    "perfect": pl.Float64,
    "p_value": pl.Float64,
    "n": pl.Int64,
}


Count = Annotated[int, Field(ge=0, le=LARGEST)]
"""A number of things, as tables hold it."""


class _Level(Part):
    mean: float | None
    sd: float | None
    upper: float | None = None


class ScoreContent(Part):
    """What a result file holds of a score."""

    value: float
    adjusted: float | None
    interval: Annotated[list[float], Field(min_length=2, max_length=2)]
    chance: _Level
    mixture: _Level
    smooth: _Level
    perfect: float | None
    p_value: float | None
    n: Count

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, content: Any) -> Any:
        return with_todays_names(content)


def score_cells(score: dict[str, Any]) -> dict[str, Any]:
    """What is said of a score, as a result file holds it."""
    return {
        "value": score["value"],
        "adjusted": score["adjusted"],
        "low": score["interval"][0],
        "high": score["interval"][1],
        "chance_mean": score["chance"]["mean"],
        "chance_sd": score["chance"]["sd"],
        "mixture_mean": score["mixture"]["mean"],
        "mixture_sd": score["mixture"]["sd"],
        "mixture_upper": score["mixture"].get("upper"),  # earlier versions have none
        "smooth_mean": score["smooth"]["mean"],
        "smooth_sd": score["smooth"]["sd"],
        "smooth_upper": score["smooth"].get("upper"),
        "perfect": score["perfect"],
        "p_value": score["p_value"],
        "n": score["n"],
    }


def columns_with_todays_names(table: pl.DataFrame) -> pl.DataFrame:
    """A table of scores with the names of columns of today, also if 0.1 wrote it."""
    former = {"ceiling": "perfect"}
    former |= {f"projection_{part}": f"mixture_{part}" for part in ("mean", "sd", "upper")}
    return table.rename(former, strict=False)
