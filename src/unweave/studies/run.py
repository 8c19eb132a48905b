"""One run of a study: a folder named by the hash of its description."""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from filelock import FileLock, Timeout

from unweave._files import DamagedFileError, read_json
from unweave.datasets.cache import writable_folder
from unweave.studies.description import Description

__all__ = ["Run", "RunIsBusyError", "finish_run"]


class RunIsBusyError(OSError):
    """Another living process is at work on this run."""


class Run(ABC):
    """A run and its folder; ``result.json`` there says that it is finished.

    Parameters
    ----------
    description
        What the run is.
    folder
        Where it lives.
    """

    schema: ClassVar[dict[str, Any]]
    """Columns of the study's table, and their types."""
    order: ClassVar[tuple[Any, ...]] = ()
    """Columns that the rows are sorted by; else they are in the order of the runs."""

    def __init__(self, description: Description, folder: str | Path) -> None:
        self.description = description
        self.folder = Path(folder)

    @property
    def is_finished(self) -> bool:
        """Whether its result is there."""
        return (self.folder / "result.json").exists()

    def result(self) -> dict[str, Any]:
        """The finished run's content.

        Raises
        ------
        FileNotFoundError
            If the run is not finished.
        DamagedFileError
            If ``result.json`` is damaged.
        """
        file = self.folder / "result.json"
        try:
            return read_json(file)
        except DamagedFileError as error:
            raise DamagedFileError(
                error.damage,
                "remove it and start the run again, which resumes from its checkpoint",
            ) from error

    @abstractmethod
    def rows(self) -> Iterator[dict[str, Any]]:
        """The finished run's rows of the study's table."""

    def summary(self) -> str:
        """What came out, in a few words."""
        return ""

    def execute(self, at_step: Callable[[int], None] | None = None) -> None:
        """Do the work, resuming where an earlier call was interrupted.

        Raises
        ------
        OSError
            If the folder cannot be made.
        RunIsBusyError
            If another process is at work in this folder.
        """
        writable_folder(self.folder)
        # The kernel lets go of the lock when its process dies, however it dies.
        lock = FileLock(self.folder / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise RunIsBusyError(f"another process is at work in {self.folder}") from None
        try:
            if not self.is_finished:
                self._execute(at_step)
        finally:
            lock.release()

    @abstractmethod
    def _execute(self, at_step: Callable[[int], None] | None) -> None:
        """Do the work and write ``result.json``."""


def finish_run(run: Run, at_step: Callable[[int], None] | None = None) -> str | None:
    """Do a run's work; the reason if it failed.

    Raises
    ------
    RunIsBusyError
        If another process is at work on it.
    InterruptedError
        If ``at_step`` raised it, to stop the work here.
    """
    try:
        run.execute(at_step)
    except (RunIsBusyError, InterruptedError):
        raise
    except Exception as error:
        with suppress(OSError):  # a full disk may be what it failed of
            run.folder.mkdir(parents=True, exist_ok=True)
            (run.folder / "failure.txt").write_text(traceback.format_exc(), encoding="utf-8")
        return f"{type(error).__name__}: {error}"
    return None
