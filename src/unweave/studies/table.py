"""The results of a study as one tidy table."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from pathlib import Path

import polars as pl

from unweave._extras import imported
from unweave._storage import written_whole
from unweave.studies.base import BaseStudy
from unweave.studies.columns import columns_with_todays_names
from unweave.studies.folder import StudyFolder, open_study

__all__ = ["build_table", "query", "read_table", "write_table"]


_CLOSED = (
    "python_enable_replacements = false",
    "autoinstall_known_extensions = false",
    "autoload_known_extensions = false",
    "allow_community_extensions = false",
    "enable_external_access = false",  # files, the network, and extensions of any kind
    "lock_configuration = true",  # or a question could open them again
)
"""Settings of DuckDB, in this order."""


def build_table(study: BaseStudy, folder: str | Path) -> pl.DataFrame:
    """The rows of all finished runs, as their ``rows`` has them.

    A run with a damaged file is left out, with a warning that names it.
    """
    return StudyFolder(study, folder).finished().table


def write_table(table: pl.DataFrame, folder: str | Path) -> Path:
    """Write ``table.parquet`` into the study's folder, whole or not at all."""
    path = Path(folder) / "table.parquet"
    with written_whole(path) as temporary:
        table.write_parquet(temporary)
    return path


def read_table(folder: str | Path, *, trust: Collection[str] = ()) -> pl.DataFrame:
    """The table of the study in ``folder``, from its finished runs as they are now.

    A ``.parquet`` file that :func:`write_table` wrote is read as it is, but for the names of its
    columns, which are those of today. For ``trust`` see :func:`open_study`.

    Raises
    ------
    FileNotFoundError
        If the folder holds no study.
    ValueError
        If it names a class from outside this package that is neither imported nor trusted.
    """
    if Path(folder).suffix == ".parquet":
        return columns_with_todays_names(pl.read_parquet(folder))
    return build_table(open_study(folder, trust=trust), folder)


def query(table: pl.DataFrame, sql: str) -> pl.DataFrame:
    """What DuckDB answers to a question to the table, which is called ``scores``.

    The question reads that table and nothing else: files, the network, extensions and the
    variables of this program are out of its reach.

    Raises
    ------
    ImportError
        If DuckDB is not installed.
    ValueError
        If it does not understand the question, or that asks for more than the table.
    """
    duckdb = imported(
        "duckdb",
        needed_by="--sql",
        extra="sql",
        otherwise=", or ask polars: unweave.studies.read_table(folder)",
    )
    if not sql.strip():
        raise ValueError('--sql holds no question: write one, as "from scores limit 5"')
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        file = Path(folder) / "scores.parquet"
        table.write_parquet(file)
        connection.execute("create table scores as from read_parquet(?)", [str(file)])
        for setting in _CLOSED:
            connection.execute(f"set {setting}")
        try:
            answer = connection.execute(sql)
            described = answer.description if answer else None  # a comment has no result
            columns = [column[0] for column in described or []]
            rows = answer.fetchall() if columns else []
        except duckdb.Error as error:
            raise ValueError(f"DuckDB says: {error}") from error
        except (ArithmeticError, RuntimeError, ValueError) as error:  # a date of the year 0, say
            raise ValueError(f"Python cannot hold the answer of DuckDB: {error}") from error
    if not columns:
        raise ValueError(f'{sql!r} has no answer: ask for rows, as "from scores limit 5"')
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise ValueError(
            f"the answer has more than one column {', '.join(twice)}: name them apart, as "
            '"select avg(value) as mean"'
        )
    try:
        return pl.DataFrame(rows, schema=columns, orient="row", infer_schema_length=None)
    except (pl.exceptions.PolarsError, OverflowError, TypeError, ValueError):
        # Values that are of no one type, as of a union: as text.
        text = [[None if value is None else str(value) for value in row] for row in rows]
        return pl.DataFrame(text, schema=dict.fromkeys(columns, pl.String), orient="row")
