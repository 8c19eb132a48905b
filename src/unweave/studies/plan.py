"""What a study of models will take, before it is run."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from unweave.datasets import load
from unweave.models import build_vae, count_parameters
from unweave.studies.base import BaseStudy
from unweave.studies.evaluation import score_model
from unweave.studies.training_run import TrainingDescription
from unweave.training import TrainingConfig, train
from unweave.training.compute import step_flops
from unweave.training.precision import choose_precision

__all__ = ["Plan", "plan", "plan_in_words"]

_PROBED, _SKIPPED = 8, 3  # steps, of which the first are slower
_MOST_PROBES = 12


@dataclass(frozen=True)
class Plan:
    """What a study will take.

    Attributes
    ----------
    n_runs, n_steps, n_scores
        Models, training steps of all, and milestones at which they are scored.
    flops
        FLOPs of all training steps.
    parameters
        Fewest and most of a model.
    training_hours, scoring_hours
        Hours of one process with one thread on this machine, from a short probe.
    workers
        Processes that share the work.
    """

    n_runs: int
    n_steps: int
    n_scores: int
    flops: float
    parameters: tuple[int, int]
    training_hours: float
    scoring_hours: float
    workers: int

    @property
    def hours(self) -> float:
        """Until all is done, if the runs can be shared evenly."""
        return (self.training_hours + self.scoring_hours) / min(self.workers, self.n_runs)


def plan(study: BaseStudy, *, workers: int, shard: tuple[int, int] = (0, 1)) -> Plan:
    """Count the work of a study of models; time some steps of each kind of run, and one scoring.

    Where there are very many kinds, some are timed and the others go by their FLOPs. With a
    ``shard`` (i, n), only every n-th run counts, from the i-th on, as in ``run_study``.

    Raises
    ------
    ValueError
        If the shard has no runs.
    """
    runs: Sequence[TrainingDescription] = study.descriptions[shard[0] :: shard[1]]
    if not runs:
        raise ValueError(f"shard {shard[0]}/{shard[1]} of {study.name} has no runs")
    kinds: dict[str, list[TrainingDescription]] = {}
    for run in runs:
        kinds.setdefault(_kind(run), []).append(run)
    flops = {kind: _flops_per_step(own[0]) for kind, own in kinds.items()}
    parameters = [
        count_parameters(build_vae(own[0].network, load(own[0].dataset).image_shape, seed=0))
        for own in kinds.values()
    ]
    by_size = sorted(kinds, key=lambda kind: flops[kind])
    every = max(1, -(-len(by_size) // _MOST_PROBES))
    with _one_thread():
        seconds = {kind: _step_seconds(kinds[kind][0]) for kind in by_size[::every]}
        scoring = {key: _scoring_seconds(run) for key, run in _scorings(runs).items()}
    rate = sum(seconds.values()) / sum(flops[kind] for kind in seconds)
    per_step = {kind: seconds.get(kind, rate * flops[kind]) for kind in kinds}
    steps = {kind: sum(_steps(run, per_step[kind]) for run in own) for kind, own in kinds.items()}
    milestones = [(run, max(1, len(run.training.all_milestones))) for run in runs]
    return Plan(
        n_runs=len(runs),
        n_steps=sum(steps.values()),
        n_scores=sum(n for _, n in milestones),
        flops=sum(flops[kind] * steps[kind] for kind in kinds),
        parameters=(min(parameters), max(parameters)),
        training_hours=sum(per_step[kind] * steps[kind] for kind in kinds) / 3600,
        scoring_hours=sum(n * scoring[_scoring(run)] for run, n in milestones) / 3600,
        workers=workers,
    )


def plan_in_words(
    study: BaseStudy, *, workers: int, shard: tuple[int, int] = (0, 1)
) -> dict[str, str]:
    """What :func:`plan` finds, as a table for people."""
    found = plan(study, workers=workers, shard=shard)
    fewest, most = found.parameters
    return {
        "runs": f"{found.n_runs:,}",
        "training steps": f"{found.n_steps:,}",
        "scorings": f"{found.n_scores:,}",
        "parameters of a model": f"{fewest:,}" + (f" to {most:,}" if most > fewest else ""),
        "training": f"{found.flops / 1e12:,.3g} TFLOP",
        "hours of training, one process": f"{found.training_hours:,.3g}",
        "hours of scoring, one process": f"{found.scoring_hours:,.3g}",
        f"hours with {workers} processes": f"{found.hours:,.3g}",
    }


def _kind(run: TrainingDescription) -> str:
    """Runs of one kind take equally long for a step."""
    batch = run.training.batch_size, run.training.precision, run.training.devices
    return f"{run.dataset} {run.network!r} {run.objective.full_name()} {batch}"


def _steps(run: TrainingDescription, seconds: float) -> int:
    """Steps of a run whose steps take so many seconds each."""
    if run.training.steps is not None:
        return run.training.steps
    return max(1, math.ceil(run.work / seconds))


def _scoring(run: TrainingDescription) -> str:
    return f"{run.dataset} {run.network.n_latents} {run.evaluation!r}"


def _scorings(runs: Sequence[TrainingDescription]) -> dict[str, TrainingDescription]:
    return {_scoring(run): run for run in runs}


def _flops_per_step(run: TrainingDescription) -> int:
    model = build_vae(run.network, load(run.dataset).image_shape, seed=0)
    return step_flops(model, run.objective, batch_size=run.training.batch_size)


def _step_seconds(run: TrainingDescription) -> float:
    dataset = load(run.dataset)
    marks: list[float] = []
    model = build_vae(run.network, dataset.image_shape, seed=0)
    elsewhere = {"steps", "milestones", "cpu_minutes", "n_images", "precision"}
    config = TrainingConfig(
        **run.training.model_dump(exclude=elsewhere),
        steps=_PROBED,
        precision=choose_precision(model, run.objective, dataset, run.training),
    )
    train(
        model, run.objective, dataset, config, at_step=lambda _: marks.append(time.perf_counter())
    )
    return (marks[-1] - marks[_SKIPPED - 1]) / (_PROBED - _SKIPPED)


def _scoring_seconds(run: TrainingDescription) -> float:
    dataset = load(run.dataset)
    model = build_vae(run.network, dataset.image_shape, seed=0).eval()
    start = time.process_time()  # of all threads: a worker of a study has one
    score_model(model, dataset, run.evaluation)
    return time.process_time() - start


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread for training, as the workers of a study have."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
