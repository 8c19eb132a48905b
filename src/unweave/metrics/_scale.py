"""Where the numbers of a column start and how large they are: the one place that removes both."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from unweave._check import column_range

__all__ = ["Scale", "number_kind", "resolution_notes"]

_STEPS = 64  # a latent that spans fewer steps of its type has visibly lost detail
_EPSILONS = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}


@dataclass(frozen=True)
class Scale:
    """Origin and unit (columns,) of each column of an array.

    The origin is 0 for a column of floating-point numbers of both signs, and else the value
    nearest to 0; whole numbers start at their smallest. The unit is a power of two. So nothing is
    rounded that the numbers had not lost before, equal values stay equal, and others differ.
    """

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
            origin = np.where(low > 0, low, np.where(high < 0, high, 0))
        unit = np.ones(len(low))
        if "scale" not in keep:
            size = np.maximum(np.abs(_less(low, origin)), np.abs(_less(high, origin)))
            unit = np.ldexp(unit, np.where(size > 0, np.frexp(size)[1], 0))
        return cls(origin, unit)

    def apply(self, array: np.ndarray) -> np.ndarray:
        """``array`` (rows, columns) from its origin in its unit: float64, or untouched."""
        if not self.origin.any():
            if (self.unit == 1).all():
                return array
            return np.multiply(array, 1 / self.unit, dtype=np.float64)
        moved = _less(array, self.origin)
        moved *= 1 / self.unit
        return moved


def number_kind(array: object) -> str:
    """Name of the type that an array or tensor holds its numbers in; empty without one."""
    return str(getattr(array, "dtype", "")).rpartition(".")[2]


def resolution_notes(codes: np.ndarray, kind: str) -> tuple[str, ...]:
    """A sentence if numbers of type ``kind`` are too coarse, at their size, for their spread."""
    low, high = column_range(codes)
    size = np.maximum(np.abs(low), np.abs(high)).astype(np.float64)
    step = np.ldexp(_EPSILONS.get(kind, 2.0**-52), np.frexp(size)[1] - 1)
    spread = _less(high, low)
    # A constant says nothing of what was lost, unless its type cannot even hold whole numbers.
    coarse = np.where(spread > 0, spread < _STEPS * step, step > 1)
    columns = np.flatnonzero(coarse)
    if not columns.size:
        return ()
    j = columns[0]
    return (
        f"latents {columns[:10].tolist()} span fewer than {_STEPS} steps of {kind} (latent {j}: "
        f"numbers near {high[j]:.3g} in steps of {step[j]:.2g}): finer differences are lost; "
        "subtract an offset before the codes are rounded, or compute them in double precision",
    )


def _less(array: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """``array`` less ``origin`` in float64; of whole numbers, at least ``origin``, exactly."""
    if array.dtype.kind in "iu":
        # The difference of 64-bit numbers may not fit in their signed type, but wraps around.
        return np.subtract(array, origin).view(f"u{array.itemsize}").astype(np.float64)
    return np.subtract(array, origin, dtype=np.float64)
