"""The symmetry-based definition of disentanglement, checked condition by condition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unweave._check import check_codes, check_positive
from unweave._tables import plain
from unweave.datasets import GridDataset
from unweave.datasets.dataset import need_grid
from unweave.datasets.symmetries import Symmetry
from unweave.metrics.noise import p_value
from unweave.metrics.score import Chance

__all__ = ["Condition", "Verdict", "check_definition"]

_MOST_ELEMENTS = 6
_ENERGY = 0.95  # of what a group moves, in its subspace
_HOLDS = 0.05
_RIDGE = 1e-6
_ROUNDING = 1e-9
_ROWS_A_LATENT = 8


@dataclass(frozen=True)
class Condition:
    """One condition: by how much it fails, from 0 to about 1, and by how much at chance."""

    name: str
    error: float
    chance: Chance
    p_value: float
    per_group: dict[str, float]

    @property
    def holds(self) -> bool:
        """Whether it fails by less than 5 %, and by less than chance.

        Chance may be the same in every draw, as that of a decomposition is where each group turns
        a plane. A few equal draws give no small p-value, and then any lower error counts.
        """
        is_fixed = self.chance.sd < _ROUNDING and self.error < self.chance.mean - _ROUNDING
        return self.error < _HOLDS and (is_fixed or self.p_value < 0.05)

    def __str__(self) -> str:
        verdict = "holds" if self.holds else "fails"
        return (
            f"{self.name}: {verdict} (error {self.error:.3f}, chance {self.chance.mean:.3f} ± "
            f"{self.chance.sd:.3f}, p = {self.p_value:.2g})"
        )


@dataclass(frozen=True)
class Verdict:
    """What was found of each condition of the definition of Higgins et al. (2018)."""

    action: Condition
    """(i) There is a linear action on codes: acting twice is acting by the composition."""
    equivariance: Condition
    """(ii) Encoding commutes with acting."""
    decomposition: Condition
    """(iii) Each group moves a subspace of its own."""
    leakage: np.ndarray
    """(groups, groups): share of what the row's group moves that lies in the column's subspace."""
    dimensions: dict[str, int]
    """Dimension of each group's subspace; 0 if the group does not move the codes."""
    independence: float
    """Painter et al. (2020), 0 to 1: one minus the largest cosine between moves of two groups."""
    n: int
    """Rows."""
    seed: int

    @property
    def is_disentangled(self) -> bool:
        """Whether all three hold, and every group moves the codes."""
        moved = all(self.dimensions.values())
        return moved and all(c.holds for c in self.conditions)

    @property
    def conditions(self) -> tuple[Condition, Condition, Condition]:
        """The three of them."""
        return self.action, self.equivariance, self.decomposition

    def __str__(self) -> str:
        lines = [str(condition) for condition in self.conditions]
        still = [name for name, dim in self.dimensions.items() if dim == 0]
        if still:
            lines.append(f"not in the codes at all: {', '.join(still)}")
        names = ", ".join(f"{name} {dim}" for name, dim in self.dimensions.items())
        lines.append(f"dimensions moved: {names}; independence {self.independence:.3f}")
        verdict = "disentangled" if self.is_disentangled else "not disentangled"
        lines.append(f"by this definition and these groups: {verdict} (n = {self.n:,})")
        return "\n".join(lines)


def check_definition(
    encode: Callable[[np.ndarray], np.ndarray],
    dataset: GridDataset,
    *,
    n_rows: int = 2_000,
    n_draws: int = 20,
    seed: int = 0,
) -> Verdict:
    r"""Check the three conditions of Higgins et al. (2018) on the groups of a dataset.

    For elements g of each group a matrix :math:`\rho(g)` is fitted by least squares that takes
    codes to the codes of what g makes of the data, about the mean code, on half of the rows. On the
    other half, as shares of the variance of codes:

    - *action*: :math:`|\rho(h)\rho(g)z - \rho(hg)z|^2`,
    - *equivariance*: :math:`|\rho(g)f(w) - f(gw)|^2`,
    - *decomposition*: each group's moves f(gw) - f(w) have a subspace that holds 95 % of their
      squares; the share of them that lies in the others' subspaces. Those need not be at right
      angles: any invertible matrix leaves a disentangled representation disentangled.

    Chance: codes of random rows in place of f(gw). A group that codes ignore is equivariant in a
    trivial way, and is reported as not moving them.

    Parameters
    ----------
    encode
        From rows (n,) of the dataset to codes (n, latents).
    dataset
        With ``symmetries``.
    n_rows
        Rows drawn.
    n_draws
        Draws of chance.
    seed
        Seed of rows, elements and chance.

    Raises
    ------
    ValueError
        If the dataset declares fewer than two symmetries, or codes cannot be used, or rows are too
        few for so many latents.

    References
    ----------
    Higgins et al. (2018), https://arxiv.org/abs/1812.02230; Painter et al. (2020),
    https://arxiv.org/abs/2008.07922, for the independence score.
    """
    dataset = need_grid(dataset, "the definition moves one factor at a time")
    groups = dataset.symmetries
    if len(groups) < 2:
        raise ValueError(
            f"{dataset.name} declares {len(groups)} symmetries: the definition is about two groups "
            "or more that act on the same data"
        )
    n_rows = check_positive("n_rows", n_rows, minimum=100)
    n_draws = check_positive("n_draws", n_draws, minimum=3)
    rows = np.random.default_rng([seed, 0]).integers(0, len(dataset), n_rows)
    moves = _Moves(encode, dataset, groups, rows)
    true = moves.errors()
    drawn = [moves.errors(np.random.default_rng([seed, 1, i])) for i in range(n_draws)]
    conditions = {}
    for name in ("action", "equivariance", "decomposition"):
        values = np.array([draw[name].mean() for draw in drawn])
        value = float(true[name].mean())
        conditions[name] = Condition(
            name,
            value,
            Chance(float(values.mean()), float(values.std(ddof=1)), n_draws),
            p_value(-value, -values),
            dict(zip((g.factor for g in groups), true[name].tolist(), strict=True)),
        )
    return Verdict(
        **conditions,
        leakage=true["leakage"],
        dimensions=dict(zip((g.factor for g in groups), true["dimensions"].tolist(), strict=True)),
        independence=float(true["independence"]),
        n=n_rows,
        seed=seed,
    )


class _Moves:
    """Codes of rows, and of what a few elements of each group make of them."""

    def __init__(
        self,
        encode: Callable[[np.ndarray], np.ndarray],
        dataset: GridDataset,
        groups: Sequence[Symmetry],
        rows: np.ndarray,
    ) -> None:
        self.groups = groups
        codes = check_codes(encode(rows)).astype(np.float64)
        if len(codes) < _ROWS_A_LATENT * codes.shape[1]:
            raise ValueError(
                f"{len(codes)} rows are too few to fit matrices of {codes.shape[1]} latents: give "
                f"{_ROWS_A_LATENT * codes.shape[1]:,} rows or more, or fewer latents, as pca:10"
            )
        self.centre = codes.mean(axis=0)
        self.codes = codes - self.centre
        self.variance = float((self.codes**2).sum(axis=1).mean())
        if self.variance <= 0:
            raise ValueError("all rows have the same code: there is nothing for a group to move")
        self.fitted = np.arange(len(rows)) < len(rows) // 2
        levels = dataset.space.levels(rows)
        self.moved: list[dict[int, tuple[np.ndarray, np.ndarray]]] = []
        for group in groups:
            found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
            for element in _doublings(group):
                after = group.act(levels, element, dataset.space)
                stays = np.asarray((after >= 0).all(axis=1))
                moved = np.zeros_like(self.codes)
                reached = encode(dataset.space.indices(after[stays]))
                moved[stays] = np.asarray(plain(reached, "codes")) - self.centre
                found[element] = moved, stays
            self.moved.append(found)

    def errors(self, rng: np.random.Generator | None = None) -> dict[str, Any]:
        """Errors (groups,) of the conditions, and what goes with them; by ``rng``, of chance."""
        moved = self.moved if rng is None else [_scattered(found, rng) for found in self.moved]
        action, equivariance = np.array(
            [self._linear_errors(g, m) for g, m in zip(self.groups, moved, strict=True)]
        ).T
        differences = [
            [(after - self.codes, stays) for after, stays in found.values()] for found in moved
        ]
        leakage, dimensions = _leakage(differences, self.variance)
        others = ~np.eye(len(moved), dtype=bool) & (dimensions > 0)
        return {
            "action": action,
            "equivariance": equivariance,
            "decomposition": np.array(
                [row[mask].sum() if mask.any() else 0.0
                 for row, mask in zip(leakage, others, strict=True)]
            ),
            "leakage": leakage,
            "dimensions": dimensions,
            "independence": _independence(differences, dimensions),
        }  # fmt: skip

    def _linear_errors(
        self, group: Symmetry, moved: dict[int, tuple[np.ndarray, np.ndarray]]
    ) -> tuple[float, float]:
        """Errors of composing and of commuting: means over elements, on held-out rows."""
        matrices, commuting = {}, []
        for element, (after, stays) in moved.items():
            fit, held_out = stays & self.fitted, stays & ~self.fitted
            matrices[element] = _least_squares(self.codes[fit], after[fit])
            missed = self.codes[held_out] @ matrices[element] - after[held_out]
            commuting.append((missed**2).sum(axis=1).mean() / self.variance)
        held_out = self.codes[~self.fitted]
        composing = []
        for element, matrix in matrices.items():
            twice = group.compose(element, element)
            whole = held_out if twice == 0 else None
            if twice in matrices:
                whole = held_out @ matrices[twice]
            if whole is not None:
                missed = held_out @ matrix @ matrix - whole
                composing.append((missed**2).sum() / max((whole**2).sum(), 1e-300))
        return float(np.mean(composing)), float(np.mean(commuting))


def _doublings(group: Symmetry) -> list[int]:
    """The element 1, twice it, and so on: each has its square among them, or nearly each."""
    found: list[int] = []
    element = 1
    while element in group.elements and element not in found and len(found) < _MOST_ELEMENTS:
        found.append(element)
        element = group.compose(element, element)
    return found


def _scattered(
    found: dict[int, tuple[np.ndarray, np.ndarray]], rng: np.random.Generator
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Each row moved to where another row is."""
    scattered = {}
    for element, (after, stays) in found.items():
        rows = np.flatnonzero(stays)
        elsewhere = after.copy()
        elsewhere[rows] = after[rng.permutation(rows)]
        scattered[element] = elsewhere, stays
    return scattered


def _least_squares(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The matrix (latents, latents) that takes rows of ``before`` nearest to those of ``after``."""
    gram = before.T @ before
    ridge = _RIDGE * max(np.trace(gram) / len(gram), 1e-300)
    return np.linalg.solve(gram + ridge * np.eye(len(gram)), before.T @ after)


def _leakage(
    differences: list[list[tuple[np.ndarray, np.ndarray]]], variance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Shares (groups, groups) of moves in subspaces, and dimensions (groups,) of those.

    The subspaces need not be at right angles: moves are written as a sum of a vector in each, and
    what counts is the square of those in others. Where subspaces overlap the shortest vectors are
    taken, which share a move between them.
    """
    moments, bases = [], []
    for of_group in differences:
        moves = np.concatenate([d[stays] for d, stays in of_group])
        moment = moves.T @ moves / len(moves)
        values, axes = np.linalg.eigh(moment)
        values, axes = values[::-1], axes[:, ::-1]
        moved = values.sum() > 1e-3 * variance
        n = 1 + int(np.searchsorted(np.cumsum(values) / values.sum(), _ENERGY)) if moved else 0
        moments.append(moment)
        bases.append(axes[:, :n])
    dimensions = np.array([basis.shape[1] for basis in bases])
    every = np.concatenate(bases, axis=1)
    parts = np.linalg.solve(every.T @ every + _RIDGE * np.eye(every.shape[1]), every.T)
    starts = np.append(0, np.cumsum(dimensions))
    shares = np.zeros((len(bases), len(bases)))
    for i, moment in enumerate(moments):
        for j in range(len(bases)):
            own = parts[starts[j] : starts[j + 1]]
            # Bases are orthonormal: the square of a part is that of its coefficients.
            shares[i, j] = np.trace(own @ moment @ own.T)
    return shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-300), dimensions


def _independence(
    differences: list[list[tuple[np.ndarray, np.ndarray]]], dimensions: np.ndarray
) -> float:
    """One minus the mean, over rows and pairs of groups, of the largest cosine of their moves."""
    cosines = []
    for i, first in enumerate(differences):
        for j, second in enumerate(differences):
            if i == j or not (dimensions[i] and dimensions[j]):
                continue
            of_pair = np.stack([_cosine(a, b, s & t) for a, s in first for b, t in second])
            known = ~np.isnan(of_pair).all(axis=0)
            cosines.append(np.nanmax(of_pair[:, known], axis=0))
    return float(1 - np.concatenate(cosines).mean()) if cosines else 0.0


def _cosine(a: np.ndarray, b: np.ndarray, both: np.ndarray) -> np.ndarray:
    """Absolute cosines (n,) of rows; nan where one does not move, or has left the data."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    known = both & (lengths > 1e-12)
    found = np.full(len(a), np.nan)
    found[known] = np.abs((a * b).sum(axis=1)[known] / lengths[known])
    return found
