"""Metrics on codes of which the answer is known."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import numpy as np

from unweave._check import check_choice, check_positive
from unweave._objects import imported_object, is_object_name
from unweave._parallel import in_threads, keep_to, most_processes
from unweave._processes import Workers
from unweave.metrics._progress import progress
from unweave.metrics.catalogue import Choice, MetricLike, chosen
from unweave.metrics.known_codes import KNOWN_CODES, Case, KnownCode
from unweave.metrics.metric import Metric, checked, quiet_fits, thinned_by
from unweave.metrics.noise import ROUNDING, Noise, p_value
from unweave.metrics.sample import Sample
from unweave.metrics.score import Measurement
from unweave.metrics.stress_result import Answer, ErrorRate, MetricStress, ReadAs, Stress, Verdict

__all__ = ["KnownCodeLike", "stress", "stress_seconds"]

KnownCodeLike = str | KnownCode
"""A name of ``KNOWN_CODES``; ``package.module:CODE``; or a known code."""

_LEAST_ROWS, _MOST_ROWS = 100, 1_000_000
_LEVEL = 0.05  # of significance
_MISSED = 0.2  # of a sound metric: a power of 80 %
_NEAR = 0.1  # of the most
_SAME = 0.05  # of the distance from noise to the perfect code
_DRAWS = 59  # for p-values by rank, of which 3 in 60 are exactly the level
_DRAWS_OF_NOISE = 15  # of these, until enough of them reach the value; on average
_ENOUGH = 3  # draws that reach a value: it is not significant at the level
_CHANCE_DRAWS = 10  # for a chance level alone
_ANSWERS = 10  # repeats of codes that no rate is of
_READ_AS: tuple[ReadAs, ...] = ("raw", "adjusted")
_ANCHORS = ("perfect", "noise", "mixture")
_FALSE_POSITIVES = ("noise", "other_rows")
_MISSES = ("perfect", "nearly_perfect")
_MISSES_OF_LABEL_FREE = ("mixture",)
_RANKED = ("partial", "even_mixture")


@dataclass(frozen=True)
class Reading:
    """What a metric gives on one case."""

    value: float
    adjusted: float | None
    p_value: float | None
    """How likely chance does as well; None if it was not asked for."""

    def read_as(self, how: ReadAs) -> float | None:
        """The bare value, or that without chance."""
        return self.value if how == "raw" else self.adjusted


_Found = Mapping[str, Reading] | str
"""Readings by the name of the score; or why there are none."""


def stress(
    metrics: Sequence[MetricLike] | MetricLike,
    *,
    codes: Sequence[KnownCodeLike] | None = None,
    rows: Sequence[int] = (300, 1_000, 10_000),
    repeats: int = 50,
    workers: int | None = None,
    seed: int = 0,
) -> Stress:
    """What a metric answers on codes of which the answer is known, and how often it is wrong.

    Each repeat draws all known codes again, with three factors of 3, 4 and 6 levels. There are
    three kinds of finding: laws, which every sound metric obeys (what must change nothing, and
    which code is better); what definitions differ about, where the metric ignores, punishes or
    rewards a change; and error rates at the level 0.05, with exact binomial intervals.

    Parameters
    ----------
    metrics
        What is put to the test, as ``metrics`` of :func:`evaluate`.
    codes
        Known codes by name, of :data:`KNOWN_CODES`; your own :class:`KnownCode`;
        ``package.module:CODE``. By default all of :data:`KNOWN_CODES`. Those that error rates and
        references need are always drawn.
    rows
        Numbers of rows, each at least 100.
    repeats
        How often codes are drawn for the error rates; all other codes are drawn 10 times at most.
    workers
        Number of processes, with one thread each; by default threads of this process.
    seed
        Seed of all draws.

    Returns
    -------
    Stress
        A :class:`MetricStress` for each score, by name. A formula that fails on a code is entered
        with the reason.

    Raises
    ------
    ValueError
        If a metric or a known code is unknown, or a number is too small.

    >>> found = stress("mig", rows=[200], repeats=2, codes=["twice", "dead"])
    >>> found["mig"].answer("dead").verdict, found["mig"].answer("twice").verdict
    ('holds', 'punishes')
    """
    asked, own = chosen(metrics), _known_codes(codes)
    drawn = _with_references(own)
    sizes = _checked_rows(rows)
    repeats = check_positive("repeats", repeats)
    workers = None if workers is None else check_positive("workers", workers)
    distinct = _distinct(asked)
    jobs = [_Job(distinct, drawn, n, repeat, seed) for n in sizes for repeat in range(repeats)]
    with quiet_fits():
        done = iter(_run(jobs, workers))
    found = {n: [next(done) for _ in range(repeats)] for n in sizes}
    judged = {}
    for key, one in asked.items():
        i = distinct.index(one.metric)
        of_metric = {n: [repeat[i] for repeat in found[n]] for n in sizes}
        judged[key] = _Judge(key, one, own, of_metric).result(sizes, repeats, seed)
    return Stress(judged)


def stress_seconds(
    metrics: Sequence[MetricLike] | MetricLike,
    *,
    codes: Sequence[KnownCodeLike] | None = None,
    rows: Sequence[int] = (300, 1_000, 10_000),
    repeats: int = 50,
    seed: int = 0,
) -> float:
    """About how many seconds of one core :func:`stress` takes, from a few readings.

    A reading of a narrow code in the most rows and those of a narrow and of a wide one in the
    fewest are timed. Time is taken to grow linearly with rows, which it seldom does exactly, and
    metrics that read codes alike take less, as they share what they read.
    """
    own, sizes = _with_references(_known_codes(codes)), _checked_rows(rows)
    seconds = 0.0
    for metric in _distinct(chosen(metrics)):
        few, many = min(sizes), max(sizes)
        _timed(metric, own["nearly_perfect"], few, seed)  # compiles and imports
        narrow = _timed(metric, own["nearly_perfect"], few, seed)
        wide = _timed(metric, KNOWN_CODES["wide_noise"], few, seed)
        slope = (_timed(metric, own["nearly_perfect"], many, seed) - narrow) / max(many - few, 1)
        for n in sizes:
            one = narrow + max(slope, 0.0) * (n - few)
            for code in own.values():
                n_draws = _draws(metric.cost, is_tested=code.name in _tested(metric))
                if code.name in _FALSE_POSITIVES and n_draws == _DRAWS:
                    n_draws = _DRAWS_OF_NOISE
                often = repeats if code.name in _repeated(metric) else min(repeats, _ANSWERS)
                is_wide = code.name in ("wide_noise", "many_latents")
                factor = max(wide / max(narrow, 1e-9), 1.0) if is_wide else 1.0
                seconds += often * (1 + n_draws) * one * factor
    return seconds


@dataclass(frozen=True)
class _Job:
    """All known codes of one repeat, as metrics read them."""

    metrics: Sequence[Metric]
    codes: Mapping[str, KnownCode]
    n_rows: int
    repeat: int
    seed: int

    def __call__(self) -> list[dict[str, _Found]]:
        """What each metric gives on each code that it is to read in this repeat."""
        found: list[dict[str, _Found]] = [{} for _ in self.metrics]
        for name, code in self.codes.items():
            sample = None
            for metric, own in zip(self.metrics, found, strict=True):
                if self.repeat < _ANSWERS or name in _repeated(metric):
                    sample = sample or self._sample(code)
                    own[name] = _outcome(metric, sample, is_tested=name in _tested(metric))
        return found

    def _sample(self, code: KnownCode) -> Sample:
        place = [self.seed, self.n_rows, self.repeat]
        own_seed = int(np.random.default_rng([*place, 1]).integers(2**31))
        return _sample(code, np.random.default_rng(place), self.n_rows, own_seed)


def _sample(code: KnownCode, rng: np.random.Generator, n_rows: int, seed: int) -> Sample:
    case = code.draw(rng, n_rows)
    if not isinstance(case, Case):
        raise ValueError(
            f"draw of the known code {code.name!r} gave {type(case).__name__}: give "
            "Case(codes, factors)"
        )
    return Sample.of(case.codes, case.factors, None, case.kinds, seed=seed)


def _outcome(metric: Metric, sample: Sample, *, is_tested: bool) -> _Found:
    try:
        return _readings(metric, sample, is_tested=is_tested)
    except MemoryError:
        raise
    except Exception as error:  # a stranger's formula may raise anything
        return f"raised {type(error).__name__}: {error}"


def _readings(metric: Metric, sample: Sample, *, is_tested: bool) -> dict[str, Reading]:
    """Each score of a metric on a sample, with its chance level as :func:`score` takes it."""
    whole = metric.prepared(sample)
    metric.notes(whole)  # refuses what does not suit the metric
    measured = checked(metric, metric.read(whole), whole)
    sign = -1 if metric.best_when_small and metric.needs_factors else 1
    drawn: list[dict[str, Measurement]] = []
    for i in range(_draws(thinned_by(metric, whole), is_tested=is_tested)):
        if is_tested and _is_settled(measured, drawn, sign):
            break
        draw = whole.once(("permuted", i), partial(whole.permuted, i))  # metrics share it
        drawn.append(checked(metric, metric.read(draw), draw))
    exact = metric.adjusted(whole)
    found = {}
    for name, one in measured.items():
        chance = np.array([draw[name].value for draw in drawn])
        adjusted = None if metric.best_when_small else exact.get(name, one.adjusted)
        most = None if metric.best_when_small else metric.bounds.get(name, 1.0)
        if adjusted is None and most is not None and chance.mean() < most:
            adjusted = (one.value - chance.mean()) / (most - chance.mean())
        p = _p_value(one, chance, sign) if is_tested else None
        found[name] = Reading(one.value, adjusted, p)
    return found


def _is_settled(
    measured: Mapping[str, Measurement], drawn: Sequence[Mapping[str, Measurement]], sign: int
) -> bool:
    """Whether enough draws reach each score, so that no p-value by rank can be significant."""
    return len(drawn) >= _CHANCE_DRAWS and all(
        sum(_reaches(draw[name], one, sign) for draw in drawn) >= _ENOUGH
        for name, one in measured.items()
    )


def _reaches(draw: Measurement, one: Measurement, sign: int) -> bool:
    return sign * draw.value >= sign * one.value - ROUNDING * one.size


def _p_value(one: Measurement, chance: np.ndarray, sign: int) -> float:
    """By rank of the draws so far, where these settled it (Besag and Clifford 1991)."""
    reached = int(np.sum(sign * chance >= sign * one.value - ROUNDING * one.size))
    if reached >= _ENOUGH:
        return min(reached / len(chance), 1.0)
    return p_value(sign * one.value, sign * chance, size=one.size)


def _draws(thinned: int, *, is_tested: bool) -> int:
    """Permutations of a case: as many as `score` takes, or enough for ranks or a mean."""
    usual = Noise().thinned(thinned).n_permutations
    return min(_DRAWS, usual) if is_tested else max(3, _CHANCE_DRAWS // thinned)


def _run(jobs: Sequence[_Job], workers: int | None) -> list[list[dict[str, _Found]]]:
    """What each job gives, in order."""
    with progress("stress", len(jobs)) as advance:
        if workers is None:
            return in_threads(partial(_noted, advance), jobs)
        return list(_in_processes(jobs, workers, advance))


def _noted(advance: Callable[[], None], job: _Job) -> list[dict[str, _Found]]:
    found = job()
    advance()
    return found


def _in_processes(
    jobs: Sequence[_Job], workers: int, advance: Callable[[], None]
) -> Iterator[list[dict[str, _Found]]]:
    n = most_processes(min(workers, len(jobs)))
    with Workers(n, f"{__name__}:{_start_worker.__name__}") as pool:
        futures = [pool.submit(_call, job) for job in jobs]
        for done in pool.completed(futures):
            for future in done:
                future.result()  # if one fails, the others are not waited for
                advance()
    return (future.result() for future in futures)


def _start_worker() -> None:
    keep_to(1)


def _call(job: _Job) -> list[dict[str, _Found]]:
    with quiet_fits():
        return job()


@dataclass(frozen=True)
class _Judge:
    """Verdicts on one score, from what it gave in all repeats."""

    key: str
    choice: Choice
    codes: Mapping[str, KnownCode]
    found: Mapping[int, Sequence[Mapping[str, _Found]]]
    """What each repeat gave, by the number of rows."""

    @property
    def metric(self) -> Metric:
        return self.choice.metric

    @property
    def sign(self) -> int:
        return -1 if self.metric.best_when_small else 1

    @property
    def most(self) -> float | None:
        """The best value, where it is known."""
        return 0.0 if self.metric.best_when_small else self._bound

    @property
    def _bound(self) -> float | None:
        return self.metric.bounds.get(self.choice.name, 1.0)

    def result(self, rows: tuple[int, ...], repeats: int, seed: int) -> MetricStress:
        answers = [
            self._answer(code, n, how)
            for code in self.codes.values()
            for n in rows
            for how in _READ_AS
        ]
        return MetricStress(
            self.key,
            self.choice.title,
            rows,
            repeats,
            seed,
            tuple(answers),
            tuple(rate for n in rows for rate in self._error_rates(n)),
        )

    def _values(self, code: str, n: int, how: ReadAs) -> dict[int, float]:
        """By repeat."""
        found = {}
        for i, repeat in enumerate(self.found[n]):
            readings = repeat.get(code, "")
            if not isinstance(readings, str):
                value = readings[self.choice.name].read_as(how)
                if value is not None:
                    found[i] = value
        return found

    def _failure(self, code: str, n: int) -> str:
        """Why a code has no value, and in how many of its repeats."""
        given = [repeat[code] for repeat in self.found[n] if code in repeat]
        reasons = [one for one in given if isinstance(one, str)]
        if not reasons:
            return ""
        share = "" if len(reasons) == len(given) else f" ({len(reasons)} of {len(given)} repeats)"
        return reasons[0] + share

    def _answer(self, code: KnownCode, n: int, how: ReadAs) -> Answer:
        for name in filter(None, (code.name, code.reference)):
            if failure := self._failure(name, n):
                return Answer(code, n, how, "failed", why=failure)
        values = self._values(code.name, n, how)
        if not values:
            return Answer(code, n, how, "undefined", why="there is no adjusted value")
        value = float(np.mean(list(values.values())))
        if code.reference is None:
            return self._near(code, n, how, value)
        if self._ends_meet(code):
            why = "latents of noise are as independent as perfect ones"
            return Answer(code, n, how, "undefined", value, why=why)
        others = self._values(code.reference, n, how)
        common = sorted(values.keys() & others.keys())
        if not common:
            why = f"{code.reference} has no such value"
            return Answer(code, n, how, "undefined", value, why=why)
        moves = self.sign * np.array([values[i] - others[i] for i in common]) / self._unit(n, how)
        is_law = code.finding == "invariance"
        shift = float(np.abs(moves).mean() if is_law else moves.mean())
        reference = float(np.mean([others[i] for i in common]))
        return Answer(code, n, how, _verdict(code, shift), value, reference, shift)

    def _ends_meet(self, code: KnownCode) -> bool:
        """Whether a code is compared with noise by a metric that does not see the factors."""
        return code.reference == "noise" and not self.metric.needs_factors

    def _near(self, code: KnownCode, n: int, how: ReadAs, value: float) -> Answer:
        """Whether a value is near the most, or near 0."""
        if code.expected == "most":
            if self.most is None:
                return Answer(code, n, how, "undefined", value, why="the score has no upper bound")
            off = abs(self.most - value) / (self.most or self._unit(n, how))
        elif self.metric.best_when_small and self.metric.needs_factors:
            why = "of errors, chance is far from 0"
            return Answer(code, n, how, "undefined", value, why=why)
        else:
            size = None if self.metric.best_when_small else self._bound
            off = abs(value) / (size or self._unit(n, how))
        return Answer(code, n, how, "holds" if off <= _NEAR else "fails", value)

    def _unit(self, n: int, how: ReadAs) -> float:
        """From noise to the perfect code; where they are alike, the most."""
        worst = "noise" if self.metric.needs_factors else "mixture"
        ends = [list(self._values(name, n, how).values()) for name in ("perfect", worst)]
        bound = self._bound or 1.0
        if not all(ends):
            return bound
        span = self.sign * float(np.mean(ends[0]) - np.mean(ends[1]))
        return span if span > _SAME * bound else bound

    def _error_rates(self, n: int) -> Iterator[ErrorRate]:
        tested = self.metric.needs_factors
        says = "significant" if tested else "dependent"
        for code in _FALSE_POSITIVES:
            wrong = [p <= _LEVEL for p in self._p_values(code, n)]
            yield _rate(f"false_positive_{code}", f"{code} called {says}", n, wrong, _LEVEL)
        for code in _MISSES if tested else _MISSES_OF_LABEL_FREE:
            wrong = [p > _LEVEL for p in self._p_values(code, n)]
            yield _rate(f"miss_{code}", f"{code} not called {says}", n, wrong, _MISSED)
        for how in _READ_AS:
            better, worse = (self._values(code, n, how) for code in _RANKED)
            common = sorted(better.keys() & worse.keys())
            wrong = [self.sign * (better[i] - worse[i]) <= 0 for i in common]
            if common or how == "raw":
                # What all latents know together is the same: informativeness may rank as it likes.
                yield _rate("miss_partial", "partial not above even_mixture", n, wrong, 1.0, how)
        if self.metric.best_when_small:
            return
        for how in _READ_AS:
            size = self._bound or self._unit(n, how)
            wrong = [value > _NEAR * size for value in self._values("noise", n, how).values()]
            if wrong or how == "raw":
                question = "noise above a tenth of the most"
                yield _rate("above_a_tenth", question, n, wrong, _LEVEL, how)

    def _p_values(self, code: str, n: int) -> list[float]:
        found = []
        for repeat in self.found[n]:
            readings = repeat[code]
            if not isinstance(readings, str):
                p = readings[self.choice.name].p_value
                assert p is not None  # these codes are tested
                found.append(p)
        return found


def _rate(
    name: str, question: str, n: int, wrong: Sequence[bool], allowed: float, how: ReadAs = "raw"
) -> ErrorRate:
    return ErrorRate(name, question, n, how, int(sum(wrong)), len(wrong), allowed)


def _verdict(code: KnownCode, shift: float) -> Verdict:
    if code.finding == "definition":
        if abs(shift) <= _SAME:
            return "ignores"
        return "rewards" if shift > 0 else "punishes"
    holds = {
        "same": abs(shift) <= _SAME,
        "above": shift > _SAME,
        "below": shift < -_SAME,
    }[code.expected]
    return "holds" if holds else "fails"


def _tested(metric: Metric) -> tuple[str, ...]:
    """Known codes of which p-values are asked."""
    return (*_FALSE_POSITIVES, *(_MISSES if metric.needs_factors else _MISSES_OF_LABEL_FREE))


def _repeated(metric: Metric) -> tuple[str, ...]:
    """Known codes that are drawn in every repeat."""
    return (*_tested(metric), *_RANKED)


def _known_codes(codes: Sequence[KnownCodeLike] | None) -> dict[str, KnownCode]:
    """Known codes as users name them, by name."""
    if codes is None:
        return dict(KNOWN_CODES)
    asked = [codes] if isinstance(codes, str | KnownCode) else codes
    found: dict[str, KnownCode] = {}
    for one in map(_known_code, asked):
        if found.setdefault(one.name, KNOWN_CODES.get(one.name, one)) != one:
            raise ValueError(f"two known codes are called {one.name!r}: give your own another name")
    if not found:
        raise ValueError("no known code is asked for: name one, or leave codes out for all")
    for one in found.values():
        if one.reference is not None:
            check_choice(f"reference of {one.name}", one.reference, {**KNOWN_CODES, **found})
    return found


def _known_code(asked: object) -> KnownCode:
    if isinstance(asked, str):
        if not is_object_name(asked):
            return KNOWN_CODES[check_choice("code", asked, KNOWN_CODES)]
        asked = imported_object(asked, "a KnownCode")
    if not isinstance(asked, KnownCode):
        raise ValueError(
            f"{asked!r} is not a known code: give a name, package.module:CODE, or a KnownCode"
        )
    return asked


def _with_references(codes: Mapping[str, KnownCode]) -> dict[str, KnownCode]:
    """Known codes, and those that they, the unit and the error rates are compared with."""
    names = {*_FALSE_POSITIVES, *_MISSES, *_MISSES_OF_LABEL_FREE, *_RANKED, *_ANCHORS}
    names |= {one.reference for one in codes.values() if one.reference is not None}
    return {**{name: KNOWN_CODES[name] for name in KNOWN_CODES if name in names}, **codes}


def _checked_rows(rows: Sequence[int]) -> tuple[int, ...]:
    found = tuple(sorted({check_positive("rows", n, minimum=_LEAST_ROWS) for n in rows}))
    if not found:
        raise ValueError("rows is empty: give numbers of rows, as rows=[300, 1000]")
    if found[-1] > _MOST_ROWS:
        raise ValueError(
            f"known codes are drawn with {_MOST_ROWS:,} rows or fewer, not {found[-1]:,}"
        )
    return found


def _distinct(asked: Mapping[str, Choice]) -> list[Metric]:
    """The metrics, each once: some give several scores."""
    found: list[Metric] = []
    for one in asked.values():
        if one.metric not in found:
            found.append(one.metric)
    return found


def _timed(metric: Metric, code: KnownCode, n_rows: int, seed: int) -> float:
    """Processor seconds that a metric takes for one permutation of a known code, or to fail."""
    sample = _sample(code, np.random.default_rng(seed), n_rows, seed)
    start = time.process_time()
    with suppress(Exception), quiet_fits():  # why it fails is entered where it is read
        metric.read(metric.prepared(sample).permuted(0))
    return time.process_time() - start
