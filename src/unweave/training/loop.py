"""The training loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import torch
from lightning_fabric import Fabric

from unweave.datasets import FactorDataset
from unweave.models import VAE
from unweave.models.objectives import Objective, Terms
from unweave.training.batches import Batches
from unweave.training.checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from unweave.training.config import TrainingConfig
from unweave.training.curves import Curves

__all__ = ["DivergedError", "train"]


class DivergedError(ArithmeticError):
    """The loss is no longer a finite number."""


def train(
    model: VAE,
    objective: Objective,
    dataset: FactorDataset,
    config: TrainingConfig,
    *,
    n_latents: int,
    folder: Path | None = None,
    at_milestone: Callable[[int, VAE], None] | None = None,
    at_step: Callable[[int], None] | None = None,
) -> VAE:
    """Train ``model`` and return it.

    With a ``folder``, learning curves and checkpoints are kept there, and a run that was cut off
    goes on from its last checkpoint to the same weights as if it had not been (on one machine, with
    the same number of threads).

    Parameters
    ----------
    model, objective, dataset, config
        What is trained, to minimise what, on what, and how.
    n_latents
        Latents of the model.
    folder
        Where curves and checkpoints go; None keeps nothing.
    at_milestone
        Called with the step and the model at each milestone, before its checkpoint is written.
    at_step
        Called with the number of steps done after each step.

    Raises
    ------
    DivergedError
        If the loss or a weight is no longer finite; the last good checkpoint stays.
    """
    fabric = Fabric(
        accelerator=config.accelerator, devices=config.devices, precision=config.precision
    )
    if config.devices > 1:
        fabric.launch()
    model = model.to(fabric.device).train()
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate, fused=True)
    done = _resume(folder, model, optimizer)
    wrapped, wrapped_optimizer = fabric.setup(model, optimizer)
    batches = Batches(
        dataset,
        batch_size=config.batch_size,
        n_latents=n_latents,
        seed=config.seed,
        device=fabric.device,
        rank=fabric.global_rank,
        world_size=fabric.world_size,
    )
    writes = folder is not None and fabric.is_global_zero
    curves = Curves(folder, n_latents, resumed_at=done) if folder and writes else None
    milestones = set(config.all_milestones)
    means = _Means(fabric.device, n_latents)
    try:
        for step in range(done, config.steps):
            terms = objective(wrapped, batches.images(step), step=step, noise=batches.noise(step))
            wrapped_optimizer.zero_grad()
            fabric.backward(terms.loss)
            wrapped_optimizer.step()
            means.add(terms)

            done = step + 1
            stops = done in milestones or done % config.checkpoint_every == 0
            if stops or done % config.log_every == 0:
                loss, reconstruction, kl = means.take()
                _check_finite(loss, model if stops else None, done, folder)
                if curves:
                    curves.add(done, loss, reconstruction, kl)
            if at_milestone and done in milestones and fabric.is_global_zero:
                model.eval()
                at_milestone(done, model)
                model.train()
            if folder and writes and stops:
                save_checkpoint(folder, done, model, optimizer, keep=milestones)
            if at_step:
                at_step(done)
    finally:
        if curves:
            curves.close()
    return model.eval()


class _Means:
    """Running sums of the terms, on the device, so that no step waits to read a number."""

    def __init__(self, device: torch.device, n_latents: int) -> None:
        self._sums = torch.zeros(2 + n_latents, device=device, dtype=torch.float64)
        self._n = 0

    def add(self, terms: Terms) -> None:
        values = [terms.loss[None], terms.reconstruction[None], terms.kl]
        self._sums += torch.cat([v.detach() for v in values])
        self._n += 1

    def take(self) -> tuple[float, float, list[float]]:
        loss, reconstruction, *kl = (self._sums / self._n).tolist()
        self._sums.zero_()
        self._n = 0
        return loss, reconstruction, kl


def _resume(folder: Path | None, model: VAE, optimizer: torch.optim.Optimizer) -> int:
    checkpoint = latest_checkpoint(folder) if folder else None
    return load_checkpoint(checkpoint, model, optimizer) if checkpoint else 0


def _check_finite(loss: float, model: VAE | None, step: int, folder: Path | None) -> None:
    weights = [] if model is None else list(model.parameters())
    if not (math.isfinite(loss) and all(torch.isfinite(p).all() for p in weights)):
        kept = latest_checkpoint(folder) if folder else None
        left = f"the last good checkpoint is {kept}" if kept else "nothing was kept"
        raise DivergedError(
            f"training diverged: the loss was {loss} by step {step}; lower the learning rate, or "
            f"weaken the objective ({left})"
        )
