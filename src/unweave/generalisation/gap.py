"""How much worse something is on the held-out part than on the training part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Gap", "Weights", "bootstrap_weights", "gap_of"]

_LEVEL = 0.05
Weights = tuple[np.ndarray, np.ndarray]
"""How often each row counts in each draw, (draws, rows), for either part."""


@dataclass(frozen=True)
class Gap:
    """A value on new images of the training part, and on the held-out part.

    Attributes
    ----------
    train, held_out
        The value on either part.
    interval
        Interval of the gap: 95 % over bootstrap draws of the rows, for what was learnt as it is.
    chance_train, chance_held_out
        What a read-out has that knows nothing of the image.
    is_error
        Whether small values are good, as of errors.
    """

    train: float
    held_out: float
    interval: tuple[float, float]
    chance_train: float
    chance_held_out: float
    is_error: bool = False

    @property
    def gap(self) -> float:
        """How much worse the held-out part is; 0 for a perfect code."""
        return self._worse(self.train, self.held_out)

    @property
    def chance(self) -> float:
        """The gap of a read-out that knows nothing of the image."""
        return self._worse(self.chance_train, self.chance_held_out)

    def _worse(self, train: float, held_out: float) -> float:
        return held_out - train if self.is_error else train - held_out

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers, for JSON."""
        return {
            "train": self.train,
            "held_out": self.held_out,
            "gap": self.gap,
            "low": self.interval[0],
            "high": self.interval[1],
            "chance_train": self.chance_train,
            "chance_held_out": self.chance_held_out,
            "chance_gap": self.chance,
        }


def bootstrap_weights(n_train: int, n_held_out: int, n_draws: int, *, seed: int) -> Weights:
    """How often each row counts in each draw of as many rows with replacement."""
    rng = np.random.default_rng(seed)

    def of(n: int) -> np.ndarray:
        return rng.multinomial(n, np.full(n, 1 / n), size=n_draws).astype(np.float32)

    return of(n_train), of(n_held_out)


def gap_of(
    values: tuple[np.ndarray, np.ndarray],
    chance: tuple[np.ndarray, np.ndarray],
    weights: Weights,
    *,
    is_error: bool = False,
) -> Gap:
    """The gap between means of values (rows,) of both parts, with their bootstrap interval."""
    drawn = [w @ v.astype(np.float32) / len(v) for w, v in zip(weights, values, strict=True)]
    differences = drawn[1] - drawn[0] if is_error else drawn[0] - drawn[1]
    low, high = np.quantile(differences, [_LEVEL / 2, 1 - _LEVEL / 2])
    means = [float(np.mean(part)) for part in (*values, *chance)]
    return Gap(means[0], means[1], (float(low), float(high)), means[2], means[3], is_error)
