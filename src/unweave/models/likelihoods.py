"""Likelihoods p(x|z) of pixels, in nats."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Likelihood", "negative_log_likelihood", "pixel_means"]

Likelihood = Literal["bernoulli", "gaussian", "laplace"]


def negative_log_likelihood(outputs: Tensor, images: Tensor, likelihood: Likelihood) -> Tensor:
    r"""-log p(x|z) in nats per image, (n,): summed over pixels and channels, never averaged.

    ``bernoulli``: outputs are logits. ``gaussian`` and ``laplace``: means are the sigmoid of the
    outputs, the scale (standard deviation, or b) is 1; the constants log(2 pi)/2 and log 2 per
    pixel are counted, so that the value is a true density.
    """
    if likelihood == "bernoulli":
        losses = F.binary_cross_entropy_with_logits(outputs, images, reduction="none")
    elif likelihood == "gaussian":
        losses = 0.5 * (torch.sigmoid(outputs) - images) ** 2 + 0.5 * math.log(2 * math.pi)
    else:
        losses = (torch.sigmoid(outputs) - images).abs() + math.log(2)
    return losses.flatten(1).sum(dim=1)


def pixel_means(outputs: Tensor) -> Tensor:
    """Expected pixels in [0, 1]; the same under all three likelihoods."""
    return torch.sigmoid(outputs)
