"""Studies of GEOMANCER on rendered objects: what separates rotation and light.

The experiment of Pfau et al. (2020), https://arxiv.org/abs/2006.12982, section 5.2.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
from pydantic import Field

from unweave._contents import Part
from unweave.datasets import Objects3D
from unweave.geometry import Geomancer
from unweave.metrics.subspace_error import unaligned_subspace_error
from unweave.studies.base import BaseStudy, Description, NumpySeed, Result, Run, distinct
from unweave.studies.representations import AnyRepresentation
from unweave.training import TRAINING_REVISION

__all__ = ["ObjectDescription", "ObjectRun", "ObjectStudy"]

_N_FACTORS = 2


class ObjectDescription(Description):
    """All that the result for one representation and seed depends on."""

    mesh: str
    points: int
    side: int
    images_seed: int
    representation: AnyRepresentation
    seed: int

    def run(self, folder: str | Path) -> ObjectRun:
        """The run that it describes, in a folder."""
        return ObjectRun(self, folder)

    @property
    def revision(self) -> int:
        """That of training, if its representation is trained."""
        return TRAINING_REVISION if self.representation.work else 0

    @property
    def work(self) -> int:
        """Training steps, and one."""
        return self.representation.work + 1

    @property
    def may_use_gpu(self) -> bool:
        """Whether its representation is trained, on a GPU where there is one."""
        return self.representation.work > 0

    def dataset(self) -> Objects3D:
        """The images."""
        return Objects3D(self.points, mesh=self.mesh, size=self.side, seed=self.images_seed)


class ObjectStudy(BaseStudy):
    """Every representation with every seed, as a TOML file states them."""

    kind: ClassVar = "objects"
    file_key: ClassVar = "representations"
    page_maker: ClassVar = "unweave.reports.objects:objects_page"

    representations: tuple[AnyRepresentation, ...] = Field(min_length=1)
    """What GEOMANCER sees."""
    seeds: tuple[NumpySeed, ...] = Field(min_length=1)
    """Seeds of random maps, training, the eigensolver and the clustering."""
    mesh: str = "bunny"
    """What is rendered; a file of a mesh is accepted."""
    points: int = Field(default=10_000, ge=100)
    """How many images."""
    side: int = Field(default=64, ge=8)
    """Pixels on a side."""
    images_seed: int = Field(default=0, ge=0)
    """Seed of rotations, lights and motions."""

    def runs(self) -> list[ObjectDescription]:
        """One description a run."""
        return distinct(
            ObjectDescription(
                mesh=self.mesh,
                points=self.points,
                side=self.side,
                images_seed=self.images_seed,
                representation=representation,
                seed=seed,
            )
            for seed in self.seeds
            for representation in self.representations
        )

    @property
    def size(self) -> str:
        """How much there is to do."""
        runs = self.descriptions
        steps = sum(run.representation.work for run in runs)
        return f"{len(runs)} runs, {self.points:,} images, {steps:,} training steps"

    def prepare(self, progress: Callable[[int, int], None]) -> None:
        """Render the images, once for all runs."""
        dataset = self.descriptions[0].dataset()
        for representation in self.representations:
            representation.prepare(dataset, progress)


class _Split(Part):
    dims_by_gap: list[int]
    dims: list[int]
    dims_match: bool
    mean: float
    median: float
    chance: float
    confidence: float
    dimension: float | None
    seconds: float


class ObjectResult(Result):
    """What ``result.json`` of a representation holds."""

    features: int
    tangents: dict[str, _Split]


class ObjectRun(Run):
    """One representation split, with tangents fitted to it and with those of motions."""

    description: ObjectDescription
    result_type: ClassVar = ObjectResult
    schema: ClassVar = {
        "run": pl.String,
        "representation": pl.String,
        "seed": pl.Int64,
        "points": pl.Int64,
        "features": pl.Int64,
        "tangents": pl.String,
        "dims_by_gap": pl.String,
        "dims": pl.String,
        "dims_match": pl.Boolean,
        "mean": pl.Float64,
        "median": pl.Float64,
        "chance": pl.Float64,
        "confidence": pl.Float64,
        "dimension": pl.Float64,
        "seconds": pl.Float64,
    }

    def rows(self) -> Iterator[dict[str, Any]]:
        """A row for each kind of tangents."""
        result = self.result()
        for tangents, found in result["tangents"].items():
            yield {
                "run": self.description.key,
                "representation": self.description.representation.label,
                "seed": self.description.seed,
                "points": self.description.points,
                "features": result["features"],
                "tangents": tangents,
                **{key: found[key] for key in self.schema if key in found},
                "dims": "+".join(map(str, found["dims"])),
                "dims_by_gap": "+".join(map(str, found["dims_by_gap"])),
            }

    def summary(self) -> str:
        """The representation, and the least error."""
        least = min(found["mean"] for found in self.result()["tangents"].values())
        return f"{self.description.representation.label}: {least:.3f} rad"

    def compute(self, at_step: Callable[[int], None] | None) -> None:
        """Make the codes, and split them by each kind of tangents."""
        description = self.description
        dataset = description.dataset()
        codes = description.representation.codes(dataset, description.seed, self.folder, at_step)
        kinds: dict[str, np.ndarray | None] = {"fitted": None}
        if codes.tangents is not None:
            kinds["motions"] = codes.tangents
        self.write_result(
            {
                "features": codes.points.shape[1],
                "tangents": {
                    name: _split(codes.points, tangents, dataset, description.seed)
                    for name, tangents in kinds.items()
                },
            },
        )


def _split(
    points: np.ndarray, tangents: np.ndarray | None, dataset: Objects3D, seed: int
) -> dict[str, Any]:
    """What GEOMANCER finds: by the gap, and when the number of factors is given."""
    true = dataset.tangents
    n_dims = sum(basis.shape[2] for basis in true)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        by_gap = Geomancer(n_dims, random_state=seed).fit(points, tangents=tangents)
        start = time.perf_counter()
        model = Geomancer(n_dims, n_factors=_N_FACTORS, random_state=seed)
        model.fit(points, tangents=tangents)
        seconds = time.perf_counter() - start
    error = unaligned_subspace_error(model.subspaces_, points, true, dataset.points, seed=seed)
    return {
        "dims_by_gap": by_gap.dims_.tolist(),
        "dims": model.dims_.tolist(),
        "dims_match": error.dims_match,
        "mean": error.mean,
        "median": error.median,
        "chance": error.chance_mean,
        "eigenvalues": by_gap.eigenvalues_.tolist(),
        "confidence": by_gap.confidence_,
        "dimension": None if np.isnan(by_gap.dimension_) else by_gap.dimension_,
        "seconds": seconds,
        "warnings": sorted({str(warning.message) for warning in caught}),
    }
