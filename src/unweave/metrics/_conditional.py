"""Tests of whether latents depend on a factor, given all other factors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unweave.metrics._predictors import angle_of

__all__ = ["Conditional", "conditional"]

_DEGREE = 3  # of the polynomials of a factor with an order
_HARMONICS = 2  # of the waves of a circular one
_MOST_INDICATORS = 50  # levels of a factor that have an effect each
_MOST_PROBES = 20  # random contrasts of categories, where there are more
_FEW_CATEGORIES = 6  # whose effects may depend on other factors
_ROWS_PER_COLUMN = 4  # at least, in regressions
_MOST_COLUMNS = 400
_LEFT = 1e-10  # of the sum of squares: less than this is rounding
_SINGULAR = 1e-10  # of the largest eigenvalue


class Conditional:
    """What latents and one factor have beyond what the other factors say of both.

    Attributes
    ----------
    probes
        Probes of the factor (rows, probes), less what the other factors predict.
    basis
        Orthonormal basis of what the other factors predict (rows, dimensions).
    """

    def __init__(self, probes: np.ndarray, basis: np.ndarray) -> None:
        self.basis = basis
        self.probes = _independent(_residuals(probes, basis), (probes**2).sum())

    @property
    def is_determined(self) -> bool:
        """Whether the factor follows from the others, so that no test is possible."""
        return not self.probes.shape[1]

    def statistics(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r"""F statistics and p-values (latents,) of each latent being independent of the factor.

        The generalised covariance measure: with residuals r of a latent and s of d probes of the
        factor, the mean of the products r s is 0 if they are independent given the other factors.
        Its size is measured by Hotelling's statistic

        .. math:: T^2 = n \, \overline{rs}^\top S^{-1} \, \overline{rs}

        with the covariance S of the products, and F has d and n - p - d degrees of freedom, where p
        is the dimension of what the other factors predict.

        References
        ----------
        Shah and Peters (2020), https://doi.org/10.1214/19-AOS1857, section 3.
        """
        n, n_probes = self.probes.shape
        free = n - self.basis.shape[1]
        found, p_values = np.zeros(codes.shape[1]), np.ones(codes.shape[1])
        if not n_probes or free - n_probes < 1:
            return found, p_values
        centred = codes - codes.mean(axis=0)
        left = _residuals(centred, self.basis)
        varies = (left**2).sum(axis=0) > _LEFT * (centred**2).sum(axis=0)
        for j in np.flatnonzero(varies):
            found[j] = _hotelling(left[:, j, None] * self.probes, free)
        from scipy.stats import f

        p_values[varies] = f.sf(found[varies], n_probes, free - n_probes)
        return found, p_values


def conditional(factors: np.ndarray, kinds: Sequence[str], which: int) -> Conditional:
    """The factor at position ``which`` of ``factors`` (rows, factors), given all others."""
    others = [k for k in range(factors.shape[1]) if k != which]
    basis = _basis(factors[:, others], [kinds[k] for k in others])
    return Conditional(_probes(factors[:, which], kinds[which]), basis)


def _hotelling(products: np.ndarray, free: int) -> float:
    """Hotelling's statistic of products (rows, probes), as F with ``free`` - probes degrees."""
    n, n_probes = products.shape
    mean = products.mean(axis=0)
    apart = products - mean
    values, vectors = np.linalg.eigh(apart.T @ apart / n)
    kept = values > _SINGULAR * values[-1]
    if not kept.any():
        return 0.0
    squared = free * float(((vectors[:, kept].T @ mean) ** 2 / values[kept]).sum())
    return squared * (free - n_probes) / (n_probes * max(free - 1, 1))


def _residuals(values: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """What of ``values`` (rows, columns) is beyond an orthonormal basis (rows, dimensions)."""
    left = values - basis @ (basis.T @ values)
    return left - basis @ (basis.T @ left)


def _independent(columns: np.ndarray, size: float) -> np.ndarray:
    """An orthonormal basis of columns; those that hold next to nothing of ``size`` are none."""
    values, vectors = np.linalg.eigh(columns.T @ columns)
    kept = values > _LEFT * size
    return columns @ (vectors[:, kept] / np.sqrt(values[kept]))


def _basis(factors: np.ndarray, kinds: Sequence[str]) -> np.ndarray:
    """Orthonormal basis (rows, dimensions) of what a regression on ``factors`` can predict.

    An effect of each level, or a smooth effect where levels are many; and, where rows suffice, the
    products of the smooth effects of each two factors.
    """
    n = len(factors)
    most = min(n // _ROWS_PER_COLUMN, _MOST_COLUMNS)
    constant = np.ones((n, 1))
    columns = list(zip(factors.T, kinds, strict=True))
    smooth = [_contrasts(column, kind) for column, kind in columns]
    main = [_effects(column, kind) for column, kind in columns]
    if sum(part.shape[1] for part in main) >= most:
        main = smooth
    parts = [constant, *main]
    products = [
        (first[:, :, None] * second[:, None]).reshape(n, -1)
        for a, first in enumerate(smooth)
        for second in smooth[:a]
        if max(first.shape[1], second.shape[1]) < _FEW_CATEGORIES
    ]
    if sum(part.shape[1] for part in parts + products) <= most:
        parts += products
    design = np.concatenate(parts, axis=1)
    design = design / np.sqrt(np.maximum((design**2).sum(axis=0), np.finfo(float).tiny))
    basis = _independent(design, design.shape[1])
    return _independent(basis, basis.shape[1])


def _effects(column: np.ndarray, kind: str) -> np.ndarray:
    """Indicators (rows, levels) of a factor's levels; of many ordered ones, a spline."""
    levels = np.unique(column)
    if kind == "categorical" or len(levels) <= _MOST_INDICATORS:
        return (column[:, None] == levels).astype(np.float64)
    if angle_of(column, kind) is not None:
        return _contrasts(column, kind)
    from sklearn.preprocessing import SplineTransformer

    spline = SplineTransformer(n_knots=8, knots="quantile", extrapolation="continue")
    return spline.fit_transform(column[:, None].astype(np.float64))


def _contrasts(column: np.ndarray, kind: str) -> np.ndarray:
    """A few functions (rows, functions) of a factor: polynomials, waves, or indicators."""
    angle = angle_of(column, kind)
    if angle is not None:
        waves = [wave(h * angle) for h in range(1, _HARMONICS + 1) for wave in (np.cos, np.sin)]
        return np.stack(waves, axis=1)
    levels, ranks = np.unique(column, return_inverse=True)
    if kind == "categorical":
        if len(levels) <= _MOST_PROBES:
            return (ranks[:, None] == np.arange(1, len(levels))).astype(np.float64)
        rng = np.random.default_rng(len(levels))
        return rng.standard_normal((len(levels), _MOST_PROBES))[ranks]
    low, high = float(column.min()), float(column.max())
    unit = 2 * (column.astype(np.float64) - low) / ((high - low) or 1.0) - 1
    degrees = np.arange(1, min(_DEGREE, max(len(levels) - 1, 1)) + 1)
    return np.polynomial.legendre.legvander(unit, int(degrees[-1]))[:, 1:]


def _probes(column: np.ndarray, kind: str) -> np.ndarray:
    """What of a factor is tested (rows, probes), at mean 0."""
    found = _contrasts(column, kind)
    return found - found.mean(axis=0)
