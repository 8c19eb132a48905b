"""Models of a study ranked without their factors: UDR over seeds, and PIPE of each."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from unweave._contents import Content
from unweave._files import read_json, sealed
from unweave._storage import write_json
from unweave.datasets import load
from unweave.datasets.selection import check_n_rows
from unweave.metrics import (
    Score,
    posterior_indifference_projection_equivalence,
    unsupervised_disentanglement_ranking,
)
from unweave.studies.folder import StudyFolder, open_study
from unweave.studies.training_run import TrainingRun
from unweave.training.checkpoint import latest_checkpoint, load_model

__all__ = ["keep_ranking", "kept_ranking", "rank_models", "rank_models_by_pipe"]

_ROWS = 2_000
_ROWS_OF_PIPE = 4_000

Ranking = Literal["udr", "pipe"]
"""By what models are ranked without factors; the file of a study's folder has this name."""


class RankingFile(Content):
    """What ``udr.json`` and ``pipe.json`` hold: a score for each run, by its key."""

    scores: dict[str, float]


def rank_models(
    folder: str | Path,
    *,
    method: str = "lasso",
    rows: int | None = None,
    seed: int = 0,
    trust: Collection[str] = (),
) -> pl.DataFrame:
    """UDR of each finished run of the study in ``folder``, a row for each.

    Runs that differ by their seed alone are compared with each other, by the posterior means of
    their last checkpoints on the same ``rows`` of data; latents whose mean divergence is at most
    0.01 nats are left out. ``chance`` is the mean UDR of the group with rows permuted. Groups of
    fewer than two finished runs are left out. ``rows`` are 2,000 by default, drawn again and again
    from a dataset that has fewer. For ``trust`` see :func:`~unweave.studies.open_study`.

    Raises
    ------
    FileNotFoundError
        If the folder holds no study.
    ValueError
        If no group has two finished runs, or a dataset has fewer rows than asked for.
    """
    groups: dict[str, list[TrainingRun]] = {}
    for run in _with_models(folder, trust):
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


def rank_models_by_pipe(
    folder: str | Path,
    *,
    rows: int | None = None,
    seed: int = 0,
    trust: Collection[str] = (),
) -> pl.DataFrame:
    """PIPE of each finished run of the study in ``folder``, a row for each.

    The last checkpoint is read on ``rows`` images, the same for all runs of a dataset: 4,000 by
    default, or all where there are fewer. ``low`` and ``high`` are the interval, ``explained`` the
    share of the variance of the images that reconstructions explain. For ``trust`` see
    :func:`~unweave.studies.open_study`.

    Raises
    ------
    FileNotFoundError
        If the folder holds no study.
    ValueError
        If no run that trains a model is finished, or a dataset has fewer rows than asked for, or
        too few.
    """
    found = [_pipe_row(run, rows, seed) for run in _with_models(folder, trust)]
    if not found:
        raise ValueError(
            f"no run of {folder} has finished a model: PIPE reads encoders and decoders; let the "
            "study finish one"
        )
    return pl.DataFrame(found).sort("pipe", descending=True)


def keep_ranking(folder: str | Path, by: Ranking, ranked: pl.DataFrame) -> Path:
    """Write a ranking into a study's folder, where its report finds it: its file.

    Parameters
    ----------
    folder
        Folder of the study.
    by
        ``udr`` or ``pipe``.
    ranked
        Result of :func:`rank_models` or :func:`rank_models_by_pipe`.
    """
    file = Path(folder) / f"{by}.json"
    scores = dict(zip(ranked["run"].to_list(), ranked[by].to_list(), strict=True))
    write_json(file, sealed({"scores": scores}))
    return file


def kept_ranking(folder: str | Path, by: Ranking) -> dict[str, float]:
    """The scores of runs, by key, that :func:`keep_ranking` wrote; none if it did not.

    Raises
    ------
    DamagedFileError
        If the file was changed or cut short.
    """
    file = Path(folder) / f"{by}.json"
    return read_json(file, RankingFile)["scores"] if file.exists() else {}


def _with_models(folder: str | Path, trust: Collection[str]) -> Iterator[TrainingRun]:
    """Finished runs whose model is there."""
    whole = StudyFolder(open_study(folder, trust=trust), folder)
    for run in whole.finished(with_model=True).runs:
        if not isinstance(run, TrainingRun):
            continue
        if latest_checkpoint(run.folder) is None:
            warnings.warn(
                f"run {run.description.key} is left out: {run.folder} has no checkpoint",
                RuntimeWarning,
                stacklevel=2,
            )
            continue
        yield run


def _pipe_row(run: TrainingRun, rows: int | None, seed: int) -> dict[str, object]:
    dataset = load(run.description.dataset)
    n_rows = min(_ROWS_OF_PIPE, len(dataset)) if rows is None else check_n_rows(dataset, rows)
    images = dataset.images(np.sort(dataset.sample_indices(n_rows, seed=seed)))
    score = posterior_indifference_projection_equivalence(load_model(run.folder), images, seed=seed)
    assert score.interval is not None
    return {
        **_described(run),
        "pipe": float(score),
        "low": score.interval[0],
        "high": score.interval[1],
        "explained": score.extras.get("explained"),
        "n": score.n_samples,
    }


def _described(run: TrainingRun) -> dict[str, object]:
    objective = run.description.objective
    return {
        "run": run.description.key,
        "objective": objective.full_name(),
        "strength": objective.strength,
        "seed": run.description.training.seed,
    }


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
        yield {
            **_described(run),
            "udr": score.per_factor[run.description.key],
            "chance": score.chance.mean,
            "n": score.n_samples,
        }
