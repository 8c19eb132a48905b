"""Separated attribute predictability (Kumar et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unweave._check import (
    check_choice,
    check_codes_factors,
    check_factor_kinds,
    constant_columns,
)
from unweave.metrics._information import factor_levels
from unweave.metrics.mig import top_gap
from unweave.metrics.score import Details, Score
from unweave.metrics.significance import Noise, with_noise

__all__ = ["separated_attribute_predictability"]

CONVENTIONS = ("by_kind", "disentanglement_lib")
_C = 0.01  # the regularisation of disentanglement_lib's classifier


def separated_attribute_predictability(
    codes: object,
    factors: object,
    *,
    convention: str = "by_kind",
    continuous_factors: bool = False,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str] | None = None,
    test: tuple[object, object] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Score:
    r"""How far the best single-latent predictor of a factor is ahead of the second best, in [0, 1].

    .. math:: \frac{1}{K} \sum_k S_{(1)k} - S_{(2)k}

    ``S`` (latents, factors) is, for ordinal and continuous factors, the R² of a linear regression
    of the factor on the latent; for circular ones, that of a regression of the point on the circle
    (cosine and sine, so that it does not matter where the circle is cut); for categorical ones,
    the accuracy of a linear support vector machine on held-out rows. A single linear classifier
    cannot single out the levels in the middle of a latent: with many levels, the accuracies of a
    perfect code are far below 1.

    Parameters
    ----------
    codes, factors
        Arrays (samples, latents) and (samples, factors) of the same rows.
    convention
        ``by_kind`` as above; ``disentanglement_lib`` treats all factors alike: as classes, or, with
        ``continuous_factors``, by R².
    continuous_factors
        Only with ``convention="disentanglement_lib"``, which has the same option.
    factor_names, factor_kinds
        One for each factor; without kinds all count as ordinal. The levels of a circular factor
        are whole numbers once around the circle, or angles in radians.
    test
        Codes and factors of other rows, on which classifiers are judged. Without it, a random third
        of the rows is held out for that.
    noise
        What to spend on chance level, p-value and interval; None for the bare value.
    seed
        Of all draws.

    Raises
    ------
    ValueError
        If the arrays cannot be used (nan, other lengths, a constant factor, a single latent).

    References
    ----------
    Kumar et al. (2018), https://arxiv.org/abs/1711.00848, section 3.

    >>> factors = np.stack(np.meshgrid([0, 1], [0, 1, 2]), -1).reshape(-1, 2)
    >>> float(separated_attribute_predictability(factors.astype(float), factors, noise=None))
    1.0
    """
    codes, factors = check_codes_factors(codes, factors, min_latents=2, names=factor_names)
    convention = check_choice("convention", convention, CONVENTIONS)
    if continuous_factors and convention != "disentanglement_lib":
        raise ValueError(
            "continuous_factors belongs to convention='disentanglement_lib'; by kind, say which "
            "factors are continuous in factor_kinds"
        )
    n_factors = factors.shape[1]
    names = list(factor_names or (str(k) for k in range(n_factors)))
    if convention == "disentanglement_lib":
        kinds = check_factor_kinds("ordinal" if continuous_factors else "categorical", n_factors)
    else:
        kinds = check_factor_kinds(factor_kinds or "ordinal", n_factors)
    held_out = None if test is None else check_codes_factors(*test, min_latents=2)
    if held_out is not None and held_out[0].shape[1] != codes.shape[1]:
        raise ValueError(
            f"test codes have {held_out[0].shape[1]} latents and codes {codes.shape[1]}: both must "
            "come from the same encoder"
        )
    matrix = _predictability(codes, factors, kinds, held_out, seed)
    gaps = top_gap(matrix)
    value = float(gaps.mean())
    dead = constant_columns(codes)
    details = Details(
        per_factor=dict(zip(names, gaps.tolist(), strict=True)),
        matrix=matrix,
        settings={
            "metric": "separated_attribute_predictability",
            "convention": convention,
            "factor_kinds": list(kinds),
            "svm_C": _C if "categorical" in kinds else None,
            "n_test": len(held_out[0]) if held_out else None,
        },
        n_samples=len(codes),
        seed=seed,
        dead_latents=tuple(dead.tolist()),
        notes=(f"{dead.size} of {codes.shape[1]} latents never vary and predict nothing",)
        if dead.size
        else (),
    )

    def statistic(codes, factors):
        # Chance draws judge classifiers on rows of their own: test rows fit no permutation.
        return float(top_gap(_predictability(codes, factors, kinds, None, seed)).mean())

    return Score("sap", value, with_noise(details, value, statistic, codes, factors, noise))


def _predictability(codes, factors, kinds, held_out, seed: int) -> np.ndarray:
    """Score matrix (latents, factors): R² of the rows, or accuracy on the held-out ones."""
    matrix = np.empty((codes.shape[1], factors.shape[1]))
    classes = np.array([kind == "categorical" for kind in kinds])
    if not classes.all():
        regressed = np.flatnonzero(~classes)
        targets = [_targets(factors[:, k], kinds[k]) for k in regressed]
        matrix[:, regressed] = _r_squared(codes, targets)
    if classes.any():
        if held_out is None:
            rows = np.random.default_rng([seed, 4]).permutation(len(codes))
            cut = max(1, len(codes) // 3)
            train, test = rows[cut:], rows[:cut]
            parts = (codes[train], factors[train], codes[test], factors[test])
        else:
            parts = (codes, factors, *held_out)
        matrix[:, classes] = _accuracy(
            parts[0], parts[1][:, classes], parts[2], parts[3][:, classes]
        )
    return matrix


def _targets(factor: np.ndarray, kind: str) -> np.ndarray:
    """What is regressed on (samples, targets): the factor itself, or the point on its circle."""
    if kind != "circular":
        return factor[:, None].astype(np.float64)
    angle = factor * (2 * np.pi / (factor.max() + 1)) if factor.dtype.kind == "i" else factor
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _r_squared(codes: np.ndarray, targets: list[np.ndarray]) -> np.ndarray:
    """Share (latents, factors) of each target's total variance that a latent explains linearly."""
    z = codes.astype(np.float64)
    z -= z.mean(axis=0)
    variance = np.einsum("nj,nj->j", z, z)
    alive = codes.min(axis=0) < codes.max(axis=0)
    shares = np.zeros((codes.shape[1], len(targets)))
    for k, target in enumerate(targets):
        y = target - target.mean(axis=0)
        explained = ((z.T @ y) ** 2).sum(axis=1)
        shares[alive, k] = explained[alive] / (variance[alive] * (y**2).sum())
    return shares


def _accuracy(codes, factors, test_codes, test_factors) -> np.ndarray:
    from unweave.metrics import _kernels

    n = len(codes)
    levels, n_levels = factor_levels(np.concatenate([factors, test_factors]))
    return _kernels.svm_accuracy(
        np.ascontiguousarray(codes.T),
        np.ascontiguousarray(levels[:, :n]),
        np.ascontiguousarray(test_codes.T),
        np.ascontiguousarray(levels[:, n:]),
        n_levels,
        _C,
    )
