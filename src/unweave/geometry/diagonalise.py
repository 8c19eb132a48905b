"""Joint diagonalisation of the tensors at each point."""

from __future__ import annotations

import numpy as np

__all__ = ["commuting_complement", "jointly_diagonalise"]

_SWEEPS = 30


def jointly_diagonalise(tensors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Axes that make all tensors of a point as diagonal as one rotation can.

    Jacobi rotations (Cardoso and Souloumiac 1996, https://doi.org/10.1137/S0895479893259546),
    started from the eigenvectors of a generic combination of the tensors.

    Parameters
    ----------
    tensors
        (n, m, k, k) symmetric.

    Returns
    -------
    rotations
        (n, k, k), axes in columns.
    diagonals
        (n, k, m), the diagonal of each tensor on these axes.
    beyond
        (n,) share of the tensors' energy off the diagonal, in [0, 1].
    """
    from unweave.geometry._kernels import jacobi

    n_tensors = tensors.shape[1]
    # Irrational weights: no two factors get the same eigenvalue by accident.
    weights = np.sqrt(np.arange(2.0, n_tensors + 2.0)) % 1 + 0.5
    start = np.linalg.eigh(np.einsum("m,nmab->nab", weights, tensors))[1]
    turned = np.einsum("nap,nmab,nbq->nmpq", start, tensors, start, optimize=True)
    rotations = np.ascontiguousarray(start)
    turned = np.ascontiguousarray(turned)
    jacobi(turned, rotations, _SWEEPS)
    diagonals = np.einsum("nmaa->nam", turned)
    energy = np.sum(turned**2, axis=(1, 2, 3))
    beyond = 1 - np.sum(diagonals**2, axis=(1, 2)) / np.maximum(energy, 1e-300)
    return rotations, np.ascontiguousarray(diagonals), np.clip(beyond, 0, 1)


def commuting_complement(tensors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where tensors (n, m, k, k) do not commute, and where they do: bases (n, k, f), (n, k, k - f).

    Parallel tensors of a flat block of f dimensions are all the symmetric ones of that block, and
    elsewhere a number on each factor: their commutators live in the block alone, and fill it. It
    has as many dimensions as the squares of the commutators have eigenvalues above the largest gap.
    """
    products = np.einsum("nmab,nlbc->nmlac", tensors, tensors, optimize=True)
    commutators = products - products.transpose(0, 2, 1, 3, 4)
    squares = np.einsum("nmlab,nmlcb->nac", commutators, commutators, optimize=True)
    values, vectors = np.linalg.eigh(squares)
    mean = np.maximum(values.mean(axis=0), 1e-12 * values.mean(axis=0)[-1])
    n_commuting = int(np.argmax(np.diff(np.log(mean)))) + 1
    if mean[0] > 0.1 * mean[-1]:
        n_commuting = 0  # all is flat
    return vectors[:, :, n_commuting:], vectors[:, :, :n_commuting]
