"""Work on all cores, from the main thread."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

__all__ = ["in_threads", "keep_to", "most_processes", "n_cores"]

_MOST_ON_WINDOWS = 61  # handles that it waits for at once, less those of the pool itself
_kept: int | None = None


def keep_to(cores: int) -> None:
    """Use no more cores in this process from now on: others work beside it."""
    from threadpoolctl import threadpool_limits

    global _kept
    _kept = cores
    threadpool_limits(cores)


def n_cores() -> int:
    """Cores that this process may use."""
    if _kept is not None:
        return _kept
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def most_processes(wanted: int) -> int:
    """As many processes of a pool as wanted, or as the system allows."""
    return min(wanted, _MOST_ON_WINDOWS) if sys.platform == "win32" else wanted


def in_threads(
    function: Callable[[Any], Any], items: Iterable[Any], *, linear_algebra: bool = True
) -> list[Any]:
    """The function of each item, in order, on all cores; linear algebra keeps to one each.

    Called from one of its own threads it takes the items one by one. A function without linear
    algebra saves the milliseconds that it takes to limit it. After an error or an interrupt, items
    that are under way are not waited for.
    """
    if threading.current_thread() is not threading.main_thread():
        return [function(item) for item in items]
    from threadpoolctl import threadpool_limits

    limits = threadpool_limits(1) if linear_algebra else nullcontext()
    pool = ThreadPoolExecutor(n_cores())
    with limits:
        try:
            found = list(pool.map(function, items))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()
    return found
