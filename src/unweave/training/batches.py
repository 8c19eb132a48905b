"""Batches of a dataset on the device. Rows and noise follow from the seed and the step."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from unweave._random import Stream, generator, normal
from unweave.datasets import ImageDataset
from unweave.models.objectives import Batch, Objective

__all__ = ["Batches", "unpack"]


class Batches:
    """Images and noise of any step, by ``[step]``; a resumed run needs no state of a generator.

    Images travel to the device as they are stored (dSprites: a bit for a pixel) and become numbers
    there. With several processes, each takes its slice of the same batch and the same noise.
    """

    def __init__(
        self,
        dataset: ImageDataset,
        objective: Objective,
        *,
        batch_size: int,
        n_inputs: int,
        seed: int,
        device: torch.device,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.dataset = dataset
        self.objective = objective
        self.batch_size = batch_size
        self.n_inputs = n_inputs
        self.seed = seed
        self.device = device
        share = batch_size // world_size
        self._own = slice(rank * share, (rank + 1) * share)

    def __getitem__(self, step: int) -> Batch:
        """The batch of a step."""
        rng = generator(self.seed, Stream.ROWS, step)
        rows, own = self.objective.rows(self.dataset, self.batch_size, rng)
        # torch warns of memory that it may not write, and takes no negative strides.
        found = np.require(self.dataset.stored(rows[self._own]), requirements=["C", "W"])
        stored = torch.from_numpy(found)
        images = unpack(stored.to(self.device, non_blocking=True), self.dataset)
        noise, prior = (self._normal(stream, step) for stream in (Stream.NOISE, Stream.PRIOR))
        return Batch(images, noise, prior, step, len(self.dataset), own)

    def _normal(self, stream: Stream, step: int) -> Tensor:
        """Standard normal numbers (n, inputs of the decoder) for one purpose in one step."""
        numbers = normal(generator(self.seed, stream, step), self.batch_size, self.n_inputs)
        return numbers[self._own].to(self.device, non_blocking=True)


def unpack(stored: Tensor, dataset: ImageDataset) -> Tensor:
    """Images (n, channels, height, width) float in [0, 1], channels last in memory."""
    height, width, channels = dataset.image_shape
    if dataset.binary:
        shifts = torch.arange(7, -1, -1, device=stored.device, dtype=torch.uint8)
        bits = stored[:, :, None].bitwise_right_shift(shifts).bitwise_and_(1).flatten(1)
        pixels = bits[:, : height * width * channels].float()  # the last byte may be padded
    else:
        pixels = stored.float().div_(255)
    return pixels.reshape(-1, height, width, channels).permute(0, 3, 1, 2)
