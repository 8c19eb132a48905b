"""The device that a model is trained on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from unweave._settings import TrainingConfig

__all__ = ["check_accelerator", "open_fabric"]


def open_fabric(
    config: TrainingConfig, *, devices: int | None = None, precision: str | None = None
) -> Any:
    """Lightning's Fabric on the device of a configuration, or on so many of them.

    ``precision`` takes the place of the configuration's, whose ``auto`` is float32 here.

    Raises
    ------
    ValueError
        If this machine does not have them.
    """
    from lightning_fabric import Fabric  # takes three seconds to import

    devices = config.devices if devices is None else devices
    check_accelerator(config.accelerator, devices)
    format_: Any = precision or ("32-true" if config.precision == "auto" else config.precision)
    with _without_notes():
        try:
            return Fabric(accelerator=config.accelerator, devices=devices, precision=format_)
        except ValueError as error:
            raise ValueError(f"precision {format_}: {error}") from error


@contextmanager
def _without_notes() -> Iterator[None]:
    """Warnings of Lightning alone: it notes that autocast is used, which the run says too."""
    logger = logging.getLogger("lightning_fabric.utilities.rank_zero")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def check_accelerator(accelerator: str, devices: int = 1) -> None:
    """Refuse a device that this machine does not have.

    Raises
    ------
    ValueError
        If there is none, or there are fewer than ``devices``.
    """
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if accelerator == "cuda" and n_gpus == 0:
        raise ValueError(
            "accelerator cuda: torch finds no CUDA device on this machine; choose cpu or auto"
        )
    if accelerator == "mps" and not torch.backends.mps.is_available():
        raise ValueError(
            "accelerator mps: torch finds no Apple GPU on this machine; choose cpu or auto"
        )
    if (accelerator == "cuda" or (accelerator == "auto" and n_gpus)) and devices > n_gpus:
        raise ValueError(f"{devices} devices were asked for, and this machine has {n_gpus} GPUs")
