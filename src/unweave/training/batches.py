"""Batches of a dataset on the device. Which rows a step sees follows from the seed and the step."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from unweave.datasets import FactorDataset

__all__ = ["Batches", "unpack"]


class Batches:
    """Images and latent noise of any step; a resumed run needs no state of a generator.

    Images travel to the device as they are stored (dSprites: a bit for a pixel) and become numbers
    there. With several processes, each takes its slice of the same batch and the same noise.
    """

    def __init__(
        self,
        dataset: FactorDataset,
        *,
        batch_size: int,
        n_latents: int,
        seed: int,
        device: torch.device,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.n_latents = n_latents
        self.seed = seed
        self.device = device
        share = batch_size // world_size
        self._own = slice(rank * share, (rank + 1) * share)
        self._generator = torch.Generator()

    def images(self, step: int) -> Tensor:
        """Images (n, channels, height, width) float in [0, 1] of a step."""
        rng = np.random.default_rng([self.seed, step])
        rows = rng.integers(0, len(self.dataset), self.batch_size)[self._own]
        stored = torch.from_numpy(self.dataset.stored(rows)).to(self.device, non_blocking=True)
        return unpack(stored, self.dataset)

    def noise(self, step: int) -> Tensor:
        """Standard normal noise (n, latents) of a step."""
        self._generator.manual_seed((self.seed << 40) + step)
        noise = torch.randn(self.batch_size, self.n_latents, generator=self._generator)
        return noise[self._own].to(self.device, non_blocking=True)


def unpack(stored: Tensor, dataset: FactorDataset) -> Tensor:
    """Images (n, channels, height, width) float in [0, 1], channels last in memory."""
    height, width, channels = dataset.image_shape
    if dataset.binary:
        shifts = torch.arange(7, -1, -1, device=stored.device, dtype=torch.uint8)
        pixels = stored[:, :, None].bitwise_right_shift(shifts).bitwise_and_(1).float()
    else:
        pixels = stored.float().div_(255)
    return pixels.reshape(-1, height, width, channels).permute(0, 3, 1, 2)
