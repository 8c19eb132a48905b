"""Whether the order of methods changes over a scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from unweave.statistics.permutation import LEVEL, holm
from unweave.statistics.trends import compare_seeds

__all__ = ["OrderChange", "Overtaking", "order_change"]


@dataclass(frozen=True)
class Overtaking:
    """A method that is below another at the smallest scale and above it at the largest."""

    winner: str
    loser: str
    p_value: float
    """P-value of Welch's test that both change alike from the smallest to the largest scale,
    corrected for all pairs of methods (Holm)."""

    @property
    def is_significant(self) -> bool:
        """Whether the test rejects."""
        return self.p_value < LEVEL


@dataclass(frozen=True)
class OrderChange:
    """How the order of methods differs between the ends of a scale."""

    overtakings: tuple[Overtaking, ...]
    """The smallest p-value first."""
    n_pairs: int

    def sentence(self, metric: str, scale: str) -> str:
        """The finding in words."""
        sure = [one for one in self.overtakings if one.is_significant]
        n = len(self.overtakings)
        by_means = f"{n} of {self.n_pairs} pairs of methods change places by their means"
        if not n:
            return f"{metric} over {scale}: the order of methods is the same at both ends."
        if not sure:
            return f"{metric} over {scale}: {by_means}, none significantly."
        named = ", ".join(
            f"{one.winner} overtakes {one.loser} (p = {one.p_value:.2g})" for one in sure
        )
        return f"{metric} over {scale}: {by_means}; {named}."


def order_change(scores: Mapping[str, np.ndarray]) -> OrderChange | None:
    """Which methods overtake others between the smallest and the largest scale.

    Parameters
    ----------
    scores
        Scores (seeds, levels) of each method, all at the same levels in ascending order.

    Returns
    -------
    OrderChange
        None for fewer than two methods of at least two seeds, or fewer than two levels.

    Raises
    ------
    ValueError
        If methods have different numbers of levels.
    """
    kept = {name: own for name, own in scores.items() if own.shape[0] > 1 and own.shape[1] > 1}
    if len({own.shape[1] for own in kept.values()}) > 1:
        raise ValueError("methods have scores at different numbers of levels")
    tests = []
    for a, b in combinations(kept, 2):
        first, last = (kept[a][:, i].mean() - kept[b][:, i].mean() for i in (0, -1))
        found = compare_seeds(*(kept[m][:, -1] - kept[m][:, 0] for m in (a, b)))
        winner, loser = (a, b) if last > 0 else (b, a)
        tests.append((1.0 if found is None else found.p_value, first * last < 0, winner, loser))
    if not tests:
        return None
    tests.sort(key=lambda test: test[0])
    corrected = holm(np.array([test[0] for test in tests]))
    overtakings = [
        Overtaking(winner, loser, float(p_value))
        for p_value, (_, is_overtaking, winner, loser) in zip(corrected, tests, strict=True)
        if is_overtaking
    ]
    return OrderChange(tuple(overtakings), len(tests))
