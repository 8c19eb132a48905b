"""A trained model looked at: its scores, and pictures of what it learned."""

from __future__ import annotations

from typing import Any

import numpy as np

from unweave.datasets import FactorDataset, FactorSpace
from unweave.metrics import Noise, Scores, evaluate
from unweave.models import VAE
from unweave.studies.study import Evaluation

__all__ = ["mean_divergence", "pictures", "score_model"]

_N_EXAMPLES = 8
_N_SAMPLES = 32
_MAP_ROWS = 5_000
_TRAVERSAL = np.linspace(-2, 2, 17)


def score_model(model: VAE, dataset: FactorDataset, evaluation: Evaluation) -> dict[str, Any]:
    """The study's metrics of the model's posterior means, and the mean KL of each latent."""
    rows = dataset.sample_indices(evaluation.rows, seed=evaluation.seed)
    means, log_variances = model.encode_posterior(dataset.images(rows))
    noise = Noise(evaluation.n_permutations, evaluation.n_projections, evaluation.n_halves)
    scores: Scores = evaluate(
        means,
        dataset.factors(rows),
        metrics=evaluation.metrics,
        factor_names=dataset.space.names,
        factor_kinds=dataset.space.kinds,
        noise=noise,
        seed=evaluation.seed,
    )
    return {
        "metrics": scores.to_dict(),
        "kl_per_latent": mean_divergence(means, log_variances).tolist(),
    }


def pictures(model: VAE, dataset: FactorDataset, *, seed: int = 0) -> dict[str, np.ndarray]:
    """What a model learned, to be drawn: images are uint8, 0 to 255.

    Returns
    -------
    dict
        ``images`` and ``reconstructions`` (8, height, width, channels); ``samples`` (32, ...) of
        latents drawn from the prior; ``traversals`` (latents, 17, ...), each latent moved from -2
        to 2 with the others at the code of the first image; ``order`` (latents,), the latents by
        their mean KL divergence ``kl`` (latents,) in nats, the largest first, as are the rows of
        ``traversals``, ``means``, ``deviations`` and ``plane``. ``means`` and ``deviations``
        (latents, levels) of each latent at each level of each factor, the factors one after the
        other, all others random; ``plane`` (latents, levels, levels), each latent over the two
        factors ``axes`` (2,), the others as in the first image.
    """
    rows = dataset.sample_indices(_MAP_ROWS, seed=seed)
    means, log_variances = model.encode_posterior(dataset.images(rows))
    kl = mean_divergence(means, log_variances)
    order = np.argsort(-kl, kind="stable")
    images, codes = dataset.images(rows[:_N_EXAMPLES]), means[:_N_EXAMPLES]
    paths = np.tile(codes[0], (len(order), len(_TRAVERSAL), 1))
    paths[np.arange(len(order)), :, order] = _TRAVERSAL
    samples = np.random.default_rng(seed).standard_normal((_N_SAMPLES, model.n_inputs))
    by_level = _by_level(means[:, order], dataset.space.levels(rows), dataset.space)
    axes, plane = _plane(model, dataset, rows[0])
    return {
        "images": images,
        "reconstructions": model.decode(codes),
        "samples": model.decode(samples),
        "traversals": model.decode(paths.reshape(-1, codes.shape[1])).reshape(
            len(order), len(_TRAVERSAL), *dataset.image_shape
        ),
        "order": order,
        "kl": kl[order],
        "means": by_level[0],
        "deviations": by_level[1],
        "axes": np.array(axes),
        "plane": plane[order],
    }


def mean_divergence(means: np.ndarray, log_variances: np.ndarray) -> np.ndarray:
    """Mean Kullback-Leibler divergence (latents,) in nats of posteriors (rows, latents)."""
    terms = means.astype(np.float64) ** 2 + np.exp(log_variances.astype(np.float64))
    return (0.5 * (terms - 1 - log_variances)).mean(axis=0)


def _by_level(
    codes: np.ndarray, levels: np.ndarray, space: FactorSpace
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (latents, levels of all factors) of codes; nan at no rows."""
    columns = levels + np.append(0, np.cumsum(space.sizes)[:-1])
    membership = np.zeros((len(codes), sum(space.sizes)))
    np.put_along_axis(membership, columns, 1, axis=1)
    counts = membership.sum(axis=0)
    counts[counts == 0] = np.nan
    means = codes.T.astype(np.float64) @ membership / counts
    squares = (codes.T.astype(np.float64) ** 2) @ membership / counts
    return means, np.sqrt(np.maximum(squares - means**2, 0))


def _plane(model: VAE, dataset: FactorDataset, row: int) -> tuple[tuple[int, int], np.ndarray]:
    """Two factors, and the latents (latents, levels, levels) over them.

    The two ordinal factors of the most levels, or of any kind where there are not two of those.
    """
    space = dataset.space
    preferred = sorted(
        range(space.n_factors), key=lambda k: (space.kinds[k] == "ordinal", space.sizes[k], k)
    )
    first, second = sorted(preferred[-2:]) if space.n_factors > 1 else (0, 0)
    across, down = np.meshgrid(np.arange(space.sizes[first]), np.arange(space.sizes[second]))
    levels = np.tile(space.levels([row])[0], (across.size, 1))
    levels[:, first], levels[:, second] = across.ravel(), down.ravel()
    codes = model.encode(dataset.images(space.indices(levels)))
    return (first, second), codes.T.reshape(-1, *across.shape)
