"""Codes on other axes (PCA, ICA, varimax, sparse features), found without the factors."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from unweave._check import check_choice, check_codes, constant_columns
from unweave.encoders.sparse import sparse_codes

__all__ = ["READOUTS", "TURNS", "parse_readout", "read_out", "varimax"]


def read_out(codes: object, readout: str, *, seed: int = 0) -> np.ndarray:
    """Codes (n, latents) on other axes: (n, components) float32; raw codes keep their precision.

    Parameters
    ----------
    codes
        Array (n, latents).
    readout
        ``raw``; ``pca:K``, ``ica:K``, ``varimax:K`` for K components; ``sparse:M`` for the M
        features of a sparse autoencoder, an eighth of which are active at once, or ``sparse:M:A``
        for A of them.
    seed
        Seed of fits that begin at random.

    Raises
    ------
    ValueError
        If there is no such readout, or there are fewer latents that vary than components.

    >>> rng = np.random.default_rng(0)
    >>> sources = rng.uniform(size=(2000, 2))
    >>> found = read_out(sources @ [[1, 0.4], [0.3, 1]], "ica:2")
    >>> bool(np.abs(np.corrcoef(found.T, sources.T)[:2, 2:]).max(axis=1).min() > 0.99)
    True
    """
    kind, numbers = parse_readout(readout)
    array = check_codes(codes)
    if kind == "raw":
        return array
    alive = np.delete(array, constant_columns(array), axis=1).astype(np.float64)
    if kind != "sparse" and numbers[0] > min(alive.shape):
        raise ValueError(
            f"{readout}: {alive.shape[0]} codes with {alive.shape[1]} latents that vary have at "
            f"most {min(alive.shape)} components"
        )
    return READOUTS[kind](alive, *numbers, seed=seed).astype(np.float32)


def parse_readout(readout: str) -> tuple[str, tuple[int, ...]]:
    """Kind and numbers of a readout, as ("pca", (10,)).

    Raises
    ------
    ValueError
        If it is none.
    """
    kind, *rest = readout.split(":")
    check_choice("readout", kind, ("raw", *READOUTS))
    most = {"raw": 0, "sparse": 2}.get(kind, 1)
    numbers = tuple(int(text) for text in rest if text.isdigit() and int(text) > 0)
    if len(numbers) != len(rest) or not min(most, 1) <= len(numbers) <= most:
        raise ValueError(f"readout {readout!r}: as raw, pca:10, ica:10, varimax:10, sparse:128")
    return kind, numbers


def _pca(codes: np.ndarray, n: int, *, seed: int) -> np.ndarray:
    return _components(codes, n)[0]


def _ica(codes: np.ndarray, n: int, *, seed: int) -> np.ndarray:
    scores, axes = _components(codes, n)
    return scores @ _independent(scores, axes, seed=seed)


def _varimax(codes: np.ndarray, n: int, *, seed: int) -> np.ndarray:
    scores, axes = _components(codes, n)
    return scores @ _simple(scores, axes, seed=seed)


def _independent(scores: np.ndarray, axes: np.ndarray, *, seed: int) -> np.ndarray:
    """By scikit-learn's FastICA (Hyvärinen and Oja 2000)."""
    from sklearn.decomposition import FastICA
    from sklearn.exceptions import ConvergenceWarning

    spread = scores.std(axis=0)
    with warnings.catch_warnings():
        # Not converged is not wrong: any rotation is a valid set of axes, and is scored as such.
        warnings.simplefilter("ignore", ConvergenceWarning)
        ica = FastICA(whiten=False, max_iter=1000, tol=1e-3, random_state=seed)
        ica.fit(scores / spread)
    return ica.components_.T / spread[:, None]


def _simple(scores: np.ndarray, axes: np.ndarray, *, seed: int) -> np.ndarray:
    """Each latent loads on few of the results."""
    spread = scores.std(axis=0)
    return varimax(axes.T * spread) / spread[:, None]


TURNS: dict[str, Callable[..., np.ndarray]] = {"ica": _independent, "varimax": _simple}
"""By name: a matrix (n, n) for principal components (rows, n), from them, their axes (n, latents)
and a seed; components times matrix have deviation 1."""


def varimax(loadings: np.ndarray, *, max_iter: int = 500, tol: float = 1e-7) -> np.ndarray:
    """The rotation (k, k) that makes the squares of loadings (latents, k) vary the most.

    Raw varimax of Kaiser (1958), https://doi.org/10.1007/BF02289233: the sum over components of the
    variance of squared loadings, by the singular value iteration.
    """
    rotation = np.eye(loadings.shape[1])
    before = 0.0
    for _ in range(max_iter):
        turned = loadings @ rotation
        gradient = loadings.T @ (turned**3 - turned * (turned**2).mean(axis=0))
        left, values, right = np.linalg.svd(gradient)
        rotation = left @ right
        if values.sum() < before * (1 + tol):
            break
        before = values.sum()
    return rotation


def _components(codes: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Principal components (rows, n) and their axes (n, latents)."""
    from sklearn.decomposition import PCA

    solver = "covariance_eigh" if codes.shape[1] <= 2_000 else "randomized"
    pca = PCA(n, svd_solver=solver, random_state=0)
    return pca.fit_transform(codes), pca.components_


def _sparse(codes: np.ndarray, n: int, n_active: int | None = None, *, seed: int) -> np.ndarray:
    return sparse_codes(codes, n, n_active or max(1, n // 8), seed=seed)


READOUTS: dict[str, Callable[..., np.ndarray]] = {
    "pca": _pca,
    "ica": _ica,
    "varimax": _varimax,
    "sparse": _sparse,
}
"""By name: a function of codes (n, latents) float64, numbers, and a seed."""
