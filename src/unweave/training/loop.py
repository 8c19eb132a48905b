"""The training loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from unweave._processes import launching
from unweave._settings import TrainingConfig, TrainingSettings
from unweave._storage import writable_folder, write_json
from unweave.datasets.own.arrays import ImageSource, as_image_dataset
from unweave.datasets.selection import subset
from unweave.models import VAE, Network
from unweave.models.objectives import Objective
from unweave.training.batches import Batches
from unweave.training.budget import Budget
from unweave.training.checkpoint import (
    ADVERSARY,
    MODEL,
    Learner,
    latest_checkpoint,
    resume,
    save_checkpoint,
    steps_done,
)
from unweave.training.course import CONFIG, course_key
from unweave.training.curves import Curves
from unweave.training.description import check_same_run, describe_run
from unweave.training.device import open_fabric
from unweave.training.means import Means
from unweave.training.optimizers import build_optimizer, set_learning_rate, spared_parameters
from unweave.training.precision import choose_precision

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
        Called after each step with what is used of the budget: the number of steps done, or whole
        seconds where ``cpu_minutes`` is the budget.

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
    dataset = all_images = as_image_dataset(dataset)
    if config.n_images is not None:
        dataset = subset(dataset, config.n_images, seed=config.seed)
    check_images(model, dataset.image_shape)
    check_objective(objective, model, config)
    objective.check_dataset(dataset)
    folder = None if folder is None else Path(folder)
    description = {}
    if folder:
        description = describe_run(folder, model, objective, all_images, config)
        check_same_run(folder, description, steps_done(folder))
    precision = choose_precision(model, objective, dataset, config, folder)
    fabric = open_fabric(config, precision=precision)
    _check_budget(config, fabric.device)
    if config.devices > 1:
        with launching():
            fabric.launch()
    trained = {MODEL: _placed(model.train(), fabric.device, config, objective.betas)}
    adversary = objective.build_adversary(model, seed=config.seed)
    if adversary is not None:
        rate, betas = objective.adversary_optimizer
        plain = TrainingSettings(learning_rate=rate, betas=betas)
        trained[ADVERSARY] = _placed(adversary, fabric.device, plain)
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
    means = Means(fabric.device, objective.records, model.n_latents)
    course = course_key(description)
    budget, last_point = _resume(folder, trained, means, config, course)
    curves = None
    if folder and fabric.is_global_zero:
        writable_folder(folder)
        write_json(folder / CONFIG, description)
        curves = Curves(
            folder,
            model.n_latents,
            rate=model.latent_space.rate,
            others=objective.records,
            resumed_at=last_point,
        )
    wrapped, model_optimizer = fabric.setup(*trained[MODEL])
    optimizers = {MODEL: model_optimizer}
    if adversary is not None:  # itself, not wrapped: objectives freeze its weights by their names
        optimizers[ADVERSARY] = fabric.setup_optimizers(trained[ADVERSARY].optimizer)
    milestones = set(config.all_milestones)
    try:
        while not budget.is_spent:
            set_learning_rate(model_optimizer, config, share=budget.share, step=budget.steps)
            with budget.one_step() as step:
                terms = objective(wrapped, batches[step], adversary)
                losses = {MODEL: terms.loss, ADVERSARY: terms.adversary_loss}
                for name, optimizer in optimizers.items():
                    optimizer.zero_grad()
                    fabric.backward(losses[name])
                    if name == MODEL:
                        _clip_gradients(fabric, wrapped, model_optimizer, config)
                    optimizer.step()
                means.add(terms)

            done = budget.steps
            if budget.is_spent:
                milestones.add(done)
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
                used = {"precision": precision, "cpu_seconds": budget.cpu_seconds}
                save_checkpoint(folder, done, trained, milestones, sums, run=course, **used)
            if at_step:
                at_step(budget.work)
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
        If the batch is too small, or shared by devices, or the network is not one for it.
    """
    objective.check_batch_size(config.batch_size // config.devices)
    if config.devices > 1 and objective.smallest_batch > 1:
        raise ValueError(
            f"{objective.name} compares the images of a batch with each other, and devices share "
            "the batch: train it on one device"
        )
    objective.check_latent_space(network.latent_space)
    objective.check_inputs(network.n_latents, network.n_inputs)
    built_from = network if isinstance(network, Network) else network.network
    if built_from is not None:
        objective.check_network(built_from)


def _placed(
    network: nn.Module,
    device: torch.device,
    settings: TrainingSettings,
    betas: tuple[float, float] = (0.9, 0.999),
) -> Learner:
    """The network on the device, channels last, with its optimiser."""
    network.to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    parameters = dict(network.named_parameters())
    spared = spared_parameters(network)
    return Learner(network, build_optimizer(parameters, spared, settings, betas))


def _clip_gradients(
    fabric: Any, network: nn.Module, optimizer: Any, config: TrainingConfig
) -> None:
    """Entries first, then the norm. A gradient that is not finite stays so, and is noticed."""
    if config.gradient_clip is not None:
        fabric.clip_gradients(network, optimizer, clip_val=config.gradient_clip)
    if config.gradient_clip_norm is not None:
        fabric.clip_gradients(
            network,
            optimizer,
            max_norm=config.gradient_clip_norm,
            error_if_nonfinite=False,
        )


def _check_budget(config: TrainingConfig, device: torch.device) -> None:
    """Refuse to count the processor's time where another device does the work."""
    if config.cpu_minutes is not None and device.type != "cpu":
        raise ValueError(
            f"cpu_minutes are time of the processor, and this run computes on {device.type}: take "
            "the accelerator cpu, or give steps"
        )


def _resume(
    folder: Path | None,
    trained: Mapping[str, Learner],
    means: Means,
    config: TrainingConfig,
    course: str | None,
) -> tuple[Budget, int]:
    """Set everything to the last checkpoint; what was used, and step of the curve's last point.

    The end of a run is a point of its curve. Where the run resumes, and such a point would not have
    been there, the means continue over it.
    """
    found = resume(folder, trained, run=course)
    budget = Budget(config, found.step, found.cpu_seconds)
    ends = found.step not in config.milestones and all(
        found.step % every for every in (config.log_every, config.checkpoint_every)
    )
    if not ends or budget.is_spent or not found.sums:
        return budget, found.step
    means.restore(found.sums)
    return budget, found.step - 1


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
