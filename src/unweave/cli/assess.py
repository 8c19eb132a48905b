"""`unweave assess`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from unweave.cli.options import Flag, Names, Rows, Workers, within

__all__ = ["assess"]


def assess(
    encoders: Names,
    /,
    *,
    protocol: Literal["sound", "paper", "both"] = "sound",
    dataset: str = "dsprites",
    rows: Rows = 10_000,
    random_seeds: Annotated[int, within(0, 1000)] = 1,
    metrics: Names | None = None,
    readouts: Names | None = None,
    download: Flag = False,
    workers: Workers | None = None,
    out: Path | None = None,
) -> None:
    """Are these pretrained ENCODERS disentangled, and more so when larger? A report that says so.

    It is a study of the encoders, their own architectures with random weights, and the pixels: a
    file of one's own can say more (`unweave study show encoders-offline`).

    Parameters
    ----------
    encoders
        One or more, as clip:RN50 clip:RN50x4 (`unweave encoders list`).
    protocol
        sound, the paper's, or both.
    dataset
        Which data.
    rows
        Rows in the sound protocol.
    random_seeds
        How many random controls for each architecture.
    metrics
        By their short names; mig and sap without it.
    readouts
        Axes to score on: raw, pca:10, ica:10, varimax:10, sparse:128; raw and pca:10 without it.
    download
        Fetch weights that are not on this machine.
    workers
        Processes; by default one for each core, with one thread each.
    out
        Folder of the results; by default one in ./studies.
    """
    from unweave.cli.study import run_and_report
    from unweave.studies.loading import checked_study

    chosen = checked_study(
        {
            "name": "assess",
            "title": "Are these encoders disentangled?",
            "question": f"How do {', '.join(encoders)} score on {dataset}, beside the same "
            "networks with random weights and beside pixels?",
            "dataset": dataset,
            "encoders": [*({"name": e, "download": download} for e in encoders), "pixels"],
            "random_seeds": list(range(random_seeds)),
            "protocols": ["paper", "sound"] if protocol == "both" else [protocol],
            "reading": {
                "rows": rows,
                "metrics": metrics or ["mig", "sap"],
                "readouts": readouts or ["raw", "pca:10"],
            },
        },
        "options",
    )
    run_and_report(chosen, out or Path("studies") / "assess", workers)
