"""What a metric is, and how a sample is scored by it."""

from __future__ import annotations

import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import islice
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from unweave._check import check_latents, constant_columns
from unweave._parallel import in_threads
from unweave.metrics._predictors import WIDE
from unweave.metrics._progress import progress
from unweave.metrics._random_codes import measured_once
from unweave.metrics.noise import Noise, interval, p_value
from unweave.metrics.sample import Sample
from unweave.metrics.score import Chance, Measurement, Score

__all__ = ["FAMILIES", "Metric", "quiet_fits", "score"]

FAMILIES = ("interventions", "information", "prediction", "geometry", "dependence", "own")
"""What metrics are made from, in the order in which they are listed."""


@dataclass(frozen=True, kw_only=True)
class Metric(ABC):
    """Something that is read from codes and factors: a formula, its options and its facts.

    A new metric is a subclass with ``names`` and ``read``; a frozen dataclass, if it has options.
    It may be passed wherever a metric is named. Chance level, interval and all else that stands
    beside a value are put around it by :func:`score`.

    >>> class Spread(Metric):
    ...     names = ("spread",)
    ...     def read(self, sample):
    ...         return {"spread": sample.codes.std() / np.abs(sample.codes).max()}
    """

    names: ClassVar[tuple[str, ...]]
    """Short names of the scores that :meth:`read` gives."""
    titles: ClassVar[tuple[str, ...]] = ()
    """The same for people."""
    family: ClassVar[str] = "own"
    """What it is made from, one of ``FAMILIES``."""
    range: ClassVar[str] = "[0, 1]"
    """Where values lie, for people."""
    bounds: ClassVar[Mapping[str, float | None]] = {}
    """The most that a score can be, by its name: 1 unless given; None if there is no bound, and
    then no adjusted value."""
    min_latents: ClassVar[int] = 1
    """Latents that it needs, or groups of them."""
    min_alive: ClassVar[int] = 0
    """Latents that must vary."""
    min_factors: ClassVar[int] = 1
    needs_factors: ClassVar[bool] = True
    """Whether it reads the factors. One that does not has chance from permuted latents."""
    needs_levels: ClassVar[bool] = True
    """Whether factors must take few values, or be cut into bins."""
    needs_binary: ClassVar[bool] = False
    """Whether every factor must take two values."""
    takes_groups: ClassVar[bool] = False
    """Whether groups of latents may take the place of latents."""
    takes_test: ClassVar[bool] = False
    """Whether predictors may be judged on rows that the user gives."""
    best_when_small: ClassVar[bool] = False
    """Whether 0 is the best."""
    assume_independence: ClassVar[bool | tuple[str, ...]] = True
    """Whether factors that depend on each other count against a code with one latent a factor; or
    the names of the scores for which they do."""
    cost: ClassVar[int] = 1
    """How many times fewer draws of noise are taken, with default options."""
    is_listed: ClassVar[bool] = True
    """Whether it is one of ``METRICS``, if it is in this folder."""
    by_default: ClassVar[bool] = True
    """Whether ``evaluate`` computes it where no metrics are named."""

    @abstractmethod
    def read(self, sample: Sample) -> Mapping[str, Measurement | float]:
        """The formula: a measurement, or a bare number, for each of ``names``."""

    @property
    def keep(self) -> tuple[str, ...]:
        """What of the codes matters, ``"offset"`` or ``"scale"``; all else is taken away."""
        return ()

    @property
    def level_bins(self) -> int | None:
        """Bins that continuous factors are cut into; None if factors need not be levels."""
        return 20 if self.needs_levels else None

    @property
    def follows_from_sample(self) -> bool:
        """Whether equal samples always get equal values, whatever sample they were drawn from.

        Values of random codes are then computed once for all codes with the same factors. A metric
        from outside the package may say so if ``read`` looks at nothing but the sample, and not at
        its ``origin``.
        """
        return type(self).__module__.startswith(f"{__package__}.")

    @property
    def label(self) -> str:
        """What follows the name of each score when it is printed."""
        return ""

    @property
    def options(self) -> dict[str, Any]:
        """Its options by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def settings(self, sample: Sample) -> dict[str, Any]:
        """Every choice that a value depends on."""
        return self.options

    def notes(self, sample: Sample) -> tuple[str, ...]:
        """Sentences that a reader of the value should know.

        Raises
        ------
        ValueError
            If the sample does not suit the metric.
        """
        return ()

    def assumes_independence(self, name: str) -> bool:
        """Whether the score of this name is to be read on independent factors alone."""
        which = self.assume_independence
        return which if isinstance(which, bool) else name in which

    def cost_of(self, sample: Sample) -> int:
        """How many times fewer draws of noise are taken."""
        return self.cost

    def adjusted(self, sample: Sample) -> Mapping[str, float]:
        """Values with chance taken out exactly; others are adjusted by the mean over draws."""
        return {}

    def prepared(self, sample: Sample) -> Sample:
        """The sample as this metric reads it.

        Raises
        ------
        ValueError
            If it has too few latents or factors, or factors of other kinds.
        """
        if self.needs_factors and not sample.has_factors:
            raise ValueError(
                f"{', '.join(self.names)} cannot be computed without factors: give the factors of "
                "the same rows"
            )
        self._check_size(sample)
        if self.needs_binary:
            self._check_binary(sample)
        return sample.prepared(
            self.keep,
            self.level_bins,
            grouped=self.takes_groups,
            with_factors=self.needs_factors,
        )

    def _check_binary(self, sample: Sample) -> None:
        for name, column in zip(sample.names, sample.factors.T, strict=True):
            n_values = len(np.unique(column))
            if n_values != 2:
                raise ValueError(
                    f"{self.names[0]} needs binary factors, and factor {name!r} takes {n_values} "
                    "values: give the columns that take two"
                )

    def _check_size(self, sample: Sample) -> None:
        n_latents, n_factors = sample.codes.shape[1], len(sample.names)
        n_alive = n_latents - constant_columns(sample.codes).size if self.min_alive else 0
        if n_alive < self.min_alive:
            raise ValueError(
                f"{n_alive} of {n_latents} latents vary in {len(sample.codes)} rows: "
                f"{self.names[0]} needs {self.min_alive} that do; give more rows or other codes"
            )
        check_latents(sample.codes, self.min_latents)
        if self.needs_factors and n_factors < self.min_factors:
            raise ValueError(
                f"factors have {n_factors} column(s), and this score compares factors: pass at "
                f"least {self.min_factors}"
            )
        if self.takes_groups and sample.groups and len(sample.groups) < self.min_latents:
            raise ValueError(
                f"there is {len(sample.groups)} group of latents, and this score compares groups: "
                f"give at least {self.min_latents}"
            )


def score(
    metrics: Metric | Sequence[Metric],
    sample: Sample,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    *,
    failed: dict[tuple[str, ...], Exception] | None = None,
) -> dict[str, Score]:
    """A score for each name of the metrics, with its noise unless ``noise`` is None.

    Several metrics share the sample and each of its draws: they must read it alike and have the
    same cost. With ``failed``, a metric whose formula fails is entered there, and left out.

    Raises
    ------
    ValueError
        If the sample does not suit a metric, or a formula does not give what it must.

    >>> sample = Sample.of([[0.0], [1.0], [2.0], [3.0]])
    >>> class Latents(Metric):
    ...     names, needs_factors = ("latents",), False
    ...     def read(self, sample):
    ...         return {"latents": sample.codes.shape[1]}
    >>> score(Latents(), sample, noise=None)
    {'latents': latents = 1.0000, n = 4, seed = 0}
    """
    metrics = [metrics] if isinstance(metrics, Metric) else list(metrics)
    whole, *_ = [metric.prepared(sample) for metric in metrics]
    notes = [metric.notes(whole) for metric in metrics]
    found: dict[str, Score] = {}
    with quiet_fits():
        draws = None if noise is None else _Draws.of(metrics, whole, noise, failed)
        if draws is None:
            measured = _read_all(metrics, partial(_read, sample=whole), failed)
        else:
            measured = draws.own
        for metric, own in zip(metrics, notes, strict=True):
            if failed is None or metric.names not in failed:
                adjusted = {} if draws is None else metric.adjusted(whole)
                for name in metric.names:
                    value = measured[name]
                    details = _details(metric, name, value, whole, own)
                    if draws is not None:
                        details |= draws.around(metric, name, value, adjusted.get(name))
                    found[name] = Score(name + metric.label, value.value, **details)
    return found


def thinned_by(metric: Metric, sample: Sample) -> int:
    """How many times fewer draws are taken: more where latents are many and fits expensive."""
    cost = metric.cost_of(sample)
    if sample.codes.shape[1] <= WIDE or cost == 1:
        return cost
    return 10 if cost < 5 else 30


@contextmanager
def quiet_fits() -> Iterator[None]:
    """Silence warnings of fits whose convention fixes the number of steps.

    Only the main thread may: warning filters are shared by all threads.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="lbfgs failed to converge")
        warnings.filterwarnings("ignore", message="Stochastic Optimizer: Maximum iterations")
        yield


def checked(
    metric: Metric, read: Mapping[str, Measurement | float], sample: Sample
) -> dict[str, Measurement]:
    """What a formula gave, if that is what it must give.

    Raises
    ------
    ValueError
        Otherwise.
    """
    which, n_factors = type(metric).__name__, len(sample.names)
    if not isinstance(read, Mapping) or set(read) != set(metric.names):
        given = sorted(map(str, read)) if isinstance(read, Mapping) else type(read).__name__
        raise ValueError(
            f"{which}.read gave {given}, and a dict of its names {list(metric.names)} is needed"
        )
    found: dict[str, Measurement] = {}
    for name in metric.names:
        one = read[name]
        one = one if isinstance(one, Measurement) else Measurement(one)
        array = np.asarray(one.value)
        if array.shape or not isinstance(one.value, Real | np.bool_):
            what = f"an array of shape {array.shape}" if array.shape else repr(one.value)
            raise ValueError(f"{name} of {which} came out as {what}, and one number is needed")
        if not np.isfinite(array):
            raise ValueError(f"{name} of {which} came out as {one.value}: a score must be finite")
        beside = {
            what: np.asarray(getattr(one, what), dtype=np.float64)
            for what in ("per_factor", "by_factor", "matrix")
        }
        per_factor, by_factor = beside["per_factor"].shape, beside["by_factor"].shape
        n_names = per_factor if one.names is None else (len(one.names),)
        if per_factor != n_names or len(per_factor) != 1 or by_factor not in ((0,), (n_factors,)):
            raise ValueError(
                f"{name} of {which} has per_factor of shape {per_factor} and by_factor of shape "
                f"{by_factor}: give vectors, the first as long as names if there are some, the "
                f"second with a value for each of {n_factors} factors"
            )
        extras = np.array([*one.extras.values()], dtype=np.float64)
        if not all(np.isfinite(part).all() for part in (*beside.values(), extras)):
            raise ValueError(
                f"{name} of {which} has nan or infinity beside its value: give finite per_factor, "
                "by_factor, matrix and extras"
            )
        found[name] = replace(one, value=float(one.value), **beside)
    return found


def _read(metric: Metric, sample: Sample) -> dict[str, Measurement]:
    return checked(metric, metric.read(sample), sample)


def _read_all(
    metrics: Iterable[Metric],
    read: Callable[[Metric], Mapping[str, Measurement]],
    failed: dict[tuple[str, ...], Exception] | None,
) -> dict[str, Measurement]:
    """What the metrics give that have not failed; one that fails is entered in ``failed``."""
    found: dict[str, Measurement] = {}
    for metric in metrics:
        if failed is None or metric.names not in failed:
            try:
                found |= read(metric)
            except Exception as error:
                _record(metric.names, error, failed)
    return found


def _record(
    names: tuple[str, ...],
    error: Exception,
    failed: dict[tuple[str, ...], Exception] | None,
) -> None:
    if failed is None or isinstance(error, MemoryError):
        raise error
    failed.setdefault(names, error)


def _details(
    metric: Metric, name: str, measured: Measurement, sample: Sample, notes: tuple[str, ...]
) -> dict[str, Any]:
    dead = constant_columns(sample.codes)
    notes = (*sample.notes, *notes)
    if dead.size:
        notes += (f"{dead.size} of {sample.codes.shape[1]} latents never vary and know nothing",)
    per_factor = np.asarray(measured.per_factor).tolist()
    names: Iterable[object] = measured.names or sample.names
    if measured.names is None and len(per_factor) != len(sample.names):
        names = range(len(per_factor))
    groups = {} if sample.groups is None else {"groups": sample.groups.to_dict()}
    return {
        "per_factor": dict(zip(map(str, names), per_factor, strict=True)),
        "matrix": measured.matrix,
        "settings": {"metric": name, **metric.settings(sample), **groups},
        "n_samples": len(sample.codes),
        "seed": sample.seed,
        "dead_latents": tuple(dead.tolist()),
        "adjusted": measured.adjusted,
        "notes": notes,
        "levels": sample.words,
        "extras": dict(measured.extras),
        "by_factor": _named(sample, measured.by_factor),
        "factor_names": sample.names,
    }


def _named(sample: Sample, values: np.ndarray) -> dict[str, Any]:
    """What a metric says of each factor (factors, ...), by its name; nothing if it says none."""
    return dict(zip(sample.names, values.tolist(), strict=True)) if len(values) else {}


@dataclass(frozen=True)
class _Draws:
    """What metrics give in all draws of noise, by metric and name."""

    sample: Sample
    noise: Noise
    own: dict[str, Measurement]
    """What they give for the sample itself."""
    chance: Mapping[str, _Drawn]
    mixture: Mapping[str, _Drawn]
    smooth: Mapping[str, _Drawn]
    halves: Mapping[str, _Drawn]
    perfect: Mapping[str, _Drawn]

    @classmethod
    def of(
        cls,
        metrics: list[Metric],
        sample: Sample,
        noise: Noise,
        failed: dict[tuple[str, ...], Exception] | None,
    ) -> _Draws:
        """Draw as often as the cost of the metrics allows; threads share the work."""
        noise = noise.thinned(thinned_by(metrics[0], sample))
        good = [
            i
            for i in range(noise.n_halves)
            if not constant_columns(sample.factors[sample.half_rows(i)]).size
        ]
        if len(good) < max(2, 0.9 * noise.n_halves):
            raise ValueError(
                f"{len(sample.codes)} rows are too few for an interval: in many halves of them a "
                "factor never varies; give more rows (in Python, noise=None gives the bare value)"
            )
        # The longest come first, so that threads end together.
        projections, key = range(noise.n_projections), sample.key_of_random_codes
        draws = {
            "mixture": [
                _Draw(partial(sample.mixture, i), key and (key, "mixture", i)) for i in projections
            ],
            "smooth": [
                _Draw(partial(sample.smooth, i), key and (key, "smooth", i)) for i in projections
            ],
            "perfect": [_Draw(sample.perfect, key and (key, "perfect"))],
            "halves": [_Draw(partial(sample.half, i)) for i in good],
            "chance": [_Draw(partial(sample.permuted, i)) for i in range(noise.n_permutations)],
        }
        own, found = _drawn(metrics, sample, draws, failed)
        return cls(sample, noise, own, **found)

    def around(
        self, metric: Metric, name: str, measured: Measurement, adjusted: float | None
    ) -> dict[str, Any]:
        """What stands beside a value."""
        value, chance = measured.value, self.chance[name]
        level, top = self._level(chance), metric.bounds.get(name, 1.0)
        # Where 0 is the best, chance is beaten from below; not where it is that of latents alone.
        sign = -1 if metric.best_when_small and metric.needs_factors else 1
        best = top if sign > 0 or top is None else 0.0
        if adjusted is None:
            adjusted = measured.adjusted
        if adjusted is None and best is not None and sign * level.mean < sign * best:
            adjusted = (value - level.mean) / (best - level.mean)
        halves = self.halves[name].values
        return {
            "adjusted": adjusted,
            "chance": level,
            "mixture": self._level(self.mixture[name]),
            "smooth": self._level(self.smooth[name]),
            "interval": interval(value, halves, self.noise.confidence, top=top),
            "confidence": self.noise.confidence,
            "p_value": p_value(sign * value, sign * chance.values, size=measured.size),
            "perfect": float(self.perfect[name].values[0]),
        }

    def _level(self, drawn: _Drawn) -> Chance:
        each = _named(self.sample, drawn.by_factor.T)
        return Chance.of(drawn.values, {name: np.array(draws) for name, draws in each.items()})


@dataclass(frozen=True)
class _Drawn:
    """What a metric gives in draws of noise: values (draws,), and those of factors."""

    values: np.ndarray
    by_factor: np.ndarray
    """(draws, factors), or (draws, 0)."""


@dataclass(frozen=True)
class _Draw:
    """A sample of noise, which is made when it is read."""

    make: Callable[[], Sample]
    key: Hashable = None
    """Samples of the same key are equal; None where there is no such key."""

    def measured(self, sample: Sample, metric: Metric) -> Mapping[str, Measurement]:
        """What a metric gives for the sample that was made, or gave for an equal one."""
        key = (self.key, metric) if self.key and metric.follows_from_sample else None
        return measured_once(key, partial(_read, metric, sample))


def _drawn(
    metrics: list[Metric],
    whole: Sample,
    draws: Mapping[str, Sequence[_Draw]],
    failed: dict[tuple[str, ...], Exception] | None,
) -> tuple[dict[str, Measurement], dict[str, dict[str, _Drawn]]]:
    """What each score is, and its values in draws of each kind; threads share all of them."""

    def read(draw: _Draw | None) -> dict[str, Measurement]:
        if draw is None:
            found = _read_all(metrics, partial(_read, sample=whole), failed)
        else:
            found = _read_all(metrics, partial(draw.measured, draw.make()), failed)
        advance()
        return found

    together = [None, *(draw for own in draws.values() for draw in own)]
    titles = ", ".join(name for metric in metrics for name in metric.names)
    with progress(titles[:60], len(together)) as advance:
        own, *rest = in_threads(read, together)
    read_in_order = iter(rest)
    found = {kind: list(islice(read_in_order, len(each))) for kind, each in draws.items()}
    left = [metric for metric in metrics if failed is None or metric.names not in failed]
    return own, {
        kind: {
            name: _Drawn(
                np.array([draw[name].value for draw in each]),
                np.array([draw[name].by_factor for draw in each]),
            )
            for metric in left
            for name in metric.names
        }
        for kind, each in found.items()
    }
