"""DCI-ES (Eastwood et al. 2023): explicitness and size, beside DCI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unweave.metrics._predictors import hold_out, scaled_like, targets_by_kind
from unweave.metrics.metric import Metric, score
from unweave.metrics.noise import Noise
from unweave.metrics.sample import Sample
from unweave.metrics.score import Measurement
from unweave.metrics.scores import Scores

__all__ = ["DCIES", "explicitness_and_size"]

_CAPACITIES = (0, 8, 32, 128, 512)
_RIDGE = 1e-3


@dataclass(frozen=True, kw_only=True)
class DCIES(Metric):
    """Explicitness, from losses of probes of several capacities, and size."""

    names = ("dci_es_explicitness", "dci_es_size")
    titles = ("DCI-ES explicitness", "DCI-ES size")
    family = "prediction"
    range = "at most 1"
    needs_levels = False
    cost = 10
    is_listed = False

    capacities: Sequence[int] = _CAPACITIES
    """Numbers of Fourier features; 0 is the linear probe."""

    def __post_init__(self) -> None:
        capacities = list(self.capacities)
        if len(capacities) < 2 or capacities != sorted(set(capacities)) or capacities[0] < 0:
            raise ValueError(
                f"capacities must be at least two numbers of features, ascending, not {capacities}"
            )
        object.__setattr__(self, "capacities", tuple(capacities))

    def settings(self, sample: Sample) -> dict[str, Any]:
        """With the probe."""
        return {"capacities": list(self.capacities), "probe": "random_fourier_features"}

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """The area above the least loss."""
        split = hold_out(sample)
        targets = targets_by_kind(np.concatenate([split[1], split[3]]), sample.kinds)
        train, judge = scaled_like(split[0], split[2])
        losses = _losses(train, judge, targets, self.capacities, sample.seed)
        explicit = np.array([_explicitness(row) for row in losses])
        n_factors, n_latents = len(targets), sample.codes.shape[1]
        return {
            "dci_es_explicitness": Measurement(float(explicit.mean()), explicit, losses),
            "dci_es_size": Measurement(min(1.0, n_factors / n_latents)),
        }


def explicitness_and_size(
    codes: object,
    factors: object,
    *,
    capacities: Sequence[int] = _CAPACITIES,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Scores:
    r"""E and S of DCI-ES: ``dci_es_explicitness`` (at most 1) and ``dci_es_size``, K / D.

    .. math:: E = 1 - \frac{\int (\ell(\kappa) - \ell^*) \, d\kappa}
        {\tfrac{1}{2} (\kappa_{max} - \kappa_{min}) (\ell_b - \ell^*)}

    :math:`\ell(\kappa)` is the least loss of a factor that probes of capacity up to
    :math:`\kappa` reach on held-out rows, :math:`\ell_b` that of the mean and :math:`\ell^*` the
    least of all. 1: the simplest probe already finds all that can be found; 0: the loss falls in
    a straight line with capacity; less: only the largest probes find anything.

    The probes are ridge regressions on the latents and on random Fourier features of them (the
    median distance sets the frequencies), capacity the rank of the number of features. Which probes
    are taken is part of the score: the paper compares several, of which this is one.

    Parameters
    ----------
    capacities
        Numbers of Fourier features, ascending, at least two; 0 is the linear probe.
    codes, factors, factor_names, factor_kinds, noise, seed
        As of :func:`~unweave.metrics.mutual_information_gap`, as are the errors.

    References
    ----------
    Eastwood et al. (2023), https://arxiv.org/abs/2210.00364, section 3.

    >>> rng = np.random.default_rng(0)
    >>> factors = rng.integers(9, size=(900, 2))
    >>> scores = explicitness_and_size(factors.astype(float), factors, noise=None)
    >>> {name: round(float(score), 2) for name, score in scores.items()}
    {'dci_es_explicitness': 1.0, 'dci_es_size': 1.0}
    """
    sample = Sample.of(codes, factors, factor_names, factor_kinds, seed=seed)
    return Scores(score(DCIES(capacities=capacities), sample, noise))


def _losses(train, judge, targets, capacities, seed: int) -> np.ndarray:
    """Unexplained share (factors, capacities) of the variance of each factor on held-out rows."""
    rng = np.random.default_rng([seed, 11])
    n_latents, most = train.shape[1], max(capacities)
    sample = train[:500]
    distances = np.linalg.norm(sample[:, None] - sample[None, :250], axis=2)
    width = np.median(distances[distances > 0]) if (distances > 0).any() else 1.0
    frequencies = rng.standard_normal((n_latents, most)) / width
    phases = rng.uniform(0, 2 * np.pi, most)
    wide = [
        np.concatenate([np.ones((len(z), 1)), z, np.cos(z @ frequencies + phases)], axis=1)
        for z in (train, judge)
    ]
    target = np.concatenate(targets, axis=1)
    learn, true = target[: len(train)], target[len(train) :]
    gram, cross = wide[0].T @ wide[0] / len(train), wide[0].T @ learn / len(train)
    ends = np.cumsum([t.shape[1] for t in targets])[:-1]
    losses = np.empty((len(targets), len(capacities)))
    for c, capacity in enumerate(capacities):
        n = 1 + n_latents + capacity
        penalty = np.full(n, _RIDGE)
        penalty[0] = 0
        weights = np.linalg.solve(gram[:n, :n] + np.diag(penalty), cross[:n])
        left = np.split((wide[1][:, :n] @ weights - true) ** 2, ends, axis=1)
        total = np.split((true - learn.mean(axis=0)) ** 2, ends, axis=1)
        losses[:, c] = [a.sum() / max(b.sum(), 1e-300) for a, b in zip(left, total, strict=True)]
    return losses


def _explicitness(losses: np.ndarray) -> float:
    """One minus the area above the least loss, as a share of that of a straight fall."""
    reached = np.minimum.accumulate(np.minimum(losses, 1.0))
    least = reached[-1]
    if 1 - least < 1e-9:
        return 0.0
    area = np.trapezoid(reached - least, np.linspace(0, 1, len(reached)))
    return float(1 - area / (0.5 * (1 - least)))
