"""Many small models at once: seeds and strengths of one objective over one network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from unweave._memory import keep_freed_memory
from unweave._parallel import keep_to, most_processes, n_cores
from unweave._processes import Workers
from unweave._settings import TrainingConfig
from unweave.datasets import ImageDataset
from unweave.datasets.own.arrays import ImageSource, as_image_dataset
from unweave.datasets.selection import subset
from unweave.models import VAE, Network, build_vae
from unweave.models.objectives import Batch, Objective
from unweave.training.batches import Batches
from unweave.training.device import open_fabric
from unweave.training.loop import DivergedError, check_objective, train
from unweave.training.optimizers import build_optimizer, set_learning_rate, spared_parameters

__all__ = ["Member", "stacks", "train_ensemble"]


class Member(NamedTuple):
    """One model of an ensemble."""

    objective: Objective
    seed: int


def train_ensemble(
    network: Network,
    members: Sequence[Member],
    dataset: ImageSource,
    config: TrainingConfig,
    *,
    together: bool | None = None,
    at_step: Callable[[int], None] | None = None,
) -> list[VAE]:
    """Train a model for each member, each as :func:`~unweave.training.train` would alone.

    Together, all members are one model whose every operation has one more dimension, which keeps a
    GPU busy that a small model leaves idle; results agree with those of one by one up to rounding.
    On a processor each member has a process of its own, and the results are the same bits, for a
    stated precision. Together they are trained in float32.

    Parameters
    ----------
    network, dataset, config
        Those of every member, as :func:`~unweave.training.train` takes them; each member's seed
        takes the place of the configuration's.
    members
        Their objectives, which together may differ in numbers alone, and their seeds.
    together
        Whether to train them as one; by default if the device is not a CPU and they can be.
    at_step
        Called with the number of steps done after each step, if they are trained together.

    Raises
    ------
    ValueError
        If there are no members, they cannot be trained together and were to be, or not with this
        configuration, or the images cannot be used.
    DivergedError
        If a loss is no longer finite.
    """
    if not members:
        raise ValueError("an ensemble needs members: give an objective and a seed for each")
    dataset = as_image_dataset(dataset)
    fabric = open_fabric(config, devices=1)
    if together is None:
        together = (
            fabric.device.type != "cpu"
            and stacks([m.objective for m in members])
            and not _only_alone(config)
        )
    elif together and not stacks([m.objective for m in members]):
        raise ValueError(
            "the members' objectives cannot be trained together: they must be of one kind, differ "
            "in numbers alone, and have no adversary and no batches of their own; leave `together` "
            "out"
        )
    if together:
        _check_together(config)
        return _train_together(network, members, dataset, config, fabric.device, at_step)
    return _train_in_processes(network, members, dataset, config)


def _only_alone(config: TrainingConfig) -> list[str]:
    """Names of the settings that only a model by itself can be trained with."""
    settings = {
        "cpu_minutes": config.cpu_minutes is not None,
        "gradient_clip_norm": config.gradient_clip_norm is not None,
        f"precision {config.precision}": config.precision not in ("auto", "32-true"),
    }
    return [name for name, is_set in settings.items() if is_set]


def _check_together(config: TrainingConfig) -> None:
    """Refuse what members that are one model cannot have each."""
    found = _only_alone(config)
    if found:
        raise ValueError(
            f"members that are trained together share their steps, gradients and number format, "
            f"which are float32, and cannot have {' and '.join(found)}: leave `together` out"
        )


def stacks(objectives: Sequence[Objective]) -> bool:
    """Whether models with these objectives can be trained as one."""
    first = objectives[0]
    plain = all(
        getattr(type(first), name) is getattr(Objective, name)
        for name in ("_terms", "adversary", "rows")
    )
    return plain and all(
        type(other) is type(first)
        and all(isinstance(getattr(other, name), float) for name in _differing([first, other]))
        for other in objectives
    )


def _differing(objectives: Sequence[Objective]) -> list[str]:
    """Names of the fields in which they differ."""
    first = objectives[0]
    return [
        name
        for name in type(first).model_fields
        if any(getattr(o, name) != getattr(first, name) for o in objectives)
    ]


class _Functional:
    """A model with weights that are given, so that it can be mapped over them."""

    def __init__(self, model: VAE, weights: dict[str, Tensor]) -> None:
        self.model, self.weights = model, weights

    def __call__(self, images: Tensor, noise: Tensor | None) -> Any:
        return functional_call(self.model, self.weights, (images, noise))


def _train_together(
    network: Network,
    members: Sequence[Member],
    dataset: ImageDataset,
    config: TrainingConfig,
    device: torch.device,
    at_step: Callable[[int], None] | None,
) -> list[VAE]:
    models = [build_vae(network, dataset.image_shape, seed=m.seed).to(device) for m in members]
    objectives = [member.objective for member in members]
    for objective in objectives:
        check_objective(objective, network, config)
    numbers = {
        name: torch.tensor([getattr(o, name) for o in objectives], device=device)
        for name in _differing(objectives)
    }
    n_images = config.n_images or len(dataset)
    batches = [
        Batches(
            dataset if config.n_images is None else subset(dataset, n_images, seed=m.seed),
            m.objective, batch_size=config.batch_size, n_inputs=network.n_inputs,
            seed=m.seed, device=device,
        )
        for m in members
    ]  # fmt: skip
    weights, buffers = stack_module_state(models)
    spared = spared_parameters(models[0])
    optimizer = build_optimizer(weights, spared, config, objectives[0].betas)

    def loss(weights, buffers, images, noise, prior, numbers, step: int) -> Tensor:
        objective = objectives[0].model_copy(update=numbers)
        batch = Batch(images, noise, prior, step, n_images)
        model: Any = _Functional(models[0], {**weights, **buffers})
        return objective(model, batch).loss

    over_members = vmap(loss, in_dims=(0, 0, 0, 0, 0, 0, None))
    total = torch.zeros(len(members), device=device)
    assert config.steps is not None
    for step in range(config.steps):
        set_learning_rate(optimizer, config, share=step / config.steps, step=step)
        drawn = [own[step] for own in batches]
        images = torch.stack([batch.images for batch in drawn])
        noise = torch.stack([batch.noise for batch in drawn])
        prior = torch.stack([batch.prior for batch in drawn])
        losses = over_members(weights, buffers, images, noise, prior, numbers, step)
        optimizer.zero_grad()
        losses.sum().backward()
        if config.gradient_clip is not None:
            torch.nn.utils.clip_grad_value_(weights.values(), config.gradient_clip)
        optimizer.step()
        total += losses.detach()
        done = step + 1
        if done % config.log_every == 0 or done == config.steps:
            _check_finite(total, members, done)
        if at_step:
            at_step(done)
    with torch.no_grad():
        for i, model in enumerate(models):
            own = {key: stacked[i] for key, stacked in {**weights, **buffers}.items()}
            model.load_state_dict(own, strict=False)  # buffers that are not saved are constants
    return [model.eval() for model in models]


def _check_finite(total: Tensor, members: Sequence[Member], step: int) -> None:
    wrong = [m for m, value in zip(members, total.tolist(), strict=True) if value != value]
    if wrong or not torch.isfinite(total).all():
        named = ", ".join(f"{m.objective.name} with seed {m.seed}" for m in wrong or members)
        raise DivergedError(f"training diverged by step {step}: {named}; lower the learning rate")


def _train_in_processes(
    network: Network,
    members: Sequence[Member],
    dataset: ImageDataset,
    config: TrainingConfig,
) -> list[VAE]:
    workers = most_processes(min(n_cores(), len(members)))
    with Workers(workers, f"{__name__}:{_start_worker.__name__}") as pool:
        jobs = [pool.submit(_train_one, network, m, dataset, config) for m in members]
        for done in pool.completed(jobs):
            for job in done:
                job.result()  # if one fails, the others are not waited for
    states = [job.result() for job in jobs]
    models = []
    for member, state in zip(members, states, strict=True):
        model = build_vae(network, dataset.image_shape, seed=member.seed)
        model.load_state_dict({key: torch.from_numpy(array) for key, array in state.items()})
        models.append(model.eval())
    return models


def _start_worker() -> None:
    keep_freed_memory()
    torch.set_num_threads(1)
    keep_to(1)


def _train_one(
    network: Network, member: Member, dataset: ImageDataset, config: TrainingConfig
) -> dict[str, Any]:
    model = build_vae(network, dataset.image_shape, seed=member.seed)
    own = config.model_copy(update={"seed": member.seed})
    train(model, member.objective, dataset, own)
    return {key: tensor.cpu().numpy() for key, tensor in model.state_dict().items()}
