"""Signals that ask a program to stop."""

from __future__ import annotations

import signal

__all__ = ["STOP_SIGNALS"]

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # Ctrl-C, kill, a closed terminal; of Windows
STOP_SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
