"""`unweave assess`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from unweave._bounds import MOST_ROWS
from unweave.cli.options import Flag, Names, Workers, within

__all__ = ["assess"]


def assess(
    encoders: Names,
    /,
    *,
    protocol: Literal["sound", "paper", "both"] = "sound",
    dataset: str = "dsprites",
    rows: Annotated[int, within(100, MOST_ROWS)] | None = None,
    random_seeds: Annotated[int, within(0, 1000)] = 1,
    metrics: Names | None = None,
    readouts: Names | None = None,
    download: Flag = False,
    workers: Workers | None = None,
    out: Path | None = None,
) -> None:
    """Score pretrained ENCODERS against random-weight controls and write a report.

    It is a study of the encoders, their own architectures with random weights, and the pixels. For
    other settings, write a study file (`unweave study show encoders-offline`).

    Parameters
    ----------
    encoders
        Encoders, as clip:RN50 clip:RN50x4 (`unweave encoders list`).
    protocol
        Choice of rows: sound, paper or both (see `unweave encode --help`).
    dataset
        Dataset to encode: a name (`unweave data list`), a file, a folder of images,
        hf:OWNER/NAME or package.module:object.
    rows
        Number of rows in the sound protocol, at least 100; by default 10,000, or all if there are
        fewer.
    random_seeds
        Number of random controls for each architecture.
    metrics
        Metrics to compute, by their short names; by default mig and sap.
    readouts
        Axes to score on: raw, pca:10, ica:10, varimax:10, sparse:128; by default raw and pca:10.
    download
        Download weights that are not on this machine.
    workers
        Number of processes, with one thread each; by default one for each core.
    out
        Folder of the results; by default one in ./studies.
    """
    from unweave.cli.study import run_and_report
    from unweave.datasets import load
    from unweave.datasets.selection import check_n_rows
    from unweave.studies.loading import checked_study

    if rows is not None:
        check_n_rows(load(dataset), rows)
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
                "readouts": readouts or ["raw", "pca:10"],
                **({} if rows is None else {"rows": rows}),
                **({} if metrics is None else {"metrics": metrics}),
            },
        },
        "options",
    )
    run_and_report(chosen, out or Path("studies") / "assess", workers)
