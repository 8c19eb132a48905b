"""Studies of GEOMANCER: products of manifolds, split from growing numbers of points."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field, field_validator

from unweave.datasets.manifolds import parse_manifold
from unweave.geometry import Geomancer
from unweave.metrics.subspace_error import subspace_error
from unweave.studies.base import BaseStudy, Description, NumpySeed, Result, Run, distinct

__all__ = ["ManifoldDescription", "ManifoldRun", "ManifoldStudy"]

Settings = Literal["default", "paper"]


class ManifoldDescription(Description):
    """All that the result for one sample of a product depends on."""

    product: str
    points: int
    noise: float
    settings: Settings
    seed: int

    def run(self, folder: str | Path) -> ManifoldRun:
        """The run that it describes, in a folder."""
        return ManifoldRun(self, folder)

    @property
    def work(self) -> int:
        """Points."""
        return self.points


class ManifoldStudy(BaseStudy):
    """Every product, number of points, noise, setting and seed, as a TOML file states them."""

    kind: ClassVar = "manifolds"
    file_key: ClassVar = "products"
    page_maker: ClassVar = "unweave.reports.manifolds:manifolds_page"

    products: tuple[str, ...] = Field(min_length=1)
    """As "S^2 x SO(3)"."""
    points: tuple[int, ...] = Field(min_length=1)
    """How many are drawn."""
    seeds: tuple[NumpySeed, ...] = Field(min_length=1)
    """Seeds of the points, the eigensolver and the clustering."""
    noise: tuple[float, ...] = (0.0,)
    """Standard deviations of noise on each ambient coordinate."""
    settings: tuple[Settings, ...] = ("default", "paper")
    """Settings of ``Geomancer``: tangents by a quadratic fit, or the paper's."""

    @field_validator("products")
    @classmethod
    def _parsed(cls, products: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(repr(parse_manifold(text)) for text in products)

    @field_validator("points")
    @classmethod
    def _enough(cls, points: tuple[int, ...]) -> tuple[int, ...]:
        if min(points) < 100:
            raise ValueError("fewer than 100 points span no manifold")
        return points

    @field_validator("noise")
    @classmethod
    def _spread(cls, noise: tuple[float, ...]) -> tuple[float, ...]:
        if min(noise) < 0:
            raise ValueError("noise is a standard deviation of at least 0")
        return noise

    def runs(self) -> list[ManifoldDescription]:
        """One description a run, the smallest first."""
        cells = product(sorted(self.points), self.products, self.noise, self.settings, self.seeds)
        return distinct(
            ManifoldDescription(points=n, product=p, noise=noise, settings=settings, seed=seed)
            for n, p, noise, settings, seed in cells
        )

    @property
    def size(self) -> str:
        """How much there is to do."""
        runs = self.descriptions
        return f"{len(runs)} runs, {sum(run.work for run in runs):,} points"


class ManifoldResult(Result):
    """What ``result.json`` of a sample holds."""

    dims_true: list[int]
    dims: list[int]
    dims_match: bool
    mean: float
    median: float
    chance: float
    gap: float
    confidence: float
    dimension: float | None
    seconds: float


class ManifoldRun(Run):
    """One sample split, and its error."""

    description: ManifoldDescription
    result_type: ClassVar = ManifoldResult
    schema: ClassVar = {
        "run": pl.String,
        "product": pl.String,
        "points": pl.Int64,
        "noise": pl.Float64,
        "settings": pl.String,
        "seed": pl.Int64,
        "dims_true": pl.String,
        "dims": pl.String,
        "dims_match": pl.Boolean,
        "mean": pl.Float64,
        "median": pl.Float64,
        "chance": pl.Float64,
        "gap": pl.Float64,
        "confidence": pl.Float64,
        "dimension": pl.Float64,
        "seconds": pl.Float64,
    }

    def rows(self) -> Iterator[dict[str, Any]]:
        """One row."""
        result = self.result()
        content = {**result, **result["description"], "run": self.description.key}
        for key in ("dims_true", "dims"):
            content[key] = "+".join(map(str, content[key]))
        yield {key: content[key] for key in self.schema}

    def summary(self) -> str:
        """The product, and the error."""
        description, result = self.description, self.result()
        return f"{description.product}, {description.points:,} points: {result['mean']:.3f} rad"

    def compute(self, at_step: Callable[[int], None] | None) -> None:
        """Draw the points, split them, and measure the error."""
        description = self.description
        manifold = parse_manifold(description.product)
        sample = manifold.sample(
            description.points, random_state=description.seed, noise=description.noise, rotate=True
        )
        if at_step:
            at_step(1)
        model = Geomancer(manifold.dim, random_state=description.seed)
        if description.settings == "paper":
            model = Geomancer.reference(manifold.dim, random_state=description.seed)
            model.set_params(whole_spectrum=False)
        start = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(sample.points)
        seconds = time.perf_counter() - start
        error = subspace_error(model.subspaces_, sample.tangents)
        self.write_result(
            {
                "dims_true": sorted(sample.dims),
                "dims": model.dims_.tolist(),
                "dims_match": error.dims_match,
                "mean": error.mean,
                "median": error.median,
                "chance": error.chance_mean,
                "eigenvalues": model.eigenvalues_.tolist(),
                "gap": model.gap_,
                "confidence": model.confidence_,
                "dimension": None if np.isnan(model.dimension_) else model.dimension_,
                "warnings": [str(warning.message) for warning in caught],
                "seconds": seconds,
            },
        )
