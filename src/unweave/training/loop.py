"""The training loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from unweave.datasets.arrays import ImageSource, as_image_dataset
from unweave.datasets.cache import writable_folder
from unweave.datasets.subset import Subset
from unweave.models import VAE, Network
from unweave.models.objectives import Objective, Terms
from unweave.training.batches import Batches
from unweave.training.checkpoint import (
    ADVERSARY,
    MODEL,
    Trained,
    latest_checkpoint,
    resume,
    save_checkpoint,
    steps_done,
    write_json,
)
from unweave.training.config import TrainingConfig
from unweave.training.curves import Curves
from unweave.training.description import CONFIG, check_same_run, describe_run
from unweave.training.device import open_fabric

__all__ = ["DivergedError", "check_images", "check_objective", "train"]


class DivergedError(ArithmeticError):
    """The loss is no longer a finite number."""


def train(
    model: VAE,
    objective: Objective,
    dataset: ImageSource,
    config: TrainingConfig,
    *,
    folder: str | Path | None = None,
    at_milestone: Callable[[int, VAE], Mapping[str, float] | None] | None = None,
    at_step: Callable[[int], None] | None = None,
) -> VAE:
    """Train ``model`` and return it.

    With a ``folder``, learning curves and checkpoints are kept there. A run that was interrupted
    resumes from its last checkpoint to the same weights as without the interruption (on one
    machine, with the same number of threads). A finished run that is asked for more steps continues
    to the same weights and curves as if it had been asked for them at once.

    Parameters
    ----------
    model, objective, config
        What is trained, to minimise what, and how.
    dataset
        Images to train on: an :class:`~unweave.datasets.ImageDataset`, an array or tensor, or a
        dataset of torch, as :func:`~unweave.datasets.as_image_dataset` takes them. Pixels are
        converted by the rule of :class:`~unweave.datasets.pixels.PixelScale`.
    folder
        Where curves and checkpoints go; None keeps nothing. Curves are shown by TensorBoard, or by
        the loggers that the environment variable ``UNWEAVE_LOGGERS`` names.
    at_milestone
        Called with the step and the model at each milestone, before its checkpoint is written. If
        it returns scores by name, loggers show them.
    at_step
        Called with the number of steps done after each step.

    Raises
    ------
    DivergedError
        If the loss or a weight is no longer finite; the last good checkpoint stays.
    TypeError
        If images cannot be read from ``dataset``, as from a ``DataLoader``.
    ValueError
        If model, objective, images and batch size are incompatible, the images cannot be converted,
        this machine lacks the device, or ``folder`` holds another run.
    OSError
        If the folder cannot be written.
    """
    dataset = as_image_dataset(dataset)
    if config.n_images is not None:
        dataset = Subset(dataset, config.n_images, seed=config.seed)
    check_images(model, dataset.image_shape)
    check_objective(objective, model, config)
    folder = None if folder is None else Path(folder)
    fabric = open_fabric(config)
    if config.devices > 1:
        fabric.launch()
    trained = {MODEL: _placed(model.train(), fabric.device, config.learning_rate, objective.betas)}
    adversary = objective.build_adversary(model, seed=config.seed)
    if adversary is not None:
        settings = objective.adversary_optimizer
        trained[ADVERSARY] = _placed(adversary, fabric.device, *settings)
    batches = Batches(
        dataset,
        objective,
        batch_size=config.batch_size,
        n_inputs=model.n_inputs,
        seed=config.seed,
        device=fabric.device,
        rank=fabric.global_rank,
        world_size=fabric.world_size,
    )
    means = _Means(fabric.device, objective.records, model.n_latents)
    description = {}
    if folder:
        description = describe_run(folder, model, objective, dataset, config)
        check_same_run(folder, description, steps_done(folder))
    done, last_point = _resume(folder, trained, means, config)
    curves = None
    if folder and fabric.is_global_zero:
        writable_folder(folder)
        write_json(folder / CONFIG, description)
        curves = Curves(folder, model.n_latents, others=objective.records, resumed_at=last_point)
    wrapped, model_optimizer = fabric.setup(*trained[MODEL])
    optimizers = {MODEL: model_optimizer}
    if adversary is not None:  # itself, not wrapped: objectives freeze its weights by their names
        optimizers[ADVERSARY] = fabric.setup_optimizers(trained[ADVERSARY].optimizer)
    milestones = set(config.all_milestones)
    try:
        for step in range(done, config.steps):
            terms = objective(wrapped, batches[step], adversary)
            losses = {MODEL: terms.loss, ADVERSARY: terms.adversary_loss}
            for name, optimizer in optimizers.items():
                optimizer.zero_grad()
                fabric.backward(losses[name])
                optimizer.step()
            means.add(terms)

            done = step + 1
            stops = done in milestones or done % config.checkpoint_every == 0
            if stops or done % config.log_every == 0:
                sums = means.sums()
                values, kl = means.take()
                networks = [pair.network for pair in trained.values()] if stops else []
                _check_finite(values, networks, done, folder)
                if curves:
                    curves.add(done, values, kl)
            if at_milestone and done in milestones and fabric.is_global_zero:
                model.eval()
                scores = at_milestone(done, model)
                model.train()
                if curves and scores:
                    curves.show(done, scores)
            if folder and curves and stops:
                save_checkpoint(folder, done, trained, milestones, sums)
            if at_step:
                at_step(done)
    finally:
        if curves:
            curves.close()
    return model.eval()


def check_images(model: VAE, image_shape: tuple[int, int, int]) -> None:
    """Refuse data that a model is not for.

    Raises
    ------
    ValueError
        If its images have another shape.
    """
    if tuple(image_shape) != model.image_shape:
        raise ValueError(
            f"the model is for images of {_shape(model.image_shape)}, and the data has "
            f"{_shape(image_shape)}: build the model for the data's image_shape"
        )


def check_objective(objective: Objective, network: Network | VAE, config: TrainingConfig) -> None:
    """Refuse an objective that cannot be trained so.

    Raises
    ------
    ValueError
        If the batch is too small, or shared by devices, or the decoder has inputs of no use.
    """
    objective.check_batch_size(config.batch_size // config.devices)
    if config.devices > 1 and objective.smallest_batch > 1:
        raise ValueError(
            f"{objective.name} compares the images of a batch with each other, and devices share "
            "the batch: train it on one device"
        )
    objective.check_inputs(network.n_latents, network.n_inputs)


class _Means:
    """Running sums of the terms, on the device, so that no step waits to read a number."""

    def __init__(self, device: torch.device, others: Sequence[str], n_latents: int) -> None:
        self._names = ("loss", "reconstruction", *others)
        self._others = others
        n = len(self._names) + n_latents
        self._sums = torch.zeros(n, device=device, dtype=torch.float64)
        self._n = 0

    def add(self, terms: Terms) -> None:
        others = [terms.others[name][None] for name in self._others]
        values = [terms.loss[None], terms.reconstruction[None], *others, terms.kl]
        self._sums += torch.cat([v.detach() for v in values])
        self._n += 1

    def take(self) -> tuple[dict[str, float], list[float]]:
        """The means by name, and the KL of each latent; then begin anew."""
        values = (self._sums / self._n).tolist()
        self._sums.zero_()
        self._n = 0
        n = len(self._names)
        return dict(zip(self._names, values[:n], strict=True)), values[n:]

    def sums(self) -> dict[str, Any]:
        """What :meth:`restore` needs, for JSON; nothing where a number is not finite."""
        values = self._sums.tolist()
        return {"n": self._n, "sums": values} if all(map(math.isfinite, values)) else {}

    def restore(self, sums: Mapping[str, Any]) -> None:
        """Go on from sums that were saved."""
        self._sums.copy_(torch.tensor(sums["sums"], dtype=torch.float64))
        self._n = int(sums["n"])


def _placed(
    network: nn.Module, device: torch.device, learning_rate: float, betas: tuple[float, float]
) -> Trained:
    """The network on the device, channels last, with its Adam."""
    network.to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    adam = torch.optim.Adam(network.parameters(), lr=learning_rate, betas=betas, fused=True)
    return Trained(network, adam)


def _resume(
    folder: Path | None, trained: Mapping[str, Trained], means: _Means, config: TrainingConfig
) -> tuple[int, int]:
    """Set everything to the last checkpoint; its step, and that of the last point of the curve.

    The end of a run is a point of its curve. Where the run resumes, and such a point would not have
    been there, the means go on over it.
    """
    found = resume(folder, trained)
    ends = found.step not in config.milestones and all(
        found.step % every for every in (config.log_every, config.checkpoint_every)
    )
    if not ends or found.step >= config.steps or not found.sums:
        return found.step, found.step
    means.restore(found.sums)
    return found.step, found.step - 1


def _check_finite(
    values: Mapping[str, float], networks: Sequence[nn.Module], step: int, folder: Path | None
) -> None:
    weights = [p for network in networks for p in network.parameters()]
    wrong = [f"{name} was {value}" for name, value in values.items() if not math.isfinite(value)]
    if not all(torch.isfinite(p).all() for p in weights):
        wrong.append("a weight was not finite")
    if wrong:
        kept = latest_checkpoint(folder) if folder else None
        left = f"the last good checkpoint is {kept}" if kept else "nothing was kept"
        raise DivergedError(
            f"training diverged: {', '.join(wrong)} by step {step}; lower the learning rate, or "
            f"weaken the objective ({left})"
        )


def _shape(image_shape: tuple[int, int, int]) -> str:
    height, width, channels = image_shape
    return f"{height} x {width} x {channels}"
