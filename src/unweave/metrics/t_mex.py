"""Test-based measurement exclusivity (Yao et al. 2025), for factors that depend on each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unweave._check import constant_columns
from unweave.metrics._conditional import Conditional, conditional
from unweave.metrics._predictors import hold_out
from unweave.metrics.metric import Metric, score
from unweave.metrics.noise import Noise
from unweave.metrics.sample import Sample
from unweave.metrics.score import Measurement, Score

__all__ = ["TMEX", "measurement_exclusivity"]

Measures = Sequence[Sequence[int]]
"""For each latent, a row of 0 and 1: which factors it should measure."""


@dataclass(frozen=True, kw_only=True)
class TMEX(Metric):
    """Share of latents and factors that depend on each other, or do not, as they should not."""

    names = ("t_mex",)
    titles = ("T-MEX",)
    family = "prediction"
    range = "[0, 1], 0 is best"
    needs_levels = False
    best_when_small = True
    assume_independence = False
    by_default = False
    cost = 10

    measures: Measures | None = None
    """Rows of 0 and 1, a row a latent: which factors it should measure; none: one each."""
    alpha: float = 0.05
    """Level of each test."""

    def __post_init__(self) -> None:
        if isinstance(self.alpha, bool) or not 0 < self.alpha < 1:
            raise ValueError(f"alpha is the level of a test, between 0 and 1, not {self.alpha!r}")
        if self.measures is not None:
            rows = _checked(self.measures)
            object.__setattr__(self, "measures", tuple(map(tuple, rows.tolist())))

    def notes(self, sample: Sample) -> tuple[str, ...]:
        """Which factors follow from the others, and so cannot be tested."""
        if self.measures is not None:
            given, needed = np.shape(self.measures), (sample.codes.shape[1], len(sample.names))
            if given != needed:
                raise ValueError(
                    f"measures has {given[0]} rows of {given[1]}, and there are {needed[0]} "
                    f"latents and {needed[1]} factors: give a row for each latent, and in it a "
                    "number for each factor"
                )
        _, tests = self._tests(sample)
        unknown = [n for n, test in zip(sample.names, tests, strict=True) if test.is_determined]
        if not unknown:
            return ()
        one = len(unknown) == 1
        which = f"factor {unknown[0]} follows" if one else f"factors {', '.join(unknown)} follow"
        return (f"{which} from the other factors, and {'is' if one else 'are'} not tested",)

    def settings(self, sample: Sample) -> dict[str, Any]:
        """With what each latent should measure, as it was given or found."""
        return {"alpha": self.alpha, "measures": self._should(sample).astype(int).tolist()}

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """Test each latent and factor, and count the answers that are not what they should be."""
        codes, tests = self._tests(sample)
        # Where each factor follows from the others, no test shows anything: all answers are "no".
        known = [k for k, test in enumerate(tests) if not test.is_determined] or [
            *range(len(tests))
        ]
        p_values = np.stack([test.statistics(codes)[1] for test in tests], axis=1)
        should, is_wrong = self._disagreements(sample, p_values)
        is_wrong, should = is_wrong[:, known], should[:, known]
        extras = {
            "leaks": float((is_wrong & ~should).mean()),
            "missed": float((is_wrong & should).mean()),
        }
        names = tuple(sample.names[k] for k in known)
        return {
            "t_mex": Measurement(
                float(is_wrong.mean()), is_wrong.mean(axis=0), p_values, extras, names=names
            )
        }

    def _disagreements(self, sample: Sample, p_values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What each latent should measure, and where tests disagree, (latents, factors) each.

        Latents that never vary are left out, unless they should measure something. A factor for
        which no latent is left has one more, which knows nothing.
        """
        should = self._should(sample)
        counted = should.any(axis=1)
        counted |= ~np.isin(np.arange(len(should)), constant_columns(sample.codes))
        absent = np.eye(should.shape[1], dtype=bool)
        absent = absent[~should.any(axis=0)] if self._matches(sample) else absent[:0]
        is_wrong = (p_values <= self.alpha) != should
        return (
            np.concatenate([should[counted], absent]),
            np.concatenate([is_wrong[counted], absent]),
        )

    def _matches(self, sample: Sample) -> bool:
        """Whether latents are to be matched with factors: no one says what they should measure."""
        return self.measures is None or sample.is_perfect

    def _should(self, sample: Sample) -> np.ndarray:
        if not self._matches(sample):
            return np.array(self.measures, dtype=bool)
        return sample.once("t_mex matching", lambda: _matching(sample))

    def _tests(self, sample: Sample) -> tuple[np.ndarray, list[Conditional]]:
        """Codes, and what factors have beyond each other, of the rows that matching did not see."""
        if not self._matches(sample):
            tests = sample.once("t_mex tests", lambda: _conditionals(sample.factors, sample.kinds))
            return sample.codes, tests
        codes, factors, *_ = hold_out(sample)
        tests = sample.once("t_mex held-out tests", lambda: _conditionals(factors, sample.kinds))
        return codes, tests


def measurement_exclusivity(
    codes: object,
    factors: object,
    *,
    measures: Measures | None = None,
    alpha: float = 0.05,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Score:
    r"""T-MEX: share of wrong answers to whether a latent depends on a factor, in [0, 1]; 0 is best.

    .. math:: \frac{1}{JK} \sum_{jk} \big| M_{jk} - [\, p_{jk} \le \alpha \,] \big|, \qquad
        p_{jk} \text{ of the test of } z_j \perp v_k \mid v_{-k}

    M says which latents should measure which factors. The test is conditional, so that factors may
    depend on each other: a latent of size may share with hue what size shares with hue. The test is
    the generalised covariance measure: regress the latent, and polynomials, waves or indicators of
    the factor, on all other factors (an effect of each level and of each two factors together), and
    ask whether the residuals are correlated. It sees what a factor changes in the mean of a latent,
    and nothing else.

    ``matrix`` has the p-values. ``extras`` has the share of ``leaks``, where a latent depends on a
    factor that it should not measure, and of ``missed``, where it does not on one that it should.
    A test at level ``alpha`` is wrong so often where there is nothing: a perfect code with noise of
    its own has leaks in that share. Codes that know nothing leak nothing, and miss one answer in J
    with one latent a factor; so the value of noise is small, and entangled codes are above it. The
    p-value asks whether there are fewer wrong answers than with permuted factors. Factors that
    follow from the others cannot be tested, and are left out with a note.

    Parameters
    ----------
    measures
        M, (latents, factors) of 0 and 1. Without it each factor has one latent, of those that vary:
        the assignment with the largest statistics on a random third of the rows, which the tests
        then do not see.
    alpha
        Level of each test, between 0 and 1.
    codes, factors, factor_names, factor_kinds, noise, seed
        As of :func:`~unweave.metrics.mutual_information_gap`. Continuous factors stay as they are.

    Raises
    ------
    ValueError
        If the arrays cannot be used, or ``measures`` is of another shape or has other numbers than
        0 and 1.

    References
    ----------
    Yao et al. (2025), https://arxiv.org/abs/2505.17708; Shah and Peters (2020),
    https://doi.org/10.1214/19-AOS1857, for the test.

    >>> factors = np.stack(np.meshgrid(range(4), range(5)), -1).reshape(-1, 2)
    >>> factors = np.concatenate([factors] * 5)
    >>> float(measurement_exclusivity(factors.astype(float), factors, noise=None))
    0.0
    """
    sample = Sample.of(codes, factors, factor_names, factor_kinds, seed=seed)
    return score(TMEX(measures=measures, alpha=alpha), sample, noise)["t_mex"]


def _checked(measures: Measures) -> np.ndarray:
    """Rows of 0 and 1, as whole numbers."""
    try:
        rows = np.asarray(measures, dtype=np.float64)
    except (TypeError, ValueError):
        rows = np.empty(0)
    if rows.ndim != 2 or not rows.size or not np.isin(rows, (0, 1)).all():
        raise ValueError(
            "measures must be rows of 0 and 1, a row for each latent and in it a number for each "
            "factor, as [[1, 0], [0, 1]]"
        )
    return rows.astype(int)


def _conditionals(factors: np.ndarray, kinds: Sequence[str]) -> list[Conditional]:
    """Each factor, given all others."""
    return [conditional(factors, kinds, k) for k in range(factors.shape[1])]


def _matching(sample: Sample) -> np.ndarray:
    """One latent that varies for each factor (latents, factors), by the held-out rows."""
    from scipy.optimize import linear_sum_assignment

    _, _, codes, factors = hold_out(sample)
    statistics = [test.statistics(codes)[0] for test in _conditionals(factors, sample.kinds)]
    alive = np.delete(np.arange(codes.shape[1]), constant_columns(sample.codes))
    chosen, matched = linear_sum_assignment(np.stack(statistics, axis=1)[alive], maximize=True)
    should = np.zeros((codes.shape[1], len(statistics)), dtype=bool)
    should[alive[chosen], matched] = True
    return should
