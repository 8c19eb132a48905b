"""What a training step costs."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from unweave.models import VAE
from unweave.models.objectives import Objective

__all__ = ["count_parameters", "step_flops"]


def step_flops(model: VAE, objective: Objective, *, batch_size: int, n_latents: int) -> int:
    """Floating point operations of one training step, forward and backward, by torch's counter.

    The counter knows matrix products and convolutions; a multiplication and an addition are two.
    """
    height, width, channels = model.image_shape
    device = next(model.parameters()).device
    images = torch.zeros(batch_size, channels, height, width, device=device)
    noise = torch.zeros(batch_size, n_latents, device=device)
    with FlopCounterMode(display=False) as counter:
        objective(model, images, step=0, noise=noise).loss.backward()
    model.zero_grad(set_to_none=True)
    return int(counter.get_total_flops())


def count_parameters(model: torch.nn.Module) -> int:
    """Number of trained parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
