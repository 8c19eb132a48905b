"""The tables of stress.md: what every metric answers on known codes.

What was found is stored in stress.parquet, so that a new metric can be run alone. Run, from the
root of the repository:
    python docs/metrics/fill_stress.py               # fill the tables from what is stored
    python docs/metrics/fill_stress.py run mig sap    # run these first; without names, all metrics
    ROWS=300,1000 REPEATS=20 python docs/metrics/fill_stress.py run dci_disentanglement
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import polars as pl

from unweave.metrics import METRICS, stress

HERE = Path(__file__).parent
STORE, PAGE = HERE / "stress.parquet", HERE / "stress.md"


def run(names: list[str]) -> None:
    """Run metrics together, which share what they read alike, and store what they gave."""
    rows = [int(n) for n in os.environ.get("ROWS", "300,1000,10000").split(",")]
    repeats = int(os.environ.get("REPEATS", "50"))
    found = stress(names, rows=rows, repeats=repeats).to_polars()
    kept = [pl.read_parquet(STORE).filter(~pl.col("metric").is_in(names))] if STORE.exists() else []
    pl.concat([*kept, found], how="vertical_relaxed").write_parquet(STORE, compression="zstd")


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        run(sys.argv[2:] or list(METRICS))
