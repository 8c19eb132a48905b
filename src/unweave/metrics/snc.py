"""Single-neuron classification (Mahon et al. 2023): one latent a factor, and no training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from unweave.metrics._information import factor_levels
from unweave.metrics._predictors import codes_apart, factors_apart, labelled
from unweave.metrics.metric import Metric, score
from unweave.metrics.noise import Noise
from unweave.metrics.sample import Sample
from unweave.metrics.score import Measurement, Score

__all__ = ["SNC", "latent_of_each_factor", "single_neuron_classification"]


class SNC(Metric):
    """Accuracy of levels read from bins of one latent each, on held-out rows."""

    names = ("snc",)
    titles = ("SNC",)
    family = "prediction"
    takes_test = True
    cost = 2

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """Match latents with factors, then bins with levels."""
        from scipy.optimize import linear_sum_assignment

        # Permuted factors have the same codes, whose bins are most of the work.
        key = ("snc", sample.test is None)
        cut = sample.once_for_codes(key, lambda: _Cut.of(*codes_apart(sample)))
        learn_levels, judge_levels = labelled(factors_apart(sample), sample.kinds)
        n_levels = 1 + np.concatenate([learn_levels, judge_levels], axis=1).max(axis=1)
        information = cut.information(learn_levels, n_levels)
        latents, matched = _assigned(information)
        accuracy = np.zeros(len(learn_levels))
        for j, k in zip(latents, matched, strict=True):
            size = int(n_levels[k])
            edges = cut.edges(j, size)
            counts = np.zeros((size, size))
            bins = np.searchsorted(edges, cut.columns[j], "right")
            np.add.at(counts, (bins, learn_levels[k]), 1)
            _, level_of_bin = linear_sum_assignment(counts, maximize=True)
            predicted = level_of_bin[np.searchsorted(edges, cut.judge[j], "right")]
            accuracy[k] = (predicted == judge_levels[k]).mean()
        above = float(((accuracy - 1 / n_levels) / (1 - 1 / n_levels)).mean())
        value = float(accuracy.mean())
        return {"snc": Measurement(value, accuracy, information, {"above_guessing": above})}


def single_neuron_classification(
    codes: object,
    factors: object,
    *,
    test: tuple[object, object] | None = None,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Score:
    r"""SNC: accuracy of reading each factor from one latent of its own, in [0, 1].

    Each latent is cut, at quantiles, into as many bins as a factor has levels; ties are broken by
    noise of 1e-10 standard deviations, so that bins fill evenly. Factors are assigned to different
    latents so that the total information between bins and levels is the largest; then bins are
    assigned to different levels so that most rows are right. The accuracy is that on held-out rows.
    A level that fills several bins, or a code that repeats a level in two places, is wrong for all
    but one of them. Guessing gets one over the number of levels.

    Parameters
    ----------
    test
        Codes and factors of other rows to be judged on; else a random third is held out.
    codes, factors, factor_names, factor_kinds, noise, seed
        As of :func:`~unweave.metrics.mutual_information_gap`, as are the errors. ``extras`` has
        the accuracy ``above_guessing``, 0 for guessing and 1 at best.

    References
    ----------
    Mahon et al. (2023), https://arxiv.org/abs/2304.02335, section 4.

    >>> rng = np.random.default_rng(0)
    >>> factors = rng.permutation(np.stack(np.meshgrid(*[range(4)] * 2), -1).reshape(-1, 2))
    >>> factors = np.concatenate([factors] * 30)
    >>> float(single_neuron_classification(-factors.astype(float), factors, noise=None)) > 0.9
    True
    """
    sample = Sample.of(codes, factors, factor_names, factor_kinds, test=test, seed=seed)
    return score(SNC(), sample, noise)["snc"]


def latent_of_each_factor(codes: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The latent (factors,) that SNC gives each factor, -1 where latents are too few.

    ``codes`` (rows, latents) and ``levels`` (factors, rows) are those to learn from.
    """
    found = np.full(len(levels), -1)
    information = _Cut.of(codes, codes[:0]).information(levels, 1 + levels.max(axis=1))
    latents, matched = _assigned(information)
    found[matched] = latents
    return found


def _assigned(information: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Latents and their factors, each another one, of the largest information in all."""
    from scipy.optimize import linear_sum_assignment

    latents, matched = linear_sum_assignment(information, maximize=True)
    return latents, matched


@dataclass(frozen=True)
class _Cut:
    """Codes with ties broken, and in bins."""

    columns: np.ndarray
    """Those to learn from (latents, rows)."""
    judge: np.ndarray
    """Those to be judged on (latents, rows)."""
    ordered: np.ndarray
    """``columns`` in ascending order."""
    bins: dict[int, np.ndarray] = field(default_factory=dict)
    """Bins (latents, rows) of ``columns``, by their number."""

    @classmethod
    def of(cls, learn: np.ndarray, judge: np.ndarray) -> _Cut:
        """From codes (rows, latents) to learn from and codes to be judged on."""
        rng, spread = np.random.default_rng(0), learn.std(axis=0, dtype=np.float64)
        # No two are equal then, and are in no order that their factors could follow.
        columns, others = (_with_noise(part, 1e-10 * spread, rng) for part in (learn, judge))
        return cls(columns, others, np.sort(columns, axis=1))

    def information(self, levels: np.ndarray, n_levels: np.ndarray) -> np.ndarray:
        """Information (latents, factors) in nats of each latent in as many bins as levels."""
        from unweave.metrics._information import binned_table

        information = np.empty((len(self.columns), len(levels)))
        for k, size in enumerate(n_levels.tolist()):
            row = factor_levels(levels[k : k + 1].T)
            table = binned_table(self._in_bins(size), row[0], size, row[1])
            information[:, k] = table.information[:, 0]
        return information

    def edges(self, latent: int, n_bins: int) -> np.ndarray:
        """Inner edges (n_bins - 1,) of bins that as many rows fall into as ties allow."""
        n = self.columns.shape[1]
        return self.ordered[latent, np.arange(1, n_bins) * n // n_bins]

    def _in_bins(self, size: int) -> np.ndarray:
        from unweave.metrics import _kernels

        if size not in self.bins:
            n = self.columns.shape[1]
            lower = np.ascontiguousarray(self.ordered[:, np.arange(size) * n // size])
            self.bins[size] = _kernels.digitise(self.columns, lower)
        return self.bins[size]


def _with_noise(codes: np.ndarray, scale: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Columns (latents, rows) of ``codes``, moved by as much of the same noise as ``scale`` has."""
    noise = rng.standard_normal(len(codes))
    found = np.empty(codes.shape[::-1])
    for column, own, size in zip(found, codes.T, scale, strict=True):
        np.add(own, size * noise, out=column)
    return found
