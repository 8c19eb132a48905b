"""The results of a study as one tidy table."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl

from unweave._extras import imported
from unweave.datasets.cache import written_whole
from unweave.studies.engine import study_runs
from unweave.studies.loading import AnyStudy, open_study

__all__ = ["build_table", "query", "read_table", "write_table"]


def build_table(study: AnyStudy, folder: str | Path) -> pl.DataFrame:
    """The rows of all finished runs, as their ``rows`` has them."""
    runs = study_runs(study, folder)
    kind = type(runs[0])
    rows = [row for run in runs if run.is_finished for row in run.rows()]
    table = pl.DataFrame(rows, schema=kind.schema)
    return table.sort(*kind.order) if kind.order else table


def write_table(table: pl.DataFrame, folder: str | Path) -> Path:
    """Write ``table.parquet`` into the study's folder, whole or not at all."""
    path = Path(folder) / "table.parquet"
    with written_whole(path) as temporary:
        table.write_parquet(temporary)
    return path


def read_table(folder: str | Path) -> pl.DataFrame:
    """The table of the study in ``folder``, from its finished runs as they are now.

    Raises
    ------
    FileNotFoundError
        If the folder holds no study.
    """
    return build_table(open_study(folder), folder)


def query(table: pl.DataFrame, sql: str) -> pl.DataFrame:
    """What DuckDB answers to a question to the table, which is called ``scores``.

    Raises
    ------
    ImportError
        If DuckDB is not installed.
    ValueError
        If it does not understand the question.
    """
    duckdb = imported(
        "duckdb",
        needed_by="--sql",
        extra="sql",
        otherwise=", or ask polars: unweave.studies.read_table(folder)",
    )
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        file = Path(folder) / "scores.parquet"
        table.write_parquet(file)
        connection.execute(f"create table scores as from read_parquet('{file}')")
        try:
            answer = connection.execute(sql)
            columns = [column[0] for column in answer.description or []]
            rows = answer.fetchall()
        except duckdb.Error as error:
            raise ValueError(f"DuckDB says: {error}") from error
    return pl.DataFrame(rows, schema=columns, orient="row", infer_schema_length=None)
