"""What this machine has for the runs of a study: cores, memory and GPUs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from unweave._parallel import n_cores
from unweave.studies.description import Description

__all__ = ["RUNS_ON_A_GPU", "free_memory", "gpus", "n_workers"]

RUNS_ON_A_GPU = 4
_MEMORY_OF_A_RUN = 3 << 29  # bytes: runs of the study paper take 1.1 GiB each
_CGROUP = Path("/sys/fs/cgroup")


def n_workers(descriptions: Sequence[Description]) -> int:
    """How many runs go side by side: one for each core, if the memory and the GPUs will do."""
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


def free_memory() -> int | None:
    """Bytes that this process may still take; None where Linux does not say."""
    try:
        lines = _text(Path("/proc/meminfo")).splitlines()
        (kibibytes,) = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    except (OSError, ValueError):
        return None
    return min(int(kibibytes) << 10, *_left_to_containers())


def _left_to_containers() -> list[int]:
    """What a container or a job of a cluster, and each around it, may still take (cgroups v2)."""
    found = [1 << 62]
    try:
        own = _text(Path("/proc/self/cgroup")).strip().rpartition("::")[2].lstrip("/")
    except OSError:
        return found
    folder = _CGROUP / own
    while folder != _CGROUP.parent:
        try:
            limit = _text(folder / "memory.max").strip()
            if limit != "max":
                stat = dict(line.split() for line in _text(folder / "memory.stat").splitlines())
                used = int(_text(folder / "memory.current"))
                # Files that were read count as used, and are let go of when memory is asked for.
                found.append(int(limit) - used + int(stat["inactive_file"]))
        except (OSError, ValueError, KeyError):
            pass
        folder = folder.parent
    return found


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")
