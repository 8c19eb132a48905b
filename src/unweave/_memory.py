"""The memory of this process: how much it took at most, and what becomes of freed memory."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["keep_freed_memory", "peak_memory"]

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
    """Tell glibc to keep what is freed; True if it was told, False where there is no glibc.

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
