"""A study of runs that sleep, for `engines.py`: in a module of its own, which workers import."""

import time
from collections.abc import Iterator
from typing import Any, ClassVar

import polars as pl

from unweave.studies.description import BaseStudy, Description
from unweave.studies.run import Run
from unweave.training.checkpoint import write_json


class Nap(Description):
    number: int
    seconds: float

    @property
    def work(self) -> int:
        return 1


class NapRun(Run):
    description: Nap
    describes: ClassVar = Nap
    schema: ClassVar = {"run": pl.String}

    def rows(self) -> Iterator[dict[str, Any]]:
        yield {"run": self.description.key}

    def _execute(self, at_step) -> None:
        time.sleep(self.description.seconds)
        write_json(self.folder / "result.json", {})


class Naps(BaseStudy):
    n: int
    seconds: float

    def runs(self) -> list[Nap]:
        return [Nap(number=i, seconds=self.seconds) for i in range(self.n)]

    @property
    def size(self) -> str:
        return f"{self.n} runs"
