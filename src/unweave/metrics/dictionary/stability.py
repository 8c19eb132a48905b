"""How far dictionaries of other seeds agree."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from unweave._check import check_names
from unweave._parallel import in_threads
from unweave.metrics._progress import progress
from unweave.metrics.dictionary.dictionary import Dictionary, check_width, unit
from unweave.metrics.dictionary.matching import matched
from unweave.metrics.dictionary.random_directions import (
    Draw,
    half_means,
    mixture,
    rotation,
    thinned,
)
from unweave.metrics.noise import Noise, interval, p_value
from unweave.metrics.score import Chance, Score

__all__ = ["dictionary_stability"]


def dictionary_stability(
    dictionaries: Sequence[object],
    *,
    signed: bool = False,
    names: Sequence[str] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Score:
    r"""How far dictionaries agree: the mean absolute cosine of their matched latents, in [0, 1].

    Latents of two dictionaries are matched one to one so that this mean is largest; the value is
    the mean over all pairs of dictionaries (PW-MCC). ``per_factor`` has the mean of each
    dictionary with all others, ``matrix`` each pair. Dictionaries that agree need not be
    right: they may share a mistake.

    Beside it stand ``chance``, the same with each dictionary rotated at random: they have the
    same sizes, spectra and angles between their own latents; ``mixture``, that of normal
    directions with the second moments of each, which know which dimensions matter alone; and
    ``interval``, over the latents.

    Parameters
    ----------
    dictionaries
        At least two: directions (latents, dimensions), or :class:`Dictionary`. Their numbers of
        latents may differ.
    signed
        Whether a direction and its opposite are two directions.
    names
        One for each dictionary.
    noise
        How much is spent on noise; None for the bare value. Large dictionaries take a fifth or a
        thirtieth of the draws, though at least three.
    seed
        Seed of all draws.

    Raises
    ------
    ValueError
        If there are fewer than two, or their dimensions differ.

    References
    ----------
    Song et al. (2025), https://arxiv.org/abs/2505.20254, section 3.

    >>> rng = np.random.default_rng(0)
    >>> one = rng.standard_normal((30, 8))
    >>> score = dictionary_stability([one, -one[::-1]])
    >>> round(float(score), 6), score.chance.mean < 0.8
    (1.0, True)
    """
    given = [Dictionary.of(one).directions for one in dictionaries]
    if len(given) < 2:
        raise ValueError(
            f"stability compares dictionaries, and {len(given)} was given: give at least two, as "
            "of other seeds"
        )
    for i, directions in enumerate(given[1:], start=1):
        check_width(directions, given[0].shape[1], f"directions of dictionary {i}", "those of 0")
    units = [unit(directions) for directions in given]
    labels = check_names("dictionary", range(len(given)) if names is None else names, len(given))
    cosines = _cosines(units, signed)
    means = {pair: float(values.mean()) for pair, values in cosines.items()}
    value = float(np.mean(list(means.values())))
    matrix = np.eye(len(given))
    for (a, b), mean in means.items():
        matrix[a, b] = matrix[b, a] = mean
    per_dictionary = (matrix.sum(axis=1) - 1) / (len(given) - 1)
    around: dict[str, Any] = {}
    if noise is not None:
        halves = np.mean([half_means(c, seed, noise.n_halves) for c in cosines.values()], axis=0)
        low, high = interval(value, halves, noise.confidence, bounded=False)
        around = {
            "interval": (max(low, -1.0), min(high, 1.0)),
            "confidence": noise.confidence,
            "perfect": 1.0,
            **_beside_random(units, value, signed, noise, seed),
        }
    return Score(
        "dictionary_stability",
        value,
        per_factor=dict(zip(labels, per_dictionary.tolist(), strict=True)),
        matrix=matrix,
        settings={"metric": "dictionary_stability", "signed": signed},
        n_samples=sum(map(len, cosines.values())),
        seed=seed,
        **around,
    )


def _cosines(units: Sequence[np.ndarray], signed: bool) -> dict[tuple[int, int], np.ndarray]:
    """Cosines of the matched latents of each pair of dictionaries."""
    pairs = combinations(range(len(units)), 2)
    return {(a, b): matched(units[a], units[b], signed=signed).cosines for a, b in pairs}


def _value(units: Sequence[np.ndarray], signed: bool) -> float:
    return float(np.mean([cosines.mean() for cosines in _cosines(units, signed).values()]))


def _beside_random(
    units: Sequence[np.ndarray], value: float, signed: bool, noise: Noise, seed: int
) -> dict[str, Any]:
    """Chance, mixtures, the p-value, and the value with chance taken out."""
    n_dims = units[0].shape[1]
    work = n_dims * float(sum(len(a) * len(b) for a, b in combinations(units, 2)))
    noise = thinned(noise, work)
    with progress("stability", noise.n_permutations + noise.n_projections) as advance:

        def chance(i: int) -> float:
            rng = np.random.default_rng([seed, Draw.CHANCE, i])
            found = _value([one @ rotation(n_dims, rng) for one in units], signed)
            advance()
            return found

        def mixed(i: int) -> float:
            rng = np.random.default_rng([seed, Draw.MIXTURE, i])
            found = _value([mixture(one, rng) for one in units], signed)
            advance()
            return found

        draws = np.array(in_threads(chance, range(noise.n_permutations)))
        mixtures = np.array(in_threads(mixed, range(noise.n_projections)))
    level = Chance.of(draws)
    return {
        "chance": level,
        "mixture": Chance.of(mixtures),
        "p_value": p_value(value, draws),
        "adjusted": (value - level.mean) / (1 - level.mean) if level.mean < 1 else None,
    }
