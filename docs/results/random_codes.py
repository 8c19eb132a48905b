"""What random codes score on the datasets and with the numbers of latents of scale.parquet.

Run, from the root of the repository, after new rows were stored:
    python docs/results/random_codes.py

Datasets and numbers of latents that are new take minutes each.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import polars.selectors as cs

from unweave.datasets import load
from unweave.datasets.selection import scoring_rows
from unweave.metrics import Noise, evaluate

HERE = Path(__file__).parent
STORE, RANDOM = HERE / "scale.parquet", HERE / "scale-random-codes.csv"
METRICS = ("dci_disentanglement", "infom", "mig", "sap", "linear_r2")
_ROWS = 5_000
_DRAWS = 400  # of which expensive metrics take a tenth


def random_codes(table: pl.DataFrame) -> pl.DataFrame:
    """What mixtures and smooth features of the factors score, in more draws than studies take.

    A row for each dataset, number of latents and metric; those that are stored are kept. Few draws,
    as of expensive metrics in a study, give a bound far above the quantile.
    """
    rows = pl.read_csv(RANDOM).to_dicts() if RANDOM.exists() else []
    stored = {(row["dataset"], row["n_latents"]) for row in rows}
    settings = table.select("dataset", "n_latents").unique().sort("dataset", "n_latents")
    for source, n_latents in settings.iter_rows():
        if (source, n_latents) in stored:
            continue
        data = load(source)
        factors = data.factors(scoring_rows(data, _ROWS, seed=0))
        codes = np.random.default_rng(0).standard_normal((_ROWS, n_latents))
        scores = evaluate(
            codes, factors, metrics=METRICS, factor_kinds=data.factor_kinds,
            noise=Noise(3, n_projections=_DRAWS, n_halves=3),
        )  # fmt: skip
        for name, score in scores.items():
            for kind, level in (("mixture", score.mixture), ("smooth", score.smooth)):
                rows.append({
                    "dataset": source, "n_latents": n_latents, "metric": name, "codes": kind,
                    "mean": level.mean, "sd": level.sd, "upper": level.upper,
                    "draws": level.n_draws,
                })  # fmt: skip
    found = pl.DataFrame(rows).sort("dataset", "n_latents", maintain_order=True)
    return found.with_columns(cs.float().round_sig_figs(4))


if __name__ == "__main__":
    random_codes(pl.read_parquet(STORE)).write_csv(RANDOM)
