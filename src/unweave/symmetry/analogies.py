"""Analogies a : b :: c : ?, by the parallelogram and by the action of a group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from unweave._check import check_positive
from unweave._tables import plain
from unweave.datasets import GridDataset, Symmetry
from unweave.datasets.dataset import need_grid

__all__ = ["Accuracy", "analogy_accuracy", "by_rotation", "by_transport", "parallelogram"]

_MOST_ELEMENTS = 8


def parallelogram(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """The answer b + c - a, (n, features): right in a flat space, off the data in a curved one.

    Rumelhart and Abrahamson (1973), https://doi.org/10.1016/0010-0285(73)90023-6.
    """
    return b + c - a


def by_rotation(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """What took a to b, done to c: b a^-1 c, (n, size, size), for rotation matrices."""
    a, b, c = _unmasked(a, b, c)
    return b @ np.swapaxes(a, -1, -2) @ c


def by_transport(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """On unit spheres, (n, ambient): the step from a to b, carried to c and taken there.

    The step is a tangent vector of a, moved along the great circle from a to c. It is not what the
    step would be after another way to c: within one sphere, analogies have no single answer.
    """
    a, b, c = _unmasked(a, b, c)
    step = _logarithm(a, b)
    along = a + c
    carried = step - along * (
        (step * c).sum(axis=-1, keepdims=True) / (1 + (a * c).sum(axis=-1, keepdims=True))
    )
    return _exponential(c, carried)


@dataclass(frozen=True)
class Accuracy:
    """Share of analogies that are answered by the right row, and by chance."""

    parallelogram: float
    action: float
    chance: float
    n: int


def analogy_accuracy(
    encode: Callable[[np.ndarray], np.ndarray],
    dataset: GridDataset,
    group: Symmetry,
    *,
    n_analogies: int = 500,
    n_fitting: int = 1_000,
    seed: int = 0,
) -> Accuracy:
    """How often codes answer w : g w :: v : ?, for random rows w and v and elements g of a group.

    The answer is the row among all that the group makes of v whose code is nearest to

    - the *parallelogram* f(g w) + f(v) - f(w),
    - the *action*: a matrix fitted by least squares to take codes f(u) to f(g u), times f(v).

    Parameters
    ----------
    encode
        From rows (n,) of the dataset to codes (n, latents).
    dataset, group
        One of its symmetries.
    n_analogies
        How many are asked.
    n_fitting
        Rows to which each element's matrix is fitted.
    seed
        Seed of rows and elements.

    Raises
    ------
    ValueError
        If there are none to ask.
    """
    n_analogies = check_positive("n_analogies", n_analogies)
    dataset = need_grid(dataset, "analogies set one factor at a time")
    rng = np.random.default_rng(seed)
    elements = rng.permutation(group.elements)[:_MOST_ELEMENTS]
    of_fitting = dataset.space.levels(rng.integers(0, len(dataset), n_fitting))
    share = -(-n_analogies // len(elements))
    right = np.concatenate(
        [
            _answered(
                encode,
                dataset,
                group,
                element,
                of_fitting,
                _where_it_acts(group, element, dataset, share, rng),
                _where_it_acts(group, element, dataset, share, rng),
            )
            for element in elements
        ]
    )
    by_sum, by_action = right.mean(axis=0).tolist()
    return Accuracy(by_sum, by_action, 1 / group.n_levels, len(right))


def _answered(
    encode: Callable[[np.ndarray], np.ndarray],
    dataset: GridDataset,
    group: Symmetry,
    element: int,
    of_fitting: np.ndarray,
    w: np.ndarray,
    v: np.ndarray,
) -> np.ndarray:
    """Whether parallelogram and action answer rightly, (n, 2), what ``element`` makes of ``v``."""
    space = dataset.space
    column = space.position(group.factor)

    def codes_of(levels: np.ndarray) -> np.ndarray:
        return np.asarray(plain(encode(space.indices(levels)), "codes"))

    after = group.act(of_fitting, element, space)
    stays = after[:, column] >= 0
    matrix = _affine(codes_of(of_fitting[stays]), codes_of(after[stays]))
    f_v = codes_of(v)
    orbit = _orbit(group, v, column)
    choices = codes_of(orbit.reshape(-1, space.n_factors)).reshape(len(v), group.n_levels, -1)
    answer = group.act(v, element, space)[:, column]
    guesses = (
        parallelogram(codes_of(w), codes_of(group.act(w, element, space)), f_v),
        np.concatenate([f_v, np.ones((len(v), 1))], axis=1) @ matrix,
    )
    nearest = [((choices - g[:, None]) ** 2).sum(axis=2).argmin(axis=1) for g in guesses]
    return np.stack(nearest, axis=1) == answer[:, None]


def _where_it_acts(
    group: Symmetry, element: int, dataset: GridDataset, n: int, rng: np.random.Generator
) -> np.ndarray:
    """Levels (n, factors) of random rows that the element keeps within the data."""
    column = dataset.space.position(group.factor)
    levels = dataset.space.levels(rng.integers(0, len(dataset), 40 * n))
    levels = levels[levels[:, column] < group.n_levels]
    return levels[group.act(levels, element, dataset.space)[:, column] >= 0][:n]


def _orbit(group: Symmetry, levels: np.ndarray, column: int) -> np.ndarray:
    """Levels (n, levels of the group, factors): each row at every level of the group's factor."""
    orbit = np.repeat(levels[:, None], group.n_levels, axis=1)
    orbit[:, :, column] = np.arange(group.n_levels)
    return orbit


def _affine(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The matrix (latents + 1, latents) from codes and a one to codes."""
    ones = np.concatenate([before, np.ones((len(before), 1))], axis=1)
    return np.linalg.lstsq(ones, after, rcond=None)[0]


def _unmasked(*codes: np.ndarray) -> list[np.ndarray]:
    return [np.asarray(plain(part, "codes")) for part in codes]


def _logarithm(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The tangent vector at a of the great circle to b, as long as the way."""
    cosine = np.clip((a * b).sum(axis=-1, keepdims=True), -1, 1)
    aside = b - cosine * a
    length = np.linalg.norm(aside, axis=-1, keepdims=True)
    return np.arccos(cosine) * aside / np.maximum(length, 1e-300)


def _exponential(point: np.ndarray, step: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(step, axis=-1, keepdims=True)
    return np.cos(length) * point + np.sin(length) * step / np.maximum(length, 1e-300)
