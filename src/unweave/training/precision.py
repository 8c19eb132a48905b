"""Which number format a run is trained in."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from unweave._settings import TrainingConfig
from unweave.datasets import ImageDataset
from unweave.models import VAE
from unweave.models.objectives import Objective
from unweave.training.batches import Batches
from unweave.training.checkpoint import recorded_precision
from unweave.training.device import open_fabric
from unweave.training.optimizers import build_optimizer

__all__ = ["FLOAT32", "MIXED", "choose_precision"]

FLOAT32, MIXED = "32-true", "bf16-mixed"
_ROUNDS = 4  # of which the first allocates memory and chooses kernels
_GAIN = 1.1  # what mixed precision must be worth, so that the choice is not one of the noise
_NEAR = 0.05  # of the loss: what it may differ by from that in float32
_FEWEST_STEPS, _FEWEST_MINUTES = 500, 0.5  # a trial is not worth its time for less
_PROCESSOR_FLAGS = {"amx_bf16", "avx512_bf16"}


def choose_precision(
    model: VAE,
    objective: Objective,
    dataset: ImageDataset,
    config: TrainingConfig,
    folder: str | Path | None = None,
) -> str:
    """The precision of a run, in the words of Lightning Fabric.

    That of the configuration; or where it says ``auto``, that of the run in ``folder`` that is
    resumed; else the faster one of float32 and bfloat16 autocast (``bf16-mixed``), tried out on
    copies of the networks with the first batch. It is float32 without a trial where the device
    has no arithmetic in bfloat16, the objective does not allow it, several devices share the batch,
    or the run has fewer than 500 steps or half a minute of processor time.
    """
    if config.precision != "auto":
        return config.precision
    recorded = recorded_precision(folder) if folder else None
    if recorded is not None:
        return recorded
    if not (objective.mixed_precision and config.devices == 1 and _is_long(config)):
        return FLOAT32
    device = open_fabric(config, precision=FLOAT32).device
    if not has_bfloat16(device):
        return FLOAT32
    seconds, losses = _try_both(model, objective, dataset, config)
    agree = math.isclose(losses[MIXED], losses[FLOAT32], rel_tol=_NEAR)
    return MIXED if agree and _GAIN * seconds[MIXED] <= seconds[FLOAT32] else FLOAT32


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies matrices of bfloat16 by instructions of its own.

    On a processor without, a step under autocast takes several times as long.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and not _PROCESSOR_FLAGS.isdisjoint(_processor_flags())


def _processor_flags() -> set[str]:
    """What Linux says that the processor can do; nothing elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return next((set(line.split()) for line in lines if line.startswith("flags")), set())


def _is_long(config: TrainingConfig) -> bool:
    if config.cpu_minutes is not None:
        return config.cpu_minutes >= _FEWEST_MINUTES
    assert config.steps is not None
    return config.steps >= _FEWEST_STEPS


def _try_both(
    model: VAE, objective: Objective, dataset: ImageDataset, config: TrainingConfig
) -> tuple[dict[str, float], dict[str, float]]:
    """The shortest time of a step in each precision, in turn, and the loss of the first one."""
    seconds = dict.fromkeys((FLOAT32, MIXED), math.inf)
    losses: dict[str, float] = {}
    steps = {name: _trial(model, objective, dataset, config, name) for name in seconds}
    for i in range(_ROUNDS):
        for name, step in steps.items():
            try:
                took, loss = step()
            except RuntimeError:  # an operation that bfloat16 does not have
                if name == FLOAT32:
                    raise
                took, loss = math.inf, math.nan
            losses.setdefault(name, loss)
            if i:
                seconds[name] = min(seconds[name], took)
    return seconds, losses


def _trial(
    model: VAE,
    objective: Objective,
    dataset: ImageDataset,
    config: TrainingConfig,
    precision: str,
) -> Callable[[], tuple[float, float]]:
    """A training step of a copy, which says how many seconds it took, and its loss."""
    fabric = open_fabric(config, precision=precision)
    device = fabric.device
    twin: Any = copy.deepcopy(model).train().to(device)
    twin.to(memory_format=torch.channels_last)
    wrapped, optimizer = fabric.setup(
        twin, build_optimizer(dict(twin.named_parameters()), (), config)
    )
    adversary = objective.build_adversary(twin, seed=config.seed)
    if adversary is not None:
        adversary.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    batch = Batches(
        dataset, objective, batch_size=config.batch_size, n_inputs=model.n_inputs,
        seed=config.seed, device=device,
    )[0]  # fmt: skip

    def step() -> tuple[float, float]:
        start = _seconds(device)
        terms = objective(wrapped, batch, adversary)
        for loss in (terms.loss, terms.adversary_loss):
            if loss is not None:
                fabric.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        return _seconds(device) - start, terms.loss.item()

    return step


def _seconds(device: torch.device) -> float:
    """Time of the processor, which others at work on it do not lengthen; on a GPU of the clock."""
    if device.type != "cuda":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()
