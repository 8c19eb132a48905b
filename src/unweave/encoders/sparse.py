"""A sparse autoencoder of codes: many features, few of them active at once."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unweave._check import check_positive
from unweave._random import Stream, torch_seeded

__all__ = ["SparseAutoencoder", "sparse_codes", "train_sparse_autoencoder"]

_STEPS = 2_000
_BATCH = 256
_LEARNING_RATE = 1e-3


class SparseAutoencoder(nn.Module):
    r"""Codes x written with the k largest of m features: :math:`\hat x = b + D\, \mathrm{TopK}(f)`.

    With :math:`f = \mathrm{ReLU}(E (x - b) + c)` and columns of D of length 1. TopK holds sparsity
    to a number that one can name, where a penalty would need a weight and shrink what it finds.

    References
    ----------
    Gao et al. (2024), https://arxiv.org/abs/2406.04093; sparse features of networks: Bricken et
    al. (2023), https://transformer-circuits.pub/2023/monosemantic-features.
    """

    def __init__(self, n_latents: int, n_features: int, n_active: int) -> None:
        super().__init__()
        self.n_active = n_active
        self.centre = nn.Parameter(torch.zeros(n_latents))
        directions = functional.normalize(torch.randn(n_features, n_latents), dim=1)
        self.decoder = nn.Parameter(directions)
        self.encoder = nn.Parameter(directions.clone())
        self.threshold = nn.Parameter(torch.zeros(n_features))

    def features(self, codes: Tensor) -> Tensor:
        """Features (n, m), all but the k largest of each row zero."""
        found = functional.relu((codes - self.centre) @ self.encoder.T + self.threshold)
        largest = found.topk(self.n_active, dim=1)
        return torch.zeros_like(found).scatter(1, largest.indices, largest.values)

    def forward(self, codes: Tensor) -> Tensor:
        """Reconstructions (n, latents)."""
        return self.features(codes) @ functional.normalize(self.decoder, dim=1) + self.centre


def train_sparse_autoencoder(
    codes: np.ndarray, n_features: int, n_active: int, *, seed: int, n_steps: int = _STEPS
) -> SparseAutoencoder:
    """Trained on codes (n, latents) of mean 0 and mean variance 1, by Adam on the squared error.

    Raises
    ------
    ValueError
        If there are no features, or more active ones than features.
    """
    n_features = check_positive("features", n_features)
    if not 1 <= n_active <= n_features:
        raise ValueError(f"{n_active} of {n_features} features cannot be active at once")
    data = torch.from_numpy(np.ascontiguousarray(codes, dtype=np.float32))
    with torch_seeded(seed, Stream.WEIGHTS):
        model = SparseAutoencoder(data.shape[1], n_features, n_active)
        optimizer = torch.optim.Adam(model.parameters(), lr=_LEARNING_RATE)
        for step in range(n_steps):
            optimizer.param_groups[0]["lr"] = _LEARNING_RATE * (1 - step / n_steps)
            batch = data[torch.randint(len(data), (min(_BATCH, len(data)),))]
            loss = (model(batch) - batch).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.eval()


def sparse_codes(codes: np.ndarray, n_features: int, n_active: int, *, seed: int) -> np.ndarray:
    """Features (n, n_features) of a sparse autoencoder that is trained on the codes themselves."""
    centred = codes - codes.mean(axis=0)
    scaled = centred / np.sqrt(centred.var(axis=0).mean())
    model = train_sparse_autoencoder(scaled, n_features, n_active, seed=seed)
    with torch.no_grad():
        return model.features(torch.from_numpy(scaled.astype(np.float32))).numpy()
