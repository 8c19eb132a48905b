"""A score with all that belongs to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Chance", "Details", "Score", "Scores"]


@dataclass(frozen=True)
class Chance:
    """What a metric gives where there is nothing to find: mean and spread over draws."""

    mean: float
    sd: float
    n_draws: int

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers."""
        return {"mean": self.mean, "sd": self.sd, "n_draws": self.n_draws}


@dataclass(frozen=True)
class Details:
    """What made a score. A field is None when its noise was not asked for.

    Attributes
    ----------
    per_factor
        The score of each factor, by name.
    matrix
        What the score was read from, (latents, factors).
    settings
        Every choice that the value depends on.
    n_samples, seed, dead_latents
        Rows, seed of all draws, and the latents that never vary.
    adjusted
        The value with chance taken out: 0 is chance, 1 stays 1.
    chance
        The same metric with the rows of the factors permuted against the codes.
    projection
        The same metric for random linear projections of the factors, as wide as the codes:
        what a smooth code that knows every factor and separates none would get.
    interval, confidence
        Bounds that hold both the value at this sample size and its extrapolation to all rows.
    p_value
        Share of permutations that score at least as high, the data itself counted as one.
    notes
        Sentences that a reader of the value should know.
    """

    per_factor: Mapping[str, float]
    matrix: np.ndarray
    settings: Mapping[str, Any]
    n_samples: int
    seed: int
    dead_latents: tuple[int, ...] = ()
    adjusted: float | None = None
    chance: Chance | None = None
    projection: Chance | None = None
    interval: tuple[float, float] | None = None
    confidence: float | None = None
    p_value: float | None = None
    notes: tuple[str, ...] = field(default=())


class Score(float):
    """A number, with the :class:`Details` that made it as its attributes.

    >>> details = Details({"x": 0.5}, np.array([[0.5]]), {}, n_samples=10, seed=0)
    >>> score = Score("mig", 0.5, details)
    >>> score > 0.4, score.per_factor["x"]
    (True, 0.5)
    """

    def __new__(cls, name: str, value: float, details: Details) -> Score:
        """Refuse nan: an undefined score must be an error with a reason."""
        if not np.isfinite(value):
            raise ValueError(f"{name} came out as {value}: please report this, it is never right")
        return super().__new__(cls, value)

    def __init__(self, name: str, value: float, details: Details) -> None:
        self.name = name
        self.details = details

    def __getattr__(self, attribute: str) -> Any:
        if attribute == "details":
            raise AttributeError(attribute)
        return getattr(self.details, attribute)

    def __reduce__(self):
        return Score, (self.name, float(self), self.details)

    @property
    def value(self) -> float:
        """The bare number."""
        return float(self)

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers, lists and dicts, for JSON."""
        d = self.details
        return {
            "value": float(self),
            "adjusted": d.adjusted,
            "chance": d.chance.to_dict() if d.chance else None,
            "projection": d.projection.to_dict() if d.projection else None,
            "interval": list(d.interval) if d.interval else None,
            "confidence": d.confidence,
            "p_value": d.p_value,
            "n": d.n_samples,
            "seed": d.seed,
            "per_factor": dict(d.per_factor),
            "dead_latents": list(d.dead_latents),
            "matrix": d.matrix.tolist(),
            "settings": dict(d.settings),
            "notes": list(d.notes),
        }

    def __repr__(self) -> str:
        d = self.details
        text = f"{self.name} = {float(self):.4f}"
        if d.interval is not None and d.chance is not None:
            text += (
                f" [{d.interval[0]:.4f}, {d.interval[1]:.4f}], chance {d.chance.mean:.4f} ± "
                f"{d.chance.sd:.4f}"
            )
        if d.p_value is not None:
            text += f", p = {d.p_value:.2g}"
        return f"{text}, n = {d.n_samples}, seed = {d.seed}"

    __str__ = __repr__


class Scores(Mapping[str, Score]):
    """Scores by name; prints as a table."""

    def __init__(self, scores: Mapping[str, Score]) -> None:
        self._scores = dict(scores)

    def __getitem__(self, name: str) -> Score:
        return self._scores[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._scores)

    def __len__(self) -> int:
        return len(self._scores)

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers, lists and dicts, for JSON."""
        return {name: score.to_dict() for name, score in self.items()}

    def __repr__(self) -> str:
        return "\n".join(repr(score) for score in self.values())
