"""The bottom of the Laplacian's spectrum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from unweave.geometry._block import BLOCK
from unweave.geometry.laplacian import ConnectionLaplacian

__all__ = ["Spectrum", "is_zero", "iterate", "largest_gap", "smaller_than", "smallest_eigenpairs"]

_LEVEL = 0.9  # of an eigenvalue to the next: no gap
_TOLERANCE = 1e-3  # of the gap: a milliradian in the directions of the factors
_ENOUGH = 1e-2  # of the gap, where tangents are wrong by more
_MAX_ROUNDS = 60
_PATIENCE = 12  # rounds, after which eigenvalues that are nearly equal will hardly part
_ZERO = 1e-5  # of the upper end
_STAYS = 1e-4  # of an eigenvalue, from one round to the next
_REACH = 2.5  # of a filter: it damps by cosh(5)
_FALLING = 2  # rounds
_LANCZOS_STEPS = 6
_STRETCH = 2**11  # points


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues, ascending, and their vectors; only those below the gap need have converged."""

    values: np.ndarray
    """(8,)"""
    vectors: np.ndarray
    """(n, k (k + 1) / 2, 8) float32, packed matrices of trace 0; of length 1 over all points."""
    n_below_gap: int
    converged: bool
    """Whether these had converged when the last round ended."""
    top: float
    """Upper end of the operator's spectrum."""


def smallest_eigenpairs(
    laplacian: ConnectionLaplacian,
    below_gap: Callable[[np.ndarray], int],
    *,
    whole: bool = False,
    start: np.ndarray | None = None,
    random_state: np.random.Generator,
) -> Spectrum:
    """Eight smallest eigenpairs on symmetric matrices of trace 0.

    Parameters
    ----------
    laplacian
        The operator.
    below_gap
        How many of the ascending eigenvalues are those of parallel tensors.
    whole
        Iterate until all eight eigenvalues stay to 1e-4. Otherwise it ends when the residuals
        of the vectors below the gap are less than a thousandth of it, or a hundredth where wrong
        tangents turn them by more.
    start
        A block near the vectors that are looked for; random ones otherwise.
    random_state
        Seed of random vectors.
    """
    return iterate(laplacian, below_gap, whole=whole, start=start, random_state=random_state)


def iterate(
    laplacian: ConnectionLaplacian,
    below_gap: Callable[[np.ndarray], int],
    *,
    whole: bool = False,
    start: np.ndarray | None = None,
    tolerance: float = _TOLERANCE,
    max_rounds: int = _MAX_ROUNDS,
    random_state: np.random.Generator,
) -> Spectrum:
    """Subspace iteration with Chebyshev's polynomials as a filter.

    Each round damps all that lies between a cut above the Ritz values and the upper end of the
    spectrum, then solves the problem within the block (Zhou et al. 2006,
    https://doi.org/10.1016/j.jcp.2006.03.017). Eight vectors share each load of a transport.
    """
    top = _upper_end(laplacian, random_state)
    falling = 0 if start is not None else _FALLING
    block = _random(laplacian, random_state) if start is None else start
    block = _orthonormal(_traceless(block, laplacian.n_dims))
    values, vectors, moved, residuals = _rayleigh_ritz(laplacian, block)
    last = np.full(BLOCK, np.inf)
    for turn in range(max_rounds):
        below = below_gap(values)
        stays = (np.abs(last - values) < _STAYS * np.abs(values) + 1e-6 * top).all()
        excess = _excess(values, residuals, below, top, tolerance)
        if is_zero(values, top):
            return Spectrum(values, vectors, below, True, top)
        level = _is_level(values, residuals, below, patient=turn < _PATIENCE)
        if (excess < 1 or level) and (stays or not whole):
            return Spectrum(values, vectors, below, True, top)
        # At first, the block is far above where it will end. Later it is enough to go a little
        # above the gap, and above the middle of the block.
        beyond = 1.3 * values[-1 if whole else max(below, BLOCK // 2)]
        cut = values[-1] / 4 if turn < falling else min(values[-1], beyond)
        cut = float(np.clip(cut, 1e-5 * top, 0.5 * top))
        # A polynomial of this degree makes what it damps smaller by the excess, at least.
        reach = 0.5 * np.log(8 * excess) if excess > 1 and not whole else _REACH
        degree = int(np.clip(min(reach, _REACH) * np.sqrt(top / cut), 6, 80))
        last = values
        filtered = _chebyshev(laplacian, vectors, moved, (cut, top), degree, float(values[0]))
        block = _orthonormal(_traceless(filtered, laplacian.n_dims))
        values, vectors, moved, residuals = _rayleigh_ritz(laplacian, block)
    return Spectrum(values, vectors, below_gap(values), False, top)


def _excess(
    values: np.ndarray, residuals: np.ndarray, below: int, top: float, tolerance: float
) -> float:
    """How many times larger than is needed the residuals of the vectors below the gap are.

    Eigenvalues that are not 0 there say that tangents are not right, and turn the vectors by about
    the square root of their share of the gap: a tenth of that is soon exact enough.
    """
    wrong = max(values[below - 1], 0.0) if below else 0.0
    gap = max(values[below] - wrong, 1e-6 * top)
    tolerance = float(np.clip(0.1 * np.sqrt(wrong / gap), tolerance, max(tolerance, _ENOUGH)))
    return float(residuals[: max(below, 1)].max() / (tolerance * gap))


def is_zero(values: np.ndarray, top: float) -> bool:
    """Whether all eight eigenvalues are 0 in single precision, as where all is flat."""
    return bool(values[-1] < _ZERO * top)


def _is_level(
    values: np.ndarray, residuals: np.ndarray, below: int, *, patient: bool = True
) -> bool:
    """Whether eigenvalues are nearly equal: there is no gap to find, however long one looks."""
    needed = max(below, 1) + 1
    edge = values[:needed]
    settled = not patient or (residuals[:needed] < 0.1 * edge).all()
    return bool(edge[-2] > _LEVEL * edge[-1] and settled)


def largest_gap(n_dims: int) -> Callable[[np.ndarray], int]:
    """A rule: those below the largest gap are of parallel tensors, one fewer than the factors."""
    # No more tensors than these can be parallel: what lies above may have a gap that says nothing.
    n_tensors = min(n_dims * (n_dims + 1) // 2 - 1, BLOCK - 1)
    return lambda values: int(np.argmax(np.diff(values[: n_tensors + 1]))) + 1


def smaller_than(gamma: float) -> Callable[[np.ndarray], int]:
    """A rule: those below a number are of parallel tensors."""
    return lambda values: int(np.searchsorted(values[: BLOCK - 1], gamma))


def _chebyshev(laplacian, block, moved, damped: tuple[float, float], degree: int, wanted: float):
    """A polynomial of the operator that is small where it damps and 1 at ``wanted``.

    ``moved`` is the operator applied to the block once.
    """
    half, centre = (damped[1] - damped[0]) / 2, (damped[1] + damped[0]) / 2
    sigma = half / (wanted - centre)
    scale = sigma
    previous = block
    current = (moved - np.float32(centre) * block) * np.float32(scale / half)
    for _ in range(degree - 1):
        following = 1 / (2 / sigma - scale)
        step = 2 * following / half
        ahead = laplacian.combined(current, previous, step, -centre * step, -scale * following)
        previous, current, scale = current, ahead, following
    return current


def _rayleigh_ritz(laplacian, block: np.ndarray):
    """Best eigenpairs within the span of an orthonormal block, L of them, and their residuals."""
    moved = laplacian(block)
    values, turn = np.linalg.eigh(_gram(block, moved))
    turn = turn.astype(np.float32)
    vectors, moved = block @ turn, moved @ turn
    left = moved - vectors * values.astype(np.float32)
    return values, vectors, moved, np.sqrt(_inner(left, left))


def _orthonormal(block: np.ndarray) -> np.ndarray:
    """Orthonormal vectors of the same span, by two rounds of Cholesky's factorisation."""
    block = block / np.sqrt(_inner(block, block)).astype(np.float32)
    for _ in range(2):
        values, turn = np.linalg.eigh(_gram(block, block))
        scale = 1 / np.sqrt(np.maximum(values, 1e-7 * values[-1]))
        block = block @ (turn * scale).astype(np.float32)
    return block


def _gram(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Inner products (8, 8), summed in double precision over stretches of single."""
    total = np.zeros((BLOCK, BLOCK))
    for start in range(0, len(first), _STRETCH):
        part = slice(start, start + _STRETCH)
        total += first[part].reshape(-1, BLOCK).T @ second[part].reshape(-1, BLOCK)
    return (total + total.T) / 2


def _random(laplacian: ConnectionLaplacian, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(laplacian.shape, dtype=np.float32)


def _traceless(block: np.ndarray, k: int) -> np.ndarray:
    """The block, in place, without the traces of its matrices."""
    diagonal = np.cumsum([0, *range(k, 1, -1)])  # where packed rows begin
    block[:, diagonal] -= block[:, diagonal].mean(axis=1, keepdims=True)
    return block


def _upper_end(laplacian: ConnectionLaplacian, rng: np.random.Generator) -> float:
    """No less than the largest eigenvalue: Lanczos's method, eight starts at once.

    The largest Ritz value and the size of what is left bound it (Zhou and Li 2011,
    https://doi.org/10.1016/j.laa.2010.06.034); a filter that ends too low would let what lies
    beyond grow without bound. The normalised operator's is so near to its bound, 2, that looking
    for it would cost more than it saves.
    """
    if laplacian.normalised:
        return laplacian.bound
    vector = _traceless(_random(laplacian, rng), laplacian.n_dims)
    vector /= np.sqrt(_inner(vector, vector)).astype(np.float32)
    previous = np.zeros_like(vector)
    alphas, betas = [], [np.zeros(BLOCK)]
    for _ in range(_LANCZOS_STEPS):
        ahead = laplacian(vector) - betas[-1].astype(np.float32) * previous
        alphas.append(_inner(ahead, vector))
        ahead -= alphas[-1].astype(np.float32) * vector
        betas.append(np.sqrt(_inner(ahead, ahead)))
        previous, vector = vector, ahead / betas[-1].astype(np.float32)
    tops = [
        np.linalg.eigvalsh(
            np.diag([a[v] for a in alphas])
            + np.diag([b[v] for b in betas[1:-1]], 1)
            + np.diag([b[v] for b in betas[1:-1]], -1)
        )[-1]
        + betas[-1][v]
        for v in range(BLOCK)
    ]
    return min(float(max(tops)), laplacian.bound)


def _inner(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Inner product (8,) of each pair of vectors, summed in double over stretches of single."""
    total = np.zeros(BLOCK)
    for start in range(0, len(first), _STRETCH):
        part = slice(start, start + _STRETCH)
        total += np.einsum("npv,npv->v", first[part], second[part])
    return total
