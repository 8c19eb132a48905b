"""Learnt generators of a Lie group, against the groups that act on the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import expm
from scipy.optimize import minimize_scalar

from unweave._check import check_codes, check_positive
from unweave._tables import plain
from unweave.datasets import CyclicShift, GridDataset
from unweave.datasets.dataset import need_grid
from unweave.metrics.noise import p_value
from unweave.metrics.score import Chance

__all__ = ["GeneratorMatch", "compare_generators"]

_STILL = 1e-3  # of the variance of matrices: a group that moves them less does not move them
_N_TRIED = 401


@dataclass(frozen=True)
class GeneratorMatch:
    """How well the one-parameter groups that were learnt do what one group does to the data."""

    factor: str
    """Factor of the group."""
    latent: int | None
    """Number of the learnt generator that fits best; None if codes ignore the group."""
    amount: float
    """Change of the latent in which the best generator takes one step of the group."""
    explained: np.ndarray
    """(latents,): share, up to 1, of the moves of the matrices that each generator makes alone."""
    linear: float
    """Such a share for any one matrix, fitted by least squares: no generator can do better, but
    for rows that were not fitted to."""
    cycle_error: float | None
    """For a cyclic group: how far the steps of one turn are from the identity, as a share of the
    farthest that they go; 0 if they close, 1 on a line."""
    image_explained: float | None
    """Such a share for images, if matrices can be decoded: by how much one step brings the decoded
    images nearer to those that the group makes; below 0 if it takes them away."""
    chance: Chance
    """Chance of the best share, where the moved rows are random."""
    p_value: float
    """p-value of the best share."""

    @property
    def best(self) -> float:
        """Share of the moves that the best generator makes alone."""
        return 0.0 if self.latent is None else float(self.explained[self.latent])

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers and lists."""
        content = {**vars(self), "explained": self.explained.tolist(), "best": self.best}
        return {**content, "chance": self.chance.to_dict()}

    def __str__(self) -> str:
        if self.latent is None:
            return f"{self.factor}: not in the codes"
        closed = "" if self.cycle_error is None else f", one turn is off by {self.cycle_error:.3f}"
        seen = "" if self.image_explained is None else f", of images {self.image_explained:.3f}"
        return (
            f"{self.factor}: generator {self.latent} makes {self.best:.3f} of the moves (chance "
            f"{self.chance.mean:.3f} ± {self.chance.sd:.3f}, p = {self.p_value:.2g}; any matrix "
            f"{self.linear:.3f}){seen}{closed}"
        )


def compare_generators(
    encode: Callable[[np.ndarray], np.ndarray],
    generators: object,
    dataset: GridDataset,
    *,
    decode: Callable[[np.ndarray], np.ndarray] | None = None,
    n_rows: int = 2_000,
    n_draws: int = 20,
    seed: int = 0,
) -> tuple[GeneratorMatch, ...]:
    r"""Which learnt one-parameter group does what each group of a dataset does.

    A row w has the latents t(w) and the matrix :math:`G(w) = \exp(\sum_i t_i(w) A_i)`. One step g
    of a group takes the row to gw. For each generator the amount :math:`\tau` is sought with which
    :math:`\exp(\tau A_i) G(w)` is nearest to G(gw) for all rows at once, and what counts is

    .. math:: 1 - \sum_w \|\exp(\tau A_i) G(w) - G(gw)\|^2 / \sum_w \|G(w) - G(gw)\|^2,

    which is 1 if this generator, alone, is the group's own. Amounts are fitted to one half of the
    rows, and the shares are those of the other half. Matrices, unlike latents, may turn round:
    a latent that jumps back at the end of a circle does no harm.

    Parameters
    ----------
    encode
        From rows (n,) of the dataset to latents (n, latents).
    generators
        The A_i, (latents, size, size): :func:`unweave.models.lie_group.learnt_generators`.
    dataset
        With ``symmetries``.
    decode
        From matrices (n, size, size) to images (n, height, width, channels) on the scale of the
        dataset's: :func:`unweave.models.lie_group.decode_matrices`.
    n_rows
        Rows drawn.
    n_draws
        Draws of chance: the moved rows in random order.
    seed
        Seed of rows and chance.

    Returns
    -------
    tuple of GeneratorMatch
        One for each of the dataset's symmetries.

    Raises
    ------
    ValueError
        If the dataset declares no symmetries, or the generators are not square matrices, one for
        each latent.

    References
    ----------
    Zhu et al. (2021), https://arxiv.org/abs/2106.03375.
    """
    dataset = need_grid(dataset, "groups move one factor at a time")
    if not dataset.symmetries:
        raise ValueError(f"no group is known to act on {dataset.name}: declare its symmetries")
    n_rows = check_positive("n_rows", n_rows, minimum=100)
    n_draws = check_positive("n_draws", n_draws, minimum=3)
    basis = np.asarray(plain(generators, "generators"), dtype=np.float64)
    rows = np.random.default_rng([seed, 0]).integers(0, len(dataset), n_rows)
    codes = check_codes(encode(rows)).astype(np.float64)
    if basis.ndim != 3 or basis.shape[1] != basis.shape[2] or len(basis) != codes.shape[1]:
        raise ValueError(
            f"generators must be square matrices ({codes.shape[1]}, size, size), one for each "
            f"latent, and these have shape {basis.shape}"
        )
    levels = dataset.space.levels(rows)
    matches = []
    for group in dataset.symmetries:
        after = group.act(levels, 1, dataset.space)
        stays = (after >= 0).all(axis=1)
        moved_rows = dataset.space.indices(after[stays])
        moved = np.asarray(plain(encode(moved_rows), "codes"), dtype=np.float64)
        step = _Step(basis, codes[stays], moved)
        n_levels = group.n_levels if isinstance(group, CyclicShift) else None
        match = step.match(group.factor, n_levels, n_draws, seed)
        if decode is not None and match.latent is not None:
            match = step.with_images(match, decode, dataset.images(moved_rows))
        matches.append(match)
    return tuple(matches)


class _Step:
    """Matrices of rows before and after one step of a group."""

    def __init__(self, basis: np.ndarray, before: np.ndarray, after: np.ndarray) -> None:
        self.basis = basis
        differences = after - before
        self.reach = np.abs(differences).max(axis=0)
        self.before, self.after = (_matrices(t, basis) for t in (before, after))
        self.fitted = np.arange(len(before)) % 2 == 0
        self.moves = float(((self.after - self.before) ** 2).sum())
        spread = float(((self.before - self.before.mean(axis=0)) ** 2).sum())
        self.is_still = self.moves <= _STILL * spread

    def match(self, factor: str, n_levels: int | None, n_draws: int, seed: int) -> GeneratorMatch:
        n_latents = len(self.basis)
        if self.is_still:
            nothing = Chance(0.0, 0.0, n_draws)
            shares = np.zeros(n_latents)
            return GeneratorMatch(factor, None, 0.0, shares, 0.0, None, None, nothing, 1.0)
        shares, amounts, linear = self._explained(self.after)
        best = int(shares.argmax())
        drawn = np.array(
            [
                self._explained(np.random.default_rng([seed, 1, i]).permutation(self.after))[
                    0
                ].max()
                for i in range(n_draws)
            ]
        )
        amount = float(amounts[best])
        return GeneratorMatch(
            factor, best, amount, shares, linear,
            None if n_levels is None else self._cycle_error(best, amount, n_levels), None,
            Chance(float(drawn.mean()), float(drawn.std(ddof=1)), n_draws),
            p_value(float(shares[best]), drawn),
        )  # fmt: skip

    def with_images(
        self,
        match: GeneratorMatch,
        decode: Callable[[np.ndarray], np.ndarray],
        images: np.ndarray,
    ) -> GeneratorMatch:
        """With the share of the moves of images, of rows that were not fitted to."""
        assert match.latent is not None
        held_out = ~self.fitted
        before, target = self.before[held_out], images[held_out].astype(np.float64)
        # Against what is decoded without a step: blurred images are near to any others.
        still, moved = (
            ((np.asarray(decode(matrices), dtype=np.float64) - target) ** 2).sum()
            for matrices in (before, expm(match.amount * self.basis[match.latent]) @ before)
        )
        return GeneratorMatch(
            **{**vars(match), "image_explained": float(1 - moved / max(still, 1e-300))}
        )

    def _explained(self, after: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Shares and amounts (latents,) of the generators, and the share of any matrix."""
        fit, held_out = (
            _Moments(self.before[which], after[which]) for which in (self.fitted, ~self.fitted)
        )
        amounts = np.array(
            [_best_amount(a, r, fit) for a, r in zip(self.basis, self.reach, strict=True)]
        )
        steps = expm(amounts[:, None, None] * self.basis)
        shares = np.array([held_out.explained(step) for step in steps])
        return shares, amounts, held_out.explained(fit.least_squares())

    def _cycle_error(self, latent: int, amount: float, n_levels: int) -> float:
        turns = np.arange(1, n_levels + 1)
        steps = expm(amount * turns[:, None, None] * self.basis[latent])
        size = self.basis.shape[1]
        gram = np.einsum("nij,nkj->ik", self.before, self.before)
        away = steps - np.eye(size)
        distances = np.einsum("nij,jk,nik->n", away, gram, away)
        return float(distances[-1] / max(distances.max(), 1e-300))


class _Moments:
    """Sums over rows, from which the squared error of any matrix follows."""

    def __init__(self, before: np.ndarray, after: np.ndarray) -> None:
        self.gram = np.einsum("nij,nkj->ik", before, before)
        self.cross = np.einsum("nij,nkj->ik", after, before)
        self.square = float((after**2).sum())
        self.moves = float(((after - before) ** 2).sum())

    def explained(self, step: np.ndarray) -> float:
        """1 - sum of |step before - after|^2 / sum of |before - after|^2."""
        error = self.square - 2 * (step * self.cross).sum() + ((step @ self.gram) * step).sum()
        return float(1 - error / self.moves)

    def least_squares(self) -> np.ndarray:
        """The matrix with the smallest error."""
        size = len(self.gram)
        ridge = 1e-9 * np.trace(self.gram) / size
        return np.linalg.solve(self.gram + ridge * np.eye(size), self.cross.T).T


def _matrices(latents: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Matrices (n, size, size) of latents (n, latents)."""
    return expm(np.einsum("ni,ijk->njk", latents, basis))


def _best_amount(generator: np.ndarray, reach: float, moments: _Moments) -> float:
    """Where on [-reach, reach] one step of the generator errs least."""
    if reach == 0 or not generator.any():
        return 0.0
    tried = np.linspace(-reach, reach, _N_TRIED)
    steps = expm(tried[:, None, None] * generator)
    errors = [-moments.explained(step) for step in steps]
    nearest = tried[int(np.argmin(errors))]
    width = tried[1] - tried[0]
    found = minimize_scalar(
        lambda amount: -moments.explained(expm(amount * generator)),
        bounds=(nearest - width, nearest + width),
        method="bounded",
        options={"xatol": 1e-6 * reach},
    )
    return float(found.x)
