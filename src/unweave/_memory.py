"""Freed memory kept by the process, so that a training step does not ask the kernel for it anew."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["keep_freed_memory"]

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
