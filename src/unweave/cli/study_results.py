"""`unweave study table`, `udr`, `pipe` and `merge`: what finished runs say."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from unweave._bounds import MOST_ROWS
from unweave.cli.console import counted, patience, print_json, print_line, print_note, print_table
from unweave.cli.options import Json, NumpySeed, Trusted, Wide, within

__all__ = ["study_merge", "study_pipe", "study_table", "study_udr"]


def study_table(
    folder: Path,
    /,
    *,
    sql: str | None = None,
    json: Json = False,  # noqa: A002
    wide: Wide = False,
    trust: Trusted | None = None,
) -> None:
    """Print a study's results: a row for each run, and what it was scored on and by.

    Parameters
    ----------
    folder
        Folder of the study.
    sql
        SQL query of the table, which is called scores, in DuckDB's dialect:
        "select objective, avg(value) from scores group by all". It reads no file and writes none.
        It needs the extra sql.
    json
        Print JSON instead of a table.
    wide
        Print all columns in one table, however wide it is.
    trust
        Classes from outside unweave that the study names, as package.module:Class. They are
        imported, which runs their code.
    """
    from unweave.studies import read_table
    from unweave.studies.folder import StudyFolder, open_study
    from unweave.studies.table import query

    shown: tuple[Any, ...] = ()
    n_keys = 1
    if folder.suffix == ".parquet":
        table = read_table(folder)
    else:
        finished = StudyFolder(open_study(folder, trust=trust or ()), folder).finished()
        table = finished.table
        shown, n_keys = finished.run_type.shown, finished.run_type.n_keys
    if sql is not None:
        table = query(table, sql)
    if json:
        print_json({"rows": [_json_value(row) for row in table.to_dicts()]})
        return
    if sql is None and shown:
        table = table.select(shown)
        empty = [c for c in table.columns[:n_keys] if 0 < table.height == table[c].null_count()]
        table, n_keys = table.drop(empty), n_keys - len(empty)
    rows = [[_cell(value) for value in row] for row in table.rows()]
    title = f"{folder}: {counted(table.height, 'row')}"
    print_table(title, table.columns, rows, n_keys=1 if sql else n_keys, wide=wide)


def study_udr(
    folder: Path,
    /,
    *,
    method: Literal["lasso", "spearman"] = "lasso",
    rows: Annotated[int, within(2, MOST_ROWS)] | None = None,
    seed: NumpySeed = 0,
    json: Json = False,  # noqa: A002
    trust: Trusted | None = None,
) -> None:
    """Rank a study's models without their factors: how far other seeds agree with each (UDR).

    Parameters
    ----------
    folder
        Folder of the study.
    method
        Comparison of the latents of two models.
    rows
        Number of images that all models encode; by default 2,000.
    seed
        Seed for drawing rows and permutations.
    json
        Print JSON instead of a table.
    trust
        Classes from outside unweave that the study names, as package.module:Class. They are
        imported, which runs their code.
    """
    from unweave.studies import rank_models
    from unweave.studies.ranking import keep_ranking

    with patience("encoding"):
        ranked = rank_models(folder, method=method, rows=rows, seed=seed, trust=trust or ())
    file = keep_ranking(folder, "udr", ranked)
    gains = _gains(folder, ranked, "udr", seed, trust or ())
    if json:
        print_json({"method": method, "rows": ranked.to_dicts(), "selection": gains})
        return
    cells = [[*_run_cells(row), f"{row['chance']:.4f}"] for row in ranked.to_dicts()]
    columns = ["run", "objective", "strength", "seed", "udr", "chance"]
    print_table(f"UDR ({method}) of {folder}", columns, cells)
    _print_gains("UDR", gains, file)


def study_pipe(
    folder: Path,
    /,
    *,
    rows: Annotated[int, within(40, MOST_ROWS)] | None = None,
    seed: NumpySeed = 0,
    json: Json = False,  # noqa: A002
    trust: Trusted | None = None,
) -> None:
    """Rank a study's models without their factors: are decodings of permuted latents likely (PIPE).

    Parameters
    ----------
    folder
        Folder of the study.
    rows
        Number of images that all models encode; by default 4,000, or all if there are fewer.
    seed
        Seed for drawing rows, permutations and the discriminator.
    json
        Print JSON instead of a table.
    trust
        Classes from outside unweave that the study names, as package.module:Class. They are
        imported, which runs their code.
    """
    from unweave.studies import rank_models_by_pipe
    from unweave.studies.ranking import keep_ranking

    with patience("encoding and decoding"):
        ranked = rank_models_by_pipe(folder, rows=rows, seed=seed, trust=trust or ())
    file = keep_ranking(folder, "pipe", ranked)
    gains = _gains(folder, ranked, "pipe", seed, trust or ())
    if json:
        print_json({"rows": ranked.to_dicts(), "selection": gains})
        return
    cells = [
        [*_run_cells(row), f"[{row['low']:.4f}, {row['high']:.4f}]", _cell(row["explained"])]
        for row in ranked.to_dicts()
    ]
    columns = ["run", "objective", "strength", "seed", "pipe", "95 % interval", "explained"]
    print_table(f"PIPE of {folder}", columns, cells)
    _print_gains("PIPE", gains, file)


def _gains(
    folder: Path, ranked: Any, by: str, seed: int, trust: Collection[str]
) -> list[dict[str, Any]]:
    """What choosing the run with the highest score gains, for each metric."""
    from dataclasses import asdict

    from unweave.statistics.selection import selection_quality
    from unweave.studies import read_table

    if ranked.height < 3:
        return []
    table = read_table(folder, trust=trust)
    return [asdict(gain) for gain in selection_quality(table, ranked, by=by, seed=seed)]


def _run_cells(row: Mapping[str, Any]) -> list[str]:
    """Which run, and its score."""
    strength = "" if row["strength"] is None else f"{row['strength']:g}"
    score = row["udr"] if "udr" in row else row["pipe"]
    return [row["run"], row["objective"], strength, str(row["seed"]), f"{score:.4f}"]


def _print_gains(by: str, gains: list[dict[str, Any]], file: Path) -> None:
    if gains:
        print_table(
            f"What choosing the model of the highest {by} gains",
            ["metric", "rank correlation", "p", "of the chosen", "of all, mean", "of the best"],
            [
                [
                    gain["metric"],
                    f"{gain['correlation']:+.2f}",
                    f"{gain['p_value']:.2g}",
                    *(f"{gain[key]:.4f}" for key in ("chosen", "mean", "best")),
                ]
                for gain in gains
            ],
        )
    print_note(f"kept in {file}, from where `unweave study report` takes it", style="dim")


def _json_value(value: Any) -> Any:
    """As JSON has it: dates and other things without a type of their own there as text."""
    if isinstance(value, Mapping):
        return {str(key): _json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal) and Decimal(str(float(value))) == value:
        return float(value)
    return value.hex() if isinstance(value, bytes) else str(value)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def study_merge(*folders: Path, out: Path, trust: Trusted | None = None) -> None:
    """Join the finished runs of one study from several machines, and report on all.

    Parameters
    ----------
    folders
        Folders of the study; its cells may differ between them.
    out
        Folder for the joined study.
    trust
        Classes from outside unweave that the study names, as package.module:Class. They are
        imported, which runs their code.
    """
    if not folders:
        raise ValueError("FOLDERS: at least one folder of a study is needed")
    from unweave.reports import write_report
    from unweave.studies import build_table, open_study, write_table
    from unweave.studies.execution.merging import merge_studies

    for folder, copied in merge_studies(folders, out, trust=trust or ()).items():
        print_line(f"{folder}: {counted(copied, 'run')} copied")
    chosen = open_study(out, trust=trust or ())
    write_table(build_table(chosen, out), out)
    print_line(f"report: {write_report(chosen, out)}")
