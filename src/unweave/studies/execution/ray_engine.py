"""Runs of a study on a Ray cluster, of which all nodes see the study's folder."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from unweave._extras import imported
from unweave._memory import keep_freed_memory
from unweave.studies.base import Description, Frozen, Run, RunIsBusyError, finish_run
from unweave.studies.execution.worker import keep_to_one_thread

__all__ = ["Placement", "finish_on_ray"]

_RETRIES = 3  # of a run whose worker or node was lost
_POLL_SECONDS = 0.25
_PATIENCE = 5.0  # seconds that an address has to answer in


class Placement(Frozen):
    """Where a Ray cluster is, and what one run takes of it."""

    address: str | None = None
    """host:port, or ray://host:port; None for that of RAY_ADDRESS, or a cluster on this machine."""
    cpus: float = Field(default=1.0, gt=0)
    """Cores of a run; it has one thread."""
    gpus: float = Field(default=0.0, ge=0)
    """GPUs of a run; four runs share one with 0.25."""


def finish_on_ray(
    pending: Sequence[Run],
    placement: Placement,
    finished: Callable[[Run, str | None], None],
    at_poll: Callable[[], None],
) -> None:
    """Finish the runs as tasks of a Ray cluster.

    A run whose worker dies, or the node under it, is begun again elsewhere, from its last
    checkpoint.

    Parameters
    ----------
    pending
        What there is to do.
    placement
        Where.
    finished
        Called with each run that has ended, and the reason if it failed.
    at_poll
        Called now and then.

    Raises
    ------
    ImportError
        If Ray is not installed.
    ConnectionError
        If nothing answers at the address.
    """
    ray = _connected(placement)
    try:
        task = ray.remote(num_cpus=placement.cpus, num_gpus=placement.gpus, max_retries=_RETRIES)(
            _work
        )
        runs = {task.remote(run.description, str(run.folder.resolve())): run for run in pending}
        waiting = list(runs)
        while waiting:
            done, waiting = ray.wait(waiting, num_returns=1, timeout=_POLL_SECONDS)
            for reference in done:
                try:
                    reason = ray.get(reference)
                except ray.exceptions.RayError as error:
                    first = str(error).strip().splitlines()[0]
                    reason = f"its worker was lost {_RETRIES + 1} times: {first}"
                finished(runs[reference], reason)
            at_poll()
    finally:
        ray.shutdown()


def _work(description: Description, folder: str) -> str | None:
    """Finish one run on some node; the reason if it failed."""
    keep_freed_memory()
    keep_to_one_thread()
    run = description.run(Path(folder))
    while not run.is_finished:
        try:
            return finish_run(run)
        except RunIsBusyError:
            time.sleep(1.0)
    return None


def _connected(placement: Placement) -> Any:
    ray = imported("ray", needed_by="--engine ray", extra="ray")
    address = placement.address or os.environ.get("RAY_ADDRESS")
    if address:
        _check_answers(address)
    variables = _of_loggers(os.environ)
    ray.init(
        address=address,
        logging_level=logging.ERROR,
        log_to_driver=False,
        include_dashboard=None if address else False,
        # An environment of their own, were it empty, keeps workers from being started beforehand.
        runtime_env={"env_vars": variables} if variables else None,
    )
    return ray


def _of_loggers(environment: Mapping[str, str]) -> dict[str, str]:
    """Settings of loggers in environment variables, which workers on other nodes do not have."""
    prefixes = ("UNWEAVE_LOGGERS", "WANDB_", "MLFLOW_")
    return {name: value for name, value in environment.items() if name.startswith(prefixes)}


def _check_answers(address: str) -> None:
    """Ray itself waits for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address in ("auto", "local"):
        return
    try:
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"no Ray cluster answers at {address} ({error}): start one with `ray start --head`, or "
            "leave --address out for one on this machine"
        ) from error
