"""Runs of a study on the cores of this machine: one process a core, one thread a process."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path

from unweave._parallel import most_processes
from unweave._processes import Workers
from unweave._storage import write_json
from unweave.studies.base import BaseStudy, Run
from unweave.studies.data import check_same_data
from unweave.studies.execution.ray_engine import Placement, finish_on_ray
from unweave.studies.execution.resources import gpus, n_workers
from unweave.studies.execution.worker import work
from unweave.studies.folder import (
    StudyFolder,
    check_same_study,
    set_damaged_aside,
    write_study,
)

__all__ = ["Progress", "run_study"]

_START = "unweave.studies.execution.worker:start_worker"

Progress = Callable[[str, int, int], None]
"""Progress callback: (description, units done, total units)."""


def run_study(
    study: BaseStudy,
    folder: str | Path,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    shard: tuple[int, int] = (0, 1),
    ray: Placement | None = None,
) -> dict[str, str]:
    """Finish every run of a study; finished ones are left as they are.

    A run with a damaged file is moved aside, with a warning, and repeated.

    Runs execute in parallel, one per core as memory and GPUs allow; each worker has one of the
    GPUs. If a process dies (for example out of memory), the remaining runs continue with half as
    many processes.

    Several calls may share a folder, on a network as well: each run is done by one of them. With a
    ``shard`` (i, n) only every n-th run is done, from the i-th on (counted from 0), as for the jobs
    of an array. With a Ray cluster, runs are its tasks, and ``workers`` says nothing.

    Returns
    -------
    dict
        The reason, by run key, of each run that failed; the others are finished.

    Raises
    ------
    KeyboardInterrupt
        When interrupted, after the workers have stopped; the next call resumes.
    OSError
        If the folder cannot be written, or the Ray cluster does not answer.
    ValueError
        If the folder holds another study, or finished runs are about other images than the dataset
        of this name holds now.
    """
    folder = Path(folder)
    try:
        (folder / "runs").mkdir(parents=True, exist_ok=True)
        check_same_study(study, folder)
        write_study(study, folder)
    except OSError as error:
        raise type(error)(
            error.errno, f"cannot write into {folder} ({error.strerror}): choose another with --out"
        ) from error
    runs = StudyFolder(study, folder).runs[shard[0] :: shard[1]]
    set_damaged_aside(runs)
    pending = [run for run in runs if not run.is_finished]
    if not pending:
        return {}
    check_same_data(runs)
    study.prepare(lambda n, total: progress("drawing the data", n, total) if progress else None)
    if ray is not None:
        return _finish_on_ray(runs, pending, ray, progress)
    pool = _Pool(runs, pending, workers or n_workers([run.description for run in pending]))
    return pool.finish(progress)


def _note_end(run: Run, reason: str | None, failures: dict[str, str]) -> None:
    """Keep why a run failed, or that it no longer does."""
    with suppress(OSError):
        if reason is None:
            (run.folder / "failure.json").unlink(missing_ok=True)
            return
        failures[run.description.key] = reason
        run.folder.mkdir(parents=True, exist_ok=True)
        write_json(run.folder / "failure.json", {"reason": reason})


def _state(
    pending: list[Run], n_left: int, n_under_way: int | None, n_failed: int, last: str
) -> str:
    """For the progress bar: how many runs are in which state, and what came out last."""
    parts = [f"{len(pending) - n_left} of {len(pending)} runs finished"]
    if n_under_way is not None:
        parts.append(f"{n_under_way} under way")
    if n_failed:
        parts.append(f"{n_failed} failed")
    return ", ".join(parts) + (f" | {last}" if last else "")


def _finish_on_ray(
    runs: Sequence[Run], pending: list[Run], placement: Placement, progress: Progress | None
) -> dict[str, str]:
    failures: dict[str, str] = {}
    ended: list[Run] = []
    last = ""
    before = sum(run.description.work for run in runs) - sum(r.description.work for r in pending)

    def finished(run: Run, reason: str | None) -> None:
        nonlocal last
        ended.append(run)
        _note_end(run, reason, failures)
        if reason is None:
            last = run.summary()

    def at_poll() -> None:
        if progress:
            progress(
                _state(pending, len(pending) - len(ended), None, len(failures), last),
                before + sum(run.description.work for run in ended),
                sum(run.description.work for run in runs),
            )

    finish_on_ray(pending, placement, finished, at_poll)
    return failures


class _Pool:
    """Worker processes, the steps they have done, and what became of each run."""

    def __init__(self, runs: Sequence[Run], pending: list[Run], workers: int) -> None:
        self.pending = pending
        self.workers = most_processes(min(workers, len(pending)))
        # Without locks: a worker may be killed at any moment, and would keep a lock for ever.
        context = multiprocessing.get_context("spawn")
        self.stop = context.Value("b", 0, lock=False)
        self.steps = context.Array("q", len(pending), lock=False)
        finished = [run for run in runs if run.is_finished]
        self.steps_before = sum(run.description.work for run in finished)
        self.steps_in_all = sum(run.description.work for run in runs)
        self.gpus = gpus()
        self.failures: dict[str, str] = {}
        self.last = ""

    def finish(self, progress: Progress | None) -> dict[str, str]:
        left = dict(enumerate(self.pending))
        deaths = dict.fromkeys(left, 0)
        suspects: set[int] = set()
        workers = self.workers
        while left:
            # Runs under way when a process died go first, fewer at a time, until either all of them
            # are finished, and it was memory that was short, or one of them dies again, and alone.
            todo = {i: run for i, run in left.items() if i in suspects or not suspects}
            for index in todo:
                self.steps[index] = 0
            suspects = self._pooled(todo, left, min(workers, len(todo)), progress)
            for index in suspects:
                deaths[index] += 1
            alone = len(suspects) == 1 or workers == 1
            if suspects and alone and min(deaths[index] for index in suspects) > 1:
                for index in suspects:
                    self._end(left, index, "its process died twice: killed, or out of memory")
                suspects, workers = set(), self.workers
            elif suspects:
                workers = max(1, workers // 2)
        return self.failures

    def _pooled(
        self, todo: dict[int, Run], left: dict[int, Run], workers: int, progress: Progress | None
    ) -> set[int]:
        """Do some of the runs left; those under way when a process died, or all if none was yet."""
        with Workers(workers, _START, self.steps, self.stop, self.gpus) as pool:
            futures = {
                pool.submit(work, i, run.description, run.folder): i for i, run in todo.items()
            }
            try:
                return self._collect(pool, futures, left, progress)
            except KeyboardInterrupt:
                self.stop.value = 1
                raise

    def _collect(
        self,
        pool: Workers,
        futures: dict[Future, int],
        left: dict[int, Run],
        progress: Progress | None,
    ) -> set[int]:
        broken: set[int] = set()
        for done in pool.completed(futures):
            if progress:
                steps = self.steps_before + sum(self.steps)
                n_under_way = sum(self.steps[i] > 0 for i in left)
                what = _state(self.pending, len(left), n_under_way, len(self.failures), self.last)
                progress(what, steps, self.steps_in_all)
            for future in done:
                index = futures[future]
                try:
                    self._end(left, index, future.result())
                except BrokenProcessPool:
                    broken.add(index)
        return {index for index in broken if self.steps[index] > 0} or broken

    def _end(self, left: dict[int, Run], index: int, reason: str | None) -> None:
        run = left.pop(index)
        _note_end(run, reason, self.failures)
        if reason is None:
            self.last = run.summary()
