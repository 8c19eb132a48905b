"""The rows of a shipped study that the documentation keeps.

Run, from the root of the repository, for each folder that has runs of the study:
    python docs/results/store.py STUDY FOLDER

The finished runs of the folder are added to STUDY.parquet.
"""

import sys
from pathlib import Path

import polars as pl

from unweave.studies import load_study
from unweave.studies.folder import StudyFolder

HERE = Path(__file__).parent


def store(name: str, folder: str) -> None:
    """Add the finished runs of a folder to those that are stored."""
    study, stored = load_study(name), HERE / f"{name}.parquet"
    found = StudyFolder(study, folder).finished()
    tables = [
        own.with_columns(part=pl.lit(part.name))
        for part in study.parts
        if (own := found.of(part).table).height
    ]
    if stored.exists():
        tables.append(pl.read_parquet(stored))
    rows = pl.concat(tables, how="vertical_relaxed")
    rows = rows.unique(["part", "run", "step", "metric"], keep="first", maintain_order=True)
    rows.sort("part", "run", "step", "metric").write_parquet(stored, compression="zstd")


if __name__ == "__main__":
    store(*sys.argv[1:])
