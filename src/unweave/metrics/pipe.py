"""PIPE (Estermann and Wattenhofer 2023): are decodings of permuted latents like reconstructions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from unweave._check import check_codes, constant_columns
from unweave._tables import plain
from unweave.metrics._predictors import scikit_learn_seed
from unweave.metrics.score import Chance, Score

__all__ = ["posterior_indifference_projection_equivalence"]

_LEAST_IMAGES = 40
_COMPONENTS = 50
_ROUNDING = 1e-9  # of the variance of all pixels
_LITTLE = 0.01  # of the variance of the images


def posterior_indifference_projection_equivalence(
    model: Any,
    images: Any,
    *,
    discriminator: Any = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> Score:
    r"""PIPE: how like reconstructions decodings of permuted latents are; 1 is best, 0 the worst.

    .. math:: 2 \, (1 - \mathrm{accuracy}) \approx 1 - \mathrm{TV}

    of a discriminator on held-out images, where TV is the total variation distance of the two
    distributions: a perfect discriminator attains it, and any other one gives a larger value. If
    latents stand for independent factors, an image of latents that are permuted one by one is as
    likely as any other. It needs no factors, so that models can be chosen by it.

    Each latent is permuted among a quarter of the images for learning and among another one for
    judging; the other two quarters are reconstructed. So ``n_samples`` / 2 decodings are judged,
    none of a row that the discriminator has seen.

    A score of 1 is necessary and not sufficient: rotated latents that are normal are independent,
    and a decoder that gives one image whatever its latents has 1. ``extras`` has ``explained``, the
    share of the variance of the images that reconstructions explain, and a note says if it is
    nothing. Depends on the number of images: the more, the better the discriminator learns.

    Parameters
    ----------
    model
        An object with ``encode`` and ``decode``, as a trained :class:`~unweave.models.VAE`; or
        these two functions: from images to codes (n, latents), and from codes to decodings
        (n, ...), arrays or tensors.
    images
        What ``encode`` takes, at least 40 that can be sliced as an array.
    discriminator
        A classifier of scikit-learn, or anything with ``fit(X, y)`` and ``predict(X)``, of
        decodings (n, pixels). Without it: 50 principal components and gradient-boosted trees
        (:class:`~sklearn.ensemble.HistGradientBoostingClassifier`).
    confidence
        Nominal coverage of the interval.
    seed
        Seed of rows, permutations and the discriminator.

    Returns
    -------
    Score
        ``chance`` is what identical distributions give, exactly: 1, with the deviation of a
        binomial share; so values above 1 are noise. The interval is exact (Clopper and Pearson) for
        this model and this discriminator. The p-value is how likely identical distributions are
        classified so well. ``extras`` has the ``accuracy``.

    Raises
    ------
    ValueError
        If there are too few images, or codes or decodings cannot be used.

    References
    ----------
    Estermann and Wattenhofer (2023), https://arxiv.org/abs/2303.01384, section 3.

    >>> rng = np.random.default_rng(0)
    >>> factors = rng.integers(2, size=(1000, 2))
    >>> two_pixels = (lambda images: images, lambda codes: codes)
    >>> float(posterior_indifference_projection_equivalence(two_pixels, factors)) > 0.9
    True
    >>> equal = factors[:, [0, 0]]
    >>> float(posterior_indifference_projection_equivalence(two_pixels, equal)) < 0.6
    True
    """
    encode, decode = _functions(model)
    if not 0 < confidence < 1:
        raise ValueError(f"the confidence of an interval lies between 0 and 1, not {confidence}")
    n = len(images)
    if n < _LEAST_IMAGES:
        raise ValueError(
            f"PIPE trains and judges a discriminator, and {n} images were given: give at least "
            f"{_LEAST_IMAGES}, better thousands"
        )
    codes = check_codes(encode(images))
    if len(codes) != n or codes.shape[1] < 2:
        raise ValueError(
            f"encode gave codes of shape {codes.shape} for {n} images: PIPE permutes latents "
            "against each other, and needs a row for each image and at least two latents"
        )
    quarters = np.array_split(np.random.default_rng([seed, 13]).permutation(n), 4)
    learn, judge = _decoded_pairs(decode, codes, quarters, seed)
    if discriminator is None:
        discriminator = _trees_on_components(learn[0], seed)
    discriminator.fit(*learn)
    is_right = np.asarray(discriminator.predict(judge[0])).ravel() == judge[1]
    own = np.concatenate([part[labels == 0] for part, labels in (learn, judge)])
    explained = _explained(images, np.concatenate(quarters[:2]), own)
    return _scored(codes, is_right, explained, confidence, seed)


def _functions(model: Any) -> tuple[Callable, Callable]:
    """From images to codes, and from codes to decodings."""
    given = model if isinstance(model, tuple) else (
        getattr(model, "encode", None), getattr(model, "decode", None)
    )  # fmt: skip
    if len(given) != 2 or not all(callable(part) for part in given):
        raise ValueError(
            f"PIPE encodes and decodes, and {type(model).__name__} cannot: give a model with "
            "encode and decode, or a pair of functions (encode, decode)"
        )
    return given


Labelled = tuple[np.ndarray, np.ndarray]
"""Decodings (n, pixels), and 1 where latents were permuted (n,)."""


def _decoded_pairs(
    decode: Callable, codes: np.ndarray, quarters: list[np.ndarray], seed: int
) -> tuple[Labelled, Labelled]:
    """What the discriminator learns from and what it is judged on, of rows of its own each."""
    rng = np.random.default_rng([seed, 14])
    own = [codes[rows] for rows in quarters[:2]]
    permuted = [rng.permuted(codes[rows], axis=0) for rows in quarters[2:]]
    decoded = _decodings(decode, np.concatenate([*own, *permuted]))
    ends = np.cumsum([len(rows) for rows in quarters])[:-1]
    a, b, c, d = np.split(decoded, ends)
    labels = [np.repeat([0, 1], [len(first), len(second)]) for first, second in ((a, c), (b, d))]
    return (np.concatenate([a, c]), labels[0]), (np.concatenate([b, d]), labels[1])


def _decodings(decode: Callable, codes: np.ndarray) -> np.ndarray:
    """Decodings (n, pixels) float32 of codes (n, latents)."""
    given = np.asarray(plain(decode(codes), "decodings"))
    if given.ndim < 2 or len(given) != len(codes) or given.dtype.kind not in "biuf":
        raise ValueError(
            f"decode gave an array of shape {given.shape} and type {given.dtype} for "
            f"{len(codes)} codes: give numbers, and a decoding for each row of codes"
        )
    found = given.reshape(len(given), -1).astype(np.float32)
    if not np.isfinite(found).all():
        raise ValueError("decode gave nan or infinite values: look for a diverged decoder")
    return found


def _trees_on_components(decodings: np.ndarray, seed: int) -> Any:
    from sklearn.decomposition import PCA
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.feature_selection import VarianceThreshold
    from sklearn.pipeline import make_pipeline

    # Without a penalty, leaves of one class grow until single precision ends.
    trees = HistGradientBoostingClassifier(
        l2_regularization=1.0, early_stopping=True, random_state=scikit_learn_seed(seed)
    )
    if decodings.shape[1] <= _COMPONENTS or not np.ptp(decodings, axis=0).any():
        return trees
    n_components = min(_COMPONENTS, *decodings.shape)
    components = PCA(n_components, svd_solver="randomized", random_state=scikit_learn_seed(seed))
    # Components beyond the rank are rounding, in which trees lose their way.
    rounding = _ROUNDING * float(decodings.var(axis=0).sum())
    return make_pipeline(components, VarianceThreshold(rounding), trees)


def _explained(images: Any, rows: np.ndarray, own: np.ndarray) -> float | None:
    """Share of the variance of images that reconstructions explain; None if shapes differ."""
    given = np.asarray(plain(images, "images"))
    if given.dtype.kind not in "biuf" or given[:1].size != own.shape[1]:
        return None
    true = given[rows].reshape(len(rows), -1).astype(np.float64)
    spread = ((true - true.mean(axis=0)) ** 2).sum()
    return float(1 - ((true - own) ** 2).sum() / spread) if spread > 0 else None


def _scored(
    codes: np.ndarray, is_right: np.ndarray, explained: float | None, confidence: float, seed: int
) -> Score:
    from scipy.stats import binomtest

    n, accuracy = len(is_right), float(is_right.mean())
    test = binomtest(int(is_right.sum()), n, alternative="greater")
    low, high = binomtest(int(is_right.sum()), n).proportion_ci(confidence, method="exact")
    deviation = 1 / float(np.sqrt(n))
    notes: tuple[str, ...] = ()
    if explained is not None and explained < _LITTLE:
        notes = (
            f"reconstructions explain {100 * max(explained, 0):.0f} % of the variance of the "
            "images: that decodings of permuted latents are like them says nothing",
        )
    return Score(
        "pipe",
        2 * (1 - accuracy),
        per_factor={},
        matrix=np.empty((0, 0)),
        settings={"metric": "pipe", "n_judged": n},
        n_samples=len(codes),
        seed=seed,
        dead_latents=tuple(constant_columns(codes).tolist()),
        chance=Chance(1.0, deviation, 0, 1 + 1.959964 * deviation),
        interval=(2 * (1 - float(high)), 2 * (1 - float(low))),
        confidence=confidence,
        p_value=float(test.pvalue),
        notes=notes,
        extras={"accuracy": accuracy} | ({} if explained is None else {"explained": explained}),
    )
