r"""Codes that are matrices of a Lie group (Zhu et al. 2021), https://arxiv.org/abs/2106.03375.

Images are encoded to square matrices, and those to latents t; the decoder makes images from the
matrices :math:`G(t) = \exp(\sum_i t_i A_i)`, with learnt generators A_i.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor, nn

from unweave.models.likelihoods import pixel_means

if TYPE_CHECKING:
    from unweave.models.vae import VAE

__all__ = [
    "MatrixExponential",
    "MatrixHeads",
    "decode_matrices",
    "learnt_generators",
    "matrix_parts",
]

_SCALE = 1e-3  # of generators at the start, as in the code of the paper


class MatrixExponential(nn.Module):
    """From latents (n, latents) to matrices exp(sum of t_i A_i), as rows (n, size * size)."""

    def __init__(self, n_latents: int, size: int) -> None:
        super().__init__()
        self.generators = nn.Parameter(_SCALE * torch.randn(n_latents, size, size))
        """A_i, (latents, size, size)."""

    def forward(self, latents: Tensor) -> Tensor:
        """Rows of matrices."""
        # A sum of products in place of einsum, which autocast would round to 16 bits.
        weights = latents.to(self.generators.dtype)[:, :, None, None]
        return torch.matrix_exp((weights * self.generators).sum(dim=1)).flatten(1)


class MatrixHeads(nn.Module):
    """From matrices (n, size * size) to means and log variances (n, 2 * latents)."""

    def __init__(self, inputs: int, hidden: int, n_latents: int) -> None:
        super().__init__()
        self.mean, self.log_variance = (
            nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, n_latents))
            for _ in range(2)
        )

    def forward(self, matrices: Tensor) -> Tensor:
        """Means first."""
        return torch.cat([self.mean(matrices), self.log_variance(matrices)], dim=1)


def matrix_parts(model: VAE) -> tuple[nn.Module, MatrixHeads, MatrixExponential, nn.Module]:
    """From images to matrices, to latents, to matrices, to outputs: the parts of a model.

    Raises
    ------
    ValueError
        If the model has no generators.
    """
    parts = [*(model.encoder.children()), *(model.decoder.children())]
    if len(parts) == 4 and isinstance(parts[2], MatrixExponential):
        return parts[0], cast(MatrixHeads, parts[1]), parts[2], parts[3]
    raise ValueError(
        "the model has no generators: build it from a Network with a matrix_size, as 10, and train "
        "it with lie_group_vae"
    )


def learnt_generators(model: VAE) -> np.ndarray:
    """The generators A_i (latents, size, size) of a model.

    Raises
    ------
    ValueError
        If the model has none.
    """
    return matrix_parts(model)[2].generators.detach().cpu().numpy()


@torch.no_grad()
def decode_matrices(model: VAE, matrices: np.ndarray, *, batch_size: int = 512) -> np.ndarray:
    """Expected images (n, height, width, channels) uint8 of matrices (n, size, size).

    Raises
    ------
    ValueError
        If the model makes no images from matrices.
    """
    _, _, exponential, to_outputs = matrix_parts(model)
    flat = torch.from_numpy(np.asarray(matrices, dtype=np.float32)).flatten(1)
    pieces = [
        pixel_means(to_outputs(batch.to(exponential.generators.device))).permute(0, 2, 3, 1)
        for batch in flat.split(batch_size)
    ]
    return np.rint(255 * torch.cat(pieces).float().cpu().numpy()).astype(np.uint8)
