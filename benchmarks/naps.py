"""A study of runs that sleep, for `engines.py`: in a module of its own, which workers import."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from unweave._storage import written_whole
from unweave.studies.base import BaseStudy, Description, Run


class Nap(Description):
    number: int
    seconds: float

    @property
    def work(self) -> int:
        return 1

    def run(self, folder: Path) -> "NapRun":
        return NapRun(self, folder)


class NapRun(Run):
    description: Nap
    schema: ClassVar = {"run": pl.String}

    def rows(self) -> Iterator[dict[str, Any]]:
        yield {"run": self.description.key}

    def compute(self, at_step) -> None:
        time.sleep(self.description.seconds)
        with written_whole(self.folder / "result.json") as temporary:
            temporary.write_text("{}")


class Naps(BaseStudy):
    n: int
    seconds: float

    def runs(self) -> list[Nap]:
        return [Nap(number=i, seconds=self.seconds) for i in range(self.n)]

    @property
    def size(self) -> str:
        return f"{self.n} runs"
