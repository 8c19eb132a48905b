"""Disentanglement and completeness of any matrix of importances, as DCI defines them."""

from __future__ import annotations

import numpy as np

__all__ = ["completeness", "disentanglement", "separation"]


def disentanglement(importance: np.ndarray) -> tuple[float, np.ndarray]:
    r"""How much each latent's importance (latents, factors) is for one factor, in [0, 1].

    One minus the entropy of each row, to the base of the number of factors; its mean weighted by
    the importance of the latents; and that of each latent (Eastwood and Williams 2018, section 2).
    """
    return _concentration(importance)


def separation(importance: np.ndarray, per_latent: np.ndarray) -> np.ndarray:
    r"""How little the latents that code a factor code others, in [0, 1], for each factor.

    :math:`D_k = \sum_i R_{ik} D_i / \sum_i R_{ik}` of importances R (latents, factors) and the
    disentanglement D (latents,) of each latent; 0 of a factor to which no latent is important.
    """
    total = importance.sum(axis=0)
    return per_latent @ importance / np.where(total > 0, total, 1.0)


def completeness(importance: np.ndarray) -> tuple[float, np.ndarray]:
    """How much of a factor's importance (latents, factors) lies in one latent, in [0, 1]."""
    return _concentration(importance.T)


def _concentration(rows: np.ndarray) -> tuple[float, np.ndarray]:
    total = rows.sum(axis=1)
    if total.sum() <= 0 or rows.shape[1] < 2:
        return 0.0, np.zeros(len(rows))
    shares = rows / np.where(total > 0, total, 1.0)[:, None]
    entropy = -np.sum(shares * np.log(np.where(shares > 0, shares, 1.0)), axis=1)
    each = np.where(total > 0, 1 - entropy / np.log(rows.shape[1]), 0.0)
    return float(each @ total / total.sum()), each
