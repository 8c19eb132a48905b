"""Two representations side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from unweave._check import check_positive, read_codes
from unweave._factors import read_codes_factors
from unweave._parallel import in_threads
from unweave._tables import matching_rows
from unweave.metrics._progress import progress
from unweave.metrics._table import html_table, p_text, text_table
from unweave.metrics.catalogue import METRICS, Choice, MetricLike, chosen
from unweave.metrics.evaluation import evaluate, scores_of
from unweave.metrics.metric import quiet_fits
from unweave.metrics.noise import ROUNDING, interval
from unweave.metrics.sample import Sample
from unweave.metrics.score import Score
from unweave.metrics.scores import Scores

__all__ = ["Comparison", "Difference", "compare", "difference", "scores_of_halves"]


@dataclass(frozen=True)
class Difference:
    """One metric of two representations."""

    first: float
    second: float
    difference: float
    """First minus second."""
    interval: tuple[float, float]
    confidence: float
    p_value: float
    """Two-sided, at least 0.001: how likely a difference as large comes from the sample of rows."""


class Comparison(Mapping[str, Difference]):
    """Differences by metric; prints as a table, in a terminal and in a notebook."""

    def __init__(
        self,
        differences: Mapping[str, Difference],
        *,
        n_samples: int,
        seed: int,
        notes: tuple[str, ...] = (),
    ) -> None:
        self._differences = dict(differences)
        self.n_samples = n_samples
        self.seed = seed
        self.notes = notes

    def __getitem__(self, name: str) -> Difference:
        return self._differences[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._differences)

    def __len__(self) -> int:
        return len(self._differences)

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers, lists and dicts, for JSON."""
        metrics = {
            name: {**asdict(found), "interval": list(found.interval)}
            for name, found in self.items()
        }
        return {
            "n": self.n_samples,
            "seed": self.seed,
            "metrics": metrics,
            "notes": list(self.notes),
        }

    def rows(
        self, first: str = "first", second: str = "second"
    ) -> tuple[list[str], list[list[str]]]:
        """Column names, with those of the two, and the cells of each row as text."""
        columns = ["metric", first, second, "difference", "95 % interval", "p"]
        found = list(self.values())
        if found:
            columns[4] = f"{100 * found[0].confidence:g} % interval"
        cells = [
            [
                name,
                f"{d.first:.4f}",
                f"{d.second:.4f}",
                f"{d.difference:+.4f}",
                f"[{d.interval[0]:+.4f}, {d.interval[1]:+.4f}]",
                p_text(d.p_value),
            ]
            for name, d in self.items()
        ]
        return columns, cells

    def __repr__(self) -> str:
        notes = "".join(f"\nnote: {note}" for note in self.notes)
        return f"{text_table(*self.rows())}\nn = {self.n_samples}, seed = {self.seed}{notes}"

    def _repr_html_(self) -> str:
        return html_table(*self.rows(), caption=f"n = {self.n_samples}, seed = {self.seed}")


def compare(
    first: object,
    second: object,
    factors: object,
    *,
    metrics: Sequence[MetricLike] | MetricLike | None = None,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    n_halves: int = 20,
    confidence: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """The scores of two representations of the same rows, and whether they differ.

    For each metric the difference, first less second, with an interval and a two-sided p-value.
    Both representations are scored on the same random halves of the rows, so that what they have in
    common cancels; the spread of the differences, and their change with the number of rows, give
    the interval as for a single score. The p-value takes the difference at this number of rows or
    its extrapolation to all rows, whichever is nearer to 0. It is about the sample of rows alone:
    other seeds of training differ by more, and are not in it.

    Parameters
    ----------
    first, second
        Codes (samples, latents) of the same rows; the numbers of latents may differ.
    factors, metrics, factor_names, factor_kinds, seed
        As of :func:`evaluate`.
    n_halves, confidence
        How many halves, and the nominal coverage of the interval.

    Raises
    ------
    ValueError
        As :func:`evaluate`; or if the numbers of rows differ.

    >>> rng = np.random.default_rng(0)
    >>> factors = rng.integers(4, size=(800, 2))
    >>> mixed = factors @ [[1.0, 1], [1, -1]]
    >>> found = compare(factors.astype(float), mixed, factors, metrics=["mig"])
    >>> found["mig"].difference > 0, found["mig"].p_value < 0.01
    (True, True)
    """
    n_halves = check_positive("n_halves", n_halves, minimum=3)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    one, table = read_codes_factors(first, factors, names=factor_names, kinds=factor_kinds)
    other, _ = read_codes_factors(second, table.values)
    order = matching_rows(table.index_like(other), other.index, "first", "second")
    both = (one, other if order is None else other.take(order))
    asked = None if metrics is None else chosen(metrics)
    scores = [evaluate(codes, table, metrics=asked, noise=None, seed=seed) for codes in both]
    common = {
        name: one
        for name, one in (METRICS if asked is None else asked).items()
        if name in scores[0] and name in scores[1]
    }
    halves = [
        scores_of_halves(codes, table, metrics=common, n_halves=n_halves, seed=seed)
        for codes in both
    ]
    return Comparison(
        {
            name: difference(
                scores[0][name],
                scores[1][name],
                halves[0][name],
                halves[1][name],
                confidence=confidence,
            )
            for name in halves[0]
            if name in halves[1]
        },
        n_samples=len(one.values),
        seed=seed,
        notes=_notes_of_both(*scores),
    )


def _notes_of_both(first: Scores, second: Scores) -> tuple[str, ...]:
    """Each note once, with whose it is if it is not of both."""
    common = [note for note in first.notes if note in second.notes]
    own = [
        f"{whose}: {note}"
        for whose, scores in (("first", first), ("second", second))
        for note in scores.notes
        if note not in common
    ]
    return (*common, *own)


def scores_of_halves(
    codes: object,
    factors: object,
    *,
    metrics: Sequence[MetricLike] | MetricLike | Mapping[str, Choice],
    n_halves: int,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Scores (n_halves,) of random halves of the rows, by metric; ``factors`` may be None.

    Metrics whose formula fails in a half are left out. Representations of the same rows are scored
    on the same halves, if ``seed`` is the same.
    """
    table = None
    if factors is None:
        latents = read_codes(codes)
    else:
        latents, table = read_codes_factors(codes, factors, names=factor_names, kinds=factor_kinds)
    n, asked = len(latents.values), chosen(metrics)

    def half(i: int, advance: Callable[[], None]) -> Mapping[str, Score]:
        rows = np.random.default_rng([seed, 12, i]).permutation(n)[: n // 2]
        own = None if table is None else table.take(rows)
        found, *_ = scores_of(Sample.of(latents.take(rows), own, seed=seed), asked, noise=None)
        advance()
        return found

    with quiet_fits(), progress("comparing", n_halves) as advance:
        draws = in_threads(partial(half, advance=advance), range(n_halves))
    return {
        name: np.array([float(draw[name]) for draw in draws])
        for name in asked
        if all(name in draw for draw in draws)
    }


def difference(
    first: float,
    second: float,
    first_halves: np.ndarray,
    second_halves: np.ndarray,
    *,
    confidence: float = 0.95,
) -> Difference:
    """How two scores differ, from what both are on the same halves of the rows."""
    from scipy.special import stdtr

    halves = first_halves - second_halves
    value = float(first) - float(second)
    low, high = interval(value, halves, confidence, bounded=False)
    spread = halves.std(ddof=1) * np.sqrt(1 + 1 / len(halves))
    extrapolated = 2 * value - halves.mean()
    nearest = 0.0 if value * extrapolated <= 0 else min(abs(value), abs(extrapolated))
    rounding = ROUNDING * max(abs(float(first)), abs(float(second)), 1.0)
    # A difference without any spread is as sure as so few halves can make it.
    tail = float(stdtr(len(halves) - 1, -nearest / max(spread, 1e-300)))
    p = 1.0 if nearest <= rounding else max(2 * tail, 1e-3)
    return Difference(float(first), float(second), value, (low, high), confidence, p)
