"""Several studies of models as one: their runs together, a page with a section for each."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import Field, field_validator

from unweave.studies.base import BaseStudy, distinct
from unweave.studies.kinds.training import RunDescription, Study, prepare_data, size_of

__all__ = ["CombinedStudy"]


class CombinedStudy(BaseStudy):
    """Several questions, each answered by a study of models, on one page.

    Runs go part by part, and one that two parts share comes once.
    """

    parts: tuple[Study, ...] = Field(min_length=1)
    """Studies of models, in the order of the page."""

    @field_validator("parts")
    @classmethod
    def _of_different_names(cls, parts: tuple[Study, ...]) -> tuple[Study, ...]:
        names = [part.name for part in parts]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"two parts are called {twice[0]}: give each a name of its own")
        return parts

    def runs(self) -> list[RunDescription]:
        """One description a run."""
        return distinct(run for part in self.parts for run in part.runs())

    @property
    def size(self) -> str:
        """How much there is to do."""
        return size_of(self.runs())

    @property
    def n_runs(self) -> int:
        """How many runs, those that two parts share counted twice."""
        return sum(part.n_runs for part in self.parts)

    def prepare(self, progress: Callable[[int, int], None]) -> None:
        """Draw the data into the cache."""
        prepare_data(self.runs(), progress)
