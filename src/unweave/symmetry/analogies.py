"""Analogies a : b :: c : ?, by the parallelogram and by the action of a group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from unweave._check import check_positive
from unweave.datasets import FactorDataset, Symmetry

__all__ = ["Accuracy", "analogy_accuracy", "by_rotation", "by_transport", "parallelogram"]


def parallelogram(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """B + c - a, (n, features): right in a flat space, and off the data in a curved one.

    Rumelhart and Abrahamson (1973), https://doi.org/10.1016/0010-0285(73)90023-6.
    """
    return b + c - a


def by_rotation(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """B a^-1 c, (n, size, size), for rotation matrices: what took a to b, done to c."""
    return b @ np.swapaxes(a, -1, -2) @ c


def by_transport(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """On unit spheres, (n, ambient): the step from a to b, carried to c and taken there.

    The step is a tangent vector of a, moved along the great circle from a to c. It is not what the
    step would be after another way to c: within one sphere, analogies have no single answer.
    """
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
    dataset: FactorDataset,
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
        From rows (n,) of the data set to codes (n, latents).
    dataset, group
        One of its symmetries.
    n_analogies
        How many are asked.
    n_fitting
        Rows to which each element's matrix is fitted.
    seed
        Of rows and elements.

    Raises
    ------
    ValueError
        If there are none to ask.
    """
    n_analogies = check_positive("n_analogies", n_analogies)
    rng = np.random.default_rng(seed)
    space = dataset.space
    column = space.position(group.factor)
    elements = rng.permutation(group.elements)[:8]
    of_fitting = space.levels(rng.integers(0, len(dataset), n_fitting))
    right = np.zeros(2)
    asked = 0
    for element in elements:
        after = group.act(of_fitting, element, space)
        stays = after[:, column] >= 0
        before = encode(space.indices(of_fitting[stays]))
        matrix = _affine(before, encode(space.indices(after[stays])))
        w, v = (
            _where_it_acts(group, element, dataset, -(-n_analogies // len(elements)), rng)
            for _ in range(2)
        )
        f_w, f_v = encode(space.indices(w)), encode(space.indices(v))
        f_gw = encode(space.indices(group.act(w, element, space)))
        orbit = _orbit(group, v, column)
        codes = encode(space.indices(orbit.reshape(-1, space.n_factors)))
        codes = codes.reshape(len(v), group.n_levels, -1)
        answers = group.act(v, element, space)[:, column]
        guesses = (
            parallelogram(f_w, f_gw, f_v),
            np.concatenate([f_v, np.ones((len(v), 1))], axis=1) @ matrix,
        )
        for i, guess in enumerate(guesses):
            nearest = ((codes - guess[:, None]) ** 2).sum(axis=2).argmin(axis=1)
            right[i] += np.sum(nearest == answers)
        asked += len(v)
    return Accuracy(
        float(right[0] / asked), float(right[1] / asked), 1 / group.n_levels, int(asked)
    )


def _where_it_acts(
    group: Symmetry, element: int, dataset: FactorDataset, n: int, rng: np.random.Generator
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


def _logarithm(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The tangent vector at a of the great circle to b, as long as the way."""
    cosine = np.clip((a * b).sum(axis=-1, keepdims=True), -1, 1)
    aside = b - cosine * a
    length = np.linalg.norm(aside, axis=-1, keepdims=True)
    return np.arccos(cosine) * aside / np.maximum(length, 1e-300)


def _exponential(point: np.ndarray, step: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(step, axis=-1, keepdims=True)
    return np.cos(length) * point + np.sin(length) * step / np.maximum(length, 1e-300)
