"""A trained model looked at: its scores, and pictures of what it learned."""

from __future__ import annotations

from typing import Any

import numpy as np

from unweave.datasets import FactorDataset
from unweave.metrics import Noise, Scores, evaluate
from unweave.models import VAE
from unweave.studies.study import Evaluation

__all__ = ["mean_divergence", "pictures", "score_model"]

_N_EXAMPLES = 8
_TRAVERSAL = np.linspace(-2, 2, 9)


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


def pictures(model: VAE, dataset: FactorDataset, evaluation: Evaluation) -> dict[str, np.ndarray]:
    """Images (uint8, 0 to 255) for the report.

    Returns
    -------
    dict
        ``images`` and ``reconstructions`` (8, height, width, channels); ``traversals`` (latents,
        9, height, width, channels), each latent moved from -2 to 2 with the others at the code of
        the first image, the latent of the largest KL first; ``order`` and ``kl`` (latents,).
    """
    images = dataset.images(dataset.sample_indices(_N_EXAMPLES, seed=evaluation.seed))
    many = dataset.images(dataset.sample_indices(1000, seed=evaluation.seed))
    kl = mean_divergence(*model.encode_posterior(many))
    order = np.argsort(-kl)
    codes = model.encode(images)
    paths = np.repeat(codes[:1], len(order) * len(_TRAVERSAL), axis=0)
    paths = paths.reshape(len(order), len(_TRAVERSAL), -1)
    paths[np.arange(len(order)), :, order] = _TRAVERSAL
    return {
        "images": images,
        "reconstructions": model.decode(codes),
        "traversals": model.decode(paths.reshape(-1, codes.shape[1])).reshape(
            len(order), len(_TRAVERSAL), *dataset.image_shape
        ),
        "order": order,
        "kl": kl[order],
    }


def mean_divergence(means: np.ndarray, log_variances: np.ndarray) -> np.ndarray:
    """Mean Kullback-Leibler divergence (latents,) in nats of posteriors (rows, latents)."""
    terms = means.astype(np.float64) ** 2 + np.exp(log_variances.astype(np.float64))
    return (0.5 * (terms - 1 - log_variances)).mean(axis=0)
