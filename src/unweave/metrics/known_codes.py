"""Codes of which it is known what a sound metric answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

__all__ = ["KNOWN_CODES", "Case", "Expected", "Finding", "KnownCode"]

_SIZES = (3, 4, 6)  # levels of the factors
_ORDINAL = ("ordinal",) * len(_SIZES)
_CIRCLE = ("ordinal", "ordinal", "circular")
_EVEN = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1]]) / 2
"""Rows of a Hadamard matrix: each latent knows each factor equally well."""
_FEW_ROWS = 60

Expected = Literal["most", "chance", "same", "above", "below"]
"""What a value should be: near the most, near 0, or the same as that of a reference, above it or
below it."""

Finding = Literal["invariance", "order", "definition"]
"""Whether every sound metric answers so, because nothing that a metric may ask for has changed
(invariance) or because one code is better (order), or whether definitions differ."""


@dataclass(frozen=True, eq=False)
class Case:
    """Codes and factors of the same rows."""

    codes: np.ndarray
    """(rows, latents)"""
    factors: np.ndarray
    """(rows, factors)"""
    kinds: tuple[str, ...] = _ORDINAL
    """Kinds of the factors."""


@dataclass(frozen=True)
class KnownCode:
    """A code of which it is known what a sound metric answers.

    Attributes
    ----------
    name, about
        A short name, and what the code is.
    draw
        A function of a random generator and a number of rows, which gives a :class:`Case`. The
        reference is drawn with a generator in the same state, so that both may have the same rows.
    expected, reference
        What the value should be, and the known code that it is compared with.
    finding
        What it means if the value is something else.
    reason
        Why.
    """

    name: str
    about: str
    draw: Callable[[np.random.Generator, int], Case]
    expected: Expected
    finding: Finding
    reason: str
    reference: str | None = None

    def __post_init__(self) -> None:
        compares = self.expected in ("same", "above", "below")
        if compares != (self.reference is not None):
            needed = "needs a reference" if compares else "is compared with no other code"
            raise ValueError(
                f"the known code {self.name!r} expects {self.expected!r}, which {needed}: give the "
                "name of a known code as reference with 'same', 'above' and 'below' alone"
            )


def _levels(rng: np.random.Generator, n_rows: int) -> np.ndarray:
    """Independent factors, each level at least once, so that none is constant in few rows."""
    return np.stack(
        [rng.permutation(np.resize(rng.permutation(size), n_rows)) for size in _SIZES], axis=1
    )


def _unit(factors: np.ndarray) -> np.ndarray:
    """Levels from -1 to 1."""
    return 2 * factors / (np.array(_SIZES) - 1) - 1


def _standard(factors: np.ndarray) -> np.ndarray:
    return (factors - factors.mean(axis=0)) / factors.std(axis=0)


def _perfect(rng: np.random.Generator, n_rows: int) -> Case:
    factors = _levels(rng, n_rows)
    return Case(factors.astype(float), factors)


def _nearly_perfect(rng: np.random.Generator, n_rows: int) -> Case:
    factors = _levels(rng, n_rows)
    return Case(factors + 0.25 * rng.standard_normal(factors.shape), factors)


def _partial(rng: np.random.Generator, n_rows: int) -> Case:
    factors = _levels(rng, n_rows)
    mixing = np.eye(3) + 0.3 * rng.standard_normal((3, 3))
    return Case(_standard(factors) @ mixing, factors)


def _noisy_partial(rng: np.random.Generator, n_rows: int) -> Case:
    """What the invariances start from: latents that differ, and values far from the bounds."""
    case = _partial(rng, n_rows)
    return Case(case.codes + 0.2 * rng.standard_normal(case.codes.shape), case.factors)


def _even_mixture(rng: np.random.Generator, n_rows: int) -> Case:
    factors = _levels(rng, n_rows)
    return Case(_standard(factors) @ _EVEN, factors)


def _mixture(rng: np.random.Generator, n_rows: int) -> Case:
    factors = _levels(rng, n_rows)
    return Case(_standard(factors) @ rng.standard_normal((3, 3)), factors)


def _noise(rng: np.random.Generator, n_rows: int) -> Case:
    factors = _levels(rng, n_rows)
    return Case(rng.standard_normal((n_rows, 3)), factors)


def _wide_noise(rng: np.random.Generator, n_rows: int) -> Case:
    factors = _levels(rng, n_rows)
    return Case(rng.standard_normal((n_rows, 30)), factors)


def _other_rows(rng: np.random.Generator, n_rows: int) -> Case:
    case = _perfect(rng, n_rows)
    return Case(rng.permutation(case.codes), case.factors)


def _reordered(rng: np.random.Generator, n_rows: int) -> Case:
    case = _noisy_partial(rng, n_rows)
    return Case(case.codes[:, [2, 0, 1]], case.factors)


def _rescaled(rng: np.random.Generator, n_rows: int) -> Case:
    case = _noisy_partial(rng, n_rows)
    return Case(case.codes * [0.01, 1.0, 30.0] + [5.0, -2.0, 0.1], case.factors)


def _flipped(rng: np.random.Generator, n_rows: int) -> Case:
    case = _noisy_partial(rng, n_rows)
    return Case(case.codes * [-1.0, 1.0, -1.0], case.factors)


def _shuffled(rng: np.random.Generator, n_rows: int) -> Case:
    case = _noisy_partial(rng, n_rows)
    order = rng.permutation(n_rows)
    return Case(case.codes[order], case.factors[order])


def _dead(rng: np.random.Generator, n_rows: int) -> Case:
    case = _noisy_partial(rng, n_rows)
    return Case(np.concatenate([case.codes, np.full((n_rows, 3), 0.7)], axis=1), case.factors)


def _ties_broken(rng: np.random.Generator, n_rows: int) -> Case:
    case = _perfect(rng, n_rows)
    return Case(case.codes + 1e-3 * rng.standard_normal(case.codes.shape), case.factors)


def _twice(rng: np.random.Generator, n_rows: int) -> Case:
    case = _perfect(rng, n_rows)
    return Case(np.concatenate([case.codes, case.codes], axis=1), case.factors)


def _redundant(rng: np.random.Generator, n_rows: int) -> Case:
    case = _perfect(rng, n_rows)
    sums = _standard(case.factors) @ rng.standard_normal((3, 2))
    return Case(np.concatenate([case.codes, sums], axis=1), case.factors)


def _nuisance(rng: np.random.Generator, n_rows: int) -> Case:
    case = _perfect(rng, n_rows)
    return Case(
        np.concatenate([case.codes, rng.standard_normal((n_rows, 3))], axis=1), case.factors
    )


def _many_latents(rng: np.random.Generator, n_rows: int) -> Case:
    case = _perfect(rng, n_rows)
    return Case(
        np.concatenate([case.codes, rng.standard_normal((n_rows, 30))], axis=1), case.factors
    )


def _warped(rng: np.random.Generator, n_rows: int) -> Case:
    case = _perfect(rng, n_rows)
    return Case(np.exp(2 * _unit(case.factors)), case.factors)


def _angle(rng: np.random.Generator, n_rows: int) -> Case:
    case = _perfect(rng, n_rows)
    return Case(case.codes, case.factors, _CIRCLE)


def _circle(rng: np.random.Generator, n_rows: int) -> Case:
    case = _perfect(rng, n_rows)
    angle = 2 * np.pi * case.factors[:, 2] / _SIZES[2]
    codes = np.column_stack([case.codes[:, :2], np.cos(angle), np.sin(angle)])
    return Case(codes, case.factors, _CIRCLE)


def _dependent_levels(rng: np.random.Generator, n_rows: int) -> np.ndarray:
    """Factors whose normal scores correlate by a half."""
    from scipy.special import ndtr

    common = rng.standard_normal((n_rows, 1))
    scores = np.sqrt(0.5) * (common + rng.standard_normal((n_rows, len(_SIZES))))
    return (ndtr(scores) * _SIZES).astype(int)


def _correlated(rng: np.random.Generator, n_rows: int) -> Case:
    factors = _dependent_levels(rng, n_rows)
    return Case(factors.astype(float), factors)


def _correlated_mixture(rng: np.random.Generator, n_rows: int) -> Case:
    factors = _dependent_levels(rng, n_rows)
    return Case(_standard(factors) @ _EVEN, factors)


def _few_rows(rng: np.random.Generator, n_rows: int) -> Case:
    return _nearly_perfect(rng, min(n_rows, _FEW_ROWS))


_ALL_KNOW_IT = (
    "what all latents know together is the same: metrics of informativeness ignore it, those of "
    "disentanglement and completeness punish it"
)
_CODES = (
    KnownCode(
        "perfect",
        "the levels of each factor in a latent of their own",
        _perfect,
        "most",
        "order",
        "no code is better",
    ),
    KnownCode(
        "noise",
        "three latents of normal noise",
        _noise,
        "chance",
        "order",
        "it knows nothing; a value that is not near 0 must be read beside its chance level",
    ),
    KnownCode(
        "wide_noise",
        "thirty latents of normal noise",
        _wide_noise,
        "chance",
        "order",
        "as noise; a metric that takes the best of many latents has a higher chance level",
    ),
    KnownCode(
        "other_rows",
        "the perfect code of other rows",
        _other_rows,
        "chance",
        "order",
        "as noise, with as many equal values as the perfect code",
    ),
    KnownCode(
        "nearly_perfect",
        "the perfect code with noise of a quarter of a step",
        _nearly_perfect,
        "above",
        "order",
        "it separates the factors, and noise knows nothing",
        "noise",
    ),
    KnownCode(
        "partial",
        "each latent knows one factor best and the others a little",
        _partial,
        "above",
        "definition",
        f"it separates the factors in part, the even mixture not at all; {_ALL_KNOW_IT}",
        "even_mixture",
    ),
    KnownCode(
        "even_mixture",
        "four latents, each of which knows every factor equally well",
        _even_mixture,
        "below",
        "definition",
        _ALL_KNOW_IT,
        "perfect",
    ),
    KnownCode(
        "mixture",
        "a random linear mixture of the factors",
        _mixture,
        "below",
        "definition",
        _ALL_KNOW_IT,
        "perfect",
    ),
    KnownCode(
        "noisy_partial",
        "the partial code with noise of a fifth",
        _noisy_partial,
        "above",
        "order",
        "it knows the factors, and noise knows nothing",
        "noise",
    ),
    KnownCode(
        "reordered",
        "noisy_partial with its latents in another order",
        _reordered,
        "same",
        "invariance",
        "latents have no order",
        "noisy_partial",
    ),
    KnownCode(
        "rescaled",
        "noisy_partial with latents in other units and with offsets",
        _rescaled,
        "same",
        "invariance",
        "units say nothing; a metric that prunes latents by their range is not invariant",
        "noisy_partial",
    ),
    KnownCode(
        "flipped",
        "noisy_partial with the signs of two latents changed",
        _flipped,
        "same",
        "invariance",
        "a sign says nothing",
        "noisy_partial",
    ),
    KnownCode(
        "shuffled",
        "noisy_partial with its rows in another order, factors with them",
        _shuffled,
        "same",
        "invariance",
        "rows have no order; a metric that draws or splits rows changes a little",
        "noisy_partial",
    ),
    KnownCode(
        "dead",
        "noisy_partial and three latents that never vary",
        _dead,
        "same",
        "invariance",
        "a latent that never varies knows nothing and costs nothing",
        "noisy_partial",
    ),
    KnownCode(
        "ties_broken",
        "the perfect code with noise of a thousandth of a step",
        _ties_broken,
        "same",
        "invariance",
        "it says the same without equal values, which ranks and nearest neighbours treat apart",
        "perfect",
    ),
    KnownCode(
        "twice",
        "every latent of the perfect code twice",
        _twice,
        "same",
        "definition",
        "by definition completeness (one latent a factor) punishes it, and disentanglement (one "
        "factor a latent) ignores it",
        "perfect",
    ),
    KnownCode(
        "redundant",
        "the perfect code and two random mixtures of all factors",
        _redundant,
        "same",
        "definition",
        "by definition disentanglement and completeness punish it, and informativeness ignores it",
        "perfect",
    ),
    KnownCode(
        "nuisance",
        "the perfect code and three latents of noise",
        _nuisance,
        "same",
        "definition",
        "noise says nothing of the factors: a mean over latents that counts each alike punishes "
        "it, weights by importance ignore it",
        "perfect",
    ),
    KnownCode(
        "many_latents",
        "the perfect code and thirty latents of noise",
        _many_latents,
        "same",
        "definition",
        "as nuisance; with many latents chance finds more in few rows",
        "perfect",
    ),
    KnownCode(
        "warped",
        "the perfect code, each latent through exp(2 x)",
        _warped,
        "same",
        "definition",
        "it is monotone and loses nothing: linear metrics ask for a line, and bins of equal width "
        "lose levels",
        "perfect",
    ),
    KnownCode(
        "angle",
        "the perfect code, with the last factor declared circular",
        _angle,
        "above",
        "order",
        "each level has a value of its own",
        "noise",
    ),
    KnownCode(
        "circle",
        "the perfect code with cosine and sine of the circular last factor in two latents",
        _circle,
        "same",
        "definition",
        "by definition completeness (one latent a factor) punishes it; metrics that are given "
        "the circle may reward it",
        "angle",
    ),
    KnownCode(
        "correlated",
        "the perfect code of factors that depend on each other (correlation a half)",
        _correlated,
        "same",
        "definition",
        "the code is perfect; a latent that knows its factor also knows of the others, which gaps "
        "and entropies punish",
        "perfect",
    ),
    KnownCode(
        "correlated_mixture",
        "an even mixture of the dependent factors",
        _correlated_mixture,
        "below",
        "definition",
        _ALL_KNOW_IT,
        "correlated",
    ),
    KnownCode(
        "few_rows",
        f"nearly_perfect in {_FEW_ROWS} rows",
        _few_rows,
        "same",
        "definition",
        "the code is the same: a difference is the bias of few rows",
        "nearly_perfect",
    ),
)

KNOWN_CODES: dict[str, KnownCode] = {code.name: code for code in _CODES}
"""Known codes by name, of three factors with 3, 4 and 6 levels."""
