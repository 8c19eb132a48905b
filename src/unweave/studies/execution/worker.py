"""What a worker process of a study does. It imports little: each run brings what it needs."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Sequence
from pathlib import Path

from unweave._memory import keep_freed_memory
from unweave._parallel import keep_to
from unweave.studies.base import Description, RunIsBusyError, finish_run

__all__ = ["keep_to_one_thread", "start_worker", "work"]

_shared: tuple = ()


def start_worker(steps, stop, gpus: Sequence[str]) -> None:
    """Once in each process: where steps are counted, whether to stop, on which GPUs."""
    global _shared
    keep_freed_memory()
    keep_to_one_thread()
    if gpus:  # in turn; processes are numbered as they are started
        number = int(multiprocessing.current_process().name.rpartition("-")[2])
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
    _shared = steps, stop


def keep_to_one_thread() -> None:
    """One thread, also for libraries that are not imported yet."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    keep_to(1)


def work(index: int, description: Description, folder: str | Path) -> str | None:
    """Finish one run; the reason if it failed."""
    steps, stop = _shared

    def at_step(step: int) -> None:
        steps[index] = step
        if stop.value:
            raise InterruptedError

    steps[index] = 1  # under way
    run = description.run(folder)
    try:
        while not run.is_finished:
            try:
                reason = finish_run(run, at_step)
            except RunIsBusyError:
                at_step(1)
                time.sleep(1.0)
                continue
            if reason is not None:
                return reason
        steps[index] = description.work
    except InterruptedError:
        return "interrupted"
    return None
