"""What every study and every run of one is."""

from __future__ import annotations

import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from unweave._random import LARGEST_SEED

if TYPE_CHECKING:
    from unweave.studies.run import Run

__all__ = [
    "MOST_DRAWS", "MOST_ROWS", "BaseStudy", "Description", "Frozen", "NumpySeed", "Seed",
    "distinct",
]  # fmt: skip

Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
"""A seed of training: a whole number of at least 0 that 63 bits can hold."""

NumpySeed = Annotated[int, Field(ge=0, le=2**32 - 1)]
"""A seed that goes to scikit-learn, which takes 32 bits."""

MOST_ROWS = 10_000_000
"""Rows that a study may score a model on."""

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
    @abstractmethod
    def work(self) -> int:
        """Units of the progress bar."""

    @property
    def may_use_gpu(self) -> bool:
        """Whether its run computes on a GPU, where there is one."""
        return False

    @abstractmethod
    def run(self, folder: str | Path) -> Run:
        """The run that it describes, in a folder."""


class BaseStudy(Frozen, ABC):
    """A study: what it asks, and its runs."""

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

    @abstractmethod
    def runs(self) -> list:
        """One description a run."""

    @property
    @abstractmethod
    def size(self) -> str:
        """How much there is to do."""

    @property
    def n_runs(self) -> int:
        """How many runs at most, without listing them where that would take long."""
        return len(self.runs())

    def prepare(self, progress: Callable[[int, int], None]) -> None:
        """Draw the data into the cache, once for all runs; ``progress`` is told images, and all."""


_Run = TypeVar("_Run", bound=Description)


def distinct(runs: Iterable[_Run]) -> list[_Run]:
    """The runs, each once."""
    found: dict[str, _Run] = {}
    for run in runs:
        found.setdefault(run.key, run)
    return list(found.values())
