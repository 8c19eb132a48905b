"""Read-outs that are learnt on the training part, judged on both parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from unweave._check import check_codes, check_positive
from unweave.datasets import Factor
from unweave.generalisation.gap import Gap, Weights, bootstrap_weights, gap_of
from unweave.generalisation.readouts import chosen_readouts, fitted
from unweave.generalisation.targets import Target, targets_of

__all__ = ["FactorTransfer", "Labelled", "Transfer", "read_out_transfer"]

_LEAST_ROWS = 20


class Labelled(NamedTuple):
    """Codes (n, latents) and the factors (n, factors) of the same images."""

    codes: np.ndarray
    factors: np.ndarray


@dataclass(frozen=True)
class FactorTransfer:
    """How well one factor is read."""

    factor: str
    kind: str
    r2: Gap
    accuracy: Gap | None
    """Accuracy of a categorical factor; None for others."""

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers, for JSON."""
        accuracy = {} if self.accuracy is None else {"accuracy": self.accuracy.to_dict()}
        return {"factor": self.factor, "kind": self.kind, "r2": self.r2.to_dict(), **accuracy}


@dataclass(frozen=True)
class Transfer:
    """What one read-out reads on both parts."""

    readout: str
    factors: tuple[FactorTransfer, ...]
    mean: Gap
    """Mean of R² over the factors."""

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers, for JSON."""
        return {"mean": self.mean.to_dict(), "factors": [f.to_dict() for f in self.factors]}


def read_out_transfer(
    learn: Labelled,
    train: Labelled,
    held_out: Labelled,
    factors: Sequence[Factor],
    *,
    variances: object = None,
    readouts: Sequence[str] | Mapping[str, Any] = ("ridge", "mlp"),
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> dict[str, Transfer]:
    r"""How well each factor is read from codes of images like those learnt from, and of others.

    A read-out is fitted to the rows ``learn`` and judged on the others. With the squared error
    summed over the columns :math:`c` that stand for a factor,

    .. math:: R^2 = 1 - \frac{\sum_c E[(y_c - \hat y_c)^2]}{\sum_c \mathrm{Var}[y_c]}

    The variance is that of **all images of both parts**, as of Schott et al. (2022), so that
    :math:`R^2` is defined, and of one scale, where a part has few values of a factor. It is 1 at
    best, can be negative, and is 0 for a constant guess at the mean of all images.

    Parameters
    ----------
    learn, train, held_out
        Codes and factors of rows to learn from, of other rows of the training part, and of rows of
        the held-out part.
    factors
        What each column of the factors is. Ordered factors are read as their levels, or their
        values where they have no levels; circular ones as cosine and sine; categorical ones as a
        column for each level.
    variances
        Variance (columns,) of all targets; by default of the rows ``train`` and ``held_out``
        together, which have the share of each part that they have.
    readouts
        Names of :data:`READOUTS`, or regressors with ``fit`` and ``predict`` by name.
    n_bootstrap
        Draws for the intervals.
    seed
        Seed of read-outs and of draws.

    Returns
    -------
    dict
        A :class:`Transfer` for each read-out. Chance is what a read-out gets that always predicts
        the mean of the rows learnt from, or the most frequent level: it is where a read-out of
        permuted rows ends.

    Raises
    ------
    ValueError
        If the codes or factors of the parts do not fit together, rows are too few, or a factor
        never varies.

    >>> rng = np.random.default_rng(0)
    >>> levels = rng.integers(0, 10, (400, 1))
    >>> factor = Factor("place", tuple(range(10)))
    >>> parts = [Labelled(part.astype(float), part) for part in np.split(levels, [200, 300])]
    >>> found = read_out_transfer(*parts, [factor], readouts=["ridge"])["ridge"]
    >>> round(found.mean.train, 6), round(found.mean.held_out, 6)
    (1.0, 1.0)
    """
    parts = _checked(learn, train, held_out, factors)
    n_draws = check_positive("n_bootstrap", n_bootstrap, minimum=2)
    targets = targets_of(factors)
    columns = [_columns(targets, part.factors) for part in parts]
    spread = (
        np.concatenate(columns[1:]).var(axis=0)
        if variances is None
        else np.asarray(variances, dtype=np.float64)
    )
    starts = np.cumsum([0, *(target.n_columns for target in targets)])
    blocks = [slice(start, stop) for start, stop in zip(starts[:-1], starts[1:], strict=True)]
    _refuse_constant(factors, [spread[block].sum() for block in blocks])
    weights = bootstrap_weights(len(parts[1].codes), len(parts[2].codes), n_draws, seed=seed)
    found = {}
    for name, estimator in chosen_readouts(readouts, seed=seed).items():
        reader = fitted(estimator, parts[0].codes, columns[0])
        guesses = [_predicted(reader, part.codes, table) for part, table in
                   zip(parts[1:], columns[1:], strict=True)]  # fmt: skip
        found[name] = _judged(name, targets, blocks, columns, guesses, spread, weights)
    return found


def _judged(
    name: str,
    targets: Sequence[Target],
    blocks: Sequence[slice],
    columns: Sequence[np.ndarray],
    guesses: Sequence[np.ndarray],
    spread: np.ndarray,
    weights: Weights,
) -> Transfer:
    """What the guesses (n, columns) of both parts are worth."""
    known_nothing = columns[0].mean(axis=0)
    rows, chance_rows, found = [], [], []
    for target, block in zip(targets, blocks, strict=True):
        scale = spread[block].sum()
        truths = [table[:, block] for table in columns[1:]]
        own = [guess[:, block] for guess in guesses]
        shares = tuple(1 - ((t - g) ** 2).sum(axis=1) / scale
                       for t, g in zip(truths, own, strict=True))  # fmt: skip
        chance = tuple(1 - ((t - known_nothing[block]) ** 2).sum(axis=1) / scale for t in truths)
        rows.append(shares)
        chance_rows.append(chance)
        accuracy = None
        if target.factor.kind == "categorical":
            accuracy = _accuracy(truths, own, known_nothing[block], weights)
        r2 = gap_of(shares, chance, weights)
        found.append(FactorTransfer(target.factor.name, target.factor.kind, r2, accuracy))
    means, chance_means = (
        tuple(np.mean([pair[part] for pair in pairs], axis=0) for part in (0, 1))
        for pairs in (rows, chance_rows)
    )
    return Transfer(name, tuple(found), gap_of(means, chance_means, weights))


def _accuracy(
    truths: Sequence[np.ndarray],
    guesses: Sequence[np.ndarray],
    shares: np.ndarray,
    weights: Weights,
) -> Gap:
    """Accuracy of the level with the largest column; chance: the most frequent one in training."""
    levels = [truth.argmax(axis=1) for truth in truths]
    right = [(guess.argmax(axis=1) == level).astype(float)
             for guess, level in zip(guesses, levels, strict=True)]  # fmt: skip
    chance = [(level == shares.argmax()).astype(float) for level in levels]
    return gap_of((right[0], right[1]), (chance[0], chance[1]), weights)


def _columns(targets: Sequence[Target], factors: np.ndarray) -> np.ndarray:
    return np.concatenate(
        [target.columns(factors[:, k]) for k, target in enumerate(targets)], axis=1
    )


def _predicted(reader: Any, codes: np.ndarray, columns: np.ndarray) -> np.ndarray:
    guess = np.asarray(reader.predict(codes), dtype=np.float64).reshape(len(codes), -1)
    if guess.shape != columns.shape or not np.isfinite(guess).all():
        raise ValueError(
            f"the read-out predicts an array of shape {guess.shape}, and finite numbers of shape "
            f"{columns.shape} were needed: a column for each column that it was fitted to"
        )
    return guess


def _checked(
    learn: Labelled, train: Labelled, held_out: Labelled, factors: Sequence[Factor]
) -> list[Labelled]:
    parts = []
    for name, part in (("learn", learn), ("train", train), ("held_out", held_out)):
        codes, table = check_codes(part[0]), np.asarray(part[1])
        if table.ndim != 2 or table.shape != (len(codes), len(factors)):
            raise ValueError(
                f"the factors of {name} are of shape {table.shape}, and shape ({len(codes)}, "
                f"{len(factors)}) was needed: a row for each code, a column for each factor"
            )
        if table.dtype.kind not in "iuf" or not np.isfinite(table).all():
            raise ValueError(
                f"the factors of {name} must be finite numbers: leave out the rows of which a "
                "factor is unknown"
            )
        parts.append(Labelled(codes, table))
    widths = [part.codes.shape[1] for part in parts]
    if len(set(widths)) > 1:
        raise ValueError(
            f"the codes of the parts have {', '.join(map(str, widths))} latents: encode all parts "
            "with one encoder"
        )
    if len(parts[0].codes) < _LEAST_ROWS or min(len(part.codes) for part in parts) < 2:
        sizes = ", ".join(f"{len(part.codes):,}" for part in parts)
        raise ValueError(
            f"the parts have {sizes} rows: a read-out needs at least {_LEAST_ROWS} rows to learn "
            "from, and two of either part to be judged on"
        )
    return parts


def _refuse_constant(factors: Sequence[Factor], scales: Sequence[float]) -> None:
    constant = [f.name for f, scale in zip(factors, scales, strict=True) if scale == 0]
    if constant:
        raise ValueError(
            f"factor {constant[0]!r} never varies in either part, so that there is nothing to "
            "read: leave it out"
        )
