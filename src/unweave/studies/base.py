"""What every study, every description of a run and every run is."""

from __future__ import annotations

import hashlib
import json
import os
import re
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar

from filelock import BaseFileLock, FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, field_validator

from unweave._bounds import LARGEST, LARGEST_NUMPY_SEED
from unweave._contents import Content
from unweave._files import DamagedFileError, file_sha256, is_file, read_json, sealed
from unweave._objects import object_name
from unweave._storage import writable_folder, write_json
from unweave.metrics.score import with_todays_names

if TYPE_CHECKING:
    from unweave.studies.folder import Finished

__all__ = [
    "MOST_DRAWS", "RESULT", "BaseStudy", "Description", "Frozen", "NumpySeed",
    "Result", "Run", "RunIsBusyError", "Seed", "distinct", "finish_run", "free_name",
]  # fmt: skip

RESULT = "result.json"
_REMEDY = "remove it and start the run again, which resumes from its checkpoint"

Seed = Annotated[int, Field(ge=0, le=LARGEST)]
"""A seed of training: a whole number of at least 0 that 63 bits can hold."""

NumpySeed = Annotated[int, Field(ge=0, le=LARGEST_NUMPY_SEED)]
"""A seed that goes to scikit-learn, which takes 32 bits."""

MOST_DRAWS = 1_000_000
"""Draws of one kind that a study may take for a score."""


class Frozen(BaseModel):
    """A part of a description: it cannot be changed, and knows all its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Description(Frozen, ABC):
    """All that one run's results depend on."""

    @property
    def key(self) -> str:
        """Name of the run: the hash of its description, and of the code's revision if it has one.

        A run that was finished before a revision is not taken for a run of today.
        """
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        if self.revision:
            text += f" revision {self.revision}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def revision(self) -> int:
        """How often a change of the code has changed what this description leads to."""
        return 0

    @property
    def work(self) -> int:
        """Units of the progress bar."""
        return 1

    @property
    def may_use_gpu(self) -> bool:
        """Whether its run computes on a GPU, where there is one."""
        return False

    @abstractmethod
    def run(self, folder: str | Path) -> Run:
        """The run that it describes, in a folder."""


class BaseStudy(Frozen, ABC):
    """A kind of study: what it asks, its runs, and what is made of them.

    A class in the folder ``kinds`` names itself by ``kind``; one from outside this package is named
    ``package.module:Class``.
    """

    kind: ClassVar[str] = ""
    """Its name in a study file; of a class from outside this package it is not read."""
    file_key: ClassVar[str] = ""
    """The key by which a file that names no kind is known as one of this kind."""
    page_maker: ClassVar[str] = "unweave.reports.plain:plain_page"
    """The function of this package that makes the page, unless ``page`` is overridden."""
    may_differ: ClassVar[Any] = {}
    """Keys in which studies may differ that are merged, as pydantic's ``exclude`` takes them."""

    name: str
    """Names the folder."""
    title: str
    """Heads the report."""
    question: str
    """What the report answers."""
    note: str = ""
    """What a reader should know about the study's size."""

    @field_validator("name")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value):
            raise ValueError("a study's name is made of letters, digits, '.', '_' and '-'")
        return value

    @classmethod
    def kind_name(cls) -> str:
        """What a study file calls this kind."""
        if cls.__module__.startswith("unweave.studies.kinds."):
            return cls.kind
        return object_name(cls)

    @abstractmethod
    def runs(self) -> Sequence[Description]:
        """One description a run."""

    @cached_property
    def descriptions(self) -> tuple[Any, ...]:
        """The descriptions that :meth:`runs` gives, which is asked once.

        Raises
        ------
        ValueError
            If there are none.
        """
        found = tuple(self.runs())
        if not found:
            raise ValueError(f"the study {self.name} describes no run: give it at least one")
        return found

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other values, and so with other runs."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("descriptions", None)
        return copied

    @property
    def size(self) -> str:
        """How much there is to do."""
        n = len(self.descriptions)
        return f"{n:,} run{'s' if n > 1 else ''}"

    @property
    def n_runs(self) -> int:
        """How many runs at most, without listing them where that would take long."""
        return len(self.descriptions)

    def prepare(self, progress: Callable[[int, int], None]) -> None:
        """Draw the data into the cache, once for all runs; ``progress`` gets (images, total)."""

    def plan(self, *, workers: int, shard: tuple[int, int] = (0, 1)) -> dict[str, str]:
        """What the runs of a shard take, measured here, in words; empty if nothing is measured."""
        return {}

    def page(self, finished: Finished) -> str:
        """The page of the finished runs, in HTML; by default the table.

        Raises
        ------
        ValueError
            If the runs say nothing that a page could show.
        """
        module, _, maker = self.page_maker.partition(":")
        return getattr(import_module(module), maker)(self, finished)

    def joined(self, others: Sequence[Self]) -> Self:
        """One study of the runs of several, which are alike but for ``may_differ``."""
        return self


_Run = TypeVar("_Run", bound=Description)


def distinct(runs: Iterable[_Run]) -> list[_Run]:
    """The runs, each once."""
    found: dict[str, _Run] = {}
    for run in runs:
        found.setdefault(run.key, run)
    return list(found.values())


class RunIsBusyError(OSError):
    """Another living process is at work on this run."""


class Result(Content):
    """What ``result.json`` of any run holds."""

    run: str | None = None
    """Key of the run; results of earlier versions have neither this nor a checksum."""
    description: dict[str, Any]
    files: dict[str, str] = {}
    """SHA-256 of files beside it that belong to the result."""


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
    shown: ClassVar[tuple[Any, ...]] = ()
    """Columns that a terminal shows; all of them if empty."""
    n_keys: ClassVar[int] = 1
    """How many of these say which row it is, and are repeated where a table is too wide."""
    result_type: ClassVar[type[Result]] = Result
    """What ``result.json`` must hold."""

    def __init__(self, description: Description, folder: str | Path) -> None:
        self.description = description
        self.folder = Path(folder)
        self.has_checksum = False
        """Whether changes of the result that was read last are noticed; of earlier versions not."""

    @property
    def is_finished(self) -> bool:
        """Whether its result is there."""
        return os.path.lexists(self.folder / RESULT)

    def result(self) -> dict[str, Any]:
        """The finished run's content.

        Raises
        ------
        FileNotFoundError
            If the run is not finished.
        DamagedFileError
            If ``result.json`` is damaged, or is of another run.
        """
        result = self._any_result()
        own = self.description.model_dump(mode="json")
        described = {key: result["description"].get(key) for key in own}
        if result.get("run") not in (None, self.description.key) or described != own:
            raise DamagedFileError(
                f"{self.folder / RESULT} is of another run than {self.description.key}", _REMEDY
            )
        self.has_checksum = "checksum" in result
        return result

    def _any_result(self) -> dict[str, Any]:
        """The content of ``result.json``, whichever run it is of."""
        try:
            return with_todays_names(read_json(self.folder / RESULT, self.result_type))
        except DamagedFileError as error:
            raise DamagedFileError(error.damage, _REMEDY) from error

    def damage(self, *, with_model: bool = False) -> str | None:
        """What is wrong with the run's files, in words; None if nothing is.

        For a finished run, these are ``result.json`` and the files that it names; ``with_model``
        adds its last checkpoint, which takes longer. For another, what it would resume from.
        """
        if not self.is_finished:
            return self._damage_underway()
        try:
            result = self.result()
        except DamagedFileError as error:
            return error.damage
        except FileNotFoundError as error:
            return str(error)
        return self._damage_of_files(result) or (self._damage_of_model() if with_model else None)

    def _damage_of_files(self, result: Mapping[str, Any]) -> str | None:
        for name, expected in result.get("files", {}).items():
            file = self.folder / Path(name).name
            try:
                if not is_file(file):
                    return f"there is no file {file}"
            except DamagedFileError as error:
                return error.damage
            if file_sha256(file) != expected:
                return f"{file} is damaged (its SHA-256 is not that in {RESULT})"
        return None

    def _damage_of_model(self) -> str | None:
        """What is wrong with the last checkpoint of a finished run."""
        return None

    def _damage_underway(self) -> str | None:
        """What is wrong with the files of a run that is not finished."""
        return None

    def set_aside(self) -> Path | None:
        """Move the damaged run's folder, as it is, to a free name beside it; the new place.

        None if it is not damaged any more, as another process was faster.

        Raises
        ------
        RunIsBusyError
            If another process is at work on it.
        """
        with self._locked() as lock:
            if self.damage(with_model=True) is None:
                return None
            if os.name == "nt":  # which moves no folder with an open file in it
                lock.release()
            return self.folder.rename(free_name(self.folder))

    @abstractmethod
    def rows(self) -> Iterator[dict[str, Any]]:
        """The finished run's rows of the study's table."""

    def summary(self) -> str:
        """What came out, in a few words."""
        return ""

    def dataset_name(self) -> str | None:
        """Name of the dataset that it is about; None if there is none whose changes matter."""
        return None

    def data_identity(self) -> str | None:
        """What names the images that the finished run is about; None if that was not kept."""
        return None

    def execute(self, at_step: Callable[[int], None] | None = None) -> None:
        """Do the work, resuming where an earlier call was interrupted.

        Raises
        ------
        OSError
            If the folder cannot be made.
        RunIsBusyError
            If another process is at work in this folder.
        """
        with self._locked():
            if not self.is_finished:
                self.compute(at_step)

    @contextmanager
    def _locked(self) -> Iterator[BaseFileLock]:
        """While no other process is at work on the run."""
        writable_folder(self.folder)
        folder = self.folder.stat().st_ino
        # The kernel lets go of the lock when its process dies, however it dies.
        lock = FileLock(self.folder / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise RunIsBusyError(f"another process is at work in {self.folder}") from None
        try:
            if not self.folder.exists() or self.folder.stat().st_ino != folder:
                raise RunIsBusyError(f"another process has moved {self.folder}")
            yield lock
        finally:
            lock.release()

    def write_result(self, content: Mapping[str, Any], *files: str) -> None:
        """Write ``result.json``, which ends the run.

        The key of the run, its description, a checksum, and one of each of the ``files`` beside it
        are added.
        """
        sums = {name: file_sha256(self.folder / name) for name in files}
        described = {"description": self.description.model_dump(mode="json"), **content}
        named = {"run": self.description.key, **described, "files": sums}
        write_json(self.folder / RESULT, sealed(named))

    @abstractmethod
    def compute(self, at_step: Callable[[int], None] | None) -> None:
        """Do the work, and end with :meth:`write_result`.

        ``at_step`` is called with the units of work done, and raises what stops the run.
        """


def free_name(path: str | Path) -> Path:
    """A name beside a damaged file or folder that nothing has yet, as NAME.damaged-1."""
    path = Path(path)
    places = (path.with_name(f"{path.name}.damaged-{number}") for number in count(1))
    return next(place for place in places if not os.path.lexists(place))


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
