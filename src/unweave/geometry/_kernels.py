"""Compiled inner loops of the geometry. Imported on first use."""

from __future__ import annotations

import numpy as np

from unweave._compiled import njit

__all__ = ["jacobi", "polar_iterations", "quadratic_spans"]


@njit(nogil=True)
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


@njit(fastmath=True, nogil=True)
def _dot(first, second, n):  # pragma: no cover - compiled
    total = 0.0
    for i in range(n):
        total += first[i] * second[i]
    return total


@njit(fastmath=True, nogil=True)
def quadratic_spans(
    points, neighbours, bases, n_iterations, ridge, settled, first, last
):  # pragma: no cover - compiled
    """Local quadratic fits at points ``first`` to ``last``: ``bases`` (n, ambient, k) in place.

    What products of tangent coordinates explain of the coordinates is taken off these; what is left
    times the displacements spans what the linear part of the whole regression would (Frisch and
    Waugh), and only the products' normal equations have to be solved.
    """
    n_near, ambient, k = neighbours.shape[1], points.shape[1], bases.shape[2]
    n_products = k * (k + 1) // 2
    away = np.empty((ambient, n_near))
    u = np.empty((k, n_near))
    products = np.empty((n_products, n_near))
    normal = np.empty((n_products, n_products))
    solved = np.empty((k, n_products))
    basis = np.empty((k, ambient))
    before = np.empty((k, ambient))
    for i in range(first, last):
        square = 0.0
        for d in range(ambient):
            for j in range(n_near):
                away[d, j] = points[neighbours[i, j], d] - points[i, d]
            square += _dot(away[d], away[d], n_near)
        # In units of the neighbourhood's radius, linear and quadratic terms are of one size.
        scale = np.sqrt(n_near / max(square, 1e-300))
        for d in range(ambient):
            for j in range(n_near):
                away[d, j] *= scale
        for a in range(k):
            for d in range(ambient):
                basis[a, d] = bases[i, d, a]
        for _ in range(n_iterations):
            before[:] = basis
            trace = 0.0
            for a in range(k):
                u[a] = 0.0
                for d in range(ambient):
                    x = basis[a, d]
                    for j in range(n_near):
                        u[a, j] += x * away[d, j]
                trace += _dot(u[a], u[a], n_near)
            m = 0
            for a in range(k):
                for b in range(a, k):
                    # Off the diagonal they stand twice: the ridge is then that of any frame.
                    weight = 1.0 if a == b else np.sqrt(2.0)
                    for j in range(n_near):
                        products[m, j] = weight * u[a, j] * u[b, j]
                    m += 1
            for m in range(n_products):
                for o in range(m + 1):
                    normal[m, o] = _dot(products[m], products[o], n_near)
                trace += normal[m, m]
                for a in range(k):
                    solved[a, m] = _dot(u[a], products[m], n_near)
            # Cholesky's factors, row after row, then both substitutions.
            for m in range(n_products):
                normal[m, m] += ridge * trace / (k + n_products) + 1e-300
                for o in range(m):
                    normal[m, o] = (normal[m, o] - _dot(normal[m], normal[o], o)) / normal[o, o]
                normal[m, m] = np.sqrt(normal[m, m] - _dot(normal[m], normal[m], m))
            for a in range(k):
                for m in range(n_products):
                    solved[a, m] = (solved[a, m] - _dot(solved[a], normal[m], m)) / normal[m, m]
                for m in range(n_products - 1, -1, -1):
                    x = solved[a, m] / normal[m, m]
                    for o in range(m):
                        solved[a, o] -= x * normal[m, o]
                    for j in range(n_near):
                        u[a, j] -= x * products[m, j]
            kept = 0.0
            for a in range(k):
                for d in range(ambient):
                    basis[a, d] = _dot(u[a], away[d], n_near)
                _orthogonalise(basis, a)
                for b in range(k):
                    kept += _dot(basis[a], before[b], ambient) ** 2
            if k - kept < settled**2:
                break
        for a in range(k):
            for d in range(ambient):
                bases[i, d, a] = basis[a, d]


@njit(fastmath=True, nogil=True)
def _orthogonalise(basis, a):  # pragma: no cover - compiled
    """Make row ``a`` of length 1 and orthogonal to those before it; twice is enough."""
    n = basis.shape[1]
    for _ in range(2):
        for b in range(a):
            x = _dot(basis[a], basis[b], n)
            for d in range(n):
                basis[a, d] -= x * basis[b, d]
        scale = 1 / np.sqrt(max(_dot(basis[a], basis[a], n), 1e-300))
        for d in range(n):
            basis[a, d] *= scale


@njit(fastmath=True, nogil=True)
def polar_iterations(matrices, converged, max_steps, tolerance):  # pragma: no cover - compiled
    """Newton and Schulz's iteration of the fifth order on matrices (n, k, k), in place.

    ``converged`` (n,) says which are orthogonal to the tolerance after that.
    """
    n, k, _ = matrices.shape
    gram, square = np.empty((k, k)), np.empty((k, k))
    following = np.empty((k, k))
    for i in range(n):
        x = matrices[i]
        for _ in range(max_steps + 1):
            far = 0.0
            gram[:] = 0.0
            for c in range(k):
                for a in range(k):
                    for b in range(k):
                        gram[a, b] += x[c, a] * x[c, b]
            for a in range(k):
                for b in range(k):
                    far = max(far, abs(gram[a, b] - (1.0 if a == b else 0.0)))
            converged[i] = far <= tolerance
            if converged[i]:
                break
            square[:] = 0.0
            for a in range(k):
                for c in range(k):
                    for b in range(k):
                        square[a, b] += gram[a, c] * gram[c, b]
            for a in range(k):
                for b in range(k):
                    square[a, b] = (3.0 * square[a, b] - 10.0 * gram[a, b]) / 8.0
                square[a, a] += 15.0 / 8.0
            following[:] = 0.0
            for a in range(k):
                for c in range(k):
                    for b in range(k):
                        following[a, b] += x[a, c] * square[c, b]
            x[:] = following
