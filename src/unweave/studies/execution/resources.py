"""What this machine has for the runs of a study: cores, memory and GPUs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

from unweave._memory import free_memory
from unweave._parallel import n_cores
from unweave.studies.base import Description

__all__ = ["RUNS_ON_A_GPU", "free_memory", "gpus", "n_workers"]

RUNS_ON_A_GPU = 4
_MEMORY_OF_A_RUN = 3 << 29  # bytes: runs of the study paper take 1.1 GiB each


def n_workers(descriptions: Sequence[Description]) -> int:
    """How many runs execute in parallel: one for each core, as memory and GPUs allow."""
    limits = [n_cores()]
    memory = free_memory()
    if memory is not None:
        limits.append(memory // _MEMORY_OF_A_RUN)
    devices = gpus()
    if devices and any(description.may_use_gpu for description in descriptions):
        limits.append(RUNS_ON_A_GPU * len(devices))
    return max(1, min(limits))


def gpus() -> list[str]:
    """GPUs of NVIDIA that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")]
    if not shutil.which("nvidia-smi"):
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    lines = [line for line in listed.stdout.splitlines() if line.startswith("GPU ")]
    return [str(index) for index in range(len(lines))]
