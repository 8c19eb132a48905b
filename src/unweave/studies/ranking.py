"""Models of a study ranked without their factors: UDR over seeds."""

from __future__ import annotations

import warnings
from pathlib import Path

import polars as pl

from unweave.datasets import load
from unweave.datasets.selection import check_n_rows
from unweave.metrics import Score, unsupervised_disentanglement_ranking
from unweave.studies.folder import StudyFolder, open_study
from unweave.studies.kind import KindLike
from unweave.studies.training_run import TrainingRun
from unweave.training.checkpoint import latest_checkpoint, load_model

__all__ = ["rank_models"]

_ROWS = 2_000


def rank_models(
    folder: str | Path,
    *,
    method: str = "lasso",
    rows: int | None = None,
    seed: int = 0,
    kind: KindLike | None = None,
) -> pl.DataFrame:
    """UDR of each finished run of the study in ``folder``, a row for each.

    Runs that differ by their seed alone are compared with each other, by the posterior means of
    their last checkpoints on the same ``rows`` of data; latents whose mean divergence is at most
    0.01 nats are left out. ``chance`` is the mean UDR of the group with rows permuted. Groups of
    fewer than two finished runs are left out. ``rows`` are 2,000 by default, drawn again and again
    from a dataset that has fewer. For ``kind`` see :func:`~unweave.studies.open_study`.

    Raises
    ------
    FileNotFoundError
        If the folder holds no study.
    ValueError
        If no group has two finished runs, or a dataset has fewer rows than asked for.
    """
    groups: dict[str, list[TrainingRun]] = {}
    whole = StudyFolder(open_study(folder, kind=kind), folder)
    for run in whole.finished(with_model=True).runs:
        if isinstance(run, TrainingRun):
            if latest_checkpoint(run.folder) is None:
                warnings.warn(
                    f"run {run.description.key} is left out: {run.folder} has no checkpoint",
                    RuntimeWarning,
                    stacklevel=2,
                )
                continue
            alike = run.description.model_dump(mode="json")
            alike["training"].pop("seed")
            groups.setdefault(str(alike), []).append(run)
    found = [
        row
        for runs in groups.values()
        if len(runs) > 1
        for row in _rows(runs, _score(runs, method, rows, seed))
    ]
    if not found:
        raise ValueError(
            f"no two finished runs in {folder} differ by their seed alone: UDR compares such runs; "
            "give the study more seeds, or let it finish"
        )
    return pl.DataFrame(found).sort("udr", descending=True)


def _score(runs: list[TrainingRun], method: str, rows: int | None, seed: int) -> Score:
    dataset = load(runs[0].description.dataset)
    n_rows = _ROWS if rows is None else check_n_rows(dataset, rows)
    images = dataset.images(dataset.sample_indices(n_rows, seed=seed))
    encoded = [load_model(run.folder).encode_with_rates(images) for run in runs]
    return unsupervised_disentanglement_ranking(
        [codes for codes, _ in encoded],
        method=method,
        kl=[rates for _, rates in encoded],
        names=[run.description.key for run in runs],
        seed=seed,
    )


def _rows(runs: list[TrainingRun], score: Score):
    assert score.chance is not None
    for run in runs:
        objective = run.description.objective
        yield {
            "run": run.description.key,
            "objective": objective.name,
            "strength": objective.strength,
            "seed": run.description.training.seed,
            "udr": score.per_factor[run.description.key],
            "chance": score.chance.mean,
            "n": score.n_samples,
        }
