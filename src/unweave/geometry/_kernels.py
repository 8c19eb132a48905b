"""Compiled inner loops of the geometry. Imported on first use."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["jacobi"]


@njit(cache=True, nogil=True)
def jacobi(tensors, rotations, sweeps):  # pragma: no cover - compiled
    """Diagonalise (n, m, k, k) in place by rotations of pairs of axes; turn ``rotations`` along."""
    n, m, k, _ = tensors.shape
    for i in range(n):
        own, axes = tensors[i], rotations[i]
        for _ in range(sweeps):
            largest = 0.0
            for p in range(k - 1):
                for q in range(p + 1, k):
                    # The angle that takes most energy onto the diagonal, in closed form.
                    ton, toff = 0.0, 0.0
                    for t in range(m):
                        d = own[t, p, p] - own[t, q, q]
                        o = 2.0 * own[t, p, q]
                        ton += d * d - o * o
                        toff += 2.0 * d * o
                    angle = 0.5 * np.arctan2(toff, ton + np.sqrt(ton * ton + toff * toff))
                    c, s = np.cos(angle), np.sin(angle)
                    largest = max(largest, abs(s))
                    if abs(s) < 1e-9:
                        continue
                    for t in range(m):
                        for a in range(k):
                            x, y = own[t, a, p], own[t, a, q]
                            own[t, a, p], own[t, a, q] = c * x + s * y, c * y - s * x
                        for a in range(k):
                            x, y = own[t, p, a], own[t, q, a]
                            own[t, p, a], own[t, q, a] = c * x + s * y, c * y - s * x
                    for a in range(k):
                        x, y = axes[a, p], axes[a, q]
                        axes[a, p], axes[a, q] = c * x + s * y, c * y - s * x
            if largest < 1e-7:
                break
