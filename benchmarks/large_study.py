"""Time for the table and the page of a study of 10,000 runs, of which the results are made up.

Run: python benchmarks/large_study.py [RUNS]
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from unweave.reports import write_report
from unweave.studies import build_table, write_table
from unweave.studies.folder import write_study
from unweave.studies.loading import checked_study

METRICS = ("mig", "sap", "modularity")


def study(n: int):
    cells = {
        "objectives": [{"name": "beta_vae", "beta": b} for b in range(1, 11)],
        "seeds": list(range(n // 100)),
        "milestones": [1000],
        "axes": {"network.width": [0.1 * i for i in range(1, 11)]},
    }
    content = {"name": "large", "title": "Large", "question": "How long?", "cells": [cells]}
    return checked_study(content, "here")


def score(value: float) -> dict:
    low_to_high = [value - 0.01, value + 0.01]
    level = {"mean": 0.01, "sd": 0.002}
    levels = dict.fromkeys(("chance", "mixture", "smooth"), level)
    shared = {**levels, "perfect": 1.0, "p_value": 0.01, "n": 10_000}
    return {"value": value, "adjusted": value - 0.01, "interval": low_to_high, **shared}


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder, large = Path(name), study(n)
        write_study(large, folder)
        for run in large.runs():
            own = folder / "runs" / run.key
            own.mkdir(parents=True)
            scores = {m: score(float(v)) for m, v in zip(METRICS, rng.random(3), strict=True)}
            milestone = {"metrics": scores, "kl_per_latent": rng.random(10).tolist()}
            result = {
                "description": run.model_dump(mode="json"),
                "parameters": int(1e4 * run.network.width),
                "n_images": 737_280,
                "flops_per_step": 1e9,
                "milestones": {"1000": milestone},
            }
            run.run(own).write_result(result)
        start = time.perf_counter()
        table = build_table(large, folder)
        write_table(table, folder)
        print(f"table of {n:,} runs, {table.height:,} rows: {time.perf_counter() - start:.1f} s")
        start = time.perf_counter()
        page = write_report(large, folder)
        seconds, size = time.perf_counter() - start, page.stat().st_size / 1e6
        print(f"page, with its own table: {seconds:.1f} s, {size:.1f} MB")


if __name__ == "__main__":
    main()
