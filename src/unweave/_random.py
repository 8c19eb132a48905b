"""Independent streams of random numbers, one for each seed, purpose and step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

__all__ = ["Stream", "generator", "normal", "torch_seeded"]


class Stream(IntEnum):
    """What random numbers are for; each purpose has a stream of its own."""

    WEIGHTS = 0
    """Initial weights of a model."""
    ADVERSARY = 1
    """Initial weights of the network that a model is trained against."""
    ROWS = 2
    """Rows of a training batch, by step."""
    NOISE = 3
    """Draws from the posterior, by step."""
    PRIOR = 4
    """Draws from the prior, by step."""
    SUBSET = 5
    """Images that training sees."""
    IMAGES = 6
    """What is random in the images of a dataset, by row."""
    SPLIT = 7
    """Images that a random split holds out."""


def generator(seed: int, stream: Stream, *position: int) -> np.random.Generator:
    """A generator that follows from all bits of ``seed``, the purpose and a position, as a step.

    The purpose and the position are the spawn key of a :class:`numpy.random.SeedSequence`. NumPy
    pads the seed before it appends that key. A long seed is therefore never confused with a short
    seed and its key, as it is in the list ``[seed, step]``.
    """
    return np.random.default_rng(_sequence(seed, stream, *position))


def normal(rng: np.random.Generator, *shape: int) -> torch.Tensor:
    """Standard normal numbers of this shape, float32."""
    import torch

    return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))


@contextmanager
def torch_seeded(seed: int, stream: Stream) -> Iterator[None]:
    """Seed torch's global generator, and restore it afterwards.

    torch's generator on the CPU keeps the low 32 bits of a seed. Weights follow from ``seed``
    itself where it has no more bits than that. Everything else follows from a hash of all bits.
    """
    import torch

    if stream == Stream.WEIGHTS and seed < 2**32:
        kept = seed
    else:
        kept = int(_sequence(seed, stream).generate_state(1)[0])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(kept)
        yield


def _sequence(seed: int, stream: Stream, *position: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=(stream, *position))
