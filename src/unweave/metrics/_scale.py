"""Where the numbers of a column start and how large they are: the one place that removes both."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from unweave._check import column_range

__all__ = ["Scale"]

_STEPS = 64  # a latent that spans fewer steps of its type has visibly lost detail
_EPSILONS = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}


@dataclass(frozen=True)
class Scale:
    """Smallest and largest value, origin and unit (columns,) of each column of an array.

    The origin is 0, but for a column that lies further from 0 than it is wide: there it is the
    value nearest to 0, and half of every number at least, so that subtracting it is exact. Whole
    numbers start at their smallest. The unit is a power of two, and exact too.
    """

    low: np.ndarray
    high: np.ndarray
    origin: np.ndarray
    unit: np.ndarray

    @classmethod
    def of(cls, array: np.ndarray, keep: Collection[str] = ()) -> Scale:
        """What to take away from ``array`` (rows, columns), but what ``keep`` names.

        ``keep`` may hold ``"offset"`` and ``"scale"``, for conventions that depend on them.
        """
        low, high = column_range(array)
        if array.dtype.kind in "iu":
            origin = low
        elif "offset" in keep:
            origin = np.zeros_like(low)
        else:
            width = high - low
            origin = np.where(low > width, low, np.where(-high > width, high, 0))
        unit = np.ones(len(low))
        if "scale" not in keep:
            size = np.maximum(np.abs(_less(low, origin)), np.abs(_less(high, origin)))
            unit = np.ldexp(unit, np.where(size > 0, np.frexp(size)[1], 0))
        return cls(low, high, origin, unit)

    def apply(self, array: np.ndarray) -> np.ndarray:
        """``array`` (rows, columns) from its origin in its unit; whole numbers become float64."""
        if array.dtype.kind in "iu":
            return _less(array, self.origin) / self.unit
        if self.origin.any():
            array = array - self.origin
        return array if (self.unit == 1).all() else array * (1 / self.unit).astype(array.dtype)

    def notes(self, precisions: Sequence[str]) -> tuple[str, ...]:
        """A sentence if the type of a column is too coarse at its size for its spread.

        ``precisions`` names the type of each column; types of whole numbers are exact.
        """
        epsilons = np.array([_EPSILONS.get(name, 0.0) for name in precisions])
        size = np.maximum(np.abs(self.low), np.abs(self.high)).astype(np.float64)
        step = np.ldexp(epsilons, np.frexp(size)[1] - 1)
        spread = _less(self.high, self.low)
        # A constant says nothing of what was lost, unless its type cannot even hold whole numbers.
        columns = np.flatnonzero(np.where(spread > 0, spread < _STEPS * step, step > 1))
        if not columns.size:
            return ()
        j = columns[0]
        return (
            f"latents {columns[:10].tolist()} span fewer than {_STEPS} steps of {precisions[j]} "
            f"(latent {j}: numbers near {self.high[j]:.3g} in steps of {step[j]:.2g}): finer "
            "differences are lost; subtract an offset before the codes are rounded, or compute "
            "them in double precision",
        )


def _less(array: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """``array`` less ``origin`` in float64; of whole numbers, at least ``origin``, exactly."""
    if array.dtype.kind in "iu":
        # The difference of 64-bit numbers may not fit in their signed type, but wraps around.
        return np.subtract(array, origin).view(f"u{array.itemsize}").astype(np.float64)
    return np.subtract(array, origin, dtype=np.float64)
