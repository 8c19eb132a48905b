"""How far a score could be chance, and how far it could be off."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import Any

import numpy as np

from unweave._check import check_positive, constant_columns
from unweave._parallel import in_threads
from unweave.metrics._groups import Groups
from unweave.metrics._progress import progress
from unweave.metrics._scale import Scale
from unweave.metrics.score import Chance, Details, Reading, Score

__all__ = [
    "ROUNDING",
    "WIDE",
    "Measure",
    "Noise",
    "Subject",
    "interval",
    "p_value",
    "quiet_fits",
    "score_all",
    "unit_code",
]

Measure = Callable[[np.ndarray, np.ndarray], Mapping[str, Reading]]
"""Codes and factors in, a reading for each metric out."""

_ENOUGH_FOR_RANKS = 50
ROUNDING = 1e-12
"""Of numbers of size 1, such as scores: what sums over many rows leave."""
_LEAST_P = 1e-3  # beyond it the tail of so few draws is anyone's guess
_HEIGHT = 4.0  # of the mean above the floor, in deviations: a gamma variable with skewness 1/2
WIDE = 64  # latents, beyond which fits are so dear that less is spent on them


@dataclass(frozen=True)
class Noise:
    """How much is spent on knowing the noise of a score.

    Metrics that are read from counts take all of these draws. Expensive ones take a half, a fifth
    or a tenth, and with more than 64 latents those of the last two take a thirtieth, though never
    fewer than three, or two projections. The page of the metrics has the share of each.
    """

    n_permutations: int = 100
    """Permutations of the rows of the factors, for the chance level and the p-value."""
    n_projections: int = 20
    """Random linear projections of the factors, and as many sets of random smooth features."""
    n_halves: int = 50
    """Random halves of the rows, for the interval."""
    confidence: float = 0.95
    """Nominal coverage of the interval."""

    def __post_init__(self) -> None:
        for name in ("n_permutations", "n_projections", "n_halves"):
            check_positive(name, getattr(self, name), minimum=2)
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence must lie between 0 and 1, not {self.confidence}")

    def thinned(self, by: int) -> Noise:
        """The same with ``by`` times fewer draws, though never fewer than are needed."""
        if by == 1:
            return self
        return replace(
            self,
            n_permutations=min(self.n_permutations, max(3, self.n_permutations // by)),
            n_projections=max(2, self.n_projections // by),
            n_halves=min(self.n_halves, max(3, self.n_halves // by)),
        )


@dataclass(frozen=True)
class Subject:
    """What is scored, and what its scores are to say of themselves."""

    codes: np.ndarray
    factors: np.ndarray
    names: Sequence[str]
    settings: Mapping[str, Any]
    seed: int
    notes: tuple[str, ...] = ()
    tops: Mapping[str, float | None] = field(default_factory=dict)
    """What no code exceeds, 1 unless said; None if there is no bound, and no adjusting."""
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What the levels of a factor are called, by its name."""
    label: str = ""
    """What follows the name of each score when it is printed."""
    thin: int = 1
    """How many times fewer draws are taken: fits are dear."""
    adjusted: Mapping[str, float] = field(default_factory=dict)
    """Values that are adjusted in a better way than by the mean over permutations."""
    perfect: np.ndarray | None = None
    """The perfect code, where it is not one latent a factor."""
    shuffle: Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple] | None = None
    """What makes chance of codes and factors, where it is not permuting the factors."""

    test: tuple[np.ndarray, np.ndarray] | None = None
    """Codes and factors of rows that a user gave to judge predictors on."""
    groups: Groups | None = None
    """Latents that are one unit each; the perfect code has a unit for each factor."""

    def groups_of(self, codes: np.ndarray) -> Groups | None:
        """``groups``, unless ``codes`` is the perfect code, which has other latents."""
        return None if codes is self.perfect else self.groups

    def test_of(self, codes: np.ndarray, factors: np.ndarray) -> tuple | None:
        """``test`` for the arrays that are scored; None for draws of noise, which have none."""
        return self.test if codes is self.codes and factors is self.factors else None


def score_all(subject: Subject, measure: Measure, noise: Noise | None) -> dict[str, Score]:
    """A score for each reading of ``measure``, with its noise unless ``noise`` is None."""
    with quiet_fits():
        readings = measure(subject.codes, subject.factors)
        details = {name: _details(subject, name, reading) for name, reading in readings.items()}
        if noise is not None:
            dear_and_wide = subject.thin >= 5 and subject.codes.shape[1] > WIDE
            noise = noise.thinned(30 if dear_and_wide else subject.thin)
            details = _with_noise(subject, measure, noise, readings, details)
    return {
        name: Score(name + subject.label, reading.value, details[name])
        for name, reading in readings.items()
    }


@contextmanager
def quiet_fits() -> Iterator[None]:
    """Say nothing of fits that stop at the number of steps that their convention has.

    Only the main thread may: warning filters are shared by all threads.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="lbfgs failed to converge")
        yield


def _details(subject: Subject, name: str, reading: Reading) -> Details:
    dead = constant_columns(subject.codes)
    notes = subject.notes
    if dead.size:
        notes += (f"{dead.size} of {subject.codes.shape[1]} latents never vary and know nothing",)
    per_factor = reading.per_factor.tolist()
    names: Iterable[object] = reading.names or subject.names
    if reading.names is None and len(per_factor) != len(subject.names):
        names = range(len(per_factor))
    return Details(
        per_factor=dict(zip(map(str, names), per_factor, strict=True)),
        matrix=reading.matrix,
        settings={"metric": name, **subject.settings},
        n_samples=len(subject.codes),
        seed=subject.seed,
        dead_latents=tuple(dead.tolist()),
        adjusted=subject.adjusted.get(name),
        notes=notes,
        levels=subject.words,
        extras=dict(reading.extras),
        by_factor=_named(subject, reading.by_factor),
    )


def _named(subject: Subject, values: np.ndarray) -> dict[str, Any]:
    """What a reading says of each factor (factors, ...), by its name; nothing if it says none."""
    return dict(zip(map(str, subject.names), values.tolist(), strict=True)) if values.size else {}


def _with_noise(
    subject: Subject,
    measure: Measure,
    noise: Noise,
    readings: Mapping[str, Reading],
    details: Mapping[str, Details],
) -> dict[str, Details]:
    codes, factors, seed = subject.codes, subject.factors, subject.seed
    shuffle = subject.shuffle or _permuted
    width = codes.shape[1]
    unit = unit_code(factors)

    def shuffled(i: int):
        return shuffle(codes, factors, np.random.default_rng([seed, 1, i]))

    def projected(i: int):
        rng = np.random.default_rng([seed, 2, i])
        return unit @ rng.standard_normal((unit.shape[1], width)), factors

    def smooth(i: int):
        rng = np.random.default_rng([seed, 5, i])
        phase = rng.uniform(0, 2 * np.pi, width)
        return np.cos(unit @ rng.standard_normal((unit.shape[1], width)) + phase), factors

    def half_rows(i: int) -> np.ndarray:
        return np.random.default_rng([seed, 3, i]).permutation(len(codes))[: len(codes) // 2]

    def half(i: int):
        rows = half_rows(i)
        return codes[rows], factors[rows]

    good = [i for i in range(noise.n_halves) if not constant_columns(factors[half_rows(i)]).size]
    if len(good) < max(2, 0.9 * noise.n_halves):
        raise ValueError(
            f"{len(codes)} rows are too few for an interval: in many halves of them a factor never "
            "varies; give more rows (in Python, noise=None gives the bare value)"
        )
    n_draws = noise.n_permutations + 2 * noise.n_projections + len(good)
    with progress(", ".join(readings)[:60], n_draws) as advance:
        chance = _draws(measure, shuffled, range(noise.n_permutations), advance)
        projections = _draws(measure, projected, range(noise.n_projections), advance)
        features = _draws(measure, smooth, range(noise.n_projections), advance)
        halves = _draws(measure, half, good, advance)
    perfect = measure(unit if subject.perfect is None else subject.perfect, factors)
    complete = {}
    for name, detail in details.items():
        value, level = readings[name].value, _chance(subject, chance[name])
        adjusted, top = detail.adjusted, subject.tops.get(name, 1.0)
        if adjusted is None and top is not None and level.mean < top:
            adjusted = (value - level.mean) / (top - level.mean)
        complete[name] = replace(
            detail,
            adjusted=adjusted,
            chance=level,
            projection=_chance(subject, projections[name]),
            smooth=_chance(subject, features[name]),
            interval=interval(value, halves[name].values, noise.confidence, top=top),
            confidence=noise.confidence,
            p_value=p_value(value, chance[name].values, size=readings[name].size),
            ceiling=perfect[name].value,
        )
    return complete


def interval(
    value: float,
    halves: np.ndarray,
    confidence: float,
    *,
    top: float | None = None,
    bounded: bool = True,
) -> tuple[float, float]:
    r"""Bounds that hold the value at this sample size and the value that all rows would give.

    Random halves of the rows, drawn without replacement, scatter around the value as samples of
    the full size scatter around their mean. A bias that falls as 1/n doubles from the whole to a
    half, so that twice the value less the mean of the halves is free of it. The interval
    runs from the smaller to the larger of the two, widened by the normal quantile times the
    standard deviation of the extrapolation. (A percentile bootstrap repeats rows, which adds to
    every mutual information: its coverage for MIG is close to none.)
    """
    extrapolated = 2 * value - halves.mean()
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    margin = z * halves.std(ddof=1) * np.sqrt(1 + 1 / len(halves))
    low, high = min(value, extrapolated) - margin, max(value, extrapolated) + margin
    if not bounded:
        return float(low), float(high)
    # What is measured may itself lie beyond the bounds of its population value, and stays inside.
    low, high = max(low, min(0.0, value)), high if top is None else min(high, max(top, value))
    return float(low), float(high)


def p_value(value: float, chance: np.ndarray, *, size: float = 1.0) -> float:
    """How likely chance reaches the value: by rank, or of few draws by a skewed tail, from 0.001.

    Values count as equal when they differ by rounding error of numbers of this ``size``. See
    docs/decisions/0009 for how often few draws give a p-value of 0.05, 0.01 and 0.002 where there
    is nothing but chance.
    """
    value = value - ROUNDING * size
    if len(chance) >= _ENOUGH_FOR_RANKS:
        return float((1 + np.sum(chance >= value)) / (1 + len(chance)))
    if chance.std(ddof=1) <= ROUNDING * size:
        return 1.0 if value <= chance.max() else 1 / (1 + len(chance))
    return max(_skewed_tail(value, chance), _LEAST_P)


def _skewed_tail(value: float, draws: np.ndarray) -> float:
    """How likely one more draw reaches the value, if draws follow a gamma distribution.

    A score that is a mean of a few gaps is skewed by chance: its upper tail is longer than that of
    a normal variable. Cube roots of a gamma variable are nearly normal, so that the tail is that of
    Student's t for one more of them (Wilson and Hilferty, 1931,
    https://doi.org/10.1073/pnas.17.12.684). The distribution starts at 0, or at a floor below the
    draws where 0 is far away or is no bound.
    """
    from scipy.special import stdtr

    floor = draws.mean() - _HEIGHT * draws.std(ddof=1)
    if draws.min() >= 0:
        floor = max(floor, 0.0)
    roots = np.cbrt(draws - floor)
    spread = roots.std(ddof=1) * np.sqrt(1 + 1 / len(roots))
    return float(stdtr(len(roots) - 1, (roots.mean() - np.cbrt(value - floor)) / spread))


def _chance(subject: Subject, drawn: _Drawn) -> Chance:
    each = _named(subject, drawn.by_factor.T)
    return Chance.of(drawn.values, {name: np.array(draws) for name, draws in each.items()})


def _permuted(codes, factors, rng):
    return codes, factors[rng.permutation(len(factors))]


def unit_code(factors: np.ndarray) -> np.ndarray:
    """Each factor scaled to [-1, 1]: a perfect code, and what random codes are made of."""
    moved = Scale.of(factors).apply(factors)
    low, high = moved.min(axis=0), moved.max(axis=0)
    unit = 2 * (moved - low) / (high - low) - 1
    # A gap needs two latents; the second one of a lone factor knows nothing.
    return unit if unit.shape[1] > 1 else np.concatenate([unit, np.zeros_like(unit)], axis=1)


@dataclass(frozen=True)
class _Drawn:
    """What a metric gives in draws of noise: values (draws,), and those of factors."""

    values: np.ndarray
    by_factor: np.ndarray
    """(draws, factors), or (draws, 0)."""


def _draws(
    measure: Measure,
    make: Callable[[int], tuple],
    indices: Iterable[int],
    advance: Callable[[], None],
) -> dict[str, _Drawn]:
    """Values of each metric over draws, which threads share; each draw has a seed of its own."""

    def read(i: int) -> dict[str, tuple[float, np.ndarray]]:
        drawn = measure(*make(i)).items()
        advance()
        return {name: (reading.value, reading.by_factor) for name, reading in drawn}

    found = in_threads(read, indices)
    return {
        name: _Drawn(
            *(np.array(part) for part in zip(*(draw[name] for draw in found), strict=True))
        )
        for name in found[0]
    }
