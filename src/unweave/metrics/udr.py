"""Unsupervised disentanglement ranking (Duan et al. 2020): how far models of other seeds agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unweave._check import check_choice, check_codes, check_names
from unweave._tables import index_of, matching_rows, plain
from unweave.metrics._predictors import scaled_like
from unweave.metrics._scale import Scale
from unweave.metrics.noise import p_value
from unweave.metrics.score import Chance, Score

__all__ = ["unsupervised_disentanglement_ranking"]

_METHODS = ("lasso", "spearman")
_LASSO_ALPHA = 0.1  # of the authors' code
_N_PERMUTATIONS = 20


def unsupervised_disentanglement_ranking(
    codes_of_models: Sequence[object],
    *,
    method: str = "lasso",
    kl: Sequence[object] | None = None,
    kl_threshold: float = 0.01,
    names: Sequence[str] | None = None,
    seed: int = 0,
) -> Score:
    r"""UDR: how far models agree latent by latent, in [0, 1]; ``per_factor`` has each model's.

    .. math:: \mathrm{UDR}_{ab} = \tfrac{1}{2} \Big(
        \big\langle \tfrac{\max_i R_{ij}^2}{\sum_i R_{ij}} \big\rangle_j +
        \big\langle \tfrac{\max_j R_{ij}^2}{\sum_j R_{ij}} \big\rangle_i \Big)

    R is how well latent i of model a tells latent j of model b: the absolute weight in a lasso
    regression, or Spearman's rank correlation. A model's score is the median over its pairs. The
    idea is that models that disentangle are alike but for order and sign of latents, and others
    entangle each in its own way. It needs no factors: models can be chosen by it.

    Parameters
    ----------
    codes_of_models
        For each of at least two models, codes (samples, latents) of the same rows of data.
    method
        ``lasso`` or ``spearman``.
    kl
        For each model, the mean Kullback-Leibler divergence (latents,) in nats of each latent;
        those at or below ``kl_threshold`` are inactive and left out. Without it, latents that
        never vary are.
    names
        One for each model.
    seed
        Seed of the permutations that measure chance: rows of one model against the others'.

    Raises
    ------
    ValueError
        If there are fewer than two models, or their rows do not match.

    References
    ----------
    Duan et al. (2020), https://arxiv.org/abs/1905.12614, section 4.

    >>> rng = np.random.default_rng(0)
    >>> codes = rng.standard_normal((500, 3))
    >>> score = unsupervised_disentanglement_ranking(
    ...     [codes, -codes[:, ::-1]], method="spearman"
    ... )
    >>> 0.8 < score < 1, score.chance.mean < 0.2
    (True, True)
    """
    check_choice("method", method, _METHODS)
    checked = [check_codes(codes) for codes in codes_of_models]
    models = [Scale.of(codes).apply(codes) for codes in checked]
    if len(models) < 2:
        raise ValueError(f"UDR compares models, and {len(models)} was given: give at least two")
    if len({len(codes) for codes in models}) > 1:
        raise ValueError(
            f"models have {[len(codes) for codes in models]} rows: row i of all of them must "
            "belong to the same sample"
        )
    for i, codes in enumerate(codes_of_models):
        rows = matching_rows(index_of(codes_of_models[0]), index_of(codes), "model 0", f"model {i}")
        models[i] = models[i] if rows is None else models[i][rows]
    labels = check_names("model", range(len(models)) if names is None else names, len(models))
    active = [
        _active(codes, kl[i] if kl is not None else None, kl_threshold, i)
        for i, codes in enumerate(models)
    ]
    pairs = _agreements(active, method)
    per_model = _medians(pairs)
    draws = _chance_draws(active, method, np.random.default_rng([seed, 10]))
    value = float(per_model.mean())
    chance = Chance(float(draws.mean()), float(draws.std(ddof=1)), len(draws))
    return Score(
        f"udr ({method})",
        value,
        per_factor=dict(zip(labels, per_model.tolist(), strict=True)),
        matrix=pairs,
        settings={
            "metric": "udr",
            "method": method,
            "kl_threshold": kl_threshold if kl is not None else None,
        },
        n_samples=len(models[0]),
        seed=seed,
        adjusted=(value - chance.mean) / (1 - chance.mean),
        chance=chance,
        p_value=p_value(value, draws),
    )


def _active(codes: np.ndarray, kl: object, threshold: float, model: int) -> np.ndarray:
    """The active latents of a model, at mean 0 and deviation 1."""
    (scaled,) = scaled_like(codes)
    if kl is None:
        return scaled[:, scaled.any(axis=0)]
    divergence = np.asarray(plain(kl, f"kl of model {model}"), dtype=np.float64)
    if divergence.shape != (codes.shape[1],):
        raise ValueError(
            f"kl of model {model} has shape {divergence.shape}, and its codes have "
            f"{codes.shape[1]} latents: one divergence for each is needed"
        )
    return scaled[:, divergence > threshold]


def _chance_draws(models: Sequence[np.ndarray], method: str, rng: np.random.Generator):
    """Mean scores (draws,) of the models with the rows of each permuted by themselves."""
    permuted = (
        [codes[rng.permutation(len(codes))] for codes in models] for _ in range(_N_PERMUTATIONS)
    )
    return np.array([_medians(_agreements(codes, method)).mean() for codes in permuted])


def _medians(pairs: np.ndarray) -> np.ndarray:
    """Each model's median over its pairs with the others."""
    return np.array([np.median(np.delete(pairs[:, i], i)) for i in range(len(pairs))])


def _agreements(models: Sequence[np.ndarray], method: str) -> np.ndarray:
    """UDR (models, models) of each pair; 0 where a model has no active latent, and for itself."""
    pairs = np.zeros((len(models), len(models)))
    for a, first in enumerate(models):
        for b, second in enumerate(models):
            if a != b and first.shape[1] and second.shape[1]:
                pairs[a, b] = _relative_strength(_relations(first, second, method))
    return pairs


def _relations(first: np.ndarray, second: np.ndarray, method: str) -> np.ndarray:
    """How well each latent of ``first`` tells each of ``second``, (latents, latents)."""
    if method == "spearman":
        from scipy.stats import rankdata

        ranks = [scaled_like(rankdata(codes, axis=0))[0] for codes in (first, second)]
        return np.abs(ranks[0].T @ ranks[1]) / len(first)
    from sklearn.linear_model import Lasso

    weights = Lasso(alpha=_LASSO_ALPHA).fit(first, second).coef_
    return np.abs(np.atleast_2d(weights)).T


def _relative_strength(relations: np.ndarray) -> float:
    halves = []
    for axis in (0, 1):
        total = relations.sum(axis=axis)
        halves.append(np.mean(relations.max(axis=axis) ** 2 / np.where(total > 0, total, 1.0)))
    return float(np.mean(halves))
