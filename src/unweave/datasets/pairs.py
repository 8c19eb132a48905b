"""Pairs of images that share factors, as methods with weak supervision train on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from unweave._check import check_choice, check_positive
from unweave.datasets.dataset import FactorDataset, GridDataset, need_grid
from unweave.datasets.factors import Factor, FactorSpace
from unweave.datasets.selection import FactorSelection

__all__ = ["Pairs", "draw_pairs"]

STEPS = ("uniform", "other", "laplace", "laplace_line")
NUISANCES = ("redrawn", "shared")

_MOST_AT_ONCE = 2**14
_TRIES = 2**18
_SAME_ANGLE = 1e-9  # radians

Law = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Levels (n, factors) of second images, for those of first ones."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of rows of a dataset, and which factors differ in each."""

    first: np.ndarray
    """Rows (n,) int64 of the first images."""
    second: np.ndarray
    """Rows (n,) int64 of the second images."""
    changed: np.ndarray
    """Whether each scored factor differs between the two, (n, factors) bool. Levels that are the
    same angle, as the first and the last orientation of dSprites, do not differ."""

    def __len__(self) -> int:
        return len(self.first)


def draw_pairs(
    dataset: FactorDataset,
    n_pairs: int,
    *,
    n_changed: int | str | Sequence[int] | None = None,
    steps: str = "uniform",
    rate: float = 1.0,
    nuisances: str = "redrawn",
    random_state: int | np.random.Generator,
) -> Pairs:
    """Pairs of rows; see :meth:`~unweave.datasets.FactorDataset.pairs`."""
    n_pairs = check_positive("n_pairs", n_pairs)
    part = dataset if isinstance(dataset, FactorSelection) else None
    grid = need_grid(
        dataset if part is None else part.dataset, "pairs share some factors and change others"
    )
    law = _law(grid, n_changed, check_choice("steps", steps, STEPS), rate)
    law = _with_nuisances(grid, law, check_choice("nuisances", nuisances, NUISANCES))
    rng = np.random.default_rng(random_state)
    if part is None:
        first, before, after = _drawn(grid.space, law, None, n_pairs, rng)
        second = grid.space.indices(after)
    else:
        first, second, before, after = _of_part(part, grid.space, law, n_pairs, rng)
    differs = [
        _classes(factor)[before[:, i]] != _classes(factor)[after[:, i]]
        for i, factor in enumerate(grid.space.factors)
        if factor.name not in grid.nuisances
    ]
    return Pairs(first, second, np.stack(differs, axis=1))


def _drawn(
    space: FactorSpace, law: Law, rows: np.ndarray | None, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First rows, as places among ``rows`` if given, and levels of first and second images."""
    first = rng.integers(len(space) if rows is None else len(rows), size=n)
    before = space.levels(first if rows is None else rows[first])
    return first, before, law(before, rng)


def _of_part(
    part: FactorSelection, space: FactorSpace, law: Law, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """Pairs of the grid both of whose images are in a part of it, by rejection."""
    ordered, places = part.ordered_rows
    likely = len(part) / len(space)
    found: list[tuple[np.ndarray, ...]] = []
    n_found = n_tried = 0
    while n_found < n:
        at_once = int(min(_MOST_AT_ONCE, 16 + 1.5 * (n - n_found) / likely))
        first, before, after = _drawn(space, law, part.rows, at_once, rng)
        second = space.indices(after)
        nearest = np.minimum(np.searchsorted(ordered, second), len(part) - 1)
        present = ordered[nearest] == second
        found.append(tuple(a[present] for a in (first, places[nearest], before, after)))
        n_found += int(present.sum())
        n_tried += at_once
        likely = max(n_found, 1) / n_tried
        if not n_found and n_tried >= _TRIES:
            raise ValueError(
                f"no pair of {n_tried:,} has both images among the {len(part):,} of "
                f"{part.name} that were selected: select rows that differ in fewer factors, or "
                "change more factors at once"
            )
    return tuple(np.concatenate(arrays)[:n] for arrays in zip(*found, strict=True))


def _law(
    grid: GridDataset, n_changed: int | str | Sequence[int] | None, steps: str, rate: float
) -> Law:
    """How second images follow from first ones, but for nuisances, which stay."""
    space = grid.space
    scored = [i for i, name in enumerate(space.names) if name not in grid.nuisances]
    moving = [i for i in scored if _classes(space.factors[i]).max() > 0]
    if not steps.startswith("laplace"):
        if not moving:
            raise ValueError(f"no factor of {grid.name} has two levels, so that none can change")
        numbers = _numbers(n_changed, len(moving))
        return functools.partial(_change_some, space, moving, numbers, steps == "other")
    if n_changed is not None:
        raise ValueError(
            f"n_changed={n_changed!r} has no meaning with steps={steps!r}, where each factor moves "
            "by chance: leave it out, or choose steps='uniform' or 'other'"
        )
    if not (np.isfinite(rate) and rate > 0):
        raise ValueError(f"rate must be a positive number, not {rate}")
    moving = [i for i in moving if space.kinds[i] != "categorical"]
    if not moving:
        raise ValueError(
            f"Laplace steps leave categorical factors alone, and {grid.name} has no others that "
            "vary: choose steps='uniform' or 'other'"
        )
    return functools.partial(_step_all, space, moving, rate, steps == "laplace")


def _numbers(n_changed: int | str | Sequence[int] | None, n_factors: int) -> np.ndarray:
    """Numbers of changed factors, one of which is drawn for each pair."""
    most = max(1, n_factors - 1)
    if n_changed is None:
        n_changed = "random"
    if isinstance(n_changed, str):
        every = range(1, most + 1)
        by_name = {"random": [*every], "one_or_random": [1] * most + [*every]}
        return np.array(by_name[check_choice("n_changed", n_changed, by_name)])
    numbers = np.atleast_1d(np.asarray(n_changed))
    if (
        numbers.dtype.kind not in "iu"
        or numbers.ndim != 1
        or not numbers.size
        or not ((numbers >= 1) & (numbers <= n_factors)).all()
    ):
        raise ValueError(
            f"n_changed={n_changed!r}: give a whole number from 1 to {n_factors}, the number of "
            "factors that vary, a list of such numbers, 'random' or 'one_or_random'"
        )
    return numbers


def _with_nuisances(grid: GridDataset, law: Law, nuisances: str) -> Law:
    columns = [grid.space.position(name) for name in grid.nuisances]
    if nuisances == "shared" or not columns:
        return law

    def redrawing(before: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        after = law(before, rng)
        sizes = np.array(grid.space.sizes)[columns]
        after[:, columns] = rng.integers(sizes, size=(len(before), len(columns)))
        return after

    return redrawing


def _change_some(
    space: FactorSpace,
    moving: list[int],
    numbers: np.ndarray,
    others_only: bool,
    before: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Redraw some factors uniformly, over all levels or only over those of other values."""
    n = len(before)
    n_changed = numbers[rng.integers(len(numbers), size=n)]
    ranks = rng.random((n, len(moving))).argsort(axis=1).argsort(axis=1)
    chosen = ranks < n_changed[:, None]
    after = before.copy()
    if others_only:
        for i, column in enumerate(moving):
            rows = np.flatnonzero(chosen[:, i])
            distances = _distances(space.factors[column], before[rows, column], circle=True)
            after[rows, column] = _sampled(distances > 0, rng)
    else:
        drawn = rng.integers(np.array(space.sizes)[moving], size=chosen.shape)
        after[:, moving] = np.where(chosen, drawn, before[:, moving])
    return after


def _step_all(
    space: FactorSpace,
    moving: list[int],
    rate: float,
    circle: bool,
    before: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Move each factor by a Laplace step; where none moved, move one that is drawn."""
    after = before.copy()
    still = np.ones(len(before), dtype=bool)
    for column in moving:
        factor, start = space.factors[column], before[:, column]
        distances = _distances(factor, start, circle=circle)
        level = _sampled(np.exp(-distances * (rate / np.log(factor.size))), rng)
        after[:, column] = level
        still &= distances[np.arange(len(level)), level] == 0
    rows = np.flatnonzero(still)
    chosen = rng.integers(len(moving), size=len(rows))
    for i, column in enumerate(moving):
        factor, own = space.factors[column], rows[chosen == i]
        if own.size:
            distances = _distances(factor, before[own, column], circle=circle)
            weights = np.exp(-distances * (rate / np.log(factor.size))) * (distances > 0)
            after[own, column] = _sampled(weights, rng)
    return after


def _sampled(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Levels (n,) drawn with weights (n, levels), each by the inverse of its distribution."""
    below = np.cumsum(weights, axis=1, dtype=np.float64)
    # 1 - u is in (0, 1], so that a level of weight 0 is never reached.
    threshold = (1 - rng.random(len(weights))) * below[:, -1]
    return (below < threshold[:, None]).sum(axis=1)


def _distances(factor: Factor, start: np.ndarray, *, circle: bool) -> np.ndarray:
    """How many levels each level is away from ``start`` (n,): (n, levels)."""
    if circle and factor.kind == "circular":
        angles, step = _angles(factor)
        return _between(angles[start][:, None], angles) / step
    levels = np.arange(factor.size)
    return np.abs(levels - start[:, None])


@functools.lru_cache(maxsize=256)
def _angles(factor: Factor) -> tuple[np.ndarray, float]:
    """Values of a circular factor, and the usual angle from a level to the next."""
    angles = np.array(factor.values)
    gaps = _between(angles[1:], angles[:-1])
    gaps = gaps[gaps > 0]
    return angles, float(np.median(gaps)) if gaps.size else 1.0


def _between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angles between directions, the shorter way round; exactly 0 for the same direction."""
    turn = np.abs(a - b) % (2 * np.pi)
    angle = np.minimum(turn, 2 * np.pi - turn)
    return np.where(angle < _SAME_ANGLE, 0.0, angle)


@functools.lru_cache(maxsize=256)
def _classes(factor: Factor) -> np.ndarray:
    """For each level the number of the value it has; levels of the same angle share one."""
    if factor.kind != "circular":
        return np.arange(factor.size)
    directions = np.round(np.exp(1j * np.array(factor.values)), 9) + 0.0
    return np.unique(directions, return_inverse=True)[1]
