"""Why the distribution of codes does not distinguish disentangled from entangled ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats
from scipy.stats import ortho_group

from unweave._check import check_codes

__all__ = ["entangle"]

_LEAST = 0.05  # of a matrix's entries, so that every latent depends on every other


def entangle(codes: object, *, marginal: Any = None, seed: int = 0) -> np.ndarray:
    r"""Codes (n, latents) of the same distribution, in which every latent depends on every one.

    The map of theorem 1 of Locatello et al. (2019): each latent is taken to a standard normal one
    by its distribution function F, all are rotated by an orthogonal matrix A without zeros, and
    taken back,

    .. math:: f(z) = F^{-1} \circ \Phi \big( A \, \Phi^{-1} \circ F (z) \big).

    If the latents are independent and have the distribution F, f(z) is distributed as z is. It is
    smooth and has a smooth inverse, so that a decoder that undoes it first makes the same images
    with the same probabilities: neither images nor the prior distinguish the two.

    Parameters
    ----------
    codes
        Array (n, latents) of independent latents.
    marginal
        The distribution of each, frozen, of :mod:`scipy.stats`; standard normal if None.
    seed
        Seed of the matrix.

    Raises
    ------
    ValueError
        If there is one latent, or one lies where its distribution cannot.

    References
    ----------
    Locatello et al. (2019), https://arxiv.org/abs/1811.12359, theorem 1.
    """
    array = check_codes(codes, min_latents=2).astype(np.float64)
    distribution = stats.norm() if marginal is None else marginal
    normal = stats.norm.ppf(distribution.cdf(array))
    if not np.isfinite(normal).all():
        row, latent = np.argwhere(~np.isfinite(normal))[0]
        raise ValueError(
            f"latent {latent} of row {row} is {array[row, latent]:g}, where its distribution has "
            "nothing: give the marginal that the codes have"
        )
    return distribution.ppf(stats.norm.cdf(normal @ _rotation(array.shape[1], seed).T))


def _rotation(size: int, seed: int) -> np.ndarray:
    """An orthogonal matrix all of whose entries are away from zero, as far as its size allows."""
    rng = np.random.default_rng(seed)
    least = _LEAST / np.sqrt(size)
    while True:
        matrix = ortho_group.rvs(size, random_state=rng)
        if np.abs(matrix).min() > least:
            return matrix
        least *= 0.9
