"""InfoMEC (Hsu et al. 2023): modularity, compactness and explicitness from information."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from unweave._check import check_choice, check_positive
from unweave._factors import MANY_LEVELS
from unweave.metrics._groups import Groups, GroupsOption
from unweave.metrics._information import (
    InformationTable,
    bin_codes,
    binned_table,
    factor_levels,
    neighbour_table,
)
from unweave.metrics._predictors import logistic_regression, scaled_like
from unweave.metrics.metric import Metric, score
from unweave.metrics.noise import Noise
from unweave.metrics.sample import Sample
from unweave.metrics.score import Measurement
from unweave.metrics.scores import Scores

__all__ = ["CODE_KINDS", "InfoMEC", "infomec"]

CODE_KINDS = ("continuous", "discrete")
_PRUNE_BELOW = {"continuous": 0.05, "discrete": 0.0}  # of the authors' code
_CODEBOOK = 256  # values in a latent, up to which codes look quantised
_SAME = 1e-6  # of a latent's range: values that are nearer differ by rounding


@dataclass(frozen=True, kw_only=True)
class InfoMEC(Metric):
    """Shares of informations over latents and over factors, and what a regression explains."""

    names = ("infom", "infoc", "infoe")
    titles = ("InfoM", "InfoC", "InfoE")
    family = "information"
    assume_independence = ("infom", "infoc")
    takes_groups = True
    cost = 10

    code_kind: str = "continuous"
    """continuous or discrete."""
    n_neighbors: int = 10
    """Neighbours for the estimate of information, for continuous codes."""
    prune_below: float | None = None
    """Share of the largest range below which a latent is inactive; none for that of the authors."""

    def __post_init__(self) -> None:
        check_choice("kind of codes", self.code_kind, CODE_KINDS)
        check_positive("n_neighbors", self.n_neighbors)

    @property
    def is_discrete(self) -> bool:
        """Whether codes are counted."""
        return self.code_kind == "discrete"

    @property
    def least_share(self) -> float:
        """``prune_below``, or that of the authors."""
        return _PRUNE_BELOW[self.code_kind] if self.prune_below is None else self.prune_below

    @property
    def keep(self) -> tuple[str, ...]:
        """Latents are pruned by their range."""
        return ("scale",)

    @property
    def follows_from_sample(self) -> bool:
        """Not of counts: random codes are cut into as many values as the scored ones take."""
        return not self.is_discrete and super().follows_from_sample

    def settings(self, sample: Sample) -> dict[str, Any]:
        """Those that this kind of codes has."""
        return {
            "code_kind": self.code_kind,
            "n_neighbors": None if self.is_discrete else self.n_neighbors,
            "prune_below": self.least_share,
        }

    def notes(self, sample: Sample) -> tuple[str, ...]:
        """On codes that look quantised or rounded, and on latents that are left out."""
        own = _notes_of_values(sample.codes, _n_values(sample), self.is_discrete)
        return own + _pruned(sample.codes, self.least_share)

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """Normalised informations, and the regression of each factor."""
        codes = sample.codes
        levels, n_levels = factor_levels(sample.factors, sample.kinds)
        units, active = sample.groups, _active(codes, self.least_share)
        if self.is_discrete:
            most = max(_n_values(sample.origin or sample))
            values, sizes = factor_levels(_quantised(codes, most))
            table = _counted(values, sizes, levels, n_levels, units)
            seen = _indicators(values, sizes)
        else:
            table = neighbour_table(codes, levels, n_levels, self.n_neighbors, units)
            (seen,) = scaled_like(codes)
        shares, names = table.normalised, None
        if units is not None:
            active = units.any_of(active)
            names = tuple(units.names[i] for i in np.flatnonzero(active))
        rows = zip(levels, n_levels, strict=True)
        explicit = np.array([_explicitness(seen, row, n) for row, n in rows])
        return {
            "infom": replace(_preference(shares[active], shares), names=names),
            "infoc": _preference(shares[active].T, shares),
            "infoe": Measurement(float(explicit.mean()), explicit, shares),
        }


def infomec(
    codes: object,
    factors: object,
    *,
    code_kind: str = "continuous",
    n_neighbors: int = 10,
    prune_below: float | None = None,
    groups: GroupsOption | None = None,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Scores:
    r"""InfoMEC: ``infom`` (modularity), ``infoc`` (compactness), ``infoe`` (explicitness).

    .. math:: \text{InfoM} = \frac{\frac{1}{D} \sum_j \max_k N_{jk} / \sum_k N_{jk} - 1/K}{1 - 1/K},
        \quad N_{jk} = I(z_j; v_k) / H(v_k)

    InfoC is the same over latents, for each factor. InfoE is the mean over factors of how much of
    its entropy a logistic regression on all latents takes away, on the rows that it was fitted to.
    M and C lie in [0, 1] and are far above 0 for noise; E is at most 1.

    The authors compute it in two ways. Informations of ``continuous`` codes are estimated from
    nearest neighbours, without bins, and the regression takes the latents as numbers. Those of
    ``discrete`` codes, of quantised models, are the plug-in estimate from the counts of each
    latent's values, and the regression takes an indicator of each value, so that the order of the
    values does not matter. The two are not the same number for the same codes.

    Two things that the authors' code does are kept, for the sake of comparison, and worth knowing:
    InfoE is fitted with classes weighted by their rarity but its loss is not weighted, and it has
    no rows held out. A latent that knows nothing (its row of N is 0) counts as no preference, 0,
    where their code returns nan; so do all factors if fewer than two latents are active.

    Parameters
    ----------
    code_kind
        ``continuous`` or ``discrete``. It is never guessed: a note says when continuous codes take
        so few values that they look quantised. Discrete codes are indices or values of a codebook,
        each different number being a value of its own.
    n_neighbors
        Neighbours for the estimate of information, for continuous codes.
    prune_below
        Latents whose range is below this share of the largest one are inactive, and left out of M
        and C. (Latents are not scaled for this.) None for 0.05 for continuous codes, and for 0 for
        discrete ones, of which only those that never vary are inactive.
    groups
        Groups of latents that take the place of latents in M and C, in the forms of
        :func:`~unweave.metrics.mutual_information_gap`. The information of a group is that of all
        its latents together: from neighbours in their joint space, or from counts of their joint
        values. A group is active if one of its latents is.
    codes, factors, factor_names, factor_kinds, noise, seed
        As of :func:`~unweave.metrics.mutual_information_gap`, as are the errors. For discrete codes
        the random mixtures and smooth features beside the score, and factors in the perfect code,
        are cut into as many bins of equal width as the latent with the most values has values.

    Raises
    ------
    ValueError
        If discrete codes take so many values that they are none.

    References
    ----------
    Hsu et al. (2023), https://arxiv.org/abs/2305.18378, section 3.

    >>> rng = np.random.default_rng(0)
    >>> factors = rng.integers(4, size=(400, 2))
    >>> scores = infomec(factors + 0.01 * rng.random((400, 2)), factors, noise=None)
    >>> scores["infom"] > 0.95, scores["infoe"] > 0.95
    (True, True)
    >>> scores = infomec(np.array([2, 0, 3, 1])[factors], factors, code_kind="discrete", noise=None)
    >>> scores["infoe"] > 0.99
    True
    """
    sample = Sample.of(codes, factors, factor_names, factor_kinds, groups=groups, seed=seed)
    metric = InfoMEC(code_kind=code_kind, n_neighbors=n_neighbors, prune_below=prune_below)
    return Scores(score(metric, sample, noise))


def _n_values(sample: Sample) -> list[int]:
    """How many values each latent takes."""
    return sample.once_for_codes(
        "values", lambda: [len(np.unique(column)) for column in sample.codes.T]
    )


def _notes_of_values(
    codes: np.ndarray, n_values: Sequence[int], is_discrete: bool
) -> tuple[str, ...]:
    """Notes on codes that look quantised, or that are said to be and look rounded.

    Raises
    ------
    ValueError
        If they are said to be discrete, and take too many values.
    """
    n, most = len(codes), max(n_values)
    if not is_discrete:
        # Some values more than once, and in all latents few for so many rows.
        if most > min(_CODEBOOK, n // 4):
            return ()
        return (
            f"no latent takes more than {most} values in {n} rows: if the codes are quantised, "
            "code_kind='discrete' counts their values, as the authors of InfoMEC do",
        )
    if most > max(MANY_LEVELS, n // 2):
        raise ValueError(
            f"latent {n_values.index(most)} takes {most} values in {n} rows and is not discrete: "
            "give the indices of a codebook, or code_kind='continuous'"
        )
    rounded = []
    for j, column in enumerate(codes.T):
        steps = np.diff(np.unique(column))
        if steps.size and steps.min() < _SAME * steps.sum():
            rounded.append(j)
    if not rounded:
        return ()
    return (
        f"latents {rounded[:10]} take values that are nearer to each other than a millionth of "
        "their range, and each counts as a value of its own: if rounding made them (as a "
        "straight-through estimator does), give the indices instead",
    )


def _quantised(codes: np.ndarray, n_values: int) -> np.ndarray:
    """``codes`` (samples, latents), of which none takes more than ``n_values`` values."""
    columns = [
        bin_codes(column[:, None], n_values)[0] if len(np.unique(column)) > n_values else column
        for column in codes.T
    ]
    return np.stack(columns, axis=1)


def _counted(
    values: np.ndarray,
    sizes: np.ndarray,
    levels: np.ndarray,
    n_levels: np.ndarray,
    groups: Groups | None,
) -> InformationTable:
    """Plug-in informations of values (latents, samples) and levels (factors, samples)."""
    if groups is not None:
        values = groups.joint(values)
    n_cells = max(int(sizes.max()), int(values.max()) + 1)
    return binned_table(values, levels, n_cells, n_levels)


def _indicators(values: np.ndarray, sizes: np.ndarray) -> Any:
    """Sparse matrix (samples, values) with an indicator of each value of each latent that varies.

    ``values`` (latents, samples) are numbered from 0 on, ``sizes`` (latents,) says how many.
    """
    from scipy.sparse import csr_matrix

    values, sizes = values[sizes > 1], sizes[sizes > 1]
    n_latents, n = values.shape
    columns = values + (np.cumsum(sizes) - sizes)[:, None]
    starts = np.arange(n + 1) * n_latents
    # With no latent at all there is a column of zeros left, from which nothing can be seen.
    shape = (n, max(int(sizes.sum()), 1))
    return csr_matrix((np.ones(n * n_latents), columns.T.ravel(), starts), shape=shape)


def _active(codes: np.ndarray, prune_below: float) -> np.ndarray:
    """Which latents vary, and span more than ``prune_below`` of the widest one."""
    spread = np.ptp(codes, axis=0)
    return (spread > spread.max() * prune_below) & (spread > 0)


def _pruned(codes: np.ndarray, prune_below: float) -> tuple[str, ...]:
    """A note on latents that vary and are left out all the same."""
    pruned = np.flatnonzero(~_active(codes, prune_below) & (np.ptp(codes, axis=0) > 0))
    if not pruned.size:
        return ()
    return (
        f"InfoM and InfoC leave out latents {pruned[:10].tolist()}: each spans less than "
        f"{prune_below:g} of the widest latent (prune_below)",
    )


def _preference(rows: np.ndarray, matrix: np.ndarray) -> Measurement:
    """How much of each row lies in its largest entry, 0 being an even spread."""
    if rows.shape[0] == 0 or rows.shape[1] < 2:
        return Measurement(0.0, np.zeros(rows.shape[0]), matrix)
    even, total = 1 / rows.shape[1], rows.sum(axis=1)
    share = np.where(total > 0, rows.max(axis=1) / np.where(total > 0, total, 1.0), even)
    each = (share - even) / (1 - even)
    return Measurement(float(each.mean()), each, matrix)


def _explicitness(seen: Any, levels: np.ndarray, n_levels: int) -> float:
    """Share of the entropy of ``levels`` (samples,) that what is ``seen`` of them takes away."""
    model = logistic_regression(seen, levels, penalty=0.0, balanced=True)
    likelihood = model.likelihoods(seen, levels)
    # With balanced classes and nothing to see, every level is as likely.
    return 1 + float(np.log(np.maximum(likelihood, np.finfo(float).eps)).mean() / np.log(n_levels))
