"""What a training step costs."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from unweave.models import VAE
from unweave.models.objectives import Batch, Objective

__all__ = ["step_flops"]


def step_flops(model: VAE, objective: Objective, *, batch_size: int) -> int:
    """Floating point operations of one training step, forward and backward, by torch's counter.

    With those of the adversary, where the objective has one. The counter knows matrix products and
    convolutions; a multiplication and an addition are two.
    """
    height, width, channels = model.image_shape
    device = next(model.parameters()).device
    images = torch.zeros(batch_size, channels, height, width, device=device)
    normal = torch.zeros(batch_size, model.n_inputs, device=device)
    own = slice(0, 1) if objective.is_supervised else None
    batch = Batch(images, normal, normal, 0, max(2, batch_size), own)
    adversary = objective.build_adversary(model, seed=0)
    if adversary is not None:
        adversary.to(device)
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = _Nowhere()  # type: ignore[assignment]
    with counter:
        terms = objective(model, batch, adversary)
        terms.loss.backward()
        if terms.adversary_loss is not None:
            terms.adversary_loss.backward()
    model.zero_grad(set_to_none=True)
    return int(counter.get_total_flops())


class _Nowhere:
    """In place of what tells the counter which module is at work.

    That cannot follow a gradient of a gradient, which a gradient penalty takes.
    """

    parents = frozenset({"Global"})

    def __enter__(self) -> _Nowhere:
        return self

    def __exit__(self, *_: object) -> None:
        pass
