"""A score with all that belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["ENOUGH_FOR_QUANTILES", "Chance", "Measurement", "Score", "with_todays_names"]

_UPPER = 0.975
ENOUGH_FOR_QUANTILES = 40  # so that one draw lies above the quantile


@dataclass(frozen=True)
class Chance:
    """What a metric gives where there is nothing to find: mean and spread over draws.

    Attributes
    ----------
    mean, sd, n_draws
        Mean and standard deviation over the draws, and how many there are.
    upper
        What a further draw exceeds in 2.5 % of cases: the quantile of the draws, or with fewer than
        40 of them Student's t bound for one more draw, from their mean and deviation. None where it
        is not known.
    by_factor
        The same of the values of each factor, by name, where a metric has such values.
    """

    mean: float
    sd: float
    n_draws: int
    upper: float | None = None
    by_factor: Mapping[str, Chance] = field(default_factory=dict)

    @classmethod
    def of(cls, draws: np.ndarray, by_factor: Mapping[str, np.ndarray] | None = None) -> Chance:
        """From the values (draws,) of a score, and those of each factor by its name."""
        mean, sd = float(draws.mean()), float(draws.std(ddof=1))
        upper = _upper(draws, mean, sd)
        each = {name: cls.of(values) for name, values in (by_factor or {}).items()}
        return cls(mean, sd, len(draws), upper, each)

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers."""
        found = {"mean": self.mean, "sd": self.sd, "n_draws": self.n_draws, "upper": self.upper}
        if not self.by_factor:
            return found
        return {**found, "by_factor": {name: c.to_dict() for name, c in self.by_factor.items()}}


def _upper(draws: np.ndarray, mean: float, sd: float) -> float:
    """What one more draw exceeds in 2.5 % of cases."""
    if len(draws) >= ENOUGH_FOR_QUANTILES:
        return float(np.quantile(draws, _UPPER))
    from scipy.special import stdtrit

    return mean + float(stdtrit(len(draws) - 1, _UPPER)) * sd * float(np.sqrt(1 + 1 / len(draws)))


@dataclass(frozen=True)
class Measurement:
    """What a metric reads from one sample, before anything is known of its noise."""

    value: float
    per_factor: np.ndarray = field(default_factory=lambda: np.empty(0))
    """A value for each factor, or for each latent."""
    matrix: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    """What they were read from, often (latents, factors)."""
    extras: Mapping[str, float] = field(default_factory=dict)
    """Further numbers, by name."""
    names: tuple[str, ...] | None = None
    """Names of the values in ``per_factor``, where they are of groups of latents."""
    by_factor: np.ndarray = field(default_factory=lambda: np.empty(0))
    """A value for each factor, of which draws of noise are kept as well; empty if there are none.
    """
    size: float = 1.0
    """Size of the numbers that make up the value: differences of 1e-12 of it are rounding."""
    adjusted: float | None = None
    """The value with chance taken out, where the metric does that exactly."""


class Score(float):
    """A number, with what made it as its attributes; those of noise are None without noise.

    Attributes
    ----------
    name
        Short name of the metric.
    per_factor
        The score of each factor, by name.
    matrix
        What the score was read from, (latents, factors); with ``groups``, (groups, factors), in the
        order of ``settings["groups"]``, which has the latents of each group by its name.
    settings
        Every choice that the value depends on.
    n_samples, seed, dead_latents
        Rows, seed of all draws, and the latents that never vary.
    adjusted
        The value with chance taken out: 0 is chance, 1 stays 1.
    chance
        The same metric with the rows of the factors permuted against the codes.
    mixture
        The same metric for random linear mixtures of the factors, as wide as the codes:
        what a smooth code that knows every factor and separates none would get.
    smooth
        The same metric for random smooth features of the factors (cosines of random frequencies
        and phases), as wide as the codes.
    interval, confidence
        Bounds that hold both the value at this sample size and its extrapolation to all rows, and
        their nominal coverage.
    p_value
        How likely chance alone reaches the value: share of the permutations that do, the data
        itself counted as one; or, with fewer than 50 permutations, the tail of a skewed
        distribution that is fitted to them, but at least 0.001.
    perfect
        What a perfect code, one latent a factor, scores with these settings and these rows.
    notes
        Sentences that a reader of the value should know.
    levels
        What the levels 0, 1, ... of a factor of words are called, by its name.
    extras
        Further numbers that came with the value, by name.
    by_factor
        A number for each factor, by name, whose chance, mixtures and smooth features are known as
        well; empty for most metrics. Of ``dci_disentanglement`` it is how far the factor is
        separated from the others, even where ``per_factor`` has the latents.
    factor_names
        Names of the factors, also where ``per_factor`` has the latents; empty if there are none.

    >>> score = Score("mig", 0.5, {"x": 0.5}, np.array([[0.5]]), {}, n_samples=10, seed=0)
    >>> score > 0.4, score.per_factor["x"]
    (True, 0.5)
    """

    def __new__(cls, name: str, value: float, *_: Any, **__: Any) -> Score:
        """Refuse nan: an undefined score must be an error with a reason."""
        if not np.isfinite(value):
            raise ValueError(f"{name} came out as {value}: please report this, it is never right")
        return super().__new__(cls, value)

    def __init__(
        self,
        name: str,
        value: float,
        per_factor: Mapping[str, float],
        matrix: np.ndarray,
        settings: Mapping[str, Any],
        *,
        n_samples: int,
        seed: int,
        dead_latents: tuple[int, ...] = (),
        adjusted: float | None = None,
        chance: Chance | None = None,
        mixture: Chance | None = None,
        smooth: Chance | None = None,
        interval: tuple[float, float] | None = None,
        confidence: float | None = None,
        p_value: float | None = None,
        perfect: float | None = None,
        notes: tuple[str, ...] = (),
        levels: Mapping[str, tuple[str, ...]] | None = None,
        extras: Mapping[str, float] | None = None,
        by_factor: Mapping[str, float] | None = None,
        factor_names: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.per_factor = per_factor
        self.matrix = matrix
        self.settings = settings
        self.n_samples = n_samples
        self.seed = seed
        self.dead_latents = dead_latents
        self.adjusted = adjusted
        self.chance = chance
        self.mixture = mixture
        self.smooth = smooth
        self.interval = interval
        self.confidence = confidence
        self.p_value = p_value
        self.perfect = perfect
        self.notes = notes
        self.levels: Mapping[str, tuple[str, ...]] = levels or {}
        self.extras: Mapping[str, float] = extras or {}
        self.by_factor: Mapping[str, float] = by_factor or {}
        self.factor_names = factor_names

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (self.name, float(self)), {}

    @property
    def value(self) -> float:
        """The bare number."""
        return float(self)

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers, lists and dicts, for JSON."""
        return {
            "value": float(self),
            "adjusted": self.adjusted,
            "chance": self.chance.to_dict() if self.chance else None,
            "mixture": self.mixture.to_dict() if self.mixture else None,
            "smooth": self.smooth.to_dict() if self.smooth else None,
            "interval": list(self.interval) if self.interval else None,
            "confidence": self.confidence,
            "p_value": self.p_value,
            "perfect": self.perfect,
            "n": self.n_samples,
            "seed": self.seed,
            "per_factor": dict(self.per_factor),
            "by_factor": dict(self.by_factor),
            "dead_latents": list(self.dead_latents),
            "matrix": self.matrix.tolist(),
            "settings": dict(self.settings),
            "notes": list(self.notes),
            "levels": {name: list(words) for name, words in self.levels.items()},
            "extras": dict(self.extras),
        }

    def __repr__(self) -> str:
        text = f"{self.name} = {float(self):.4f}"
        if self.interval is not None and self.chance is not None:
            low, high = self.interval
            text += (
                f" [{low:.4f}, {high:.4f}], chance {self.chance.mean:.4f} ± {self.chance.sd:.4f}"
            )
        if self.p_value is not None:
            text += f", p = {self.p_value:.2g}"
        return f"{text}, n = {self.n_samples}, seed = {self.seed}"

    __str__ = __repr__


_FORMER_NAMES = {"projection": "mixture", "ceiling": "perfect"}


def with_todays_names(record: Any) -> Any:
    """A record of scores as :meth:`Score.to_dict` makes it today, also if 0.1 wrote it."""
    if isinstance(record, list):
        return [with_todays_names(part) for part in record]
    if not isinstance(record, dict):
        return record
    names = _FORMER_NAMES if "value" in record else {}
    return {names.get(key, key): with_todays_names(part) for key, part in record.items()}
