"""The memory of this process: how much it may take and took, and what becomes of freed memory."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

__all__ = ["address_space_left", "free_memory", "keep_freed_memory", "peak_memory"]

_CGROUP = Path("/sys/fs/cgroup")

# Parameters of mallopt(3), and values within the limits of a 64-bit glibc.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4
_SETTINGS = {
    _MMAP_THRESHOLD: 32 << 20,
    # The threshold can go no higher, and activations of pretrained networks are larger.
    _MMAP_MAX: 0,
    _TRIM_THRESHOLD: 2**31 - 1,
    _TOP_PAD: 256 << 20,
}


def keep_freed_memory() -> bool:
    """Ask glibc to keep freed memory; True if that was possible, False where there is no glibc.

    Activations of some megabytes are otherwise mapped, filled with zeros page by page and unmapped
    again in every step. It holds for the whole process, so it is for programs to call, at their
    start: study workers and the command line do.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return all([mallopt(parameter, value) == 1 for parameter, value in _SETTINGS.items()])


def peak_memory() -> int | None:
    """Most bytes of memory that this process had at once; None where the system does not count."""
    try:
        import resource  # Windows has no such module
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most  # Linux and BSD count in KiB


def free_memory() -> int | None:
    """Bytes that this process may still take; None where Linux does not say."""
    try:
        lines = _text(Path("/proc/meminfo")).splitlines()
        (kibibytes,) = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    except (OSError, ValueError):
        return None
    return min(int(kibibytes) << 10, *_left_to_containers())


def address_space_left() -> int | None:
    """Bytes of address space that this process may still take; None where it has no limit."""
    try:
        import resource  # Windows has no such module

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit == resource.RLIM_INFINITY:
            return None
        pages = int(_text(Path("/proc/self/statm")).split()[0])
        return max(0, limit - pages * resource.getpagesize())
    except (ImportError, OSError, ValueError):
        return None


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
