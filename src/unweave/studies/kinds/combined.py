"""Several studies of models as one: their runs together, a page with a section for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Self

from pydantic import Field, field_validator

from unweave.studies.base import BaseStudy, distinct
from unweave.studies.kinds.training import TrainingStudy, size_of
from unweave.studies.plan import plan_in_words
from unweave.studies.training_run import TrainingDescription, prepare_data

__all__ = ["CombinedStudy"]


class CombinedStudy(BaseStudy):
    """Several questions, each answered by a study of models, on one page.

    Runs go part by part, and one that two parts share comes once.
    """

    kind: ClassVar = "combined"
    file_key: ClassVar = "parts"
    page_maker: ClassVar = "unweave.reports.study:combined_page"
    may_differ: ClassVar = {"parts": {"__all__": {"cells"}}}

    parts: tuple[TrainingStudy, ...] = Field(min_length=1)
    """Studies of models, in the order of the page."""

    @field_validator("parts")
    @classmethod
    def _of_different_names(cls, parts: tuple[TrainingStudy, ...]) -> tuple[TrainingStudy, ...]:
        names = [part.name for part in parts]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"two parts are called {twice[0]}: give each a name of its own")
        return parts

    def runs(self) -> list[TrainingDescription]:
        """One description a run."""
        return distinct(run for part in self.parts for run in part.descriptions)

    @property
    def size(self) -> str:
        """How much there is to do."""
        return size_of(self.descriptions)

    @property
    def n_runs(self) -> int:
        """How many runs, those that two parts share counted twice."""
        return sum(part.n_runs for part in self.parts)

    def prepare(self, progress: Callable[[int, int], None]) -> None:
        """Draw the data into the cache."""
        prepare_data(self.descriptions, progress)

    def plan(self, *, workers: int, shard: tuple[int, int] = (0, 1)) -> dict[str, str]:
        """Steps, parameters and hours, from a few steps of each kind of run."""
        return plan_in_words(self, workers=workers, shard=shard)

    def joined(self, others: Sequence[Self]) -> Self:
        """With the cells of all in each part."""
        alike = zip(self.parts, *(study.parts for study in others), strict=True)
        return self.model_copy(update={"parts": tuple(one.joined(rest) for one, *rest in alike)})
