"""Axes of a study, and which points of their product it visits."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Discriminator, Field, Tag, model_validator

from unweave.studies.base import Frozen

__all__ = ["Axis", "Range", "Sample", "changed", "check_axes", "n_points", "points"]

_ROOTS = ("dataset", "network", "objective", "training", "evaluation")


class Range(Frozen):
    """All numbers between two, for random and Sobol samples."""

    low: float
    """The smallest."""
    high: float
    """The largest."""
    scale: Literal["linear", "log"] = "linear"
    """In which numbers are spread evenly: as they are, or by their logarithms."""
    whole: bool = False
    """Whether they are rounded to whole numbers."""

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"a range goes from low to high, not from {self.low} to {self.high}")
        if self.scale == "log" and self.low <= 0:
            raise ValueError(f"a logarithmic range is above 0, and low is {self.low}")
        return self

    def at(self, share: float) -> float | int:
        """The number at a share in [0, 1) of the way."""
        low, high = self.low, self.high
        if self.whole:  # so that both ends are as likely as the others
            low, high = low - 0.5 + 1e-9, high + 0.5 - 1e-9
        if self.scale == "log":
            low = max(low, self.low / 2)
            value = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
        else:
            value = low + share * (high - low)
        return min(max(round(value), round(self.low)), round(self.high)) if self.whole else value


def _kind(axis: object) -> str:
    return "range" if isinstance(axis, Range | Mapping) else "values"


Axis = Annotated[
    Annotated[Range, Tag("range")] | Annotated[tuple[Any, ...], Field(min_length=1), Tag("values")],
    Discriminator(_kind),
]
"""Values one by one, or a range."""


class Sample(Frozen):
    """Which points are visited."""

    method: Literal["grid", "list", "random", "sobol"] = "grid"
    """All; those of the axes' first values, their second...; or drawn: at random or by Sobol's
    sequence, which fills space evenly."""
    n: int | None = Field(default=None, ge=1)
    """How many are drawn."""
    seed: int = Field(default=0, ge=0)
    """Seed of the draws."""

    @model_validator(mode="after")
    def _counted(self) -> Sample:
        if (self.method in ("random", "sobol")) != (self.n is not None):
            raise ValueError(
                f"sample = {{ method = {self.method!r} }} "
                + ("needs n, the number of points" if self.n is None else "takes no n")
            )
        return self


def check_axes(axes: Mapping[str, Axis], sample: Sample) -> None:
    """Refuse axes of what there is not, and samples that do not go with them.

    Raises
    ------
    ValueError
        If there are such.
    """
    for name, axis in axes.items():
        root, _, rest = name.partition(".")
        if root not in _ROOTS or bool(rest) != (root != "dataset"):
            raise ValueError(
                f"no axis {name!r}: axes are dataset, and keys of network, objective, training and "
                'evaluation, as "network.width"'
            )
        if isinstance(axis, Range) and sample.method in ("grid", "list"):
            raise ValueError(
                f"{name} is a range: draw from it with sample = {{ method = 'sobol', n = 32 }}, or "
                "give its values"
            )
    if sample.method == "list" and len({len(a) for a in axes.values() if isinstance(a, tuple)}) > 1:
        sizes = {name: len(a) for name, a in axes.items() if isinstance(a, tuple)}
        raise ValueError(f"a list takes axes of one length, and these have {sizes}")


def n_points(axes: Mapping[str, Axis], sample: Sample) -> int:
    """How many points are visited, without visiting them."""
    if sample.n is not None:
        return sample.n
    sizes = [len(axis) for axis in axes.values() if isinstance(axis, tuple)]
    if sample.method == "list":
        return max(sizes, default=1)
    return math.prod(sizes)


def points(axes: Mapping[str, Axis], sample: Sample) -> Iterator[dict[str, Any]]:
    """The points: for each axis a value."""
    if sample.method in ("grid", "list"):
        lists = [axis for axis in axes.values() if isinstance(axis, tuple)]
        rows = itertools.product(*lists) if sample.method == "grid" else zip(*lists, strict=True)
        for row in rows if lists else [()]:
            yield dict(zip(axes, row, strict=True))
        return
    assert sample.n is not None
    for shares in _shares(sample, len(axes)):
        yield {
            name: axis.at(share)
            if isinstance(axis, Range)
            else axis[min(int(share * len(axis)), len(axis) - 1)]
            for (name, axis), share in zip(axes.items(), shares, strict=True)
        }


def changed(content: Mapping[str, Any], point: Mapping[str, Any]) -> dict[str, Any]:
    """A description's content with the point's values in their places."""
    new = copy.deepcopy(dict(content))
    for name, value in point.items():
        *path, last = name.split(".")
        place = new
        for key in path:
            place = place.setdefault(key, {})
        place[last] = value
    return new


def _shares(sample: Sample, n_axes: int) -> list[list[float]]:
    """Points (n, axes) of the unit cube."""
    assert sample.n is not None
    if n_axes == 0:
        return [[] for _ in range(sample.n)]
    if sample.method == "random":
        return np.random.default_rng(sample.seed).random((sample.n, n_axes)).tolist()
    from scipy.stats import qmc

    # Sobol's sequence is balanced in powers of two: the rest of the last one is left out.
    power = math.ceil(math.log2(sample.n))
    sequence = qmc.Sobol(n_axes, scramble=True, rng=np.random.default_rng(sample.seed))
    return sequence.random_base2(power)[: sample.n].tolist()
