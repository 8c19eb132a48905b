"""Linear subspaces of wide codes: whether factors have directions of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from unweave._check import check_choice, check_positive
from unweave._factors import LEVELS_OF_CIRCLE
from unweave.metrics._predictors import hold_out, r_squared, scaled_like, targets_by_kind
from unweave.metrics.metric import Metric, score
from unweave.metrics.noise import Noise
from unweave.metrics.sample import Sample
from unweave.metrics.score import Measurement, Score

__all__ = ["SubspaceAngle", "principal_angles", "subspace_angle"]

_PROBES = ("ridge", "class_means")
_RIDGE = 1e-3  # of a latent's variance
_CONFIRMED = 3.0  # deviations of a correlation by chance


@dataclass(frozen=True, kw_only=True)
class SubspaceAngle(Metric):
    """Mean principal angle between the subspaces that linear probes of factors span."""

    names = ("subspace_angle",)
    titles = ("subspace angle",)
    family = "geometry"
    range = "[0, π/2], in radians"
    bounds: ClassVar[Mapping[str, float | None]] = {"subspace_angle": np.pi / 2}
    min_latents = 2
    min_factors = 2
    needs_levels = False
    cost = 2

    probe: str = "ridge"
    """ridge or class_means."""
    max_rank: int = 8
    """Dimensions kept of a subspace."""

    def __post_init__(self) -> None:
        check_choice("probe", self.probe, _PROBES)
        check_positive("max_rank", self.max_rank)

    def settings(self, sample: Sample) -> dict[str, Any]:
        """With the unit."""
        return {**self.options, "unit": "radians"}

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """Angles between the spans of each factor's probe."""
        split, kinds = hold_out(sample), sample.kinds
        train, judge = scaled_like(split[0], split[2])
        targets = targets_by_kind(np.concatenate([split[1], split[3]]), kinds)
        learn = [t[: len(train)] for t in targets]
        true = [t[len(train) :] for t in targets]
        weights = _weights(train, learn, self.probe)
        for k, kind in enumerate(kinds):
            if kind in ("circular", LEVELS_OF_CIRCLE):
                weights[k] = _confirmed(weights[k], judge, true[k])
        bases = [_basis(own, self.max_rank) for own in weights]
        return {"subspace_angle": _measured(bases, train, judge, learn, true)}


def subspace_angle(
    codes: object,
    factors: object,
    *,
    probe: str = "ridge",
    max_rank: int = 8,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Score:
    r"""Mean principal angle between the factors' linear subspaces, in radians, 0 to pi / 2.

    A linear probe from the standardised latents to each factor spans that factor's subspace: one
    direction for an ordinal factor, two for the point on the circle of a circular one (one, where
    held-out rows do not confirm the second, as of an angle in one latent), as many as there are
    levels, but for one, of a categorical one. Nothing is asked of the axes, so that codes of 512 or
    1,024 latents can be measured, which hold factors in directions of their own but not in latents.
    pi / 2 is orthogonal. Random subspaces of k dimensions in d have a mean squared cosine of k / d
    (``extras["random_cos_squared"]``, beside the ``cos_squared`` found): in wide codes nearly all
    angles are large, and only a small one tells something.

    So read ``extras["leakage"]`` too: how much of what a factor's own subspace says of it, on
    held-out rows, the others' subspaces say as well; and ``extras["own_r2"]``, without which
    angles mean nothing.

    Parameters
    ----------
    codes, factors
        Arrays (samples, latents) and (samples, factors) of the same rows.
    probe
        ``ridge``: the directions from which a regression reads a factor; ``class_means``: the
        directions along which the mean code moves with it.
    max_rank
        Dimensions kept of a subspace, those with the most of the probe.
    factor_names, factor_kinds, noise, seed
        As of :func:`~unweave.metrics.mutual_information_gap`, as are the errors; at least two
        factors and two latents are needed.

    References
    ----------
    Principal angles: Björck and Golub (1973), https://doi.org/10.1090/S0025-5718-1973-0348991-3.

    >>> rng = np.random.default_rng(0)
    >>> factors = rng.integers(5, size=(3000, 2))
    >>> rotation = np.linalg.qr(rng.standard_normal((2, 2)))[0]
    >>> score = subspace_angle(factors @ rotation, factors, noise=None)
    >>> 0 < score <= np.pi / 2, score.extras["own_r2"] > 0.999
    (True, True)
    """
    sample = Sample.of(codes, factors, factor_names, factor_kinds, seed=seed)
    metric = SubspaceAngle(probe=probe, max_rank=max_rank)
    return score(metric, sample, noise)["subspace_angle"]


def principal_angles(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Principal angles in radians, ascending, between the spans of orthonormal columns."""
    cosines = np.linalg.svd(first.T @ second, compute_uv=False)
    if cosines.size == 0:
        return np.full(1, np.pi / 2)
    # Near 0 the arc cosine loses half of its digits; the sine keeps them.
    beyond = second - first @ (first.T @ second)
    sines = np.linalg.svd(beyond, compute_uv=False)[::-1][: len(cosines)]
    small = cosines**2 > 0.5
    return np.where(small, np.arcsin(np.clip(sines, 0, 1)), np.arccos(np.clip(cosines, 0, 1)))


def _weights(train: np.ndarray, targets: list[np.ndarray], probe: str) -> list[np.ndarray]:
    """Weights (latents, targets) of each factor's probe, which span its subspace."""
    joined = np.concatenate(targets, axis=1)
    weights = train.T @ (joined - joined.mean(axis=0)) / len(train)
    if probe == "ridge":
        covariance = train.T @ train / len(train)
        covariance[np.diag_indices_from(covariance)] += _RIDGE
        weights = np.linalg.solve(covariance, weights)
    ends = np.cumsum([target.shape[1] for target in targets])[:-1]
    return np.split(weights, ends, axis=1)


def _confirmed(weights: np.ndarray, judge: np.ndarray, target: np.ndarray) -> np.ndarray:
    """``weights`` (latents, 2) of a circular factor without a direction that is chance.

    An angle in one latent has one direction. The probe finds a second one all the same, anywhere
    among the latents of other factors, that says nothing of the circle in held-out rows.
    """
    basis, spread, axes = np.linalg.svd(weights, full_matrices=False)
    if len(spread) < 2:
        return weights
    seen, true = judge @ basis[:, 1], (target - target.mean(axis=0)) @ axes[1]
    seen = seen - seen.mean()
    product = seen @ true
    size = np.sqrt((seen @ seen) * (true @ true) * _CONFIRMED**2 / len(judge))
    return weights if product > size else spread[0] * np.outer(basis[:, 0], axes[0])


def _basis(weights: np.ndarray, max_rank: int) -> np.ndarray:
    basis, spread, _ = np.linalg.svd(weights, full_matrices=False)
    n_kept = int(np.sum(spread > 1e-9 * max(spread[0], 1e-300)))
    return basis[:, : min(n_kept, max_rank)]


def _measured(bases, train, judge, learn, true) -> Measurement:
    n_factors, n_latents = len(bases), train.shape[1]
    angles, cosines = np.zeros((n_factors, n_factors)), np.zeros((n_factors, n_factors))
    known, expected = np.zeros((n_factors, n_factors)), np.zeros((n_factors, n_factors))
    seen, held_out = ([rows @ basis for basis in bases] for rows in (train, judge))
    for k in range(n_factors):
        for m in range(n_factors):
            found = principal_angles(bases[k], bases[m])
            angles[k, m], cosines[k, m] = found.mean(), np.mean(np.cos(found) ** 2)
            expected[k, m] = max(bases[k].shape[1], bases[m].shape[1]) / n_latents
            mean = learn[k].mean(axis=0)
            weights = np.linalg.lstsq(seen[m], learn[k] - mean, rcond=None)[0]
            known[k, m] = r_squared(held_out[m] @ weights + mean, true[k])
    apart = ~np.eye(n_factors, dtype=bool)
    own = np.diag(known)
    leaks = np.clip(known, 0, None) / np.maximum(own, 1e-12)[:, None]
    extras = {
        "cos_squared": float(cosines[apart].mean()),
        "random_cos_squared": float(np.minimum(expected[apart], 1).mean()),
        "leakage": float(np.clip(leaks[apart], 0, 1).mean()),
        "own_r2": float(own.mean()),
    }
    others = np.where(apart, angles, 0).sum(axis=1) / (n_factors - 1)
    return Measurement(float(angles[apart].mean()), others, angles, extras)
