"""Where learning curves are shown while they grow: TensorBoard, Weights & Biases, MLflow."""

from __future__ import annotations

import os
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from unweave._check import check_choice
from unweave._extras import imported
from unweave._files import DamagedFileError, read_json
from unweave._storage import writable_folder, write_json

__all__ = ["LOGGERS", "VARIABLE", "Logger", "check_loggers", "open_loggers"]

VARIABLE = "UNWEAVE_LOGGERS"
"""Environment variable that names loggers, comma between them, for a process and its workers."""
_PROJECT = "unweave"
_FLUSH_SECONDS = 30


class Logger(ABC):
    """Takes the points of one run's curves.

    Parameters
    ----------
    folder
        Folder of the run, which keeps the name under which the run resumes.
    resumed_at
        Step of the checkpoint from which the run resumes.

    Raises
    ------
    ConnectionError
        If the service does not let the run in.
    """

    @abstractmethod
    def __init__(self, folder: Path, *, resumed_at: int = 0) -> None: ...

    @abstractmethod
    def add(self, step: int, values: Mapping[str, float]) -> None:
        """One point of each curve, by names of the form ``group/name``."""

    @abstractmethod
    def close(self) -> None:
        """Write out what is left."""


class TensorBoard(Logger):
    """Event files in the run's ``tensorboard/``.

    They are written in the thread that trains. The ``SummaryWriter`` of tensorboardX has one of its
    own, which dies on a full disk, and training then waits for it for ever.
    """

    def __init__(self, folder: Path, *, resumed_at: int = 0) -> None:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event, SessionLog

        self._folder = writable_folder(folder / "tensorboard")
        self._writer = EventsWriter(str(self._folder / "events"))
        self._next_flush = 0.0
        if resumed_at:  # later points come again
            start = SessionLog(status=SessionLog.START)
            self._write(Event(step=resumed_at + 1, session_log=start))

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """As scalars.

        Raises
        ------
        OSError
            If they cannot be written, as when the disk is full.
        """
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.summary import scalar

        for name, value in values.items():
            self._write(Event(step=step, summary=scalar(name, value)))
        if time.monotonic() > self._next_flush:
            self._named(self._writer.flush)
            self._next_flush = time.monotonic() + _FLUSH_SECONDS

    def close(self) -> None:
        """Write out what is left."""
        self._named(self._writer.close)

    def _write(self, event: Any) -> None:
        event.wall_time = time.time()
        self._named(lambda: self._writer.write_event(event))

    def _named(self, call: Callable[[], object]) -> None:
        """What the call does, with the folder in the message if it cannot write."""
        try:
            call()
        except OSError as error:
            raise OSError(
                error.errno, f"cannot write into {self._folder} ({error.strerror})"
            ) from error


class WeightsAndBiases(Logger):
    """A run of Weights & Biases, which its own environment variables steer.

    ``WANDB_MODE=offline`` keeps it in the run's folder, to be sent by ``wandb sync``.
    ``WANDB_PROJECT`` names the project, which is unweave otherwise.
    """

    def __init__(self, folder: Path, *, resumed_at: int = 0) -> None:
        import wandb

        try:
            self._run = wandb.init(
                project=os.environ.get("WANDB_PROJECT", _PROJECT),
                id=_known_as(folder, "wandb", lambda: uuid4().hex),
                name=_name(folder),
                config=_description(folder),
                dir=str(folder),
                resume="allow",
                settings=wandb.Settings(silent=True, console="off"),
            )
        except wandb.Error as error:
            raise ConnectionError(
                f"Weights & Biases: {error} Or keep the run here with WANDB_MODE=offline."
            ) from error
        # Points after the checkpoint come again, with the same values: they are placed by their
        # own step, as Weights & Biases drops those whose step is not above its last one.
        self._run.define_metric("step", hidden=True)
        self._run.define_metric("*", step_metric="step")

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """As one row of the run's history."""
        self._run.log({"step": step, **values})

    def close(self) -> None:
        """Send or write what is left."""
        self._run.finish()


class MLflow(Logger):
    """A run of MLflow, where ``MLFLOW_TRACKING_URI`` says.

    ``MLFLOW_EXPERIMENT_NAME`` names the experiment, which is unweave otherwise.
    """

    def __init__(self, folder: Path, *, resumed_at: int = 0) -> None:
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient

        self._lost = False
        try:
            self._client = MlflowClient()
            self._id = _known_as(folder, "mlflow", lambda: self._new(folder))
            self._client.update_run(self._id, status="RUNNING")
        except MlflowException as error:
            raise ConnectionError(
                f"MLflow does not take the run: {error} MLFLOW_TRACKING_URI is "
                f"{os.environ.get('MLFLOW_TRACKING_URI', 'not set')}: give a server's address, or "
                "install mlflow in whole for a database."
            ) from error

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """As one batch of metrics."""
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        metrics = [Metric(name, value, now, step) for name, value in values.items()]
        self._tell(lambda: self._client.log_batch(self._id, metrics=metrics))

    def close(self) -> None:
        """Say that the run has ended."""
        self._tell(lambda: self._client.set_terminated(self._id))

    def _tell(self, call: Callable[[], object]) -> None:
        """Call the server; training continues when the server is lost."""
        from mlflow.exceptions import MlflowException

        if self._lost:
            return
        try:
            call()
        except MlflowException as error:
            self._lost = True
            warnings.warn(
                f"MLflow no longer answers; nothing more of this run is sent to it: {error}",
                RuntimeWarning,
                stacklevel=2,
            )

    def _new(self, folder: Path) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", _PROJECT)
        run = self._client.create_run(self._experiment(name), run_name=_name(folder))
        for key, value in _flat(_description(folder)).items():
            self._client.log_param(run.info.run_id, key, value)
        return run.info.run_id

    def _experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(name)
        if found:
            return found.experiment_id
        try:
            return self._client.create_experiment(name)
        except MlflowException:  # another worker was first
            found = self._client.get_experiment_by_name(name)
            if not found:
                raise
            return found.experiment_id


LOGGERS: dict[str, type[Logger]] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
    "mlflow": MLflow,
}
_OF_EXTRAS = ("wandb", "mlflow")


def check_loggers(names: Sequence[str]) -> tuple[str, ...]:
    """The names, if there are such loggers and their packages are installed.

    Raises
    ------
    ValueError
        If there is no logger of that name.
    ImportError
        If its package is not installed.
    """
    for name in names:
        check_choice("logger", name, LOGGERS)
        if name in _OF_EXTRAS:
            imported(name, needed_by=f"the logger {name}", extra=name)
    return tuple(names)


def open_loggers(folder: str | Path, *, resumed_at: int = 0) -> list[Logger]:
    """Those that the environment variable names; TensorBoard alone without it.

    Raises
    ------
    ValueError, ImportError
        As :func:`check_loggers` does.
    ConnectionError
        If a service does not let the run in.
    """
    names = [name.strip() for name in os.environ.get(VARIABLE, "tensorboard").split(",")]
    try:
        chosen = check_loggers([name for name in names if name])
    except ValueError as error:
        raise ValueError(f"the environment variable {VARIABLE} names an {error}") from error
    opened: list[Logger] = []
    try:
        for name in chosen:
            opened.append(LOGGERS[name](Path(folder), resumed_at=resumed_at))
    except BaseException:
        for logger in opened:
            logger.close()
        raise
    return opened


def _known_as(folder: Path, logger: str, new: Callable[[], str]) -> str:
    """The name that a logger knows this run by, now and when it resumes."""
    file = folder / f"{logger}.json"
    if not file.exists():
        write_json(file, {"id": new()})
    found = read_json(file)
    if not isinstance(found.get("id"), str):
        raise DamagedFileError(f"{file} names no run of {logger}: remove it to begin a new one")
    return found["id"]


def _description(folder: Path) -> dict[str, Any]:
    file = folder / "config.json"
    return read_json(file) if file.exists() else {}


def _name(folder: Path) -> str:
    """Objective and seed, if the run is described, and its folder's name."""
    found = _description(folder)
    if "objective" not in found or "training" not in found:
        return folder.name
    return f"{found['objective']['name']}-{found['training']['seed']}-{folder.name[:6]}"


def _flat(description: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values by the dotted path to each."""
    found: dict[str, Any] = {}
    for key, value in description.items():
        name = f"{prefix}{key}"
        found |= _flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return found
