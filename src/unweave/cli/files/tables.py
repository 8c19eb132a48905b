"""The readers of .csv, .tsv and .parquet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unweave._tables.files import read_csv
from unweave._tables.panics import without_panics
from unweave.cli.files.source import Source

__all__ = ["csv_source", "frame_source", "parquet_source"]


def parquet_source(file: Path) -> Source:
    """The columns of a Parquet file, of which only those that are chosen are read."""
    import polars as pl

    with without_panics():
        schema = pl.read_parquet_schema(file)
        rows = pl.scan_parquet(file).select(pl.len()).collect().item()
    if not rows:
        raise ValueError("it has columns and no rows")

    def load(names: Sequence[str]) -> list[Any]:
        with without_panics():
            frame = pl.read_parquet(file, columns=list(names))
        return [_column(frame[name]) for name in names]

    return Source(file, "column", {n: _type_text(t, rows) for n, t in schema.items()}, load)


def csv_source(file: Path) -> Source:
    """The columns of a text table, as of :func:`~unweave._tables.files.read_csv`."""
    frame, remark = read_csv(file)
    return frame_source(file, frame, remark)


def frame_source(file: Path, frame: Any, remark: str = "") -> Source:
    """The columns of a polars frame that is in memory."""
    found = {name: _type_text(t, frame.height) for name, t in frame.schema.items()}

    def load(names: Sequence[str]) -> list[Any]:
        return [_column(frame[name]) for name in names]

    return Source(file, "column", found, load, remark=remark)


def _column(series: Any) -> Any:
    """A column; an array (samples, width) if it holds lists of one length.

    Raises
    ------
    ValueError
        If its type is neither numbers nor words.
    """
    import polars as pl

    dtype = series.dtype
    if isinstance(dtype, pl.List):
        widths = series.list.len().unique().to_list()
        if len(widths) != 1 or not widths[0]:
            raise ValueError(f"the lists of the column {series.name!r} differ in length")
        series = series.list.to_array(widths[0])
        dtype = series.dtype
    if isinstance(dtype, pl.Array) and dtype.inner.is_numeric() and not series.has_nulls():
        return series.to_numpy()
    if isinstance(dtype, pl.Decimal):
        return series.cast(pl.Float64)
    words = (pl.String, pl.Categorical, pl.Enum)
    if dtype.is_numeric() or dtype == pl.Boolean or isinstance(dtype, words):
        return series
    raise ValueError(
        f"the column {series.name!r} is of type {dtype}: numbers or words are needed; convert it"
    )


def _type_text(dtype: Any, rows: int) -> str:
    import polars as pl

    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return f"words, {rows:,} rows"
    return f"{dtype}, {rows:,} rows".lower()
